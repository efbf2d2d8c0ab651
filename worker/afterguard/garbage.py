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

_EVERY_S = 30.0


@contextmanager
def calm_collector() -> Iterator[None]:
    """Count to more before collecting, and leave out all that lives already."""
    # What lives now lives as long as the worker; thousands of events in flight are no garbage
    # either, and looking through them at every few hundred allocations took a fifth of the time.
    # The clock sees to what these counts let pass.
    gc.collect()
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(400_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


async def collect_garbage(*, every_s: float = _EVERY_S) -> None:
    """Collect until cancelled.

    Args:
        every_s: Between two looks at all that is not frozen, seconds. With eight thousand events
            in flight one look stops the loop for some tenths of a second, so they are rare.
    """
    while True:
        await asyncio.sleep(every_s)
        gc.collect()
