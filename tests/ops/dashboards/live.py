"""A real Prometheus that has scraped two real workers under load, for tests to ask."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Final

from pydantic import SecretStr
from tests.ops.dashboards import load, scene
from tests.ops.dashboards.moody_server import MoodyServer
from tests.ops.dashboards.prometheus import SCRAPE_S, Prometheus, Series, rule_files

from afterguard.contracts.releases import Change
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.demo_worker import DemoWorker
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.settings import Settings
from afterguard.state.policy_store import RedisPolicyStore
from afterguard.state.settings import RedisSettings
from afterguard.stream.kafka.admin import create_topics, plan_topics

LOAD_S: Final = 60.0
_DRAIN_S: Final = 90.0
_PARTITIONS: Final = 2
# On a busy machine the small model has answered nothing yet when the load's time is over.
_JUDGED: Final = "sum(rate(vllm:request_generation_tokens_count[20s])) > 0"
_SEEN_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class Live:
    """What can be asked.

    Attributes:
        prometheus: Still scrapes: workers run until the last test is done, without load.
        started: When Prometheus did, seconds since the epoch.
        began: When load began.
        ended: When it ended.
        workers: Metrics addresses by instance.
        model: The name of the model that judged.
    """

    prometheus: Prometheus
    started: float
    began: float
    ended: float
    workers: dict[str, str]
    model: str

    def query(self, expr: str) -> list[Series]:
        """What an expression gave when the load ended."""
        return self.prometheus.query(expr, self.ended)

    def query_range(self, expr: str, step_s: float = 2) -> list[Series]:
        """What an expression gave from the workers' start to the end of the load."""
        return self.prometheus.query_range(expr, self.started, self.ended, step_s)

    def exemplars(self, expr: str) -> list[dict[str, Any]]:
        """The exemplars that were taken while the load lasted."""
        return self.prometheus.exemplars(expr, self.began, self.ended)


@asynccontextmanager
async def live(folder: Path, load_s: float = LOAD_S) -> AsyncIterator[Live]:
    """The scene: services, workers, Prometheus and load; all ends with the block.

    Args:
        folder: Where settings, policies and logs go.
        load_s: How long the load lasts, seconds.
    """
    scene.write_policies(folder / "policies")
    await asyncio.to_thread(scene.fit_classifier, folder / "classifiers")
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(EmbeddedBroker())
        valkey = await stack.enter_async_context(EmbeddedValkey())
        moody = await stack.enter_async_context(MoodyServer())
        workers = {
            name: await asyncio.to_thread(
                scene.settings,
                name,
                bootstrap_servers=broker.bootstrap_servers,
                redis_url=valkey.url,
                server_url=moody.url,
                folder=folder,
            )
            for name in (scene.JUDGING, scene.BUSY)
        }
        addresses = {it: f"127.0.0.1:{each.http.port}" for it, each in workers.items()}
        prometheus = await stack.enter_async_context(Prometheus(addresses, rule_files()))
        at_first = time()
        running = [await started(stack, each, folder / name) for name, each in workers.items()]
        for worker in running:
            await worker.ready(lambda _: None, scene.READY_S)
        began = time()
        await _loaded(prometheus, valkey.url, workers, load_s)
        await seen(prometheus, "sum(afterguard_flood) > 0", _SEEN_S)
        for worker in running:
            assert not worker.ended, await worker.last_words()
        model = workers[scene.JUDGING].engine.model_name or ""
        yield Live(prometheus, at_first, began, time(), addresses, model)


async def started(stack: AsyncExitStack, settings: Settings, folder: Path) -> DemoWorker:
    """Start a worker that is not ready yet, its topics first; it ends with the stack."""
    await create_topics(
        settings.kafka, plan_topics(settings.topics, partitions=_PARTITIONS, replication=1)
    )
    folder.mkdir()
    worker = DemoWorker(settings, folder)
    stack.push_async_callback(worker.drain, _DRAIN_S)
    await worker.start()
    return worker


async def _loaded(
    prometheus: Prometheus, redis_url: str, workers: dict[str, Settings], load_s: float
) -> None:
    servers = workers[scene.BUSY].kafka.bootstrap_servers
    judging, busy = (workers[it].topics.events for it in (scene.JUDGING, scene.BUSY))
    ends = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(load.steady(servers, judging, 1, ends))
        group.create_task(load.rough(servers, busy, 6, ends))
        await asyncio.sleep(load_s / 4)
        await change_policies(redis_url, scene.changes())
        await load.burst(servers, busy, 150)
        await asyncio.sleep(load_s * 3 / 4)
        try:
            await seen(prometheus, _JUDGED, _SEEN_S)
        finally:
            ends.set()
    await load.flood(servers, busy)


async def seen(prometheus: Prometheus, expr: str, within_s: float) -> None:
    """Wait until Prometheus has seen it; it comes after the backlog of a busy machine."""
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(prometheus.query, expr):
            await asyncio.sleep(SCRAPE_S)


async def change_policies(redis_url: str, changes: Sequence[Change]) -> None:
    """Tell running workers of these, one after the other."""
    store = RedisPolicyStore(RedisSettings(url=SecretStr(redis_url)))
    try:
        for change in changes:
            state = await store.state()
            await store.change(change, expected=state.revision)
    finally:
        await store.close()
