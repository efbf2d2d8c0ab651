"""deploy/compose.yaml, run by podman-compose."""

import json
import os
import subprocess
from time import monotonic, sleep
from typing import Any, Final
from urllib.parse import quote
from urllib.request import urlopen
from uuid import uuid4

import pytest
from tests.ops.called import called
from tests.ops.compose.composed import DEPLOY
from tests.ops.fetched import tool
from tests.ops.image.podman import Podman

from afterguard.embedded.process import free_port

_CALL_S: Final = 150.0
_HEALTHY_S: Final = 90.0


class Project:
    """One project, with ports and a name that nobody else has.

    Without systemd no health timer fires, so that `depends_on` would wait for ever: services are
    started one by one, and their health checks are run from here.
    """

    def __init__(self, containers: Podman, image: str) -> None:
        self._containers = containers
        self._name = f"afterguard-{uuid4().hex[:6]}"
        self.ports = {it: free_port() for it in ("KAFKA", "PROMETHEUS", "ALERTMANAGER")}
        self._environment = {
            **containers.environment,
            **{f"{name}_PORT": str(port) for name, port in self.ports.items()},
            "CPU_IMAGE": image,
            "TRAFFIC_RATE": "20",
            # Podman 4.3 does not know `host-gateway`, and nothing here asks for the host.
            "HOST_ADDRESS": "127.0.0.1",
            "PATH": f"{tool('podman').parent}:{os.environ['PATH']}",
        }

    def __call__(
        self, *arguments: str, profiles: tuple[str, ...] = ("cpu", "traffic"), check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run podman-compose; fails the test with what it said."""
        chosen = [it for profile in profiles for it in ("--profile", profile)]
        whose = ["--project-name", self._name, "--file", str(DEPLOY / "compose.yaml")]
        return called(
            tool("podman-compose"),
            [*whose, *chosen, *arguments],
            environment=self._environment,
            timeout_s=_CALL_S,
            check=check,
            name=arguments[0],
        )

    def start(self, service: str) -> str:
        """Start one service; its container."""
        self("up", "--detach", "--no-deps", "--no-build", service)
        return self.container(service)

    def container(self, service: str) -> str:
        """The id of a service's container."""
        mine = (
            f"label=com.docker.compose.project={self._name}",
            f"label=com.docker.compose.service={service}",
        )
        filters = [f"--filter={it}" for it in mine]
        return self._containers("ps", "--all", "--quiet", *filters).stdout.split()[0]

    def healthy(self, service: str) -> None:
        """Start it, and run its own health check until that is content."""
        container = self.start(service)
        until = monotonic() + _HEALTHY_S
        while True:
            asked = self._containers("healthcheck", "run", container, check=False)
            if asked.returncode == 0:
                return
            if monotonic() > until:
                pytest.fail(f"{service} is not well: {asked.stdout}\n{self.log(service)}")
            sleep(0.5)

    def ended(self, service: str) -> int:
        """Start one that ends by itself; its exit code."""
        container = self.start(service)
        return int(self._containers("wait", container).stdout)

    def log(self, service: str) -> str:
        """The end of what a service said."""
        told = self._containers("logs", "--tail=40", self.container(service), check=False)
        return told.stdout + told.stderr

    def exit_code(self, service: str) -> int:
        """Of a service that has ended."""
        asked = self._containers("inspect", "--format={{.State.ExitCode}}", self.container(service))
        return int(asked.stdout)

    def prometheus(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers to a query."""
        where = f"http://127.0.0.1:{self.ports['PROMETHEUS']}/api/v1/query?query={quote(query)}"
        with urlopen(where, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
