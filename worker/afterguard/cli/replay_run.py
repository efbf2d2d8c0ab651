"""The work of a replay: read ahead, pace, send, and count what became of each row."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import Final

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.feed import Feed
from afterguard.cli.replay_rows import BadRow, ReadyRow, RowEvents
from afterguard.contracts.errors import AfterguardError
from afterguard.row_files import RowFile

TOLD_ROWS: Final = 20
_AHEAD: Final = 2_000
_SHORTEST_PAUSE_S: Final = 0.002


@dataclass(slots=True)
class Replayed:
    """What a replay came to.

    Attributes:
        rows: Rows read.
        sent: Events handed to the broker, or ready for it in a dry run.
        acknowledged: Events that the broker took.
        bad: Rows that are no events, by reason.
        bad_rows: The first of them.
        ids_made: Events whose id was made from the row.
        times_made: Events that got the time of the replay.
        seconds: How long it took.
        stopped: Whether a signal ended it.
        fault: What ended it before the end of the file.
    """

    rows: int = 0
    sent: int = 0
    acknowledged: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    bad_rows: list[BadRow] = field(default_factory=list)
    ids_made: int = 0
    times_made: int = 0
    seconds: float = 0.0
    stopped: bool = False
    fault: AfterguardError | None = None


async def replay(
    rows: RowFile,
    events: RowEvents,
    sends: AcknowledgedSends | None,
    *,
    topic: str,
    rate: float | None = None,
    limit: int | None = None,
    show: Callable[[Replayed], None] = lambda _: None,
) -> Replayed:
    """Send the rows of a file; SIGINT or SIGTERM ends it between two rows.

    Whatever ends it, what was sent before is waited for and counted.

    Args:
        rows: The open file.
        events: Makes events of its rows.
        sends: Where to; None sends nothing.
        topic: The input topic.
        rate: Events per second at most.
        limit: Rows at most.
        show: Called after each batch with what there is so far.
    """
    told = Replayed()
    stop = asyncio.Event()
    began = monotonic()

    def ask() -> None:
        stop.set()
        feed.close()

    with on_signals(ask):
        feed = Feed(events.prepare(islice(rows, limit), topic), ahead=_ahead(rate))
        try:
            while batch := await feed.next_batch():
                for item in batch:
                    if stop.is_set():
                        break
                    if rate is not None:
                        await _pause(began + told.sent / rate, stop)
                    await _one(item, sends, told)
                _count(told, sends)
                show(told)
        except AfterguardError as fault:  # the file broke off, or the broker refused a record
            told.fault = fault
        finally:
            feed.close()
        if sends is not None:
            try:
                await sends.flush()
            except AfterguardError as fault:
                told.fault = told.fault or fault
    _count(told, sends)
    told.stopped = stop.is_set()
    told.seconds = monotonic() - began
    show(told)
    return told


async def _one(item: ReadyRow | BadRow, sends: AcknowledgedSends | None, told: Replayed) -> None:
    told.rows += 1
    if isinstance(item, BadRow):
        told.bad[item.reason] += 1
        if len(told.bad_rows) < TOLD_ROWS:
            told.bad_rows.append(item)
        return
    if sends is not None:
        await sends.send(item.record)
    told.sent += 1
    told.ids_made += item.id_made
    told.times_made += item.time_made


def _count(told: Replayed, sends: AcknowledgedSends | None) -> None:
    told.acknowledged = sends.acknowledged if sends is not None else 0


def _ahead(rate: float | None) -> int:
    # A row that gets the time of the replay must not wait long in front of the loop.
    return _AHEAD if rate is None else max(1, min(_AHEAD, int(rate)))


async def _pause(until: float, stop: asyncio.Event) -> None:
    left = until - monotonic()
    if left > _SHORTEST_PAUSE_S:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), left)


@contextmanager
def on_signals(ask: Callable[[], object]) -> Iterator[None]:
    """Calls `ask` on the first SIGINT or SIGTERM; the second ends the process as ever."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def once() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
        ask()

    for number in signals:
        loop.add_signal_handler(number, once)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
