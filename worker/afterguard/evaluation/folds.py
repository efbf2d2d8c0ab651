"""Folds: parts of the rows to check on what was fitted on the rest; a group is never parted."""

from collections.abc import Sequence
from typing import Final

import numpy as np

FOLDS: Final = 5
_SEED: Final = 0


def folds_of(labels: Sequence[bool], groups: Sequence[int]) -> list[list[int]] | None:
    """The rows of each fold; groups with a violation are spread evenly over the folds.

    There are as many as `FOLDS`, or fewer where there are too few groups. Equal rows give equal
    folds.

    Args:
        labels: Whether each row violates.
        groups: Which rows belong together.

    Returns:
        None when no parting leaves both kinds of rows outside of each fold.
    """
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415 (an extra)

    # scikit-learn has folds of groups, too, which take milliseconds for each group.
    violates: dict[int, bool] = {}
    for label, group in zip(labels, groups, strict=True):
        violates[group] = violates.get(group, False) or bool(label)
    names, kinds = list(violates), np.array(list(violates.values()), dtype=np.bool_)
    fewest = int(min(kinds.sum(), len(kinds) - kinds.sum())) if names else 0
    for count in range(min(FOLDS, fewest), 1, -1):
        parter = StratifiedKFold(count, shuffle=True, random_state=_SEED)
        fold_of = {
            names[place]: number
            for number, (_, part) in enumerate(parter.split(kinds, kinds))
            for place in part
        }
        folds: list[list[int]] = [[] for _ in range(count)]
        for row, group in enumerate(groups):
            folds[fold_of[group]].append(row)
        if all(_both_outside(labels, fold) for fold in folds):
            return folds
    return None


def _both_outside(labels: Sequence[bool], fold: Sequence[int]) -> bool:
    inside = sum(labels[row] for row in fold)
    return inside < sum(labels) and len(fold) - inside < len(labels) - sum(labels)
