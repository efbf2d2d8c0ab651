"""The demo's chat events: invented conversations, in the order in which they would arrive.

They stand in `demo_events.jsonl`, one `ChatEvent` a line, conversation after conversation; fields
that begin with `x_` are notes of ours and are never sent. `x_note` says what a person thinks of
the event (`benign`, `violating`, `tricky`): it is for readers of the file, and nothing is measured
by it. `x_ahead_s` is how far the author's clock is ahead.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import count as count_from
from itertools import islice
from typing import Any, Final

import orjson

_FILE: Final = "demo_events.jsonl"
_OURS: Final = "x_"
# So many conversations go on at the same time.
_AT_ONCE: Final = 6

Line = dict[str, Any]


def demo_events(count: int, start: datetime) -> Iterator[dict[str, object]]:
    """Chat events as the fields of `ChatEvent`, the same ones every time.

    When there are more to give than the file holds, it goes round again under new ids: the same
    things are said in new conversations, and the verdict cache knows them.

    Args:
        count: How many.
        start: Their `occurred_at`, with a time zone; later for an author whose clock is ahead.
    """
    order = list(_interleaved(_conversations()))
    rounds = (_of_round(line, number, start) for number in count_from() for line in order)
    return islice(rounds, count)


def endless_events(at_once: int) -> Iterator[dict[str, object]]:
    """Chat events without end, each said at the moment in which it is asked for.

    Args:
        at_once: Conversations that go on at the same time. One that ends makes room for the next;
            each round through the file has new ids.
    """
    conversations = _conversations()
    to_come = ((number, deque(it)) for number in count_from() for it in conversations)
    going_on = deque(islice(to_come, at_once))
    while True:
        number, conversation = going_on.popleft()
        yield _of_round(conversation.popleft(), number, datetime.now(UTC))
        going_on.append((number, conversation) if conversation else next(to_come))


def _conversations() -> list[deque[Line]]:
    """The lines of the file by conversation, both in the order of the file."""
    text = files("afterguard.embedded").joinpath(_FILE).read_bytes()
    found: dict[str, deque[Line]] = {}
    for raw in text.splitlines():
        line: Line = orjson.loads(raw)
        found.setdefault(line["conversation_id"], deque()).append(line)
    return list(found.values())


def _interleaved(conversations: list[deque[Line]]) -> Iterator[Line]:
    """Some conversations at a time, one line of each in turn; one that ends makes room."""
    to_come = deque(conversations)
    going_on: deque[deque[Line]] = deque()
    while to_come or going_on:
        while to_come and len(going_on) < _AT_ONCE:
            going_on.append(to_come.popleft())
        conversation = going_on.popleft()
        yield conversation.popleft()
        if conversation:
            going_on.append(conversation)


def _of_round(line: Line, number: int, start: datetime) -> dict[str, object]:
    event: dict[str, object] = {
        name: value for name, value in line.items() if not name.startswith(_OURS)
    }
    event["occurred_at"] = start + timedelta(seconds=line.get("x_ahead_s", 0))
    if number:
        for name in ("event_id", "conversation_id"):
            event[name] = f"{line[name]}~{number + 1}"
    return event
