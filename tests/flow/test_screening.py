"""Screening: a classifier may spare the model, never without saying so, and never by failing."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.flow.classifiers import ScriptedClassifiers
from tests.flow.judges import ScriptedJudge
from tests.samples import admission, answered, chat_event, policy

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Action, Degraded, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.findings import Finding
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judgement
from afterguard.flow.screening import Screening
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics

FILTERED = {"classifier": "sellers", "target_recall": 0.95}
BY_CLASSIFIER = {
    "judge": "classifier",
    "classifier": {"name": "sellers", "target_precision": 0.9, "rule": "H2"},
}


class Room:
    """A judging with a screening, and everything that it counts."""

    def __init__(
        self, score: float | None, answer: Judgement | None = None, *, bypass: float = 1e-9
    ) -> None:
        self.metrics = Metrics()
        self.judge = ScriptedJudge(answer or answered(False))
        self.classifiers = ScriptedClassifiers(score)
        self.judging = Judging(
            Asking(self.judge, RetrySchedule(1, 0.001, 0.001), self.metrics),
            content_for,
            self.metrics,
            screening=Screening(
                self.classifiers,
                lambda event: str(event.content).upper(),
                self.metrics.policies.prefilter,
                bypass_share=bypass,
            ),
        )

    async def finding(self, **changes: Any) -> Finding:
        (found,) = await self.judging.judge(admission(**changes))
        return found

    def counted(self, name: str, **labels: str) -> float | None:
        labels = {"policy": "harassment"} | labels
        return self.metrics.registry.get_sample_value(f"afterguard_prefilter_{name}", labels)


def filtered(**changes: Any) -> tuple[Policy, ...]:
    return (policy(prefilter=FILTERED, **changes),)


def decided(**changes: Any) -> tuple[Policy, ...]:
    return (policy(**BY_CLASSIFIER, **changes),)


async def test_a_score_under_the_threshold_is_skipped_and_says_why_and_by_whom() -> None:
    room = Room(0.39)
    found = await room.finding(policies=filtered())
    assert (found.reading.outcome, found.reading.reason) == (Outcome.SKIPPED, Reason.PREFILTERED)
    assert (found.score, found.score_calibrated) == (0.39, True)
    assert (found.stages, found.judged_by) == (("prefilter",), ("classifier", "sellers@abc"))
    assert not room.judge.requests
    assert room.counted("events_total", result="skipped") == 1


async def test_a_score_from_the_threshold_on_is_forwarded_and_the_path_is_told() -> None:
    room = Room(0.4, answered(True, "H2"))
    found = await room.finding(policies=filtered())
    assert (found.reading.outcome, found.stages) == (Outcome.VIOLATION, ("prefilter", "low"))
    assert (found.judged_by, found.score) == (None, None)
    assert room.counted("events_total", result="forwarded") == 1


@pytest.mark.parametrize("policies", [filtered(), decided()], ids=["prefilter", "judge"])
async def test_without_a_score_the_model_is_asked_and_the_verdict_says_so(
    policies: tuple[Policy, ...],
) -> None:
    room = Room(None)
    found = await room.finding(policies=policies)
    assert (found.reading.outcome, found.degraded) == (
        Outcome.NO_VIOLATION,
        (Degraded.UNSCREENED,),
    )
    assert found.stages == ("low",)
    assert room.counted("events_total", result="unscreened") == 1


async def test_a_policy_that_names_no_classifier_is_not_screened() -> None:
    room = Room(0.0)
    found = await room.finding()
    assert (found.reading.outcome, found.stages) == (Outcome.NO_VIOLATION, ("low",))
    assert not room.classifiers.texts


async def test_policies_keep_their_order_whoever_decides() -> None:
    room = Room(0.1)
    three = (policy(id="first"), *filtered(), policy(id="third"))
    found = await room.judging.judge(admission(policies=three))
    assert [it.policy.id for it in found if it.policy] == ["first", "harassment", "third"]
    assert [it.reading.outcome for it in found] == ["no_violation", "skipped", "no_violation"]


async def test_the_classifier_reads_the_text_in_the_form_that_it_was_fitted_on() -> None:
    room = Room(0.1)
    await room.finding(policies=filtered())
    assert room.classifiers.texts == ["GOOD MORNING"]


async def test_the_sample_goes_to_the_model_and_a_violation_in_it_is_a_miss() -> None:
    room = Room(0.1, answered(True, "H2"), bypass=1.0)
    found = await room.finding(policies=filtered())
    assert (found.reading.outcome, found.stages) == (Outcome.VIOLATION, ("prefilter", "low"))
    assert room.counted("events_total", result="bypassed") == 1
    assert room.counted("violations_total", result="bypassed") == 1
    assert room.counted("recall_estimate") == 0


async def sampled(share: float) -> set[int]:
    """Which of a thousand events go to the model though they score low."""
    room, taken = Room(0.1, bypass=share), set()
    for number in range(1_000):
        event = chat_event(event_id=f"e-{number}")
        found = await room.finding(policies=filtered(), event=event)
        if found.reading.outcome is not Outcome.SKIPPED:
            taken.add(number)
    assert len(room.judge.requests) == len(taken)
    return taken


async def test_the_sample_is_of_its_share_and_the_same_each_time() -> None:
    small, large = await sampled(0.05), await sampled(0.2)
    assert await sampled(0.05) == small
    assert small < large
    assert 20 < len(small) < 90
    assert 140 < len(large) < 260


async def test_recall_is_estimated_from_what_was_found_and_what_the_sample_missed() -> None:
    room = Room(0.9, answered(True, "H2"), bypass=0.25)
    prefilter = room.metrics.policies.prefilter
    for _ in range(12):
        await room.finding(policies=filtered())
    assert room.counted("recall_estimate") == 1
    prefilter.violation("harassment", bypassed=True, bypass_share=0.25)
    # One seen among a quarter stands for four: 12 of 16.
    assert room.counted("recall_estimate") == 0.75


async def test_a_version_on_trial_leaves_the_figures_of_the_one_in_force_alone() -> None:
    room = Room(0.9, answered(True, "H2"))
    found = await room.finding(policies=filtered(stage="shadow"))
    assert found.stages == ("prefilter", "low")
    assert room.counted("events_total", result="forwarded") is None
    assert room.counted("recall_estimate") is None


Band = tuple[float, float] | None


@pytest.mark.parametrize(
    ("score", "band", "outcome", "reason"),
    [
        (0.9, None, Outcome.VIOLATION, None),
        (0.4, None, Outcome.VIOLATION, None),
        (0.39, None, Outcome.NO_VIOLATION, None),
        (0.9, (0.3, 0.6), Outcome.VIOLATION, None),
        (0.5, (0.3, 0.6), Outcome.UNCERTAIN, Reason.SCORE_IN_BAND),
        (0.35, (0.3, 0.6), Outcome.UNCERTAIN, Reason.SCORE_IN_BAND),
    ],
)
async def test_as_the_judge_it_decides_and_the_uncertain_go_to_a_person(
    score: float, band: Band, outcome: Outcome, reason: Reason | None
) -> None:
    room = Room(score)
    found = await room.finding(policies=decided(uncertain=band))
    assert (found.reading.outcome, found.reading.reason) == (outcome, reason)
    assert (found.score, found.score_calibrated, found.judgement) == (score, True, None)
    assert (found.stages, found.judged_by) == (("classifier",), ("classifier", "sellers@abc"))
    assert not room.judge.requests
    assert room.counted("events_total", result="decided") == 1


async def test_a_violation_by_the_classifier_cites_the_rule_that_the_policy_names() -> None:
    found = await Room(0.9).finding(policies=decided())
    assert (found.reading.rule_ids, found.reading.action) == (("H2",), Action.REMOVE)


async def test_without_a_rule_its_violation_falls_back_as_the_policy_says() -> None:
    named = {"judge": "classifier", "classifier": {"name": "sellers"}}
    found = await Room(0.9).finding(policies=(policy(**named, fallback_action="hide"),))
    assert (found.reading.rule_ids, found.reading.action) == ((), Action.HIDE)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"judge": "classifier"}, "needs `classifier"),
        ({"classifier": {"name": "sellers"}}, "no meaning without `judge: classifier`"),
        ({**BY_CLASSIFIER, "prefilter": FILTERED}, "no meaning with `judge: classifier`"),
        ({"judge": "classifier", "classifier": {"name": "s", "rule": "Z9"}}, "none of this policy"),
        ({"prefilter": {"classifier": "../x"}}, "pattern"),
        ({"prefilter": {"classifier": "x", "target_recall": 1}}, "less than 1"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    change: dict[str, Any], complaint: str
) -> None:
    make: Callable[..., Policy] = policy
    with pytest.raises(ValueError, match=complaint):
        make(**change)
