"""All settings: one section per room, from a YAML file and the environment.

The environment wins over the file: `AFTERGUARD_ENGINE__MODEL=…` sets `engine.model`. Errors are
collected and name the field, one clear line each.
"""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from afterguard.contracts.errors import SettingsError
from afterguard.engine.settings import EngineSettings
from afterguard.flow.settings import DecideSettings, JudgingSettings
from afterguard.health.settings import HttpSettings
from afterguard.policy.settings import PolicySettings
from afterguard.prefilter.settings import PrefilterSettings
from afterguard.state.settings import RedisSettings, redis_contradictions
from afterguard.stream.security_settings import security_contradictions
from afterguard.stream.settings import (
    LAST_COMMIT_S,
    DeadLetterSettings,
    DeliverySettings,
    InputSettings,
    IntakeSettings,
    KafkaSettings,
    TopicSettings,
)
from afterguard.telemetry.settings import LogSettings
from afterguard.telemetry.tracing_settings import TracingSettings

ENV_PREFIX = "AFTERGUARD_"
# Read by other parts of the product, not settings of the worker.
_OTHER_VARIABLES = ("AFTERGUARD_CONFIG", "AFTERGUARD_CACHE", "AFTERGUARD_TEST_")
# Kubernetes tells every container about a service called `afterguard` in these.
_OF_KUBERNETES = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


