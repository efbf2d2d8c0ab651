"""Engines to test against. A start takes up to a minute, so one engine serves the whole session.

vLLM runs one engine per process at a time: all engines are one fixture with parameters, which
pytest sorts its tests by, so that one ends before the next begins.
"""

import gc
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import CollectorRegistry
from tests import samples
from tests.conftest import missing, nothing_swallowed
from tests.engine.stand_in_server import StandInServer, stand_in_judge
from tests.engine.tiny_gpt_oss import tiny_gpt_oss
from tests.engine.vllm_server import API_KEY, MODEL, VllmServer

from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.words import Effort
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.model import prepare_model
from afterguard.engine.create import create_judge
from afterguard.engine.settings import EngineSettings
from afterguard.flow.ports import Judge, JudgeRequest

_REAL = (pytest.mark.engine, pytest.mark.slow)
_CAPS = {Effort.LOW: 8, Effort.MEDIUM: 16, Effort.HIGH: 48}


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _nothing_is_swallowed(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """The rule of tests/conftest.py, on the loop that the engines live on."""
    if request.node.get_closest_marker("asyncio") is None:
        yield
        return
    async with nothing_swallowed(errors_expected="expected_errors" in request.fixturenames):
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here run on one loop: an engine cannot leave the one it was started on."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def registry() -> CollectorRegistry:
    """Where the engines show their metrics."""
    return CollectorRegistry()


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=[
        "null",
        pytest.param("vllm", marks=_REAL),
        pytest.param("vllm-harmony", marks=_REAL),
        pytest.param("openai", marks=_REAL),
    ],
)
async def judge(
    request: pytest.FixtureRequest,
    registry: CollectorRegistry,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Judge]:
    """A started engine, warm enough that its background tasks exist."""
    prepare_environment()
    server: VllmServer | None = None
    with warnings.catch_warnings():
        # What other libraries warn about while they are imported is not ours to mend.
        warnings.simplefilter("ignore")
        try:
            settings = _settings(request.param)
        except AfterguardError as error:
            missing(f"the engine {request.param} ({error})")
            raise
        if request.param == "openai":
            log = tmp_path_factory.mktemp("vllm-serve") / "log.txt"
            server = VllmServer(prepare_model(), log, settings.args["dtype"])
            await server.start()
            settings = _openai_settings(server.url)
        engine = create_judge(settings, registry=registry)
        try:
            await engine.start()
            await engine.judge(JudgeRequest("warm", samples.policy(), "hello", Effort.LOW))
            yield engine
        finally:
            await engine.stop()
            del engine
            gc.collect()
            if server is not None:
                await server.stop()


def _settings(name: str) -> EngineSettings:
    if name == "null":
        return EngineSettings(kind="null")
    model = tiny_gpt_oss() if name == "vllm-harmony" else prepare_model()
    # A gpt_oss runs in bf16 only.
    args: dict[str, object] = {"kv_cache_memory_bytes": 256 * 2**20}
    if name == "vllm-harmony":
        args["dtype"] = "bfloat16"
    return cpu_engine_settings(model, max_content_tokens=600, reasoning_max_tokens=_CAPS, args=args)


def _openai_settings(url: str) -> EngineSettings:
    return EngineSettings.model_validate(
        {
            "kind": "openai",
            "base_url": url,
            "model": MODEL,
            "api_key": API_KEY,
            "max_content_tokens": 600,
            "reasoning_max_tokens": _CAPS,
        }
    )


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[StandInServer]:
    """A server that is none."""
    stand_in = StandInServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stand_in.complete)
    app.router.add_get("/v1/models", stand_in.models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield stand_in
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def judge_at(server: StandInServer) -> AsyncIterator[Judge]:
    """A judge that has started at a server that takes all it is sent and applies no grammar."""
    judge = stand_in_judge(server)
    await judge.start()
    server.asked.clear()
    yield judge
    await judge.stop()
