"""What is in the CPU image, and what is not."""

import json
import tomllib
from typing import Any

import pytest
from tests.ops.image.built import ROOT
from tests.ops.image.container import once
from tests.ops.image.podman import Podman

# The first of them waits for the image to be built, and on a bare machine for its base.
pytestmark = pytest.mark.timeout(1_200)

PYTHON = "--entrypoint=/opt/afterguard/bin/python"
SHELL = "--entrypoint=/bin/sh"


@pytest.fixture(scope="module")
def described(containers: Podman, image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(containers("image", "inspect", image).stdout)[0]
    return found


def inside(containers: Podman, image: str, script: str, *options: str) -> str:
    """What a shell says that runs as the image's own user."""
    return once(containers, image, "-c", script, options=(SHELL, *options))[1].strip()


def test_it_starts_the_command_as_a_user_without_rights(described: dict[str, Any]) -> None:
    config = described["Config"]
    assert config["User"] == "10001:0"
    assert config["Entrypoint"] == ["/usr/bin/tini", "--", "afterguard"]
    assert config["Cmd"] == ["run"]
    assert config["ExposedPorts"] == {"9108/tcp": {}}


def test_its_labels_say_what_it_is(described: dict[str, Any]) -> None:
    labels = described["Config"]["Labels"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.revision"] == "under-test"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert {"title", "description", "source", "documentation", "base.name", "created"} <= {
        it.removeprefix("org.opencontainers.image.") for it in labels
    }


def test_nothing_but_the_cache_and_tmp_can_be_written_to(containers: Podman, image: str) -> None:
    # Without --read-only: the image's own permissions are looked at.
    script = "find / -xdev -writable ! -type l ! -path '/proc/*' 2>/dev/null"
    done = containers("run", "--rm", "--network=host", SHELL, image, "-c", script, check=False)
    assert set(done.stdout.split()) == {"/tmp", "/cache", "/cache/home"}


def test_a_locked_down_container_writes_to_the_cache_and_tmp_alone(
    containers: Podman, image: str, cache: str
) -> None:
    places = "/ /tmp /cache /opt /etc /var/tmp /run"
    script = f"for it in {places}; do touch $it/x 2>/dev/null && echo $it; done; true"
    written = inside(containers, image, script, f"--volume={cache}:/cache")
    assert written.split() == ["/tmp", "/cache"]


def test_no_package_can_be_installed_from_inside(containers: Podman, image: str) -> None:
    code, said = once(containers, image, "-m", "pip", options=(PYTHON,), check=False)
    assert code == 1
    assert "No module named pip" in said


def test_what_the_build_used_is_not_in_it(
    containers: Podman, image: str, described: dict[str, Any]
) -> None:
    left = "/etc/pip.conf /root/.cache /src /dist /build /var/lib/apt/lists/*"
    names = r"\( -name '.*_history' -o -name ca.crt -o -name 'afterguard*.whl' \)"
    script = f"ls -d {left} 2>/dev/null; ls -A /run/secrets; find / -xdev {names} -print"
    options = ("--user=0", "--network=host", SHELL)
    assert containers("run", "--rm", *options, image, "-c", script, check=False).stdout == ""
    assert [it for it in described["Config"]["Env"] if it.startswith(("PIP_", "SSL_"))] == []


def test_a_scanner_finds_each_package_and_the_lock(containers: Podman, image: str) -> None:
    script = "cd /opt/afterguard/lib/python3*/site-packages; ls -d *.dist-info | wc -l"
    lock = (ROOT / "deploy/image/cpu.lock").read_text()
    packages = sum(line[:1].isalnum() for line in lock.splitlines())
    assert inside(containers, image, script) == str(packages + 1)
    shown = inside(containers, image, "cat /usr/share/doc/afterguard/cpu.lock")
    assert shown == lock.strip()


def test_it_is_slim(containers: Podman, image: str) -> None:
    heavy = ("torch", "vllm", "gguf", "pytest")
    script = f"import importlib.util as u; print([it for it in {heavy} if u.find_spec(it)])"
    assert once(containers, image, "-c", script, options=(PYTHON,))[1].strip() == "[]"
