"""Metrics as one typed list, logs, redaction."""
