"""One container as an operator would run it: nothing writable but /tmp and /cache, no rights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.ops.image.podman import Podman

LOCKED_DOWN: Final = (
    *("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp:rw,mode=1777"),
    *("--cap-drop=all", "--security-opt=no-new-privileges", "--network=host"),
)


def once(
    podman: Podman,
    image: str,
    *command: str,
    options: tuple[str, ...] = (),
    variables: Mapping[str, str] | None = None,
    check: bool = True,
) -> tuple[int, str]:
    """Run a container to its end: its exit code and what it said."""
    done = podman(
        *("run", "--rm", *LOCKED_DOWN, *options, *_variables(variables), image, *command),
        check=check,
    )
    return done.returncode, done.stdout + _without_podmans_own(done.stderr)


def _without_podmans_own(said: str) -> str:
    # Without systemd it complains of each container that its health will not be asked by itself.
    return "".join(it for it in said.splitlines(keepends=True) if not it.startswith('time="'))


@contextmanager
def running(
    podman: Podman,
    image: str,
    *command: str,
    options: tuple[str, ...] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A container in the background; removed at the end, whatever became of it."""
    started = podman(
        *("run", "--detach", *LOCKED_DOWN, *options, *_variables(variables), image, *command)
    )
    container = started.stdout.strip().splitlines()[-1]
    try:
        yield container
    finally:
        podman("rm", "--force", "--time=0", container, check=False)


def exit_code(podman: Podman, container: str) -> int:
    """Of a container that has ended."""
    return int(podman("inspect", "--format={{.State.ExitCode}}", container).stdout)


def log_of(podman: Podman, container: str) -> str:
    """Both of its streams."""
    told = podman("logs", container)
    return told.stdout + told.stderr


def _variables(variables: Mapping[str, str] | None) -> list[str]:
    return [f"--env={name}={value}" for name, value in (variables or {}).items()]
