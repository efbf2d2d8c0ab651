"""The consumer's client: aiokafka's, with every setting that matters named.

Its defaults point the wrong way for this work: auto-commit on, begin at the end, read what a
transaction may yet take back, the session timeout as the budget of a rebalance.
"""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from afterguard.stream.kafka.assignors import assignor
from afterguard.stream.kafka.connection import put_away, until_it_answers
from afterguard.stream.kafka.membership import Membership
from afterguard.stream.settings import KafkaSettings


class ConsumerClients:
    """Makes connected clients, one after another when one has to be replaced.

    Args:
        settings: Where the broker is and how the group behaves.
        topic: The input topic.
        rebalance_timeout_ms: How long the group waits for us to let go.
        security: What aiokafka needs for TLS and SASL.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        rebalance_timeout_ms: int,
        security: dict[str, Any],
    ) -> None:
        self._settings, self._topic = settings, topic
        self._rebalance_timeout_ms = rebalance_timeout_ms
        self._security = security

    async def connected(self, membership: Membership) -> AIOKafkaConsumer:
        """A client that has joined the group.

        Args:
            membership: Hears of every assignment of this client, the first one included.

        Raises:
            StreamUnavailable: No broker answered in time.
            StreamError: A broker refuses us.
        """

        async def connect() -> AIOKafkaConsumer:
            client = self._made()
            # The first assignment comes while this waits, and its listener may pause us.
            membership.client = client
            client.subscribe([self._topic], listener=membership)
            try:
                await client.start()
            except BaseException:
                membership.client = None
                await put_away(client, "consumer")
                raise
            return client

        return await until_it_answers(connect, self._settings)

    def _made(self) -> AIOKafkaConsumer:
        settings = self._settings
        client: AIOKafkaConsumer

        def joined() -> int:
            generation: int = client._coordinator.generation  # noqa: SLF001 (told nowhere else)
            return generation

        client = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            group_id=settings.group_id,
            group_instance_id=settings.group_instance_id,
            client_id=settings.client_id,
            enable_auto_commit=False,
            # No position, and no position that exists any more: both are told and decided by us.
            auto_offset_reset="none",
            isolation_level="read_committed",
            check_crcs=True,
            partition_assignment_strategy=(assignor(settings.assignor, joined),),
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=self._rebalance_timeout_ms,
            max_poll_interval_ms=settings.max_poll_interval_ms,
            request_timeout_ms=settings.request_timeout_ms,
            metadata_max_age_ms=settings.metadata_max_age_ms,
            fetch_max_bytes=settings.fetch_max_bytes,
            max_partition_fetch_bytes=settings.max_partition_fetch_bytes,
            **self._security,
        )
        return client


def state_of(client: AIOKafkaConsumer, partition: TopicPartition) -> Any:  # noqa: ANN401
    """What the client knows of a partition under its present assignment; None when it has none.

    Asking its methods instead may wait, and takes errors away from those they are meant for.
    """
    subscription = client._subscription.subscription  # noqa: SLF001
    assignment = subscription.assignment if subscription is not None else None
    if assignment is None or partition not in assignment.tps:
        return None
    return assignment.state_value(partition)
