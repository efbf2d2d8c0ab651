"""What opens a door stays behind it: no secret in logs, errors, probes, metrics or `repr`.

Recognisable secrets stand in every secret setting while things go wrong, and everything that was
said is looked through.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import yaml
from pydantic import BaseModel, SecretStr
from tests.certificates import Authority
from tests.cli.commands import Told, afterguard, ended, start
from tests.conftest import Broker, MakeTopics
from tests.guarded_broker import GuardedBroker
from tests.kafka_worker import event, produce
from tests.sasl_server import Accounts

from afterguard.contracts.exit_codes import ExitCode
from afterguard.embedded.process import free_port
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.settings import Settings
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.slow]

MARK = "zanzibar"
# Every setting that may hold a secret: a test below finds those that are missing.
SECRETS = {
    "kafka.ssl_key_password": f"{MARK}-key",
    "kafka.sasl_password": f"{MARK}-sasl",
    "redis.url": f"redis://somebody:{MARK}-address@localhost:6379/0",
    "redis.password": f"{MARK}-redis",
    "redis.ssl_key_password": f"{MARK}-redis-key",
    "engine.api_key": f"{MARK}-api",
}
ADDRESS = f"http://user:{MARK}-basic@127.0.0.1:1/v1"


def secret_fields() -> Iterator[str]:
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for name, inner in model.model_fields.items():
            if "SecretStr" in str(inner.annotation):
                yield f"{section}.{name}"


def test_every_secret_setting_is_looked_at_here() -> None:
    assert set(secret_fields()) == set(SECRETS)


def silent(told: Told, expected: str) -> None:
    """It said what it should, and no secret."""
    said = told.out + told.err
    assert expected in said, said
    assert MARK not in said, said


async def said(*arguments: str | Path, **variables: str) -> Told:
    return await asyncio.to_thread(lambda: ended(start(*arguments, **variables)))


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(**sections: Any) -> Path:
        file = tmp_path / "afterguard.yaml"
        quick: dict[str, Any] = {"policies": {"only": ["harassment"]}, "engine": {"kind": "null"}}
        file.write_text(yaml.safe_dump(quick | sections | {"log": {"level": "debug"}}))
        return file

    return write


def test_repr_and_dump_hide_them_all() -> None:
    sections: dict[str, dict[str, Any]] = {"engine": {"base_url": ADDRESS}}
    for path, value in SECRETS.items():
        section, _, name = path.partition(".")
        sections.setdefault(section, {})[name] = SecretStr(value)
    settings = Settings.model_validate(sections)
    for shown in (repr(settings), str(settings), repr(settings.kafka), str(settings.redis)):
        assert MARK not in shown
    assert settings.model_dump_json(exclude={"engine": {"base_url"}}).count(MARK) == 0


def test_faults_of_the_settings_do_not_quote_them(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contradicting = written(
        kafka={"sasl_password": SECRETS["kafka.sasl_password"], "ssl_key_password": f"{MARK}-key"},
        redis={"url": f"http://:{MARK}@host", "password": SECRETS["redis.password"]},
        engine={"kind": "vllm", "api_key": SECRETS["engine.api_key"], "base_url": ADDRESS},
    )
    for command in (["run"], ["doctor"], ["check", "-p", "harassment", "hello"]):
        told = afterguard(*command, "--config", contradicting)
        silent(told, "kafka.sasl_password: has no meaning")
    wrong_kind = written(kafka={"sasl_password": [f"{MARK}-sasl"]}, redis={"passwort": MARK})
    silent(afterguard("run", "--config", wrong_kind), "kafka.sasl_password")
    (tmp_path / "broken.yaml").write_text(f"redis:\n  password: {MARK}\n  : : [{MARK}")
    silent(afterguard("doctor", "--config", tmp_path / "broken.yaml"), "is not valid YAML")
    monkeypatch.setenv("AFTERGUARD_REDIS", f"{{not json {MARK}")
    silent(afterguard("doctor"), "AFTERGUARD_REDIS: must hold JSON")


def test_a_key_that_its_password_does_not_open_is_told_without_it(
    written: Any, tmp_path: Path
) -> None:
    key = Authority(tmp_path).client(password=f"{MARK}-key")
    tls = {
        "ssl_cert_file": str(key.cert),
        "ssl_key_file": str(key.key),
        "ssl_key_password": SECRETS["redis.ssl_key_password"],  # which opens nothing
    }
    config = written(redis={"url": f"rediss://localhost:{free_port()}", **tls})
    told = afterguard("run", "--config", config)
    silent(told, f"redis.ssl_key_password (or …_file): does not open {key.key}")
    assert told.code == ExitCode.CONFIGURATION


async def test_a_refused_log_in_and_servers_that_are_away_do_not_tell_them(
    kafka: Broker, written: Any
) -> None:
    async with GuardedBroker(kafka, accounts=Accounts()) as guarded:
        config = written(
            kafka={
                "bootstrap_servers": guarded.bootstrap_servers,
                "security_protocol": "sasl_plaintext",
                "sasl_mechanism": "PLAIN",
                "sasl_username": "afterguard",
            },
            redis={"url": f"redis://:{MARK}-address@localhost:{free_port()}/0"},
            engine={"kind": "openai", "base_url": ADDRESS, "model": "m"},
        )
        # Secrets of the environment, as a container has them.
        variables = {
            "AFTERGUARD_KAFKA__SASL_PASSWORD": SECRETS["kafka.sasl_password"],
            "AFTERGUARD_ENGINE__API_KEY": SECRETS["engine.api_key"],
        }
        check = ("check", "-p", "harassment", "hello")
        commands = (("run",), ("doctor",), check)
        told = await asyncio.gather(
            *(said(*command, "--config", config, **variables) for command in commands)
        )
    for it in told[:2]:
        silent(it, "refuses the log-in by PLAIN")
    silent(told[2], "does not answer")


async def test_a_working_worker_shows_none_in_its_logs_metrics_or_probes(
    kafka: Broker, make_topics: MakeTopics, written: Any, tmp_path: Path
) -> None:
    topics: TopicSettings = await make_topics()
    password, port = tmp_path / "password", free_port()
    password.write_text(f"{SECRETS['redis.password']}-is-wrong")
    known = Accounts({"afterguard": SECRETS["kafka.sasl_password"]})
    authority = Authority(tmp_path)
    ours = authority.client(password=SECRETS["kafka.ssl_key_password"])
    async with (
        GuardedBroker(kafka, tls=authority.server(asks=True), accounts=known) as guarded,
        EmbeddedValkey(("--requirepass", SECRETS["redis.password"])) as valkey,
    ):
        config = written(
            kafka={
                **kafka.settings(bootstrap_servers=guarded.bootstrap_servers).model_dump(
                    mode="json", exclude_unset=True
                ),
                "security_protocol": "sasl_ssl",
                "ssl_ca_file": str(authority.ca_file),
                "ssl_cert_file": str(ours.cert),
                "ssl_key_file": str(ours.key),
                "ssl_key_password": SECRETS["kafka.ssl_key_password"],
                "sasl_mechanism": "PLAIN",
                "sasl_username": "afterguard",
                "sasl_password": SECRETS["kafka.sasl_password"],
            },
            topics=topics.model_dump(),
            redis={"url": valkey.url, "password_file": str(password), "retry_after_s": 0.1},
            http={"port": port},
        )
        worker = start("run", "--config", config)
        # Read from the beginning: a worker whose words nobody takes would wait.
        telling = asyncio.create_task(asyncio.to_thread(ended, worker))
        try:
            await produce(kafka, topics.events, [event(1), event(2)])
            shown = await _shown(port, until="afterguard_verdicts_total{")
            guarded.cut()  # and every client logs in again
            await produce(kafka, topics.events, [event(3)])
            shown += await _shown(port, until="afterguard_redis_away 1")
        finally:
            worker.terminate()
            told = await telling
    assert told.code == 0, told.err
    assert len(known.logins) >= 3
    assert "afterguard_redis_away 1" in shown
    assert MARK not in shown
    silent(told, "log-in refused; check redis.username and redis.password")
    assert [it for it in told.err.splitlines() if orjson.loads(it)["event"] == "ended"]


async def _shown(port: int, *, until: str) -> str:
    """Everything that the worker's server says, once a metric is there."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        while True:
            text = ""
            for path in ("/metrics", "/livez", "/readyz", "/why", "/nowhere"):
                try:
                    async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
                        text += await answer.text() + str(answer.headers)
                except aiohttp.ClientError:
                    break
            if until in text:
                return text
            await asyncio.sleep(0.1)
