"""The balance of fates: what was admitted is settled, in flight or given back, and nothing else.

Asked of running workers from outside, by what they export, and of rooms in this process.
"""

import asyncio
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from afterguard.app import App
from afterguard.health.why_report import Room, WhyReport

_ANSWER_S = 1.5
_LOOKS = 40
_TOTALS = ("ledger_admitted", "ledger_settled", "ledger_abandoned", "in_flight_events")
_OF_PARTITION = ("partition_admitted", "partition_settled", "partition_in_flight")


def assert_ended_in_balance(app: App) -> None:
    """A worker in this process has ended: each event has its fate, and the budget is free."""
    fates, budget = app.assignments.fates, app.budget.statistics()
    assert fates.balanced, fates
    assert fates.in_flight == 0, fates
    assert (budget.tokens, budget.events) == (0, 0), budget


def assert_told_in_balance(ended: dict[str, Any]) -> None:
    """The last log line of a worker process that came to its end says so."""
    fates = ended["fates"]
    assert fates["admitted"] == fates["settled"] + fates["abandoned"], ended
    assert (fates["in_flight"], ended["tokens"], ended["events"]) == (0, 0, 0), ended


async def assert_running_in_balance(port: int) -> None:
    """A running worker exports figures that add up, in all and for each of its partitions.

    A process that does not answer at once is frozen or about to end, and is not judged.
    """
    try:
        report = WhyReport.model_validate_json(await _page(port, "/why"))
        pages = [await _page(port, "/metrics")]
        # A page may be read half before and half after a look of the gauges.
        while not _adds_up(_figures(pages[-1])) and len(pages) < _LOOKS:
            await asyncio.sleep(0.05)
            pages.append(await _page(port, "/metrics"))
    except (aiohttp.ClientError, TimeoutError, ConnectionError):
        return
    for it in report.partitions:
        assert it.admitted == it.settled + it.in_flight == it.settled + sum(it.rooms.values()), it
        assert Room.NOWHERE not in it.rooms, it
    assert sum(it.in_flight for it in report.partitions) == report.events, report
    assert _adds_up(_figures(pages[-1])), _figures(pages[-1])


def _adds_up(figures: dict[str, list[float]]) -> bool:
    admitted, settled, abandoned, in_flight = (figures[name][0] for name in _TOTALS)
    own = zip(*(figures.get(name, []) for name in _OF_PARTITION), strict=True)
    return admitted == settled + abandoned + in_flight and all(a == b + c for a, b, c in own)


def _figures(page: str) -> dict[str, list[float]]:
    return {
        family.name.removeprefix("afterguard_"): [it.value for it in family.samples]
        for family in text_string_to_metric_families(page)
    }


async def _page(port: int, path: str) -> str:
    limit = aiohttp.ClientTimeout(total=_ANSWER_S)
    async with (
        aiohttp.ClientSession(timeout=limit) as http,
        http.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        assert answer.status == 200, (path, answer.status)
        return await answer.text()
