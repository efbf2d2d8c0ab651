"""Garbage: collected by the clock as well, since a worker with little to do allocates too little.

What aiokafka has fetched for a partition that is then paused refers to itself, so only the
collector frees it, with its buffer of a megabyte or more. By count alone the collector would come
to it after hours: the counts are set high (see `lifecycle`), and what has survived once is looked
at only at the thousandth time.
"""

import asyncio
import gc

_YOUNG_S = 5.0
_ALL_EVERY = 6


async def collect_garbage(*, young_s: float = _YOUNG_S, all_every: int = _ALL_EVERY) -> None:
    """Collect until cancelled.

    Args:
        young_s: Between two looks at what is young, seconds; takes a few milliseconds.
        all_every: Each so many looks at all that is not frozen; takes some tens of milliseconds.
    """
    look = 0
    while True:
        await asyncio.sleep(young_s)
        look += 1
        gc.collect(2 if look % all_every == 0 else 1)
