"""Measuring policies on labelled rows; never imported by the running worker."""
