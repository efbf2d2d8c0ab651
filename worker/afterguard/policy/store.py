"""The policy store: where running workers learn which versions are in force.

One in Redis (`state.policy_store`), one in a folder (`policy.store_folder`). Neither is in the way:
a worker that cannot reach its store goes on with what it has.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from afterguard.contracts.releases import Act, Change, HistoryEntry, Pointer, Release, StoreState

__all__ = ["Act", "Change", "HistoryEntry", "Pointer", "PolicyStore", "Release", "StoreState"]


class PolicyStore(Protocol):
    """Keeps versions, which of them count, and the history of that; nothing in it expires."""

    @property
    def place(self) -> str:
        """Where it is, for people; without credentials."""
        ...

    async def state(self) -> StoreState:
        """What it says now.

        Raises:
            StateUnavailable: It does not answer, or what it holds makes no sense.
        """
        ...

    async def document(self, policy_id: str, version: str) -> Release | None:
        """A version as it was handed in; None when it is not there.

        Raises:
            StateUnavailable: As `state`.
        """
        ...

    async def versions(self, policy_id: str) -> list[str]:
        """The versions that are kept of a policy, by name.

        Raises:
            StateUnavailable: As `state`.
        """
        ...

    async def change(self, change: Change, *, expected: int) -> StoreState:
        """Make a change, whole or not at all, and let workers know.

        Args:
            change: What is wanted.
            expected: The revision of the state that led to it.

        Raises:
            StaleRevision: Somebody has changed this policy since; says who, when and what.
            StateUnavailable: As `state`. Whether the change was made must be looked up.
        """
        ...

    async def history(self, policy_id: str) -> list[HistoryEntry]:
        """All changes of a policy, the first one first.

        Raises:
            StateUnavailable: As `state`.
        """
        ...

    def watch(self) -> AsyncGenerator[StoreState, None]:
        """What it says: now, soon after each change, and every few moments in between.

        Every state that is yielded is a contact, also one that says nothing new.

        Raises:
            StateUnavailable: As `state`; ask for a new watch.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. May be called more than once."""
        ...
