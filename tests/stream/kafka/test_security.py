"""TLS and SASL to the broker, through a proxy that checks both: right, wrong, how it is told."""

import ast
import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.certificates import Authority
from tests.conftest import Broker
from tests.guarded_broker import GuardedBroker
from tests.house.source import PACKAGE
from tests.kafka_worker import event, look, produce, serving, settled, worker_settings
from tests.onlooker import read_topic
from tests.sasl_server import MECHANISMS, Accounts

from afterguard.contracts.errors import AfterguardError, StreamError, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.kafka.admin import missing_topics
from afterguard.stream.kafka.transactional import KafkaTransactionalProducers
from afterguard.stream.ports import Partition
from afterguard.stream.settings import KafkaSettings, TopicSettings

pytestmark = pytest.mark.broker

CLIENTS = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient", "create_conn"}
PASSWORD = "correct horse, battery=staple"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


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


async def round_trip(
    kafka: Broker,
    guarded: GuardedBroker,
    topics: TopicSettings,
    *,
    guarantee: str = "at_least_once",
    **security: Any,
) -> None:
    """A worker comes through the guard with each of its clients; two events are judged."""
    settings = worker_settings(
        kafka,
        topics,
        kafka={"bootstrap_servers": guarded.bootstrap_servers, **security},
        delivery={"guarantee": guarantee, "commit_interval_s": 0.05},
    )
    async with serving(settings) as app:
        await produce(kafka, topics.events, [event(1), event(2)])
        await settled(app, 2)
    found = await look(kafka, topics)
    assert found.lost == []
    assert len(found.audit) == 2


async def test_a_worker_does_its_work_over_tls_with_a_certificate_of_its_own(
    kafka: Broker, topics: TopicSettings, authority: Authority
) -> None:
    ours = authority.client(password=PASSWORD)
    async with GuardedBroker(kafka, tls=authority.server(asks=True)) as guarded:
        await round_trip(
            kafka,
            guarded,
            topics,
            security_protocol="SSL",
            ssl_ca_file=authority.ca_file,
            ssl_cert_file=ours.cert,
            ssl_key_file=ours.key,
            ssl_key_password=PASSWORD,
        )


async def test_a_worker_with_transactions_does_its_work_over_tls_behind_a_log_in(
    kafka: Broker, topics: TopicSettings, authority: Authority, tmp_path: Path
) -> None:
    known = accounts()
    async with GuardedBroker(
        kafka, tls=authority.server(), accounts=known, mechanisms=("SCRAM-SHA-512",)
    ) as guarded:
        await round_trip(
            kafka,
            guarded,
            topics,
            guarantee="exactly_once",
            **login("SCRAM-SHA-512", tmp_path, security_protocol="sasl_ssl"),
            ssl_ca_file=authority.ca_file,
        )


async def test_a_transactional_producer_comes_through_the_guard(
    kafka: Broker, topics: TopicSettings, tmp_path: Path
) -> None:
    known = accounts()
    async with GuardedBroker(kafka, accounts=known, mechanisms=("SCRAM-SHA-256",)) as guarded:
        settings = guarded.settings(kafka, **login("SCRAM-SHA-256", tmp_path))
        producer = KafkaTransactionalProducers(settings, timeout_s=10)(Partition(topics.events, 0))
        await producer.start()
        await producer.begin()
        sent = await producer.send(OutputRecord(topics.audit, b"k", b"v"))
        await sent
        await producer.commit()
        await producer.stop()
    assert known.logins
    assert [it.value for it in await read_topic(kafka.bootstrap_servers, topics.audit)] == [b"v"]


def test_no_client_of_the_broker_is_made_without_it() -> None:
    bare = []
    for file in sorted((PACKAGE / "stream" / "kafka").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name, arguments = node.func.id, [it.arg for it in node.keywords]
                if name in CLIENTS and None not in arguments:  # None stands for `**…`
                    bare.append(f"{file.name}:{node.lineno}: {name}")
    assert bare == []


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_worker_does_its_work_behind_a_log_in(
    kafka: Broker, topics: TopicSettings, authority: Authority, tmp_path: Path, mechanism: str
) -> None:
    known = accounts()
    async with GuardedBroker(
        kafka, tls=authority.server(), accounts=known, mechanisms=(mechanism,)
    ) as guarded:
        await round_trip(
            kafka,
            guarded,
            topics,
            **login(mechanism, tmp_path, security_protocol="sasl_ssl"),
            ssl_ca_file=authority.ca_file,
        )
    assert len(known.logins) >= 3  # the consumer, the producer, and who looked for the topics


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


async def test_a_certificate_renewed_on_disk_is_shown_by_the_next_connection(
    kafka: Broker, topics: TopicSettings, authority: Authority, expected_errors: list[str]
) -> None:
    ours = authority.client()
    async with GuardedBroker(kafka, tls=authority.server(asks=True)) as guarded:
        settings = worker_settings(
            kafka,
            topics,
            kafka={
                "bootstrap_servers": guarded.bootstrap_servers,
                "security_protocol": "ssl",
                "ssl_ca_file": authority.ca_file,
                "ssl_cert_file": ours.cert,
                "ssl_key_file": ours.key,
            },
        )
        async with serving(settings) as app:
            await produce(kafka, topics.events, [event(1)])
            await settled(app, 1)
            before = set(guarded.shown)
            authority.client()  # the same files, another certificate
            assert guarded.cut() > 0
            await produce(kafka, topics.events, [event(2)])
            await settled(app, 2)
    assert len(before) == 1
    assert len(set(guarded.shown)) == 2


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
    text = (PACKAGE.parents[1] / "docs" / "operating.md").read_text(encoding="utf-8")
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
