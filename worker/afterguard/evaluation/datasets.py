"""Data sets: files of labelled rows in our own form or a published one, read into `LabelledRow`.

No row is dropped in silence: one that cannot be used is told with its line and the reason.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy
from afterguard.evaluation.forms.moderation import (
    DEFAULT_MAP,
    is_moderation,
    read_moderation,
)
from afterguard.evaluation.forms.own import ONE_LABEL, is_own, read_own
from afterguard.evaluation.forms.pack import is_pack, read_pack, read_table
from afterguard.evaluation.forms.raw_row import RawRow, Unusable, event_of
from afterguard.evaluation.forms.toxicchat import TOXICITY, is_toxicchat, read_toxicchat
from afterguard.evaluation.label_map import LabelMap
from afterguard.policy.labelled import LabelledRow
from afterguard.row_files import Row, RowFile, RowFormat

Read = tuple[int, RawRow | str]


class Form(StrEnum):
    """How labels are written in a file."""

    OWN = "own"
    MODERATION = "openai-moderation"
    TOXICCHAT = "toxicchat"
    PACK = "pack"


class BadRow(NamedTuple):
    """A row that cannot be used: its file, its line, and why; never what it says."""

    file: str
    line: int
    reason: str


class DataSet(NamedTuple):
    """A file of labelled rows.

    Attributes:
        path: Where it was read.
        form: How it was understood.
        sha256: Of its bytes.
        rows: Those with a label for at least one of the policies.
        unlabelled: Rows that have none.
        bad: Rows that cannot be used.
        labels: Which of its labels speaks of which policy.
        ignored: Labels that speak of none of the policies.
    """

    path: Path
    form: Form
    sha256: str
    rows: tuple[LabelledRow, ...]
    unlabelled: int
    bad: tuple[BadRow, ...]
    labels: Mapping[str, str]
    ignored: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


_JSON_FORMS: Final[dict[Form, Callable[[Mapping[str, Any]], RawRow]]] = {
    Form.OWN: read_own,
    Form.MODERATION: read_moderation,
    Form.TOXICCHAT: read_toxicchat,
    Form.PACK: read_pack,
}
# Moderation first: its copy has `text` as our own form has.
_SIGNS: Final[tuple[tuple[Callable[[Mapping[str, Any]], bool], Form], ...]] = (
    (is_moderation, Form.MODERATION),
    (is_toxicchat, Form.TOXICCHAT),
    (is_pack, Form.PACK),
    (is_own, Form.OWN),
)
_TABLES: Final = frozenset({RowFormat.CSV, RowFormat.TSV})
_DEFAULT_MAPS: Final[dict[Form, Mapping[str, str]]] = {Form.MODERATION: DEFAULT_MAP}
_LONE: Final = frozenset({ONE_LABEL, TOXICITY})
_LONGEST_ID: Final = 200


def read_data(
    path: Path,
    policies: Sequence[Policy],
    *,
    form: Form | None = None,
    labels: Mapping[str, str] | None = None,
    prefix: str = "",
) -> DataSet:
    """The labelled rows of a file, in its order.

    Args:
        path: JSONL, a JSON array, CSV or TSV, gzipped or not.
        policies: Those that the labels may speak of.
        form: Found out by the first row when None.
        labels: By label of the file, the policy's id; over the form's own map.
        prefix: Put before each row's id, so that ids of several files stay apart.

    Raises:
        SettingsError: The file cannot be read, or is of no form that is known.
    """
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    form = form or _form_of(path)
    named = dict(_DEFAULT_MAPS.get(form, {})) | dict(labels or {})
    label_map = LabelMap(named, policies, lone=_LONE, home=path.name.partition(".")[0])
    rows: dict[str, LabelledRow] = {}
    bad: list[BadRow] = []
    for line, raw in _raw_rows(path, form):
        if isinstance(raw, str):
            bad.append(BadRow(str(path), line, raw))
            continue
        row_id = prefix + (raw.row_id or f"line-{line}")
        try:
            row = _labelled(raw, row_id, label_map, f"{path}:{line}", prefix)
            if row_id in rows:
                raise Unusable(f"id: is there twice, first at {rows[row_id].source}")
        except Unusable as error:
            bad.append(BadRow(str(path), line, str(error)))
            continue
        rows[row_id] = row
    known = tuple(row for row in rows.values() if row.expected)
    return DataSet(
        path,
        form,
        digest,
        known,
        len(rows) - len(known),
        tuple(bad),
        label_map.used,
        tuple(sorted(label_map.unused)),
    )


def read_raw(path: Path, form: Form | None = None) -> Iterator[Read]:
    """The rows of a file with its own labels: line and row, or line and why it cannot be used.

    Args:
        path: As for `read_data`.
        form: Found out by the first row when None.

    Raises:
        SettingsError: The file cannot be read, here or while iterating.
    """
    return _raw_rows(path, form or _form_of(path))


def without_rows(data: DataSet) -> str:
    """Why there is nothing to judge in a data set; for a message."""
    if data.ignored:
        return (
            f"{data.path}: no label speaks of a chosen policy; it has "
            f"{', '.join(data.ignored[:10])}: name them, such as --labels "
            f"{data.ignored[0]}=POLICY"
        )
    reasons = Counter(it.reason for it in data.bad)
    if reasons:
        return f"{data.path}: no row can be used; most often: {reasons.most_common(1)[0][0]}"
    return f"{data.path}: holds no row with a label"


def _labelled(
    raw: RawRow, row_id: str, label_map: LabelMap, source: str, prefix: str
) -> LabelledRow:
    if len(row_id) > _LONGEST_ID:
        raise Unusable(f"id: longer than {_LONGEST_ID} characters")
    return LabelledRow(
        row_id,
        event_of(raw.event, row_id),
        label_map.expected(raw.labels),
        label_map.rules(raw.rules),
        raw.tags,
        None if raw.variant_of is None else prefix + raw.variant_of,
        source,
    )


def _raw_rows(path: Path, form: Form) -> Iterator[Read]:
    with RowFile(str(path)) as file:
        if form is Form.PACK and file.format in _TABLES:
            try:
                for number, rows in read_table(list(file.cells())):
                    for it in rows:
                        yield number, str(it) if isinstance(it, Unusable) else it
            except Unusable as error:
                raise SettingsError([f"{path}: {error}"]) from None
            return
        read = _JSON_FORMS[form]
        for row in file:
            yield row.line, _read_row(row, read)


def _read_row(row: Row, read: Callable[[Mapping[str, Any]], RawRow]) -> RawRow | str:
    try:
        return read(_fields(row))
    except Unusable as error:
        return str(error)


def _fields(row: Row) -> dict[str, Any]:
    if row.value is None:
        raise Unusable(row.fault)
    try:
        fields = from_json(row.value)
    except ValueError:
        raise Unusable("not JSON") from None
    if not isinstance(fields, dict):
        raise Unusable("no JSON object")
    return fields


def _form_of(path: Path) -> Form:
    with RowFile(str(path)) as file:
        if file.format in _TABLES:
            _, names = next(file.cells(), (1, []))
            return _form_of_table(names)
        for row in file:
            try:
                fields = _fields(row)
            except Unusable:
                continue
            return next((form for sign, form in _SIGNS if sign(fields)), Form.OWN)
    return Form.OWN


def _form_of_table(header: Sequence[str]) -> Form:
    names = dict.fromkeys(header)
    if is_toxicchat(names):
        return Form.TOXICCHAT
    # A pack may have a column `text`, too, but no header of ours begins in its first line.
    if is_own(names) and any(name.startswith("labels.") or name == ONE_LABEL for name in names):
        return Form.OWN
    return Form.PACK
