"""The report of a run: all figures as one document, from the files of its folder alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from afterguard.contracts.errors import SettingsError
from afterguard.evaluation.across import Across, across
from afterguard.evaluation.bootstrap import RESAMPLES
from afterguard.evaluation.cost import Cost, Prices, cost_per_thousand
from afterguard.evaluation.figures import (
    Cited,
    Curves,
    Detection,
    LabelLine,
    Ranking,
    cited,
    curves,
    detection,
    label_lines,
    ranking,
)
from afterguard.evaluation.flips import Flips, flips
from afterguard.evaluation.kept_rows import KeptRow, expected_results, read_kept_rows
from afterguard.evaluation.mistakes import Mistake, worst
from afterguard.evaluation.published import (
    EXACT_MATCH_CAVEAT,
    SOURCE,
    Comparison,
    published_for,
)
from afterguard.evaluation.results import Result, read_results
from afterguard.evaluation.run_record import PolicyRecord, RunRecord, read_record, write_file
from afterguard.evaluation.slices import Slice, slices

REPORT: Final = "report.json"

EMBEDDED_CAVEAT: Final = (
    "These answers are of the demo's model, which has 135 million parameters and follows no "
    "policy: it is no judge. They show that the measuring works, and say nothing of the policies "
    "or of gpt-oss-safeguard."
)
NO_PRICES: Final = Prices()


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Seconds(_Part):
    """How long judgements took, waiting in the engine included."""

    median: float
    p95: float


class PolicyReport(_Part):
    """One policy, judged by one judge."""

    policy: PolicyRecord
    judge: str
    results: int
    labelled: int
    violations: int
    strict: Detection = Field(description="Only a violation that was found counts as flagged.")
    with_review: Detection = Field(description="What goes to a person counts as flagged, too.")
    ranking: Ranking
    outcomes: dict[str, int]
    reasons: dict[str, int]
    labels: tuple[LabelLine, ...]
    cited: Cited
    slices: tuple[Slice, ...]
    flips: Flips
    seconds: Seconds | None
    curves: Curves
    mistakes: tuple[Mistake, ...]


class JudgeReport(_Part):
    """All policies together, judged by one judge."""

    judge: str
    models: tuple[str, ...]
    across: Across
    outcomes: dict[str, int]
    cited: Cited
    flips: Flips
    cost: Cost | None


class Report(_Part):
    """All figures of a run."""

    run: RunRecord
    expected_results: int = Field(description="Of a run that went to its end; see `results`.")
    results: int
    policies: tuple[PolicyReport, ...]
    judges: tuple[JudgeReport, ...]
    prices: Prices
    published: tuple[Comparison, ...]
    published_source: str = SOURCE
    caveats: tuple[str, ...]


def read_report(folder: Path, prices: Prices = NO_PRICES, *, resamples: int = RESAMPLES) -> Report:
    """The report of a run, ended or not.

    Args:
        folder: Of the run.
        prices: What judging is paid by.
        resamples: How often rows are drawn for the intervals.

    Raises:
        SettingsError: The folder holds no run, or no result yet.
    """
    record = read_record(folder)
    if record is None:
        raise SettingsError([f"{folder}: holds no run of `afterguard eval`"])
    results = read_results(folder)
    if not results:
        raise SettingsError([f"{folder}: nothing has been judged yet"])
    rows = read_kept_rows(folder)
    policies = {it.id: it for it in record.policies}
    parts: dict[tuple[str, str], list[Result]] = {}
    for it in results:
        parts.setdefault((it.judge, it.policy_id), []).append(it)
    order = list(policies)
    keys = sorted(parts, key=lambda key: (order.index(key[1]), key[0]))
    judges = sorted({it.judge for it in results})
    expected = len(judges) * expected_results(record, rows)
    return Report(
        run=record,
        expected_results=expected,
        results=len(results),
        policies=tuple(
            _policy(policies[policy], judge, parts[judge, policy], rows, resamples)
            for judge, policy in keys
        ),
        judges=tuple(
            _judge(
                judge,
                [it for it in results if it.judge == judge],
                record,
                prices,
                resamples,
                alone=len(judges) == 1,
            )
            for judge in judges
        ),
        prices=prices,
        published=tuple(_published(it.form for it in record.data)),
        caveats=tuple(_caveats(record, rows, len(results), expected)),
    )


def save_report(folder: Path, report: Report) -> Path:
    """Write the figures beside the results.

    Raises:
        SettingsError: They cannot be written.
    """
    path = folder / REPORT
    write_file(path, report.model_dump_json(indent=1).encode() + b"\n")
    return path


def _policy(
    policy: PolicyRecord,
    judge: str,
    results: Sequence[Result],
    rows: Mapping[str, KeptRow],
    resamples: int,
) -> PolicyReport:
    labelled = [it for it in results if it.expected is not None]
    return PolicyReport(
        policy=policy,
        judge=judge,
        results=len(results),
        labelled=len(labelled),
        violations=sum(it.expected is True for it in labelled),
        strict=detection(results, lambda it: it.flagged, resamples=resamples),
        with_review=detection(results, lambda it: it.seen_by_someone, resamples=resamples),
        ranking=ranking(results, resamples=resamples),
        outcomes=_counted(it.outcome.value for it in results),
        reasons=_counted(f"{it.outcome.value}: {it.reason.value}" for it in results if it.reason),
        labels=label_lines(results),
        cited=cited(results),
        slices=slices(results),
        flips=flips(results),
        seconds=_seconds(results),
        curves=curves(results),
        mistakes=worst(results, rows),
    )


def _judge(
    judge: str,
    results: Sequence[Result],
    record: RunRecord,
    prices: Prices,
    resamples: int,
    *,
    alone: bool,
) -> JudgeReport:
    events = len({it.row_id for it in results})
    return JudgeReport(
        judge=judge,
        models=tuple(sorted({it.model for it in results if it.model})),
        across=across(results, [it.id for it in record.policies], resamples=resamples),
        outcomes=_counted(it.outcome.value for it in results),
        cited=cited(results),
        flips=flips(results),
        cost=cost_per_thousand(
            results,
            events,
            prices,
            # Two judges share the time of a run, and nobody knows who took how much of it.
            seconds=record.seconds if alone else 0.0,
            timed=record.timed_rows if alone else 0,
        ),
    )


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _seconds(results: Sequence[Result]) -> Seconds | None:
    took = [it.judging_s for it in results]
    if len(took) < 2:
        return None
    parts = quantiles(took, n=20, method="inclusive")
    return Seconds(median=parts[9], p95=parts[18])


def _published(forms: Iterable[str]) -> Iterable[Comparison]:
    for form in dict.fromkeys(forms):
        if (found := published_for(form)) is not None:
            yield found


def _caveats(
    record: RunRecord, rows: Mapping[str, KeptRow], results: int, expected: int
) -> Iterable[str]:
    if record.embedded:
        yield EMBEDDED_CAVEAT
    if results < expected:
        yield f"The run is not at its end: {results} of {expected} results are there."
    if all(it.chosen == it.usable for it in record.data):
        pass
    elif record.sample is not None:
        yield "The rows are a sample: the intervals say how much that matters."
    else:
        yield "The rows are the first of their files, which need not be like the rest."
    if bad := sum(it.bad for it in record.data):
        yield f"{bad} rows of the data cannot be used; run.json names each with its reason."
    if unlabelled := sum(it.unlabelled for it in record.data):
        yield f"{unlabelled} rows have no label for any of these policies and are not judged."
    if any(len(row.labels) == len(record.policies) > 1 for row in rows.values()):
        yield EXACT_MATCH_CAVEAT
