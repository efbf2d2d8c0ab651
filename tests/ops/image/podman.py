"""Podman with a storage of its own, kept between runs, and the base image: pulled or made."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from tests.ops.called import called
from tests.ops.fetched import tool

from afterguard.embedded.model import cache_folder

PYTHON_BASE: Final = "docker.io/library/python:3.11-slim-bookworm"
_BUILD_S: Final = 900.0
_PULL_S: Final = 120.0
# What Debian has of the real base: Python with venv, and the certificates.
_LIKE_PYTHON: Final = "ca-certificates,python3,python3-venv"
_CONTAINERS: Final = """\
[containers]
# Without CAP_SYS_RESOURCE the usual limits cannot be asked for.
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
"""


class Podman:
    """Calls podman; nothing that a person's own podman knows is seen or touched."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        (home / "containers.conf").write_text(_CONTAINERS)
        (home / "storage.conf").write_text(
            f'[storage]\ndriver = "{_driver()}"\n'
            f'graphroot = "{home / "storage"}"\nrunroot = "/run/afterguard-tests"\n'
        )
        self.environment = {
            **os.environ,
            "CONTAINERS_CONF": str(home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
        }

    def __call__(
        self, *arguments: str | Path, check: bool = True, timeout_s: float = 120.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run it; fails the test with what it said."""
        return called(
            tool("podman"),
            arguments,
            environment=self.environment,
            timeout_s=timeout_s,
            check=check,
        )

    def has(self, image: str) -> bool:
        """Whether the image is here."""
        return self("image", "exists", image, check=False).returncode == 0

    def build(self, context: Path, tag: str, *arguments: str) -> None:
        """Build an image from what is here; the host's index and certificates come as secrets."""
        with TemporaryDirectory() as folder:
            self(
                *("build", "--isolation=chroot", "--network=host", "--pull=never"),
                *(
                    "--format=docker",
                    "--tag",
                    tag,
                    *arguments,
                    *_secrets(Path(folder)),
                    str(context),
                ),
                timeout_s=_BUILD_S,
            )

    def python_base(self) -> None:
        """The real base image; where no registry is reached, one like it from Debian's packages."""
        if self.has(PYTHON_BASE):
            return
        pulled = self("pull", "--quiet", PYTHON_BASE, check=False, timeout_s=_PULL_S)
        if pulled.returncode == 0:
            return
        with TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            _debootstrap(root)
            archive = Path(folder) / "root.tar"
            subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
            self("import", archive, PYTHON_BASE, timeout_s=_BUILD_S)


def podman() -> Podman:
    """One that works here, or the reason why there is none."""
    tool("podman")
    if os.geteuid() != 0:
        missing = "images are built with runc and chroot, which needs root"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return Podman(cache_folder() / "containers")


def _driver() -> str:
    """Overlay where the kernel mounts it here; vfs copies each layer, but works everywhere."""
    with TemporaryDirectory(dir=cache_folder()) as folder:
        for name in ("lower", "upper", "work", "merged"):
            (Path(folder) / name).mkdir()
        layers = ",".join(f"{name}dir={folder}/{name}" for name in ("lower", "upper", "work"))
        merged = f"{folder}/merged"
        mount = ["mount", "-t", "overlay", "overlay", "-o", layers, merged]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return "vfs"
        subprocess.run(["umount", merged], check=True)
    return "overlay"


def _secrets(folder: Path) -> list[str]:
    """The certificates that this host trusts, for a company's proxy; in no layer of the image."""
    bundle = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    if not bundle.is_file():
        return []
    (folder / "pip.conf").write_text("[global]\ncert = /run/secrets/ca.crt\n")
    shutil.copyfile(bundle, folder / "ca.crt")
    return [f"--secret=id={name},src={folder / name}" for name in ("pip.conf", "ca.crt")]


def _debootstrap(root: Path) -> None:
    command = [str(tool("debootstrap")), "--variant=minbase", f"--include={_LIKE_PYTHON}"]
    done = subprocess.run(
        [*command, "bookworm", str(root), "http://deb.debian.org/debian"],
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    # It leaves its own /proc and /sys mounted; they are none of the image's.
    for inner in ("proc", "sys"):
        subprocess.run(["umount", root / inner], capture_output=True, check=False)
    if done.returncode:
        pytest.fail(f"debootstrap ended with {done.returncode}:\n{done.stdout[-2_000:]}")
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
