"""Every command teaches its use: an example, and a word about each option."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from tests.cli.commands import afterguard, environment

from afterguard.cli.main import app


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, sub in inner.items():
        yield from _commands(sub, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))


def test_the_commands_are_these() -> None:
    assert {" ".join(path) for path in COMMANDS} >= {
        *("run", "demo", "replay", "check", "map", "schema", "doctor"),
        *("topics create", "topics check", "policies lint"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_has_an_example_that_calls_it(path: tuple[str, ...]) -> None:
    told = afterguard(*path, "--help")
    assert told.code == 0
    assert "Example:" in told.out
    example = COMMANDS[path].help.split("Example:")[1].strip().splitlines()[0]
    assert f"afterguard {' '.join(path)}" in example


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_option_and_argument_has_a_help_text(path: tuple[str, ...]) -> None:
    silent = [it.name for it in COMMANDS[path].params if it.name != "help" and not it.help]
    assert silent == []


@pytest.mark.parametrize("group", ["topics", "policies"])
def test_a_group_lists_its_commands(group: str) -> None:
    told = afterguard(group, "--help")
    assert all(path[1] in told.out for path in COMMANDS if path[0] == group)


def test_a_command_does_not_load_what_only_another_needs() -> None:
    call = "import sys\nfrom afterguard.cli.main import app\n"
    call += "try: app(['schema', '--help'])\nfinally: print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", call], capture_output=True, check=True, env=environment({})
    )
    loaded = set(told.stdout.decode().split())
    assert "afterguard.cli.schema" in loaded
    assert not loaded & {"afterguard.app", "afterguard.lifecycle", "aiokafka", "redis", "aiohttp"}


def test_the_version_is_told() -> None:
    assert afterguard("--version").out.startswith("afterguard ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["replay"], ["replay", "a", "--rate", "x"]])
def test_a_call_that_cannot_be_understood_ends_with_2(arguments: list[str]) -> None:
    told = afterguard(*arguments)
    assert told.code == 2
    assert "Error" in told.err
