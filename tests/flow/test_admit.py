"""Admit: which policies, which lane, until when, and what was odd about the event."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOON, chat_event, entry, input_record, policy, ticket

from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Degraded, Lane, Reason
from afterguard.flow.admit import Admission, Admit
from afterguard.flow.settings import JudgingSettings

RECEIVED = 1_000.0


class FixedPolicies:
    """The same policies for every event."""

    def __init__(self, policies: tuple[Policy, ...], unknown: tuple[str, ...] = ()) -> None:
        self._answer = policies, unknown

    confirmed = True

    def applicable(self, event: ChatEvent) -> tuple[tuple[Policy, ...], tuple[str, ...]]:
        """Whatever the event is."""
        return self._answer


def admitted(
    *policies: Policy,
    unknown: tuple[str, ...] = (),
    settings: dict[str, Any] | None = None,
    **event: Any,
) -> Admission:
    admit = Admit(
        FixedPolicies(policies, unknown),
        JudgingSettings.model_validate(settings or {}),
        max_clock_skew_s=60,
        now=lambda: NOON,
        clock=lambda: RECEIVED,
    )
    return admit.admit(chat_event(**event), input_record(), entry(), ticket())


def in_lane(lane: Lane | None, policy_id: str = "hate") -> Policy:
    return policy(id=policy_id, lane=lane)


def test_an_event_without_a_lane_takes_the_default_one() -> None:
    settings = {"default_lane": "backfill"}
    assert admitted(in_lane(None), settings=settings).lane is Lane.BACKFILL


def test_the_policy_s_lane_replaces_the_event_s() -> None:
    assert admitted(in_lane(Lane.BACKFILL), lane="live").lane is Lane.BACKFILL


@given(st.permutations([Lane.BACKFILL, Lane.LIVE, Lane.STANDARD]))
def test_of_several_policies_the_most_urgent_decides_whatever_their_order(
    lanes: list[Lane],
) -> None:
    policies = [in_lane(lane, f"policy-{lane}") for lane in lanes]
    assert admitted(*policies).lane is Lane.LIVE


def test_a_policy_that_can_wait_does_not_slow_down_one_that_leaves_it_to_the_event() -> None:
    assert admitted(in_lane(Lane.BACKFILL), in_lane(None, "spam"), lane="live").lane is Lane.LIVE


def test_the_lane_s_deadline_begins_when_the_event_is_received() -> None:
    admission = admitted(policy(), lane="live", settings={"deadline_s": {"live": 7}})
    assert admission.deadline == RECEIVED + 7


def test_a_lane_without_a_deadline_has_none() -> None:
    assert admitted(policy(), lane="backfill").deadline is None


@pytest.mark.parametrize(("theirs_s", "left_s"), [(5, 5), (500, 60), (-3, -3)])
def test_the_earlier_of_both_deadlines_counts(theirs_s: int, left_s: int) -> None:
    deadline = (NOON + timedelta(seconds=theirs_s)).isoformat()
    assert admitted(policy(), lane="live", deadline=deadline).deadline == RECEIVED + left_s


def test_an_event_s_own_deadline_counts_where_the_lane_has_none() -> None:
    deadline = (NOON + timedelta(seconds=5)).isoformat()
    assert admitted(policy(), lane="backfill", deadline=deadline).deadline == RECEIVED + 5


@pytest.mark.parametrize(("ahead_s", "marked"), [(60, False), (61, True), (-86_400, False)])
def test_an_event_from_the_future_is_judged_and_marked(ahead_s: int, marked: bool) -> None:
    admission = admitted(policy(), occurred_at=(NOON + timedelta(seconds=ahead_s)).isoformat())
    assert (Degraded.CLOCK_SKEW in admission.degraded) is marked
    assert admission.skip is None


@pytest.mark.parametrize("offset", ["+14:00", "-12:00", "Z"])
@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "1970-01-01T00:00:00"]
)
def test_no_time_that_a_producer_can_write_breaks_admission(at: str, offset: str) -> None:
    admission = admitted(policy(), occurred_at=at + offset, deadline=at + offset)
    assert (Degraded.CLOCK_SKEW in admission.degraded) is at.startswith("9999")


def test_a_known_policy_is_judged_under_though_an_unknown_one_was_asked_for_too() -> None:
    admission = admitted(policy(), unknown=("no-such",))
    assert (admission.skip, admission.degraded) == (None, [Degraded.POLICY_UNKNOWN])


def test_an_event_that_asks_for_unknown_policies_alone_says_so() -> None:
    admission = admitted(unknown=("no-such",))
    assert admission.skip is Reason.UNKNOWN_POLICY
    assert admission.degraded == [Degraded.POLICY_UNKNOWN]


def test_an_event_to_which_no_policy_applies_is_skipped() -> None:
    assert admitted().skip is Reason.NO_POLICY_APPLIES


@pytest.mark.parametrize(
    "blank",
    [
        {"content": ""},
        {"content": " \t\n\u00a0\u2003"},
        {"kind": "conversation", "content": []},
        {"kind": "conversation", "content": [{"role": "user", "text": "  "}]},
    ],
)
def test_a_blank_content_is_skipped(blank: dict[str, Any]) -> None:
    assert admitted(policy(), **blank).skip is Reason.EMPTY_CONTENT


def test_one_turn_with_words_is_enough_to_be_judged() -> None:
    turns = [{"role": "user", "text": " "}, {"role": "assistant", "text": "word"}]
    assert admitted(policy(), kind="conversation", content=turns).skip is None


def test_a_live_event_is_placed_before_a_standard_one_of_the_same_moment() -> None:
    assert admitted(policy(), lane="live").place < admitted(policy(), lane="standard").place


def test_a_shadow_does_not_move_the_event_to_its_lane() -> None:
    on_trial = policy(stage="shadow", lane="live")
    assert admitted(policy(), on_trial, lane="backfill").lane is Lane.BACKFILL
    assert admitted(on_trial, lane="backfill").lane is Lane.BACKFILL
