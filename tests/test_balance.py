"""The balance of fates is exported, and a worker whose figures do not add up is noticed."""

import pytest
from tests.balance import assert_ended_in_balance, assert_running_in_balance
from tests.flow.judges import HeldJudge
from tests.memory_worker import EVENTS, MemoryWorker, until
from tests.samples import answered

from afterguard.contracts.exit_codes import ExitCode


async def test_an_onlooker_sees_the_balance_and_notices_when_it_is_lost() -> None:
    judge = HeldJudge(answered(False))
    worker = MemoryWorker(judge, http={"enabled": True, "port": 0})
    for number in range(3):
        worker.send(number)
    running = worker.serve()
    await until(lambda: len(judge.requests) == 3)
    judge.let(f"{worker.topics.events}/0/0/harassment")
    await until(lambda: worker.committed == 1)
    port = worker.app.http.port if worker.app.http else 0

    await assert_running_in_balance(port)
    assignment = worker.app.assignments.get(EVENTS)
    assert assignment is not None
    assignment.ledger._admitted += 1
    with pytest.raises(AssertionError):
        await assert_running_in_balance(port)
    assignment.ledger._admitted -= 1

    worker.stop.ask()
    worker.stop.ask()
    assert await running is ExitCode.DRAINED
    assert worker.app.assignments.fates == (3, 1, 0, 2)


async def test_a_budget_that_is_not_free_at_the_end_is_noticed() -> None:
    worker = MemoryWorker(HeldJudge(answered(False)))
    assert_ended_in_balance(worker.app)
    worker.app.budget.take(5)
    with pytest.raises(AssertionError):
        assert_ended_in_balance(worker.app)
