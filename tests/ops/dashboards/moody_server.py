"""A named fake of a server that judges: it goes by a word, and now and then it is busy or fails.

Real models find what they find; this one makes sure that every panel has something to show.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from aiohttp import web
from tests.engine.stand_in_server import CLEAN, StandInServer, completion, error

from afterguard.embedded.process import EmbeddedProcess, free_port, port_answers

_LATENCY_S: Final = (0.05, 0.4)
_WORD: Final = "followers"
_IN_DOUBT: Final = [
    {
        "token": token,
        "logprob": -0.7,
        "bytes": None,
        "top_logprobs": [{"token": "1", "logprob": -0.7, "bytes": None}] if token == "0" else [],
    }
    for token in ('{"violation":', "0", ',"rules":[]}')
]
# By the number of the request.
_MOODS: Final[dict[int, Callable[[], web.Response]]] = {
    11: lambda: error(503),
    23: lambda: error(500),
    37: lambda: completion("I cannot say."),
    **dict.fromkeys((5, 15, 25, 35), lambda: completion(CLEAN, logprobs={"content": _IN_DOUBT})),
}
_chance: Final = Random(7)
_numbers: Final = count()


class MoodyServer(EmbeddedProcess):
    """An async context manager; the server lives as long as its block."""

    def __init__(self) -> None:
        self._port = free_port()

        def command(_: Path) -> Sequence[str]:
            # It starts in a folder of its own, and this package is found from here.
            here = f"import sys; sys.path.insert(0, {str(Path.cwd())!r})"
            run = f"from tests.ops.dashboards import moody_server; moody_server.serve({self._port})"
            return [sys.executable, "-c", f"{here}; {run}"]

        super().__init__("moody-server", command, lambda: port_answers(self._port))

    @property
    def url(self) -> str:
        """For `engine.base_url`."""
        return f"http://127.0.0.1:{self._port}/v1"


def serve(port: int) -> None:
    """Answer until the process is ended."""
    server = StandInServer()
    server.answers = _answer

    async def complete(request: web.Request) -> web.Response:
        await asyncio.sleep(_chance.uniform(*_LATENCY_S))
        return await server.complete(request)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", server.models)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


def _answer(asked: Mapping[str, Any]) -> web.Response:
    said = [str(it["content"]) for it in asked["messages"]]
    rule = next((it for it in ("P2", "Q2") if it in said[0]), None)
    if rule is None:  # asked at the start what it can do
        return completion(CLEAN)
    if mood := _MOODS.get(next(_numbers) % 40):
        return mood()
    if _WORD in said[-1] or _chance.random() < 0.2:
        return completion(f'{{"violation":1,"rules":["{rule}"]}}')
    return completion(CLEAN)
