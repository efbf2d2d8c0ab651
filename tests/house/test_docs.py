"""The documents agree with what is there: links, commands, settings, paths. No web is asked."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml
from pydantic import BaseModel

from afterguard.cli.main import app
from afterguard.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[2]
NOT_OURS = {"node_modules", "build", "dist"}
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("*.md")
    if not any(part in NOT_OURS or part.startswith(".") for part in path.relative_to(ROOT).parts)
)

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
ASSIGNMENT = re.compile(r"[A-Z_]+=")
VARIABLE = re.compile(rf"\b{ENV_PREFIX}([A-Z0-9_]+)")
SETTING = re.compile(rf"(?<![\w./-])({'|'.join(Settings.model_fields)})\.([a-z_]+)\b(?!\()")
FILE_SUFFIXES = {"py", "md", "yaml", "json", "jsonl", "txt"}
OUR_PATH = re.compile(r"(worker|tests|docs|deploy|helm|policies|benchmarks)/[\w./-]+")
OTHER_VARIABLES = ("CONFIG", "CACHE", "TEST_DATA", "TEST_KAFKA", "TEST_REDIS_URL")
SHELLS = {"sh", "bash", "console", ""}


def values_of_the_chart() -> set[str]:
    """The chart has values of its own below some sections, such as `topics.partitions`."""
    values = yaml.safe_load((ROOT / "helm/afterguard/values.yaml").read_text(encoding="utf-8"))
    return {
        f"{section}.{field}"
        for section, fields in values.items()
        if isinstance(fields, dict)
        for field in fields
    }


class Command(NamedTuple):
    """A command line in a document; `whole` when a person may copy it as it stands."""

    tokens: tuple[str, ...]
    whole: bool


def text_of(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def prose_of(document: Path) -> str:
    return FENCE.sub("", text_of(document))


def blocks_of(document: Path, languages: set[str]) -> list[str]:
    return [body for language, body in FENCE.findall(text_of(document)) if language in languages]


def anchors_of(document: Path) -> set[str]:
    """The anchors of headings as GitHub makes them; a repeated one is numbered."""
    found: dict[str, int] = {}
    anchors = set()
    for heading in HEADING.findall(prose_of(document)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        anchors.add(slug if not count else f"{slug}-{count}")
    return anchors


def commands_of(document: Path) -> Iterator[Command]:
    """Lines of shell blocks and inline code that call `afterguard`."""
    for block in blocks_of(document, SHELLS):
        for line in block.replace("\\\n", " ").splitlines():
            if tokens := our_tokens(line.removeprefix("$ ")):
                yield Command(tokens, whole=True)
    for code in INLINE.findall(prose_of(document)):
        if tokens := our_tokens(code):
            yield Command(tokens, whole=False)


def our_tokens(line: str) -> tuple[str, ...]:
    """What is said to `afterguard` in a line; empty when the line calls something else."""
    try:
        tokens = shlex.split(line, comments=True)
    except ValueError:
        return ()
    while tokens and (ASSIGNMENT.match(tokens[0]) or tokens[0] == "export"):
        tokens.pop(0)
    if not tokens or tokens[0] != "afterguard":
        return ()
    ends = [at for at, token in enumerate(tokens) if token in {"|", ">", "2>", "&", "&&", ";"}]
    return tuple(tokens[1 : ends[0] if ends else None])


def complaint(command: Command) -> str | None:
    """What `afterguard` itself would refuse about a command line; None when it takes it."""
    tokens, place = list(command.tokens), typer.main.get_command(app)
    while tokens and (inner := getattr(place, "commands", {}).get(tokens[0])):
        place = inner
        tokens.pop(0)
    if getattr(place, "commands", None) and tokens and not tokens[0].startswith("-"):
        # A word in capitals stands for any command.
        return None if tokens[0].isupper() else f"no command {tokens[0]!r}"
    known = {"--help"} | {name for it in place.params for name in (*it.opts, *it.secondary_opts)}
    asked = [token.split("=")[0] for token in tokens if re.match(r"--?[a-z]", token)]
    if unknown := [name for name in asked if name not in known]:
        return f"no option {', '.join(unknown)}"
    if not command.whole or "--help" in asked or "--version" in asked:
        return None
    return refusal(place, tokens)


def refusal(place: Any, tokens: list[str]) -> str | None:
    try:
        place.make_context("afterguard", tokens)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever it says is the answer)
        return f"{type(error).__name__}: {error}"
    return None


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = ((ROOT / document).parent / path if path else ROOT / document).resolve()
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors_of(target.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    links = [it for it in LINK.findall(prose_of(document)) if not re.match(r"[a-z]+:", it)]
    broken = [link for link in links if not leads_somewhere(document, link)]
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_are_taken_by_the_command_line(document: Path) -> None:
    found = {" ".join(it.tokens): complaint(it) for it in commands_of(document)}
    assert {line: told for line, told in found.items() if told} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_settings_that_are_named_exist(document: Path) -> None:
    named = set()
    for code in INLINE.findall(prose_of(document)):
        named |= {(section, field) for section, field in SETTING.findall(code)}
    for variable in VARIABLE.findall(text_of(document)):
        section, _, field = variable.lower().partition("__")
        if variable not in OTHER_VARIABLES and not variable.endswith("_"):
            named.add((section, field.split("__")[0]))
    fields = {
        section: set(info.annotation.model_fields)
        for section, info in Settings.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    }
    unknown = {
        f"{section}.{field}"
        for section, field in named
        if field not in fields.get(section, set()) and field not in FILE_SUFFIXES
    }
    assert not unknown - values_of_the_chart()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_settings_in_yaml_are_taken(document: Path) -> None:
    for block in blocks_of(document, {"yaml"}):
        values = next(yaml.safe_load_all(block))
        if isinstance(values, dict) and values.keys() <= Settings.model_fields.keys():
            Settings.model_validate(values)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_paths_of_ours_that_are_named_exist(document: Path) -> None:
    missing = [
        code
        for code in INLINE.findall(prose_of(document))
        if OUR_PATH.fullmatch(code) and not (ROOT / code).exists()
    ]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_tests_that_are_named_stand_in_the_file_beside_them(document: Path) -> None:
    missing = []
    for cell in re.split(r"[|;]|\n\n", prose_of(document)):
        named = [code for code in INLINE.findall(cell) if re.fullmatch(r"test_\w+", code)]
        files = [link for link in LINK.findall(cell) if re.search(r"/test_\w+\.py$", link)]
        texts = [((ROOT / document).parent / file).read_text(encoding="utf-8") for file in files]
        missing += [name for name in named if not any(f"def {name}(" in it for it in texts)]
    assert not missing


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("afterguard nonsense", "no command"),
        ("afterguard run --nonsense", "no option"),
        ("afterguard topics create --partitions many", "BadParameter"),
        ("afterguard replay", "MissingParameter"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, told: str) -> None:
    assert told in (complaint(Command(our_tokens(line), whole=True)) or "")


def test_the_anchor_of_a_heading_is_found() -> None:
    assert "faults-of-the-embedded-broker" in anchors_of(Path("docs/guarantees.md"))
    assert "another-shape-inputmap" in anchors_of(Path("docs/integrating.md"))
