"""What is kept for prompts is bounded by the policies in them, and knows each set by itself."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import samples

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.formats.chat_format import PerPolicy

POLICIES = [samples.policy(id=f"p-{number}") for number in range(8)]
SETS = st.lists(st.sampled_from(POLICIES), min_size=1, max_size=6, unique_by=lambda it: it.id)


def _made_of(policies: list[Policy]) -> str:
    return "+".join(it.id for it in policies)


@given(st.lists(st.tuples(SETS, st.sampled_from(Effort)), max_size=300))
def test_what_is_got_was_made_for_these_policies_in_this_order(
    asked: list[tuple[list[Policy], Effort]],
) -> None:
    kept = PerPolicy()
    for policies, effort in asked:
        first, *also = policies
        told = f"{_made_of(policies)} {effort}"
        assert kept.get(first, effort, partial(str, told), tuple(also)) == told


def test_the_oldest_are_forgotten_when_there_are_too_many_policies() -> None:
    kept = PerPolicy()
    versions = [samples.policy(version=f"{number:016x}") for number in range(200)]
    for policy in versions:
        kept.get(policy, Effort.LOW, lambda: 1, tuple(POLICIES[:3]))
    # Prompts of four policies each: 128 of them are 512.
    assert kept.get(versions[-1], Effort.LOW, lambda: 2, tuple(POLICIES[:3])) == 1
    assert kept.get(versions[-128], Effort.LOW, lambda: 2, tuple(POLICIES[:3])) == 1
    assert kept.get(versions[-129], Effort.LOW, lambda: 2, tuple(POLICIES[:3])) == 2


def test_another_version_is_another_thing() -> None:
    kept = PerPolicy()
    other = samples.policy(version="00000000000000bb")
    assert kept.get(samples.policy(), Effort.LOW, lambda: 1) == 1
    assert kept.get(other, Effort.LOW, lambda: 2) == 2
    assert kept.get(samples.policy(), Effort.LOW, lambda: 3, (other,)) == 3


def test_what_could_not_be_made_takes_no_room() -> None:
    kept = PerPolicy()
    kept.get(samples.policy(), Effort.LOW, lambda: 1)
    for _ in range(600):
        with pytest.raises(ZeroDivisionError):
            kept.get(samples.policy(id="broken"), Effort.LOW, lambda: 1 // 0)
    kept.get(samples.policy(id="whole"), Effort.LOW, lambda: 1)
    assert kept.get(samples.policy(), Effort.LOW, lambda: 2) == 1
