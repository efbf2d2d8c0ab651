"""`python -m benchmarks.scaling`: a simulated fleet, its load and its autoscaler."""
