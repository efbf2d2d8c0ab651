"""Together: an answer beside other policies is known again beside the same ones alone."""

import pytest
from tests.flow.judges import in_turn
from tests.flow.prompts import (
    ASKED,
    CLEAN,
    HARASSMENT,
    HATE,
    SHADOW,
    SPAM,
    THREE,
    Bench,
    Doubled,
    again,
    for_each,
    together,
)
from tests.flow.stores import DictCache
from tests.samples import answered, policy

from afterguard.contracts.policies import Policy, Prefilter
from afterguard.contracts.words import Reason
from afterguard.flow.effort import Step
from afterguard.flow.ports import Judgement, JudgementStatus, Screened
from afterguard.flow.screening import Screening
from afterguard.telemetry.metrics import Metrics


async def test_equal_content_is_judged_once_under_the_same_policies() -> None:
    bench = Bench(for_each, cache=DictCache())
    first = await bench.findings()
    second = await again(bench)
    assert bench.asked == [ASKED]
    assert [it.reading for it in second] == [it.reading for it in first]
    assert {it.stages for it in second} == {("cache",)}


@pytest.mark.parametrize(
    "others",
    [
        (SPAM, HATE),
        (SPAM, HATE, policy(version="00000000000000cc")),
        (SPAM, HATE, policy(effort="high")),
        (*THREE, policy(id="fraud")),
    ],
)
async def test_an_answer_beside_other_policies_is_not_repeated(others: tuple[Policy, ...]) -> None:
    bench = Bench(for_each, cache=DictCache())
    await bench.findings()
    findings = await again(bench, *others)
    assert len(bench.asked) == 2
    assert {it.stages[0] for it in findings} == {"combined"}


@pytest.mark.parametrize("first", [True, False])
async def test_an_answer_beside_others_and_one_alone_are_not_taken_for_each_other(
    first: bool,
) -> None:
    cache = DictCache()
    await Bench(for_each, cache=cache, shared=first).findings()
    bench = Bench(for_each, cache=cache, shared=not first)
    findings = await again(bench)
    assert sum(map(len, bench.asked)) == 3
    assert all("cache" not in it.stages for it in findings)


async def test_where_one_of_the_answers_is_not_known_any_more_all_are_asked_for() -> None:
    cache = DictCache()
    bench = Bench(for_each, cache=cache)
    await bench.findings()
    cache.kept.popitem()
    findings = await again(bench)
    assert bench.asked == [ASKED, ASKED]
    assert {it.stages for it in findings} == {("combined", "medium")}


async def test_the_cache_knows_a_trial_by_itself() -> None:
    bench = Bench(for_each, cache=DictCache())
    await bench.findings(*THREE, SHADOW)
    findings = await again(bench, *THREE, SHADOW)
    assert len(bench.asked) == 2
    assert {it.stages for it in findings} == {("cache",)}


async def test_a_repeated_answer_is_calibrated_as_it_was() -> None:
    close = answered(False, score=0.5)
    bench = Bench(
        in_turn(together(CLEAN, CLEAN, close), answered(True, "H1", score=0.4)),
        scores=Doubled(),
        cache=DictCache(),
    )
    first = await bench.findings()
    second = await again(bench)
    told = [[(it.score, it.score_calibrated) for it in findings] for findings in (first, second)]
    assert told[0] == told[1]
    assert {it.stages for it in second} == {("cache",)}


async def test_one_by_one_answers_are_known_again_to_the_same_policies() -> None:
    long = Judgement(JudgementStatus.CONTENT_TOO_LONG)
    bench = Bench(lambda request: long if request.also else CLEAN, cache=DictCache())
    await bench.findings()
    findings = await again(bench)
    assert len(bench.asked) == 4
    assert {it.stages for it in findings} == {("cache",)}


async def test_without_compute_what_is_known_is_told_and_the_rest_is_shed() -> None:
    bench = Bench(for_each, cache=DictCache())
    await bench.findings()
    bench.steps.at = Step.SHED
    assert {it.stages for it in await again(bench)} == {("cache",)}
    findings = await again(bench, SPAM, HATE)
    assert {it.reading.reason for it in findings} == {Reason.SHED_COMPUTE_BUDGET}


class SureOfNothing:
    """Classifiers that take everything for harmless."""

    async def score(self, under: Policy, text: str) -> Screened | None:
        """See `flow.ports.Classifiers.score`."""
        del text
        return Screened(0.0, 0.5, f"{under.id}@1")


async def test_a_prompt_holds_what_a_prefilter_leaves_and_is_known_again_by_that() -> None:
    sieved = HATE.model_copy(update={"prefilter": Prefilter(classifier="hate")})
    screening = Screening(
        SureOfNothing(),
        lambda event: str(event.content),
        Metrics().policies.prefilter,
        bypass_share=0.0,
    )
    bench = Bench(for_each, cache=DictCache(), screening=screening)
    await bench.findings(SPAM, sieved, HARASSMENT)
    findings = await again(bench, SPAM, sieved, HARASSMENT)
    assert bench.asked == [["harassment", "spam"]]
    assert [it.stages for it in findings] == [("cache",), ("prefilter",), ("cache",)]
