"""Follows what the group has committed, and how long after each fault it has caught up."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

_LOOK_S = 0.25


class Commits:
    """An async context manager; looks at the group's offsets a few times a second.

    Args:
        bootstrap_servers: The broker itself.
        group_id: Whose offsets.
        topic: Of the input.
        partitions: How many it has.
        told: Called after each look with the offsets and the time.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str,
        topic: str,
        partitions: int,
        told: Callable[[Mapping[int, int], float], None],
    ) -> None:
        self._client = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers, group_id=group_id, enable_auto_commit=False
        )
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._told = told
        self._task: asyncio.Task[None] | None = None
        self.offsets: dict[int, int] = {}

    async def __aenter__(self) -> Self:
        await self._client.start()
        self._client.assign(self._partitions)
        self._task = asyncio.create_task(self._follow(), name="commits")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.stop()

    async def until(self, ends: Mapping[int, int], patience_s: float) -> bool:
        """Wait until everything before these offsets is committed.

        Args:
            ends: One past the last, by partition.
            patience_s: For how long nothing at all may be committed, seconds.

        Returns:
            False when it was longer.
        """
        before, since = dict(self.offsets), monotonic()
        while not passed(self.offsets, ends):
            if self.offsets != before:
                before, since = dict(self.offsets), monotonic()
            if monotonic() - since > patience_s or (self._task and self._task.done()):
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    async def _follow(self) -> None:
        while True:
            # The broker may be frozen; the next look asks again.
            with suppress(KafkaError):
                for it in self._partitions:
                    if (offset := await self._client.committed(it)) is not None:
                        self.offsets[it.partition] = offset
            self._told(self.offsets, monotonic())
            await asyncio.sleep(_LOOK_S)


def passed(offsets: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    """Whether every partition is committed to its end."""
    return all(offsets.get(partition, 0) >= end for partition, end in ends.items())
