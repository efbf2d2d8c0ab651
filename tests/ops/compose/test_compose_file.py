"""deploy/compose.yaml: pinned, closed to other machines, without rights, and all of one piece."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.ops.compose.composed import (
    COMMANDS,
    COMPOSE,
    DEPLOY,
    ONE_SHOT,
    SERVICES,
    TEXT,
    VARIABLE,
    WORKERS,
)
from tests.ops.fetched import tool

from afterguard.cli.main import app
from afterguard.health.settings import HttpSettings
from afterguard.settings import Settings, load_settings

# Its image is its binary and little else: it has nothing that could ask.
NO_HEALTHCHECK = {"jaeger"}
# It writes its configuration into its own folder.
WRITABLE_ROOT = {"kafka"}
EACH = pytest.mark.parametrize("name", SERVICES)


def mounts(name: str) -> list[tuple[str, str, str]]:
    found = []
    for line in SERVICES[name].get("volumes", []):
        source, target, *mode = line.split(":")
        found.append((source, target, mode[0] if mode else "rw"))
    return found


def seconds(duration: str) -> float:
    found = re.fullmatch(r"(\d+)s", duration)
    assert found is not None
    return float(found[1])


def settings_of(worker: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As the worker in that service reads them."""
    for variable, value in SERVICES[worker]["environment"].items():
        monkeypatch.setenv(variable, value)
    return load_settings(DEPLOY / "compose/afterguard.yaml")


def checked_as_compose(file: Path) -> "subprocess.CompletedProcess[str]":
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [checker, "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_a_compose_file() -> None:
    told = checked_as_compose(DEPLOY / "compose.yaml")
    assert told.returncode == 0, told.stdout


def test_a_key_that_compose_does_not_know_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(TEXT.replace("stop_grace_period:", "stop_grace_time:"))
    told = checked_as_compose(file)
    assert told.returncode == 1
    assert "stop_grace_time" in told.stdout


@EACH
def test_each_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"(docker\.io|ghcr\.io)/[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*", image), image


@EACH
def test_what_we_build_is_a_target_of_our_dockerfile(name: str) -> None:
    build = SERVICES[name].get("build")
    if build is None:
        assert name not in COMMANDS | WORKERS
        return
    dockerfile = (DEPLOY / build["context"] / build["dockerfile"]).read_text()
    assert re.search(rf"^FROM \S+ AS {build['target']}$", dockerfile, re.MULTILINE)
    assert SERVICES[name]["image"].endswith(f"-{build['target']}")


@EACH
def test_each_service_says_whether_it_is_well(name: str) -> None:
    check = SERVICES[name].get("healthcheck")
    if name in COMMANDS:
        assert check == {"disable": True}
    elif name in NO_HEALTHCHECK:
        assert check is None
    else:
        assert check is not None
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "start_period", "retries"} <= check.keys()


