"""The settings as a page: `python -m afterguard.settings_docs > docs/settings.md`."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import to_json

from afterguard.settings import ENV_PREFIX, Settings

_HEAD: Final = """\
# Settings

Made from the models in `worker/afterguard/*/settings.py` by `make schemas`.

A worker reads a YAML file (`--config FILE`, or `AFTERGUARD_CONFIG`) and the environment; the
environment wins. In the file a setting stands in its section:

```yaml
engine:
  model: openai/gpt-oss-safeguard-20b
judging:
  deadline_s: {live: 30}
```

In the environment it is `AFTERGUARD_<SECTION>__<FIELD>`, such as
`AFTERGUARD_ENGINE__MODEL=openai/gpt-oss-safeguard-20b`. A list or a table is JSON there; one entry
of a table can be set alone: `AFTERGUARD_JUDGING__DEADLINE_S__LIVE=30`. Tables of the file and of
the environment are merged entry by entry.

An unknown field, a value that does not fit and two settings that contradict each other keep a
worker from starting: one line each, exit code 78.
"""
_RANGES: Final = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
_FORMATS: Final = {"path": "path", "password": "secret text"}
_WORDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def page() -> str:
    """The page in Markdown."""
    schema = Settings.model_json_schema()
    defined = schema["$defs"]
    lines = [_HEAD]
    for section, field in Settings.model_fields.items():
        model = defined[schema["properties"][section]["$ref"].rsplit("/", 1)[1]]
        lines += [
            f"## {section}",
            "",
            f"{(field.annotation.__doc__ or '').strip()}",
            "",
            "| field | type | default | meaning | environment variable |",
            "| --- | --- | --- | --- | --- |",
            *_rows(section, model["properties"], defined),
            "",
        ]
    return "\n".join(lines)


def _rows(
    section: str, fields: dict[str, dict[str, Any]], defined: dict[str, Any], *, within: str = ""
) -> Iterator[str]:
    for name, schema in fields.items():
        below = defined[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else {}
        if "properties" in below:
            yield from _rows(section, below["properties"], defined, within=f"{within}{name}.")
            continue
        name = f"{within}{name}"  # noqa: PLW2901 (as it stands in the file)
        variable = f"{ENV_PREFIX}{section}__{name.replace('.', '__')}".upper()
        meaning = schema.get("description") or "-"
        yield (
            f"| `{name}` | {_type(schema, defined)} | {_default(schema['default'])} "
            f"| {_cell(meaning)} | `{variable}` |"
        )


def _type(schema: dict[str, Any], defined: dict[str, Any]) -> str:
    if "$ref" in schema:
        schema = defined[schema["$ref"].rsplit("/", 1)[1]]
    match schema:
        case {"anyOf": choices}:
            told = ", or ".join(_type(it, defined) for it in choices)
        case {"enum": words}:
            told = ", ".join(f"`{it}`" for it in words)
        case {"type": "array", "items": item}:
            told = f"list of {_type(item, defined)}"
        case {"type": "object", "propertyNames": key, "additionalProperties": value}:
            told = f"table of {_type(key, defined)} to {_type(value, defined)}"
        case {"type": "object"}:
            told = "table"
        case _:
            told = _scalar(schema)
    return told


def _scalar(schema: dict[str, Any]) -> str:
    word = _FORMATS.get(schema.get("format", "")) or _WORDS[schema["type"]]
    bounds = [text.format(f"{schema[it]:,}") for it, text in _RANGES.items() if it in schema]
    return f"{word} {', '.join(bounds)}".strip()


def _default(value: object) -> str:
    return "none" if value is None else f"`{to_json(value).decode()}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
