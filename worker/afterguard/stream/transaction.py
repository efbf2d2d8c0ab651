"""One transaction: records, and an offset if one advances with them, all of it or nothing."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from afterguard.contracts.errors import Fenced, PublishFailed, StreamError, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.ports import Partition, TransactionalProducer

_log = structlog.get_logger(__name__)

_ABORT_S: Final = 5.0


async def transact(
    producer: TransactionalProducer,
    records: Sequence[OutputRecord],
    advance: tuple[Partition, int] | None = None,
    *,
    limit_s: float,
) -> None:
    """Write records, and advance an offset; after any error the producer must be put away.

    Args:
        producer: Started, with no transaction open.
        records: In the order in which they shall stand in the log.
        advance: A partition of the input, and the next offset that the group shall read of it.
        limit_s: How long all of it may take, seconds.

    Raises:
        Fenced: Another owner was started; nothing of this counts.
        PublishFailed: The log refuses a record; nothing of this counts.
        StreamUnavailable: It was not answered; it may count or not, as the next producer of the
            same id will find.
    """
    committing = False
    try:
        async with asyncio.timeout(limit_s):
            await producer.begin()
            await _written([await _sent(producer, record) for record in records])
            if advance is not None:
                await producer.send_offset(*advance)
            committing = True
            await producer.commit()
    except Fenced:
        raise
    except (StreamError, TimeoutError, asyncio.CancelledError) as error:
        # Whoever reads only what is committed waits at an open transaction, so it is ended at
        # once where it can be. One that was being committed may have been.
        if not committing:
            await _abort(producer, limit_s)
        if isinstance(error, TimeoutError):
            raise StreamUnavailable(f"a transaction did not end within {limit_s:g} s") from error
        raise


async def _sent(producer: TransactionalProducer, record: OutputRecord) -> "asyncio.Future[object]":
    future = await producer.send(record)
    # When the transaction is given up nobody asks for the rest of them.
    future.add_done_callback(lambda it: it.cancelled() or it.exception())
    return future


async def _written(futures: Sequence["asyncio.Future[object]"]) -> None:
    # Each must be looked at: a commit succeeds without a record that the log has refused.
    if futures:
        await asyncio.wait(futures)
    errors = [it.exception() for it in futures if not it.cancelled()]
    for kind in (Fenced, PublishFailed, Exception):
        if found := next((it for it in errors if isinstance(it, kind)), None):
            raise found
    if any(it.cancelled() for it in futures):
        raise StreamUnavailable("a record was given up by the client")


async def _abort(producer: TransactionalProducer, limit_s: float) -> None:
    try:
        async with asyncio.timeout(min(_ABORT_S, limit_s)):
            await producer.abort()
    except Fenced:
        raise
    except (StreamError, TimeoutError) as error:
        _log.warning("a transaction could not be aborted", error=type(error).__name__)
