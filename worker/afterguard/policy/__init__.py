"""Policies as documents: reading, linting, the parts of a prompt."""
