"""The token budget: how much admitted, unsettled work the worker holds.

Counting tokens rather than records keeps memory and engine queue alike whether the messages are
three words or three pages. Intake is told to pause above the budget and to resume below a lower
mark; without that distance every settled event would toggle the consumer, and a paused partition
throws away what it had fetched.
"""

from typing import NamedTuple


class BudgetStatistics(NamedTuple):
    """One look at the budget; health, metrics and tests read the same tuple."""

    tokens: int
    token_limit: int
    events: int
    event_limit: int
    exhausted: bool


class TokenBudget:
    """Tokens and events in flight against their limits.

    Args:
        tokens: Most tokens in flight. A single event may exceed it when nothing else is in flight.
        events: Most events in flight.
        resume_share: Intake resumes when both stand below this share of their limits.
    """

    def __init__(self, tokens: int, events: int, resume_share: float) -> None:
        self._token_limit, self._event_limit = tokens, events
        self._resume_share = resume_share
        self._token_mark, self._event_mark = tokens * resume_share, events * resume_share
        self._tokens = 0
        self._events = 0
        self._exhausted = False
        self._released = 0

    def take(self, tokens: int) -> None:
        """Count one event in. Never refuses: what was fetched must be held somewhere."""
        self._tokens += tokens
        self._events += 1
        if self._tokens >= self._token_limit or self._events >= self._event_limit:
            self._exhausted = True

    def release(self, tokens: int) -> None:
        """Count one event out.

        Raises:
            ValueError: More was released than was taken.
        """
        if tokens > self._tokens or not self._events:
            raise ValueError(f"released {tokens} tokens with {self._tokens} in flight")
        self._tokens -= tokens
        self._events -= 1
        self._released += tokens
        if self._exhausted:
            self._exhausted = self._tokens > self._token_mark or self._events > self._event_mark

    def limit(self, tokens: int) -> None:
        """Set another limit of tokens. What is in flight above it stays; nothing more comes."""
        self._token_limit, self._token_mark = tokens, tokens * self._resume_share
        if self._tokens >= self._token_limit:
            self._exhausted = True
        elif self._exhausted:
            self._exhausted = self._tokens > self._token_mark or self._events > self._event_mark

    @property
    def released(self) -> int:
        """Tokens that were ever counted out."""
        return self._released

    @property
    def exhausted(self) -> bool:
        """Whether intake must pause; stays true until the lower mark is reached."""
        return self._exhausted

    @property
    def room_events(self) -> int:
        """How many more events fit, if they are like those in flight; never negative."""
        room = self._event_limit - self._events
        if self._tokens:
            left = self._token_limit - self._tokens
            room = min(room, -(-left * self._events // self._tokens))
        return max(0, room)

    def statistics(self) -> BudgetStatistics:
        """The present figures."""
        return BudgetStatistics(
            self._tokens, self._token_limit, self._events, self._event_limit, self._exhausted
        )
