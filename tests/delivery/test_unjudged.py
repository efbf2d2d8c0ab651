"""Unjudged: the oldest without a verdict is the one that a look at all of them would find."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.ledger import Entry, Ledger, Stage
from afterguard.delivery.unjudged import Unjudged

TIMES = st.integers(0, 20)
# A time: an event with it comes in. None: one that has no verdict gets it, by the second number.
STEPS = st.lists(st.tuples(TIMES | st.none(), st.integers(0, 50)), max_size=60)


def naive(waiting: dict[Entry, int]) -> int | None:
    return min((time for it, time in waiting.items() if it.stage is Stage.ADMITTED), default=None)


@given(STEPS)
def test_it_tells_what_a_look_at_all_events_tells(steps: list[tuple[int | None, int]]) -> None:
    ledger, unjudged = Ledger(lambda _: None), Unjudged()
    waiting: dict[Entry, int] = {}
    for offset, (time, which) in enumerate(steps):
        if time is not None:
            entry = ledger.admit(offset, 1, 0.0)
            waiting[entry] = time
            unjudged.add(time, entry)
        elif open_ones := [it for it in waiting if it.stage is Stage.ADMITTED]:
            open_ones[which % len(open_ones)].advance(Stage.JUDGED)
        if which % 2:
            assert unjudged.oldest() == naive(waiting)
    assert unjudged.oldest() == naive(waiting)


def test_behind_one_that_is_never_judged_the_others_are_forgotten() -> None:
    ledger, unjudged, chance = Ledger(lambda _: None), Unjudged(), Random(7)
    unjudged.add(0, ledger.admit(0, 1, 0.0))
    for offset in range(1, 20_000):
        entry = ledger.admit(offset, 1, 0.0)
        unjudged.add(offset + chance.randrange(50), entry)
        entry.advance(Stage.SETTLED)
        if not offset % 500:
            assert unjudged.oldest() == 0
    assert len(unjudged) < 3_000
