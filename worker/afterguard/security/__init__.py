"""Secrets and certificates from files, for whoever speaks to a server."""
