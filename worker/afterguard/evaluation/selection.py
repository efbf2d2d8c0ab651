"""Selection: which rows of a data set are judged, and under which policies."""

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from afterguard.contracts.policies import JudgedBy, Policy
from afterguard.evaluation.results import ResultKey
from afterguard.policy.labelled import LabelledRow


class Task(NamedTuple):
    """One row to be judged, under policies that stand together in one question to the room."""

    row: LabelledRow
    policies: tuple[Policy, ...]
    judge: str


def chosen_rows(
    rows: Sequence[LabelledRow], limit: int | None, seed: int | None
) -> list[LabelledRow]:
    """The rows to be judged, in the order of the file.

    Args:
        rows: All of a data set.
        limit: How many at most.
        seed: Draw them at random, equal seeds alike; None for the first ones.
    """
    if limit is None or limit >= len(rows):
        return list(rows)
    if seed is None:
        return list(rows[:limit])
    drawn = random.Random(seed).sample(range(len(rows)), limit)  # noqa: S311 (no secret)
    return [rows[at] for at in sorted(drawn)]


def tasks(
    rows: Iterable[LabelledRow],
    policies: Sequence[Policy],
    judges: Sequence[str],
    done: Collection[ResultKey],
    *,
    together: bool,
    unlabelled_too: bool,
) -> Iterator[Task]:
    """What is left to be judged.

    Args:
        rows: Those that were chosen.
        policies: Those of the run.
        judges: Who judges each row; as each policy says when empty.
        done: What need not be judged again.
        together: Whether policies share a prompt: then a row is judged under all of them, as it
            would be at work, whatever is known of it.
        unlabelled_too: Whether to judge what no label speaks of.
    """
    kept = list(rows)
    for judge, judged_by in _panels(policies, judges):
        for row in kept:
            wanted = [it for it in judged_by if together or unlabelled_too or it.id in row.expected]
            left = [it for it in wanted if ResultKey(row.row_id, it.id, judge) not in done]
            if left:
                yield Task(row, tuple(wanted if together else left), judge)


def _panels(
    policies: Sequence[Policy], judges: Sequence[str]
) -> Iterator[tuple[str, list[Policy]]]:
    """Each judge with the policies that it judges under."""
    if not judges:
        for judge in JudgedBy:
            if own := [it for it in policies if it.judge is judge]:
                yield judge.value, own
        return
    for name in judges:
        yield name, [it.model_copy(update={"judge": JudgedBy(name)}) for it in policies]
