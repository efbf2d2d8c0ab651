"""A whole worker on a log in memory: every room is real but the log and the engine."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from tests.balance import assert_ended_in_balance
from tests.samples import event_fields

from afterguard.app import App, build
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.engine.null_engine import NullJudge
from afterguard.flow.ports import Judge
from afterguard.lifecycle import Stop, serve
from afterguard.settings import Settings
from afterguard.stream.memory import MemoryConsumer, MemoryLog, MemoryProducer
from afterguard.stream.ports import Consumer, Partition, Producer
from afterguard.stream.settings import TopicSettings

EVENTS = Partition(TopicSettings().events, 0)


def memory_log() -> MemoryLog:
    """The four topics, of one partition each."""
    return MemoryLog(dict.fromkeys(TopicSettings().model_dump().values(), 1))


class MemoryWorker:
    """Four topics of one partition, and the worker that reads and writes them.

    Args:
        judge: The engine; the null engine when absent.
        log: Of `memory_log`; one of its own when absent.
        consumer: Reads instead of one in memory.
        producer: Writes instead of one in memory.
        settings: Sections to change.
    """

    def __init__(
        self,
        judge: Judge | None = None,
        *,
        log: MemoryLog | None = None,
        consumer: Consumer | None = None,
        producer: Producer | None = None,
        **settings: dict[str, Any],
    ) -> None:
        self.topics = TopicSettings()
        self.log = log or memory_log()
        quick: dict[str, dict[str, Any]] = {
            "http": {"enabled": False},
            "delivery": {"commit_interval_s": 0.01},
            "policies": {"only": ["harassment"]},
        }
        self.app: App = build(
            Settings(**{**quick, **settings}),  # type: ignore[arg-type]
            judge=judge or NullJudge(),
            consumer=consumer or MemoryConsumer(self.log, self.topics.events, "afterguard"),
            producer=producer or MemoryProducer(self.log),
        )
        self.stop = Stop()

    def send(self, number: int, **changes: Any) -> Coordinates:
        """Put an event of this number into the log."""
        fields = event_fields(event_id=f"e-{number}", **changes)
        return self.log.append(
            OutputRecord(self.topics.events, b"c-1", orjson.dumps(fields), partition=0)
        )

    def serve(self, **options: Any) -> "asyncio.Task[ExitCode]":
        """Serve in a task of its own; however it ends, its fates must balance."""

        async def to_the_end() -> ExitCode:
            code = await serve(self.app, self.stop, **options)
            assert_ended_in_balance(self.app)
            return code

        return asyncio.create_task(to_the_end())

    @property
    def judged(self) -> list[str]:
        """Ids of the events in the audit, in its order."""
        return [orjson.loads(it.value or b"")["event_id"] for it in self.audit]

    @property
    def audit(self) -> list[Any]:
        """The records of the audit."""
        return self.log.records(self.topics.audit)

    @property
    def committed(self) -> int:
        """The next offset that the group would read."""
        return self.log.committed.get(("afterguard", EVENTS), 0)


async def until(happened: Callable[[], Any]) -> None:
    """Wait until this is true; a test that waits in vain fails."""
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.002)
