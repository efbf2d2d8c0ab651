"""Spans of trails that no whole worker shows easily: repeated, shed, cut off, in doubt twice."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.samples import NOON, policy

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Degraded, Effort, Outcome, Reason
from afterguard.telemetry.span import Span
from afterguard.telemetry.spans import Names, spans_of
from afterguard.telemetry.trail import Cost, TraceContext, Trail

SECOND = 1_000_000_000
VERDICT = UUID(int=7)


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def verdict(**changes: Any) -> AuditRecord:
    """What was found under the sample's policy."""
    fields: dict[str, Any] = {
        "verdict_id": VERDICT,
        "event_id": "e-1",
        "conversation_id": "c-1",
        "topic": "chat.events",
        "partition": 0,
        "offset": 0,
        "policy_id": policy().id,
        "policy_version": policy().version,
        "outcome": Outcome.NO_VIOLATION,
        "timings": {
            "received_at": NOON,
            "published_at": NOON + timedelta(seconds=5),
            "queued_ms": 1_000,
            "judging_ms": 500,
            "event_to_publish_ms": 0,
        },
    }
    return AuditRecord.model_validate(fields | changes)


class Bench:
    """A trail on a clock of its own, and the spans that come of it five seconds later."""

    def __init__(self) -> None:
        self.clock = Clock()
        context = TraceContext(1, None, 1, None)
        place = Coordinates("chat.events", 0, 0)
        self.trail = Trail(context, place, clock=self.clock, wall=lambda: 1_000 * SECOND)

    def spans(self, *audit: AuditRecord) -> dict[str, Span]:
        self.trail.conclude(103.0, 104.0)
        found = spans_of(self.trail, audit, None, Names("g", "i"), ended=105.0)
        return {span.name: span for span in found}


def lasts(span: Span) -> tuple[float, float]:
    """Its beginning and its end, seconds after the trail began."""
    return (span.began / SECOND - 1_000, span.ended / SECOND - 1_000)


def test_a_repeated_verdict_is_a_span_that_asked_nobody() -> None:
    judged = Bench().spans(verdict(cached_from=VERDICT, stages=("cache",)))["judge harassment"]
    assert judged.kind == "internal"
    assert judged.attributes["afterguard.cached"] is True
    assert not [name for name in judged.attributes if name.startswith("gen_ai.")]
    assert lasts(judged) == (1.0, 1.5)


def test_an_event_waits_until_the_first_question() -> None:
    bench = Bench()
    bench.clock.now = 102.0
    bench.trail.look((policy(),), Effort.LOW, second=False).answered(1, Cost(), None)
    spans = bench.spans(verdict())
    rooms = {name: lasts(spans[name]) for name in ("queue", "decide", "publish")}
    assert rooms == {"queue": (0.0, 2.0), "decide": (3.0, 4.0), "publish": (4.0, 5.0)}


def test_an_event_that_was_shed_says_so() -> None:
    gone = verdict(outcome=Outcome.EXPIRED, reason=Reason.SHED_OVERLOAD)
    root = Bench().spans(gone)["process chat.events"]
    assert root.fault == "shed_overload"
    assert [(it.name, it.attributes) for it in root.events] == [
        ("shed", {"afterguard.reason": "shed_overload"})
    ]


def test_a_version_on_trial_that_was_cut_off_is_an_error_of_its_own_span_alone() -> None:
    bench, on_trial = Bench(), policy(stage="shadow")
    bench.trail.look((on_trial,), Effort.LOW, second=False)
    cut = verdict(outcome=Outcome.EXPIRED, reason=Reason.SHADOW_CUT, shadow=True)
    acting = verdict(policy_id="other")
    spans = bench.spans(cut, acting)
    assert spans["judge harassment"].fault == "shadow_cut"
    assert spans["process chat.events"].fault is None
    assert lasts(spans["judge harassment"]) == (0.0, 3.0)


def test_what_was_missing_is_told_on_the_event_and_on_its_verdict() -> None:
    spans = Bench().spans(verdict(degraded=(Degraded.CACHE_AWAY, Degraded.EFFORT_REDUCED)))
    told = {
        spans[it].attributes["afterguard.degraded"]
        for it in ("process chat.events", "judge harassment")
    }
    assert told == {("cache_away", "effort_reduced")}


def test_an_event_that_nobody_judges_says_why() -> None:
    skipped = verdict(
        policy_id=None, policy_version=None, outcome=Outcome.SKIPPED, reason=Reason.DUPLICATE_EVENT
    )
    spans = Bench().spans(skipped)
    assert set(spans) == {"process chat.events", "queue", "decide", "publish"}
    root = spans["process chat.events"]
    assert (root.attributes["afterguard.reason"], root.fault) == ("duplicate_event", None)


def test_a_decision_that_could_not_be_written_is_an_error() -> None:
    bench = Bench()
    bench.trail.letter = Reason.INTERNAL_FAULT.value
    assert bench.spans()["process chat.events"].fault == "internal_fault"
