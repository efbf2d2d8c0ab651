"""Lint: warnings point at what makes a valid policy hard to follow; faults are told as they are."""

from pathlib import Path

import pytest
from tests.policy.documents import BODY, FRONT, PATH, document

from afterguard.policy.lint import Remark, Report, clashes, lint
from afterguard.policy.lint_body import MOST_TOKENS

DOUBT = "  - {id: Q3, title: In doubt, severity: low, action: escalate}\n"
OTHER = Path("policies/other.md")


def report(front: str = FRONT, body: str = BODY, tokens: int = 500) -> Report:
    return lint(document(front, body), PATH, lambda _: tokens)


def warned(front: str = FRONT, body: str = BODY, tokens: int = 500) -> list[Remark]:
    found = report(front, body, tokens)
    assert found.policy is not None, found.faults
    return list(found.warnings)


def changed(old: str, new: str) -> str:
    assert old in BODY
    return BODY.replace(old, new)


def test_a_good_policy_is_left_alone() -> None:
    found = report()
    assert (found.faults, found.warnings, found.tokens) == ((), (), 500)


def test_a_document_with_faults_is_told_by_its_faults_alone() -> None:
    found = report(FRONT.replace("low", "awful"), changed("## Definitions", "## Terms"))
    assert [fault.field for fault in found.faults] == ["rules.0.severity", "body"]
    assert (found.policy, found.warnings) == (None, ())


def test_a_warning_stands_in_one_line_with_file_line_and_field() -> None:
    (warning,) = warned(body=changed("- Q1: pushes in", "- Q1: usually pushes in"))
    assert str(warning) == (
        f"{PATH}:23: warning: body: 'usually' leaves the border to the model; say when"
    )


@pytest.mark.parametrize("tokens", [399, 601, 10_000])
def test_an_unusual_length_warns_and_never_refuses(tokens: int) -> None:
    found = report(tokens=tokens)
    assert found.policy is not None
    (warning,) = found.warnings
    assert warning.message.startswith(f"is {tokens} tokens long")


@pytest.mark.parametrize("tokens", [400, MOST_TOKENS])
def test_the_ends_of_the_range_are_fine(tokens: int) -> None:
    assert warned(tokens=tokens) == []


def test_a_length_that_was_not_counted_is_not_judged() -> None:
    found = lint(document(), PATH, None)
    assert (found.tokens, found.warnings) == (None, ())


@pytest.mark.parametrize(
    "word", ["generally", "Usually", "in most cases", "if appropriate", "etc."]
)
def test_vague_words_warn(word: str) -> None:
    (warning,) = warned(body=changed("pushes in", f"pushes in {word}"))
    assert word.rstrip(".") in warning.message


def test_examples_may_quote_vague_words() -> None:
    assert warned(body=changed("Move, I", "Usually I")) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Precedence: Q2 before Q1, the gravest first.", "", "states no precedence"),
        ("- Q1: pushes in before others.\n", "", "Q1 is not mentioned in the criteria"),
        ("### Does not violate", "### Also", "says nothing under `### Does not violate`"),
        ("### Violates", "### Forbidden", "says nothing under `### Violates`"),
        ("- Asking politely, or telling a story about a queue.", "", "says nothing under"),
        (" No violation: asks.", " Fine: asks.", "has no example of `No violation`"),
        ('- "May I go first, my train leaves."', 'Or "May I go', "has 3 examples"),
        ("pushes in before", "pushes\u200b in before", "holds an invisible character"),
        ("Decide whether", "Return 0 or 1: decide whether", "says how to answer"),
        ("Decide whether", "Answer with JSON. Decide whether", "says how to answer"),
    ],
)
def test_what_is_missing_or_out_of_place_warns(old: str, new: str, message: str) -> None:
    (warning,) = warned(body=changed(old, new))
    assert message in warning.message


def test_examples_that_cite_no_rule_warn() -> None:
    body = BODY.replace("Violates Q1", "Bad").replace("Violates Q2", "Bad")
    assert [it.message for it in warned(body=body)] == ["has no example that cites a rule"]


