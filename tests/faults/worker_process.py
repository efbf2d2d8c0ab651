"""`afterguard run` as a process of its own, to be killed, and what an onlooker then counts."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import orjson
import yaml
from aiokafka import AIOKafkaConsumer
from tests.balance import assert_running_in_balance, assert_told_in_balance
from tests.conftest import OWN_BROKER, Broker
from tests.kafka_worker import Found, event, look, produce
from tests.onlooker import committed, partitions_of

from afterguard.contracts.coordinates import Coordinates
from afterguard.stream.settings import TopicSettings

WAIT_S = 60.0


def quick_group() -> dict[str, int]:
    """Group times as short as the broker allows; Kafka's own default refuses less than 6 s."""
    if os.environ.get(OWN_BROKER):
        return {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 500}
    return {"session_timeout_ms": 2_000, "heartbeat_interval_ms": 400}


class WorkerProcess:
    """One worker process; ends with its block, by its id.

    Args:
        folder: Where its settings and its log go.
        broker: What it reads from.
        topics: Their names.
        sections: Sections of the settings to change.

    Attributes:
        module: What `python -m` runs.
        spawning: How else the process is made; arguments of `create_subprocess_exec`.
    """

    module: ClassVar[str] = "afterguard"
    spawning: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, folder: Path, broker: Broker, topics: TopicSettings, **sections: dict[str, Any]
    ) -> None:
        self.log = folder / "worker.log"
        self._config = folder / "worker.yaml"
        self._process: asyncio.subprocess.Process | None = None
        self.group_id = str(sections.get("kafka", {}).pop("group_id", f"g.{topics.events}"))
        kafka = {
            "bootstrap_servers": broker.bootstrap_servers,
            "group_id": self.group_id,
            "rebalance_timeout_ms": 15_000,
            "start_timeout_s": 20,
            **quick_group(),
        }
        quick: dict[str, dict[str, Any]] = {
            "kafka": kafka,
            "topics": topics.model_dump(),
            "engine": {"kind": "null", "args": {"latency_s": 0.05}},
            "intake": {"max_events_in_flight": 100, "max_concurrent_events": 20},
            "delivery": {"commit_interval_s": 0.1, "drain_timeout_s": 20, "revoke_grace_s": 5},
            "policies": {"only": ["harassment"]},
            "http": {"enabled": True, "port": 0},
        }
        settings = {
            section: {**quick.get(section, {}), **sections.get(section, {})}
            for section in {*quick, *sections}
        }
        self._config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Of the process; it has been started."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start; it is not ready yet."""
        self.log.write_bytes(b"")
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self.module,
                "run",
                "--config",
                str(self._config),
                stdout=output,
                stderr=output,
                env={k: v for k, v in os.environ.items() if not k.startswith("AFTERGUARD_")},
                **self.spawning,
            )

    async def ready(self) -> None:
        """Wait until it takes events."""
        await self.told("ready")

    async def told(self, message: str) -> dict[str, Any]:
        """Wait for a log line; gives its fields."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for line in self.lines():
                    if line.get("event") == message:
                        return line
                if not self.running and message not in self.log.read_text():
                    raise AssertionError(self.log.read_text()[-4_000:])
                await asyncio.sleep(0.05)

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        found = []
        for line in self.log.read_bytes().splitlines():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
        return [line for line in found if isinstance(line, dict)]

    def send(self, which: signal.Signals) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(which)

    async def ended(self, within_s: float = WAIT_S) -> int:
        """Wait for its end and give its exit code."""
        assert self._process is not None
        async with asyncio.timeout(within_s):
            code = await self._process.wait()
        for line in self.lines():
            if line.get("event") == "ended":
                assert_told_in_balance(line)
        return code

    async def in_balance(self) -> None:
        """Ask it for the balance of its fates; nothing of one that is not ready or is frozen."""
        ports = [it["http_port"] for it in self.lines() if it.get("event") == "ready"]
        if ports and ports[-1] is not None:
            await assert_running_in_balance(ports[-1])

    async def kill(self) -> None:
        """SIGKILL, after a last look at its balance."""
        try:
            await self.in_balance()
        finally:
            if self.running:
                self.send(signal.SIGKILL)
            await self.ended()


@asynccontextmanager
async def worker(
    folder: Path, broker: Broker, topics: TopicSettings, **sections: dict[str, Any]
) -> AsyncIterator[WorkerProcess]:
    """A running, ready worker; killed at the end if it still runs."""
    folder.mkdir(exist_ok=True)
    process = WorkerProcess(folder, broker, topics, **sections)
    await process.start()
    try:
        await process.ready()
        yield process
    finally:
        if process.running:
            await process.kill()


async def fill(broker: Broker, topics: TopicSettings, count: int) -> list[Coordinates]:
    """So many records over all partitions; every tenth is no event."""
    values = [
        b"no event" if number % 10 == 9 else event(number, conversation_id=f"c-{number % 17}")
        for number in range(count)
    ]
    return await produce(broker, topics.events, list(values))


async def written(broker: Broker, topic: str) -> int:
    """How many records a topic holds now."""
    onlooker = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
    await onlooker.start()
    try:
        return sum((await onlooker.end_offsets(await partitions_of(onlooker, topic))).values())
    finally:
        await onlooker.stop()


async def until_written(
    broker: Broker, topic: str, count: int, process: WorkerProcess | None = None
) -> None:
    """Wait until a topic holds so many records."""
    async with asyncio.timeout(WAIT_S):
        while await written(broker, topic) < count:
            assert process is None or process.running, process.log.read_text()[-4_000:]
            await asyncio.sleep(0.05)


async def until_committed(
    broker: Broker, topics: TopicSettings, group: str, count: int
) -> dict[int, int]:
    """Wait until the group has committed so many records in all."""
    async with asyncio.timeout(WAIT_S):
        while True:
            offsets = await committed(broker.bootstrap_servers, group, topics.events)
            if sum(offsets.values()) >= count:
                return offsets
            await asyncio.sleep(0.1)


def doubled(found: Found) -> int:
    """Verdicts and dead letters that were written more than once; each must carry the same id.

    Also asserts that one record under one policy never has two verdicts that differ.
    """
    ids: dict[tuple[Any, ...], set[str]] = {}
    extra = 0
    for key, id_ in [
        *(((it.topic, it.partition, it.offset, it.policy_id), it.verdict_id) for it in found.audit),
        *(
            ((it.topic, it.partition, it.offset, it.part), it.dead_letter_id)
            for it in found.letters
        ),
    ]:
        extra += key in ids
        ids.setdefault(key, set()).add(str(id_))
    assert all(len(known) == 1 for known in ids.values())
    assert len({id_ for known in ids.values() for id_ in known}) == len(ids)
    return extra


async def count(broker: Broker, topics: TopicSettings) -> tuple[Found, int]:
    """Everything in the topics from offset 0, and how many outputs are doubled."""
    found = await look(broker, topics)
    return found, doubled(found)
