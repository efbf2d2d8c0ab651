"""The report: every figure from the files of the run, unknown labels in none of them."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.runs import HARASSMENT, HATE, judged, row
from tests.evaluation.scored import result
from tests.samples import answered

from afterguard.contracts.errors import EngineFault, SettingsError
from afterguard.contracts.words import Outcome
from afterguard.evaluation.across import across, violates_any
from afterguard.evaluation.cost import Prices, cost_per_thousand
from afterguard.evaluation.figures import detection, label_lines, ranking
from afterguard.evaluation.flips import flips
from afterguard.evaluation.kept_rows import KeptRow
from afterguard.evaluation.mistakes import LONGEST, worst
from afterguard.evaluation.published import published_for
from afterguard.evaluation.report import EMBEDDED_CAVEAT, read_report
from afterguard.evaluation.results import Result
from afterguard.evaluation.slices import slices
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest

FEW = 50  # resamples


def told(number: int, expected: bool | None, outcome: Outcome, **changes: object) -> Result:
    """A result of a row of its own."""
    return result(number, expected, None, **{"outcome": outcome} | changes)


def test_what_goes_to_a_person_is_missed_strictly_and_caught_with_review() -> None:
    results = [
        told(0, True, Outcome.VIOLATION),
        told(1, True, Outcome.UNCERTAIN),
        told(2, True, Outcome.UNPARSEABLE),
        told(3, False, Outcome.UNCERTAIN),
        told(4, False, Outcome.NO_VIOLATION),
    ]
    strict = detection(results, lambda it: it.flagged, resamples=FEW)
    reviewed = detection(results, lambda it: it.seen_by_someone, resamples=FEW)
    assert strict.recall.value == pytest.approx(1 / 3)
    assert (strict.precision.value, reviewed.recall.value) == (1.0, 1.0)
    assert reviewed.precision.value == pytest.approx(3 / 4)


@settings(max_examples=30)
@given(
    known=st.lists(
        st.tuples(st.booleans(), st.sampled_from(list(Outcome)), st.none() | st.floats(0, 1)),
        min_size=1,
        max_size=12,
    ),
    unknown=st.lists(
        st.tuples(st.sampled_from(list(Outcome)), st.none() | st.floats(0, 1)), max_size=6
    ),
)
def test_rows_of_unknown_label_change_no_figure(
    known: list[tuple[bool, Outcome, float | None]], unknown: list[tuple[Outcome, float | None]]
) -> None:
    some = [
        result(number, label, score, outcome=outcome)
        for number, (label, outcome, score) in enumerate(known)
    ]
    more = [
        result(100 + number, None, score, outcome=outcome)
        for number, (outcome, score) in enumerate(unknown)
    ]

    def figures(results: list[Result]) -> object:
        found = across(results, ["harassment"], resamples=2)
        parts = [
            detection(results, lambda it: it.flagged, resamples=2),
            found.pairs_with_review,
            found.any_policy,
        ]
        return (
            [it.model_dump(exclude={"unknown"}) for it in parts],
            ranking(results, resamples=2),
            (found.exact.rows, found.exact.share, found.exact.nothing),
            worst(results, {}),
        )

    assert repr(figures(some)) == repr(figures(some + more))


def test_intervals_hold_the_figure_and_narrow_with_more_rows() -> None:
    def width(many: int) -> float:
        results = [
            told(number, number % 2 == 0, Outcome.VIOLATION if number % 3 else Outcome.NO_VIOLATION)
            for number in range(many)
        ]
        found = detection(results, lambda it: it.flagged, resamples=400).recall
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        return found.high - found.low

    assert width(300) < width(30)


def test_exact_match_needs_every_policy_right_and_stands_beside_silence() -> None:
    def pair(row_id: str, policy: str, label: bool | None, flag: bool) -> Result:
        outcome = Outcome.VIOLATION if flag else Outcome.NO_VIOLATION
        return told(0, label, outcome, row_id=row_id, policy_id=policy)

    results = [
        *(pair("all right", "harassment", True, True), pair("all right", "hate", False, False)),
        *(pair("half right", "harassment", True, True), pair("half right", "hate", True, False)),
        *(pair("silent", "harassment", False, False), pair("silent", "hate", False, False)),
        *(pair("unknown", "harassment", True, True), pair("unknown", "hate", None, False)),
    ]
    exact = across(results, ["harassment", "hate"], resamples=FEW).exact
    assert (exact.rows, exact.left_out) == (3, 1)
    assert exact.share == pytest.approx(2 / 3)
    assert exact.nothing == pytest.approx(1 / 3)


def test_a_row_counts_once_for_all_policies_only_with_all_of_its_labels() -> None:
    policies = ["harassment", "hate"]
    # Its label is known to violate; to count it would flatter, for no harmless row is let in so.
    assert violates_any({"harassment": True}, policies) is None
    assert violates_any({"harassment": True, "hate": False}, policies) is True
    assert violates_any({"harassment": False, "hate": False}, policies) is False


def test_labels_of_the_data_stand_beside_what_was_found() -> None:
    results = [
        told(0, True, Outcome.VIOLATION, tags=("label:H2",), category="hate/threatening"),
        told(1, True, Outcome.UNCERTAIN, tags=("label:H2",)),
        told(2, False, Outcome.NO_VIOLATION),
        told(3, None, Outcome.NO_VIOLATION),
    ]
    assert [(it.label, it.found) for it in label_lines(results)] == [
        ("H2", {"hate/threatening": 1, "uncertain": 1}),
        ("no violation", {"no_violation": 1}),
        ("unknown", {"no_violation": 1}),
    ]


def test_slices_are_parts_of_the_rows_by_language_length_kind_and_tag() -> None:
    results = [
        told(0, True, Outcome.VIOLATION, language="de", characters=50, tags=("insult", "label:X")),
        told(1, True, Outcome.NO_VIOLATION, language="en", characters=50, tags=("insult",)),
        told(2, False, Outcome.UNCERTAIN, language="en", characters=9_000),
    ]
    parts = {(it.by, it.value): it for it in slices(results)}
    assert set(parts) == {
        ("language", "de"),
        ("language", "en"),
        ("length", "up to 100"),
        ("length", "over 1,600"),
        ("tag", "insult"),
    }
    assert (parts["tag", "insult"].recall, parts["tag", "insult"].rows) == (0.5, 2)
    assert (parts["language", "en"].undecided, parts["language", "en"].violations) == (1, 1)


def test_variants_flip_against_the_row_they_disguise_under_the_same_policy() -> None:
    results = [
        told(0, True, Outcome.VIOLATION),
        told(1, True, Outcome.VIOLATION, variant_of="r-0"),
        told(2, True, Outcome.NO_VIOLATION, variant_of="r-0"),
        told(3, True, Outcome.UNCERTAIN, variant_of="r-0"),
        told(4, True, Outcome.NO_VIOLATION, variant_of="not judged"),
        told(5, True, Outcome.FAILED),
        told(6, True, Outcome.NO_VIOLATION, variant_of="r-5"),
        told(7, True, Outcome.NO_VIOLATION, variant_of="r-0", policy_id="hate"),
    ]
    found = flips(results)
    assert (found.variants, found.compared, found.flipped) == (6, 3, 2)
    assert (found.caught, found.escaped) == (3, 1)
    assert found.rate == pytest.approx(2 / 3)


def test_cost_is_of_a_thousand_events_under_the_prices_that_are_given() -> None:
    results = [
        told(n, None, Outcome.VIOLATION, prompt_tokens=1_000, cached_prompt_tokens=800)
        for n in range(2)
    ]
    prices = Prices.of(3.6, "1,0.1,10")
    cost = cost_per_thousand(results, 2, prices, seconds=10.0, timed=5)
    assert cost is not None
    assert (cost.prompt_tokens, cost.cached_prompt_tokens, cost.seconds) == (1e6, 8e5, 2_000.0)
    assert cost.by_hour == pytest.approx(2.0)
    assert cost.by_tokens == pytest.approx(0.2 * 1 + 0.8 * 0.1)


def test_without_prices_and_time_there_is_no_money() -> None:
    cost = cost_per_thousand([], 1, Prices(), seconds=0.0, timed=0)
    assert cost is not None
    assert (cost.seconds, cost.by_hour, cost.by_tokens) == (None, None, None)


@pytest.mark.parametrize("tokens", ["1", "1,2", "a,b,c", "1,-2,3", "1,2,inf", "nan,1,1"])
def test_prices_that_are_no_three_numbers_are_told(tokens: str) -> None:
    with pytest.raises(SettingsError, match="--token-prices"):
        Prices.of(None, tokens)


def test_the_surest_mistakes_come_first_and_long_texts_are_cut() -> None:
    results = [
        result(0, True, 0.4, outcome=Outcome.NO_VIOLATION),
        result(1, True, 0.1, outcome=Outcome.NO_VIOLATION),
        result(2, False, 0.99),
        result(3, False, 0.6),
        result(4, True, 0.9),
        result(5, None, 0.9),
    ]
    rows = {"r-1": KeptRow("x" * (LONGEST + 7), "f:1", None, {})}
    found = worst(results, rows)
    assert [it.row_id for it in found] == ["r-1", "r-0", "r-2", "r-3"]
    assert (len(found[0].text), found[0].cut) == (LONGEST, 7)


def test_a_report_holds_what_the_run_came_to(tmp_path: Path) -> None:
    def script(request: JudgeRequest) -> Judgement | BaseException:
        if "text 0" in request.content:
            return answered(True, "H1" if request.policy.id == "harassment" else "HT1", score=0.9)
        if "text 1" in request.content:
            return Judgement(JudgementStatus.REASONING_CUT)
        return answered(False, score=0.2)

    rows = [
        row(0, expected={"harassment": True, "hate": False}, rules={"harassment": ("H2",)}),
        row(1, expected={"harassment": True}),
        row(2, expected={"harassment": False, "hate": False}),
    ]
    folder = judged(tmp_path / "run", rows, script, (HARASSMENT, HATE))
    report = read_report(folder, resamples=FEW)
    harassment, hate = report.policies
    assert (report.results, report.expected_results) == (5, 5)
    assert harassment.outcomes == {"violation": 1, "truncated": 1, "no_violation": 1}
    assert harassment.reasons == {"truncated: reasoning_cut": 1}
    assert (harassment.strict.recall.value, harassment.with_review.recall.value) == (0.5, 1.0)
    assert (harassment.cited.valid.value, harassment.cited.on_target.value) == (1.0, 0.0)
    assert (hate.strict.false_positives, hate.strict.unknown, hate.labelled) == (1, 0, 2)
    assert report.judges[0].across.exact.rows == 2
    assert report.judges[0].models == ("scripted-1",)


def test_a_run_that_is_not_at_its_end_says_so_and_the_embedded_model_is_called_no_judge(
    tmp_path: Path,
) -> None:
    folder = judged(tmp_path / "run", [row(0), row(1)], answered(False), embedded=True)
    lines = (folder / "results.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "results.jsonl").write_bytes(lines[0])
    caveats = read_report(folder, resamples=FEW).caveats
    assert EMBEDDED_CAVEAT in caveats
    assert "no judge" in EMBEDDED_CAVEAT
    assert "The run is not at its end: 1 of 2 results are there." in caveats


def test_a_run_of_failures_has_figures_and_no_false_safety(tmp_path: Path) -> None:
    rows = [row(0, expected={"harassment": True}), row(1)]
    report = read_report(judged(tmp_path / "run", rows, EngineFault("no")), resamples=FEW)
    (it,) = report.policies
    assert it.outcomes == {"failed": 2}
    assert (it.strict.recall.value, it.strict.true_negatives) == (0.0, 1)
    assert it.ranking.roc_auc.value is None
    assert it.ranking.roc_auc.reason


@pytest.mark.parametrize(("name", "why"), [("none", "holds no run"), ("empty", "nothing has been")])
def test_a_folder_without_results_is_told(tmp_path: Path, name: str, why: str) -> None:
    if name == "empty":
        judged(tmp_path / name, [], answered(False))
    with pytest.raises(SettingsError, match=why):
        read_report(tmp_path / name)


def test_published_figures_are_for_published_sets_alone_and_say_what_differs() -> None:
    moderation = published_for("openai-moderation")
    assert moderation is not None
    assert dict(moderation.figures)["gpt-oss-safeguard-20b"] == 0.829
    assert "1,680 rows" in moderation.caveat
    assert published_for("toxicchat") is not None
    assert published_for("own") is None


def test_no_figure_of_a_report_is_not_a_number(tmp_path: Path) -> None:
    report = read_report(judged(tmp_path / "run", [row(0)], answered(False)), resamples=FEW)

    def numbers(value: object) -> list[float]:
        if isinstance(value, dict):
            return [it for inner in value.values() for it in numbers(inner)]
        if isinstance(value, list | tuple):
            return [it for inner in value for it in numbers(inner)]
        return [value] if isinstance(value, float) else []

    assert all(math.isfinite(it) for it in numbers(report.model_dump()))
