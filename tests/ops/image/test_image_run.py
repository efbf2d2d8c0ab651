"""A worker in the CPU image: nothing writable, no rights; it judges, drains and balances."""

import asyncio
import re
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final
from urllib.request import urlopen
from uuid import uuid4

import orjson
import pytest
from tests.balance import assert_told_in_balance
from tests.conftest import Broker
from tests.onlooker import read_topic
from tests.ops.image.container import exit_code, log_of, once, running
from tests.ops.image.podman import Podman

from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS
from afterguard.embedded.process import free_port

# The first of them waits for the image to be built, and on a bare machine for its base.
pytestmark = pytest.mark.timeout(1_200)

EVENTS: Final = 60
WAIT_S: Final = 90.0
# As OpenShift chooses them.
SOMEBODY: Final = "--user=1000680000:0"


def settings(kafka: Broker) -> dict[str, str]:
    """A worker without a model, and topics that are its own."""
    mark = uuid4().hex[:8]
    return {
        "AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "AFTERGUARD_KAFKA__GROUP_ID": f"image-{mark}",
        "AFTERGUARD_KAFKA__EMPTY_FETCH_PAUSE_MS": str(EMPTY_FETCH_PAUSE_MS),
        "AFTERGUARD_ENGINE__KIND": "null",
        "AFTERGUARD_HTTP__PORT": str(free_port()),
        "AFTERGUARD_TOPICS__EVENTS": f"chat.events.{mark}",
        "AFTERGUARD_TOPICS__INTERVENTIONS": f"moderation.interventions.{mark}",
        "AFTERGUARD_TOPICS__AUDIT": f"moderation.audit.{mark}",
        "AFTERGUARD_TOPICS__DEAD_LETTERS": f"moderation.dead-letters.{mark}",
    }


@pytest.fixture
def variables(kafka: Broker, containers: Podman, image: str) -> dict[str, str]:
    """Settings, with the topics made by the image itself."""
    found = settings(kafka)
    told = once(containers, image, "topics", "create", "--partitions=2", variables=found)[1]
    assert told.count(" made") == 4
    return found


def ready(variables: dict[str, str]) -> None:
    """Wait until the worker takes events."""
    address = f"http://127.0.0.1:{variables['AFTERGUARD_HTTP__PORT']}/readyz"
    until = monotonic() + WAIT_S
    while True:
        try:
            with urlopen(address, timeout=2):
                return
        except OSError:
            assert monotonic() < until, "the worker in the container was not ready in time"
            sleep(0.2)


def judged(kafka: Broker, variables: dict[str, str], count: int) -> None:
    """Wait until so many different events have a verdict in the audit topic."""
    until = monotonic() + WAIT_S
    while True:
        records = asyncio.run(
            read_topic(kafka.bootstrap_servers, variables["AFTERGUARD_TOPICS__AUDIT"])
        )
        if len({orjson.loads(it.value or b"{}")["event_id"] for it in records}) >= count:
            return
        assert monotonic() < until, f"{len(records)} verdicts, and no more came"
        sleep(0.3)


def last_line(said: str) -> dict[str, Any]:
    lines = [orjson.loads(it) for it in said.splitlines() if it.startswith("{")]
    found: dict[str, Any] = lines[-1]
    return found


def test_it_says_its_version(containers: Podman, image: str) -> None:
    assert re.fullmatch(r"afterguard \d+\.\d+\.\d+\n", once(containers, image, "--version")[1])


def test_the_doctor_finds_that_a_worker_could_start(
    containers: Podman, image: str, variables: dict[str, str]
) -> None:
    code, said = once(containers, image, "doctor", "--json", variables=variables)
    assert code == 0
    findings = orjson.loads(next(it for it in said.splitlines() if it.startswith("[")))
    assert {it["subject"] for it in findings if it["ok"] is False} == set()


