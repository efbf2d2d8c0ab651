"""Membership: one client's time in the group."""

from collections.abc import Callable, Collection
from time import monotonic

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from afterguard.stream.ports import AssignmentListener, Partition


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hears from aiokafka what the client was dealt out, and tells our own listener.

    Args:
        listener: Told when partitions come and go.
        forget: Called when an assignment is over.

    Attributes:
        client: The client; None before it is made and after it was given up.
        joining_since: Monotonic seconds since when it waits to be dealt out partitions anew.
    """

    def __init__(self, listener: AssignmentListener, forget: Callable[[], None]) -> None:
        self.listener, self._forget = listener, forget
        self.client: AIOKafkaConsumer | None = None
        self.joining_since: float | None = None
        self._owned: list[Partition] = []
        self._over = False

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """See `aiokafka.ConsumerRebalanceListener`."""
        if not self._over:
            if revoked:  # the first join takes nothing away
                self.joining_since = monotonic()
            await self._let_go()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """See `aiokafka.ConsumerRebalanceListener`."""
        # Nothing may be awaited before the ledgers stand: aiokafka is fetching already.
        if not self._over:
            self.joining_since = None
            self._owned = sorted(Partition(it.topic, it.partition) for it in assigned)
            self.listener.assigned(self._owned)

    async def give_up(self) -> None:
        """Let go of what is owned while commits still count; hear nothing from now on."""
        self._over = True
        await self._let_go()
        self.client = None

    def end(self) -> None:
        """Hear nothing from now on: the worker leaves, and has let go already."""
        self._over, self.client = True, None

    async def _let_go(self) -> None:
        owned, self._owned = self._owned, []
        if owned:
            await self.listener.revoked(owned)
        self._forget()
