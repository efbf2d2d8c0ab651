"""Where a record stands in the log, and the ids that follow from it."""

from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

_VERDICT = uuid5(NAMESPACE_URL, "https://afterguard.dev/ns/verdict")
_INTERVENTION = uuid5(NAMESPACE_URL, "https://afterguard.dev/ns/intervention")
_DEAD_LETTER = uuid5(NAMESPACE_URL, "https://afterguard.dev/ns/dead-letter")


class Coordinates(NamedTuple):
    """Topic, partition and offset of the record an event was first read from."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def verdict_id(origin: Coordinates, policy_id: str, policy_version: str) -> UUID:
    """The id of the verdict on one record under one policy version.

    The same record judged again under the same version gets the same id, so that a repeated
    delivery is recognised (RFC 9562 UUIDv5).
    """
    return uuid5(_VERDICT, f"{origin}/{policy_id}/{policy_version}")


def intervention_id(origin: Coordinates, revision: int = 0) -> UUID:
    """The idempotency key of an intervention; revision 0 is the first on this record."""
    return uuid5(_INTERVENTION, f"{origin}/{revision}")


def dead_letter_id(origin: Coordinates, part: int = 0) -> UUID:
    """The id of a dead letter, or of one part of a large one."""
    return uuid5(_DEAD_LETTER, f"{origin}/{part}")
