"""A dead letter gives back the bytes that came in."""

import base64
import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.samples import NOON

from afterguard.contracts.codec import encode
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.words import Outcome


def letter(**changes: Any) -> DeadLetter:
    """A dead letter of one record."""
    return DeadLetter.model_validate(
        {
            "dead_letter_id": "00000000-0000-0000-0000-000000000007",
            "topic": "chat.events",
            "partition": 0,
            "offset": 1,
            "outcome": Outcome.REJECTED,
            "reason": "not_json",
            "detail": "3 bytes",
            "attempts": 0,
            "value": b"abc",
            "original_size": 3,
            "recorded_at": NOON,
        }
        | changes
    )


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
some_bytes = st.none() | st.binary(max_size=300)


@given(some_bytes, some_bytes, st.lists(st.tuples(names, some_bytes), max_size=4), st.datetimes())
def test_bytes_come_back_as_they_were(
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    moment: Any,
) -> None:
    written = letter(key=key, value=value, headers=headers, recorded_at=moment.replace(tzinfo=UTC))
    assert DeadLetter.model_validate_json(encode(written)) == written


@given(st.binary(max_size=300))
def test_bytes_travel_in_the_alphabet_that_every_language_decodes(value: bytes) -> None:
    """RFC 4648 section 4, padded: the URL-safe alphabet is refused by many decoders."""
    on_the_wire = json.loads(encode(letter(value=value)))["value"]
    assert base64.b64decode(on_the_wire, validate=True) == value


@pytest.mark.parametrize("text", ["no base64!", "YWJj_-==", "YQ", "ä"])
def test_what_is_no_base64_is_refused_and_not_guessed(text: str) -> None:
    wire = json.loads(encode(letter())) | {"value": text}
    with pytest.raises(ValidationError):
        DeadLetter.model_validate_json(json.dumps(wire))


def test_a_tombstone_stays_one() -> None:
    assert json.loads(encode(letter(value=None)))["value"] is None
