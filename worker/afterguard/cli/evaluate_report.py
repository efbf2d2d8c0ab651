"""The report of a run, written beside its results and printed as tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from afterguard.cli.wide_console import wide_console
from afterguard.evaluation.cost import Prices
from afterguard.evaluation.figures import Detection, Estimate
from afterguard.evaluation.report import JudgeReport, PolicyReport, Report, read_report, save_report
from afterguard.evaluation.report_html import outcome_names, percent, save_page

WIDE: Final = 210


def print_report(folder: Path, prices: Prices, *, as_json: bool) -> None:
    """Make the report of a run, write and print it.

    Raises:
        SettingsError: The folder holds no run, or cannot be written.
    """
    report = read_report(folder, prices)
    written = save_report(folder, report), save_page(folder, report)
    if as_json:
        typer.echo(report.model_dump_json())
        return
    console = wide_console(WIDE)
    for it in report.policies:
        _tell_slices(console, it)
    console.print(_figures(report.policies))
    console.print(_outcomes(report.policies))
    for judge in report.judges:
        _tell_judge(console, judge, report)
    _tell_published(console, report)
    for caveat in report.caveats:
        console.print(f"note: {caveat}")
    console.print(f"written: {', '.join(map(str, written))}")


def _figures(policies: Sequence[PolicyReport]) -> Table:
    table = Table(
        "policy",
        "judge",
        "rows",
        "violations",
        "precision",
        "recall",
        "F1",
        "reviewed: precision",
        "recall",
        "PR-AUC",
        "ROC-AUC",
        title="figures in percent, with 95 % intervals; strict unless said otherwise",
        title_justify="left",
        box=None,
    )
    for it in policies:
        table.add_row(
            it.policy.id,
            it.judge,
            str(it.labelled),
            str(it.violations),
            _cell(it.strict.precision),
            _cell(it.strict.recall),
            _cell(it.strict.f1),
            _cell(it.with_review.precision),
            _cell(it.with_review.recall),
            _cell(it.ranking.pr_auc),
            _cell(it.ranking.roc_auc),
        )
    return table


def _outcomes(policies: Sequence[PolicyReport]) -> Table:
    names = outcome_names(policies)
    table = Table("policy", "judge", *names, "cited rules that exist", "flips", box=None)
    for it in policies:
        flips = f"{it.flips.flipped}/{it.flips.compared}" if it.flips.compared else "-"
        table.add_row(
            it.policy.id,
            it.judge,
            *(str(it.outcomes.get(name, 0)) for name in names),
            f"{percent(it.cited.valid.value)} of {it.cited.citing}",
            flips,
        )
    return table


def _tell_judge(console: Console, judge: JudgeReport, report: Report) -> None:
    across, cost = judge.across, judge.cost
    named = f"{judge.judge} ({', '.join(judge.models)})" if judge.models else judge.judge
    console.print(f"{named}, all policies, {across.rows} rows:")
    for name, it in (
        ("row and policy, strict", across.pairs),
        ("row and policy, with review", across.pairs_with_review),
        ("row, any policy, strict", across.any_policy),
    ):
        console.print(f"  {name}: {_detection(it)}")
    console.print(
        f"  exact match {percent(across.exact.share)} of {across.exact.rows} rows labelled under "
        f"every policy; never flagging anything gets {percent(across.exact.nothing)}"
    )
    if cost is None:
        return
    seconds = "" if cost.seconds is None else f", {cost.seconds:,.0f} s at the rate of this run"
    console.print(
        f"  a thousand events: {cost.prompt_tokens:,.0f} tokens read "
        f"({cost.cached_prompt_tokens:,.0f} cached), {cost.output_tokens:,.0f} written{seconds}"
    )
    if cost.by_hour is not None:
        console.print(
            f"  cost of a thousand events: {cost.by_hour:,.4f}, at {report.prices.gpu_hour} an "
            "hour of an engine that is busy all the time"
        )
    if cost.by_tokens is not None:
        prices = report.prices
        console.print(
            f"  cost of a thousand events: {cost.by_tokens:,.4f}, at {prices.read}, "
            f"{prices.cached} and {prices.written} a million tokens read, cached, written"
        )


def _detection(it: Detection) -> str:
    return f"precision {_cell(it.precision)}, recall {_cell(it.recall)}, F1 {_cell(it.f1)}" + (
        f"; {it.unknown} without a label" if it.unknown else ""
    )


def _tell_slices(console: Console, it: PolicyReport) -> None:
    table = Table(
        "by",
        "",
        "rows",
        "labelled",
        "violations",
        "precision",
        "recall",
        "F1",
        "undecided",
        title=f"{it.policy.id}, judged by {it.judge}: slices",
        title_justify="left",
        box=None,
    )
    for part in it.slices:
        counts = (part.rows, part.labelled, part.violations)
        shares = (part.precision, part.recall, part.f1)
        table.add_row(
            part.by, part.value, *map(str, counts), *map(percent, shares), str(part.undecided)
        )
    if table.row_count:
        console.print(table)


def _tell_published(console: Console, report: Report) -> None:
    for it in report.published:
        named = ", ".join(f"{model} {percent(f1)}" for model, f1 in it.figures)
        console.print(f"published F1 on {it.data}: {named}")
        console.print(f"  {report.published_source}")
        console.print(f"  {it.caveat}")


def _cell(it: Estimate) -> str:
    if it.low is None or it.high is None:
        return percent(it.value)
    return f"{percent(it.value)} ({percent(it.low)}-{percent(it.high)})"
