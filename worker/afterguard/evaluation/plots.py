"""Plots of a report, as SVG that stands inside the page: no file beside it, nothing to load."""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from afterguard.evaluation.figures import Detection, Estimate

if TYPE_CHECKING:  # an extra, loaded when something is drawn
    from afterguard.evaluation.report import PolicyReport

# The same in every report, so that two can be laid side by side.
_SIZE: Final = (4.4, 3.4)
_INK: Final = "#33415c"
_STYLE: Final[dict[str, Any]] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "svg.fonttype": "none",
    # Ids that do not change from one report to the next.
    "svg.hashsalt": "afterguard",
}
_PROLOGUE: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_NAMESPACES: Final = re.compile(r' xmlns(:\w+)?="[^"]*"')
_METADATA: Final = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


def figures_plot(policies: Sequence["PolicyReport"]) -> str:
    """Precision, recall and F1 of each policy with their intervals, strict and with review."""
    figure, axes = _figure(len(policies))
    names = [_name(it, policies) for it in policies]
    measures = ("precision", "recall", "f1")
    for number, (measure, axis) in enumerate(zip(measures, axes, strict=True)):
        for offset, reading, marker, label in (
            (-0.14, "strict", "o", "strict"),
            (0.14, "with_review", "s", "with review"),
        ):
            for row, it in enumerate(policies):
                found: Detection = getattr(it, reading)
                _whisker(axis, getattr(found, measure), row + offset, marker, label, first=row == 0)
        axis.set_xlim(0, 1)
        axis.set_ylim(-0.6, len(policies) - 0.4)
        axis.invert_yaxis()
        axis.set_title(measure.upper() if measure == "f1" else measure, fontsize=9)
        axis.set_yticks(range(len(policies)), names if number == 0 else [""] * len(policies))
        axis.grid(axis="x", color="#e3e6ec", linewidth=0.7)
    axes[-1].legend(frameon=False, fontsize=8, loc="lower right")
    return _svg(figure)


def curves_plot(policy: "PolicyReport") -> str:
    """Precision over recall, recall over false alarms, and what scores promise; empty without."""
    if not policy.curves.roc:
        return ""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)

    with _style():
        figure = Figure(figsize=(2 * _SIZE[0], _SIZE[1] - 0.4), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        points = policy.curves.precision_recall
        left.step([it.x for it in points], [it.y for it in points], where="pre", color="#0b6e99")
        if policy.ranking.violations is not None:
            left.axhline(policy.ranking.violations, color="#b0b7c3", linestyle="--", linewidth=1)
        left.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        points = policy.curves.roc
        middle.plot([it.x for it in points], [it.y for it in points], color="#0b6e99")
        middle.plot([0, 1], [0, 1], color="#b0b7c3", linestyle="--", linewidth=1)
        middle.set(xlabel="false alarms", ylabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        right.plot([0, 1], [0, 1], color="#b0b7c3", linestyle="--", linewidth=1)
        for it in policy.curves.reliability:
            right.plot([it.score, it.score], [it.low, it.high], color="#0b6e99", linewidth=1.5)
            right.plot([it.score], [it.share], marker="o", color="#0b6e99", ms=4)
        right.set(xlabel="score", ylabel="share that violates", xlim=(-0.03, 1.03), ylim=(0, 1.02))
        return _svg(figure)


def _figure(rows: int) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)

    with _style():
        figure = Figure(figsize=(2 * _SIZE[0], 0.9 + 0.5 * max(rows, 2)), layout="constrained")
        return figure, figure.subplots(1, 3)


def _whisker(
    axis: Any,  # noqa: ANN401 (matplotlib has no types)
    estimate: Estimate,
    place: float,
    marker: str,
    label: str,
    *,
    first: bool,
) -> None:
    color = "#0b6e99" if marker == "o" else "#c0662b"
    named = label if first else None
    if estimate.value is None:
        axis.plot([], [], marker=marker, color=color, linestyle="none", label=named)
        return
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    axis.plot([low, high], [place, place], color=color, linewidth=1.5)
    axis.plot([estimate.value], [place], marker=marker, color=color, ms=5, ls="none", label=named)


def _name(it: "PolicyReport", policies: Sequence["PolicyReport"]) -> str:
    several = len({other.judge for other in policies}) > 1
    return f"{it.policy.id} ({it.judge})" if several else it.policy.id


def _style() -> Any:  # noqa: ANN401 (matplotlib has no types)
    from matplotlib import rc_context  # noqa: PLC0415 (an extra)

    return rc_context(_STYLE)


def _svg(figure: Any) -> str:  # noqa: ANN401 (matplotlib has no types)
    written = io.StringIO()
    with _style():
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    # What comes before <svg> names a document type of w3.org; the page has its own.
    svg = _METADATA.sub("", _PROLOGUE.sub("", written.getvalue(), count=1))
    return _NAMESPACES.sub("", svg).replace("xlink:href", "href")
