"""Pairs: two versions that judged the same events, side by side; pure.

What is read are verdicts as the audit topic has them, in any order. A repeated verdict counts once;
of replays the last one holds.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.verdicts import Verdict
from afterguard.contracts.words import ANSWERED, Action, Outcome, Reason
from afterguard.evaluation.wilson import Share, wilson
from afterguard.flow.agreement import Agreement, agreement


class Wanted(NamedTuple):
    """A version that is asked for.

    Attributes:
        policy_id: Of which policy.
        version: The version or its beginning; None for whichever is in force or on trial.
    """

    policy_id: str
    version: str | None = None


class Found(NamedTuple):
    """What is kept of a verdict.

    Attributes:
        record: Where it stands in the audit topic.
        event: Where its event stands.
        event_id: Of its event.
        outcome: What was found.
        reason: Why, where the outcome alone does not say.
        action: What follows, or would.
        rule_ids: Cited.
        score: P(violation); None when there is none.
        shadow: Whether it was on trial.
        replay: Which replay it was.
        at: When it was published.
        asked: Whether the engine was asked.
        prompt_tokens: Of the prompt.
        output_tokens: Written by the model.
        judging_ms: In the engine.
    """

    record: Coordinates
    event: Coordinates
    event_id: str
    outcome: Outcome
    reason: Reason | None
    action: Action
    rule_ids: tuple[str, ...]
    score: float | None
    shadow: bool
    replay: int
    at: datetime
    asked: bool
    prompt_tokens: int
    output_tokens: int
    judging_ms: float


class NotJudged(Exception):
    """A version that is asked for judged nothing here; the message says what did."""


class Cost(NamedTuple):
    """What a version cost on the events for which both asked the model: means, and seconds.

    Attributes:
        events: How many these are.
        prompt_tokens: Mean.
        output_tokens: Mean.
        seconds: Mean.
        seconds_p95: So long at most for 95 of 100.
    """

    events: int = 0
    prompt_tokens: float = 0.0
    output_tokens: float = 0.0
    seconds: float = 0.0
    seconds_p95: float = 0.0


@dataclass(slots=True)
class Comparison:
    """Two versions on the events that both judged.

    Attributes:
        one: The first version.
        other: The second version.
        alone: How many verdicts of each stand alone, the first version's and the second's.
        outcomes: Events by outcome under both.
        agreements: Events by what the second version makes of them.
        agree: Share of the events with an answer under both that are judged the same; None
            without any.
        unjudged: Why events have no answer, by version and reason.
        costs: Of the first version and of the second.
        differing: Pairs that are not the same, the newest first.
    """

    one: tuple[str, str]
    other: tuple[str, str]
    alone: tuple[int, int] = (0, 0)
    outcomes: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    agreements: Counter[Agreement] = field(default_factory=Counter)
    agree: Share | None = None
    unjudged: Counter[tuple[str, str]] = field(default_factory=Counter)
    costs: tuple[Cost, Cost] = (Cost(), Cost())
    differing: list[tuple[Found, Found]] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        """Events that both versions have a verdict on."""
        return self.agreements.total()


class VerdictPairs:
    """Takes verdicts, and lays those of two versions side by side.

    Args:
        policies: Ids of the policies that matter.
        since: Verdicts published before do not count; None for all.
    """

    def __init__(self, policies: Sequence[str], *, since: datetime | None = None) -> None:
        self._policies, self._since = frozenset(policies), since
        self._found: defaultdict[tuple[str, str], dict[Coordinates, Found]] = defaultdict(dict)

    def take(self, verdict: Verdict, record: Coordinates) -> None:
        """Take a verdict, and where it stands in the audit topic."""
        policy_id, version = verdict.policy_id, verdict.policy_version
        if policy_id not in self._policies or version is None:
            return
        at = verdict.timings.published_at
        if self._since is not None and at < self._since:
            return
        event = Coordinates(verdict.topic, verdict.partition, verdict.offset)
        known = self._found[policy_id, version]
        origin = event if verdict.origin is None else _place(verdict.origin)
        before = known.get(origin)
        if before is not None and before.replay > verdict.replay:
            return
        known[origin] = Found(
            record,
            event,
            verdict.event_id,
            verdict.outcome,
            verdict.reason,
            verdict.action,
            verdict.rule_ids,
            verdict.score,
            verdict.shadow,
            verdict.replay,
            at,
            verdict.attempts > 0,
            verdict.prompt_tokens,
            verdict.output_tokens,
            verdict.timings.judging_ms,
        )

    def compare(self, one: Wanted, other: Wanted | None = None) -> Comparison:
        """The two versions; without the second, what is in force and what is on trial of the first.

        Raises:
            NotJudged: One of them judged nothing here, or more than one is meant.
        """
        first = self._named(one, shadow=False)
        second = self._named(other or Wanted(one.policy_id), shadow=other is None)
        if first == second:
            raise NotJudged(f"{first[0]}@{first[1]} is compared with itself")
        return _compared(first, second, self._found[first], self._found[second])

    def _named(self, wanted: Wanted, *, shadow: bool) -> tuple[str, str]:
        policy_id, begin = wanted
        versions = {it: found for it, found in self._found.items() if it[0] == policy_id}
        if begin is not None:
            meant = [it for it in versions if it[1].startswith(begin)]
            if len(meant) == 1:
                return meant[0]
            what = f"{policy_id}@{begin} " + ("judged nothing" if not meant else "means several")
        else:
            last = {
                it: max((v.at for v in found.values() if v.shadow is shadow), default=None)
                for it, found in versions.items()
            }
            told = {it: at for it, at in last.items() if at is not None}
            if told:
                return max(told, key=lambda it: told[it])
            what = f"no version of {policy_id} was " + ("on trial" if shadow else "in force")
        raise NotJudged(f"{what} in the verdicts that were read; {_there_are(versions)}")


def _place(text: str) -> Coordinates:
    topic, partition, offset = text.rsplit("/", 2)
    return Coordinates(topic, int(partition), int(offset))


def _there_are(versions: Mapping[tuple[str, str], Mapping[Coordinates, Found]]) -> str:
    if not versions:
        return "there are none of this policy"
    told = []
    for (policy_id, version), found in versions.items():
        on_trial = sum(it.shadow for it in found.values())
        told.append(f"{policy_id}@{version} ({len(found)} verdicts, {on_trial} of them on trial)")
    return "there are " + ", ".join(told)


def _compared(
    one: tuple[str, str],
    other: tuple[str, str],
    first: Mapping[Coordinates, Found],
    second: Mapping[Coordinates, Found],
) -> Comparison:
    both = first.keys() & second.keys()
    result = Comparison(one, other, (len(first) - len(both), len(second) - len(both)))
    asked: list[tuple[Found, Found]] = []
    for origin in both:
        a, b = first[origin], second[origin]
        kind = agreement(a, b)
        result.outcomes[a.outcome, b.outcome] += 1
        result.agreements[kind] += 1
        if kind is Agreement.UNJUDGED:
            for (_, version), it in ((one, a), (other, b)):
                if it.outcome not in ANSWERED:
                    result.unjudged[version, (it.reason or it.outcome).value] += 1
        elif a.asked and b.asked:
            asked.append((a, b))
        if kind not in {Agreement.SAME, Agreement.UNJUDGED}:
            result.differing.append((a, b))
    result.differing.sort(key=lambda it: (it[0].at, it[0].event), reverse=True)
    if answered := result.pairs - result.agreements[Agreement.UNJUDGED]:
        result.agree = wilson(result.agreements[Agreement.SAME], answered)
    result.costs = _cost([a for a, _ in asked]), _cost([b for _, b in asked])
    return result


def _cost(found: Sequence[Found]) -> Cost:
    if not found:
        return Cost()
    count = len(found)
    seconds = sorted(it.judging_ms / 1000 for it in found)
    return Cost(
        count,
        sum(it.prompt_tokens for it in found) / count,
        sum(it.output_tokens for it in found) / count,
        sum(seconds) / count,
        seconds[-(-count * 95 // 100) - 1],
    )
