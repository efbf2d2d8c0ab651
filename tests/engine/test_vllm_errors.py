"""Faults of vLLM become errors of ours by their kind, and never quote what was said.

The exceptions are vLLM's own, raised by a stand-in for its engine: real engines raise them rarely.
"""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tests import samples
from tests.engine.formats import harmony

from afterguard.contracts.errors import (
    EngineBusy,
    EngineDead,
    EngineError,
    EngineFault,
    EngineUnavailable,
    RequestRefused,
)
from afterguard.contracts.words import Effort
from afterguard.embedded.cpu_engine import prepare_environment
from afterguard.engine.settings import EngineSettings
from afterguard.engine.vllm_engine import VllmJudge, _Running
from afterguard.engine.vllm_logs import configure_vllm_logs
from afterguard.flow.ports import JudgementStatus, JudgeRequest

# Importing vLLM takes ten seconds.
pytestmark = pytest.mark.slow

_SAID = "what was said"


@pytest.fixture(scope="session")
def surface() -> ModuleType:
    """vLLM, imported as an engine does it."""
    prepare_environment()
    configure_vllm_logs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("afterguard.engine.vllm_surface")


def _raised_by_vllm(name: str) -> Exception:
    from vllm import exceptions
    from vllm.v1.engine import exceptions as engine_exceptions

    raised: dict[str, Callable[[], Exception]] = {
        "validation": lambda: exceptions.VLLMValidationError(_SAID, parameter="p", value=_SAID),
        "queue": exceptions.QueueOverflowError,
        "generate": lambda: engine_exceptions.EngineGenerateError(_SAID),
        "dead": engine_exceptions.EngineDeadError,
        "anything else": lambda: RuntimeError(_SAID),
    }
    return raised[name]()


class _FaultyEngine:
    """A named fake: an AsyncLLM whose every request ends as it was told."""

    def __init__(self, ends: Exception | str, *, errored: bool = False) -> None:
        self._ends, self.errored = ends, errored
        self.aborted: list[Any] = []
        self.output_handler = None
        self.shut_down = 0

    async def generate(self, *_: object, **__: object) -> AsyncIterator[Any]:
        if isinstance(self._ends, Exception):
            raise self._ends
        if self._ends == "hangs":
            await asyncio.Event().wait()
        if self._ends == "nothing":
            return
        completion = SimpleNamespace(token_ids=[], finish_reason=self._ends, logprobs=None)
        yield SimpleNamespace(outputs=[completion], num_cached_tokens=0)

    async def abort(self, request_id: Any) -> None:
        self.aborted.append(request_id)

    async def is_paused(self) -> bool:
        if self._ends == "hangs":
            await asyncio.Event().wait()
        if isinstance(self._ends, Exception):
            raise self._ends
        return False

    def shutdown(self, _timeout: float) -> None:
        self.shut_down += 1


MakeJudge = Callable[[_FaultyEngine], VllmJudge]


@pytest.fixture
def judge_with(surface: ModuleType) -> MakeJudge:
    """A judge around an engine that has started."""

    def make(engine: _FaultyEngine) -> VllmJudge:
        settings = EngineSettings(model="gpt-oss", probe_timeout_s=0.05)
        judge = VllmJudge(settings, CollectorRegistry(), lambda _: None)
        judge._running = _Running(surface, engine, harmony(), 4096)
        return judge

    return make


def _request(content: str = _SAID) -> JudgeRequest:
    return JudgeRequest("r-1", samples.policy(), content, Effort.LOW)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("validation", RequestRefused),
        ("queue", EngineBusy),
        ("generate", EngineFault),
        ("dead", EngineDead),
        ("anything else", EngineFault),
    ],
)
async def test_a_fault_becomes_the_error_of_its_kind_and_quotes_nothing(
    name: str, ours: type[EngineError], judge_with: MakeJudge
) -> None:
    judge = judge_with(_FaultyEngine(_raised_by_vllm(name)))
    with pytest.raises(ours) as raised:
        await judge.judge(_request())
    assert type(raised.value) is ours
    assert _SAID not in str(raised.value)


@pytest.mark.parametrize("ends", ["abort", "error", "nothing"])
async def test_a_request_that_ends_early_may_be_tried_again(
    ends: str, judge_with: MakeJudge
) -> None:
    with pytest.raises(EngineFault):
        await judge_with(_FaultyEngine(ends)).judge(_request())


async def test_any_fault_of_an_engine_that_died_means_that_it_died(judge_with: MakeJudge) -> None:
    engine = _FaultyEngine(_raised_by_vllm("generate"), errored=True)
    with pytest.raises(EngineDead):
        await judge_with(engine).judge(_request())


async def test_a_cancelled_request_is_aborted_in_the_engine(judge_with: MakeJudge) -> None:
    engine = _FaultyEngine("hangs")
    task = asyncio.ensure_future(judge_with(engine).judge(_request()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.aborted == ["r-1"]


async def test_a_request_that_does_not_end_is_aborted_and_may_be_tried_again(
    judge_with: MakeJudge,
) -> None:
    engine = _FaultyEngine("hangs")
    judge = judge_with(engine)
    judge._settings.request_timeout_s = 0.01
    with pytest.raises(EngineFault, match=r"engine\.request_timeout_s"):
        await judge.judge(_request())
    assert engine.aborted == ["r-1"]


async def test_a_policy_that_leaves_no_room_is_refused_with_the_setting_to_raise(
    judge_with: MakeJudge,
) -> None:
    policy = samples.policy(body="long " * 5000, version="00000000000000dd")
    with pytest.raises(RequestRefused, match=r"engine\.max_model_len"):
        await judge_with(_FaultyEngine("stop")).judge(_request()._replace(policy=policy))


async def test_policies_that_leave_no_room_together_leave_the_content_unread_and_are_told_of_once(
    judge_with: MakeJudge,
) -> None:
    judge = judge_with(_FaultyEngine("stop"))
    long = tuple(samples.policy(id=f"p-{it}", body="long " * 1000) for it in range(4))
    request = _request()._replace(policy=long[0], also=long[1:])
    with capture_logs() as logs:
        told = [await judge.judge(request) for _ in range(3)]
    assert {it.status for it in told} == {JudgementStatus.CONTENT_TOO_LONG}
    assert [it["policies"] for it in logs] == [4]


@pytest.mark.parametrize("ends", ["hangs", "dead"])
async def test_an_engine_that_does_not_answer_its_probe_is_not_well(
    ends: str, judge_with: MakeJudge
) -> None:
    engine = _FaultyEngine(ends if ends == "hangs" else _raised_by_vllm(ends))
    assert not await judge_with(engine).healthy()


async def test_an_engine_that_died_is_not_well(judge_with: MakeJudge) -> None:
    assert not await judge_with(_FaultyEngine("stop", errored=True)).healthy()


async def test_a_stopped_engine_takes_nothing_and_may_be_stopped_again(
    judge_with: MakeJudge,
) -> None:
    engine = _FaultyEngine("stop")
    judge = judge_with(engine)
    await judge.stop()
    await judge.stop()
    assert engine.shut_down == 1
    assert not await judge.healthy()
    with pytest.raises(EngineUnavailable):
        await judge.judge(_request())
