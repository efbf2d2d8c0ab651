"""The small server: liveness, readiness, metrics."""
