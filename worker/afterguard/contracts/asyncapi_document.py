"""The AsyncAPI 3.0 document: the four topics, their messages and headers, and who does what."""

from typing import Any, Final

import yaml

from afterguard.contracts import cloudevents
from afterguard.contracts.replays import ORIGIN_HEADER, REPLAY_HEADER
from afterguard.contracts.schema_documents import CONTRACTS, schema
from afterguard.contracts.topic_defaults import MAX_MESSAGE_BYTES, TOPIC_DEFAULTS

VERSION: Final = "1.0.0"
_REF: Final = "#/components/schemas/{model}"


def _channel(name: str, purpose: str, description: str, *messages: str) -> dict[str, Any]:
    address = TOPIC_DEFAULTS[purpose].name
    return {
        name: {
            "address": address,
            "description": description,
            "messages": {it: {"$ref": f"#/components/messages/{it}"} for it in messages},
            "bindings": {
                "kafka": {
                    "topic": address,
                    "topicConfiguration": {
                        "cleanup.policy": ["delete"],
                        "retention.ms": TOPIC_DEFAULTS[purpose].retention_ms,
                        "max.message.bytes": MAX_MESSAGE_BYTES,
                    },
                    "bindingVersion": "0.5.0",
                }
            },
        }
    }


def _message(
    name: str, payload: str, ce_type: str, key: str, summary: str, *, ours: bool
) -> dict[str, Any]:
    return {
        name: {
            "name": name,
            "title": CONTRACTS[payload].model.__name__,
            "summary": summary,
            "contentType": "application/json",
            "headers": _headers(ce_type, required=ours),
            "payload": {"$ref": _REF.format(model=CONTRACTS[payload].model.__name__)},
            "bindings": {
                "kafka": {
                    "key": {"type": "string", "description": key},
                    "bindingVersion": "0.5.0",
                }
            },
        }
    }


def _headers(ce_type: str, *, required: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_type": {"type": "string", "const": ce_type},
        "ce_source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "ce_id": {"type": "string", "minLength": 1},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string"},
        "content-type": {"type": "string", "const": "application/json"},
    }
    trace: dict[str, Any] = {
        "traceparent": {
            "type": "string",
            "description": "W3C Trace Context; handed on when well formed.",
            "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        },
        "tracestate": {"type": "string"},
    }
    described = "CloudEvents 1.0 attributes in Kafka's binary mode."
    headers: dict[str, Any] = {
        "type": "object",
        "description": described,
        "properties": attributes | trace,
    }
    if required:
        return headers | {"required": sorted(attributes)}
    headers["description"] = (
        f"{described} All optional; `ce_id` and `ce_time` stand in for `event_id` and "
        "`occurred_at` when the payload has none."
    )
    headers["properties"] = attributes | trace | _REPLAY_HEADERS
    return headers


_REPLAY_HEADERS: Final[dict[str, Any]] = {
    ORIGIN_HEADER: {
        "type": "string",
        "description": "Written by `afterguard dead-letters replay` alone: "
        "`topic/partition/offset` of the record that this one is a replay of.",
    },
    REPLAY_HEADER: {"type": "string", "description": "Which replay it is, from 1."},
}


def _operation(name: str, action: str, channel: str, message: str, summary: str) -> dict[str, Any]:
    return {
        name: {
            "action": action,
            "summary": summary,
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
        }
    }


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document, complete in itself.

    Topic names and retention are the defaults; `topics` of the settings names others.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Afterguard",
            "version": VERSION,
            "description": (
                "Chat events in, verdicts and interventions out. Delivery is at least once: "
                "act once per `intervention_id`, count once per `verdict_id`. Fields may be "
                "added and are never given another meaning."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "`kafka.bootstrap_servers` of the settings.",
                "variables": {"bootstrap": {"default": "localhost:9092"}},
            }
        },
        "channels": _CHANNELS,
        "operations": _OPERATIONS,
        "components": {"messages": _MESSAGES, "schemas": _schemas()},
    }


def document_text() -> str:
    """The document as it stands in its file."""
    head = "# Generated by `afterguard schema`; a test fails when it drifts from the models.\n"
    body = yaml.dump(document(), Dumper=_Unabridged, sort_keys=False, allow_unicode=True, width=100)
    return f"{head}{body}"


class _Unabridged(yaml.SafeDumper):
    """Writes repeated parts out: many readers of AsyncAPI know no YAML aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for name, contract in CONTRACTS.items():
        found = schema(name, ref_template=_REF)
        for key in ("$schema", "$id"):
            del found[key]
        parts = found.pop("$defs", {}) | {contract.model.__name__: found}
        for part, described in parts.items():
            older = _older_dialect(described)
            # Two contracts may share a part, never a name for different parts.
            assert schemas.setdefault(part, older) == older, part
    return schemas


def _older_dialect(schema: Any) -> Any:  # noqa: ANN401
    """The schema in AsyncAPI's dialect, draft-07: it says `items` for `prefixItems`."""
    if isinstance(schema, list):
        return [_older_dialect(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    older = {key: _older_dialect(inner) for key, inner in schema.items()}
    if isinstance(older.get("prefixItems"), list):
        older["items"] = older.pop("prefixItems")
    return older


_CHANNELS: Final = {
    **_channel("chatEvents", "events", "What was said.", "chatEvent"),
    **_channel(
        "interventions",
        "interventions",
        "What the platform is asked to do; one at most per event and revision.",
        "intervention",
    ),
    **_channel(
        "audit",
        "audit",
        "Every verdict with its rationale, for auditors only.",
        "auditRecord",
    ),
    **_channel(
        "deadLetters",
        "dead_letters",
        "Records that could not be judged, kept whole with the reason; and a note for each that "
        "was put back.",
        "deadLetter",
        "replayed",
    ),
}

_MESSAGES: Final = {
    **_message(
        "chatEvent",
        "chat-event",
        cloudevents.CHAT_EVENT,
        "The conversation id: keeps a conversation in order.",
        "One thing that was said. Records of another shape are mapped by `input.map`.",
        ours=False,
    ),
    **_message(
        "intervention",
        "intervention",
        cloudevents.INTERVENTION,
        "The conversation id.",
        "One decision on one event.",
        ours=True,
    ),
    **_message(
        "auditRecord",
        "audit-record",
        cloudevents.AUDIT_RECORD,
        "The conversation id.",
        "One verdict under one policy.",
        ours=True,
    ),
    **_message(
        "deadLetter",
        "dead-letter",
        cloudevents.DEAD_LETTER,
        "`topic/partition/offset` of the original record.",
        "One record, or one part of a large one.",
        ours=True,
    ),
    **_message(
        "replayed",
        "replayed",
        cloudevents.REPLAYED,
        "The id of the dead letter.",
        "A dead letter was put back to its topic.",
        ours=True,
    ),
}

_OPERATIONS: Final = {
    **_operation(
        "judgeChatEvents", "receive", "chatEvents", "chatEvent", "The worker reads every event."
    ),
    **_operation(
        "askForInterventions",
        "send",
        "interventions",
        "intervention",
        "The worker asks the platform to act.",
    ),
    **_operation(
        "recordVerdicts", "send", "audit", "auditRecord", "The worker records every verdict."
    ),
    **_operation(
        "setAsideDeadLetters",
        "send",
        "deadLetters",
        "deadLetter",
        "The worker sets aside what it cannot judge.",
    ),
}
