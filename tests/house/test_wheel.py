"""The wheel holds all that a command needs, and works without the checkout."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.house.source import PACKAGE, ROOT

from afterguard.policy.golden import golden_path
from afterguard.policy.registry import policy_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout with the build backend of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=240,
    )
    (built,) = folder.glob("afterguard-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, where no checkout is near."""
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(unpacked: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the unpacked wheel; its modules come before those of the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "afterguard", *arguments],
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_it_holds_every_module_and_every_file_of_the_package(unpacked: Path) -> None:
    here = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    there = {str(path.relative_to(unpacked / "afterguard")) for path in unpacked.rglob("*")
             if path.is_file() and path.is_relative_to(unpacked / "afterguard")}  # fmt: skip
    assert here <= there
    assert {path for path in there - here if not path.startswith("policy/bundled/")} == set()


def test_it_holds_every_policy_as_it_is_and_its_golden_set(unpacked: Path) -> None:
    bundled = unpacked / "afterguard" / "policy" / "bundled"
    ours = policy_files(ROOT / "policies")
    assert ours
    for policy in ours:
        assert (bundled / policy.name).read_bytes() == policy.read_bytes()
        golden = golden_path(policy).relative_to(policy.parent)
        assert (bundled / golden).read_bytes() == golden_path(policy).read_bytes()


def test_it_holds_the_schemas_and_the_demo_s_events(unpacked: Path) -> None:
    package = unpacked / "afterguard"
    assert list((package / "contracts" / "schemas").glob("*.json"))
    assert (package / "embedded" / "demo_events.jsonl").stat().st_size


def test_its_modules_are_those_that_run(unpacked: Path) -> None:
    code = "import afterguard; print(afterguard.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=unpacked, env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith(str(unpacked))


def test_its_command_tells_what_it_can_do(unpacked: Path) -> None:
    done = run(unpacked, "--help")
    assert done.returncode == 0, done.stderr
    assert "run" in done.stdout


def test_its_policies_are_found_and_read(unpacked: Path) -> None:
    done = run(unpacked, "policies", "lint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "harassment" in done.stdout
