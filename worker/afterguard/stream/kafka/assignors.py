"""Assignors: who of the group gets which partitions.

aiokafka calls class methods of an assignor. Its sticky one therefore keeps what a member owns on
the class, where every consumer of the process finds it (aiokafka issue 1175), and nobody tells it
the generation of what it owns (issue 1176): each member claims its partitions for generation -1,
and one that slept through a rebalance claims as loudly as the present owner. So each consumer gets
a class of its own, which learns the generation with every assignment.
"""

from collections.abc import Callable
from typing import Any, Literal

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

AssignorName = Literal["round_robin", "sticky", "range"]


def assignor(name: AssignorName, joined: Callable[[], int]) -> type[Any]:
    """The one assignor that a consumer offers its group.

    One alone, though the protocol lets a group agree on one of several: for each further one
    aiokafka joins once more, and every join is a rebalance for all.

    Args:
        name: Which.
        joined: Gives the generation of the group that the consumer is a member of.
    """
    match name:
        case "round_robin":
            return RoundRobinPartitionAssignor  # type: ignore[no-any-return]
        case "range":
            return RangePartitionAssignor  # type: ignore[no-any-return]
        case "sticky":
            return _own_sticky(joined)


def _own_sticky(joined: Callable[[], int]) -> type[Any]:
    class OwnStickyAssignor(StickyPartitionAssignor):  # type: ignore[misc]
        """Knows what one consumer owns, and since which generation."""

        member_assignment = None
        generation = StickyPartitionAssignor.DEFAULT_GENERATION_ID

        @classmethod
        def on_assignment(cls, assignment: Any) -> None:  # noqa: ANN401 (aiokafka is untyped)
            super().on_assignment(assignment)
            cls.on_generation_assignment(joined())

    return OwnStickyAssignor
