"""Sampling: which events a version on trial is judged under, too.

Chance, but always the same: a record that is read again is judged as it was before, and whoever
raises the share keeps the events that were judged already.
"""

from hashlib import blake2b
from typing import NamedTuple

from afterguard.contracts.digests import in_share
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy, Stage


class Candidate(NamedTuple):
    """A version that is tried on live traffic, and never acted upon.

    Attributes:
        policy: The version; its stage is `shadow`.
        share: Of the events that it applies to, above 0 and at most 1: those judged under it.
    """

    policy: Policy
    share: float


def checked(candidate: Candidate) -> Candidate:
    """The candidate.

    Raises:
        ValueError: Its verdicts would be acted upon, or its share is none.
    """
    if candidate.policy.stage is not Stage.SHADOW:
        raise ValueError(f"{candidate.policy.id} is no shadow: its verdicts would be acted upon")
    if not 0 < candidate.share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {candidate.share}")
    return candidate


def drawn(candidate: Candidate, event: ChatEvent) -> bool:
    """Whether this event is in the candidate's sample.

    Each event is a draw of its own, also within a conversation: what is found on the sample then
    has the errors that the usual interval states. Versions draw independently of each other.
    """
    if candidate.share >= 1:
        return True
    place = (candidate.policy.version, event.tenant or "", event.conversation_id, event.event_id)
    # Not by `digest_of`, which would draw other events than the samples that are being taken.
    raw = "\0".join(place).encode("utf-8", "surrogatepass")
    return in_share(blake2b(raw, digest_size=8).digest(), candidate.share)
