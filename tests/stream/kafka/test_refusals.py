"""A broker that cannot be spoken to: why, in words that name the setting, and no secret."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.certificates import Authority
from tests.conftest import Broker
from tests.guarded_broker import GuardedBroker
from tests.kafka_worker import worker_settings
from tests.stream.kafka.logins import PASSWORD, accounts, asked, login, told

from afterguard.app import build
from afterguard.contracts.errors import StreamUnavailable
from afterguard.contracts.exit_codes import ExitCode
from afterguard.engine.null_engine import NullJudge
from afterguard.lifecycle import Stop, serve
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker


async def test_a_certificate_that_nobody_trusts_is_told_at_once(
    kafka: Broker, authority: Authority, tmp_path: Path, expected_errors: list[str]
) -> None:
    foreign = Authority(tmp_path, "foreign").ca_file
    async with GuardedBroker(kafka, tls=authority.server()) as guarded:
        for ca_file in (foreign, None):
            text = await told(guarded.settings(kafka, security_protocol="ssl", ssl_ca_file=ca_file))
            assert f"localhost:{guarded.port} shows a certificate that is not trusted" in text
            assert "check kafka.ssl_ca_file" in text


async def test_a_certificate_for_another_name_is_refused_unless_names_are_not_looked_at(
    kafka: Broker, authority: Authority, expected_errors: list[str]
) -> None:
    values = {"security_protocol": "ssl", "ssl_ca_file": authority.ca_file}
    async with GuardedBroker(kafka, tls=authority.server("kafka.example")) as guarded:
        text = await told(guarded.settings(kafka, **values))
        assert "shows a certificate for another name" in text
        assert "kafka.ssl_check_hostname=false" in text
        await asked(guarded.settings(kafka, **values, ssl_check_hostname=False))


async def test_a_name_that_brokers_tell_clients_and_no_certificate_holds_is_found(
    kafka: Broker, authority: Authority, expected_errors: list[str]
) -> None:
    async with GuardedBroker(
        kafka, tls=authority.server("localhost"), advertised="127.0.0.1"
    ) as guarded:
        text = await told(
            guarded.settings(
                kafka,
                security_protocol="ssl",
                ssl_ca_file=authority.ca_file,
                start_timeout_s=0.5,
            )
        )
    assert f"127.0.0.1:{guarded.port} shows a certificate for another name" in text
    assert text.endswith("(the brokers tell clients to go there)")


async def test_a_broker_that_asks_for_another_certificate_of_ours_is_told_so(
    kafka: Broker, authority: Authority, tmp_path: Path, expected_errors: list[str]
) -> None:
    strange = Authority(tmp_path, "foreign").client()
    values = {
        "security_protocol": "ssl",
        "ssl_ca_file": authority.ca_file,
        "start_timeout_s": 0.5,
    }
    async with GuardedBroker(kafka, tls=authority.server(asks=True)) as guarded:
        for shown in ({}, {"ssl_cert_file": strange.cert, "ssl_key_file": strange.key}):
            text = await told(guarded.settings(kafka, **values, **shown))
            assert "kafka.ssl_cert_file" in text


@pytest.mark.parametrize(
    ("mechanism", "wrong"),
    [
        ("PLAIN", {"sasl_password": "guessed"}),
        ("SCRAM-SHA-256", {"sasl_password": "guessed"}),
        ("SCRAM-SHA-512", {"sasl_username": "somebody"}),
    ],
)
async def test_wrong_credentials_are_told_at_once_and_not_repeated(
    kafka: Broker,
    tmp_path: Path,
    mechanism: str,
    wrong: dict[str, str],
    expected_errors: list[str],
) -> None:
    async with GuardedBroker(kafka, accounts=accounts(), mechanisms=(mechanism,)) as guarded:
        text = await told(guarded.settings(kafka, **login(mechanism, tmp_path, **wrong)))
    assert f"refuses the log-in by {mechanism}; check kafka.sasl_username and kafka.sasl_pa" in text
    assert PASSWORD not in text
    assert "guessed" not in text


async def test_a_refused_token_is_told_though_kafka_s_refusal_looks_like_a_welcome(
    kafka: Broker, tmp_path: Path, expected_errors: list[str]
) -> None:
    stale = login("OAUTHBEARER", tmp_path, token="token-of-yesterday", start_timeout_s=0.5)
    async with GuardedBroker(kafka, accounts=accounts(), mechanisms=("OAUTHBEARER",)) as guarded:
        text = await told(guarded.settings(kafka, **stale), StreamUnavailable)
    assert "it may refuse the token of kafka.sasl_token_file" in text
    assert "yesterday" not in text


async def test_what_the_broker_does_not_speak_is_told_with_the_setting(
    kafka: Broker, authority: Authority, tmp_path: Path, expected_errors: list[str]
) -> None:
    brief: dict[str, Any] = {"start_timeout_s": 0.5}
    tls = {"security_protocol": "ssl", "ssl_ca_file": authority.ca_file}
    async with GuardedBroker(kafka, tls=authority.server()) as guarded:
        text = await told(guarded.settings(kafka, **brief))
        assert "it may want TLS; check kafka.security_protocol=plaintext" in text
    async with GuardedBroker(kafka) as guarded:
        text = await told(guarded.settings(kafka, **brief, **tls))
        assert "it may speak no TLS (check kafka.security_protocol=ssl)" in text
        text = await told(guarded.settings(kafka, **login("PLAIN", tmp_path)))
        assert "asks for no log-in; check kafka.security_protocol=sasl_plaintext" in text
    async with GuardedBroker(kafka, accounts=accounts()) as guarded:
        text = await told(guarded.settings(kafka, **brief))
        assert "it may want a log-in; check kafka.security_protocol=plaintext" in text
        text = await told(guarded.settings(kafka, **login("SCRAM-SHA-256", tmp_path)))
        assert "offers no log-in by kafka.sasl_mechanism=SCRAM-SHA-256" in text


async def test_a_log_in_that_is_taken_back_ends_the_worker_with_the_reason(
    kafka: Broker, topics: TopicSettings, tmp_path: Path, expected_errors: list[str]
) -> None:
    known = accounts()
    async with GuardedBroker(kafka, accounts=known) as guarded:
        settings = worker_settings(
            kafka,
            topics,
            kafka={
                "bootstrap_servers": guarded.bootstrap_servers,
                "request_timeout_ms": 2_000,
                "stall_timeout_s": 2,
                **login("PLAIN", tmp_path),
            },
            delivery={"drain_timeout_s": 1},
        )
        app, ready = build(settings, judge=NullJudge()), asyncio.Event()
        running = asyncio.create_task(serve(app, Stop(), ready=ready.set))
        await ready.wait()
        known.passwords.clear()
        assert guarded.cut() > 0
        with structlog.testing.capture_logs() as logs:
            assert await asyncio.wait_for(running, 60) is ExitCode.STREAM_LOST
    assert "refuses the log-in by PLAIN; check kafka.sasl_username" in str(logs)
    assert PASSWORD not in str(logs)
