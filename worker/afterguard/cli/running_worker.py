"""Asking a worker that runs on this machine, over its small server."""

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import orjson
import typer

from afterguard.contracts.errors import AfterguardError
from afterguard.health.settings import HttpSettings

URL: Final = typer.Option(
    None,
    "--url",
    metavar="URL",
    help="The worker's small server, such as http://127.0.0.1:9108; by `http.host` and "
    "`http.port` when absent.",
)
_ANYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 (what a server is told, not a client)
_PATIENCE_S: Final = 10.0


class Unanswered(AfterguardError):
    """The worker did not answer, or refused to."""


def ask_worker(
    method: Literal["GET", "POST"],
    path: str,
    parameters: Mapping[str, str],
    *,
    http: HttpSettings,
    url: str | None = None,
) -> Any:  # noqa: ANN401
    """What the worker answers.

    Args:
        method: GET changes nothing.
        path: Such as `/why`.
        parameters: In the query of GET, in the JSON object of POST.
        http: Where a worker with these settings listens.
        url: Where it listens instead.

    Raises:
        Unanswered: There is no answer, or it is a refusal; says what to do.
    """
    base = (url or _address(http)).rstrip("/")
    request = Request(f"{base}{path}", method=method)  # noqa: S310 (checked below)
    if request.type not in {"http", "https"}:
        raise Unanswered(f"--url {base}: must begin with http://")
    if method == "POST":
        request.data = orjson.dumps(dict(parameters))
        request.add_header("Content-Type", "application/json")
    elif parameters:
        request.full_url = f"{base}{path}?{urlencode(parameters)}"
    # A proxy of the environment leads away from this machine.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(request, timeout=_PATIENCE_S) as answer:
            return orjson.loads(answer.read())
    except HTTPError as error:
        raise Unanswered(_refusal(error, path)) from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unanswered(
            f"no worker answers at {base}: {reason}; name another with --url, or set http.host "
            "and http.port as the worker has them"
        ) from None


def _address(http: HttpSettings) -> str:
    host = "127.0.0.1" if http.host in _ANYWHERE else http.host
    return f"http://[{host}]:{http.port}" if ":" in host else f"http://{host}:{http.port}"


def _refusal(error: HTTPError, path: str) -> str:
    try:
        told = orjson.loads(error.read())["error"]
    except (ValueError, KeyError, TypeError):
        return f"the server there knows no {path} ({error.code}); is it a worker of this version?"
    return str(told)
