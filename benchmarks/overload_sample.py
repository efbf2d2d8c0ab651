"""One look at an overloaded worker: its memory and its metrics."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

_PAGE = 4096


class Sample(NamedTuple):
    """One look.

    Attributes:
        at_s: Seconds since the load began.
        rss_mib: Memory of the worker that is resident.
        events: In flight.
        tokens: In flight.
        token_limit: Intake pauses above it.
        lag: Records that wait in the log.
        paused: Whether intake is paused.
        judged: Verdicts of the engine so far.
        expired: Events that passed their deadline while they waited, so far.
        shed: Events that were shed so far.
    """

    at_s: float
    rss_mib: float
    events: int
    tokens: int
    token_limit: int
    lag: int
    paused: bool
    judged: int
    expired: int
    shed: int

    @staticmethod
    def head() -> str:
        """The head of the table."""
        return (
            f"{'s':>5} {'RSS MiB':>8} {'events':>7} {'tokens':>8} {'limit':>8} {'lag':>9} "
            f"{'paused':>6} {'judged':>8} {'expired':>8} {'shed':>8}"
        )

    def row(self) -> str:
        """A row of the table."""
        return (
            f"{self.at_s:5.0f} {self.rss_mib:8.1f} {self.events:7d} {self.tokens:8d} "
            f"{self.token_limit:8d} {self.lag:9d} {'yes' if self.paused else 'no':>6} "
            f"{self.judged:8d} {self.expired:8d} {self.shed:8d}"
        )


async def sample(pid: int, port: int, at_s: float) -> Sample:
    """Look once.

    Args:
        pid: Of the worker.
        port: Of its metrics.
        at_s: What the look is marked with.
    """
    async with (
        ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        text = await answer.text()
    sums: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for it in family.samples:
            name = it.name.removeprefix("afterguard_")
            sums[name] += it.value
            for label in ("outcome", "reason"):
                if label in it.labels:
                    sums[f"{name}:{it.labels[label]}"] += it.value
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return Sample(
        at_s,
        pages * _PAGE / 2**20,
        int(sums["in_flight_events"]),
        int(sums["in_flight_tokens"]),
        int(sums["token_budget"]),
        int(sums["lag_records"]),
        bool(sums["paused_partitions"]),
        int(sums["verdicts_total:no_violation"] + sums["verdicts_total:violation"]),
        int(sums["unasked_events_total:deadline_passed"]),
        int(sums["unasked_events_total:shed_overload"]),
    )
