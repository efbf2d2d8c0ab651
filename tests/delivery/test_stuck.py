"""Stuck: what ought to move and has stood still for long; nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.ledger import Entry, Ledger
from afterguard.delivery.stuck import Standstill


def test_what_stands_still_for_so_long_is_stuck() -> None:
    standstill: Standstill[str] = Standstill(10)
    assert standstill.look({"p": 5}, 100) == []
    assert standstill.look({"p": 5}, 109) == []
    assert standstill.look({"p": 5}, 110) == ["p"]
    assert standstill.still_s("p", 110) == 10


def test_what_is_slow_but_moves_is_not_stuck() -> None:
    standstill: Standstill[str] = Standstill(10)
    assert [standstill.look({"p": now // 9}, now) for now in range(0, 90, 3)] == [[]] * 30


def test_what_is_idle_is_never_stuck_and_begins_anew() -> None:
    standstill: Standstill[str] = Standstill(10)
    standstill.look({"p": 5}, 0)
    assert standstill.look({}, 1_000) == []
    assert standstill.look({"p": 5}, 1_001) == []


def test_the_same_offset_under_a_new_assignment_begins_anew() -> None:
    def oldest() -> Entry:
        return Ledger(lambda _: None).admit(5, 1, 0.0)

    standstill: Standstill[str] = Standstill(10)
    standstill.look({"p": oldest()}, 0)
    assert standstill.look({"p": oldest()}, 20) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2),
        ),
        max_size=40,
    ),
    st.integers(1, 6),
)
def test_it_is_stuck_exactly_when_every_look_of_that_time_saw_the_same(
    looks: list[tuple[int, dict[str, int]]], after_s: int
) -> None:
    standstill: Standstill[str] = Standstill(after_s)
    seen: list[tuple[int, dict[str, int]]] = []
    now = 0
    for step, marks in looks:
        now += step
        seen.append((now, marks))
        expected = set()
        for key, mark in marks.items():
            since = now
            for at, then in reversed(seen):
                if then.get(key) != mark:
                    break
                since = at
            if now - since >= after_s:
                expected.add(key)
        assert set(standstill.look(marks, now)) == expected
