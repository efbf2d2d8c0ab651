"""The report as one page: it loads nothing, runs nothing, and shows hostile text as text.

Every text goes through jinja2's escaping. The page itself forbids scripts and loading, so that even
a text which got past the escaping would do nothing.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from afterguard.evaluation.figures import Estimate
from afterguard.evaluation.plots import curves_plot, figures_plot
from afterguard.evaluation.report import PolicyReport, Report
from afterguard.evaluation.run_record import write_file

PAGE: Final = "report.html"
# What turns the direction of writing, or shows as nothing, would make a page look as it is not.
_HIDDEN: Final = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


def save_page(folder: Path, report: Report) -> Path:
    """Write the page beside the results.

    Raises:
        SettingsError: It cannot be written.
    """
    path = folder / PAGE
    write_file(path, page(report).encode("utf-8", "replace"))
    return path


def page(report: Report) -> str:
    """The page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (an extra)
    from markupsafe import Markup  # noqa: PLC0415 (comes with jinja2)

    environment = Environment(
        loader=PackageLoader("afterguard.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "span": span,
        "visible": visible,
        "number": lambda value: f"{value:,.0f}",
        "money": lambda value: f"{value:,.4f}",
    }
    names = outcome_names(report.policies)
    # Our own drawings of our own numbers; names in them are ids, which hold no markup.
    return environment.get_template("report.html.j2").render(
        report=report,
        outcomes=names,
        plot=Markup(figures_plot(report.policies)),  # noqa: S704
        curves={
            (it.policy.id, it.judge): Markup(curves_plot(it))  # noqa: S704
            for it in report.policies
        },
    )


def outcome_names(policies: Sequence[PolicyReport]) -> list[str]:
    """The outcomes that occur, the answered ones first."""
    first = ["violation", "no_violation", "uncertain"]
    found = {name for it in policies for name in it.outcomes}
    return [name for name in first if name in found] + sorted(found - set(first))


def percent(value: float | None) -> str:
    """A share in percent; a dash for none."""
    return "-" if value is None else f"{100 * value:.1f}"


def span(estimate: Estimate) -> str:
    """An interval in percent; empty for none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def visible(text: Any) -> str:  # noqa: ANN401 (whatever a row holds)
    """A text whose hidden characters are written out, such as U+202E."""
    return _HIDDEN.sub(lambda it: f"\u27e8U+{ord(it.group()):04X}\u27e9", str(text))
