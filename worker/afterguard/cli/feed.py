"""Items of a blocking iterator, read ahead in a thread and handed to the event loop."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Feed(Generic[T]):
    """Reads `items` in a thread of its own, at most `ahead` items in front of the loop.

    The thread is a daemon: a command must be able to end while it waits for standard input.
    """

    def __init__(self, items: Iterable[T], *, ahead: int = 2_000) -> None:
        self._items = items
        self._room = threading.Semaphore(ahead)
        self._read: deque[T] = deque()
        self._ended = False
        self._closed = False
        self._fault: Exception | None = None
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._fill, name="feed", daemon=True).start()

    async def next_batch(self) -> list[T]:
        """Whatever was read since the last batch; empty when there is no more, or after `close`.

        Raises:
            Exception: What the iterator raised, after the last item before it.
        """
        while not self._closed:
            # The thread sets `ended` after its last item, so this must be read before taking.
            ended = self._ended
            batch = []
            while self._read:
                batch.append(self._read.popleft())
            if batch:
                self._room.release(len(batch))
                return batch
            if ended:
                if self._fault is not None:
                    raise self._fault
                break
            await self._news.wait()
            self._news.clear()
        return []

    def close(self) -> None:
        """End `next_batch` now, and the thread at its next item. Call it from the loop."""
        self._closed = True
        self._room.release()
        self._news.set()

    def _fill(self) -> None:
        try:
            for item in self._items:
                self._room.acquire()
                if self._closed:
                    return
                self._read.append(item)
                self._tell()
        except Exception as fault:  # noqa: BLE001  # raised again by next_batch
            self._fault = fault
        finally:
            self._ended = True
            self._tell()

    def _tell(self) -> None:
        if not self._news.is_set():
            try:
                self._loop.call_soon_threadsafe(self._news.set)
            except RuntimeError:  # the loop has closed: nobody listens any more
                self._closed = True
