"""The ledger: only a contiguous settled prefix may be committed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from afterguard.delivery.ledger import Entry, Ledger, Stage


def test_the_position_stays_before_the_oldest_unsettled_offset() -> None:
    ledger = Ledger(release=lambda _: None)
    first, second = ledger.admit(5, 1, 0.0), ledger.admit(6, 1, 0.0)

    second.settle()
    assert ledger.position is None

    first.settle()
    assert ledger.position == 7


def test_gaps_between_offsets_are_stepped_over() -> None:
    ledger = Ledger(release=lambda _: None)
    for offset in (3, 9):
        ledger.admit(offset, 1, 0.0).settle()
    assert ledger.position == 10


def test_an_entry_settles_once() -> None:
    entry = Ledger(release=lambda _: None).admit(0, 1, 0.0)
    entry.settle()
    with pytest.raises(ValueError, match="is SETTLED"):
        entry.settle()


def test_an_entry_does_not_go_back() -> None:
    entry = Ledger(release=lambda _: None).admit(0, 1, 0.0)
    entry.advance(Stage.PUBLISHED)
    with pytest.raises(ValueError, match="cannot become JUDGED"):
        entry.advance(Stage.JUDGED)


def test_offsets_must_rise() -> None:
    ledger = Ledger(release=lambda _: None)
    ledger.admit(4, 1, 0.0)
    with pytest.raises(ValueError, match="offset 4 after 4"):
        ledger.admit(4, 1, 0.0)


def test_what_lies_before_its_first_offset_is_not_taken_in() -> None:
    ledger = Ledger(release=lambda _: None, first_offset=7)
    with pytest.raises(ValueError, match="offset 6 after 6"):
        ledger.admit(6, 1, 0.0)
    assert ledger.admit(7, 1, 0.0).offset == 7


def test_a_late_completion_after_close_moves_nothing_and_frees_nothing_twice() -> None:
    freed: list[int] = []
    ledger = Ledger(release=freed.append)
    late = ledger.admit(0, 7, 0.0)

    assert ledger.close() == [late]
    late.settle()

    assert ledger.position is None
    assert freed == [7]
    assert not late.live


def test_a_closed_ledger_takes_nothing_in() -> None:
    ledger = Ledger(release=lambda _: None)
    ledger.close()
    with pytest.raises(ValueError, match="closed"):
        ledger.admit(0, 1, 0.0)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_the_position_is_the_first_unsettled_offset_in_whatever_order_they_settle(
    order: list[int], settled: int
) -> None:
    ledger = Ledger(release=lambda _: None)
    entries = [ledger.admit(offset, 1, 0.0) for offset in range(12)]
    for offset in order[:settled]:
        entries[offset].settle()
    unsettled = sorted(order[settled:])
    expected = unsettled[0] if unsettled else 12
    assert (ledger.position or 0) == expected


class LedgerLife(RuleBasedStateMachine):
    """Random lives of a partition: taken in, settled, revoked, assigned again, settled late."""

    def __init__(self) -> None:
        super().__init__()
        self.in_use = 0
        self.next_offset = 0
        self.ledger = Ledger(self._release)
        self.open: list[Entry] = []
        self.late: list[Entry] = []
        self.settled_offsets: set[int] = set()

    def _release(self, tokens: int) -> None:
        self.in_use -= tokens

    @rule(tokens=st.integers(0, 50), gap=st.integers(0, 2))
    def admit(self, tokens: int, gap: int) -> None:
        self.next_offset += gap
        self.open.append(self.ledger.admit(self.next_offset, tokens, 0.0))
        self.in_use += tokens
        self.next_offset += 1

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        entry = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        entry.settle()
        self.settled_offsets.add(entry.offset)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), stage=st.sampled_from((Stage.JUDGED, Stage.PUBLISHED)))
    def advance(self, data: st.DataObject, stage: Stage) -> None:
        entry = data.draw(st.sampled_from(self.open))
        if entry.stage < stage:
            entry.advance(stage)

    @precondition(lambda self: self.late)
    @rule(data=st.data(), stage=st.sampled_from((Stage.JUDGED, Stage.PUBLISHED, Stage.SETTLED)))
    def come_late(self, data: st.DataObject, stage: Stage) -> None:
        """Work of any earlier generation goes on, in any order, and counts for none."""
        entry = data.draw(st.sampled_from(self.late))
        assert not entry.live
        if entry.stage < stage:
            entry.advance(stage)

    @rule()
    def revoke_and_assign(self) -> None:
        position = self.ledger.position
        abandoned = self.ledger.close()
        assert abandoned == sorted(self.open, key=lambda entry: entry.offset)
        self.late += self.open
        self.open = []
        self.ledger = Ledger(self._release)
        self.settled_offsets = set()
        self.next_offset = position or 0

    @invariant()
    def the_budget_holds_exactly_what_is_open(self) -> None:
        assert self.in_use == sum(entry.tokens for entry in self.open)

    @invariant()
    def nothing_unsettled_lies_before_the_position(self) -> None:
        if self.ledger.position is not None:
            assert all(entry.offset >= self.ledger.position for entry in self.open)
            assert self.ledger.position - 1 in self.settled_offsets

    @invariant()
    def the_oldest_is_the_first_that_is_not_settled(self) -> None:
        oldest = min(self.open, key=lambda entry: entry.offset, default=None)
        assert self.ledger.oldest is oldest
        assert self.ledger.held()[:1] == ([oldest] if oldest else [])

    @invariant()
    def the_fates_balance(self) -> None:
        fates = self.ledger.fates
        assert fates.balanced
        assert fates.in_flight == self.ledger.in_flight == len(self.open)


TestLedgerLife = LedgerLife.TestCase


@given(st.permutations(range(12)), st.sets(st.integers(1, 12)))
def test_what_the_position_went_past_is_told_once_with_when_it_was_settled(
    order: list[int], commits: set[int]
) -> None:
    now = 0.0
    ledger = Ledger(release=lambda _: None, clock=lambda: now)
    entries = [ledger.admit(offset, 1, 0.0) for offset in range(12)]
    told, since = 0, 0.0
    for done, offset in enumerate(order, start=1):
        now = float(done)
        entries[offset].settle()
        if done in commits:
            passed = ledger.passed
            ledger.committed(passed)
            told, since = told + passed.events, since + passed.since
            assert told == (ledger.position or 0)
    left = ledger.passed
    assert (told + left.events, since + left.since) == (12, sum(range(1, 13)))
