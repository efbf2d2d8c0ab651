"""What a classifier promises, told to a person."""

from rich.table import Table

from afterguard.cli.wide_console import wide_console
from afterguard.prefilter.card import Card, ThresholdCard

_PRECISIONS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
_WIDE = 120


def tell(card: Card) -> None:
    """Print what a classifier is, how good it is, and what it promises."""
    console = wide_console(_WIDE)
    data, figures = card.data, card.figures
    lines = {
        "classifier": card.reference,
        "fitted": f"{card.fitted_at:%Y-%m-%d %H:%M} UTC on {data.rows:,} rows ({data.texts:,} "
        f"texts), {data.violations:,} violations ({figures.base_rate:.1%})",
        "violation": data.label,
        "unknown labels": f"{data.unknown:,} rows counted as no violation" if data.unknown else "-",
        "left out": f"{data.left_out:,} rows",
        "held out": f"each row once in {card.folds} folds, thresholds from {card.inner_folds} "
        "inner folds; equal texts together",
        "ROC-AUC, PR-AUC": f"{figures.roc_auc:.3f}, {figures.pr_auc:.3f}",
        "Brier": f"{figures.brier:.4f}",
        "speed": f"{figures.texts_per_s:,.0f} texts a second where it was fitted, one thread",
        "enabled": "yes" if card.enabled else "no: no target is borne out",
    }
    about = Table(show_header=False, box=None)
    for name, value in lines.items():
        about.add_row(name, value)
    console.print(about)
    console.print(_thresholds(card))
    console.print(_reliability(card))
    console.print(_precisions(card))


def shortfall(threshold: ThresholdCard, confidence: float) -> str:
    """Why a target is not borne out, and what it would take."""
    told = (
        f"a recall of {threshold.target_recall:g} is not borne out: {threshold.missed} of "
        f"{threshold.violations} held-out violations were missed, so that it is above "
        f"{threshold.recall_lower:.4f} with {confidence:.0%} confidence"
    )
    if threshold.needed is None:
        return f"{told}; more rows of this kind alone will not do, a lower target will"
    return f"{told}; it takes about {threshold.needed:,} violations"


def _thresholds(card: Card) -> Table:
    bound = f"recall at least ({card.confidence:.0%})"
    table = Table(
        "target", "threshold", "missed", "recall", bound, "forwarded", "in hindsight", "holds",
        title="As a prefilter, on held-out rows", title_justify="left", box=None,
    )  # fmt: skip
    for it in card.thresholds:
        table.add_row(
            f"{it.target_recall:g}",
            f"{it.threshold:.4f}",
            f"{it.missed} of {it.violations}",
            f"{it.recall:.4f}",
            f"{it.recall_lower:.4f}",
            f"{it.forwarded:.1%}",
            f"{it.forwarded_in_hindsight:.1%}",
            "yes" if it.met else "no",
        )
    return table


def _reliability(card: Card) -> Table:
    table = Table(
        "rows", "mean score", "violations",
        title="Calibration, on held-out rows", title_justify="left", box=None,
    )  # fmt: skip
    for it in card.figures.reliability:
        table.add_row(f"{it.rows:,}", f"{it.score:.3f}", f"{it.violations:.3f}")
    return table


def _precisions(card: Card) -> Table:
    bound = f"precision at least ({card.confidence:.0%})"
    table = Table(
        "wanted", "threshold", "precision", bound, "recall",
        title="As a judge, on held-out rows", title_justify="left", box=None,
    )  # fmt: skip
    for wanted in _PRECISIONS:
        if (it := card.point_for_precision(wanted)) is None:
            table.add_row(f"{wanted:g}", "-", "-", "-", "-")
        else:
            table.add_row(
                f"{wanted:g}",
                f"{it.threshold:.4f}",
                f"{it.precision:.4f}",
                f"{it.precision_lower:.4f}",
                f"{it.recall:.4f}",
            )
    return table
