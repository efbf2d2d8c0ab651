"""The publisher: the port through which decisions leave the flow."""

from typing import Protocol

from afterguard.flow.decide import Decision


class Publisher(Protocol):
    """Takes decisions and sees to it that they are written."""

    def publish(self, decision: Decision) -> None:
        """Take a decision. Returns at once; the event is settled when the log has all of it."""
        ...
