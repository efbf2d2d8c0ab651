"""Suspects: the circle narrows with each death, and only what was alone is condemned."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.flow.suspects import Places, together


@given(st.integers(1, 4_096), st.integers(2, 8))
def test_the_circle_narrows_from_the_crowd_to_one(crowd: int, quarantine_after: int) -> None:
    circles = [
        together(deaths, crowd=crowd, quarantine_after=quarantine_after)
        for deaths in range(quarantine_after)
    ]
    assert circles[0] == crowd
    assert circles == sorted(circles, reverse=True)
    assert circles[-1] == 1


def test_with_three_deaths_a_crowd_of_512_becomes_22_and_then_one() -> None:
    assert [together(it, crowd=512, quarantine_after=3) for it in range(4)] == [512, 22, 1, 1]


def places() -> Places:
    return Places(crowd=16, quarantine_after=3)


async def entering(places: Places, *deaths: int) -> "list[asyncio.Task[int]]":
    tasks = [asyncio.ensure_future(places.enter(it)) for it in deaths]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_without_a_suspect_there_is_no_limit() -> None:
    assert all(it.done() for it in await entering(places(), *[0] * 500))


async def test_a_suspect_waits_until_few_enough_are_at_the_engine() -> None:
    at = places()
    await entering(at, 0, 0, 0, 0)
    (suspect,) = await entering(at, 1)
    assert not suspect.done()
    at.leave(0)
    await suspect
    assert at.suspects == 1


async def test_nothing_unsuspected_is_let_in_while_a_suspect_is_there_or_waits() -> None:
    at = places()
    (suspect,) = await entering(at, 2)
    (newcomer,) = await entering(at, 0)
    assert (suspect.done(), newcomer.done()) == (True, False)
    at.leave(2)
    await newcomer


async def test_the_narrowest_circle_goes_first_and_alone() -> None:
    at = places()
    await entering(at, 1, 1)
    narrow, wide = await entering(at, 2, 1)
    at.leave(1)
    at.leave(1)
    await narrow
    assert not wide.done()
    at.leave(2)
    await wide


@pytest.mark.parametrize("deaths", [0, 2])
async def test_one_that_gives_up_waiting_holds_up_nobody(deaths: int) -> None:
    at = places()
    await entering(at, 1)
    gone, stays = await entering(at, deaths, 0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    at.leave(1)
    await stays


@pytest.mark.parametrize("deaths", [0, 1])
async def test_one_that_is_let_in_and_cancelled_at_once_keeps_no_place(deaths: int) -> None:
    at = places()
    await entering(at, 2)
    (task,) = await entering(at, deaths)
    at.leave(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (alone,) = await entering(at, 2)
    assert alone.done()


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=40))
def test_nobody_is_ever_in_larger_company_than_its_deaths_allow_and_all_come_through(
    visitors: list[tuple[int, bool, bool]],
) -> None:
    async def run() -> None:
        at = Places(crowd=16, quarantine_after=4)
        inside: list[int] = []

        async def visit(deaths: int, slow: bool) -> None:
            await at.enter(deaths)
            try:
                inside.append(deaths)
                strictest = max(inside)
                if strictest:
                    limit = together(strictest, crowd=16, quarantine_after=4)
                    # Those that were let in before anybody was suspected only grow fewer.
                    assert len(inside) <= max(limit, 1)
                for _ in range(5 if slow else 1):
                    await asyncio.sleep(0)
            finally:
                inside.remove(deaths)
                at.leave(deaths)

        tasks = []
        for deaths, slow, cancelled in visitors:
            tasks.append(asyncio.ensure_future(visit(deaths, slow)))
            await asyncio.sleep(0)
            if cancelled:
                tasks[-1].cancel()
        async with asyncio.timeout(10):
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [it for it in ended if isinstance(it, Exception)]
        assert at.suspects == 0
        await at.enter(3)

    asyncio.run(run())
