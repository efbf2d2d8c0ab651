"""Outputs: decisions and rejections as records that the broker will take.

Every output is kept below the record limit here, because a broker refuses a larger one alone and
lets its neighbours pass: an event could be committed without its verdict.
"""

from collections.abc import Callable
from datetime import datetime

from afterguard.contracts.cloudevents import (
    AUDIT_RECORD,
    DEAD_LETTER,
    INTERVENTION,
    Envelope,
    stamp,
    trace_context,
)
from afterguard.contracts.codec import encode
from afterguard.contracts.coordinates import dead_letter_id
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import Headers, InputRecord, OutputRecord
from afterguard.contracts.replays import origin_of
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Degraded, Outcome
from afterguard.flow.admit import utc_now
from afterguard.flow.decide import Decision
from afterguard.stream.settings import TopicSettings
from afterguard.telemetry.trail import Trail

# Room for headers, key and the record's frame beside the value: two ids of 256 characters, the
# trace context and the CloudEvents attributes.
_FRAME_BYTES = 8_192
_CUTTABLE = ("rationale", "answer")
_MOST_HEADERS, _HEADER_NAME = 16, 64
_DETAIL = 500


class Outputs:
    """Makes output records.

    Args:
        topics: Where each kind goes.
        source: CloudEvents source of this worker's group, such as `/afterguard/moderation`.
        max_record_bytes: No value is larger.
        now: The wall clock.
    """

    def __init__(
        self,
        topics: TopicSettings,
        *,
        source: str,
        max_record_bytes: int,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._topics = topics
        self._limit = max_record_bytes - _FRAME_BYTES
        self._now = now
        self._audit = Envelope(AUDIT_RECORD, source)
        self._intervention = Envelope(INTERVENTION, source)
        self._dead_letter = Envelope(DEAD_LETTER, source)

    def audit(self, decision: Decision) -> list[OutputRecord]:
        """One record for each verdict of a decision."""
        record = decision.admission.record
        event = decision.admission.event
        key, subject = event.conversation_id.encode(), event.event_id.encode()
        trail = decision.admission.trail
        trace: Headers = ()
        if trail is not None:
            trace = trail.below(trail.span_id)
        elif record.headers:
            trace = trace_context(record.headers)
        topic, envelope = self._topics.audit, self._audit
        time = stamp(decision.audit[0].timings.published_at)
        return [
            OutputRecord(
                topic,
                key,
                self._fitted(verdict),
                envelope.headers(verdict.verdict_id, subject=subject, time=time, trace=trace),
            )
            for verdict in decision.audit
        ]

    def intervention(
        self, intervention: Intervention, record: InputRecord, trail: Trail | None = None
    ) -> OutputRecord:
        """The record of an intervention.

        Args:
            intervention: What it says.
            record: Of the event.
            trail: Of the event; the platform's handling goes on below its span. None where the
                event is not followed: then the producer's context is handed on.
        """
        value = encode(intervention)
        if len(value) > self._limit:
            # The target is the one part without a bound of its own, and numbers in it may grow.
            degraded = {*intervention.degraded, Degraded.TARGET_LEFT_OUT}
            changes = {"target": None, "degraded": tuple(sorted(degraded))}
            value = encode(intervention.model_copy(update=changes))
        return OutputRecord(
            self._topics.interventions,
            intervention.conversation_id.encode(),
            value,
            self._intervention.headers(
                intervention.intervention_id,
                subject=intervention.event_id.encode(),
                time=stamp(intervention.decided_at),
                trace=(
                    trace_context(record.headers)
                    if trail is None
                    else trail.below(trail.intervention_id)
                ),
            ),
        )

    def dead_letter(
        self,
        record: InputRecord,
        *,
        outcome: Outcome,
        reason: str,
        detail: str,
        attempts: int,
        event_id: str | None = None,
    ) -> list[OutputRecord]:
        """The original record with its reason, in as many parts as its size asks for."""
        now, place, value = self._now(), record.coordinates, record.value
        replay_of = origin_of(record)
        empty = DeadLetter(
            dead_letter_id=dead_letter_id(place),
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            outcome=outcome,
            reason=reason,
            detail=detail[:_DETAIL],
            attempts=attempts,
            event_id=event_id,
            key=record.key,
            value=None if value is None else b"",
            headers=list(record.headers),
            original_size=len(value or b""),
            recorded_at=now,
            origin=str(replay_of.coordinates) if replay_of else None,
            replay=replay_of.replay if replay_of else 0,
        )
        weight = len(encode(empty))
        if weight > self._limit // 2:
            empty = _stripped(empty)
            weight = len(encode(empty))
        # Base64 takes four bytes for three; a part's number may take some digits more.
        chunks = [value] if value is None else _chunks(value, (self._limit - weight - 64) // 4 * 3)
        letters = [
            empty.model_copy(
                update={
                    "dead_letter_id": dead_letter_id(place, part),
                    "value": chunk,
                    "part": part,
                    "parts": len(chunks),
                }
            )
            for part, chunk in enumerate(chunks)
        ]
        subject = str(place).encode()
        return [
            OutputRecord(
                self._topics.dead_letters,
                subject,
                encode(letter),
                self._dead_letter.headers(
                    letter.dead_letter_id,
                    subject=subject,
                    time=stamp(now),
                    trace=trace_context(record.headers),
                ),
            )
            for letter in letters
        ]

    def _fitted(self, verdict: AuditRecord) -> bytes:
        try:
            value = encode(verdict)
        except ValueError:
            # Half of a surrogate pair: a model's own words need not be valid Unicode.
            verdict = _legible(verdict)
            value = encode(verdict)
        if len(value) <= self._limit:
            return value
        # JSON may need six bytes for one character, so each field gets a sixth of its share.
        share = self._limit // (6 * (len(_CUTTABLE) + 2))
        cut = [name for name in _CUTTABLE if len(getattr(verdict, name) or "") > share]
        changes: dict[str, object] = {name: getattr(verdict, name)[:share] for name in cut}
        # Each at most 64 characters long (see `flow.findings`), but the model may cite many.
        few = share // 72
        if len(verdict.unknown_rules) > few:
            changes["unknown_rules"] = verdict.unknown_rules[:few]
            cut.append("unknown_rules")
        return encode(verdict.model_copy(update={**changes, "cut": tuple(cut)}))


def _legible(verdict: AuditRecord) -> AuditRecord:
    changes: dict[str, object] = {
        name: _unicode(text) for name in _CUTTABLE if (text := getattr(verdict, name))
    }
    changes["unknown_rules"] = tuple(_unicode(rule) for rule in verdict.unknown_rules)
    return verdict.model_copy(update=changes)


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _chunks(value: bytes, size: int) -> list[bytes]:
    return [value[at : at + size] for at in range(0, len(value), size)] or [b""]


def _stripped(letter: DeadLetter) -> DeadLetter:
    values = sum(len(value or b"") for _, value in letter.headers)
    left_out = f"key of {len(letter.key or b'')} bytes and {values} bytes of header values left out"
    names = [(name[:_HEADER_NAME], None) for name, _ in letter.headers[:_MOST_HEADERS]]
    detail = f"{letter.detail}; {left_out}; {len(names)} of {len(letter.headers)} headers named"
    return letter.model_copy(
        update={"key": None, "headers": names, "detail": detail, "left_out": True}
    )
