"""Who asks a running worker for its policies is told what is in force."""

from pathlib import Path

from aiohttp import ClientSession
from tests.memory_worker import MemoryWorker, until
from tests.policy.releases import change, text, trial, version

from afterguard.contracts.exit_codes import ExitCode
from afterguard.policy.store_folder import FolderPolicyStore


async def test_a_worker_tells_what_it_judges_under_and_follows_the_store(tmp_path: Path) -> None:
    documents, store = tmp_path / "policies", FolderPolicyStore(tmp_path / "store")
    documents.mkdir()
    (documents / "queue.md").write_text(text(0), encoding="utf-8")
    await store.change(change(1), expected=0)
    section = {"directory": documents, "store": tmp_path / "store", "poll_s": 0.02}
    worker = MemoryWorker(policies=section, http={"port": 0})
    serving = worker.serve()
    await until(lambda: worker.app.started)
    assert worker.app.http is not None
    await store.change(trial(2, share=0.5), expected=1)
    await until(lambda: worker.app.policies.registry.candidates)
    url = f"http://127.0.0.1:{worker.app.http.port}/policies"
    async with ClientSession() as session, session.get(url) as answer:
        told = await answer.json()
    assert (told["store"], told["confirmed"], told["revision"]) == (store.place, True, 2)
    in_force = {"id": "queue", "version": version(1), "stage": "active", "from": "store"}
    assert told["policies"] == [in_force]
    assert told["trials"] == [{"id": "queue", "version": version(2), "share": 0.5}]
    assert told["refused"] == []
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
