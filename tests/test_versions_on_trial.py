"""A whole worker beside a version on trial that goes wrong in every way: nothing else changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.flow.judges import Answer, HeldJudge
from tests.memory_worker import MemoryWorker, until
from tests.policy.documents import document
from tests.samples import answered

from afterguard.contracts.errors import EngineFault
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Outcome, Reason
from afterguard.flow.ports import JudgeRequest

EVENTS = 8


class HeldOnTrial(HeldJudge):
    """Answers all but versions on trial, of which it holds those that the test names."""

    def __init__(self, answer: Answer, hangs: Callable[[JudgeRequest], bool]) -> None:
        super().__init__(lambda asked: answer if asked.policy.shadow else answered(True, "Q2"))
        self._hangs = hangs

    async def judge(self, request: Any) -> Any:
        """At once, or never."""
        if not (request.policy.shadow and self._hangs(request)):
            self.let(request.request_id)
        return await super().judge(request)


@pytest.fixture
def policies(tmp_path: Path) -> dict[str, Any]:
    """A policy in force, and one of another id that its document puts on trial."""
    (tmp_path / "queue.md").write_text(document(), encoding="utf-8")
    on_trial = document().replace("id: queue", "id: places\nstage: shadow\nlane: backfill")
    (tmp_path / "places.md").write_text(on_trial, encoding="utf-8")
    return {"directory": str(tmp_path)}


async def work(worker: MemoryWorker) -> list[AuditRecord]:
    """The audit of some events, each of which is settled."""
    for number in range(EVENTS):
        worker.send(number, lane="live")
    serving = worker.serve()
    await until(lambda: worker.committed == EVENTS)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    return [AuditRecord.model_validate_json(it.value or b"") for it in worker.audit]


@pytest.mark.parametrize(
    ("answer", "hangs", "reason"),
    [
        (EngineFault("again"), False, Reason.RETRIES_EXHAUSTED),
        (answered(True, "Q2"), True, Reason.SHADOW_CUT),
    ],
)
async def test_every_event_is_acted_upon_as_if_nothing_were_on_trial(
    policies: dict[str, Any], answer: Answer, hangs: bool, reason: Reason
) -> None:
    judging = {"shadow_wait_s": 0.2, "attempts": 1}
    worker = MemoryWorker(HeldOnTrial(answer, lambda _: hangs), policies=policies, judging=judging)
    audit = await work(worker)
    acting = [it for it in audit if not it.shadow]
    assert [it.outcome for it in acting] == [Outcome.VIOLATION] * EVENTS
    assert {it.reason for it in audit if it.shadow} == {reason}
    assert len(audit) == 2 * EVENTS
    assert worker.log.records(worker.topics.dead_letters) == []
    interventions = worker.log.records(worker.topics.interventions)
    assert [orjson.loads(it.value or b"")["policy_ids"] for it in interventions] == [
        ["queue"]
    ] * EVENTS


async def test_a_backlog_gives_up_what_is_on_trial_and_nothing_else(
    policies: dict[str, Any],
) -> None:
    judge = HeldOnTrial(answered(False), lambda _: False)
    worker = MemoryWorker(
        judge,
        policies=policies,
        judging={"shadow_above": 0, "shadow_wait_s": 20},
        intake={"max_concurrent_events": 1},
    )
    audit = await work(worker)
    given_up = [it for it in audit if it.reason is Reason.SHED_OVERLOAD]
    assert given_up
    assert all(it.shadow for it in given_up)
    assert [it.outcome for it in audit if not it.shadow] == [Outcome.VIOLATION] * EVENTS
