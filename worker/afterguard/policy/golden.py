"""Golden sets: the rows that a policy must judge right before it may be put in force.

One JSON object a line, in a file beside the policy; its form is told in `docs/golden-sets.md`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.events import Author, ChatEvent, Identifier, Turn
from afterguard.contracts.policies import Policy, RuleId
from afterguard.contracts.words import Kind, Outcome, Role
from afterguard.policy.faults import in_words, together
from afterguard.policy.labelled import LabelledRow

# A set is read whole, and every row of it costs a call of the model.
MOST_BYTES: Final = 8 * 1024 * 1024
MOST_ROWS: Final = 10_000

# Fixed: a row's event is the same at every run.
_WHEN: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LANGUAGE_TAG: Final = "lang:"

Tag = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
RowId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class GoldenTurn(Turn):
    """One message of a conversation; fields that nobody knows are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role = Role.USER


class GoldenRow(BaseModel):
    """One line of a golden set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: RowId
    content: Annotated[str, Field(min_length=1)] | Annotated[list[GoldenTurn], Field(min_length=1)]
    expect: Literal[Outcome.VIOLATION, Outcome.NO_VIOLATION]
    kind: Kind | None = None
    role: Role = Role.USER
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,35}$")] | None = None
    rules: tuple[RuleId, ...] = ()
    tags: tuple[Tag, ...] = ()
    variant_of: Identifier | None = None
    note: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.the_kind is Kind.CONVERSATION) is isinstance(self.content, str):
            raise ValueError("turns are of kind conversation, and text is of any other kind")
        if self.rules and self.expect is Outcome.NO_VIOLATION:
            raise ValueError("`rules` are for violations")
        return self

    @property
    def the_kind(self) -> Kind:
        """The kind as it is written, or what the content's form says."""
        if self.kind is not None:
            return self.kind
        return Kind.MESSAGE if isinstance(self.content, str) else Kind.CONVERSATION


def golden_path(policy_file: Path, policy_id: str = "") -> Path:
    """Where the golden set of a policy's document stands: `golden/<id>.jsonl` beside it.

    Args:
        policy_file: The document.
        policy_id: Its id, where that need not be the file's name.
    """
    return policy_file.parent / "golden" / f"{policy_id or policy_file.stem}.jsonl"


def read_golden(path: Path, policy: Policy) -> list[LabelledRow]:
    """The rows of a golden set, in their order. Reads a file: not for the event loop.

    Args:
        path: The set.
        policy: What it is for; its rules are those that rows may name.

    Raises:
        PolicyError: The first fault, with file, line and field; `others` of it holds the rest.
    """
    return parse_golden(_read(path), path, policy)


def parse_golden(raw: bytes, path: Path, policy: Policy) -> list[LabelledRow]:
    """The rows of a golden set's bytes; `path` is for messages.

    Raises:
        PolicyError: As `read_golden` does.
    """
    rows: dict[str, tuple[int, GoldenRow]] = {}
    faults: list[PolicyError] = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = GoldenRow.model_validate(_object(line))
        except ValidationError as error:
            faults += [_fault(it, path, number) for it in error.errors(include_url=False)]
            continue
        except ValueError as error:
            faults.append(PolicyError(str(error), file=path, line=number))
            continue
        if row.id in rows:
            message = f"{row.id} is there twice, first in line {rows[row.id][0]}"
            faults.append(PolicyError(message, file=path, line=number, field="id"))
        rows.setdefault(row.id, (number, row))
    for number, row in rows.values():
        faults += [
            PolicyError(message, file=path, line=number, field=field)
            for field, message in _contradictions(row, rows, policy)
        ]
    if not rows and not faults:
        faults.append(PolicyError("holds no row", file=path))
    if len(rows) > MOST_ROWS:
        faults.append(PolicyError(f"holds more than {MOST_ROWS} rows", file=path))
    if faults:
        raise together(faults)
    return [_labelled(number, row, rows, path, policy) for number, row in rows.values()]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise PolicyError("there is no such golden set", file=path) from None
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", file=path) from None
    if len(raw) > MOST_BYTES:
        raise PolicyError(f"is larger than {MOST_BYTES // 1024 // 1024} MiB", file=path)
    return raw


def _object(line: bytes) -> dict[str, Any]:
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error.msg}, column {error.colno}") from None
    if not isinstance(read, dict):
        raise ValueError("must be a JSON object")
    return read


def _contradictions(
    row: GoldenRow, rows: dict[str, tuple[int, GoldenRow]], policy: Policy
) -> Iterator[tuple[str, str]]:
    """What is wrong between a row, the others and the policy, each with its field."""
    known = [rule.id for rule in policy.rules]
    for rule in row.rules:
        if rule not in known:
            yield "rules", f"{policy.id} has no rule {rule}; it has {', '.join(known)}"
    applies = policy.applies_to
    if applies.kinds and row.the_kind not in applies.kinds:
        yield "kind", f"{policy.id} judges no {row.the_kind.value}"
    if applies.roles and row.role not in applies.roles:
        yield "role", f"{policy.id} judges nothing by {row.role.value}"
    if row.variant_of is None:
        return
    _, of = rows.get(row.variant_of, (0, None))
    if of is None:
        yield "variant_of", f"there is no row {row.variant_of}"
    elif of.variant_of is not None:
        yield "variant_of", f"{of.id} is a variant itself; name {of.variant_of}"
    elif of.expect is not row.expect:
        yield "expect", f"{of.id}, whose variant this is, is expected to be {of.expect.value}"


def _labelled(
    number: int,
    row: GoldenRow,
    rows: dict[str, tuple[int, GoldenRow]],
    path: Path,
    policy: Policy,
) -> LabelledRow:
    content = row.content
    event = ChatEvent(
        event_id=f"golden:{row.id}",
        occurred_at=_WHEN,
        kind=row.the_kind,
        conversation_id=f"golden:{row.id}",
        author=Author(id="golden", role=row.role),
        content=content if isinstance(content, str) else list(content),
        language=row.language,
    )
    # A disguise does not change which rule is violated.
    rules = row.rules or (rows[row.variant_of][1].rules if row.variant_of else ())
    tags = row.tags + ((f"{_LANGUAGE_TAG}{row.language}",) if row.language else ())
    return LabelledRow(
        row_id=row.id,
        event=event,
        expected={policy.id: row.expect is Outcome.VIOLATION},
        rules={policy.id: rules} if rules else {},
        tags=tags,
        variant_of=row.variant_of,
        source=f"{path}:{number}",
    )


def _fault(fault: Any, path: Path, line: int) -> PolicyError:  # noqa: ANN401
    steps = [str(step) for step in fault["loc"] if not _is_branch(step)]
    model = GoldenTurn if len(steps) > 1 else GoldenRow
    message = in_words(fault, model.model_fields)
    return PolicyError(message, file=path, line=line, field=".".join(steps))


def _is_branch(step: object) -> bool:
    """Whether a step names one of the forms of `content` rather than a place in it."""
    return isinstance(step, str) and ("[" in step or step in {"str", "constrained-str"})
