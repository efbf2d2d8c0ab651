"""Figures that are not exact: a range, and where it comes from."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Basis(StrEnum):
    """Where a figure comes from, the most trustworthy first."""

    GIVEN = "given"
    MEASURED = "measured"
    COUNTED = "counted"
    PUBLISHED = "published"
    ASSUMED = "assumed"


class Span(NamedTuple):
    """A quantity between its best and its worst case.

    Attributes:
        best: Where the fewest GPUs are needed.
        likely: What to plan with.
        worst: Where the most are needed.
    """

    best: float
    likely: float
    worst: float

    @classmethod
    def exactly(cls, value: float) -> "Span":
        """A quantity that is known."""
        return cls(value, value, value)

    def map(self, of: Callable[[float], float]) -> "Span":
        """Another quantity that follows from this one in each case."""
        return Span(of(self.best), of(self.likely), of(self.worst))

    def times(self, other: "Span") -> "Span":
        """The product, case by case: the best with the best, the worst with the worst."""
        return Span(self.best * other.best, self.likely * other.likely, self.worst * other.worst)

    def plus(self, other: "Span") -> "Span":
        """The sum, case by case."""
        return Span(self.best + other.best, self.likely + other.likely, self.worst + other.worst)


class Assumption(NamedTuple):
    """One line of what an estimate rests on.

    Attributes:
        what: The quantity, in words.
        value: As it was used, with its unit.
        basis: Where it comes from.
        source: Which document, command or reasoning, exactly.
    """

    what: str
    value: str
    basis: Basis
    source: str
