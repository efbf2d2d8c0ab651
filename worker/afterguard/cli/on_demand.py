"""Commands that are loaded when they are called: a light one does not pay for the heavy ones.

Loading all of them takes a second of processor time, most of it for what a worker needs.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Final

import typer
from typer.core import TyperGroup

# In the order of `--help`. Each is a function, or a group with commands of its own.
COMMANDS: Final = {
    "run": "run:run_command",
    "demo": "demo:demo_command",
    "replay": "replay:replay_command",
    "traffic": "traffic:traffic_command",
    "check": "check:check_command",
    "map": "map_command:map_command",
    "schema": "schema:schema_command",
    "doctor": "doctor:doctor_command",
    "why": "why:why_command",
    "policies": "policies:policies_app",
    "eval": "evaluate:eval_app",
    "prefilter": "prefilter:prefilter_app",
    "size": "size:size_command",
    "topics": "topics:topics_app",
    "offsets": "offsets:offsets_app",
    "dead-letters": "dead_letters:dead_letters_app",
    "resume": "resume:resume_command",
}
MARKUP: Final = "markdown"


class OnDemand(TyperGroup):
    """A group whose commands stand in `where`."""

    where: ClassVar[Mapping[str, str]] = COMMANDS

    @property  # type: ignore[override]
    def commands(self) -> dict[str, Any]:
        """All of them, loaded."""
        return {name: self.get_command(None, name) for name in self.where}

    @commands.setter
    def commands(self, none: dict[str, Any]) -> None:
        """None are handed in; the base class does it all the same."""
        del none

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 (typer has its own click)
        """Their names."""
        del ctx
        return list(self.where)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        """The command of this name, loaded; None when there is none."""
        del ctx
        place = self.where.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found = getattr(import_module(f"afterguard.cli.{module}"), name)
        if isinstance(found, typer.Typer):
            found.rich_markup_mode = MARKUP
            group = typer.main.get_group(found)
            group.name = cmd_name
            return group
        alone = typer.Typer(
            add_completion=False, rich_markup_mode=MARKUP, pretty_exceptions_show_locals=False
        )
        alone.command(cmd_name)(found)
        return typer.main.get_command(alone)


def on_demand(commands: Mapping[str, str]) -> type[OnDemand]:
    """The class of a group with these commands, in the form of `COMMANDS`."""
    return type("OnDemandGroup", (OnDemand,), {"where": commands})
