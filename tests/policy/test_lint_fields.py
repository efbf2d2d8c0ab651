"""Lint of the front matter's later fields: second looks, prefilters and classifiers."""

import pytest
from tests.policy.documents import BODY, FRONT, PATH, document

from afterguard.policy.lint import lint

BY_CLASSIFIER = "judge: classifier\nclassifier: {name: queue-1, rule: Q1}\n"


def warned(more: str, front: str = FRONT) -> list[tuple[str, str]]:
    found = lint(document(front + more, BODY), PATH, None)
    assert found.policy is not None, found.faults
    return [(it.field, it.message) for it in found.warnings]


@pytest.mark.parametrize(
    "more",
    [
        "second_look: {severity: high}\n",
        "second_look: {band: [0.2, 0.8]}\n",
        "prefilter: {classifier: queue-1}\n",
        BY_CLASSIFIER,
    ],
)
def test_a_field_that_is_used_as_it_is_meant_is_left_alone(more: str) -> None:
    assert warned(more) == []


@pytest.mark.parametrize(
    ("more", "field", "says"),
    [
        ("effort: high\n", "effort", "reason at length about every event"),
        ("second_look: {severity: low}\n", "second_look.severity", "every violation"),
        ("second_look: {band: [0.6, 0.9]}\n", "second_look.band", "leaves out the threshold 0.5"),
        (f"{BY_CLASSIFIER}second_look: {{severity: high}}\n", "second_look", "has no effect"),
        (
            "prefilter: {classifier: queue-1, target_recall: 0.8}\n",
            "prefilter.target_recall",
            "lets 20% of the violations pass unread",
        ),
        (
            "judge: classifier\nclassifier: {name: queue-1, rule: Q1, target_precision: 0.7}\n",
            "classifier.target_precision",
            "acts wrongly in 30%",
        ),
        ("judge: classifier\nclassifier: {name: queue-1}\n", "classifier", "cites no rule"),
    ],
)
def test_a_field_that_is_likely_not_meant_so_is_told(more: str, field: str, says: str) -> None:
    ((told, message),) = warned(more)
    assert told == field
    assert says in message


def test_a_second_look_at_nothing_is_told() -> None:
    front = FRONT.replace("uncertain: [0.3, 0.7]\n", "")
    assert "second_look" in {field for field, _ in warned("second_look: {}\n", front)}


def test_a_prefilter_before_critical_rules_must_let_nearly_everything_through() -> None:
    front = FRONT.replace("severity: high", "severity: critical")
    ((_, message),) = warned("prefilter: {classifier: queue-1, target_recall: 0.95}\n", front)
    assert "with critical rules" in message


def test_what_is_still_to_be_written_is_told_wherever_it_stands() -> None:
    front = FRONT.replace("front-desk", "TODO").replace("Pushing in", "TODO the lighter case")
    assert {field for field, _ in warned("", front)} == {"owner", "rules.0.title"}