def test_examples_may_be_labelled_as_the_models_own_guide_does() -> None:
    body = BODY.replace("Violates Q1.", "(Q1) Label: 1").replace("No violation: asks", "Label: 0")
    assert warned(body=body) == []


def test_parts_in_another_order_warn() -> None:
    instruction, rest = BODY.split("## Definitions")
    (warning,) = warned(body="## Definitions" + rest + "\n" + instruction)
    assert "order Instruction, Definitions, Criteria, Examples" in warning.message


def test_a_single_rule_needs_no_precedence() -> None:
    front = FRONT.replace(
        "  - {id: Q2, title: Selling places, severity: high, action: remove}\n", ""
    )
    body = BODY.replace(" Precedence: Q2 before Q1, the gravest first.", "").replace("Q2", "Q1")
    assert warned(front, body) == []


def test_a_rule_for_doubt_may_be_told_in_the_instruction() -> None:
    body = changed("the gravest first.", "the gravest first. In doubt, Q3 alone.")
    assert warned(FRONT + DOUBT, body) == []
    (warning,) = warned(FRONT + DOUBT)
    assert (warning.field, "Q3" in warning.message) == ("rules.2", True)


def test_doubt_needs_a_way_to_a_person() -> None:
    front = FRONT.replace("uncertain: [0.3, 0.7]\n", "")
    (warning,) = warned(front)
    assert warning.field == "uncertain"
    assert warned(front + DOUBT, changed("gravest first.", "gravest first. In doubt, Q3.")) == []


@pytest.mark.parametrize("threshold", ["0.2", "0.8"])
def test_a_threshold_outside_the_uncertain_band_warns(threshold: str) -> None:
    (warning,) = warned(FRONT + f"threshold: {threshold}\n")
    assert (warning.field, warning.line) == ("uncertain", 5)


@pytest.mark.parametrize(
    ("rule", "severity", "action", "word"),
    [
        ("severity: high, action: remove", "critical", "warn", "little"),
        ("severity: high, action: remove", "high", "label", "little"),
        ("severity: low, action: label", "low", "remove", "much"),
        ("severity: low, action: label", "low", "timeout", "much"),
    ],
)
def test_an_action_that_does_not_fit_its_severity_warns(
    rule: str, severity: str, action: str, word: str
) -> None:
    (warning,) = warned(FRONT.replace(rule, f"severity: {severity}, action: {action}"))
    assert warning.message == f"{action} is {word} for severity {severity}"


def test_letting_what_may_be_critical_pass_unjudged_warns() -> None:
    front = FRONT.replace("severity: high, action: remove", "severity: critical, action: remove")
    (warning,) = warned(front + "on_expiry: none\n")
    assert (warning.field, "Q2" in warning.message) == ("on_expiry", True)
    assert warned(front + "on_expiry: hide\n") == []
    assert warned(FRONT + "on_expiry: none\n") == []


def test_warnings_stand_in_the_order_of_their_lines() -> None:
    body = BODY.replace("people who", "people who often").replace("sells", "usually sells")
    lines = [warning.line for warning in warned(FRONT + "threshold: 0.9\n", body, tokens=9)]
    assert len(lines) == 4
    assert lines == sorted(lines)


def test_two_documents_of_one_id_are_a_fault_of_the_second() -> None:
    first, second = clashes([report(), report()._replace(file=OTHER)])
    assert first.faults == ()
    assert [str(it) for it in second.faults] == [f"{OTHER}:1: id: queue is the id of {PATH} too"]


def test_a_rule_id_of_two_policies_warns_since_interventions_cite_all_rules_in_one_list() -> None:
    other = lint(document(FRONT.replace("id: queue", "id: other")), OTHER, None)
    first, second = clashes([report(), other])
    assert (first.warnings, second.faults) == ((), ())
    assert [it.message for it in second.warnings] == [
        f"Q1 is a rule of {PATH} too",
        f"Q2 is a rule of {PATH} too",
    ]
