"""The second look: asked for when the first answer is in doubt; it counts when it is complete."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.judges import ScriptedJudge
from tests.flow.looks import CLEAN, CLOSE, LOOK, THREAT, Bench
from tests.flow.stores import DictCache
from tests.samples import admission, answered, input_record, policy

from afterguard.contracts.errors import EngineDead, EngineFault, EngineLost
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Action, Degraded, Effort, Outcome, Reason, Severity
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.findings import Finding, Reading
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest
from afterguard.flow.second_look import Doubt, Result, after_both, doubt
from afterguard.telemetry.metrics import Metrics

CUT = Judgement(JudgementStatus.REASONING_CUT, prompt_tokens=10, output_tokens=200)


class Halved:
    """Scores of an engine that says twice what is so, with little effort."""

    def calibrated(self, score: float, under: Policy, effort: Effort) -> float | None:
        """See `flow.asking.Scores.calibrated`."""
        del under
        return score / 2 if effort is Effort.LOW else None


@pytest.mark.parametrize(
    ("first", "under", "why"),
    [
        (CLEAN, LOOK, None),
        (CLOSE, LOOK, Doubt.BAND),
        (answered(False, score=0.4), LOOK, Doubt.BAND),
        (answered(True, "H1", score=0.6), LOOK, Doubt.BAND),
        (THREAT, LOOK, Doubt.SEVERITY),
        (answered(True, "H1", score=0.9), LOOK, None),
        (answered(False, "H2", score=0.1), LOOK, Doubt.UNCERTAIN),
        (answered(False, score=0.9), LOOK, Doubt.UNCERTAIN),
        (answered(False, score=0.9), policy(second_look={}), Doubt.UNCERTAIN),
        (CLOSE, policy(second_look={"severity": "low"}), None),
        (answered(False), LOOK, None),
        (CUT, LOOK, None),
        (CLOSE, policy(), None),
    ],
)
async def test_only_a_complete_answer_that_is_in_doubt_is_looked_at_again(
    first: Judgement, under: Policy, why: Doubt | None
) -> None:
    bench = Bench(first, THREAT)
    finding = await bench.finding(under)
    assert bench.efforts == [Effort.LOW, Effort.HIGH][: 1 + (why is not None)]
    assert finding.effort is bench.efforts[-1]
    assert why is None or bench.looks(why, Result.CHANGED) + bench.looks(why, Result.CONFIRMED) == 1


async def test_the_band_is_one_of_calibrated_scores_where_there_are_some() -> None:
    bench = Bench(answered(False, score=0.9), THREAT, scores=Halved())
    finding = await bench.finding()
    assert (finding.reading.outcome, finding.score) == (Outcome.VIOLATION, 0.9)
    assert finding.score_calibrated is False
    assert bench.looks(Doubt.BAND, Result.CHANGED) == 1


async def test_the_second_answer_counts_with_its_effort_and_rationale() -> None:
    longer = THREAT._replace(rationale="thought again")
    finding = await Bench(CLOSE, longer).finding()
    assert finding.reading.outcome is Outcome.VIOLATION
    assert (finding.effort, finding.score, finding.degraded) == (Effort.HIGH, 0.9, ())
    assert finding.judgement is not None
    assert finding.judgement.rationale == "thought again"


async def test_the_path_the_tries_and_the_tokens_are_those_of_both() -> None:
    finding = await Bench(EngineFault("odd"), CLOSE, THREAT).finding()
    assert (finding.stages, finding.attempts) == (("low", "high"), 3)
    assert finding.judgement is not None
    assert (finding.judgement.prompt_tokens, finding.judgement.output_tokens) == (20, 10)


async def test_the_seconds_are_those_of_both_and_the_wait_is_that_of_the_first() -> None:
    now = 3.0

    def script(asked: JudgeRequest) -> Judgement:
        nonlocal now
        now += 9.0 if asked.second else 5.0
        return THREAT if asked.second else CLOSE

    schedule = RetrySchedule(attempts=1, base_s=1, cap_s=1)
    asking = Asking(ScriptedJudge(script), schedule, Metrics(), clock=lambda: now)
    finding = await asking.ask(admission(received=1.0), LOOK, "text")
    assert (finding.queued_s, finding.judging_s) == (2.0, 14.0)


@pytest.mark.parametrize(
    "second",
    [
        CUT,
        Judgement(JudgementStatus.UNPARSEABLE),
        Judgement(JudgementStatus.CONTENT_TOO_LONG),
        answered(False, score=float("nan")),
    ],
)
@pytest.mark.parametrize("first", [THREAT, answered(False, "H2")])
async def test_when_the_second_answer_is_none_the_first_stands_and_says_so(
    first: Judgement, second: Judgement
) -> None:
    bench = Bench(first, second)
    alone = await Bench(first).finding(policy())
    finding = await bench.finding()
    assert finding.reading == alone.reading
    assert (finding.effort, finding.degraded) == (Effort.LOW, (Degraded.SECOND_LOOK_FAILED,))
    assert finding.stages == ("low", "high")


@pytest.mark.parametrize(
    "second", [CUT, EngineFault("odd"), Judgement(JudgementStatus.UNPARSEABLE)]
)
async def test_a_doubtful_answer_that_found_nothing_is_uncertain_when_nobody_could_look_again(
    second: Judgement | Exception,
) -> None:
    finding = await Bench(CLOSE, second, second).finding()
    assert finding.reading.outcome is Outcome.UNCERTAIN
    assert finding.reading.reason is Reason.SECOND_LOOK_FAILED
    assert finding.degraded == (Degraded.SECOND_LOOK_FAILED,)


async def test_a_grave_violation_is_acted_upon_although_nobody_could_look_again() -> None:
    bench = Bench(THREAT, EngineFault("odd"), EngineFault("odd"))
    finding = await bench.finding()
    assert finding.reading.action is Action.REMOVE
    assert (finding.attempts, finding.degraded) == (3, (Degraded.SECOND_LOOK_FAILED,))
    assert bench.looks(Doubt.SEVERITY, Result.FAILED) == 1


async def test_the_deadline_holds_over_both() -> None:
    now = 0.0

    def script(_: JudgeRequest) -> Judgement:
        nonlocal now
        now += 5.0
        return CLOSE

    judge = ScriptedJudge(script)
    schedule = RetrySchedule(attempts=1, base_s=1, cap_s=1)
    asking = Asking(judge, schedule, Metrics(), clock=lambda: now)
    finding = await asking.ask(admission(received=0.0, deadline=4.0), LOOK, "text")
    assert len(judge.requests) == 1
    assert (finding.reading.outcome, finding.stages) == (Outcome.UNCERTAIN, ("low",))
    assert finding.degraded == (Degraded.SECOND_LOOK_FAILED,)


async def test_a_dead_engine_leaves_the_event_unsettled_in_the_second_look_too() -> None:
    with pytest.raises(EngineDead):
        await Bench(THREAT, EngineDead("gone")).finding()


@pytest.mark.usefixtures("expected_errors")
async def test_a_second_look_that_kills_the_engine_each_time_is_given_up_and_the_first_stands() -> (
    None
):
    bench = Bench(THREAT, *[EngineLost("gone")] * 3)
    finding = await bench.finding()
    assert (finding.reading.action, finding.attempts) == (Action.REMOVE, 4)
    assert finding.degraded == (Degraded.SECOND_LOOK_FAILED,)
    assert bench.metrics.registry.get_sample_value("afterguard_quarantined_total") == 1


async def test_the_two_requests_are_told_apart() -> None:
    bench = Bench(CLOSE, THREAT)
    await bench.finding(record=input_record(offset=4))
    first, second = bench.judge.requests
    assert (first.request_id, second.request_id) == (
        "chat.events/0/4/harassment",
        "chat.events/0/4/harassment/again",
    )
    assert (first.second, second.second) == (False, True)
    assert (first.priority, first.content) == (second.priority, second.content)


async def test_waiting_for_the_engine_is_counted_once() -> None:
    bench = Bench(CLOSE, THREAT)
    await bench.finding()
    sample = bench.metrics.registry.get_sample_value
    assert sample("afterguard_queue_seconds_count", {"lane": "standard"}) == 1
    assert sample("afterguard_judge_seconds_count") == 2


async def test_what_was_looked_at_twice_is_repeated_as_such_and_asked_no_more() -> None:
    bench = Bench(CLOSE, THREAT, cache=DictCache())
    await bench.finding()
    again = await bench.finding(record=input_record(offset=1))
    assert len(bench.judge.requests) == 2
    assert (again.stages, again.effort) == (("cache",), Effort.HIGH)
    assert (again.reading.outcome, again.degraded) == (Outcome.VIOLATION, ())


async def test_a_first_answer_that_was_good_enough_is_repeated_as_one() -> None:
    bench = Bench(CLEAN, cache=DictCache())
    await bench.finding()
    again = await bench.finding(record=input_record(offset=1))
    assert (again.stages, again.effort) == (("cache",), Effort.LOW)


async def test_a_second_look_that_failed_is_made_for_the_next_equal_content() -> None:
    bench = Bench(CLOSE, CUT, CLOSE, THREAT, cache=DictCache())
    assert (await bench.finding()).reading.reason is Reason.SECOND_LOOK_FAILED
    again = await bench.finding(record=input_record(offset=1))
    assert (again.reading.outcome, again.stages) == (Outcome.VIOLATION, ("low", "high"))


async def test_a_calibration_that_puts_a_kept_answer_in_doubt_asks_again() -> None:
    cache = DictCache()
    await Bench(answered(True, "H1", score=0.9), cache=cache).finding()
    later = Bench(answered(True, "H1", score=0.9), THREAT, cache=cache, scores=Halved())
    await later.finding(record=input_record(offset=1))
    assert len(later.judge.requests) == 2


judgements = st.builds(
    Judgement,
    others=st.just(()),
    status=st.sampled_from(JudgementStatus),
    violation=st.none() | st.booleans(),
    rule_ids=st.lists(st.sampled_from(["H1", "H2", "Z9"]), max_size=2).map(tuple),
    score=st.none() | st.floats(0, 1) | st.just(float("nan")),
    prompt_tokens=st.integers(0, 9),
    output_tokens=st.integers(0, 9),
)
reader = Asking(ScriptedJudge(CLEAN), RetrySchedule(attempts=1, base_s=1, cap_s=1), Metrics())


def read_as(judgement: Judgement, effort: Effort, under: Policy = LOOK) -> Finding:
    before = Finding(Reading(Outcome.FAILED), under, stages=(effort.value,), attempts=1)
    return reader.weighed(before, judgement, under, effort)


@given(judgements, judgements)
def test_whatever_both_answers_are_only_a_complete_one_says_that_nothing_was_found(
    one: Judgement, other: Judgement
) -> None:
    first, second = read_as(one, Effort.LOW), read_as(other, Effort.HIGH)
    finding, result = after_both(first, second)
    counts = second if other.complete else first
    assert (finding.effort, finding.score) == (counts.effort, counts.score)
    if finding.reading != counts.reading:
        assert not other.complete
        assert counts.reading.outcome is Outcome.NO_VIOLATION
        assert finding.reading.outcome is Outcome.UNCERTAIN
    assert finding.reading.outcome is not Outcome.NO_VIOLATION or other.complete
    assert (result is Result.FAILED) is not other.complete
    assert finding.judgement is not None
    assert finding.judgement.output_tokens == one.output_tokens + other.output_tokens


@given(judgements, st.sampled_from([Effort.MEDIUM, Effort.HIGH]), st.sampled_from(Severity))
def test_there_is_never_a_third_look(
    judgement: Judgement, effort: Effort, severity: Severity
) -> None:
    look = {"effort": effort, "severity": severity, "band": (0.0, 1.0)}
    assert doubt(read_as(judgement, effort, policy(second_look=look))) is None
