"""TLS and SASL to the broker, through a proxy that checks both: every client comes through."""

import ast
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority
from tests.conftest import Broker
from tests.guarded_broker import GuardedBroker
from tests.house.source import PACKAGE
from tests.kafka_worker import event, look, produce, serving, settled, worker_settings
from tests.onlooker import read_topic
from tests.sasl_server import MECHANISMS
from tests.stream.kafka.logins import PASSWORD, accounts, login

from afterguard.contracts.records import OutputRecord
from afterguard.stream.kafka.transactional import KafkaTransactionalProducers
from afterguard.stream.ports import Partition
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker

CLIENTS = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient", "create_conn"}


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
