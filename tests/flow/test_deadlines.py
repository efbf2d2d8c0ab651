"""Deadlines: what is overdue ends, and nothing else does."""

import asyncio
from collections.abc import Awaitable

import pytest

from afterguard.flow.deadlines import Deadlines


class Clock:
    """Stands still unless the test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def never() -> str:
    await asyncio.Event().wait()
    return "never"


def waiting(deadlines: Deadlines, at: float, answer: Awaitable[str]) -> asyncio.Task[str | None]:
    return asyncio.create_task(deadlines.within(at, answer))


async def test_an_answer_in_time_comes_through() -> None:
    async def answer() -> str:
        return "answer"

    assert await Deadlines(Clock()).within(1.0, answer()) == "answer"


async def test_only_what_is_overdue_is_ended() -> None:
    clock = Clock()
    deadlines = Deadlines(clock, interval_s=0.001)
    early, late = waiting(deadlines, 1.0, never()), waiting(deadlines, 2.0, never())
    await asyncio.sleep(0)
    clock.now = 1.0
    assert await early is None
    assert not late.done()
    clock.now = 2.0
    assert await late is None


async def test_a_task_whose_request_was_overdue_goes_on_as_if_nothing_had_been() -> None:
    clock = Clock()
    deadlines = Deadlines(clock, interval_s=0.001)

    async def twice() -> str | None:
        assert await deadlines.within(1.0, never()) is None
        await asyncio.sleep(0)
        return await deadlines.within(9.0, _said("and then"))

    task = asyncio.create_task(twice())
    await asyncio.sleep(0)
    clock.now = 1.0
    assert await task == "and then"
    assert task.cancelling() == 0


async def test_a_cancellation_by_somebody_else_passes_though_the_deadline_passed_too() -> None:
    clock = Clock()
    deadlines = Deadlines(clock, interval_s=0.001)
    ended = asyncio.Event()

    async def slow_to_end() -> str:
        try:
            return await never()
        finally:
            ended.set()
            await asyncio.sleep(0)

    task = waiting(deadlines, 1.0, slow_to_end())
    await asyncio.sleep(0)
    clock.now = 1.0
    await ended.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_answer_that_ignores_its_end_still_counts() -> None:
    clock = Clock()
    deadlines = Deadlines(clock, interval_s=0.001)

    async def stubborn() -> str:
        try:
            return await never()
        except asyncio.CancelledError:
            return "after all"

    task = waiting(deadlines, 1.0, stubborn())
    await asyncio.sleep(0)
    clock.now = 1.0
    assert await task == "after all"
    assert task.cancelling() == 0


async def test_an_error_in_time_is_passed_on() -> None:
    async def broken() -> str:
        raise KeyError("odd")

    with pytest.raises(KeyError):
        await Deadlines(Clock()).within(1.0, broken())


async def test_without_a_deadline_nothing_is_watched() -> None:
    clock = Clock()
    deadlines = Deadlines(clock, interval_s=0.001)
    task = asyncio.create_task(deadlines.within(None, never()))
    other = waiting(deadlines, 1.0, never())
    await asyncio.sleep(0)
    clock.now = 1e9
    await other
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _said(word: str) -> str:
    return word