@pytest.fixture(params=["--user=10001:0", SOMEBODY], ids=["our-user", "any-user-of-group-0"])
def options(request: pytest.FixtureRequest, cache: str) -> tuple[str, ...]:
    """Who runs the container, and where it may write."""
    return (request.param, f"--volume={cache}:/cache")


def test_a_worker_judges_is_healthy_and_drains(
    containers: Podman,
    image: str,
    kafka: Broker,
    variables: dict[str, str],
    options: tuple[str, ...],
) -> None:
    with running(containers, image, options=options, variables=variables) as worker:
        ready(variables)
        once(
            *(containers, image, "traffic", f"--count={EVENTS}", "--rate=500"), variables=variables
        )
        judged(kafka, variables, EVENTS)
        # Its timer needs systemd; what it runs does not.
        containers("healthcheck", "run", worker)
        containers("stop", "--time=90", worker)
        assert exit_code(containers, worker) == 0
        ended = last_line(log_of(containers, worker))
    assert ended["event"] == "ended"
    assert ended["fates"]["admitted"] == EVENTS
    assert_told_in_balance(ended)


def test_it_is_unhealthy_while_nothing_answers(containers: Podman, image: str) -> None:
    sleeping = ("--entrypoint=/usr/bin/tini",)
    with running(containers, image, "--", "sleep", "60", options=sleeping) as container:
        told = containers("healthcheck", "run", container, check=False)
        assert told.returncode == 1


def test_its_health_is_asked_at_the_port_of_its_settings(
    containers: Podman, image: str, variables: dict[str, str], tmp_path: Path
) -> None:
    port = variables.pop("AFTERGUARD_HTTP__PORT")
    file = tmp_path / "afterguard.yaml"
    file.write_text(f"http: {{host: 0.0.0.0, port: {port}}}\n")
    mounted = (f"--volume={file}:/etc/afterguard/afterguard.yaml:ro",)
    with running(containers, image, options=mounted, variables=variables) as worker:
        ready({"AFTERGUARD_HTTP__PORT": port})
        containers("healthcheck", "run", worker)


def test_a_signal_is_heard_from_the_first_moment(containers: Podman, image: str) -> None:
    # A first process without a handler of its own ignores it: Python's, while it imports.
    with running(containers, image) as worker:
        containers("stop", "--time=60", worker)
        assert exit_code(containers, worker) in {0, 143}


def test_orphans_are_taken_in(containers: Podman, image: str) -> None:
    # What an engine leaves when it is killed: a grandchild whose parent has gone.
    orphan = """
import os, time
if not os.fork():
    os.fork() or time.sleep(1)
    os._exit(0)
os.wait()"""
    look = """
import glob
print([it for it in glob.glob("/proc/[0-9]*/stat") if ") Z " in open(it).read()])"""
    python = "/opt/afterguard/bin/python"
    options = ("--entrypoint=/usr/bin/tini",)
    with running(containers, image, "--", "sleep", "60", options=options) as container:
        containers("exec", container, python, "-c", orphan)
        sleep(1.5)
        assert containers("exec", container, python, "-c", look).stdout.strip() == "[]"


def test_whoever_runs_it_has_a_name_and_a_home(
    containers: Podman, image: str, options: tuple[str, ...]
) -> None:
    script = """
import getpass, pathlib
home = pathlib.Path.home() / "x"
home.mkdir(parents=True)
print(getpass.getuser(), home)"""
    python = "--entrypoint=/opt/afterguard/bin/python"
    said = once(containers, image, "-c", script, options=(python, *options))[1]
    assert said.split() == ["afterguard", "/cache/home/x"]


def test_settings_that_cannot_be_used_end_it_with_their_code(
    containers: Podman, image: str
) -> None:
    code, said = once(
        *(containers, image), variables={"AFTERGUARD_ENGINE__KIND": "nonsense"}, check=False
    )
    assert code == 78
    assert "engine.kind" in said
