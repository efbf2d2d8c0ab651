"""Pairs: two versions on the same events, whatever the order and the repeats of the verdicts."""

from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOON

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Action, Outcome
from afterguard.evaluation.verdict_pairs import Comparison, NotJudged, VerdictPairs, Wanted
from afterguard.flow.agreement import Agreement

OLD, NEW = "aaaa000000000000", "bbbb000000000000"


def verdict(offset: int, version: str = OLD, **fields: Any) -> AuditRecord:
    """A verdict on the event at an offset; NEW is on trial."""
    timings = {
        "received_at": NOON,
        "published_at": NOON + timedelta(seconds=offset),
        "queued_ms": 0,
        "judging_ms": fields.pop("judging_ms", 1_000),
        "event_to_publish_ms": 0,
    }
    return AuditRecord.model_validate(
        {
            "verdict_id": uuid5(NAMESPACE_URL, f"{offset}/{version}"),
            "event_id": f"e-{offset}",
            "conversation_id": "c-1",
            "topic": "chat.events",
            "partition": 0,
            "offset": offset,
            "policy_id": "hate",
            "policy_version": version,
            "outcome": Outcome.NO_VIOLATION,
            "attempts": 1,
            "shadow": version == NEW,
            "timings": timings,
        }
        | fields
    )


def compared(
    *verdicts: AuditRecord, one: str = "hate", other: str | None = None, **options: Any
) -> Comparison:
    pairs = VerdictPairs(["hate"], **options)
    for number, it in enumerate(verdicts):
        pairs.take(it, Coordinates("moderation.audit", 0, number))
    return pairs.compare(_wanted(one), _wanted(other) if other else None)


def _wanted(name: str) -> Wanted:
    policy_id, _, version = name.partition("@")
    return Wanted(policy_id, version or None)


def test_what_is_in_force_is_laid_beside_what_is_on_trial() -> None:
    found = compared(verdict(0), verdict(0, NEW, outcome="violation", action="hide"), verdict(1))
    assert (found.one[1], found.other[1]) == (OLD, NEW)
    assert found.outcomes == {(Outcome.NO_VIOLATION, Outcome.VIOLATION): 1}
    assert found.agreements == {Agreement.STRICTER: 1}
    assert (found.pairs, found.alone) == (1, (1, 0))


def test_versions_are_named_by_as_much_as_tells_them_apart() -> None:
    found = compared(verdict(0), verdict(0, NEW), one="hate@b", other="hate@aaaa")
    assert (found.one[1], found.other[1]) == (NEW, OLD)


def test_without_a_name_the_version_that_was_last_in_force_is_meant() -> None:
    later = "cccc000000000000"
    found = compared(verdict(0), verdict(0, NEW), verdict(5, later), verdict(5, NEW))
    assert found.one[1] == later


def test_versions_that_never_judged_the_same_event_do_not_pair() -> None:
    found = compared(verdict(0), verdict(1, NEW))
    assert (found.pairs, found.agree, found.alone) == (0, None, (1, 1))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("hate@ff",), "hate@ff judged nothing"),
        (("spam",), "there are none of this policy"),
        (("hate", "hate@aa"), "compared with itself"),
        (("hate@aa", "hate@a"), "compared with itself"),
    ],
)
def test_a_version_that_judged_nothing_is_told_with_those_that_did(
    names: tuple[str, ...], says: str
) -> None:
    with pytest.raises(NotJudged, match=says):
        compared(verdict(0), verdict(0, NEW), one=names[0], other=(*names, None)[1])


def test_without_a_trial_it_is_said_what_there_is() -> None:
    with pytest.raises(NotJudged, match=rf"no version of hate was on trial.*hate@{OLD} \(1 verd"):
        compared(verdict(0))


def test_verdicts_from_before_do_not_count() -> None:
    both = [verdict(offset, version) for offset in range(4) for version in (OLD, NEW)]
    assert compared(*both, since=NOON + timedelta(seconds=3)).pairs == 1


def test_of_replays_the_last_one_holds_and_pairs_with_the_first_reading() -> None:
    origin = "chat.events/0/0"
    again = {"origin": origin, "event_id": "e-0"}
    found = compared(
        verdict(0, NEW),
        verdict(9, outcome="violation", action="hide", replay=2, **again),
        verdict(7, outcome="uncertain", replay=1, **again),
        verdict(0, outcome="failed"),
    )
    assert found.outcomes == {(Outcome.VIOLATION, Outcome.NO_VIOLATION): 1}


def test_what_has_no_answer_is_no_disagreement_and_says_why() -> None:
    found = compared(
        verdict(0), verdict(0, NEW, outcome="expired", reason="shadow_cut"), verdict(1),
        verdict(1, NEW),
    )  # fmt: skip
    assert found.agree is not None
    assert (found.agree.value, found.differing) == (1.0, [])
    assert found.unjudged == {(NEW, "shadow_cut"): 1}


def test_costs_are_those_of_events_for_which_both_asked_the_model() -> None:
    found = compared(
        verdict(0, prompt_tokens=100, judging_ms=500),
        verdict(0, NEW, prompt_tokens=200, judging_ms=1_500),
        verdict(1, prompt_tokens=900),
        verdict(1, NEW, attempts=0),
    )
    assert [(it.events, it.prompt_tokens, it.seconds) for it in found.costs] == [
        (1, 100, 0.5),
        (1, 200, 1.5),
    ]


answers = st.sampled_from([Outcome.VIOLATION, Outcome.NO_VIOLATION, Outcome.EXPIRED])
events = st.lists(st.tuples(answers, answers | st.none()), min_size=1, max_size=8).filter(
    lambda it: any(other is not None for _, other in it)
)


@given(events, st.data())
def test_neither_order_nor_repeats_of_the_verdicts_change_anything(
    judged: list[tuple[Outcome, Outcome | None]], data: Any
) -> None:
    verdicts = [
        verdict(offset, version, outcome=outcome, action=Action.NONE)
        for offset, sides in enumerate(judged)
        for version, outcome in zip((OLD, NEW), sides, strict=True)
        if outcome is not None
    ]
    expected = compared(*verdicts)
    shuffled = data.draw(st.permutations(verdicts))
    again = data.draw(st.lists(st.sampled_from(verdicts), max_size=4))
    found = compared(*shuffled, *again)
    assert (found.outcomes, found.agreements) == (expected.outcomes, expected.agreements)
    assert found.pairs == sum(other is not None for _, other in judged)
    assert found.alone == (len(judged) - found.pairs, 0)
