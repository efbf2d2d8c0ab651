"""What a machine without Kafka, Redis and a model hub needs for a demo or a test."""
