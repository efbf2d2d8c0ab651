"""Front matter: the YAML head of a policy document, with the line of every field.

Plain words stay words. YAML would read the language `no` as false and a title `12:30` as 750; here
only an empty value is null, and the model of the policy says what becomes a number.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from afterguard.contracts.errors import PolicyError

_NULL: Final = "tag:yaml.org,2002:null"
# Line 1 of a document is the opening fence.
_FIRST_LINE: Final = 2
# A policy needs three; the YAML reader takes its time with thousands.
_DEEPEST: Final = 8


class FrontMatter(NamedTuple):
    """What the head of a document holds.

    Attributes:
        fields: None when it cannot be read at all.
        lines: The line of each field by its dotted path, such as `rules.0.id`.
        faults: What is wrong with it as YAML.
    """

    fields: dict[str, Any] | None
    lines: dict[str, int]
    faults: tuple[PolicyError, ...] = ()


class _Loader(yaml.SafeLoader):
    """Reads every plain word as text, but for null."""


_Loader.yaml_implicit_resolvers = {
    first: [it for it in resolvers if it[0] == _NULL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Of our own: libraries that come with engines change those of SafeLoader for the whole process.
_Loader.yaml_constructors = {
    _NULL: yaml.SafeLoader.construct_yaml_null,
    "tag:yaml.org,2002:str": yaml.SafeLoader.construct_yaml_str,
    "tag:yaml.org,2002:seq": yaml.SafeLoader.construct_yaml_seq,
    "tag:yaml.org,2002:map": yaml.SafeLoader.construct_yaml_map,
    None: yaml.SafeLoader.construct_undefined,
}


def read_front_matter(text: str, path: Path) -> FrontMatter:
    """The fields between the two fences; `path` is for messages."""

    def unreadable(message: str, line: int | None) -> FrontMatter:
        return FrontMatter(None, {}, (PolicyError(message, file=path, line=line),))

    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            line = event.start_mark.line + _FIRST_LINE if event.start_mark else None
            # An alias may stand for itself, or for more than fits into memory.
            if isinstance(event, yaml.AliasEvent):
                return unreadable("the front matter holds an alias (`*name`); write it out", line)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                return unreadable("the front matter is nested too deeply", line)
        node = yaml.compose(text, Loader=_Loader)
        if not isinstance(node, yaml.MappingNode):
            return unreadable("the front matter must hold fields such as `id:`", _FIRST_LINE)
        fields: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 (is a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + _FIRST_LINE if mark else None
        return unreadable(f"the front matter is not valid YAML: {error.problem}", line)
    except (yaml.YAMLError, ValueError) as error:
        return unreadable(f"the front matter is not valid YAML: {error}", _FIRST_LINE)
    lines: dict[str, int] = {}
    faults: list[PolicyError] = []
    for name, line in _places(node):
        if name in lines:
            message = f"is there twice, on line {lines[name]} first"
            faults.append(PolicyError(message, file=path, line=line, field=name))
        else:
            lines[name] = line
    return FrontMatter(fields, lines, tuple(faults))


def _places(node: yaml.Node, prefix: str = "") -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(str(number), item, item) for number, item in enumerate(node.value)]
    else:
        return found
    for name, place, child in children:
        found.append((f"{prefix}{name}", place.start_mark.line + _FIRST_LINE))
        found += _places(child, f"{prefix}{name}.")
    return found
