"""`afterguard doctor`: what it finds in each situation, and that it says what to do."""

import importlib.metadata
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.certificates import Authority
from tests.cli.commands import afterguard
from tests.conftest import Broker, MakeTopics
from tests.guarded_broker import GuardedBroker
from tests.sasl_server import Accounts

from afterguard.cli.doctor import _show
from afterguard.cli.doctor_looks import Finding, examine
from afterguard.cli.doctor_server import served_model
from afterguard.engine.settings import EngineSettings
from afterguard.settings import Settings
from afterguard.stream.settings import TopicSettings

# aiokafka logs an error for each broker that is away, which here is most of the time.
pytestmark = pytest.mark.usefixtures("expected_errors")

AWAY = {"bootstrap_servers": "127.0.0.1:9", "start_timeout_s": 0.2}
Found = dict[str, Finding]


async def found(**sections: object) -> Found:
    """The findings by their subject; each that is not well says what to do."""
    values = {"kafka": AWAY, "engine": {"kind": "null"}} | sections
    findings = await examine(Settings.model_validate(values))
    for it in findings:
        assert it.remedy or it.ok or it.subject == "gpu"
    return {it.subject: it for it in findings}


async def test_with_nothing_there_the_broker_is_wrong_and_redis_is_a_note() -> None:
    it = await found()
    assert (it["settings"].ok, it["input"].ok, it["policies"].ok) == (True, True, True)
    assert it["broker"].ok is False
    assert "127.0.0.1:9" in it["broker"].found
    assert "kafka.bootstrap_servers" in it["broker"].remedy
    assert "topics" not in it
    assert it["redis"].ok is None
    assert it["engine"].ok is None


@pytest.mark.broker
async def test_a_broker_without_topics_asks_for_topics_create(kafka: Broker) -> None:
    names = TopicSettings(audit="nobody.made.this")
    it = await found(kafka=kafka.settings(), topics=names)
    assert it["broker"].ok
    assert it["topics"].ok is False
    assert "nobody.made.this" in it["topics"].found
    assert "afterguard topics create" in it["topics"].remedy


@pytest.mark.broker
@pytest.mark.redis
async def test_with_all_there_nothing_is_wrong(
    kafka: Broker, make_topics: MakeTopics, redis_url: str
) -> None:
    it = await found(kafka=kafka.settings(), topics=await make_topics(), redis={"url": redis_url})
    assert {name for name, finding in it.items() if not finding.ok} == {"engine"}


@pytest.mark.broker
async def test_tls_and_log_in_that_do_not_work_are_told_with_the_setting(
    kafka: Broker, tmp_path: Path
) -> None:
    authority, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
    tls: dict[str, Any] = {"security_protocol": "sasl_ssl", "ssl_ca_file": authority.ca_file}
    login = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "geheim"}
    faults: dict[str, dict[str, Any]] = {
        "kafka.ssl_ca_file: /nowhere/ca.pem cannot be read": {"ssl_ca_file": "/nowhere/ca.pem"},
        "a certificate that is not trusted": {"ssl_ca_file": foreign.ca_file},
        "refuses the log-in by PLAIN; check kafka.sasl_username": {"sasl_password": "geheimer"},
        "offers no log-in by kafka.sasl_mechanism=SCRAM-SHA-256": {
            "sasl_mechanism": "SCRAM-SHA-256"
        },
    }
    accounts = Accounts({"u": "geheim"})
    async with GuardedBroker(kafka, tls=authority.server(), accounts=accounts) as guarded:
        for words, change in faults.items():
            it = (await found(kafka=guarded.settings(kafka, **tls | login | change)))["broker"]
            assert it.ok is False
            assert words in it.found
            assert "the setting that is named" in it.remedy
            assert "geheim" not in it.found + it.remedy
        it = (await found(kafka=guarded.settings(kafka, **tls | login)))["broker"]
    assert it.ok
    assert it.found.endswith("(sasl_ssl by PLAIN)")


async def test_a_redis_that_does_not_answer_is_a_note_without_its_password() -> None:
    it = (await found(redis={"url": "redis://u:geheim@127.0.0.1:9/0"}))["redis"]
    assert it.ok is None
    assert "degraded" in it.found
    assert "geheim" not in it.found + it.remedy


async def test_an_address_that_is_none_is_wrong() -> None:
    it = (await found(redis={"url": "localhost"}))["redis"]
    assert it.ok is False
    assert "redis.url" in it.remedy


