"""Committed offsets that no open transaction may still move.

aiokafka asks in a form that knows nothing of transactions: while one is being brought to its end
the coordinator then answers with the offset before it. From version 7 on a client can ask for
stable offsets only, and is told to come again instead.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.client import ConnectionGroup
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol import types
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetFetchRequest_v1, OffsetFetchRequest_v3

from afterguard.stream.ports import Partition

_NO_OFFSET: Final = -1
_UNSTABLE: Final = 88  # aiokafka has no class for it
_COME_AGAIN: Final = frozenset(
    {_UNSTABLE, GroupCoordinatorNotAvailableError.errno, GroupLoadInProgressError.errno}
)
_PAUSE_S: Final = 0.05
_PLAIN_FIELDS: Final = 4  # of a partition before version 5, which put the leader's epoch in

_Text = types.CompactString("utf-8")
_Tags = ("tags", types.TaggedFields)


class _StableResponse(Response):  # type: ignore[misc]
    API_KEY = 9
    API_VERSION = 7
    SCHEMA = types.Schema(
        ("throttle_time_ms", types.Int32),
        (
            "topics",
            types.CompactArray(
                ("topic", _Text),
                (
                    "partitions",
                    types.CompactArray(
                        ("partition", types.Int32),
                        ("offset", types.Int64),
                        ("leader_epoch", types.Int32),
                        ("metadata", _Text),
                        ("error_code", types.Int16),
                        _Tags,
                    ),
                ),
                _Tags,
            ),
        ),
        ("error_code", types.Int16),
        _Tags,
    )


class _StableRequest(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 9
    API_VERSION = 7
    RESPONSE_TYPE = _StableResponse
    SCHEMA = types.Schema(
        ("consumer_group", _Text),
        (
            "topics",
            types.CompactArray(
                ("topic", _Text), ("partitions", types.CompactArray(types.Int32)), _Tags
            ),
        ),
        ("require_stable", types.Boolean),
        _Tags,
    )


class StableOffsetFetch(Request[OffsetFetchRequest_v1 | OffsetFetchRequest_v3 | _StableRequest]):  # type: ignore[misc]
    """Asks for stable offsets where the broker knows them, in the plain way where not."""

    API_KEY = 9

    def __init__(self, group: str, partitions: Iterable[Partition]) -> None:
        self._group = group
        self._numbers: dict[str, list[int]] = {}
        for partition in partitions:
            self._numbers.setdefault(partition.topic, []).append(partition.number)

    def build(self, request_struct_class: Callable[..., RequestStruct]) -> RequestStruct:
        """The request in the version that the broker speaks."""
        if request_struct_class is not _StableRequest:
            return request_struct_class(self._group, list(self._numbers.items()))
        no_tags: dict[int, bytes] = {}
        topics = [(topic, numbers, no_tags) for topic, numbers in self._numbers.items()]
        return request_struct_class(self._group, topics, True, no_tags)  # noqa: FBT003


async def stable_offsets(
    consumer: AIOKafkaConsumer, group: str, partitions: Iterable[Partition]
) -> Mapping[Partition, int | None]:
    """What the group has committed, None where nothing; asks until every answer is stable.

    Waits without an end while a transaction is open; the caller has a timeout of its own.

    Raises:
        KafkaError: The broker refuses, or is gone.
    """
    waiting = set(partitions)
    found: dict[Partition, int | None] = {}
    while True:
        for partition, offset, code in await _answer(
            consumer, StableOffsetFetch(group, sorted(waiting))
        ):
            if code == 0:
                found[partition] = None if offset == _NO_OFFSET else offset
                waiting.discard(partition)
            elif code == NotCoordinatorForGroupError.errno:
                consumer._coordinator.coordinator_dead()  # noqa: SLF001 (as in `_answer`)
            elif code not in _COME_AGAIN:
                raise for_code(code)
        if not waiting:
            return found
        await asyncio.sleep(_PAUSE_S)


async def _answer(
    consumer: AIOKafkaConsumer, request: StableOffsetFetch
) -> list[tuple[Partition, int, int]]:
    """Partition, offset and error code of each; empty when the coordinator did not answer."""
    # aiokafka has no public way to send a request of one's own.
    client, coordinator = consumer._client, consumer._coordinator  # noqa: SLF001
    await coordinator.ensure_coordinator_known()
    try:
        response = await client.send(
            coordinator.coordinator_id, request, group=ConnectionGroup.COORDINATION
        )
    except KafkaError as error:
        if not error.retriable:
            raise
        return []
    overall = getattr(response, "error_code", 0)
    return [
        (Partition(topic, number), offset, overall or code)
        for topic, numbers, *_ in response.topics
        for number, offset, code in map(_read, numbers)
    ]


def _read(entry: tuple[Any, ...]) -> tuple[int, int, int]:
    plain = len(entry) == _PLAIN_FIELDS
    return entry[0], entry[1], entry[3] if plain else entry[4]
