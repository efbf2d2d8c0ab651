"""The policy store in a folder, where it differs from Redis: writers that die, rights, no folder.

What both stores promise: `tests.policy.test_store_contract`.
"""

from pathlib import Path

import pytest
from tests.policy.releases import change, trial, version

from afterguard.contracts.errors import StateUnavailable
from afterguard.contracts.releases import StoreState
from afterguard.policy.store_folder import FolderPolicyStore


async def test_a_folder_that_is_not_there_is_a_store_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match="is no folder"):
        await FolderPolicyStore(tmp_path / "unmounted").state()


async def test_the_first_change_makes_the_folder(tmp_path: Path) -> None:
    store = FolderPolicyStore(tmp_path / "new" / "store")
    await store.change(change(1), expected=0)
    assert (await store.state()).active("queue") == version(1)


async def test_a_history_lacks_nothing_when_its_writer_dies_after_the_state(
    tmp_path: Path,
) -> None:
    store = FolderPolicyStore(tmp_path)
    history = tmp_path / "history" / "queue.jsonl"
    await store.change(change(1), expected=0)
    before = history.read_bytes()
    await store.change(change(2), expected=1)
    for left in (before, before + b'{"revision":2,"at'):
        history.write_bytes(left)
        assert [it.revision for it in await store.history("queue")] == [1, 2]
    await store.change(change(3), expected=2)
    assert [it.revision for it in await store.history("queue")] == [1, 2, 3]
    assert len(history.read_bytes().splitlines()) == 3


async def test_a_state_is_whole_whatever_stands_beside_it(tmp_path: Path) -> None:
    store = FolderPolicyStore(tmp_path)
    await store.change(change(1), expected=0)
    (tmp_path / ".state.json.0123").write_text('{"revision": 99')
    await store.change(trial(2), expected=1)
    assert (await store.state()).revision == 2


async def test_a_state_that_makes_no_sense_is_as_good_as_no_answer(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"revision": "many"}')
    with pytest.raises(StateUnavailable, match="makes no sense"):
        await FolderPolicyStore(tmp_path).state()


async def test_reading_writes_nothing(tmp_path: Path) -> None:
    store = FolderPolicyStore(tmp_path)
    assert await store.state() == StoreState()
    await store.history("queue")
    await store.versions("queue")
    assert list(tmp_path.iterdir()) == []
