"""From an admitted event to a decision: what applies, what the judge says, what follows.

Knows neither Kafka, vLLM nor Redis; what it needs of them stands in `ports`.
"""
