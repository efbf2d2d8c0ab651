"""Settings: file, environment and overrides; every fault in one clear line that names its field."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.words import Action, Lane, Outcome
from afterguard.settings import ENV_PREFIX, Settings, contradictions, load_settings

Write = Callable[[Any], Path]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a settings file: a text as it is, anything else as YAML."""

    def write(content: Any) -> Path:
        file = tmp_path / "afterguard.yaml"
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return file

    return write


def problems(config: Path | None = None, **overrides: Any) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings(config, overrides)
    assert all("\n" not in problem for problem in raised.value.problems)
    return raised.value.problems


def test_without_a_file_and_without_variables_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_the_defaults_contradict_each_other_nowhere() -> None:
    assert contradictions(Settings()) == []


def test_the_environment_wins_over_the_file_and_an_override_over_both(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = {"bootstrap_servers": "file:1", "group_id": "file", "client_id": "file"}
    monkeypatch.setenv("AFTERGUARD_KAFKA__GROUP_ID", "environment")
    monkeypatch.setenv("AFTERGUARD_KAFKA__CLIENT_ID", "environment")
    settings = load_settings(write({"kafka": kafka}), {"kafka": {"client_id": "override"}})
    told = settings.kafka
    assert (told.bootstrap_servers, told.group_id, told.client_id) == (
        "file:1",
        "environment",
        "override",
    )


def test_the_file_can_be_named_by_the_environment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERGUARD_CONFIG", str(write({"kafka": {"group_id": "from-file"}})))
    assert load_settings().kafka.group_id == "from-file"


def test_one_lane_s_deadline_is_set_without_losing_the_others(write: Write) -> None:
    settings = load_settings(write({"judging": {"deadline_s": {"live": 5}}}))
    assert settings.judging.deadline_s == {
        Lane.LIVE: 5.0,
        Lane.STANDARD: 600.0,
        Lane.BACKFILL: None,
    }


def test_one_effort_s_cap_is_set_without_losing_the_others(write: Write) -> None:
    settings = load_settings(write({"engine": {"reasoning_max_tokens": {"low": 9}}}))
    assert list(settings.engine.reasoning_max_tokens.values()) == [9, 1024, 2048]


def test_one_unjudged_action_is_set_without_switching_off_the_others(write: Write) -> None:
    settings = load_settings(write({"decide": {"unjudged_action": {"expired": "none"}}}))
    actions = settings.decide.unjudged_action
    assert (actions[Outcome.EXPIRED], actions[Outcome.FAILED]) == (Action.NONE, Action.ESCALATE)


def test_a_heading_whose_fields_are_all_commented_out_is_no_fault(write: Write) -> None:
    assert load_settings(write("kafka:\n  # group_id: x\n")) == Settings()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"kafka": {"heartbeat_interval_ms": 20_000}},
            "kafka.heartbeat_interval_ms (20000) must be at most a third of kafka.session",
        ),
        (
            {"kafka": {"rebalance_timeout_ms": 12_000}, "delivery": {"revoke_grace_s": 8}},
            "kafka.rebalance_timeout_ms (12000) must be at least delivery.revoke_grace_s (8.0) and",
        ),
        (
            {"kafka": {"away_timeout_s": 30}},
            "kafka.away_timeout_s (30.0) must be longer than kafka.session_timeout_ms (30000)",
        ),
        (
            {"topics": {"audit": "same", "interventions": "same"}},
            "topics.interventions, topics.audit: each needs a topic of its own; they share 'same'",
        ),
        (
            {"engine": {"kind": "openai"}},
            "engine.base_url: needed when engine.kind is openai, such as http://host:8000/v1",
        ),
        (
            {"engine": {"kind": "vllm", "base_url": "http://host/v1"}},
            "engine.base_url: has no meaning when engine.kind is vllm",
        ),
        (
            {"engine": {"max_content_tokens": 7_000}},
            "engine.max_content_tokens plus the largest engine.reasoning_max_tokens (9048) must",
        ),
        (
            {"judging": {"backoff_base_s": 9}},
            "judging.backoff_base_s (9.0) must not exceed judging.backoff_cap_s (5.0)",
        ),
    ],
)
def test_a_contradiction_is_one_line_that_names_its_fields(
    write: Write, values: dict[str, Any], line: str
) -> None:
    (told,) = problems(write(values))
    assert told.startswith(line)


