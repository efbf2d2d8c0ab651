"""What the model reads before a content is the same for every content and on every day."""

from hashlib import sha256

from tests import samples

from afterguard.engine.answer import Answer, write
from afterguard.engine.combined_answer import parse_answers, write_all
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


TWO = (samples.policy(), samples.policy(id="spam", title="Spam", body="Braces {0} stay."))


def test_policies_of_one_prompt_stand_in_it_word_for_word_each_under_its_own_heading() -> None:
    text = instructions(TWO[0], TWO[1:])
    for policy in TWO:
        assert f"\n# Policy {policy.id}: {policy.title}\n{policy.body.strip()}\n" in text
        assert f"- {policy.id}: H1 (Insults), H2 (Threats)" in text
    assert text.index(TWO[0].body) < text.index(TWO[1].body)


def test_the_answer_for_all_is_shown_as_the_grammar_holds_it() -> None:
    text = instructions(TWO[0], TWO[1:])
    clean = dict.fromkeys([policy.id for policy in TWO], Answer(violation=False))
    assert write_all(clean) in text
    shown = [line for line in text.splitlines() if line.startswith('{"verdicts"')]
    assert all(None not in parse_answers(line, TWO).values() for line in shown)


def test_the_prompt_of_one_policy_is_the_same_whatever_else_there_is() -> None:
    assert instructions(TWO[0], ()) == instructions(TWO[0])
    digest = sha256(instructions(TWO[0]).encode()).hexdigest()
    # A change is a change of every verdict's prompt: measure it before this line follows.
    assert digest.startswith("fe25f1bc0248266a")
