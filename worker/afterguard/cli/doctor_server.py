"""A look at an OpenAI-compatible server: does it answer, and does it serve our model?"""

from typing import Final

import aiohttp

from afterguard.contracts.errors import SettingsError
from afterguard.engine.settings import EngineSettings
from afterguard.security.secret_files import secret

_ANSWER_S: Final = 5.0
_REFUSALS: Final = frozenset({401, 403})


async def served_model(engine: EngineSettings) -> tuple[bool, str, str]:
    """What the server at `engine.base_url` says about `engine.model`.

    Returns:
        Whether it serves the model, what was found, and what to do when it does not. The address
        is not repeated, for it may hold a password.
    """
    url = f"{(engine.base_url or '').rstrip('/')}/models"
    try:
        key = secret(engine.api_key, engine.api_key_file, "engine.api_key")
    except SettingsError as error:
        return False, str(error), "correct engine.api_key_file"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limit = aiohttp.ClientTimeout(total=_ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as http,
            http.get(url) as answer,
        ):
            status = answer.status
            listed = await answer.json(content_type=None) if status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return False, f"no answer: {type(error).__name__}", "check engine.base_url and the server"
    if status in _REFUSALS:
        return False, f"answers HTTP {status}", "set engine.api_key (AFTERGUARD_ENGINE__API_KEY)"
    if status != 200:
        return False, f"answers HTTP {status}", "check engine.base_url; it usually ends in /v1"
    served = _ids(listed)
    if engine.model in served:
        return True, f"a server that serves {engine.model}", ""
    names = ", ".join(served) or "no model"
    return (
        False,
        f"a server that serves {names}",
        f"set engine.model to one of them, not {engine.model}",
    )


def _ids(listed: object) -> list[str]:
    data = listed.get("data") if isinstance(listed, dict) else None
    entries = data if isinstance(data, list) else []
    return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]
