"""How the four topics are made and described unless somebody says otherwise."""

from typing import Final, NamedTuple


class TopicDefault(NamedTuple):
    """The usual name of a topic and how many days its records stay."""

    name: str
    retention_days: int

    @property
    def retention_ms(self) -> int:
        """Kafka's `retention.ms`."""
        return self.retention_days * 86_400_000


# By field of the `topics` settings. The audit outlives the appeals that are decided by it.
TOPIC_DEFAULTS: Final = {
    "events": TopicDefault("chat.events", 7),
    "interventions": TopicDefault("moderation.interventions", 14),
    "audit": TopicDefault("moderation.audit", 90),
    "dead_letters": TopicDefault("moderation.dead-letters", 30),
}
# Kafka's own default, said aloud: `delivery.max_record_bytes` and `input.max_event_bytes` stay
# well below it.
MAX_MESSAGE_BYTES: Final = 1_048_588
