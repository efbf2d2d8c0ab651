"""The feed: a blocking iterator on the event loop, in order, bounded, ended at any time."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterguard.cli.feed import Feed

WAIT_S = 20.0


async def drained(feed: Feed[int]) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(WAIT_S):
        while batch := await feed.next_batch():
            found += batch
    return found


@given(count=st.integers(0, 300), ahead=st.integers(1, 50))
@settings(deadline=None, max_examples=40)
def test_every_item_comes_once_and_in_order(count: int, ahead: int) -> None:
    async def read() -> list[int]:
        return await drained(Feed(range(count), ahead=ahead))

    assert asyncio.run(read()) == list(range(count))


async def test_no_more_is_read_than_was_allowed() -> None:
    read: list[int] = []
    enough = threading.Event()

    def items() -> Iterator[int]:
        for number in range(1_000):
            read.append(number)
            if number == 3:
                enough.set()
            yield number

    feed = Feed(items(), ahead=3)
    assert await asyncio.to_thread(enough.wait, WAIT_S)
    # The fourth was read and waits for room; a fifth would be one too many.
    assert len(read) == 4
    first = await feed.next_batch()
    assert first == [0, 1, 2]
    assert await drained(feed) == list(range(3, 1_000))


async def test_a_fault_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("broken off")

    feed = Feed(items(), ahead=2)
    found = await feed.next_batch()
    while len(found) < 2:
        found += await feed.next_batch()
    assert found == [1, 2]
    with pytest.raises(OSError, match="broken off"):
        await feed.next_batch()


async def test_closing_ends_a_reader_that_waits_for_input_which_never_comes() -> None:
    never = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        never.wait(WAIT_S)

    feed = Feed(items())
    assert await feed.next_batch() == [1]
    waiting = asyncio.create_task(feed.next_batch())
    await asyncio.sleep(0)
    feed.close()
    async with asyncio.timeout(WAIT_S):
        assert await waiting == []
    never.set()


async def test_closing_ends_the_thread_at_its_next_item() -> None:
    feed = Feed(range(1_000), ahead=2)
    assert await feed.next_batch()
    feed.close()
    async with asyncio.timeout(WAIT_S):
        while any(it.name == "feed" for it in threading.enumerate()):
            await asyncio.sleep(0.01)
    assert await feed.next_batch() == []
