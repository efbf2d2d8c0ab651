"""Kept rows: what a run judges, beside its results, so that a report needs no other file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from afterguard.contracts.errors import SettingsError
from afterguard.evaluation.results import text_of
from afterguard.evaluation.run_record import RunRecord, write_file
from afterguard.policy.labelled import LabelledRow

ROWS: Final = "rows.jsonl"


class KeptRow(NamedTuple):
    """A row of a run.

    Attributes:
        text: What it says.
        source: File and line.
        variant_of: The row that it disguises.
        labels: By policy id, whether it violates.
    """

    text: str
    source: str
    variant_of: str | None
    labels: dict[str, bool]


def keep_rows(folder: Path, rows: Iterable[LabelledRow]) -> None:
    """Write the rows of a run.

    Raises:
        SettingsError: They cannot be written.
    """
    lines = (
        orjson.dumps(
            {
                "id": row.row_id,
                "text": text_of(row),
                "source": row.source,
                "variant_of": row.variant_of,
                "labels": dict(row.expected),
            }
        )
        for row in rows
    )
    write_file(folder / ROWS, b"".join(line + b"\n" for line in lines))


def read_kept_rows(folder: Path) -> dict[str, KeptRow]:
    """The rows of a run by id.

    Raises:
        SettingsError: They cannot be read.
    """
    path = folder / ROWS
    try:
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        return {
            it["id"]: KeptRow(it["text"], it["source"], it["variant_of"], it["labels"])
            for it in rows
        }
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror}"]) from None
    except (ValueError, KeyError, TypeError):
        raise SettingsError([f"{path}: holds no rows of a run"]) from None


def expected_results(record: RunRecord, rows: Mapping[str, KeptRow]) -> int:
    """How many results one judge has at the end of a run."""
    if record.prompt == "combined" or record.unlabelled_too:
        return len(rows) * len(record.policies)
    chosen = {it.id for it in record.policies}
    return sum(len(chosen & row.labels.keys()) for row in rows.values())
