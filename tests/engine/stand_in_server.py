"""A stand-in for a server that speaks OpenAI's chat completions."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from afterguard.engine.create import create_judge
from afterguard.engine.settings import EngineSettings
from afterguard.flow.ports import Judge

SAID = "what was said"
CLEAN = '{"violation":0,"rules":[]}'
Answers = Callable[[Mapping[str, Any]], web.Response]


def completion(content: str | None, **choice: Any) -> web.Response:
    """An answer of a server; `choice` changes it."""
    message = {"role": "assistant", "content": content} | choice.pop("message", {})
    return web.json_response(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message} | choice],
            "usage": {
                "prompt_tokens": 90,
                "completion_tokens": 9,
                "total_tokens": 99,
                "prompt_tokens_details": {"cached_tokens": 64},
            },
        }
    )


def error(status: int, **fields: Any) -> web.Response:
    """A refusal that quotes what was said."""
    return web.json_response({"error": {"message": SAID, **fields}}, status=status)


class StandInServer:
    """A named fake: takes every request and answers it as told."""

    def __init__(self) -> None:
        self.answers: Answers = lambda _: completion(CLEAN)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    async def complete(self, request: web.Request) -> web.Response:
        """As told."""
        asked = await request.json()
        self.asked.append(asked)
        self.headers.append(request.headers)
        return self.answers(asked)

    async def models(self, _request: web.Request) -> web.Response:
        """None."""
        return web.json_response({"object": "list", "data": []})


def stand_in_judge(server: StandInServer, **changes: Any) -> Judge:
    """A judge that asks this server."""
    values = {"kind": "openai", "base_url": server.url, "model": "m", "api_key": "sesame"}
    settings = EngineSettings.model_validate(values | changes)
    return create_judge(settings, registry=CollectorRegistry())
