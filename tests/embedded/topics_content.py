"""What four topics hold after a run: real decisions on made-up events, as records."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, NamedTuple, get_args

import orjson
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.samples import NOON, admission, answered, chat_event, event_fields, input_record, policy

from afterguard.contracts.codec import decode_event, encode
from afterguard.contracts.coordinates import Coordinates, dead_letter_id
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.records import InputRecord
from afterguard.contracts.words import Outcome, Reason
from afterguard.embedded.counts import Count
from afterguard.flow.decide import Decide
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.settings import DecideSettings

NOON_MS = int(NOON.timestamp() * 1000)
EVENTS = "chat.events"
_POLICIES = {
    it.handle: it
    for it in (
        policy(),
        policy(id="hate"),
        policy(id="spam"),
        policy(id="hate", version="00000000000000bb", stage="shadow"),
    )
}
ON_TRIAL = next(handle for handle, it in _POLICIES.items() if it.shadow)
_DECIDE = Decide(DecideSettings(), engine="vllm", model="tiny")

How = Literal["clean", "violates", "uncertain", "failed"]


class Judged(NamedTuple):
    """An event that went through the engine: how, under each policy by its handle."""

    under: dict[str, How]


class Skipped(NamedTuple):
    """An event that was not judged although policies apply to it."""


class Rejected(NamedTuple):
    """A record that is no event, kept in so many parts."""

    parts: int


Fate = Judged | Skipped | Rejected

_hows: st.SearchStrategy[How] = st.sampled_from(get_args(How))
fates: st.SearchStrategy[Fate] = st.one_of(
    st.dictionaries(st.sampled_from(sorted(_POLICIES)), _hows, min_size=1).map(Judged),
    st.just(Skipped()),
    st.integers(1, 3).map(Rejected),
)


@dataclass
class TopicsContent:
    """The records of the four topics, and what each event owes."""

    events: list[InputRecord] = field(default_factory=list)
    interventions: list[InputRecord] = field(default_factory=list)
    audit: list[InputRecord] = field(default_factory=list)
    dead_letters: list[InputRecord] = field(default_factory=list)
    policies: dict[Coordinates, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def after(
        cls, fates: Iterable[Fate], *, partitions: int = 2, topic: str = EVENTS
    ) -> "TopicsContent":
        """What the topics hold when each event had its fate."""
        content = cls()
        for number, fate in enumerate(fates):
            where = Coordinates(topic, number % partitions, number // partitions)
            content._add(where, f"e-{number}", fate)
        return content

    def outputs(self) -> list[InputRecord]:
        """All that the worker wrote."""
        return [*self.interventions, *self.audit, *self.dead_letters]

    def without(self, *records: InputRecord) -> "TopicsContent":
        """The same but for some outputs."""

        def kept(topic: list[InputRecord]) -> list[InputRecord]:
            return [record for record in topic if record not in records]

        return TopicsContent(
            self.events,
            kept(self.interventions),
            kept(self.audit),
            kept(self.dead_letters),
            self.policies,
        )

    def count(self) -> Count:
        """A count that was handed everything."""
        count = Count(
            lambda record: decode_event(record, max_bytes=1_000_000),
            lambda record: self.policies[record.coordinates],
        )
        for take, topic in (
            (count.event, self.events),
            (count.intervention, self.interventions),
            (count.verdict, self.audit),
            (count.dead_letter, self.dead_letters),
        ):
            for record in topic:
                take(record)
        return count

    def _add(self, where: Coordinates, event_id: str, fate: Fate) -> None:
        fields = event_fields(event_id=event_id)
        value = b"no event" if isinstance(fate, Rejected) else orjson.dumps(fields)
        record = input_record(value, coordinates=where, timestamp_ms=NOON_MS + 10)
        self.events.append(record)
        match fate:
            case Rejected(parts):
                self._letters(where, Outcome.REJECTED, parts)
            case Skipped():
                self.policies[where] = tuple(_POLICIES)
                reading = Reading(Outcome.SKIPPED, Reason.DUPLICATE_EVENT)
                self._decide(record, event_id, [Finding(reading)])
            case Judged(under):
                self.policies[where] = tuple(under)
                self._decide(record, event_id, [_finding(*it) for it in under.items()])
                if any(how == "failed" for it, how in under.items() if it != ON_TRIAL):
                    self._letters(where, Outcome.FAILED, 1)

    def _decide(self, record: InputRecord, event_id: str, findings: list[Finding]) -> None:
        admitted = admission(event=chat_event(event_id=event_id), record=record)
        decision = _DECIDE.decide(admitted, findings, NOON + timedelta(seconds=1))
        self.audit += [
            _output("moderation.audit", len(self.audit) + at, verdict)
            for at, verdict in enumerate(decision.audit)
        ]
        if decision.intervention is not None:
            self.interventions.append(
                _output("moderation.interventions", len(self.interventions), decision.intervention)
            )

    def _letters(self, where: Coordinates, outcome: Outcome, parts: int) -> None:
        for part in range(parts):
            letter = DeadLetter(
                dead_letter_id=dead_letter_id(where, part),
                topic=where.topic,
                partition=where.partition,
                offset=where.offset,
                outcome=outcome,
                reason="for_a_test",
                detail="",
                attempts=0,
                value=b"no event",
                original_size=8,
                part=part,
                parts=parts,
                recorded_at=NOON,
            )
            self.dead_letters.append(
                _output("moderation.dead-letters", len(self.dead_letters), letter)
            )


def _output(topic: str, offset: int, model: BaseModel) -> InputRecord:
    where = Coordinates(topic, 0, offset)
    return input_record(encode(model), coordinates=where, timestamp_ms=NOON_MS + 1_200)


def _finding(policy_id: str, how: How) -> Finding:
    under = _POLICIES[policy_id]
    if how == "failed":
        return Finding(Reading(Outcome.FAILED, Reason.RETRIES_EXHAUSTED), under, attempts=3)
    if how == "uncertain":
        judgement = answered(True, "H1", score=0.1)
    elif how == "violates":
        judgement = answered(True, "H2")
    else:
        judgement = answered(False)
    return Finding(read(judgement, under), under, judgement, ("low",), attempts=1)
