"""Citations: whether cited rules exist, and whether they are the right ones."""

from afterguard.evaluation.citations import citations


def test_one_rule_that_does_not_exist_makes_a_verdict_s_citations_invalid() -> None:
    found = citations([["H1"], ["H1"], []], [[], ["Z9"], ["Z9"]], [[], [], []])
    assert (found.citing, found.valid.value) == (3, 1 / 3)


def test_a_verdict_that_cites_nothing_is_counted_apart() -> None:
    found = citations([["H1"], []], [[], []], [[], []])
    assert (found.verdicts, found.citing, found.valid.value) == (2, 1, 1.0)


def test_one_of_the_wanted_rules_is_enough() -> None:
    found = citations([["H1", "H2"], ["H1"], ["H1"]], [[], [], []], [["H2", "H3"], ["H2"], []])
    assert (found.expecting, found.on_target.value) == (2, 0.5)


def test_citing_nothing_where_a_rule_is_wanted_misses_it() -> None:
    assert citations([[]], [[]], [["H1"]]).on_target.value == 0.0


def test_without_verdicts_there_is_a_reason_and_no_figure() -> None:
    found = citations([], [], [])
    assert (found.valid.value, found.on_target.value) == (None, None)
    assert found.valid.reason
    assert found.on_target.reason
