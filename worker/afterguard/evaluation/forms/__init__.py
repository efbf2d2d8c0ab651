"""The forms in which labelled rows are written, one a file."""
