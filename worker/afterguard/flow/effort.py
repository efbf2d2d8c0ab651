"""Effort: how long the model may reason about an event, as its lane stands in the compute budget.

As an hour's budget is used up, one lane after the other gives up its second looks and then its
effort, the least urgent first. Only when all of them have is anything shed.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from time import monotonic
from typing import Final, Protocol

import structlog

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort, Lane
from afterguard.delivery.compute_budget import ComputeBudget
from afterguard.delivery.ladder import RUNGS, Ladder

_log = structlog.get_logger(__name__)


class Step(IntEnum):
    """What a lane still gets."""

    FULL = 0
    NO_SECOND_LOOK = 1
    LOW_EFFORT = 2
    SHED = 3


_DOWN: Final[tuple[tuple[Lane, Step], ...]] = (
    (Lane.BACKFILL, Step.NO_SECOND_LOOK),
    (Lane.BACKFILL, Step.LOW_EFFORT),
    (Lane.STANDARD, Step.NO_SECOND_LOOK),
    (Lane.STANDARD, Step.LOW_EFFORT),
    (Lane.LIVE, Step.NO_SECOND_LOOK),
    (Lane.LIVE, Step.LOW_EFFORT),
    (Lane.BACKFILL, Step.SHED),
    (Lane.STANDARD, Step.SHED),
    (Lane.LIVE, Step.SHED),
)


class Steps(Protocol):
    """Says what each lane gets now."""

    def step(self, lane: Lane) -> Step:
        """What this lane gets. Returns at once."""
        ...


class FullEffort:
    """Nothing is ever taken away."""

    def step(self, lane: Lane) -> Step:
        """See `Steps.step`: all of it."""
        del lane
        return Step.FULL


class BudgetSteps:
    """Steps down as a compute budget is used up.

    Args:
        budget: What judging has cost.
        begins: Share of it at which the first step is taken.
        shed_live: Whether even live events are shed once all of it is spent.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        budget: ComputeBudget,
        *,
        begins: float,
        shed_live: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._budget, self._clock = budget, clock
        self._ladder = Ladder(begins, RUNGS if shed_live else RUNGS - 1)
        self._stands = 0
        self._lanes = _lanes(0)

    def step(self, lane: Lane) -> Step:
        """See `Steps.step`."""
        stands = self._ladder.stand(used := self._budget.used(self._clock()))
        if stands != self._stands:
            tell = _log.warning if stands > self._stands else _log.info
            self._stands, self._lanes = stands, _lanes(stands)
            tell(
                "the compute budget changes what the lanes get",
                used=round(used, 3),
                **{lane.value: step.name.lower() for lane, step in self._lanes.items()},
            )
        return self._lanes[lane]


def first_effort(policy: Policy, step: Step) -> Effort:
    """How long the model may reason at first."""
    return policy.effort if step < Step.LOW_EFFORT else Effort.LOW


def _lanes(stands: int) -> Mapping[Lane, Step]:
    return dict.fromkeys(Lane, Step.FULL) | dict(_DOWN[:stands])
