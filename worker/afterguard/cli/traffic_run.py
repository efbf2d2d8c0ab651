"""The work of `afterguard traffic`: invented events, at the times that were asked for."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from time import monotonic
from typing import Any, Final

import orjson

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.replay_run import on_signals
from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.records import Headers, OutputRecord
from afterguard.contracts.words import Lane
from afterguard.embedded.demo_events import endless_events

# A shorter sleep costs more than it is exact; behind it, events go out in a row.
_SHORTEST_PAUSE_S: Final = 0.002
# Somebody who watches wants to see that it goes on; a container's log wants few lines.
_TELL_S: Final = 0.25


class Spacing(StrEnum):
    """How events follow one another."""

    POISSON = "poisson"
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """What to send.

    Attributes:
        rate: Events per second, on average.
        count: Events at most; None for no bound.
        seconds: For how long at most; None for no bound.
        conversations: How many go on at the same time.
        spacing: How events follow one another.
        lanes: A weight for each lane; empty leaves events as they are written.
        fresh: Whether each text becomes one that was never said before.
    """

    rate: float
    count: int | None
    seconds: float | None
    conversations: int
    spacing: Spacing
    lanes: Mapping[Lane, float]
    fresh: bool

    @property
    def endless(self) -> bool:
        """Whether only a signal ends it."""
        return self.count is None and self.seconds is None


@dataclass(slots=True)
class Sent:
    """What a run came to.

    Attributes:
        sent: Events handed to the producer.
        acknowledged: Events that the broker took.
        seconds: How long it took.
        stopped: Whether a signal ended it.
        fault: What ended it too soon.
    """

    sent: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    stopped: bool = False
    fault: AfterguardError | None = None


async def send_traffic(
    plan: TrafficPlan,
    sends: AcknowledgedSends,
    topic: str,
    *,
    show: Callable[[Sent], None] = lambda _: None,
    random: Random | None = None,
) -> Sent:
    """Send until a bound is reached, or until SIGINT or SIGTERM.

    The times are set beforehand and do not wait for the broker, as people do not: after a pause,
    what is late goes out at once.

    Args:
        plan: What to send.
        sends: Where to.
        topic: The input topic.
        show: Called now and then with what there is so far.
        random: For gaps and lanes.
    """
    random = random or Random()  # noqa: S311 (nobody is to be kept from guessing it)
    told, stop = Sent(), asyncio.Event()
    began = monotonic()
    with on_signals(stop.set):
        records = traffic_records(plan, topic, random)
        due = shown = began
        try:
            while _goes_on(plan, told, due - began):
                await _pause(due, stop)
                if stop.is_set():
                    break
                await sends.send(next(records))
                told.sent += 1
                due += gap_s(plan, random)
                if monotonic() - shown >= _TELL_S:
                    shown = _count(told, sends, began, show)
            await sends.flush()
        except AfterguardError as fault:  # the broker fell silent, or refused a record
            told.fault = fault
    told.stopped = stop.is_set()
    _count(told, sends, began, show)
    return told


def traffic_records(plan: TrafficPlan, topic: str, random: Random) -> Iterator[OutputRecord]:
    """Events as records, each with ids of this run and a trace of its own."""
    # Without it the second run would send ids that a worker with Redis has seen, and skips.
    mark = secrets.token_hex(4)
    lanes, weights = list(plan.lanes), list(plan.lanes.values())
    for number, event in enumerate(endless_events(plan.conversations)):
        for name in ("event_id", "conversation_id"):
            event[name] = f"{mark}-{event[name]}"
        if lanes:
            event["lane"] = random.choices(lanes, weights)[0]
        if plan.fresh:
            event["content"] = _never_said(event["content"], f"{mark}-{number}")
        key = str(event["conversation_id"]).encode()
        yield OutputRecord(topic, key, orjson.dumps(event), _trace())


def gap_s(plan: TrafficPlan, random: Random) -> float:
    """Seconds from one event to the next."""
    if plan.spacing is Spacing.STEADY:
        return 1 / plan.rate
    return random.expovariate(plan.rate)


def _goes_on(plan: TrafficPlan, told: Sent, due_s: float) -> bool:
    if plan.count is not None and told.sent >= plan.count:
        return False
    return plan.seconds is None or due_s < plan.seconds


def _never_said(content: Any, mark: str) -> Any:  # noqa: ANN401 (text, or turns)
    if isinstance(content, str):
        return f"{content} ({mark})"
    *before, last = content
    return [*before, {**last, "text": f"{last['text']} ({mark})"}]


def _trace() -> Headers:
    # Sampled, so that a worker that traces shows where the time of each event went.
    parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return (("traceparent", parent.encode()),)


async def _pause(until: float, stop: asyncio.Event) -> None:
    left = until - monotonic()
    if left > _SHORTEST_PAUSE_S:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), left)
    else:
        await asyncio.sleep(0)  # behind the times there is still a signal to be heard


def _count(
    told: Sent, sends: AcknowledgedSends, began: float, show: Callable[[Sent], None]
) -> float:
    now = monotonic()
    told.acknowledged, told.seconds = sends.acknowledged, now - began
    show(told)
    return now
