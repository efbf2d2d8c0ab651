"""A flood is so many of one cause within a window; it stays until its cause is accepted."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.flood import Flood

steps = st.lists(
    st.tuples(
        st.sampled_from(["count", "count", "count", "accept", "accept for a while"]),
        st.sampled_from(["not_json", "tombstone"]),
        st.floats(0, 4),
    ),
    max_size=60,
)


class Remembered:
    """The rule again, the slow way: every count of every cause is kept."""

    def __init__(self, count: int, window_s: float) -> None:
        self.most, self.window_s = count, window_s
        self.counted: dict[str, list[float]] = {}
        self.accepted: dict[str, float] = {}
        self.floods: set[str] = set()

    def count(self, cause: str, now: float) -> None:
        if cause in self.floods or now < self.accepted.get(cause, -inf):
            return
        mine = self.counted.setdefault(cause, [])
        mine.append(now)
        if len([it for it in mine if now - it <= self.window_s]) >= self.most:
            self.floods.add(cause)

    def accept(self, cause: str, until: float) -> None:
        self.floods.discard(cause)
        self.counted[cause] = []
        self.accepted[cause] = until


@given(steps, st.integers(1, 5), st.floats(0.5, 10))
def test_it_is_the_count_of_one_cause_within_the_window(
    steps: list[tuple[str, str, float]], count: int, window_s: float
) -> None:
    flood, slow, now = Flood(count, window_s), Remembered(count, window_s), 0.0
    for what, cause, later in steps:
        now += later
        if what == "count":
            began, before = flood.count(cause, now), set(slow.floods)
            slow.count(cause, now)
            assert began == (slow.floods != before)
        else:
            until = inf if what == "accept" else now + 3
            assert flood.accept(cause, until) == (cause in slow.floods)
            slow.accept(cause, until)
        assert set(flood.floods) == slow.floods


def test_it_stays_although_no_more_of_it_comes() -> None:
    flood = Flood(2, 10)
    flood.count("not_json", 0)
    flood.count("not_json", 1)
    flood.count("tombstone", 1_000_000)
    assert dict(flood.floods) == {"not_json": 1}


def test_a_cause_that_the_settings_accept_never_is_one() -> None:
    flood = Flood(1, 10, accepted=("tombstone",))
    assert not flood.count("tombstone", 0)
    assert flood.count("not_json", 0)


def test_without_a_count_there_is_none() -> None:
    flood = Flood(None, 10)
    assert not any(flood.count("not_json", 0) for _ in range(10_000))
