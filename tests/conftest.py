"""Real services for tests, and the rule that a swallowed error fails its test."""

import asyncio
import gc
import logging
import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
import structlog
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings as hypothesis_settings
from tests.group_coordinator import GroupCoordinator

from afterguard.contracts.errors import AfterguardError, SettingsError
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.process import EmbeddedProcess
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.prefilter.extra import require_extra
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings

# How long an example takes is a matter of the machine and its neighbours.
hypothesis_settings.register_profile("afterguard", deadline=None)
hypothesis_settings.load_profile("afterguard")

OWN_BROKER = "AFTERGUARD_TEST_KAFKA"
OWN_REDIS = "AFTERGUARD_TEST_REDIS_URL"


def missing(what: str) -> None:
    """A service is missing: a person's machine skips with the reason, CI fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing and CI must have it")
    pytest.skip(f"{what} is missing")


def needs_prefilter() -> None:
    """Goes on where everything is installed that fitting a classifier takes."""
    try:
        require_extra(to_fit=True)
    except SettingsError as error:
        missing(f"the extra prefilter ({error})")


def _served(make: Callable[[], EmbeddedProcess], what: str) -> Iterator[EmbeddedProcess]:
    # A loop of its own: the service outlives the loops of single tests.
    with asyncio.Runner() as runner:
        try:
            service = make()
            runner.run(service.start())
        except AfterguardError as error:
            missing(f"{what} ({error})")
            return
        yield service
        runner.run(service.discard())


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker to test against, embedded or a person's own."""

    bootstrap_servers: str

    def settings(self, **changes: object) -> KafkaSettings:
        """Settings with a group of their own and short times."""
        values: dict[str, object] = {
            "bootstrap_servers": self.bootstrap_servers,
            "group_id": f"g-{uuid4().hex[:8]}",
            "session_timeout_ms": 6_000,
            "heartbeat_interval_ms": 500,
            "rebalance_timeout_ms": 15_000,
        }
        return KafkaSettings.model_validate(values | changes)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """A Kafka-protocol broker; a person's own by AFTERGUARD_TEST_KAFKA."""
    if own := os.environ.get(OWN_BROKER):
        yield Broker(own)
        return
    for service in _served(EmbeddedBroker, "the embedded broker"):
        assert isinstance(service, EmbeddedBroker)
        yield Broker(service.bootstrap_servers)


@pytest.fixture
async def group_kafka(kafka: Broker) -> AsyncIterator[Broker]:
    """The broker for tests whose group members come and go; see `tests.group_coordinator`."""
    if os.environ.get(OWN_BROKER):
        yield kafka
        return
    async with GroupCoordinator(int(kafka.bootstrap_servers.rpartition(":")[2])) as coordinator:
        yield Broker(coordinator.bootstrap_servers)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Valkey or Redis server; a person's own by AFTERGUARD_TEST_REDIS_URL."""
    if own := os.environ.get(OWN_REDIS):
        yield own
        return
    for service in _served(EmbeddedValkey, "Valkey"):
        assert isinstance(service, EmbeddedValkey)
        yield service.url


MakeTopics = Callable[..., Awaitable[TopicSettings]]


@pytest.fixture
def make_topics(kafka: Broker) -> MakeTopics:
    """Creates four topics with names of their own."""

    async def make(partitions: int = 1) -> TopicSettings:
        mark = uuid4().hex[:8]
        names = {field: f"{name}.{mark}" for field, name in TopicSettings().model_dump().items()}
        topics = TopicSettings(**names)
        await create_topics(
            kafka.settings(), plan_topics(topics, partitions=partitions, replication=1)
        )
        return topics

    return make


@pytest.fixture
async def topics(make_topics: MakeTopics) -> TopicSettings:
    """Four topics of one partition each."""
    return await make_topics()


@pytest.fixture
def expected_errors() -> list[str]:
    """A test that provokes error logs asks for this."""
    return []


@pytest.fixture(autouse=True)
async def _nothing_is_swallowed(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fails the test on stray tasks, errors nobody retrieved, and error logs nobody expected."""
    if request.node.get_closest_marker("asyncio") is None:
        yield
        return
    async with nothing_swallowed(errors_expected="expected_errors" in request.fixturenames):
        yield


@asynccontextmanager
async def nothing_swallowed(*, errors_expected: bool) -> AsyncIterator[None]:
    """The rule itself; tests on another loop than the usual one bring it to theirs."""
    loop = asyncio.get_running_loop()
    reported: list[str] = []
    loop.set_exception_handler(
        lambda _, context: reported.append(f"{context['message']} {context.get('exception')!r}")
    )
    before = asyncio.all_tasks()
    records = _Errors()
    logging.getLogger().addHandler(records)
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as logs:
        yield
    logging.getLogger().removeHandler(records)
    await asyncio.sleep(0)
    running = asyncio.all_tasks() - before - {asyncio.current_task()}
    stray = [task for task in running if not task.done()]
    for task in stray:
        task.cancel()
    await asyncio.gather(*stray, return_exceptions=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect(0)
    assert not stray, f"tasks left running: {stray}"
    assert not reported, f"errors that nobody retrieved: {reported}"
    if not errors_expected:
        errors = [entry for entry in logs if entry["log_level"] in {"error", "critical"}]
        assert not errors, f"error logs: {errors}"
        assert not records.seen, f"error logs: {records.seen}"


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[BlockBuster]:
    """A blocking call inside our package, on the event loop, raises."""
    with blockbuster_ctx("afterguard") as buster:
        # Client libraries import parts of themselves late, and an import reads files; waiting
        # and the network are what must never happen on the loop.
        for name, function in buster.functions.items():
            if not name.startswith(("time.", "socket.", "ssl.")):
                function.deactivate()
        yield buster
