"""`afterguard check`: judge one text and show how the model came to its answer."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import orjson
import typer
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from afterguard.cli.chosen_policy import chosen_policy
from afterguard.cli.embedded_engine import embedded_engine
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG, settings_of
from afterguard.contracts.codec import validate_event
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort, Kind, Role
from afterguard.engine.create import create_judge
from afterguard.flow.findings import Reading, read
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.policy.prompt import content_for
from afterguard.row_files import STDIN
from afterguard.settings import Settings


def check_command(
    text: str = typer.Argument(help="The text to judge; - reads it from standard input."),
    policy: str = typer.Option(
        ..., "--policy", "-p", help="Id of a policy, or the path of a policy document."
    ),
    config: Path | None = CONFIG,
    effort: Effort | None = typer.Option(None, help="Other than the policy's own."),
    role: Role = typer.Option(Role.USER, help="Who wrote the text."),
    kind: Kind = typer.Option(Kind.MESSAGE, help="What the text is."),
    embedded: bool = typer.Option(
        False, "--embedded", help="Use the small model of the demo (no judge, no GPU)."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Judge one text under one policy and show the reasoning.

    Needs no broker.

    Example:  afterguard check -p harassment "you are all idiots"
    """
    with told_plainly():
        settings = settings_of(config)
        chosen = chosen_policy(policy, settings.policies)
        event = _event(text, kind, role)
        if embedded:
            settings = settings_of(config, overrides=embedded_engine())
        judgement = asyncio.run(_judge(settings, chosen, content_for(event), effort))
        reading = read(judgement, chosen)
    if as_json:
        typer.echo(orjson.dumps(_as_dict(chosen, judgement, reading)).decode())
    else:
        _show(chosen, judgement, reading)


def _event(text: str, kind: Kind, role: Role) -> ChatEvent:
    if text == STDIN:
        text = typer.get_binary_stream("stdin").read().decode("utf-8", "surrogateescape")
    if any("\udc80" <= char <= "\udcff" for char in text):  # what Python makes of other bytes
        raise SettingsError(["the text is not UTF-8"])
    return validate_event(
        {
            "event_id": "check",
            "occurred_at": datetime.now(UTC),
            "kind": kind,
            "conversation_id": "check",
            "author": {"id": "check", "role": role},
            "content": text,
        }
    )


async def _judge(
    settings: Settings, policy: Policy, content: str, effort: Effort | None
) -> Judgement:
    console = Console(stderr=True)
    judge = create_judge(
        settings.engine,
        registry=CollectorRegistry(),
        progress=lambda stage: console.print(f"[dim]{stage}[/]"),
    )
    try:
        await judge.start()
        return await judge.judge(JudgeRequest("check", policy, content, effort or policy.effort))
    finally:
        await judge.stop()


def _as_dict(policy: Policy, judgement: Judgement, reading: Reading) -> dict[str, object]:
    return {
        "policy_id": policy.id,
        "policy_version": policy.version,
        "outcome": reading.outcome,
        "reason": reading.reason,
        "rule_ids": reading.rule_ids,
        "unknown_rules": reading.unknown_rules,
        "severity": reading.severity,
        "action": reading.action,
        "score": judgement.score,
        "rationale": judgement.rationale,
        "answer": judgement.answer,
        "prompt_tokens": judgement.prompt_tokens,
        "cached_prompt_tokens": judgement.cached_prompt_tokens,
        "output_tokens": judgement.output_tokens,
    }


def _show(policy: Policy, judgement: Judgement, reading: Reading) -> None:
    console = Console()
    table = Table(show_header=False, box=None)
    rules = [f"{it} ({rule.title})" for it in reading.rule_ids if (rule := policy.rule(it))]
    rows = {
        "policy": f"{policy.title} ({policy.id} {policy.version})",
        "outcome": reading.outcome.value + (f" ({reading.reason.value})" if reading.reason else ""),
        "rules": ", ".join(rules) or "-",
        "unknown rules": ", ".join(reading.unknown_rules) or "-",
        "action": reading.action.value if reading.action else "-",
        "score": "-" if judgement.score is None else f"{judgement.score:.3f}",
        "tokens": f"{judgement.prompt_tokens} in ({judgement.cached_prompt_tokens} cached), "
        f"{judgement.output_tokens} out",
    }
    for name, value in rows.items():
        table.add_row(f"[bold]{name}", escape(value))
    console.print(table)
    for title, said in (("reasoning", judgement.rationale), ("answer", judgement.answer)):
        console.print(Panel(Text(said or "(none)"), title=title))
