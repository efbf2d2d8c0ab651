"""What can be said of the image without building it: its files, its locks, its two targets."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from tests.ops.image.built import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE: Final = (ROOT / "deploy/Dockerfile").read_text()
LOCKS: Final = {"cpu": ("openai", "prefilter", "tracing"), "gpu": ("gpu", "prefilter", "tracing")}


def stage(name: str) -> str:
    """The lines of one stage."""
    found = re.search(
        rf"^FROM \S+ AS {name}$(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return re.sub(r"\\\n\s*", " ", found[1])


def instruction(name: str, stage_of: str) -> dict[str, str]:
    """The pairs of ENV or LABEL in a stage."""
    lines = re.findall(rf"^{name} (.*)$", stage(stage_of), re.MULTILINE)
    return {
        key: value.strip('"')
        for it in lines
        for key, value in re.findall(r'(\S+?)=("[^"]*"|\S+)', it)
    }


def locked(target: str) -> dict[str, str]:
    """Versions by name."""
    text = (ROOT / f"deploy/image/{target}.lock").read_text()
    return {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    }


def needed(target: str) -> Iterator[Requirement]:
    extras = PROJECT["optional-dependencies"]
    for line in (*PROJECT["dependencies"], *(it for name in LOCKS[target] for it in extras[name])):
        yield Requirement(line)


def test_hadolint_finds_nothing() -> None:
    told = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "deploy/Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout) == (0, "")


@pytest.mark.parametrize("target", LOCKS)
def test_a_lock_holds_all_that_the_project_asks_for(target: str) -> None:
    versions = locked(target)
    wrong = [
        str(it)
        for it in needed(target)
        if canonicalize_name(it.name) not in versions
        or not it.specifier.contains(versions[canonicalize_name(it.name)])
    ]
    assert wrong == []


@pytest.mark.parametrize("target", LOCKS)
def test_everything_in_a_lock_is_known_by_its_hash(target: str) -> None:
    text = (ROOT / f"deploy/image/{target}.lock").read_text()
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked(target)) > 50
    assert [it.splitlines()[0] for it in entries if "--hash=sha256:" not in it] == []


def test_the_cpu_image_has_the_versions_that_the_suite_is_run_with() -> None:
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)
    tested = {canonicalize_name(name): version for name, version in tested.items()}
    other = {
        name: (version, tested[name])
        for name, version in locked("cpu").items()
        if name in tested and tested[name] != version
    }
    assert other == {}


def test_both_images_have_the_same_versions_of_what_is_ours() -> None:
    cpu, gpu = locked("cpu"), locked("gpu")
    ours = {canonicalize_name(Requirement(it).name) for it in PROJECT["dependencies"]}
    assert {it: (cpu[it], gpu[it]) for it in ours if cpu[it] != gpu[it]} == {}


def test_the_cuda_image_is_of_the_cuda_that_the_locked_torch_was_built_for() -> None:
    base = re.search(
        r"^ARG CUDA_IMAGE=docker\.io/nvidia/cuda:(\S+)-runtime-ubuntu", DOCKERFILE, re.MULTILINE
    )
    assert base is not None
    built_for = Version(locked("gpu")["cuda-toolkit"])
    assert Version(base[1]).release[:2] == built_for.release[:2]


def test_bases_are_pinned_and_none_is_called_latest() -> None:
    bases = re.findall(r"^ARG \w+_IMAGE=(\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.search(r":\d[\w.-]*$", it) for it in bases)


def test_both_images_are_set_up_alike_but_for_where_programs_are_found() -> None:
    cpu, gpu = instruction("ENV", "cpu"), instruction("ENV", "gpu")
    assert cpu.pop("PATH").split(":")[0] == gpu.pop("PATH").split(":")[0] == "/opt/afterguard/bin"
    assert cpu == gpu
    for name in ("USER", "ENTRYPOINT", "CMD", "EXPOSE", "WORKDIR", "HEALTHCHECK"):
        assert re.findall(rf"^{name} .*$", stage("cpu"), re.MULTILINE) == re.findall(
            rf"^{name} .*$", stage("gpu"), re.MULTILINE
        )


def test_every_folder_that_is_written_to_is_in_the_cache() -> None:
    folders = {
        *("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "VLLM_CACHE_ROOT"),
        *("VLLM_CONFIG_ROOT", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "NUMBA_CACHE_DIR"),
        "AFTERGUARD_CACHE",
    }
    variables = instruction("ENV", "cpu")
    assert {it for it in folders if not variables[it].startswith("/cache/")} == set()


@pytest.mark.parametrize("target", LOCKS)
def test_the_version_is_that_of_the_project(target: str) -> None:
    assert f"ARG VERSION={PROJECT['version']}\n" in stage(target)


def test_the_label_names_the_base_that_is_used() -> None:
    bases = dict(re.findall(r"^ARG (\w+)_IMAGE=(\S+)", DOCKERFILE, re.MULTILINE))
    for target, base in (("cpu", "PYTHON"), ("gpu", "CUDA")):
        assert instruction("LABEL", target)["org.opencontainers.image.base.name"] == bases[base]


def test_the_settings_of_an_image_without_settings_are_taken() -> None:
    values = yaml.safe_load((ROOT / "deploy/image/afterguard.yaml").read_text())
    assert values == {"http": {"host": "0.0.0.0"}}
