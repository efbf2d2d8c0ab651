"""Folds: parts of the rows to check on what was fitted on the rest; a group is never parted."""

from collections.abc import Sequence
from typing import Final

import numpy as np

FOLDS: Final = 5


def folds_of(
    labels: Sequence[bool], groups: Sequence[int], *, most: int = FOLDS, seed: int = 0
) -> list[list[int]] | None:
    """The rows of each fold, with violations spread over the folds as evenly as groups allow.

    Args:
        labels: Whether each row violates.
        groups: Which rows belong together.
        most: As many folds as this, or fewer where there are too few groups.
        seed: Equal seeds give equal folds.

    Returns:
        None when no parting leaves both kinds of rows outside of each fold.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 (an extra)

    truth = np.array(labels, dtype=np.bool_)
    kinds = [
        len({group for group, label in zip(groups, labels, strict=True) if label is kind})
        for kind in (True, False)
    ]
    for count in range(min(most, *kinds), 1, -1):
        parter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        parts = list(parter.split(truth, truth, groups))
        if all(0 < truth[rest].sum() < len(rest) for rest, _ in parts):
            return [[int(row) for row in part] for _, part in parts]
    return None
