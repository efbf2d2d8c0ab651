"""Exposition: what several registries hold, as one page that Prometheus reads.

Exemplars exist in OpenMetrics alone. Prometheus asks for it; a person with curl gets the classic
text.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

_log = structlog.get_logger(__name__)


class Page(NamedTuple):
    """One page of metrics.

    Attributes:
        text: Its bytes.
        content_type: Which of the two formats it is in.
    """

    text: bytes
    content_type: str


def page(registries: Sequence[CollectorRegistry], accept: str = "") -> Page:
    """All metrics of these registries.

    Args:
        registries: In their order; of two families with one name the first is shown.
        accept: The request's `Accept` header.
    """
    together = _Together(registries)
    if _takes_openmetrics(accept):
        try:
            # With its default escaping, prometheus_client 0.26 writes vllm:x as vllm_x here alone.
            text: bytes = openmetrics.generate_latest(  # type: ignore[no-untyped-call]
                together, escaping=openmetrics.ALLOWUTF8
            )
            return Page(text, openmetrics.CONTENT_TYPE_LATEST)
        except Exception as error:  # noqa: BLE001 (an odd family of the engine's must not hide ours)
            _log.warning(
                "metrics do not fit OpenMetrics; they are shown as classic text",
                error=type(error).__name__,
            )
    return Page(generate_latest(together), CONTENT_TYPE_PLAIN_0_0_4)


def _takes_openmetrics(accept: str) -> bool:
    asked = (it.split(";")[0].strip().lower() for it in accept.split(","))
    return "application/openmetrics-text" in asked


class _Together(Collector):
    """Registries as one; a page must not name a family twice, nor end before its end."""

    def __init__(self, registries: Sequence[CollectorRegistry]) -> None:
        self._registries = registries

    def collect(self) -> Iterator[Metric]:
        shown: set[str] = set()
        for registry in self._registries:
            for family in registry.collect():
                if family.name not in shown:
                    shown.add(family.name)
                    yield _without_created(family)


def _without_created(family: Metric) -> Metric:
    # When a series was begun: one more series for each counter, which nobody asks for.
    created = f"{family.name}_created"
    kept = Metric(family.name, family.documentation, family.type, family.unit)
    kept.samples = [it for it in family.samples if it.name != created]
    return kept
