"""The field `second_look` of a policy document: what it may say, and how its faults are told."""

import pytest
from tests.policy.documents import FRONT, PATH, document

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy, SecondLook
from afterguard.contracts.words import Effort, Severity
from afterguard.policy.document import parse_policy


def parsed(field: str) -> Policy:
    return parse_policy(document(f"{FRONT}{field}\n"), PATH)


def test_a_document_says_when_and_how_it_is_looked_at_again() -> None:
    policy = parsed("second_look: {effort: high, band: [0.3, 0.7], severity: critical}")
    assert policy.second_look == SecondLook(
        effort=Effort.HIGH, band=(0.3, 0.7), severity=Severity.CRITICAL
    )


def test_without_further_words_it_is_for_what_is_uncertain_and_at_high_effort() -> None:
    assert parsed("second_look: {}").second_look == SecondLook()
    assert SecondLook().effort is Effort.HIGH


def test_without_the_field_there_is_none() -> None:
    assert parsed("").second_look is None


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("second_look: {effort: low}", "its effort must be higher than `effort`, which is low"),
        ("effort: high\nsecond_look: {}", "must be higher than `effort`, which is high"),
        ("second_look: {band: [0.7, 0.3]}", "second_look.band: must be two rising numbers"),
        ("second_look: {band: [0.7]}", "second_look.band"),
        ("second_look: {severity: dire}", "second_look.severity"),
        ("second_look: {when: always}", "no such field; there are effort, band, severity"),
    ],
)
def test_what_it_cannot_be_is_told(field: str, told: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parsed(field)
    assert told in str(raised.value)
