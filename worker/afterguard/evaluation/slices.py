"""Slices: the same figures for parts of the rows, by language, length, kind and tag."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from afterguard.contracts.words import Outcome
from afterguard.evaluation.measures import confusion
from afterguard.evaluation.results import Result

# Ends of lengths, in characters.
_LENGTHS: Final = ((100, "up to 100"), (400, "101 to 400"), (1_600, "401 to 1,600"))
_LONGEST: Final = "over 1,600"
_JUDGED: Final = frozenset({Outcome.VIOLATION, Outcome.NO_VIOLATION})
# Labels of the data have a table of their own.
_NO_SLICE: Final = ("label:", "lang:")
_MOST_TAGS: Final = 40


class Slice(BaseModel):
    """A part of the rows. Small ones say little; no interval is given for them."""

    model_config = ConfigDict(frozen=True)

    by: str = Field(description="`language`, `length`, `kind` or `tag`.")
    value: str
    rows: int
    labelled: int
    violations: int
    precision: float | None
    recall: float | None
    f1: float | None
    undecided: int = Field(description="Rows whose outcome is neither violation nor no violation.")


def slices(results: Sequence[Result]) -> tuple[Slice, ...]:
    """The parts of the rows, in the order of their names; a part that is all of them is none."""
    parts: dict[tuple[str, str], list[Result]] = {}
    for it in results:
        for place in _places(it):
            parts.setdefault(place, []).append(it)
    tags = Counter({place[1]: len(part) for place, part in parts.items() if place[0] == "tag"})
    kept = {tag for tag, _ in tags.most_common(_MOST_TAGS)}
    return tuple(
        _slice(by, value, part)
        for (by, value), part in sorted(parts.items(), key=_order)
        if (by != "tag" or value in kept) and len(part) < len(results)
    )


def length_of(characters: int) -> str:
    """The name of a length."""
    return next((name for most, name in _LENGTHS if characters <= most), _LONGEST)


def _places(it: Result) -> Iterator[tuple[str, str]]:
    yield "language", (it.language or "not given")
    yield "length", length_of(it.characters)
    yield "kind", it.kind.value
    for tag in dict.fromkeys(it.tags):
        if not tag.startswith(_NO_SLICE):
            yield "tag", tag


def _order(part: tuple[tuple[str, str], list[Result]]) -> tuple[str, int, str]:
    (by, value), _ = part
    names = [name for _, name in _LENGTHS]
    rank = names.index(value) if by == "length" and value in names else len(names)
    return by, rank, value


def _slice(by: str, value: str, part: Sequence[Result]) -> Slice:
    met = confusion([it.expected for it in part], [it.flagged for it in part])
    return Slice(
        by=by,
        value=value,
        rows=len(part),
        labelled=met.labelled,
        violations=met.positives,
        precision=met.precision.value,
        recall=met.recall.value,
        f1=met.f1.value,
        undecided=sum(it.outcome not in _JUDGED for it in part),
    )
