"""The report breaks on what was promised, and puts an odd thing down to the fault before it."""

from dataclasses import replace
from typing import Any

import pytest
from tests.chaos.audit import Account, Repeat
from tests.chaos.campaign import Result
from tests.chaos.fault import Injury
from tests.chaos.member import End
from tests.chaos.plan import Guarantee, Plan
from tests.chaos.report import allowed, as_json, blamed, broken, table

from afterguard.contracts.exit_codes import ExitCode


def injury(fault: str, at_ms: int, *partitions: int, **changes: Any) -> Injury:
    made = Injury(fault, True, 1, at_ms / 1000, at_ms, frozenset(partitions), 5, 9, {}, 1.5)
    return replace(made, **changes)


KILL, JOIN, REDIS = (
    injury("killed", 1_000, 0, 1),
    injury("joined", 2_000, 0, 1, 2),
    injury("Redis", 1_500, 0, 1, 2, moves_work=False),
)


def result(account: Account, *ends: End, guarantee: Guarantee = "exactly_once") -> Result:
    plan = Plan(guarantee)
    return Result(plan, account, [KILL, REDIS, JOIN], list(ends), 3, 1.0, [], 10, {})


def test_a_duplicate_is_put_down_to_the_first_fault_that_took_its_partition_after_it() -> None:
    injuries = [KILL, REDIS, JOIN]
    assert blamed(injuries, (0, 7), 900, 9_000) == "killed"
    assert blamed(injuries, (2, 7), 900, 9_000) == "joined", "the killed one did not hold it"
    assert blamed(injuries, (0, 7), 1_200, 9_000) == "joined", "Redis moves no work"
    assert blamed(injuries, (0, 7), 3_000, 9_000) == "joined", "struck before it wrote"
    assert blamed([], (0, 7), 0, 9_000) == "no fault"


def test_exactly_once_allows_no_duplicate_and_at_least_once_what_was_in_flight() -> None:
    repeated = Account(repeats=[Repeat((0, 7), 900, 9_000)])
    assert allowed(result(repeated)) == 0
    assert broken(result(repeated)) == ["1 duplicated, at most 0 allowed"]
    assert broken(result(repeated, guarantee="at_least_once")) == []
    assert as_json(result(repeated))["faults"][2]["duplicated"] == "1"


@pytest.mark.parametrize(
    "end",
    [
        End("w", ExitCode.UNFORESEEN, False, None, 0),
        End("w", -11, False, None, 0),
        End("w", 0, True, {"admitted": 5, "settled": 3, "abandoned": 1}, 0),
        End("w", 0, True, None, 7),
    ],
)
def test_a_worker_that_ends_oddly_breaks_the_run(end: End) -> None:
    assert len(broken(result(Account(), end))) == 1


def test_a_run_in_which_all_went_well_says_so_in_the_table() -> None:
    ends = [End("a", -9, True, None, 0), End("b", ExitCode.ENGINE_DIED, False, None, 0)]
    text = table(result(Account(events=3), *ends))
    assert text.splitlines()[-1] == "every promise was kept"
    assert "killed" in text
    assert "1 engine_died by itself, 1 signal 9" in text
