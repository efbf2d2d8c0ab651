"""The only place that imports aiokafka."""
