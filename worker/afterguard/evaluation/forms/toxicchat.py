"""ToxicChat as published (huggingface.co/datasets/lmsys/toxic-chat): what people asked a chatbot.

Its licence forbids commercial use and it is not shipped with anything here; it is read from a copy
of your own.
"""

from collections.abc import Mapping
from typing import Any, Final

from afterguard.evaluation.forms.raw_row import RawRow, label_of, text_of

TOXICITY: Final = "toxicity"
JAILBREAKING: Final = "jailbreaking"


def is_toxicchat(fields: Mapping[str, Any]) -> bool:
    """Whether a row can be of this form."""
    return {"user_input", TOXICITY} <= fields.keys()


def read_toxicchat(fields: Mapping[str, Any]) -> RawRow:
    """The row: the user's message alone, as the published figures judge it.

    Raises:
        Unusable: There is no text, or a label is not 0 or 1.
    """
    labels = {name: label_of(fields.get(name), name) for name in (TOXICITY, JAILBREAKING)}
    by_people = label_of(fields.get("human_annotation"), "human_annotation")
    tags = [f"label:{name}" for name, violates in labels.items() if violates]
    if by_people is not None:
        tags.append("annotated:by-people" if by_people else "annotated:by-machine")
    row_id = fields.get("conv_id")
    return RawRow(
        {"content": text_of(fields.get("user_input"), "user_input")},
        labels,
        row_id=None if row_id is None else str(row_id),
        tags=tuple(tags),
    )