class Settings(BaseSettings):
    """Everything that can be set, section by section."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    input: InputSettings = InputSettings()
    intake: IntakeSettings = IntakeSettings()
    delivery: DeliverySettings = DeliverySettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    judging: JudgingSettings = JudgingSettings()
    decide: DecideSettings = DecideSettings()
    engine: EngineSettings = EngineSettings()
    policies: PolicySettings = PolicySettings()
    prefilter: PrefilterSettings = PrefilterSettings()
    redis: RedisSettings = RedisSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()


def load_settings(config: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """The settings of a worker or a command.

    Args:
        config: A YAML file; `AFTERGUARD_CONFIG` when None; no file when neither is given.
        overrides: Nested values that win over everything, such as command line options.

    Raises:
        SettingsError: One line for each fault, naming the field or the environment variable.
    """
    config = config or (Path(env) if (env := os.environ.get("AFTERGUARD_CONFIG")) else None)
    from_file = _read(config) if config else {}
    from_env = EnvSettingsSource(Settings)
    problems = _unknown_variables()
    merged: dict[str, Any] = {}
    try:
        for values in (from_file, from_env(), overrides or {}):
            merged = _merge(merged, values)
        settings = Settings(**merged)
    except ValidationError as error:
        raise SettingsError(problems + _lines(error, merged)) from None
    except ValueError:
        raise SettingsError(problems + _broken_variables()) from None
    problems += contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def contradictions(settings: Settings) -> list[str]:
    """One line for each pair of settings that cannot both hold."""
    found: list[str] = []
    kafka, engine, delivery = settings.kafka, settings.engine, settings.delivery
    if kafka.heartbeat_interval_ms * 3 > kafka.session_timeout_ms:
        found.append(
            f"kafka.heartbeat_interval_ms ({kafka.heartbeat_interval_ms}) must be at most a third "
            f"of kafka.session_timeout_ms ({kafka.session_timeout_ms})"
        )
    found += security_contradictions(kafka) + redis_contradictions(settings.redis)
    judging = settings.judging
    if judging.backoff_base_s > judging.backoff_cap_s:
        found.append(
            f"judging.backoff_base_s ({judging.backoff_base_s}) must not exceed "
            f"judging.backoff_cap_s ({judging.backoff_cap_s})"
        )
    given = kafka.rebalance_timeout_ms
    if given is not None and given < (delivery.revoke_grace_s + LAST_COMMIT_S) * 1000:
        found.append(
            f"kafka.rebalance_timeout_ms ({given}) must be at least delivery.revoke_grace_s "
            f"({delivery.revoke_grace_s}) and {LAST_COMMIT_S:g} s for the last commit; or leave it "
            "out"
        )
    if kafka.away_timeout_s * 1000 <= kafka.session_timeout_ms:
        found.append(
            f"kafka.away_timeout_s ({kafka.away_timeout_s}) must be longer than "
            f"kafka.session_timeout_ms ({kafka.session_timeout_ms})"
        )
    names = settings.topics.model_dump()
    for topic in sorted({n for n in names.values() if list(names.values()).count(n) > 1}):
        fields = ", ".join(f"topics.{field}" for field, name in names.items() if name == topic)
        found.append(f"{fields}: each needs a topic of its own; they share {topic!r}")
    if engine.kind == "openai" and not engine.base_url:
        found.append(
            "engine.base_url: needed when engine.kind is openai, such as http://host:8000/v1"
        )
    if engine.kind != "openai" and engine.base_url:
        found.append(f"engine.base_url: has no meaning when engine.kind is {engine.kind}")
    if engine.api_key is not None and engine.api_key_file is not None:
        found.append("engine.api_key and engine.api_key_file: give one of the two")
    longest = engine.max_content_tokens + max(engine.reasoning_max_tokens.values())
    if longest >= engine.max_model_len:
        found.append(
            f"engine.max_content_tokens plus the largest engine.reasoning_max_tokens ({longest}) "
            f"must leave room for the policy in engine.max_model_len ({engine.max_model_len})"
        )
    return found


def _read(config: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{config}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise SettingsError([f"{config}: is not UTF-8, from byte {error.start} on"]) from None
    except yaml.YAMLError as error:
        raise SettingsError([f"{config}{_fault(error)}"]) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(
            [f"{config}: must hold sections such as `kafka:`, not a {type(values).__name__}"]
        )
    if odd := [name for name in values if not isinstance(name, str)]:
        raise SettingsError([f"{config}: {name!r} is no name of a section" for name in odd])
    # A heading whose fields are all commented out is no fault.
    return {name: value for name, value in values.items() if value is not None}


def _fault(error: yaml.YAMLError) -> str:
    # The error's own text quotes the line, which may hold a password.
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ": is not valid YAML"
    mark = error.problem_mark
    return f":{mark.line + 1}:{mark.column + 1}: is not valid YAML: {error.problem}"


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        both = isinstance(value, dict) and isinstance(held, dict)
        merged[key] = _merge(held, value) if both else value  # type: ignore[arg-type]
    return merged


def _unknown_variables() -> list[str]:
    sections = Settings.model_fields
    unknown = []
    for variable in sorted(os.environ):
        if not variable.startswith(ENV_PREFIX) or variable.startswith(_OTHER_VARIABLES):
            continue
        name = variable[len(ENV_PREFIX) :]
        section = name.split("__")[0].lower()
        if section not in sections and not _OF_KUBERNETES.fullmatch(name):
            unknown.append(
                f"{variable}: no such section; there are {', '.join(sections)} "
                f"(such as {ENV_PREFIX}ENGINE__MODEL)"
            )
    return unknown


def _broken_variables() -> list[str]:
    # The source names a section and not the variable, so each is read alone.
    broken = []
    for variable in sorted(os.environ):
        source = EnvSettingsSource(Settings)
        source.env_vars = {variable.lower(): os.environ[variable]}
        try:
            source()
        except ValueError:
            broken.append(f"{variable}: must hold JSON, such as '{{\"field\": 1}}'")
    return broken


def _lines(error: ValidationError, values: dict[str, Any]) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        path = tuple(step for step in fault["loc"] if step != "[key]")
        field = ".".join(str(step) for step in path)
        if fault["type"] == "extra_forbidden":
            known = ", ".join(_fields_beside(path))
            lines.append(f"{field}: no such setting; there are {known}")
        elif fault["type"] == "model_type" or not isinstance(values, dict):
            lines.append(f"{field}: must be a section of fields")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            lines.append(f"{field}: {message[0].lower()}{message[1:]}")
    return lines


def _fields_beside(path: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for step in path[:-1]:
        annotation = model.model_fields[str(step)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
