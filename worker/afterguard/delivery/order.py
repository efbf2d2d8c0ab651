"""Order per key: what belongs to one conversation leaves in the order it came in.

Judging is unordered: a short message overtakes a long one. A consumer of interventions must still
see those of one conversation in event order, while no other conversation waits. So each event
draws a ticket for its key, and what it has to say is held until every earlier ticket of that key
is done.
"""

from collections import deque
from typing import Generic, TypeVar

Payload = TypeVar("Payload")


class Ticket(Generic[Payload]):
    """One event's place in the row of its key. Drawn from `KeyOrder.enter` only."""

    __slots__ = ("_order", "key", "payload", "used")

    def __init__(self, order: "KeyOrder[Payload]", key: str) -> None:
        self._order = order
        self.key = key
        self.used = False
        self.payload: Payload | None = None

    def done(self, payload: Payload | None = None) -> list[Payload]:
        """The ticket's event is decided.

        Args:
            payload: What it has to say, if anything.

        Returns:
            What may leave now, in order: this payload and those that waited for it.

        Raises:
            ValueError: The ticket was done before.
        """
        return self._order.leave(self, payload)


class KeyOrder(Generic[Payload]):
    """Rows of tickets, one row a key."""

    def __init__(self) -> None:
        self._rows: dict[str, deque[Ticket[Payload]]] = {}
        self._held = 0

    def enter(self, key: str) -> Ticket[Payload]:
        """Draw the next ticket of a key; call it in the order of the log."""
        ticket: Ticket[Payload] = Ticket(self, key)
        row = self._rows.get(key)
        if row is None:
            self._rows[key] = deque((ticket,))
        else:
            row.append(ticket)
        return ticket

    def leave(self, ticket: Ticket[Payload], payload: Payload | None) -> list[Payload]:
        """See `Ticket.done`."""
        if ticket.used:
            raise ValueError(f"ticket of key {ticket.key!r} is done already")
        ticket.used = True
        row = self._rows[ticket.key]
        if row[0] is not ticket:
            ticket.payload = payload
            self._held += payload is not None
            return []
        free = [] if payload is None else [payload]
        row.popleft()
        while row and row[0].used:
            waiting = row.popleft().payload
            if waiting is not None:
                self._held -= 1
                free.append(waiting)
        if not row:
            del self._rows[ticket.key]
        return free

    def waiting(self) -> list[Payload]:
        """The payloads that wait for an earlier ticket of their key; for a look."""
        return [it.payload for row in self._rows.values() for it in row if it.payload is not None]

    @property
    def held(self) -> int:
        """How many payloads wait for an earlier ticket of their key."""
        return self._held

    @property
    def keys(self) -> int:
        """How many keys have tickets out."""
        return len(self._rows)
