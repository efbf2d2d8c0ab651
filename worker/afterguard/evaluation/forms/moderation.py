"""The moderation set that OpenAI published in 2022 (github.com/openai/moderation-api-release).

Each line has the text under `prompt` and up to eight labels as keys beside it; a copy may have the
text under `text` and the labels under `labels`. A label that is absent is unknown.
"""

from collections.abc import Mapping
from typing import Any, Final

from afterguard.evaluation.forms.raw_row import RawRow, Unusable, label_of, text_of

CATEGORIES: Final = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")
# To the shipped policies. Sexual content and violence have none, so they count for nothing.
DEFAULT_MAP: Final = {"H": "hate", "H2": "hate", "HR": "harassment", "SH": "self-harm"}
_NAMES: Final = frozenset(CATEGORIES)


def is_moderation(fields: Mapping[str, Any]) -> bool:
    """Whether a row can be of this form."""
    labels = fields.get("labels")
    if isinstance(labels, dict):
        return bool(labels) and labels.keys() <= _NAMES
    return "prompt" in fields and fields.keys() - {"prompt", "id"} <= _NAMES


def read_moderation(fields: Mapping[str, Any]) -> RawRow:
    """The row; each category that it has is a tag.

    Raises:
        Unusable: There is no text, or a label is not 0 or 1.
    """
    given = fields.get("labels", fields)
    if not isinstance(given, dict):
        raise Unusable("labels: must be an object by category")
    labels = {name: label_of(given.get(name), name) for name in CATEGORIES}
    row_id = fields.get("id")
    return RawRow(
        {"content": text_of(fields.get("prompt", fields.get("text")), "prompt")},
        labels,
        row_id=None if row_id is None else str(row_id),
        tags=tuple(f"label:{name}" for name, violates in labels.items() if violates),
    )
