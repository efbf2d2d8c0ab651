"""The image, and a worker in it that has judged what was sent."""

from collections.abc import Iterator

import pytest
from tests.ops.image.built import cpu_image
from tests.ops.image.podman import Podman, podman


@pytest.fixture(scope="session")
def containers() -> Podman:
    """Podman, with a storage of its own."""
    return podman()


@pytest.fixture(scope="session")
def image(containers: Podman) -> str:
    """The CPU target, built from this checkout."""
    return cpu_image(containers)


@pytest.fixture
def cache(containers: Podman) -> Iterator[str]:
    """A volume for `/cache` that nobody has written to."""
    volume = containers("volume", "create").stdout.strip()
    yield volume
    containers("volume", "rm", "--force", volume, check=False)
