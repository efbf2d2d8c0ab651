"""Counts: what the records of the four topics come to; pure.

Nothing is taken from the worker's counters or logs. Times are those of the log: of the input
record, the event's own, and of the output record.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import ValidationError

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.errors import RejectedInput
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import InputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Outcome
from afterguard.embedded.debts import Debts
from afterguard.stream.ports import Partition

# So many interventions are kept whole, with their verdicts, to be shown.
_EXAMPLES: Final = 200

PoliciesFor = Callable[[InputRecord], Iterable[str]]
Output = TypeVar("Output", AuditRecord, Intervention, DeadLetter)


@dataclass(slots=True)
class Tally:
    """The counts; every output counts once, its repeats are `duplicates`.

    Attributes:
        events: Input records.
        verdicts: Verdicts, those that were skipped or repeated from the cache included.
        judged: Of these, verdicts that the engine was asked for.
        outcomes: Verdicts by outcome; `rejected` counts records that are no event.
        interventions: What the platform is asked to do.
        dead_letters: Records that are kept as dead letters.
        lost: Events for which something is missing although the group has passed them by.
        left: Events that were given back unfinished; the next worker of the group reads them.
        duplicates: Outputs whose id was written before.
        unreadable: Outputs that are against their contract.
        verdicts_per_s: Judged verdicts, from the first event's record to the last verdict's.
        time_to_intervention_ms: From the event's own time to the intervention's record; from the
            event's record where the event's clock is ahead of the log's.
        prefix_cache_hit_ratio: Of the prompt tokens of judged verdicts; None without any.
        engine: As the verdicts name it.
        model: As the verdicts name it.
        acted: The first interventions.
        audit: The verdicts behind them.
    """

    events: int = 0
    verdicts: int = 0
    judged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    interventions: int = 0
    dead_letters: int = 0
    lost: int = 0
    left: int = 0
    duplicates: int = 0
    unreadable: int = 0
    verdicts_per_s: float = 0.0
    time_to_intervention_ms: dict[str, float | None] = field(default_factory=dict)
    prefix_cache_hit_ratio: float | None = None
    engine: str | None = None
    model: str | None = None
    acted: list[Intervention] = field(default_factory=list, repr=False)
    audit: list[AuditRecord] = field(default_factory=list, repr=False)

    def as_json(self) -> dict[str, Any]:
        """The counts alone."""
        return {
            "events": self.events,
            "verdicts": self.verdicts,
            "judged": self.judged,
            "outcomes": dict(sorted(self.outcomes.items())),
            "interventions": self.interventions,
            "dead_letters": self.dead_letters,
            "lost": self.lost,
            "left": self.left,
            "duplicates": self.duplicates,
            "unreadable": self.unreadable,
            "verdicts_per_s": round(self.verdicts_per_s, 2),
            "time_to_intervention_ms": self.time_to_intervention_ms,
            "prefix_cache_hit_ratio": self.prefix_cache_hit_ratio,
            "engine": self.engine,
            "model": self.model,
        }


class Count:
    """Takes the records of the topics in any order and gives the counts.

    Args:
        decode: Bytes to an event; raises `RejectedInput`.
        policies_for: The handles of the policies an input record must have been judged under;
            without it any verdict accounts for a record.
    """

    def __init__(
        self, decode: Callable[[InputRecord], ChatEvent], policies_for: PoliciesFor | None = None
    ) -> None:
        self._decode, self._policies_for = decode, policies_for
        self._tally = Tally()
        self._debts = Debts()
        self._ids: set[UUID] = set()
        self._named: Counter[tuple[str | None, str | None]] = Counter()
        self._tokens = self._cached_tokens = 0
        self._shown: set[UUID] = set()
        self._letters: dict[Coordinates, Outcome] = {}
        # Milliseconds of the log.
        self._said: dict[Coordinates, float] = {}
        self._acted: list[tuple[Coordinates, int]] = []
        self._began: int | None = None
        self._ended = 0

    def event(self, record: InputRecord) -> None:
        """Count a record of the input topic."""
        self._tally.events += 1
        said = float(record.timestamp_ms)
        policies: Iterable[str] = ()
        try:
            event = self._decode(record)
        except RejectedInput:
            pass
        else:
            said = min(said, event.occurred_at.timestamp() * 1000)
            policies = self._policies_for(record) if self._policies_for else ()
        self._debts.event(record.coordinates, policies)
        self._said[record.coordinates] = said
        self._began = min(self._began or record.timestamp_ms, record.timestamp_ms)

    def verdict(self, record: InputRecord) -> None:
        """Count a record of the audit topic."""
        verdict = self._read(AuditRecord, record)
        if verdict is None or self._again(verdict.verdict_id):
            return
        self._debts.verdict(verdict)
        self._tally.verdicts += 1
        self._tally.outcomes[verdict.outcome.value] += 1
        if verdict.policy_id is not None:
            self._named[verdict.engine, verdict.model] += 1
        if verdict.attempts:
            self._tally.judged += 1
            self._tokens += verdict.prompt_tokens
            self._cached_tokens += verdict.cached_prompt_tokens
            self._ended = max(self._ended, record.timestamp_ms)
        if verdict.verdict_id in self._shown:
            self._tally.audit.append(verdict)

    def intervention(self, record: InputRecord) -> None:
        """Count a record of the interventions topic."""
        intervention = self._read(Intervention, record)
        if intervention is None or self._again(intervention.intervention_id):
            return
        self._debts.intervention(intervention)
        self._tally.interventions += 1
        where = Coordinates(intervention.topic, intervention.partition, intervention.offset)
        self._acted.append((where, record.timestamp_ms))
        if len(self._tally.acted) < _EXAMPLES:
            self._tally.acted.append(intervention)
            self._shown.update(intervention.verdict_ids)

    def dead_letter(self, record: InputRecord) -> None:
        """Count a record of the dead letters topic."""
        letter = self._read(DeadLetter, record)
        if letter is None or self._again(letter.dead_letter_id):
            return
        self._debts.dead_letter(letter)
        self._letters[Coordinates(letter.topic, letter.partition, letter.offset)] = letter.outcome

    def result(self, committed: Mapping[Partition, int] | None = None) -> Tally:
        """The counts over everything that was handed over.

        Args:
            committed: The next offset that the group would read of each partition; without it
                every event must be accounted for.
        """
        counts = self._tally
        unpaid = list(self._debts.unpaid())
        counts.lost = sum(committed is None or _passed(it, committed) for it in unpaid)
        counts.left = len(unpaid) - counts.lost
        counts.dead_letters = len(self._letters)
        if rejected := sum(it is Outcome.REJECTED for it in self._letters.values()):
            counts.outcomes[Outcome.REJECTED.value] = rejected
        counts.time_to_intervention_ms = percentiles(
            [max(0.0, at - self._said[where]) for where, at in self._acted if where in self._said]
        )
        if self._named:
            counts.engine, counts.model = self._named.most_common(1)[0][0]
        if self._tokens:
            counts.prefix_cache_hit_ratio = round(self._cached_tokens / self._tokens, 4)
        if self._began is not None and self._ended > self._began:
            counts.verdicts_per_s = counts.judged * 1000 / (self._ended - self._began)
        return counts

    def _read(self, contract: type[Output], record: InputRecord) -> Output | None:
        try:
            return contract.model_validate_json(record.value or b"")
        except ValidationError:
            self._tally.unreadable += 1
            return None

    def _again(self, output_id: UUID) -> bool:
        known = output_id in self._ids
        self._ids.add(output_id)
        self._tally.duplicates += known
        return known


def _passed(where: Coordinates, committed: Mapping[Partition, int]) -> bool:
    return where.offset < committed.get(Partition(where.topic, where.partition), 0)


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """The 50th, 95th and 99th by nearest rank: the smallest value that so many reach not over."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p95": None, "p99": None}
    return {
        f"p{share}": round(ordered[-(-len(ordered) * share // 100) - 1], 1)
        for share in (50, 95, 99)
    }
