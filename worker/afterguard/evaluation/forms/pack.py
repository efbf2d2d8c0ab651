"""Data of gpt-oss-safeguard policy packs: texts with a code of the policy, such as DC0 or DC2.

Codes that end in 0 are allowed, all others violate. A pack's CSV may begin with a disclaimer, its
header names vary, a reply and its own code may stand beside a prompt, and codes may stand as
headings above the rows they hold for. Copies as JSON lines have `policy`, `kind`, `text`, `label`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from afterguard.evaluation.forms.raw_row import RawRow, Unusable, text_of

Cells = tuple[int, Sequence[str]]

_CODE: Final = re.compile(r"#?([A-Z][A-Z0-9]{0,6}?)-?([0-9])(?:\.[a-z])?")
_SPLIT: Final = re.compile(r"[,;/|\s]+")
_LABELS: Final = re.compile(r"class|label|expected|code|verdict", re.IGNORECASE)
_REPLIES: Final = re.compile(r"respon|completion|reply|answer", re.IGNORECASE)
_OF_A_MODEL: Final = re.compile(r"gpt|safeguard|model|predict", re.IGNORECASE)
_LONGEST_NAME: Final = 60
_LOOKED_AT: Final = 5
_PROMPT: Final = {"kind": "message", "author": {"id": "evaluation", "role": "user"}}
_REPLY: Final = {"kind": "completion", "author": {"id": "evaluation", "role": "assistant"}}


class Pair(NamedTuple):
    """A column of texts and the column of their codes; None where headings give the codes."""

    text: int
    code: int | None
    reply: bool = False


class Line(NamedTuple):
    """One line of a table: the rows that it holds, each usable or not."""

    number: int
    rows: tuple[RawRow | Unusable, ...]


def is_pack(fields: Mapping[str, Any]) -> bool:
    """Whether a JSON row can be of this form."""
    label = fields.get("label")
    return isinstance(label, str) and "text" in fields and bool(_CODE.fullmatch(label.strip()))


def read_pack(fields: Mapping[str, Any]) -> RawRow:
    """A JSON row.

    Raises:
        Unusable: There is no text, or no code.
    """
    policy = fields.get("policy")
    row_id = fields.get("id")
    reply = fields.get("kind") in {"response", "completion"}
    return _row(
        text_of(fields.get("text"), "text"),
        str(fields.get("label") or ""),
        reply=reply,
        name=policy if isinstance(policy, str) else None,
        row_id=None if row_id is None else str(row_id),
    )


def read_table(lines: Sequence[Cells]) -> Iterator[Line]:
    """The rows of a pack's table.

    Raises:
        Unusable: No column of texts with codes, and no headings that are codes.
    """
    header = _header(lines)
    if header is not None:
        for number, cells in lines[header[0] + 1 :]:
            if any(cell.strip() for cell in cells):
                found = tuple(_in_pair(cells, pair, number) for pair in header[1])
                yield Line(number, tuple(it for it in found if it is not None))
        return
    yield from _under_headings(lines)


def _header(lines: Sequence[Cells]) -> tuple[int, list[Pair]] | None:
    for at, (_, cells) in enumerate(lines[:_LOOKED_AT]):
        names = [cell.strip() for cell in cells]
        if any(len(name) > _LONGEST_NAME or _CODE.fullmatch(name) for name in names):
            continue
        codes = [i for i, name in enumerate(names) if _is_label(name)]
        pairs = [
            Pair(text, code, reply=bool(_REPLIES.search(names[text])))
            for code in codes
            if (text := _text_before(names, code)) is not None
        ]
        if pairs:
            return at, pairs
    return None


def _is_label(name: str) -> bool:
    # What a model said of a row is no label of it.
    return bool(_LABELS.search(name)) and not _OF_A_MODEL.search(name)


def _text_before(names: Sequence[str], code: int) -> int | None:
    return next((i for i in range(code - 1, -1, -1) if names[i] and not _is_label(names[i])), None)


def _in_pair(cells: Sequence[str], pair: Pair, number: int) -> RawRow | Unusable | None:
    text, code = (_cell(cells, at) for at in (pair.text, pair.code))
    if not text.strip() and not code.strip():
        return None
    try:
        return _row(
            text_of(text, "text"),
            code,
            reply=pair.reply,
            row_id=f"line-{number}{'-reply' if pair.reply else ''}",
        )
    except Unusable as error:
        return error


def _under_headings(lines: Sequence[Cells]) -> Iterator[Line]:
    headed = [_heading(cells) for _, cells in lines]
    if not any(headed):
        raise Unusable(
            "no column of codes such as DC1, named label or classification, beside one of texts"
        )
    text = _widest([cells for (_, cells), code in zip(lines, headed, strict=True) if not code])
    current = ""
    for (number, cells), code in zip(lines, headed, strict=True):
        if code:
            current = code
        elif current and (said := _cell(cells, text)).strip():
            yield Line(number, (_row(said, current, reply=False, row_id=f"line-{number}"),))


def _heading(cells: Sequence[str]) -> str:
    said = [cell.strip() for cell in cells if cell.strip()]
    return said[0] if len(said) == 1 and _CODE.fullmatch(said[0]) else ""


def _widest(rows: Sequence[Sequence[str]]) -> int:
    columns = max((len(cells) for cells in rows), default=1)
    return max(range(columns), key=lambda at: sum(len(_cell(cells, at)) for cells in rows))


def _cell(cells: Sequence[str], at: int | None) -> str:
    return cells[at] if at is not None and at < len(cells) else ""


def _row(
    text: str, label: str, *, reply: bool, name: str | None = None, row_id: str | None = None
) -> RawRow:
    codes = [_CODE.fullmatch(word) for word in _SPLIT.split(label.strip()) if word]
    if not codes or not all(codes):
        raise Unusable("label: no code of a policy, such as DC0 or DC1")
    found = [(code[1], code[2]) for code in codes if code]
    prefixes = {prefix for prefix, _ in found}
    if len(prefixes) > 1:
        raise Unusable("label: codes of several policies")
    grave = tuple(f"{prefix}{digit}" for prefix, digit in found if digit != "0")
    name = name or prefixes.pop()
    return RawRow(
        {"content": text} | (_REPLY if reply else _PROMPT),
        {name: bool(grave)},
        {name: grave} if grave else {},
        row_id=row_id,
        tags=(*(f"label:{prefix}{digit}" for prefix, digit in found),),
    )
