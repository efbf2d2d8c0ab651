"""Control: questions and wishes that only a person on the worker's own machine may bring.

The small server has no authentication, so what tells more than figures, or changes anything, is
answered to loopback peers alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal, NamedTuple

import orjson
from aiohttp import web

from afterguard.contracts.errors import BadQuestion

Answer = Callable[[Mapping[str, str]], object]

_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
_LOCAL_NAMES: Final = ("localhost", "ip6-localhost")
_MOST_BYTES: Final = 10_000


class Control(NamedTuple):
    """One thing that can be asked for.

    Attributes:
        method: GET changes nothing.
        path: Such as `/why`.
        answer: Given the parameters (of the query, or of the JSON object that was posted), returns
            what JSON can hold. Called on the event loop, so it must not block. Raises
            `BadQuestion`.
    """

    method: Literal["GET", "POST"]
    path: str
    answer: Answer


def handler(control: Control, port: Callable[[], int]) -> Callable[..., Awaitable[web.Response]]:
    """The request handler of a control.

    Args:
        control: What is asked for.
        port: Where the server listens; for the words of a refusal.
    """

    async def answer(request: web.Request) -> web.Response:
        if not _local(request):
            return _told(
                403,
                f"{control.path} is answered on the worker's own machine only: log in there (in "
                f"Kubernetes: `kubectl exec POD -- afterguard …`) and ask 127.0.0.1:{port()}",
            )
        try:
            parameters = await _parameters(request)
            found = control.answer(parameters)
        except BadQuestion as fault:
            return _told(400, str(fault))
        return web.Response(body=orjson.dumps(found, default=str), content_type="application/json")

    return answer


def _local(request: web.Request) -> bool:
    # A proxy on this machine is a loopback peer, too, and its clients are not; a page in a browser
    # on this machine reaches us under the name of its own site.
    if any(name in request.headers for name in _FORWARDED):
        return False
    return _loopback(request.remote or "") and _local_name(request.url.host or "")


def _local_name(host: str) -> bool:
    return host in _LOCAL_NAMES or _loopback(host)


def _loopback(text: str) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


async def _parameters(request: web.Request) -> Mapping[str, str]:
    if request.method == "GET":
        return dict(request.query)
    if request.content_type != "application/json":
        raise BadQuestion("post a JSON object as application/json")
    body = await request.content.read(_MOST_BYTES)
    try:
        fields = orjson.loads(body)
    except ValueError:
        raise BadQuestion("the body is no JSON") from None
    if not isinstance(fields, dict) or not all(isinstance(it, str) for it in fields.values()):
        raise BadQuestion("the body must be a JSON object of texts")
    return fields


def _told(status: int, error: str) -> web.Response:
    return web.json_response({"error": error}, status=status)
