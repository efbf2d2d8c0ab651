"""What the chart's pods would run is run here, by the settings and variables that it renders."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.conftest import Broker
from tests.ops.chart.rendered import Document, of_kind, only, render
from tests.ops.chart.workload import container, settings_text, variables

from afterguard.settings import ENV_PREFIX

PATIENCE_S = 60.0


class Run(NamedTuple):
    """A container's command, to be run here."""

    command: list[str]
    environment: dict[str, str]


def runnable(made: Document, documents: list[Document], folder: Path) -> Run:
    """The command of a container, with its settings and variables, in folders of this machine."""
    file = folder / "afterguard.yaml"
    file.write_text(settings_text(documents), encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)
    }
    for name, value in variables(made).items():
        here = str(value).replace("/cache/", f"{folder}/cache/")
        environment[name] = str(file) if name == "AFTERGUARD_CONFIG" else here
    return Run([sys.executable, "-m", "afterguard", *made["args"]], environment)


def ended(run: Run) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        run.command,
        env=run.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def answers(port: int, path: str) -> int:
    """The status of a probe; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
def values(kafka: Broker) -> dict[str, Any]:
    """A release with topics and a group of its own, on a real broker."""
    mark = os.urandom(4).hex()
    return {
        "kafka": {"bootstrapServers": kafka.bootstrap_servers, "groupId": f"chart-{mark}"},
        "topics": {
            "events": f"events.{mark}",
            "interventions": f"interventions.{mark}",
            "audit": f"audit.{mark}",
            "deadLetters": f"letters.{mark}",
            "partitions": 3,
            "replication": 1,
            "createJob": {"enabled": True},
        },
        "http": {"port": free_port()},
    }


def test_job_then_test_then_worker_as_kubernetes_would_start_them(
    values: dict[str, Any], tmp_path: Path
) -> None:
    documents = render(values)  # with vLLM, which the Job and the test must do without
    job = only(documents, "Job")["spec"]["template"]["spec"]
    test = of_kind(documents, "Pod")[0]["spec"]

    made = ended(runnable(container(job, "topics"), documents, tmp_path))
    well = ended(runnable(container(test, "doctor"), documents, tmp_path))

    assert made.returncode == 0, made.stdout + made.stderr
    assert well.returncode == 0, well.stdout
    assert "all four are there" in well.stdout
    assert "judges nothing" in well.stdout  # a pod of the test has no GPU to look at
    documents = render({**values, "engine": {"kind": "null"}})
    worker = container(only(documents, "Deployment")["spec"]["template"]["spec"], "worker")
    becomes_ready_and_drains(worker, runnable(worker, documents, tmp_path))


def becomes_ready_and_drains(worker: Document, run: Run) -> None:
    port = worker["ports"][0]["containerPort"]
    probes = [
        worker[f"{it}Probe"]["httpGet"]["path"] for it in ("startup", "liveness", "readiness")
    ]
    process = subprocess.Popen(run.command, env=run.environment, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + PATIENCE_S
        while answers(port, probes[0]) != 200:
            assert process.poll() is None
            assert time.monotonic() < until, "it does not become ready"
            time.sleep(0.2)
        assert [answers(port, path) for path in probes] == [200, 200, 200]
        assert answers(port, "/metrics") == 200
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
