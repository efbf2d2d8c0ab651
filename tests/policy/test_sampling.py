"""Candidates: a version on trial is judged beside the one in force, on a sample of the events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import chat_event, policy

from afterguard.contracts.policies import Policy
from afterguard.policy.registry import Candidate, PolicyRegistry
from afterguard.policy.sampling import drawn

ids = st.text(min_size=1, max_size=20).filter(lambda it: not it.isspace())
shares = st.floats(min_value=0.001, max_value=1.0)


def shadow(
    policy_id: str = "harassment", version: str = "00000000000000bb", **fields: object
) -> Policy:
    return policy(id=policy_id, version=version, stage="shadow", **fields)


@given(ids, ids, shares)
def test_an_event_that_is_read_again_is_judged_alike(
    event_id: str, talk: str, share: float
) -> None:
    candidate = Candidate(shadow(), share)
    first = chat_event(event_id=event_id, conversation_id=talk)
    again = chat_event(event_id=event_id, conversation_id=talk, content="as it was redelivered")
    assert drawn(candidate, first) == drawn(candidate, again)


@given(ids, shares, shares)
def test_a_larger_share_keeps_the_events_that_were_judged_already(
    event_id: str, one: float, other: float
) -> None:
    event = chat_event(event_id=event_id)
    small, large = sorted((one, other))
    assert drawn(Candidate(shadow(), small), event) <= drawn(Candidate(shadow(), large), event)


def test_the_share_is_that_of_the_events_and_not_of_the_conversations() -> None:
    candidate = Candidate(shadow(), 0.2)
    events = [chat_event(event_id=f"e-{number}") for number in range(5_000)]
    assert 880 <= sum(drawn(candidate, it) for it in events) <= 1_120


def test_versions_draw_independently() -> None:
    events = [chat_event(event_id=f"e-{number}") for number in range(2_000)]
    one, other = Candidate(shadow(), 0.5), Candidate(shadow(version="00000000000000cc"), 0.5)
    both = sum(drawn(one, it) and drawn(other, it) for it in events)
    assert 420 <= both <= 580


def test_a_candidate_is_judged_after_the_version_in_force() -> None:
    active, trial = policy(), shadow()
    registry = PolicyRegistry([active, policy(id="hate")], [Candidate(trial, 1)])
    found, _ = registry.applicable(chat_event())
    assert [it.handle for it in found] == ["harassment", "hate", "harassment@00000000000000bb"]


def test_what_a_candidate_applies_to_is_its_own() -> None:
    trial = shadow(applies_to={"tenants": ["game-*"]})
    registry = PolicyRegistry([policy()], [Candidate(trial, 1)])
    assert registry.applicable(chat_event(tenant="game-1"))[0] == (policy(), trial)
    assert registry.applicable(chat_event(tenant="work"))[0] == (policy(),)


def test_an_event_that_names_a_policy_is_judged_under_its_candidate_too() -> None:
    registry = PolicyRegistry([policy(), policy(id="hate")], [Candidate(shadow("hate"), 1)])
    found, unknown = registry.applicable(chat_event(policies=["hate"]))
    assert ([it.handle for it in found], unknown) == (["hate", "hate@00000000000000bb"], ())


def test_a_policy_that_has_only_a_candidate_is_known() -> None:
    registry = PolicyRegistry([], [Candidate(shadow("hate"), 1)])
    assert registry.applicable(chat_event(policies=["hate"])) == ((shadow("hate"),), ())


def test_a_candidate_of_the_version_in_force_is_left_out() -> None:
    twin = shadow(version=policy().version)
    assert PolicyRegistry([policy()], [Candidate(twin, 1)]).candidates == ()


def test_a_candidate_that_would_be_acted_upon_is_refused() -> None:
    with pytest.raises(ValueError, match="acted upon"):
        PolicyRegistry([], [Candidate(policy(), 1)])


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        PolicyRegistry([], [Candidate(shadow(), share)])
