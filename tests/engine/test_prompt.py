"""What the model reads before a content is the same for every content and on every day."""

from tests import samples

from afterguard.engine.answer import Answer, write
from afterguard.engine.prompt import instructions


def test_the_policy_is_there_word_for_word() -> None:
    policy = samples.policy(body="## Instruction\nBraces {like} {these} {0} stay.\n")
    assert "Braces {like} {these} {0} stay." in instructions(policy)


def test_every_rule_is_named_with_its_title() -> None:
    text = instructions(samples.policy())
    assert "H1 (Insults), H2 (Threats)" in text


def test_the_form_of_both_answers_is_shown_as_the_grammar_holds_it() -> None:
    text = instructions(samples.policy())
    assert write(Answer(violation=False)) in text
    assert write(Answer(True, ("H1",))) in text


def test_it_depends_on_the_policy_alone() -> None:
    assert instructions(samples.policy()) == instructions(samples.policy())
    assert instructions(samples.policy()) != instructions(samples.policy(title="Other"))