@EACH
def test_each_service_comes_back_but_for_what_is_done(name: str) -> None:
    assert SERVICES[name]["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


@EACH
def test_no_service_has_rights_or_a_root_to_write_to(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) is (name not in WRITABLE_ROOT)
    assert "privileged" not in service


@EACH
def test_each_service_is_limited(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} == limits.keys()


@EACH
def test_no_port_is_open_to_other_machines(name: str) -> None:
    assert [it for it in SERVICES[name].get("ports", []) if not it.startswith("127.0.0.1:")] == []


@EACH
def test_no_service_reaches_into_the_host(name: str) -> None:
    assert not {"network_mode", "pid", "ipc", "devices"} & SERVICES[name].keys()
    assert not any(source.startswith(("/", "~")) for source, _, _ in mounts(name))


@EACH
def test_what_is_mounted_exists_and_files_are_only_read(name: str) -> None:
    for source, _, mode in mounts(name):
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
            assert mode == "ro", source
        else:
            assert source in COMPOSE["volumes"]


def test_each_volume_is_used() -> None:
    used = {source for name in SERVICES for source, _, _ in mounts(name)}
    assert set(COMPOSE["volumes"]) <= used


@EACH
def test_what_a_service_waits_for_can_come_true(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert other in ONE_SHOT
        else:
            assert how["condition"] == "service_healthy"
            assert "test" in SERVICES[other]["healthcheck"]
        # A service of a profile that is not chosen would be missing.
        assert "profiles" not in SERVICES[other]


@EACH
def test_no_secret_stands_in_it(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    secret = re.compile(r"PASSWORD|SECRET|API_KEY|TOKEN")
    assert {it: value for it, value in environment.items() if secret.search(it) and value} == {}


def test_each_worker_has_a_profile_of_its_own() -> None:
    assert {name: SERVICES[name]["profiles"] for name in WORKERS} == {
        "worker-gpu": ["gpu"],
        "worker-cpu": ["cpu"],
    }
    devices = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


@pytest.mark.parametrize("worker", sorted(WORKERS))
def test_the_settings_of_a_worker_are_taken(worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(worker, monkeypatch)
    assert settings.http.host == "0.0.0.0"
    assert settings.http.port == HttpSettings().port
    targets = {target for _, target, _ in mounts(worker)}
    assert str(settings.policies.directory) in targets


def test_a_model_server_is_taken_by_the_worker_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = {"ENGINE_KIND": "openai", "ENGINE_BASE_URL": "http://host.docker.internal:8000/v1"}
    raw = yaml.safe_load(TEXT)["services"]["worker-cpu"]["environment"]
    chosen = {
        name: VARIABLE.sub(lambda it: server.get(it[1], it[2]), text) for name, text in raw.items()
    }
    monkeypatch.setitem(SERVICES["worker-cpu"], "environment", chosen)
    settings = settings_of("worker-cpu", monkeypatch)
    assert (settings.engine.kind, settings.engine.base_url) == ("openai", server["ENGINE_BASE_URL"])


@pytest.mark.parametrize("worker", sorted(WORKERS))
def test_a_worker_is_given_the_time_to_drain(worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(worker, monkeypatch)
    needed = settings.delivery.drain_timeout_s + settings.engine.stop_timeout_s + 40
    assert seconds(SERVICES[worker]["stop_grace_period"]) > needed


def test_a_worker_may_load_its_model_for_as_long_as_its_settings_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patience = seconds(SERVICES["worker-gpu"]["healthcheck"]["start_period"])
    assert patience >= settings_of("worker-gpu", monkeypatch).engine.start_timeout_s


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_commands_are_ones_of_ours(name: str) -> None:
    place: Any = typer.main.get_command(app)
    tokens = list(SERVICES[name]["command"])
    while tokens and (inner := getattr(place, "commands", {}).get(tokens[0])):
        place = inner
        tokens.pop(0)
    context = place.make_context("afterguard", tokens)
    assert context.params, shlex.join(tokens)


def test_prometheus_finds_the_workers_and_the_rules(tmp_path: Path) -> None:
    text = (DEPLOY / "compose/prometheus.yaml").read_text()
    inside = {target: source for source, target, _ in mounts("prometheus")}
    (tmp_path / "rules").mkdir()
    rules = inside["/etc/prometheus/rules/alerts.yaml"]
    (tmp_path / "rules/alerts.yaml").write_text((DEPLOY / rules).read_text())
    file = tmp_path / "prometheus.yaml"
    file.write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    checked = subprocess.run(
        [tool("promtool"), "check", "config", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "rules found" in checked.stdout
    workers = yaml.safe_load(text)["scrape_configs"][0]["dns_sd_configs"][0]
    assert workers["port"] == HttpSettings().port
    for worker in WORKERS:
        assert workers["names"][0] in SERVICES[worker]["networks"]["afterguard"]["aliases"]


def test_prometheus_keeps_exemplars() -> None:
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]


def test_alertmanager_takes_its_file() -> None:
    file = DEPLOY / "compose/alertmanager.yaml"
    subprocess.run([tool("amtool"), "check-config", file], check=True, capture_output=True)


def test_grafana_is_given_each_dashboard_and_the_home_is_one_of_them() -> None:
    inside = {target: source for source, target, _ in mounts("grafana")}
    provider = yaml.safe_load((DEPLOY / "compose/grafana/dashboards/afterguard.yaml").read_text())
    folder = provider["providers"][0]["options"]["path"]
    found = {it.name for it in (DEPLOY / inside[folder]).glob("*.json")}
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert len(found) >= 4
    assert home in {f"{folder}/{name}" for name in found}


def test_grafana_asks_the_prometheus_that_is_there() -> None:
    file = DEPLOY / "compose/grafana/datasources/prometheus.yaml"
    source = yaml.safe_load(file.read_text())["datasources"][0]
    host = re.fullmatch(r"http://(\w+):9090", source["url"])
    assert host is not None
    assert host[1] in SERVICES


def test_the_example_of_what_may_be_set_is_complete_and_tells_the_defaults() -> None:
    example = (DEPLOY / "compose/env.example").read_text()
    told = dict(re.findall(r"^#([A-Z_]+)=(.*)$", example, re.MULTILINE))
    used = dict(VARIABLE.findall(TEXT))
    assert told.keys() == used.keys()
    # These show what to write where the default is something else.
    shown = {"ENGINE_KIND", "ENGINE_BASE_URL", "HF_HUB_OFFLINE", "TRACING"}
    assert {it: told[it] for it in told.keys() - shown} == {
        it: used[it] for it in used.keys() - shown
    }
