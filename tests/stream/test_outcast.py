"""Outcast: every commit is refused for a whole session, and no partition is taken away."""

from afterguard.stream.outcast import Outcast


def refused(outcast: Outcast, times: int, *, every_s: float, start: float = 0.0) -> None:
    for number in range(times):
        outcast.refused(start + number * every_s)


def test_a_member_that_is_refused_for_a_whole_session_is_outside() -> None:
    outcast = Outcast(30)
    refused(outcast, 60, every_s=0.5)
    assert not outcast.certain
    outcast.refused(30)
    assert outcast.certain


def test_a_few_refusals_say_nothing_however_far_apart() -> None:
    outcast = Outcast(30)
    refused(outcast, 4, every_s=100)
    assert not outcast.certain


def test_one_commit_that_counts_ends_the_suspicion() -> None:
    outcast = Outcast(30)
    refused(outcast, 59, every_s=0.5)
    outcast.clear()
    outcast.refused(31)
    assert not outcast.certain
