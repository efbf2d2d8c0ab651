"""Small classifiers ahead of the model, or in its place."""
