"""Sever: a client of aiokafka that did not stop, or must not go on, is cut off.

It still runs its tasks and holds its connections, and one that was replaced would go on trying for
as long as the worker lives.
"""

import asyncio
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

_log = structlog.get_logger(__name__)

_WAIT_S: Final = 1.0
_PARTS: Final = ("_coordinator", "_fetcher", "_sender")
_TASKS: Final = (
    "_coordination_task",
    "_heartbeat_task",
    "_commit_refresh_task",
    "_fetch_task",
    "_sender_task",
)


async def sever(client: object) -> None:
    """End the tasks of a consumer or producer, fail what it holds, close its connections."""
    _deafen(getattr(client, "_sender", None))
    await _end(_tasks(client))
    _fail(getattr(client, "_message_accumulator", None))
    network = getattr(client, "client", None) or getattr(client, "_client", None)
    if network is not None:
        try:
            async with asyncio.timeout(_WAIT_S):
                await network.close()
        except (TimeoutError, KafkaError, OSError) as error:
            _log.warning("connections were left open", error=type(error).__name__)


def _tasks(client: object) -> set[asyncio.Task[Any]]:
    parts = [getattr(client, name, None) for name in _PARTS]
    found = (getattr(part, name, None) for part in parts for name in _TASKS)
    return {task for task in found if isinstance(task, asyncio.Task)}


def _deafen(sender: Any) -> None:  # noqa: ANN401 (aiokafka is untyped)
    # Told of the end of an idempotent sender, it looks for a transaction that there is not.
    if sender is not None and sender.sender_task is not None:
        sender.sender_task.remove_done_callback(sender._fail_all)  # noqa: SLF001


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    # Cancelled once, a sender waits for what is under way; the second time it does not.
    for _ in range(2):
        waiting = {task for task in tasks if not task.done()}
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting, timeout=_WAIT_S)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()


def _fail(buffer: Any) -> None:  # noqa: ANN401 (aiokafka is untyped)
    # Its `close` waits for as long as anything in it may yet be sent.
    if buffer is None:
        return
    batches = [it for queue in buffer._batches.values() for it in queue]  # noqa: SLF001
    # A batch that waits to be sent again is not among these, and its end looks for it there.
    buffer._pending_batches.update(batches)  # noqa: SLF001
    buffer.fail_all(KafkaError("the producer was given up"))
    for batch in batches:  # nobody else asks how these ended
        waiter = batch._drain_waiter  # noqa: SLF001
        if waiter.done() and not waiter.cancelled():
            waiter.exception()
