"""Nothing that a person wrote and nothing that opens a door is handed to a logger or a label."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import MemoryWorker
from tests.samples import answered

from afterguard.contracts.records import OutputRecord
from afterguard.flow.ports import Judgement, JudgeRequest

PACKAGE = Path(__file__).parents[2] / "worker" / "afterguard"
SAID = "zanzibar-zanzibar"
# Fields of a log call that would carry what people or the model wrote.
FORBIDDEN = {"answer", "body", "content", "event", "prompt", "rationale", "record", "text", "value"}


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "_log"
            ):
                yield f"{file.relative_to(PACKAGE)}:{node.lineno}", node


@pytest.mark.parametrize(
    ("place", "call"), log_calls(), ids=lambda it: it if isinstance(it, str) else ""
)
def test_a_log_call_names_no_field_that_holds_a_text(place: str, call: ast.Call) -> None:
    assert not {it.arg for it in call.keywords} & FORBIDDEN, place
    assert len(call.args) == 1, f"{place}: values belong into fields, where they can be hidden"
    assert isinstance(call.args[0], ast.Constant), f"{place}: the message is made of a value"


def test_the_log_calls_are_found() -> None:
    assert len(list(log_calls())) > 20


def _odd(asked: JudgeRequest) -> Judgement | Exception:
    number = int(asked.request_id.split("/")[2]) % 4
    told = answered(True, SAID)._replace(rationale=SAID, answer=SAID)
    troubles: list[Judgement | Exception] = [
        told,
        ValueError(SAID),
        told._replace(prompt_tokens=-1),
        KeyError(SAID),
    ]
    return troubles[number]


@pytest.mark.usefixtures("expected_errors")
async def test_a_worker_in_all_its_troubles_logs_and_counts_no_text() -> None:
    worker = MemoryWorker(ScriptedJudge(_odd))
    for number in range(8):
        worker.send(number, content=SAID, target={"note": SAID}, policies=["harassment", SAID])
    for odd in (b'{"content": "%s"' % SAID.encode(), b'{"kind": "%s"}' % SAID.encode()):
        worker.log.append(OutputRecord(worker.topics.events, None, odd, partition=0))
    with capture_logs() as logs:
        serving = worker.serve()
        while worker.committed < 10:
            await asyncio.sleep(0.005)
        worker.stop.ask()
        await serving
    assert any(entry["log_level"] == "error" for entry in logs), "no trouble, no test"
    assert SAID not in str(logs)
    assert SAID not in generate_latest(worker.app.metrics.registry).decode()
    interventions = worker.log.records(worker.topics.interventions)
    assert interventions
    for record in interventions:
        shown = (record.value or b"").decode().replace(f'"target":{{"note":"{SAID}"}}', "")
        assert SAID not in shown
