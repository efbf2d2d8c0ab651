"""The image under test: built once for what the checkout holds now, and kept."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.ops.image.podman import Podman

ROOT: Final = Path(__file__).parents[3]
# An image that is there already, such as one that is to be released.
OWN_IMAGE: Final = "AFTERGUARD_TEST_IMAGE"
_REPOSITORY: Final = "localhost/afterguard-under-test"
# What `.dockerignore` lets through.
_MADE_OF: Final = (
    *(".dockerignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"),
    *("deploy/Dockerfile", "deploy/constraints.txt", "deploy/image", "policies", "worker"),
)


def cpu_image(podman: Podman) -> str:
    """The CPU target's image, by a tag that changes with what it is made of."""
    if own := os.environ.get(OWN_IMAGE):
        return own
    tag = f"{_REPOSITORY}:{_digest()}"
    if not podman.has(tag):
        podman.python_base()
        before = podman("images", "--quiet", "--filter", f"reference={_REPOSITORY}").stdout.split()
        arguments = ("--target=cpu", "--file=deploy/Dockerfile", "--build-arg=REVISION=under-test")
        podman.build(ROOT, tag, *arguments)
        for image in dict.fromkeys(before):
            podman("rmi", "--force", image, check=False)
        # Layers of builds long past.
        podman("image", "prune", "--force", "--filter=until=48h", check=False)
    return tag


def _digest() -> str:
    """Of the files that git knows or would add; half-made caches of Python are not among them."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"]
    listed = subprocess.run([*listing, *_MADE_OF], cwd=ROOT, capture_output=True, check=True).stdout
    found = sha256()
    for name in sorted(listed.decode().split("\0")):
        file = ROOT / name
        if name and file.is_file():
            found.update(name.encode() + b"\0" + sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]
