"""A server that is away for a while is waited for; one that breaks off at a request is not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from tests import samples

from afterguard.contracts.errors import EngineBusy, EngineFault
from afterguard.contracts.words import Effort
from afterguard.engine.openai_engine import OpenAIJudge
from afterguard.engine.settings import EngineSettings
from afterguard.flow.ports import JudgeRequest

REQUEST = JudgeRequest("r-1", samples.policy(), "good morning", Effort.LOW)
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}
    ],
}


class Server:
    """Answers every request alike, until it is told otherwise or ended."""

    def __init__(self) -> None:
        self.breaks_off = False
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def end(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.breaks_off and request.transport is not None:
            request.transport.abort()
        return web.json_response(ANSWER)


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[Server]:
    """A server that answers."""
    server = Server()
    await server.start()
    yield server
    await server.end()


@pytest_asyncio.fixture(loop_scope="session")
async def judge(server: Server) -> AsyncIterator[OpenAIJudge]:
    """A judge that has found its server."""
    settings = EngineSettings(kind="openai", base_url=server.url, model="m")
    judge = OpenAIJudge(settings, lambda _: None)
    await judge.start()
    yield judge
    await judge.stop()
    # The client closes its connections a turn later.
    await asyncio.sleep(0)


async def test_a_server_that_is_away_counts_as_busy(server: Server, judge: OpenAIJudge) -> None:
    await server.end()
    with pytest.raises(EngineBusy):
        await judge.judge(REQUEST)
    assert not await judge.healthy()


async def test_a_server_that_breaks_off_at_a_request_counts_as_a_fault(
    server: Server, judge: OpenAIJudge
) -> None:
    server.breaks_off = True
    with pytest.raises(EngineFault):
        await judge.judge(REQUEST)
