"""The demo's traffic: which events are sent, and how fast."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import orjson

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.replay_rows import ReadyRow, RowEvents
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.records import OutputRecord
from afterguard.embedded.demo_events import demo_events
from afterguard.row_files import RowFile
from afterguard.settings import Settings
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import InputSettings, TopicSettings

USUAL_EVENTS: Final = 240
# Without a number of events the demo is to be done within three minutes on any machine: it sends
# for so long, and never gets further ahead of the worker than this.
_SENDING_S: Final = 75.0
_AHEAD: Final = 12


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What to run.

    Attributes:
        events: How many, all at once; None for as many of the usual ones, or of the file, as this
            machine judges in time.
        rate: Events per second; 0 for no limit.
        file: Rows to send; None for the events that come with Afterguard.
        text: JMESPath of the text in a row.
        policies: Judge under these only; empty for all.
        null_engine: Whether to run without a model.
    """

    events: int | None
    rate: float
    file: str | None
    text: str | None
    policies: tuple[str, ...]
    null_engine: bool


class Traffic:
    """Sends what the plan says.

    Args:
        plan: What to send.
        settings: Where to.
        records: Rows of a file; None for our own events.

    Attributes:
        total: How many events there are.
    """

    def __init__(
        self, plan: DemoPlan, settings: Settings, records: Sequence[OutputRecord] | None
    ) -> None:
        self._plan, self._settings = plan, settings
        if records is not None:
            self.total = len(records)
            self._records = iter(records)
        else:
            self.total = plan.events or USUAL_EVENTS
            self._records = _our_records(self.total, settings.topics.events)
        self._in_time = plan.events is None and plan.file is None
        self._ahead = _AHEAD if self._in_time else self.total
        self._news = asyncio.Event()
        self._settled = 0
        self._over = False

    def tell(self, settled: int) -> None:
        """Hear how many events the worker is done with."""
        self._settled = settled
        self._news.set()

    def end(self) -> None:
        """Send no more."""
        self._over = True
        self._news.set()

    async def send(self, interrupted: asyncio.Event) -> int:
        """Send until all is sent, time is over, or somebody interrupts.

        Returns:
            How many events the broker acknowledged.
        """
        timer = None
        if self._in_time:
            timer = asyncio.get_running_loop().call_later(_SENDING_S, self.end)
        producer = KafkaProducer(self._settings.kafka)
        await producer.start()
        sends = AcknowledgedSends(producer)
        try:
            for number, record in enumerate(self._records):
                while number - self._settled >= self._ahead and not self._over:
                    self._news.clear()
                    await self._news.wait()
                if self._over or interrupted.is_set():
                    break
                await sends.send(record)
                if self._plan.rate:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(interrupted.wait(), 1 / self._plan.rate)
            await sends.flush()
        finally:
            await producer.stop()
            if timer is not None:
                timer.cancel()
        return sends.acknowledged


def file_records(plan: DemoPlan) -> list[OutputRecord]:
    """The rows of the plan's file as records; reads the file, so call it off the event loop.

    Raises:
        SettingsError: The file cannot be read, is empty, or a row is no event.
    """
    name = plan.file or ""
    events = RowEvents(
        {"content": plan.text} if plan.text else {}, max_bytes=InputSettings().max_event_bytes
    )
    records: list[OutputRecord] = []
    with RowFile(name) as rows:
        for row in events.prepare(rows, TopicSettings().events):
            if not isinstance(row, ReadyRow):
                raise SettingsError([f"--file: {name}:{row.line}: {row.reason}: {row.detail}"])
            records.append(row.record)
            if len(records) == plan.events:
                break
    if not records:
        raise SettingsError([f"--file: {name} holds no rows"])
    return records


def _our_records(count: int, topic: str) -> Iterator[OutputRecord]:
    start = datetime.now(UTC)
    for event in demo_events(count, start):
        # Said at the moment of sending; an author whose clock is ahead stays ahead.
        said = cast("datetime", event["occurred_at"]) + (datetime.now(UTC) - start)
        key = str(event["conversation_id"]).encode()
        yield OutputRecord(topic, key, orjson.dumps({**event, "occurred_at": said}))
