"""A dashboard drawn with matplotlib: places, units, colours and legends as Grafana has them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.ops.dashboards.prometheus import Series
from tests.ops.dashboards.units import told

PALETTE: Final = (
    *("#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9"),
    *("#705DA0", "#37872D", "#FADE2A", "#447EBC", "#C15C17", "#890F02", "#0A437C"),
)
NAMED: Final = {
    "green": "#73BF69",
    "orange": "#FF9830",
    "red": "#F2495C",
    "purple": "#B877D9",
    "blue": "#5794F2",
}
_GROUND, _PANEL, _EDGE = "#111217", "#181b1f", "#2c3037"
_TEXT, _FAINT = "#d5d6e0", "#8e8f99"
_COLUMN, _LINE, _GAP = 76, 37, 8
_HEAD, _FOOT = 54, 46
_DPI: Final = 100


class Found(NamedTuple):
    """One series that a panel shows."""

    legend: str
    points: Sequence[tuple[float, float]]


class Answers(NamedTuple):
    """Where the numbers come from.

    Attributes:
        ask: Gives the series of an expression over the time of the picture.
        exemplars: Time and value of single events behind a histogram.
        began: Of the time shown, seconds since the epoch.
        ended: Its end.
    """

    ask: Callable[[str], list[Series]]
    exemplars: Callable[[str], list[tuple[float, float]]]
    began: float
    ended: float


class _Box(NamedTuple):
    x: float
    y: float
    w: float
    h: float


def draw(dashboard: dict[str, Any], answers: Answers, footer: str, out: Path) -> None:
    """Write the picture.

    Args:
        dashboard: As it is checked in.
        answers: What its queries give.
        footer: A line below it.
        out: A file ending in `.png`.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    lines = max(it["gridPos"]["y"] + it["gridPos"]["h"] for it in dashboard["panels"])
    width, height = 24 * _COLUMN + _GAP, lines * _LINE + _HEAD + _FOOT
    figure = plt.figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_GROUND)
    canvas = _Canvas(figure, width, height)
    canvas.say(14, 22, dashboard["title"], size=15, weight="bold")
    when = " to ".join(
        datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
        for at in (answers.began, answers.ended)
    )
    canvas.say(width - 14, 22, f"{when} UTC", color=_FAINT, ha="right")
    for panel in dashboard["panels"]:
        _panel(canvas, panel, answers)
    for axes in canvas.over_time:
        for at, color in _marks(dashboard, answers):
            axes.axvline(at, color=color, linestyle="--", linewidth=1, alpha=0.9)
    canvas.say(14, height - 24, footer, size=9.5, color=_FAINT)
    figure.savefig(out, facecolor=_GROUND)
    plt.close(figure)


