"""Garbage: collected seldom by count, and by the clock as well.

What aiokafka has fetched for a partition that is then paused refers to itself, so only the
collector frees it, with its buffer of a megabyte or more. By count alone the collector would come
to it after hours: the counts are set high, and what has survived once is looked at only at the
thousandth time.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG_S = 5.0
_ALL_EVERY = 6


@contextmanager
def calm_collector() -> Iterator[None]:
    """Count to more before collecting, and leave out all that lives already."""
    # What lives now lives as long as the worker; thousands of events in flight are no garbage
    # either, and looking through them at every few hundred allocations took a fifth of the time.
    gc.collect()
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


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
