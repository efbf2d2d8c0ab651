"""Policy packs: a text without front matter becomes a policy whose rules are its codes."""

from pathlib import Path

import pytest
from tests.evaluation.published_forms import PACK_POLICY
from tests.policy.documents import document

from afterguard.contracts.errors import PolicyError
from afterguard.engine.prompt import instructions
from afterguard.evaluation.packs import pack_policy, policy_of_file


def test_rules_are_the_codes_that_do_not_end_in_zero() -> None:
    policy = pack_policy(PACK_POLICY, Path("queue.md"))
    assert [(rule.id, rule.title) for rule in policy.rules] == [
        ("QU1", "Pushing In"),
        ("QU2", "Selling Places"),
    ]
    assert (policy.id, policy.title) == ("queue", "Queue Policy")


def test_the_model_reads_the_text_as_it_is_and_how_its_words_map_to_the_answer() -> None:
    policy = pack_policy(PACK_POLICY, Path("queue.md"))
    assert policy.body.startswith(PACK_POLICY)
    read = instructions(policy)
    assert "every code that ends in 0 mean that the content does not violate" in read
    assert "QU1 (Pushing In), QU2 (Selling Places)" in read


def test_titles_without_headings_are_those_of_the_list_of_labels() -> None:
    text = "Queue Policy (#QU)\n\nQU0 is fine.\n\n- `QU1`: Pushing in.\n- `QU3`: Fights\n"
    policy = pack_policy(text, Path("queue.txt"))
    assert [(rule.id, rule.title) for rule in policy.rules] == [
        ("QU1", "Pushing in"),
        ("QU3", "Fights"),
    ]


def test_signs_before_a_heading_are_no_part_of_a_title() -> None:
    text = "Spam (#SP)\n✅ Allowed (SP0 - fine)\n❗ High-Risk Spam (SP3 - strong)\nSP3.a Junk\n"
    assert pack_policy(text, Path("spam.txt")).rules[0].title == "High-Risk Spam"


def test_a_file_called_policy_is_named_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "Queue Rules"
    folder.mkdir()
    path = folder / "policy.txt"
    path.write_text(PACK_POLICY)
    assert policy_of_file(path).id == "queue-rules"


def test_a_text_is_another_version_when_it_changes() -> None:
    one, other = (pack_policy(it, Path("q.md")) for it in (PACK_POLICY, PACK_POLICY + "\nMore.\n"))
    assert one.version != other.version


def test_our_own_documents_are_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "queue.md"
    path.write_text(document())
    assert [rule.id for rule in policy_of_file(path).rules] == ["Q1", "Q2"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Be kind to each other. No CO2, no H1.\n", "neither front matter nor codes"),
        ("Policy (#QU)\nQU0 is fine.\n", "no code of QU but QU0"),
    ],
)
def test_a_text_without_codes_is_no_pack(text: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        pack_policy(text, Path("q.md"))