async def test_a_map_that_cannot_be_compiled_is_wrong() -> None:
    it = (await found(input={"map": {"content": "a["}}))["input"]
    assert it.ok is False
    assert "afterguard map --try" in it.remedy


async def test_policies_that_cannot_be_read_are_wrong(tmp_path: Path) -> None:
    it = (await found(policies={"directory": tmp_path}))["policies"]
    assert it.ok is False
    assert "afterguard policies lint" in it.remedy


async def test_without_the_engine_s_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing_is_installed(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", nothing_is_installed)
    vllm = (await found(engine={"kind": "vllm"}))["engine"]
    assert (vllm.ok, "afterguard[gpu]" in vllm.remedy) == (False, True)
    openai = (await found(engine={"kind": "openai", "base_url": "http://x/v1"}))["engine"]
    assert (openai.ok, "afterguard[openai]" in openai.remedy) == (False, True)


@pytest.mark.parametrize(
    ("files", "ok", "told"),
    [
        ([], False, "lacks config.json and weights"),
        (["config.json"], False, "lacks weights"),
        (["model.safetensors"], False, "lacks config.json"),
        (["config.json", "model-00001-of-2.safetensors"], True, ""),
    ],
)
async def test_a_model_folder_must_hold_a_model(
    tmp_path: Path, files: list[str], ok: bool, told: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    it = (await found(engine={"kind": "vllm", "model": str(tmp_path)}))["model"]
    assert it.ok is ok
    assert told in it.found


@pytest.mark.parametrize("path", ["/nowhere/model", "./nowhere", "~/nowhere", "a/b/c"])
async def test_a_model_folder_that_is_not_there_is_wrong(path: str) -> None:
    it = (await found(engine={"kind": "vllm", "model": path}))["model"]
    assert it.ok is False
    assert "engine.model" in it.remedy


async def test_a_hub_id_is_a_note() -> None:
    assert (await found(engine={"kind": "vllm"}))["model"].ok is None


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _models(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Authorization") != "Bearer key":
        return web.Response(status=401)
    return web.json_response({"data": [{"id": "one"}, {"id": "two"}]})


async def _text(_: web.Request) -> web.StreamResponse:
    return web.Response(text="hello")


@pytest.mark.parametrize(
    ("changes", "ok", "told"),
    [
        ({"api_key": "key", "model": "one"}, True, "serves one"),
        ({"api_key": "key", "model": "three"}, False, "set engine.model to one of them"),
        ({"model": "one"}, False, "set engine.api_key"),
        ({"base_url": "/wrong"}, False, "usually ends in /v1"),
        ({"base_url": "/text"}, False, "check engine.base_url"),
    ],
)
async def test_a_server_is_asked_for_its_models(
    changes: dict[str, str], ok: bool, told: str
) -> None:
    app = web.Application()
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/text/models", _text)
    async with TestServer(app) as server:
        base_url = str(server.make_url(changes.pop("base_url", "/v1")))
        engine = EngineSettings.model_validate({"kind": "openai", "base_url": base_url} | changes)
        served, found_, remedy = await served_model(engine)
    assert served is ok
    assert told in f"{found_} {remedy}"


async def test_a_server_that_does_not_answer_is_wrong() -> None:
    engine = EngineSettings(kind="openai", base_url="http://127.0.0.1:9/v1")
    assert (await served_model(engine))[0] is False


def test_the_findings_can_be_had_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("AFTERGUARD_KAFKA__START_TIMEOUT_S", "0.2")
    monkeypatch.setenv("AFTERGUARD_ENGINE__KIND", "null")
    told = afterguard("doctor", "--json")
    assert told.code == 1
    findings = json.loads(told.out)
    assert [it["subject"] for it in findings if it["ok"] is False] == ["broker"]
    assert set(findings[0]) == {"subject", "ok", "found", "remedy"}


def test_wrong_settings_are_findings_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_ENGINE__KINDS", "null")
    monkeypatch.setenv("AFTERGUARD_HTTP__PORT", "x")
    told = afterguard("doctor", "--json")
    assert told.code == 1
    assert [it["subject"] for it in json.loads(told.out)] == ["settings", "settings"]


def test_brackets_of_a_finding_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    _show([Finding("engine", ok=False, found="[/b]", remedy="pip install 'afterguard[gpu]'")])
    shown = capsys.readouterr().out
    assert "[/b]" in shown
    assert "pip install 'afterguard[gpu]'" in shown
