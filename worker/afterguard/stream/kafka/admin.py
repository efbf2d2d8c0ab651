"""Topics: what the worker needs, what the broker has, and making what is missing."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from afterguard.contracts.errors import StreamError, StreamUnavailable
from afterguard.contracts.topic_defaults import MAX_MESSAGE_BYTES, TOPIC_DEFAULTS
from afterguard.stream.kafka.connection import until_it_answers
from afterguard.stream.kafka.refusals import refusal
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.settings import KafkaSettings, TopicSettings

_log = structlog.get_logger(__name__)

_USUAL_REPLICATION: Final = 3
_CLOSE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it should be.

    Attributes:
        name: The topic.
        purpose: Its field in the `topics` section of the settings.
        partitions: How many.
        replication: Copies of each partition; None before that is settled.
        config: Kafka's own settings of the topic.
    """

    name: str
    purpose: str
    partitions: int
    replication: int | None
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it; `replication` is that of its weakest partition."""

    name: str
    partitions: int
    replication: int


@dataclass(frozen=True, slots=True)
class Creation:
    """What `create_topics` found and did.

    Attributes:
        plans: The topics as they should be, with their copies.
        existing: Those that existed before, by name.
        made: The names of those that were made.
    """

    plans: list[TopicPlan]
    existing: dict[str, TopicState]
    made: frozenset[str]


def plan_topics(
    topics: TopicSettings, *, partitions: int, replication: int | None = None
) -> list[TopicPlan]:
    """The four topics as they should be; retention as in `contracts.topic_defaults`.

    Args:
        topics: Their names.
        partitions: Of each topic.
        replication: Copies of each partition; None leaves it to `create_topics`.
    """
    config = {"cleanup.policy": "delete", "max.message.bytes": str(MAX_MESSAGE_BYTES)}
    return [
        TopicPlan(
            name=name,
            purpose=purpose,
            partitions=partitions,
            replication=replication,
            config=config | {"retention.ms": str(TOPIC_DEFAULTS[purpose].retention_ms)},
        )
        for purpose, name in topics.model_dump().items()
    ]


async def topic_states(kafka: KafkaSettings, names: Iterable[str]) -> dict[str, TopicState]:
    """Those of the named topics that exist.

    Raises:
        StreamUnavailable: The broker does not answer within `kafka.start_timeout_s`.
    """
    async with _admin(kafka) as admin:
        return await _states(admin, names)


async def missing_topics(kafka: KafkaSettings, names: Iterable[str]) -> set[str]:
    """Those of the named topics that do not exist. Creates nothing.

    Raises:
        StreamUnavailable: The broker does not answer within `kafka.start_timeout_s`.
    """
    wanted = set(names)
    return wanted - set(await topic_states(kafka, wanted))


async def create_topics(
    kafka: KafkaSettings, plans: Sequence[TopicPlan], *, dry_run: bool = False
) -> Creation:
    """Make those of the planned topics that do not exist; touch none that does.

    Args:
        kafka: Where the broker is.
        plans: Where a plan says nothing of copies there will be 3, or one per broker if there
            are fewer. With 3 copies or more, a write needs two of them.
        dry_run: Look and plan only.

    Raises:
        StreamUnavailable: The broker does not answer within `kafka.start_timeout_s`.
        StreamError: The broker refused a topic; names it and the reason.
    """
    async with _admin(kafka) as admin:
        brokers = len((await admin.describe_cluster())["brokers"])
        settled = [_settled(plan, min(_USUAL_REPLICATION, brokers)) for plan in plans]
        existing = await _states(admin, [plan.name for plan in settled])
        absent = [plan for plan in settled if plan.name not in existing]
        made = frozenset() if dry_run or not absent else await _create(admin, absent)
        return Creation(settled, existing, made)


async def grow_topic(
    kafka: KafkaSettings, name: str, partitions: int, *, dry_run: bool = False
) -> TopicState:
    """Add partitions to a topic.

    Args:
        kafka: Where the broker is.
        name: The topic.
        partitions: How many it is to have. A topic that has as many is left alone.
        dry_run: Look only.

    Returns:
        The topic as it was before.

    Raises:
        StreamUnavailable: The broker does not answer within `kafka.start_timeout_s`.
        StreamError: The topic is missing or larger, or the broker refused.
    """
    async with _admin(kafka) as admin:
        before = (await _states(admin, [name])).get(name)
        if before is None:
            raise StreamError(f"{name}: there is no such topic")
        if before.partitions > partitions:
            raise StreamError(
                f"{name}: has {before.partitions} partitions, and Kafka takes none away"
            )
        if before.partitions < partitions and not dry_run:
            answer = await admin.create_partitions({name: NewPartitions(total_count=partitions)})
            refused = [_refusal(*it) for it in answer.topic_errors if it[1] != 0]
            if refused:
                raise StreamError("; ".join(refused))
        return before


async def group_members(kafka: KafkaSettings, group_id: str) -> int:
    """How many workers of a group run now.

    Raises:
        StreamUnavailable: The broker does not answer within `kafka.start_timeout_s`.
    """
    async with _admin(kafka) as admin:
        answers = await admin.describe_consumer_groups([group_id])
        return sum(len(members) for it in answers for *_, members in [it.groups[0][:6]])


def _settled(plan: TopicPlan, usual: int) -> TopicPlan:
    copies = plan.replication or usual
    insync = {"min.insync.replicas": "2"} if copies >= _USUAL_REPLICATION else {}
    return replace(plan, replication=copies, config=insync | plan.config)


async def _create(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> frozenset[str]:
    answer = await admin.create_topics(
        [
            NewTopic(
                name=plan.name,
                num_partitions=plan.partitions,
                replication_factor=plan.replication,
                topic_configs=plan.config,
            )
            for plan in plans
        ]
    )
    refused: list[str] = []
    made: set[str] = set()
    for name, code, *told in answer.topic_errors:
        if code == 0:
            made.add(name)
        elif for_code(code) is not TopicAlreadyExistsError:  # another command was quicker
            refused.append(_refusal(name, code, *told))
    if refused:
        raise StreamError("topics refused: " + "; ".join(refused))
    return frozenset(made)


def _refusal(topic: str, code: int, told: str | None = None) -> str:
    error = for_code(code)
    return f"{topic}: {error.__name__}: {told or error.description}"


@asynccontextmanager
async def _admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    security = security_arguments(kafka)

    async def connect() -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=kafka.bootstrap_servers,
            client_id=f"{kafka.client_id}-admin",
            request_timeout_ms=kafka.request_timeout_ms,
            **security,
        )
        try:
            await admin.start()
        except BaseException:
            await _close(admin)
            raise
        return admin

    admin = await until_it_answers(connect, kafka)
    try:
        async with asyncio.timeout(kafka.start_timeout_s):
            yield admin
    except (KafkaError, TimeoutError) as error:
        why = await refusal(kafka)
        told = why.text if why is not None else f"{type(error).__name__}: {error}"
        kind = StreamError if why is not None and why.lasting else StreamUnavailable
        raise kind(f"{kafka.bootstrap_servers}: {told}") from None
    finally:
        await _close(admin)


async def _close(admin: AIOKafkaAdminClient) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await admin.close()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("a Kafka client did not stop as it should", error=type(error).__name__)


async def _states(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, TopicState]:
    # Asking for all topics, not for these: a broker that creates topics on its own does so when a
    # client asks for the metadata of one by name.
    wanted = set(names)
    found: dict[str, TopicState] = {}
    for topic in await admin.describe_topics():
        name, partitions = topic["topic"], topic["partitions"]
        if name in wanted and topic["error_code"] == 0:
            copies = min((len(part["replicas"]) for part in partitions), default=0)
            found[name] = TopicState(name, len(partitions), copies)
    return found
