"""Runs for tests: small sets of rows, judged by a scripted judge, in folders of their own."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.flow.judges import Answer, ScriptedJudge
from tests.samples import NOON, chat_event, policy

from afterguard.contracts.policies import Policy
from afterguard.engine.settings import EngineSettings
from afterguard.evaluation.bench import open_bench
from afterguard.evaluation.datasets import DataSet, Form
from afterguard.evaluation.kept_rows import keep_rows
from afterguard.evaluation.results import ResultLog
from afterguard.evaluation.run import Sitting, sit
from afterguard.evaluation.run_record import RunRecord, record_of, save_record
from afterguard.evaluation.selection import Task, tasks
from afterguard.flow.ports import JudgeRequest
from afterguard.policy.labelled import LabelledRow
from afterguard.settings import Settings

HARASSMENT = policy()
HATE = policy(
    id="hate",
    title="Hate",
    version="00000000000000bb",
    rules=[{"id": "HT1", "title": "Slurs", "severity": "high", "action": "remove"}],
)


def row(number: int, *, text: str = "", **changes: Any) -> LabelledRow:
    """A row that violates nothing, unless it is said otherwise."""
    values: dict[str, Any] = {
        "row_id": f"r-{number}",
        "event": chat_event(
            event_id=f"r-{number}", conversation_id=f"c-{number}", content=text or f"text {number}"
        ),
        "expected": {"harassment": False},
    } | changes
    return LabelledRow(**values)


def settings(**engine: Any) -> Settings:
    """Settings of an evaluation that waits for nothing."""
    return Settings(engine=EngineSettings(kind="null", **engine))


def record(rows: Sequence[LabelledRow], policies: Sequence[Policy], **changes: Any) -> RunRecord:
    """The record of a run of these rows."""
    data = DataSet(Path("rows.jsonl"), Form.OWN, "0" * 64, tuple(rows), 0, (), {}, ())
    values: dict[str, Any] = {
        "judges": [],
        "limit": None,
        "sample": None,
        "unlabelled_too": False,
        "embedded": False,
    }
    made = record_of(settings(), policies, [(data, len(rows))], **values)
    return made.model_copy(update={"began_at": NOON} | changes)


def judged(
    folder: Path,
    rows: Sequence[LabelledRow],
    script: Answer | Callable[[JudgeRequest], Answer],
    policies: Sequence[Policy] = (HARASSMENT,),
    **changes: Any,
) -> Path:
    """A run in a folder, judged to its end by a script."""
    folder.mkdir(exist_ok=True)
    keep_rows(folder, rows)
    made = record(rows, policies, **changes)
    save_record(folder, made)
    with ResultLog(folder) as log:
        left = left_of(rows, policies, log, unlabelled_too=made.unlabelled_too)
        asyncio.run(sitting(left, log, ScriptedJudge(script)))
    return folder


def left_of(
    rows: Sequence[LabelledRow],
    policies: Sequence[Policy],
    log: ResultLog,
    *,
    together: bool = False,
    unlabelled_too: bool = False,
) -> list[Task]:
    """What a run has still to judge."""
    return list(
        tasks(rows, policies, (), log.results, together=together, unlabelled_too=unlabelled_too)
    )


async def sitting(
    left: Sequence[Task],
    log: ResultLog,
    judge: ScriptedJudge,
    *,
    stop: asyncio.Event | None = None,
    at_once: int = 2,
    show: Callable[[Sitting], None] = lambda _: None,
) -> Sitting:
    """One sitting with a scripted judge."""
    async with open_bench(settings(), judge=judge) as bench:
        return await sit(
            bench,
            left,
            log,
            stop or asyncio.Event(),
            engine=judge.engine,
            model=judge.model,
            at_once=at_once,
            show=show,
        )
