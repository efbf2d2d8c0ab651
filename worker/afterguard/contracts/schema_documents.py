"""The contracts for readers of other languages: JSON Schemas and an AsyncAPI document.

Generated from the models; what stands in `schemas/` is checked in, ships in the wheel, and a test
fails when it drifts from what this module makes.
"""

import json
from importlib.resources import files
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.replays import Replayed
from afterguard.contracts.verdicts import AuditRecord, Verdict

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_BASE: Final = "https://afterguard.dev/schemas"


class _Contract(NamedTuple):
    model: type[BaseModel]
    # What others write is described as we accept it; what we write, as it always is.
    mode: JsonSchemaMode


CONTRACTS: Final = {
    "chat-event": _Contract(ChatEvent, "validation"),
    "verdict": _Contract(Verdict, "serialization"),
    "audit-record": _Contract(AuditRecord, "serialization"),
    "intervention": _Contract(Intervention, "serialization"),
    "dead-letter": _Contract(DeadLetter, "serialization"),
    "replayed": _Contract(Replayed, "serialization"),
}


def schema(name: str, *, ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one contract.

    Args:
        name: One of `CONTRACTS`.
        ref_template: Where references to parts point, for embedding in another document.
    """
    contract = CONTRACTS[name]
    found = contract.model.model_json_schema(mode=contract.mode, ref_template=ref_template)
    if contract.model is ChatEvent:
        found |= _CONTENT_FOLLOWS_KIND
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"{_BASE}/{name}.json"} | found


# The validator of the model, said in the schema's own words.
_CONTENT_FOLLOWS_KIND: Final[dict[str, Any]] = {
    "if": {"properties": {"kind": {"const": "conversation"}}, "required": ["kind"]},
    "then": {"properties": {"content": {"type": "array"}}},
    "else": {"properties": {"content": {"type": "string"}}},
}


def schema_text(name: str) -> str:
    """The JSON Schema of one contract as it stands in its file."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def checked_in(file_name: str) -> str | None:
    """The text of a generated file as the package ships it; None when it is not there."""
    file = files("afterguard.contracts").joinpath("schemas", file_name)
    return file.read_text(encoding="utf-8") if file.is_file() else None
