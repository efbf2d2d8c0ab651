"""`afterguard topics`: make the four topics, or say what is wrong with them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, settings_of
from afterguard.settings import Settings
from afterguard.stream.kafka.admin import (
    TopicPlan,
    TopicState,
    create_topics,
    grow_topic,
    plan_topics,
    topic_states,
)

topics_app = typer.Typer(
    no_args_is_help=True, help="Make the topics that the worker needs, or check them."
)

_PARTITIONS: Final = 12
_AMISS: Final = 1
_WIDE: Final = 200


@topics_app.command("create")
def create_command(
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
    partitions: int | None = typer.Option(
        None, min=1, help=f"Of each topic; {_PARTITIONS} when absent. At most one worker each."
    ),
    replication: int | None = typer.Option(
        None, min=1, help="Copies of each partition; 3, or one per broker if there are fewer."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be made; make nothing."),
) -> None:
    """Make the topics that are missing. Topics that exist are told and never changed.

    Retention: events 7 days, interventions 14, audit 90, dead letters 30; change it in Kafka.
    Exits 1 when a topic that exists has other partitions or copies than were asked for.

    Example:  afterguard topics create --bootstrap broker:9092 --partitions 24
    """
    with told_plainly():
        settings = settings_of(config, bootstrap)
        plans = plan_topics(
            settings.topics, partitions=partitions or _PARTITIONS, replication=replication
        )
        done = asyncio.run(create_topics(settings.kafka, plans, dry_run=dry_run))
    topics: dict[str, TopicPlan | TopicState] = {plan.name: plan for plan in done.plans}
    notes = {}
    for name in topics:
        if name in done.existing:
            topics[name] = done.existing[name]
            amiss = _mismatch(done.existing[name], partitions, replication)
            notes[name] = f"existed, {amiss}" if amiss else "existed, unchanged"
        elif dry_run:
            notes[name] = "would be made"
        else:
            # Between our look and our wish another command may have made it.
            notes[name] = "made" if name in done.made else "made by somebody else just now"
    _show(topics, settings, notes)
    if any(_mismatch(found, partitions, replication) for found in done.existing.values()):
        raise typer.Exit(_AMISS)


@topics_app.command("check")
def check_command(
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
    partitions: int | None = typer.Option(None, min=1, help="What each topic should have."),
    replication: int | None = typer.Option(None, min=1, help="What each topic should have."),
) -> None:
    """Say which topics exist. Exits 1 when one is missing or is not as asked for.

    Example:  afterguard topics check --config afterguard.yaml --partitions 24
    """
    with told_plainly():
        settings = settings_of(config, bootstrap)
        states = asyncio.run(topic_states(settings.kafka, _names(settings)))
    notes = dict.fromkeys(_names(settings), "missing; `afterguard topics create` makes it") | {
        name: _mismatch(state, partitions, replication) or "present"
        for name, state in states.items()
    }
    _show(states, settings, notes)
    if any(note != "present" for note in notes.values()):
        raise typer.Exit(_AMISS)


@topics_app.command("grow")
def grow_command(
    partitions: int = typer.Option(..., min=1, help="How many the topic is to have."),
    topic: str | None = typer.Option(
        None, help="Which topic; that of `topics.events` when absent."
    ),
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done; do nothing."),
) -> None:
    """Add partitions to a topic, so that more workers can share it. They are never taken away.

    Running workers see the new partitions within `kafka.metadata_max_age_ms` and read each from its
    beginning. A conversation whose key now goes to another partition may be judged out of order
    while its older events are still waiting: let the lag fall first.

    Example:  afterguard topics grow --partitions 48 --dry-run
    """
    with told_plainly():
        settings = settings_of(config, bootstrap)
        name = topic or settings.topics.events
        before = asyncio.run(grow_topic(settings.kafka, name, partitions, dry_run=dry_run))
    if before.partitions == partitions:
        typer.echo(f"{name}: has {partitions} partitions already")
    elif dry_run:
        typer.echo(f"{name}: would grow from {before.partitions} to {partitions} partitions")
    else:
        typer.echo(f"{name}: grew from {before.partitions} to {partitions} partitions")


def _names(settings: Settings) -> list[str]:
    return list(settings.topics.model_dump().values())


def _mismatch(state: TopicState, partitions: int | None, replication: int | None) -> str:
    """How a topic differs from what was asked for by name; defaults ask for nothing."""
    found = []
    if partitions is not None and state.partitions != partitions:
        found.append(f"has {state.partitions} partitions, asked for {partitions}")
    if replication is not None and state.replication != replication:
        found.append(f"has {state.replication} copies, asked for {replication}")
    return "; ".join(found)


def _show(
    topics: Mapping[str, TopicPlan | TopicState], settings: Settings, notes: dict[str, str]
) -> None:
    table = Table("topic", "purpose", "partitions", "copies", "state", box=None)
    for purpose, name in settings.topics.model_dump().items():
        topic = topics.get(name)
        counts = (str(topic.partitions), str(topic.replication)) if topic else ("-", "-")
        table.add_row(name, purpose, *counts, notes[name])
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE  # a pipe has no width; names must not be cut
    console.print(table)
