"""How many series a worker can show at most; a test counts them."""

from typing import Final, NamedTuple


class Most(NamedTuple):
    """The most series.

    Attributes:
        fixed: Whatever is judged.
        policy: For each policy.
        partition: For each partition that is read.
    """

    fixed: int
    policy: int
    partition: int


MOST: Final = Most(401, 110, 11)
