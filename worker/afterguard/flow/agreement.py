"""Agreement: how a version on trial judged an event, against the version in force."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Protocol

from afterguard.contracts.verdicts import Verdict
from afterguard.contracts.words import ANSWERED, Action, Outcome


class Agreement(StrEnum):
    """What the other version makes of an event, beside the first."""

    SAME = "same"
    STRICTER = "stricter"
    LAXER = "laxer"
    UNCLEAR = "unclear"
    UNJUDGED = "unjudged"


class Judged(Protocol):
    """As much of a verdict as it takes to compare it."""

    @property
    def outcome(self) -> Outcome:
        """What was found."""
        ...

    @property
    def action(self) -> Action:
        """What follows, or would."""
        ...


def agreement(one: Judged, other: Judged) -> Agreement:
    """How the other verdict stands to the first.

    Two violations are the same when the same action follows, whatever rules they cite. A verdict
    that leaves the event to a person is neither stricter nor laxer than a certain one.
    """
    outcomes = {one.outcome, other.outcome}
    if not outcomes <= ANSWERED:
        return Agreement.UNJUDGED
    if one.outcome is other.outcome:
        if one.outcome is not Outcome.VIOLATION or one.action is other.action:
            return Agreement.SAME
        rises = other.action.rank > one.action.rank
    elif Outcome.UNCERTAIN in outcomes:
        return Agreement.UNCLEAR
    else:
        rises = other.outcome is Outcome.VIOLATION
    return Agreement.STRICTER if rises else Agreement.LAXER


def trials(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, Agreement]]:
    """Policy id and agreement, for each version on trial whose policy judged the event too.

    Args:
        verdicts: All that were reached on one event.
    """
    in_force = {it.policy_id: it for it in verdicts if not it.shadow}
    for verdict in verdicts:
        first = in_force.get(verdict.policy_id) if verdict.shadow else None
        if first is not None and verdict.policy_id is not None:
            yield verdict.policy_id, agreement(first, verdict)
