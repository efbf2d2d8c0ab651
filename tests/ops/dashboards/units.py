"""Grafana's units, as far as the dashboards use them."""

from typing import Any

_RATES = {"eps": " evt/s", "tokens/s": " tokens/s"}


def told(value: float, defaults: dict[str, Any]) -> str:
    """A value in the unit of its panel."""
    unit, decimals = defaults["unit"], defaults.get("decimals")
    if unit == "percentunit":
        few = 1 if 0 < value < 0.1 else 0
        return f"{100 * value:.{few if decimals is None else decimals}f}%"
    if unit == "s":
        return _seconds(value, decimals)
    number = f"{value:.{decimals}f}" if decimals is not None else f"{value:.3g}"
    return number + _RATES.get(unit, "")


def _seconds(value: float, decimals: int | None) -> str:
    if value == 0:
        return "0 s"
    if value < 0.001:
        return f"{1e6 * value:.0f} µs"
    if value < 1:
        return f"{1e3 * value:.0f} ms"
    if value >= 120:
        return f"{value / 60:.1f} min"
    return f"{value:.{decimals}f} s" if decimals is not None else f"{value:.3g} s"
