"""Records that are nearly chat events, some of them exactly."""

import json
from random import Random
from typing import Any

from tests.fuzz.mutation import NUMBERS, mutated, text
from tests.samples import event_fields, input_record

from afterguard.contracts.records import Headers, InputRecord

_TIMES = (
    "2026-01-05T12:00:00Z",
    "2026-01-05T12:00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00",
    "2026-02-30T12:00:00Z",
    "2026-01-05T24:00:00Z",
    "2026-01-05 12:00+23:59",
    "-1",
    "1e18",
    "now",
)
_WORDS = ("message", "completion", "completion_chunk", "conversation", "live", "backfill", "user")
_PLAIN = ("harassment", "en", "pt-BR", "x" * 256, "x" * 257)
_FIELDS = (
    *("event_id", "occurred_at", "kind", "conversation_id", "author", "content", "target"),
    *("tenant", "channel_id", "language", "lane", "deadline", "policies", "sequence"),
    *("model_config", "__class__", "unknown", ""),
)


class _Raw(str):
    """JSON as it stands; a number no Python float would write."""

    __slots__ = ()


def event_input(random: Random) -> InputRecord:
    """One record."""
    fields = event_fields()
    if random.random() < 0.3:
        fields |= {"kind": "conversation", "content": _turns(random)}
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        _change(random, fields)
    value: bytes | None = _json(fields).encode("utf-8", "surrogatepass")
    match random.randrange(40):
        case 0:
            value = None
        case 1:
            value = _nested(random)
        case 2:
            value = _json(fields).encode(random.choice(("utf-16", "utf-32")), "surrogatepass")
        case 3:
            value = random.randbytes(random.randint(0, 200))
        case _:
            value = mutated(random, value or b"")
    return input_record(
        value,
        offset=random.choice((0, 1, 2**63 - 1)),
        key=random.choice((None, b"", b"\xff", b"c-1")),
        headers=_headers(random),
    )


def _change(random: Random, fields: dict[str, Any]) -> None:
    name = random.choice(_FIELDS)
    if random.random() < 0.15:
        fields.pop(name, None)
    else:
        fields[name] = _value(random, 0)


def _value(random: Random, depth: int) -> Any:  # noqa: PLR0911 (one kind a line)
    match random.randrange(11 if depth < 4 else 8):
        case 0:
            return random.choice(_TIMES)
        case 1:
            return _Raw(random.choice(NUMBERS))
        case 2:
            return random.choice((None, True, False, 0, 1, -1, 2**70, 0.5))
        case 3 | 4:
            return text(random)
        case 5:
            return random.choice(_WORDS)
        case 6:
            return random.choice(_PLAIN)
        case 7:
            return random.choice(("\ud800", "\udfff x", "a\udc80"))
        case 8:
            return {random.choice(_FIELDS): _value(random, depth + 1) for _ in range(3)}
        case 9:
            return [_value(random, depth + 1) for _ in range(random.randint(0, 3))]
    return _turns(random)


def _turns(random: Random) -> list[dict[str, Any]]:
    return [
        {"role": random.choice(("user", "assistant", "tool", "nobody")), "text": text(random)}
        for _ in range(random.choice((0, 1, 2, 30)))
    ]


def _json(value: Any) -> str:
    match value:
        case _Raw():
            return str(value)
        case dict():
            inner = ",".join(f"{json.dumps(name)}:{_json(it)}" for name, it in value.items())
            return f"{{{inner}}}"
        case list():
            return f"[{','.join(map(_json, value))}]"
        case str() if not value.isascii() and len(value) % 2:
            return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _nested(random: Random) -> bytes:
    depth = random.choice((10, 199, 200, 201, 1_000, 100_000))
    opening, closing = random.choice((("[", "]"), ('{"a":', "}"), ('[{"target":', "}]")))
    inner = opening * depth + "1" + closing * random.choice((depth, depth - 1, 0))
    if random.random() < 0.5:
        return inner.encode()
    return _json(event_fields(target=_Raw(inner))).encode()


def _headers(random: Random) -> Headers:
    names = ("ce_id", "ce_time", "ce_", "traceparent", "tracestate", "x", "")
    values = (
        *(None, b"", b"\xff\xfe", b"e-9", b"2026-01-05T12:00:00Z", b"x" * 300),
        *(b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"a=1\r\nx: y"),
    )
    return tuple(
        (random.choice(names), random.choice(values)) for _ in range(random.choice((0, 0, 1, 3)))
    )
