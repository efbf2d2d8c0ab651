"""Whether versions of policies changed cleanly: whole, once, and in the order of the events."""

from collections.abc import Mapping, Sequence

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.verdicts import AuditRecord

Versions = Mapping[str, str]


def misjudged(audit: Sequence[AuditRecord], states: Sequence[Versions]) -> list[Coordinates]:
    """The events that were judged under a mixture of versions, or under older ones than before.

    Args:
        audit: All verdicts of one worker, none of them of a version on trial.
        states: By policy id, the versions in force one after another; no two alike.

    Returns:
        Events whose versions were never in force together, that were judged twice, or that stand
        behind an event of their partition that was judged under later versions.
    """
    found: dict[Coordinates, dict[str, str]] = {}
    wrong: set[Coordinates] = set()
    for verdict in audit:
        where = Coordinates(verdict.topic, verdict.partition, verdict.offset)
        policy, version = verdict.policy_id or "", verdict.policy_version or ""
        versions = found.setdefault(where, {})
        if policy in versions:
            wrong.add(where)
        versions[policy] = version
    latest: dict[tuple[str, int], int] = {}
    for where in sorted(found):
        place = next((at for at, state in enumerate(states) if state == found[where]), -1)
        partition = where.topic, where.partition
        if place < latest.get(partition, 0):
            wrong.add(where)
        latest[partition] = max(place, latest.get(partition, 0))
    return sorted(wrong)
