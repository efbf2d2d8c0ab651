"""Order per key: a conversation's outputs leave in event order; nobody else waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.order import KeyOrder, Ticket


def test_a_later_event_of_the_same_key_waits_for_the_earlier_one() -> None:
    order: KeyOrder[str] = KeyOrder()
    first, second = order.enter("k"), order.enter("k")
    assert second.done("second") == []
    assert order.held == 1
    assert first.done("first") == ["first", "second"]
    assert order.held == 0


def test_another_key_does_not_wait() -> None:
    order: KeyOrder[str] = KeyOrder()
    order.enter("slow")
    assert order.enter("quick").done("now") == ["now"]


def test_an_event_with_nothing_to_say_lets_the_next_one_pass() -> None:
    order: KeyOrder[str] = KeyOrder()
    first, second = order.enter("k"), order.enter("k")
    second.done("second")
    assert first.done() == ["second"]


def test_a_ticket_is_done_once() -> None:
    order: KeyOrder[str] = KeyOrder()
    ticket = order.enter("k")
    ticket.done()
    with pytest.raises(ValueError, match="done already"):
        ticket.done()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30),
    st.randoms(use_true_random=False),
)
def test_each_key_leaves_in_order_complete_and_without_leftovers(
    events: list[tuple[str, bool]], random: object
) -> None:
    order: KeyOrder[tuple[str, int]] = KeyOrder()
    tickets: list[tuple[Ticket[tuple[str, int]], tuple[str, int] | None]] = [
        (order.enter(key), (key, number) if speaks else None)
        for number, (key, speaks) in enumerate(events)
    ]
    random.shuffle(tickets)  # type: ignore[attr-defined]

    left = [payload for ticket, said in tickets for payload in ticket.done(said)]

    for key in "abc":
        assert [n for k, n in left if k == key] == [
            number for number, (k, speaks) in enumerate(events) if k == key and speaks
        ]
    assert (order.held, order.keys) == (0, 0)
