"""The policy store in a folder, for workers without Redis; see `policy.store.PolicyStore`.

    state.json                             what is in force, replaced at once
    versions/<id>/<version>.md             texts as they were handed in
    versions/<id>/<version>.json           what makes probabilities of their scores
    history/<id>.jsonl                     one line for each change
    lock                                   held by who changes something

Workers only read, so they may see the folder read-only. Nothing that is read is ever half written.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from afterguard.contracts.errors import StateUnavailable
from afterguard.contracts.releases import changed
from afterguard.policy.store import Change, HistoryEntry, Release, StoreState
from afterguard.policy.whole_file import write_whole

_STATE: Final = "state.json"

Answer = TypeVar("Answer")


class FolderPolicyStore:
    """Keeps policies in files; each call works in a thread.

    Args:
        folder: It is made by the first change.
        poll_s: How often it is looked at while it is watched, seconds.
    """

    def __init__(self, folder: Path, *, poll_s: float = 0.5) -> None:
        self._folder, self._poll_s = folder, poll_s

    @property
    def place(self) -> str:
        """See `PolicyStore.place`."""
        return str(self._folder)

    async def state(self) -> StoreState:
        """See `PolicyStore.state`."""
        return await self._in_thread(self._read_state)

    async def document(self, policy_id: str, version: str) -> Release | None:
        """See `PolicyStore.document`."""
        return await self._in_thread(lambda: self._read_release(policy_id, version))

    async def versions(self, policy_id: str) -> list[str]:
        """See `PolicyStore.versions`."""
        folder = self._versions(policy_id)
        return await self._in_thread(lambda: sorted(it.stem for it in folder.glob("*.md")))

    async def change(self, change: Change, *, expected: int) -> StoreState:
        """See `PolicyStore.change`."""
        return await self._in_thread(lambda: self._change(change, expected))

    async def history(self, policy_id: str) -> list[HistoryEntry]:
        """See `PolicyStore.history`."""
        return await self._in_thread(lambda: self._read_history(policy_id))

    async def watch(self) -> AsyncGenerator[StoreState, None]:
        """See `PolicyStore.watch`."""
        while True:
            yield await self.state()
            await asyncio.sleep(self._poll_s)

    async def close(self) -> None:
        """See `PolicyStore.close`: nothing is kept open."""

    async def _in_thread(self, act: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.to_thread(act)
        except OSError as error:
            raise StateUnavailable(f"{self._folder}: {error.strerror}") from None
        except ValidationError:
            raise StateUnavailable(f"{self._folder}: what it holds makes no sense") from None

    def _read_state(self) -> StoreState:
        raw = _bytes(self._folder / _STATE)
        if raw is not None:
            return StoreState.model_validate_json(raw)
        if not self._folder.is_dir():
            raise StateUnavailable(f"{self._folder} is no folder")
        return StoreState()

    def _read_release(self, policy_id: str, version: str) -> Release | None:
        text = _bytes(self._versions(policy_id) / f"{version}.md")
        if text is None:
            return None
        fitted = _bytes(self._versions(policy_id) / f"{version}.json")
        return Release(
            text.decode("utf-8", "replace"), fitted.decode("utf-8", "replace") if fitted else None
        )

    def _read_history(self, policy_id: str) -> list[HistoryEntry]:
        found = _entries(_bytes(self._history(policy_id)) or b"")
        pointer = self._read_state().policies.get(policy_id)
        return [*found, pointer.changed] if pointer and _lacks(found, pointer.changed) else found

    def _change(self, change: Change, expected: int) -> StoreState:
        name = change.policy_id
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / "lock"):
            before = self._read_state()
            after = changed(before, change, expected=expected, at=datetime.now(UTC))
            if change.release is not None and change.version is not None:
                versions = self._versions(name)
                versions.mkdir(parents=True, exist_ok=True)
                fitted = versions / f"{change.version}.json"
                if change.release.calibration is not None:
                    write_whole(fitted, change.release.calibration.encode())
                else:
                    fitted.unlink(missing_ok=True)
                write_whole(versions / f"{change.version}.md", change.release.text.encode())
            self._catch_up(name, before)
            write_whole(self._folder / _STATE, after.model_dump_json().encode())
            # After the state: a history must not tell of what was never in force.
            self._append(name, after.policies[name].changed)
        return after

    def _catch_up(self, policy_id: str, state: StoreState) -> None:
        """Write the entry that a writer who was killed had left to the state alone."""
        pointer = state.policies.get(policy_id)
        if pointer is None:
            return
        history = self._history(policy_id)
        raw = _bytes(history) or b""
        found, whole = _entries(raw), raw[: raw.rfind(b"\n") + 1]
        if whole != raw:
            write_whole(history, whole)
        if _lacks(found, pointer.changed):
            self._append(policy_id, pointer.changed)

    def _append(self, policy_id: str, entry: HistoryEntry) -> None:
        history = self._history(policy_id)
        history.parent.mkdir(exist_ok=True)
        with history.open("a", encoding="utf-8") as file:
            file.write(entry.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _versions(self, policy_id: str) -> Path:
        return self._folder / "versions" / policy_id

    def _history(self, policy_id: str) -> Path:
        return self._folder / "history" / f"{policy_id}.jsonl"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        # Released with the file, also when the process is killed.
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _entries(history: bytes) -> list[HistoryEntry]:
    # A line without its end was cut short by a power cut; the state has that entry whole.
    lines = history.split(b"\n")[:-1]
    return [HistoryEntry.model_validate_json(line) for line in lines if line]


def _lacks(history: list[HistoryEntry], last: HistoryEntry) -> bool:
    return not history or history[-1].revision < last.revision