def test_every_contradiction_is_told_at_once(write: Write) -> None:
    values = {"engine": {"kind": "openai"}, "kafka": {"rebalance_timeout_ms": 1_000}}
    assert len(problems(write(values))) == 2


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"engine": {"kind": "llama"}}, "engine.kind: input should be 'vllm', 'openai' or 'null'"),
        ({"kafka": [1]}, "kafka: must be a section of fields"),
        ({"judging": {"deadline_s": {"live": 0}}}, "judging.deadline_s.live: input should be"),
        ({"judging": {"deadline_s": {"soon": 1}}}, "judging.deadline_s.soon: input should be"),
        (
            {"decide": {"unjudged_action": {"violation": "none"}}},
            "decide.unjudged_action: violation cannot be set here; there are uncertain, expired",
        ),
        (
            {"decide": {"never_automate": ["none"]}},
            "decide.never_automate: `none` asks for nothing",
        ),
        ({"decide": {"expires_after_s": 1e12}}, "decide.expires_after_s: input should be less"),
        ({"judging": {"ageing_s": float("inf")}}, "judging.ageing_s: input should be a finite"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_field(
    write: Write, values: dict[str, Any], line: str
) -> None:
    (told,) = problems(write(values))
    assert told.startswith(line)


def test_an_unknown_field_is_told_with_those_beside_it(write: Write) -> None:
    (told,) = problems(write({"judging": {"atempts": 3}}))
    assert told.startswith("judging.atempts: no such setting; there are default_lane, ")
    assert "attempts" in told


def test_an_unknown_section_is_told_with_those_beside_it(write: Write) -> None:
    (told,) = problems(write({"kafca": {"group_id": "x"}}))
    assert told == f"kafca: no such setting; there are {', '.join(Settings.model_fields)}"


def test_an_unknown_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_ENGIN__MODEL", "x")
    (told,) = problems()
    assert told.startswith("AFTERGUARD_ENGIN__MODEL: no such section; there are kafka, ")


def test_an_unknown_field_in_a_variable_is_told_like_one_in_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AFTERGUARD_ENGINE__MODLE", "x")
    (told,) = problems()
    assert told.startswith("engine.modle: no such setting; there are kind, model, ")


def test_a_variable_that_should_hold_json_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AFTERGUARD_ENGINE__ARGS", "{hunter2")
    (told,) = problems()
    assert told.startswith("AFTERGUARD_ENGINE__ARGS: must hold JSON")


@pytest.mark.parametrize(
    "variable",
    [
        "AFTERGUARD_SERVICE_HOST",
        "AFTERGUARD_SERVICE_PORT",
        "AFTERGUARD_SERVICE_PORT_METRICS",
        "AFTERGUARD_PORT",
        "AFTERGUARD_PORT_9108_TCP",
        "AFTERGUARD_PORT_9108_TCP_ADDR",
        "AFTERGUARD_METRICS_SERVICE_HOST",
    ],
)
def test_what_kubernetes_says_of_a_service_of_our_name_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "tcp://10.0.0.1:9108")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("kafka: [", ":1:9: is not valid YAML: "),
        ("[1, 2]", ": must hold sections such as `kafka:`, not a list"),
        ("word", ": must hold sections such as `kafka:`, not a str"),
        ("1: {}", ": 1 is no name of a section"),
        ("on: {}", ": True is no name of a section"),
        ("a: !!python/object:os.system x", ":1:4: is not valid YAML: "),
    ],
)
def test_a_broken_file_is_told_with_its_place(write: Write, content: str, line: str) -> None:
    file = write(content)
    (told,) = problems(file)
    assert told.startswith(f"{file}{line}")


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml")[0].endswith("cannot be read: No such file or directory")
    odd = tmp_path / "odd.yaml"
    odd.write_bytes(b"kafka: \xff")
    assert problems(odd) == [f"{odd}: is not UTF-8, from byte 7 on"]


SECRETS = {
    "redis": {"url": "redis://user:hunter2@host:6379/0"},
    "engine": {"kind": "openai", "base_url": "http://host/v1", "api_key": "hunter2"},
}


def test_secrets_are_in_no_text_of_the_settings(write: Write) -> None:
    settings = load_settings(write(SECRETS))
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "hunter2" not in text
    assert settings.engine.api_key == SecretStr("hunter2")


@pytest.mark.parametrize(
    "content",
    [
        'redis: {url: "redis://user:hunter2@host", hunter: 1}',
        "redis: {url: {x: hunter2}}",
        "engine: {api_key: [hunter2]}",
        'redis: {url: "redis://user:hunter2@host"\nkafka: [',
        'redis:\n  url: "redis://user:hunter2@host\n',
        "redis:\n  url: redis://user:hunter2@host\n  timeout_s: hunter2",
    ],
)
def test_secrets_are_in_no_error(write: Write, content: str) -> None:
    assert "hunter2" not in "".join(problems(write(content)))


def test_secrets_of_the_environment_are_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_REDIS__URL__X", "hunter2")
    monkeypatch.setenv("AFTERGUARD_ENGINE__API_KEY", "hunter2")
    monkeypatch.setenv("AFTERGUARD_ENGINE__KIND", "hunter2")
    assert "hunter2" not in "".join(problems())


@pytest.mark.parametrize("section", Settings.model_fields)
def test_every_section_and_its_fields_say_what_they_are(section: str) -> None:
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    assert (model.__doc__ or "").strip()


def test_every_section_refuses_what_it_does_not_know() -> None:
    for section, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert field.annotation.model_config.get("extra") == "forbid", section
