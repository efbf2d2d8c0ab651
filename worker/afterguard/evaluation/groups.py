"""Groups: rows that are not independent of one another, such as the messages of one conversation.

Folds and resamples take or leave a group whole. Else a text that stands in the data twice would be
both what is learned from and what is checked on, and intervals would be too narrow.
"""

from collections.abc import Hashable, Iterable, Sequence


def grouped(keys: Sequence[Iterable[Hashable]]) -> list[int]:
    """The number of the group of each row; rows that share any key, through others too, share it.

    Args:
        keys: Of each row, such as its text and its conversation; a row without any stands alone.

    Returns:
        Numbers from 0, in the order in which groups first appear.
    """
    above = list(range(len(keys)))

    def root(row: int) -> int:
        while above[row] != row:
            above[row] = above[above[row]]
            row = above[row]
        return row

    first: dict[Hashable, int] = {}
    for row, names in enumerate(keys):
        for name in names:
            other = first.setdefault(name, row)
            above[root(row)] = root(other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(row), len(numbers)) for row in range(len(keys))]
