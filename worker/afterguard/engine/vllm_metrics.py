"""vLLM's own metrics on a registry of ours.

vLLM registers its collectors on prometheus_client's default registry and offers no other. They
are read from there when ours is read, so nothing of vLLM's insides is needed and none of its
metrics is missed.
"""

from collections.abc import Iterator
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Metric
from prometheus_client.registry import Collector

_PREFIX: Final = "vllm:"


class VllmMetrics(Collector):
    """Shows the `vllm:*` metrics of this process, from start to stop."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._shown = False

    def show(self) -> None:
        """Show them from now on."""
        if not self._shown:
            self._registry.register(self)
            self._shown = True

    def hide(self) -> None:
        """Show them no more."""
        if self._shown:
            self._registry.unregister(self)
            self._shown = False

    def collect(self) -> Iterator[Metric]:
        """All that vLLM has registered."""
        for family in REGISTRY.collect():
            if family.name.startswith(_PREFIX):
                yield family
