"""The two rooms that differ by the promise: how outputs are written, and how offsets advance."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from afterguard.contracts.errors import RejectedInput
from afterguard.contracts.records import InputRecord
from afterguard.delivery.ledger import Entry
from afterguard.delivery.order import KeyOrder
from afterguard.flow.decide import Decision
from afterguard.stream.ports import Partition


class Publishing(Protocol):
    """Takes what the flow has decided; see `stream.publish` and `stream.transactional_publish`."""

    async def run(self) -> None:
        """Serve until `close`.

        Raises:
            PublishFailed: The log refused a record.
        """
        ...

    def close(self) -> None:
        """Take nothing more."""
        ...

    def publish(self, decision: Decision) -> None:
        """Take a decision; see `flow.publisher.Publisher`. Never blocks."""
        ...

    def reject(self, record: InputRecord, entry: Entry, rejected: RejectedInput) -> None:
        """Take a record that is no event. Never blocks."""
        ...

    @property
    def waiting(self) -> int:
        """How much is taken and not handed to the log."""
        ...

    def queued(self) -> Collection[Entry]:
        """Events of which a record was not handed to the log yet."""
        ...

    def held_back(self, order: KeyOrder[Any]) -> Collection[Entry]:
        """Events whose intervention waits for an earlier one of its conversation."""
        ...


class Settling(Protocol):
    """Lets the group's offsets advance; see `stream.settle` and `stream.transactions`."""

    async def run(self) -> None:
        """Advance them until cancelled.

        Raises:
            StreamError: The worker must end.
        """
        ...

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """These are ours from now on; nothing of an earlier assignment counts. Never blocks."""
        ...

    async def finish(
        self, partitions: Sequence[Partition] | None, *, wait_until: float, end_by: float
    ) -> int:
        """Wait for what is in flight, then let the offsets advance a last time.

        Args:
            partitions: Of these; of all when None.
            wait_until: Monotonic seconds; what is in flight then is left behind.
            end_by: Monotonic seconds; returns by then, whatever hangs.

        Returns:
            Events left behind; another owner will read them again.
        """
        ...

    def close(self, partitions: Sequence[Partition]) -> int:
        """Let go of these at once: nothing that completes later moves an offset of theirs.

        Returns:
            How many events were abandoned; another owner will read them again.
        """
        ...

    async def closed(self, end_by: float) -> None:
        """Wait until nothing of what was let go holds a connection; returns by `end_by`."""
        ...

    async def stop(self) -> None:
        """End for good: nothing is assigned any more, nothing is left connected."""
        ...
