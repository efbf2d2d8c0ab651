"""Long blocking work beside the event loop, in a thread that nobody has to wait for."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def in_daemon_thread(work: Callable[[], Result], name: str) -> "asyncio.Future[Result]":
    """Run `work` in a thread of its own.

    Unlike the threads of an executor it does not hold up the end of the process or of its event
    loop, however long it still takes.

    Args:
        work: Goes on when the future is cancelled.
        name: Of the thread.
    """
    future: Future[Result] = Future()
    # From here on a cancelled waiter leaves the future, and the work, alone.
    future.set_running_or_notify_cancel()
    threading.Thread(target=_run, args=(work, future), name=name, daemon=True).start()
    return asyncio.wrap_future(future)


def _run(work: Callable[[], Result], future: "Future[Result]") -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 (the waiter raises it)
        future.set_exception(error)
    finally:
        # Libraries keep errors that they caught, with this frame: it must not keep the result.
        del work, future
