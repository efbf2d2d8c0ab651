"""Tokens for OAUTHBEARER: from a function or a file, asked for anew by each connection."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.conftest import Broker
from tests.guarded_broker import GuardedBroker
from tests.house.source import PACKAGE
from tests.kafka_worker import event, look, produce, serving, settled, worker_settings
from tests.stream.kafka.logins import accounts, asked, login, told

from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker


@pytest.fixture
async def asking() -> AsyncIterator[ModuleType]:
    """A module of the operator's with functions that get tokens."""
    module = ModuleType("tokens_of_ours")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


async def test_a_token_comes_from_a_function_that_waits_or_blocks(
    kafka: Broker, asking: Any
) -> None:
    async def waiting() -> str:
        await asyncio.sleep(0)
        return "token-of-today"

    asking.waiting, asking.blocking = waiting, lambda: "token-of-today"
    known = accounts()
    async with GuardedBroker(kafka, accounts=known, mechanisms=("OAUTHBEARER",)) as guarded:
        for name in ("waiting", "blocking"):
            await asked(
                guarded.settings(
                    kafka,
                    security_protocol="sasl_plaintext",
                    sasl_mechanism="OAUTHBEARER",
                    sasl_token_provider=f"tokens_of_ours:{name}",
                )
            )
    assert set(known.logins) == {"token-of-today"}


async def test_the_function_of_the_docs_gets_a_token(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (PACKAGE.parents[1] / "docs" / "worker.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    file = tmp_path / "token"
    file.write_text("token-of-today\n")
    (tmp_path / "kafka_tokens.py").write_text(
        code.replace("/var/run/secrets/tokens/kafka", str(file))
    )
    monkeypatch.syspath_prepend(tmp_path)
    known = accounts()
    async with GuardedBroker(kafka, accounts=known, mechanisms=("OAUTHBEARER",)) as guarded:
        await asked(
            guarded.settings(
                kafka,
                security_protocol="sasl_plaintext",
                sasl_mechanism="OAUTHBEARER",
                sasl_token_provider="kafka_tokens:token",
            )
        )
    assert set(known.logins) == {"token-of-today"}


async def test_a_function_that_fails_is_told_by_its_name_and_never_by_its_words(
    kafka: Broker, asking: Any, expected_errors: list[str]
) -> None:
    def failing() -> str:
        raise RuntimeError("client_secret=hunter2 was refused")

    asking.failing, asking.silent = failing, lambda: None
    async with GuardedBroker(kafka, accounts=accounts(), mechanisms=("OAUTHBEARER",)) as guarded:
        for name, problem in (("failing", "raised RuntimeError"), ("silent", "returned no text")):
            text = await told(
                guarded.settings(
                    kafka,
                    security_protocol="sasl_plaintext",
                    sasl_mechanism="OAUTHBEARER",
                    sasl_token_provider=f"tokens_of_ours:{name}",
                    start_timeout_s=0.5,
                )
            )
            assert f"kafka.sasl_token_provider tokens_of_ours:{name} {problem}" in text
            assert "hunter2" not in text


async def test_a_session_that_the_broker_ends_is_opened_again_with_the_token_of_then(
    kafka: Broker, topics: TopicSettings, tmp_path: Path, expected_errors: list[str]
) -> None:
    known = accounts()
    values = login("OAUTHBEARER", tmp_path)
    async with GuardedBroker(kafka, accounts=known, mechanisms=("OAUTHBEARER",)) as guarded:
        settings = worker_settings(
            kafka, topics, kafka={"bootstrap_servers": guarded.bootstrap_servers, **values}
        )
        async with serving(settings) as app:
            await produce(kafka, topics.events, [event(1)])
            await settled(app, 1)
            known.tokens = {"token-of-tomorrow"}
            values["sasl_token_file"].write_text("token-of-tomorrow")
            assert guarded.cut() > 0
            await produce(kafka, topics.events, [event(2)])
            await settled(app, 2)
    assert (await look(kafka, topics)).lost == []
    assert "token-of-tomorrow" in known.logins
