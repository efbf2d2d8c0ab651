"""Rows for tests of measures: labels of which some are unknown, flags, and scores with ties."""

from typing import NamedTuple

from hypothesis import strategies as st


class Answers(NamedTuple):
    """Labels and answers, row by row."""

    labels: list[bool | None]
    flags: list[bool]
    scores: list[float | None]
    groups: list[int]

    def only_known(self) -> "Answers":
        """The same rows without those of unknown label."""
        kept = [row for row in zip(*self, strict=True) if row[0] is not None]
        columns = [list(column) for column in zip(*kept, strict=True)] or [[], [], [], []]
        return Answers(*columns)


_ROW = st.tuples(
    st.sampled_from([True, False, None]),
    st.booleans(),
    # Few values, so that ties are common.
    st.none() | st.integers(0, 8).map(lambda eighths: eighths / 8),
    st.integers(0, 5),
)


@st.composite
def answers(draw: st.DrawFn, most: int = 40) -> Answers:
    """Any rows, none at all among them."""
    rows = draw(st.lists(_ROW, max_size=most))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    return Answers(*columns)
