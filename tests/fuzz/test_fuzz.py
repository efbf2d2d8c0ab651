"""What strangers write ends in an outcome or in an error of ours; the long form: `make fuzz`."""

from random import Random

import pytest
from tests.fuzz.hunt import hunt
from tests.fuzz.targets import TARGETS

# A document takes ten times as long as an event.
INPUTS = {"codec": 1_500, "answer": 1_500, "policy": 250}


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_ends_in_an_exception_that_is_no_outcome(name: str) -> None:
    told = hunt(name, seed=7, inputs=range(INPUTS[name]))
    assert not told.finds, "\n\n".join(told.finds)
    assert sum(told.ends.values()) == INPUTS[name]


@pytest.mark.parametrize("name", TARGETS)
def test_the_inputs_reach_both_what_is_valid_and_what_is_not(name: str) -> None:
    valid = {"codec": {"event"}, "policy": {"policy"}}.get(name, {"violation True"})
    ends = hunt(name, seed=7, inputs=range(250)).ends
    assert all(ends[it] > 12 for it in valid)
    assert sum(ends.values()) - sum(ends[it] for it in valid) > 12


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_seed_gives_the_same_input(name: str) -> None:
    make = TARGETS[name].make
    assert [repr(make(Random(f"{n}"))) for n in range(30)] == [
        repr(make(Random(f"{n}"))) for n in range(30)
    ]
