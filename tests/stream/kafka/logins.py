"""Log-ins for tests: who may log in, right and wrong settings, and what a start is told."""

from pathlib import Path
from typing import Any

import pytest
from tests.sasl_server import Accounts

from afterguard.contracts.errors import AfterguardError, StreamError
from afterguard.stream.kafka.admin import missing_topics
from afterguard.stream.settings import KafkaSettings

PASSWORD = "correct horse, battery=staple"


def accounts() -> Accounts:
    return Accounts({"the,worker=1": PASSWORD}, {"token-of-today"})


def login(mechanism: str, folder: Path, **changes: Any) -> dict[str, Any]:
    """The settings of a right log-in, or of a wrong one."""
    shared = {"security_protocol": "sasl_plaintext", "sasl_mechanism": mechanism}
    if mechanism == "OAUTHBEARER":
        file = folder / "token"
        file.write_text(changes.pop("token", "token-of-today") + "\n")
        return {**shared, "sasl_token_file": file, **changes}
    return {**shared, "sasl_username": "the,worker=1", "sasl_password": PASSWORD, **changes}


async def asked(settings: KafkaSettings) -> None:
    """One question to the broker; raises what a worker's start would."""
    assert await missing_topics(settings, ["nobody-made-this"]) == {"nobody-made-this"}


async def told(settings: KafkaSettings, kind: type[AfterguardError] = StreamError) -> str:
    with pytest.raises(kind) as raised:
        await asked(settings)
    return str(raised.value)
