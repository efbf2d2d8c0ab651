"""A whole worker on a log in memory that a real Prometheus has scraped under load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import time
from typing import Final, NamedTuple
from urllib.request import urlopen

import orjson
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import MemoryWorker, until
from tests.ops.dashboards.prometheus import Prometheus, Series
from tests.samples import answered, event_fields

from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
_LANES: Final = ("live", "standard", "backfill")
# A rate needs two scrapes that see the same series; Prometheus scrapes once a second.
_LOAD_S: Final = 4.0


class Scraped(NamedTuple):
    """What can be asked.

    Attributes:
        prometheus: What scraped the worker.
        page: The worker's page of metrics, as it is without being asked for OpenMetrics.
        began: When the load began, seconds since the epoch.
        ended: When it ended.
    """

    prometheus: Prometheus
    page: bytes
    began: float
    ended: float

    def query(self, expr: str) -> list[Series]:
        """What an expression gave when the load ended; the worker stands still since."""
        return self.prometheus.query(expr, self.ended)


@asynccontextmanager
async def scraped() -> AsyncIterator[Scraped]:
    """A worker whose every event is a violation, and whose producer traces some."""
    worker = MemoryWorker(
        ScriptedJudge(answered(True, "H2")),
        http={"enabled": True, "port": 0},
        judging={"compute": {"platform_tokens_per_hour": 1_000_000}},
    )
    serving = worker.serve()
    http = worker.app.http
    assert http is not None
    await until(lambda: worker.app.started)
    address = f"127.0.0.1:{http.port}"
    async with Prometheus({"memory": address}) as prometheus:
        # It finds its targets some seconds after its start.
        while not await asyncio.to_thread(prometheus.query, "up"):
            await asyncio.sleep(0.1)
        began = time()
        sent = await _load(worker, until_s=began + _LOAD_S)
        await until(lambda: worker.committed == sent)
        # One more scrape.
        await asyncio.sleep(1.5)
        page = await asyncio.to_thread(_read, f"http://{address}/metrics")
        yield Scraped(prometheus, page, began, time())
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED


def _read(url: str) -> bytes:
    with urlopen(url, timeout=10) as answer:
        text: bytes = answer.read()
    return text


async def _load(worker: MemoryWorker, until_s: float) -> int:
    number = 0
    while time() < until_s:
        fields = event_fields(
            event_id=f"e-{number}",
            lane=_LANES[number % 3],
            occurred_at=datetime.now(UTC).isoformat(),
        )
        parent = f"00-{TRACE}-00f067aa0ba902b7-01".encode()
        headers = (("traceparent", parent),) if number % 2 else ()
        value = b"no event" if number % 10 == 9 else orjson.dumps(fields)
        worker.log.append(OutputRecord(worker.topics.events, b"c", value, headers, partition=0))
        number += 1
        await asyncio.sleep(0.02)
    return number
