"""The body of a policy document: its four parts, and the rules it cites."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

PARTS: Final = ("Instruction", "Definitions", "Criteria", "Examples")

_HEADING: Final = re.compile(r"^## +(.+)$")
_CITATION: Final = re.compile(r"\b[A-Z][A-Z0-9]{0,7}[0-9]\b")
_NUMBER: Final = re.compile(r"\d+$")


class Line(NamedTuple):
    """One line and its number in the document, counted from 1."""

    number: int
    text: str


class Part(NamedTuple):
    """One part of the body, from its `##` heading to the next."""

    title: str
    number: int
    lines: tuple[Line, ...]


class Body(NamedTuple):
    """What the model reads, with the places where it stands in the document."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The body as the model reads it: no blank lines around it."""
        return "\n".join(line.text for line in self.lines).strip("\n") + "\n"

    @property
    def first_line(self) -> int:
        """Where to point when something is missing."""
        return self.lines[0].number if self.lines else 1

    def parts(self) -> list[Part]:
        """The parts in the order in which they stand; headings may repeat."""
        found: list[tuple[Line, list[Line]]] = []
        for line in self.lines:
            if _HEADING.match(line.text):
                found.append((line, []))
            elif found:
                found[-1][1].append(line)
        return [
            Part(_HEADING.sub(r"\1", heading.text).strip(), heading.number, tuple(lines))
            for heading, lines in found
        ]


def missing_parts(body: Body) -> Iterator[tuple[int, str]]:
    """Line and message for each of the four parts that is missing, empty or there twice."""
    parts = body.parts()
    for title in PARTS:
        same = [part for part in parts if part.title == title]
        if not same:
            yield body.first_line, f"lacks the part `## {title}`"
        for part in same[:1]:
            if not any(line.text.strip() for line in part.lines):
                yield part.number, f"the part `## {title}` is empty"
        for part in same[1:]:
            yield part.number, f"the part `## {title}` is there twice"


def unknown_citations(body: Body, rule_ids: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Line and message for each rule that is cited and does not exist.

    Only what looks like one of this policy's own ids is taken for a citation: with rules HA1 and
    HA2, HA7 is one and MP3 is none.
    """
    prefixes = {_NUMBER.sub("", rule_id) for rule_id in rule_ids}
    for line in body.lines:
        for cited in cited_rules(line.text):
            if cited not in rule_ids and _NUMBER.sub("", cited) in prefixes:
                yield line.number, f"{cited} is no rule of this policy"


def cited_rules(text: str) -> list[str]:
    """All that has the shape of a rule id."""
    return _CITATION.findall(text)
