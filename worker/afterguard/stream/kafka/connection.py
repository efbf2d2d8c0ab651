"""Connecting: a broker that is not there yet is waited for, with a word about it."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol, TypeVar

import structlog
from aiokafka.errors import BrokerResponseError, KafkaError

from afterguard.contracts.errors import StreamError, StreamUnavailable
from afterguard.delivery.retry import RetrySchedule
from afterguard.stream.kafka.refusals import refusal
from afterguard.stream.kafka.sever import sever
from afterguard.stream.settings import KafkaSettings

_log = structlog.get_logger(__name__)

_STOP_S = 10.0


class _Stoppable(Protocol):
    async def stop(self) -> None: ...


Client = TypeVar("Client")


async def until_it_answers(
    connect: Callable[[], Awaitable[Client]], settings: KafkaSettings
) -> Client:
    """The connected client, tried again until `kafka.start_timeout_s` is over.

    Raises:
        StreamUnavailable: No broker answered; names the setting.
        StreamError: A broker answered with a refusal that waiting does not mend.
    """
    deadline = monotonic() + settings.start_timeout_s
    schedule = RetrySchedule(attempts=10_000, base_s=0.5, cap_s=5.0)
    attempt = 0
    while True:
        attempt += 1
        left = deadline - monotonic()
        try:
            async with asyncio.timeout(max(left, 0.1)):
                return await connect()
        except (KafkaError, OSError, TimeoutError) as error:
            if isinstance(error, BrokerResponseError) and not error.retriable:
                raise StreamError(
                    f"the broker at kafka.bootstrap_servers={settings.bootstrap_servers} refuses "
                    f"this client: {type(error).__name__}: {error.description}"
                ) from error
            why = await refusal(settings)
            if why is not None and why.lasting:
                raise StreamError(why.text) from error
            reason = why.text if why is not None else type(error).__name__
            left = deadline - monotonic()
            wait = schedule.wait_s(attempt, left_s=left)
            if wait is None or left <= 0:
                raise StreamUnavailable(
                    f"no broker answered at kafka.bootstrap_servers={settings.bootstrap_servers} "
                    f"within kafka.start_timeout_s={settings.start_timeout_s:g}: {reason}"
                ) from error
            _log.warning(
                "no broker answers yet",
                bootstrap_servers=settings.bootstrap_servers,
                error=reason,
                seconds_left=round(left, 1),
            )
            await asyncio.sleep(wait)


async def put_away(client: _Stoppable, what: str, *, finish: bool = True) -> None:
    """Stop a client of aiokafka in bounded time: with every broker gone its own `stop` may wait.

    Args:
        client: Consumer or producer, started or half started.
        what: For the log.
        finish: Whether it may still send what it holds.
    """
    if not finish:
        await sever(client)
    try:
        async with asyncio.timeout(_STOP_S):
            await client.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        _log.warning(
            "a Kafka client did not stop as it should", client=what, error=type(error).__name__
        )
        await sever(client)
    except asyncio.CancelledError:
        await sever(client)
        raise