class _Canvas:
    """A figure that is measured in pixels, from the top left corner."""

    def __init__(self, figure: Any, width: int, height: int) -> None:
        self.figure, self._width, self._height = figure, width, height
        self.over_time: list[Any] = []

    def say(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write something; y is its middle."""
        given = {"color": _TEXT, "size": 10.5, "va": "center", "parse_math": False} | style
        self.figure.text(x / self._width, 1 - y / self._height, text, **given)

    def axes(self, x: float, y: float, w: float, h: float, **style: Any) -> Any:
        """Axes at a place."""
        place = (x / self._width, 1 - (y + h) / self._height, w / self._width, h / self._height)
        return self.figure.add_axes(place, **style)


def _panel(canvas: _Canvas, panel: dict[str, Any], answers: Answers) -> None:
    place = panel["gridPos"]
    x, y = place["x"] * _COLUMN + _GAP, place["y"] * _LINE + _HEAD
    w, h = place["w"] * _COLUMN - _GAP, place["h"] * _LINE - _GAP
    if panel["type"] == "row":
        canvas.say(x + 6, y + h / 2, f"\N{BLACK DOWN-POINTING SMALL TRIANGLE}  {panel['title']}")
        return
    frame = canvas.axes(x, y, w, h, facecolor=_PANEL)
    frame.set(xticks=[], yticks=[])
    for spine in frame.spines.values():
        spine.set_color(_EDGE)
    canvas.say(x + 10, y + 16, panel["title"], weight="bold")
    inner = _Box(x, y + 30, w, h - 30)
    found = list(_found(panel, answers))
    match panel["type"]:
        case "stat":
            _stat(canvas, panel, found, inner)
        case "bargauge":
            _bars(canvas, panel, found, inner)
        case _:
            _lines(canvas, panel, found, answers, inner)


def _found(panel: dict[str, Any], answers: Answers) -> Iterator[Found]:
    for target in panel["targets"]:
        for series in answers.ask(target["expr"]):
            points = [it for it in series.points if not isnan(it[1])]
            if points:
                yield Found(_legend(target["legendFormat"], series.labels), points)


def _legend(wanted: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda it: labels.get(it[1], ""), wanted) or "none"


def _marks(dashboard: dict[str, Any], answers: Answers) -> Iterator[tuple[float, str]]:
    """Where an annotation begins, and its colour."""
    for it in dashboard["annotations"]["list"]:
        if "expr" in it:
            for series in answers.ask(it["expr"]):
                at = series.points[0][0]
                if at > answers.began + 5:
                    yield at, NAMED[it["iconColor"]]


def _color(panel: dict[str, Any], value: float) -> str:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    name = [it["color"] for it in steps if it["value"] is None or value >= it["value"]][-1]
    return NAMED[name]


def _stat(
    canvas: _Canvas,
    panel: dict[str, Any],
    found: list[Found],
    box: _Box,
) -> None:
    x, y, w, h = box
    each = w / len(found)
    for number, it in enumerate(found):
        value, left = it.points[-1][1], x + number * each
        color = _color(panel, value)
        text = told(value, panel["fieldConfig"]["defaults"])
        canvas.say(left + each / 2, y + h * 0.36, text, size=29, color=color, ha="center")
        if len(found) > 1:
            canvas.say(left + each / 2, y + h * 0.64, it.legend, color=_FAINT, ha="center")
        axes = canvas.axes(left + 2, y + h * 0.7, each - 4, h * 0.28, facecolor="none")
        axes.axis("off")
        at, values = zip(*it.points, strict=True)
        axes.plot(at, values, color=color, linewidth=1)
        axes.fill_between(at, values, min(0, *values), color=color, alpha=0.25, linewidth=0)


def _bars(
    canvas: _Canvas,
    panel: dict[str, Any],
    found: list[Found],
    box: _Box,
) -> None:
    x, y, w, h = box
    values = [it.points[-1][1] for it in found]
    most = max(1.0, *values)
    step = (h - 8) / len(found)
    for number, (it, value) in enumerate(zip(found, values, strict=True)):
        middle = y + 2 + step * (number + 0.5)
        color = _color(panel, value)
        canvas.say(x + 12, middle, it.legend)
        axes = canvas.axes(x + w * 0.5, middle - step * 0.32, w * 0.4, step * 0.64)
        axes.set(xlim=(0, most), ylim=(0, 1), xticks=[], yticks=[], facecolor="#22252b")
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.barh(0.5, max(value, most * 0.006), height=1, color=color, alpha=0.8)
        text = told(value, panel["fieldConfig"]["defaults"])
        canvas.say(x + w * 0.92, middle, text, color=color, size=12)


def _lines(
    canvas: _Canvas,
    panel: dict[str, Any],
    found: list[Found],
    answers: Answers,
    box: _Box,
) -> None:
    x, y, w, h = box
    rows = _legend_rows([it.legend for it in found], w - 24)
    axes = canvas.axes(x + 62, y + 4, w - 78, h - 30 - 17 * len(rows), facecolor="none")
    defaults = panel["fieldConfig"]["defaults"]
    colors = {it.legend: PALETTE[i % len(PALETTE)] for i, it in enumerate(found)}
    if defaults["custom"]["stacking"]["mode"] == "normal":
        _stacked(axes, found, colors)
    else:
        for it in found:
            moments, values = zip(*it.points, strict=True)
            axes.plot(moments, values, color=colors[it.legend], linewidth=1.3)
            axes.fill_between(moments, values, 0, color=colors[it.legend], alpha=0.07, linewidth=0)
    for target in panel["targets"][:1] if panel["targets"][0]["exemplar"] else ():
        dots = answers.exemplars(target["expr"])
        axes.scatter(*zip(*dots, strict=True), s=13, marker="D", color="#5794F2", zorder=5)
    axes.set_xlim(answers.began, answers.ended)
    axes.set_ylim(bottom=0, top=defaults.get("max"))
    if "max" not in defaults:
        axes.set_ylim(top=max(axes.get_ylim()[1], *(1.1 * _highest(it) for it in found), 1e-3))
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None and step["value"] < axes.get_ylim()[1]:
            axes.axhline(step["value"], color=NAMED[step["color"]], linestyle="--", linewidth=1)
    _axes_style(axes, answers, defaults)
    canvas.over_time.append(axes)
    for number, row in enumerate(rows):
        left, below = x + 14.0, y + h - 17 * (len(rows) - number) + 4
        for legend in row:
            canvas.say(left, below, "\N{BLACK SQUARE}", size=9, color=colors[legend])
            canvas.say(left + 15, below, legend, size=9, color=_TEXT)
            left += _width(legend)


def _stacked(axes: Any, found: list[Found], colors: dict[str, str]) -> None:
    moments = sorted({at for it in found for at, _ in it.points})
    known = [dict(it.points) for it in found]
    heights = [[it.get(at, 0.0) for at in moments] for it in known]
    axes.stackplot(
        moments, *heights, colors=[colors[it.legend] for it in found], alpha=0.55, linewidth=0.5
    )


def _highest(found: Found) -> float:
    return max(value for _, value in found.points)


def _axes_style(axes: Any, answers: Answers, defaults: dict[str, Any]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.grid(color=_EDGE, linewidth=0.7)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=_FAINT, labelsize=8.5, length=0)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: told(value, defaults)))
    step = (answers.ended - answers.began) / 5
    ticks = [answers.began + step * (number + 0.5) for number in range(5)]
    shown = "%H:%M:%S" if step < 120 else "%H:%M"
    axes.set_xticks(ticks, [datetime.fromtimestamp(it, UTC).strftime(shown) for it in ticks])


def _width(legend: str) -> float:
    return 34 + 6.9 * len(legend)


def _legend_rows(legends: list[str], width: float) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    left = 0.0
    for legend in legends:
        if left + _width(legend) > width and rows[-1]:
            rows.append([])
            left = 0.0
        rows[-1].append(legend)
        left += _width(legend)
    return rows
