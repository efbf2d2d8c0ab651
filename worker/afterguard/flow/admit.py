"""Admit: which policies apply to an event, how urgent it is, and until when it matters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.records import InputRecord
from afterguard.contracts.replays import Origin, origin_of
from afterguard.contracts.words import Degraded, Lane, Reason
from afterguard.delivery.ledger import Entry
from afterguard.delivery.order import Ticket
from afterguard.flow.lanes import lane_place, urgency
from afterguard.flow.ports import PolicySource
from afterguard.flow.settings import JudgingSettings
from afterguard.telemetry.trail import Trail


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(slots=True, eq=False)
class Admission:
    """One event on its way through the flow.

    Attributes:
        event: What was said.
        record: As it was read; kept for a dead letter.
        entry: Its place in the ledger; settling it lets the offset move.
        ticket: Its place among the events of its conversation.
        policies: Those to judge it under.
        skip: Why it is not judged at all; None when it is.
        lane: How urgent it is.
        place: Its place among all that wait (see `lanes`).
        deadline: Monotonic seconds after which a judgement is of no use; None for no deadline.
        received_at: Wall clock when the worker took the record.
        received: The same moment, monotonic seconds.
        degraded: What was missing or odd on the way.
        seen_key: The key to remember the event by once it is published; None to forget it.
        replay_of: The record that this one is a replay of; None for one that is none.
        judged_from: When its turn at the judge came, monotonic seconds; None before.
        asked_at: When the engine was first asked, monotonic seconds; None before.
        attempts: How often the most stubborn of its requests was tried so far.
        trail: What its spans are made of; None when it is not sampled.
    """

    event: ChatEvent
    record: InputRecord
    entry: Entry
    ticket: Ticket[Any]
    policies: tuple[Policy, ...]
    skip: Reason | None
    lane: Lane
    place: float
    deadline: float | None
    received_at: datetime
    received: float
    degraded: list[Degraded] = field(default_factory=list)
    seen_key: str | None = None
    replay_of: Origin | None = None
    judged_from: float | None = None
    asked_at: float | None = None
    attempts: int = 0
    trail: Trail | None = None

    @property
    def origin(self) -> Coordinates:
        """Where the record first stood; ids are made from it."""
        return self.record.coordinates if self.replay_of is None else self.replay_of.coordinates


class Admit:
    """Turns events into admissions.

    Args:
        policies: Says which policies apply to an event.
        settings: Lanes and deadlines.
        max_clock_skew_s: An event further ahead of our clock than this is marked.
        now: The wall clock.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        policies: PolicySource,
        settings: JudgingSettings,
        *,
        max_clock_skew_s: float,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._policies = policies
        self._settings = settings
        self._max_skew = timedelta(seconds=max_clock_skew_s)
        self._now, self._clock = now, clock

    def admit(
        self, event: ChatEvent, record: InputRecord, entry: Entry, ticket: Ticket[Any]
    ) -> Admission:
        """The admission of one event; pure but for the two clocks."""
        now, received = self._now(), self._clock()
        policies, unknown = self._policies.applicable(event)
        degraded = [Degraded.POLICY_UNKNOWN] if unknown else []
        if not self._policies.confirmed:
            degraded.append(Degraded.POLICIES_UNCONFIRMED)
        if event.occurred_at > now + self._max_skew:
            degraded.append(Degraded.CLOCK_SKEW)
        lane = entry.lane = self._lane(event, policies)
        return Admission(
            event=event,
            record=record,
            entry=entry,
            ticket=ticket,
            policies=policies,
            skip=self._skip(event, policies, unknown),
            lane=lane,
            place=lane_place(lane, received, self._settings.ageing_s),
            deadline=self._deadline(event, lane, now, received),
            received_at=now,
            received=received,
            degraded=degraded,
            replay_of=origin_of(record) if record.headers else None,
        )

    def _lane(self, event: ChatEvent, policies: tuple[Policy, ...]) -> Lane:
        # One event is judged under all of its policies at once: the most urgent of them decides.
        own = event.lane or self._settings.default_lane
        acting = (it.lane or own for it in policies if not it.shadow)
        return min(acting, key=urgency, default=own)

    def _deadline(
        self, event: ChatEvent, lane: Lane, now: datetime, received: float
    ) -> float | None:
        left = self._settings.deadline_s.get(lane)
        if event.deadline is not None:
            theirs = (event.deadline - now).total_seconds()
            left = theirs if left is None else min(left, theirs)
        return None if left is None else received + left

    @staticmethod
    def _skip(
        event: ChatEvent, policies: tuple[Policy, ...], unknown: tuple[str, ...]
    ) -> Reason | None:
        if not policies:
            return Reason.UNKNOWN_POLICY if unknown else Reason.NO_POLICY_APPLIES
        return Reason.EMPTY_CONTENT if event.is_blank else None
