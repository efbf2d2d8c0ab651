"""The check of hot activation finds what it is there to find."""

from tests.samples import NOON
from tests.version_order import misjudged

from afterguard.contracts.coordinates import Coordinates, verdict_id
from afterguard.contracts.verdicts import AuditRecord, Timings
from afterguard.contracts.words import Outcome

OLD, NEW = {"a": "1", "b": "1"}, {"a": "2", "b": "1"}


def verdicts(offset: int, **versions: str) -> list[AuditRecord]:
    return [
        AuditRecord(
            verdict_id=verdict_id(place := Coordinates("t", 0, offset), name, it),
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            policy_id=name,
            policy_version=it,
            event_id="e-1",
            conversation_id="c-1",
            outcome=Outcome.NO_VIOLATION,
            timings=Timings(
                received_at=NOON,
                published_at=NOON,
                queued_ms=0,
                judging_ms=0,
                event_to_publish_ms=0,
            ),
        )
        for name, it in versions.items()
    ]


def test_a_clean_change_is_no_fault() -> None:
    audit = [*verdicts(1, **NEW), *verdicts(0, **OLD), *verdicts(2, **NEW)]
    assert misjudged(audit, [OLD, NEW]) == []


def test_versions_that_were_never_in_force_together_are_found() -> None:
    audit = [*verdicts(0, **OLD), *verdicts(1, a="1", b="2")]
    assert misjudged(audit, [OLD, NEW]) == [Coordinates("t", 0, 1)]


def test_an_event_judged_under_two_versions_of_a_policy_is_found() -> None:
    audit = [*verdicts(0, **OLD), *verdicts(0, a="2")]
    assert misjudged(audit, [OLD, NEW]) == [Coordinates("t", 0, 0)]


def test_an_event_that_lacks_a_policy_is_found() -> None:
    assert misjudged(verdicts(0, a="1"), [OLD, NEW]) == [Coordinates("t", 0, 0)]


def test_a_fall_back_to_the_version_before_is_found() -> None:
    audit = [*verdicts(0, **NEW), *verdicts(1, **OLD)]
    assert misjudged(audit, [OLD, NEW]) == [Coordinates("t", 0, 1)]
