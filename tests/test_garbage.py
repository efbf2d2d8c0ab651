"""Garbage that refers to itself is freed by the clock, whatever the counts of the collector."""

import asyncio
import gc
import weakref

from afterguard.garbage import collect_garbage


class Buffer:
    """Something that refers to itself, as what was fetched for a paused partition does."""

    def __init__(self) -> None:
        self.me = self


async def test_what_refers_to_itself_is_freed_though_nothing_is_allocated() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(1_000_000, 1_000, 1_000)
    collecting = asyncio.create_task(collect_garbage(every_s=0.01))
    try:
        young, old = Buffer(), Buffer()
        gc.collect()
        told = [weakref.ref(young), weakref.ref(old)]
        del young, old
        async with asyncio.timeout(10):
            while any(it() is not None for it in told):
                await asyncio.sleep(0.01)
    finally:
        collecting.cancel()
        gc.set_threshold(*usual)
