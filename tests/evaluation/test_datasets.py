"""Data sets: each form is read into the same rows, and nothing is guessed or dropped in silence."""

import json
import os
from pathlib import Path

import pytest
from tests.evaluation.published_forms import (
    MODERATION,
    PACK_HEADINGS,
    PACK_POLICY,
    PACK_TABLE,
    TOXICCHAT,
    TOXICCHAT_HEADER,
    json_lines,
    table,
)
from tests.evaluation.runs import HARASSMENT, HATE
from tests.samples import policy

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.words import Kind, Role
from afterguard.evaluation.datasets import Form, read_data, without_rows
from afterguard.evaluation.packs import pack_policy, policy_of_file
from afterguard.policy.registry import load_policies
from afterguard.policy.settings import PolicySettings

SELF_HARM = policy(id="self-harm", title="Self-harm", version="00000000000000cc")
THREE = (HARASSMENT, HATE, SELF_HARM)
QUEUE = pack_policy(PACK_POLICY, Path("queue.md"))
DATA = "AFTERGUARD_TEST_DATA"


@pytest.fixture
def shared() -> Path:
    beside = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get(DATA, beside))
    if not path.is_dir():
        pytest.skip(f"the published sets are not here: neither {DATA} nor {beside} is a folder")
    return path


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_our_own_form_holds_labels_rules_tags_and_variants(tmp_path: Path, name: str) -> None:
    path = json_lines(
        tmp_path / name,
        [
            {
                "id": "one",
                "text": "you fool",
                "language": "en",
                "role": "assistant",
                "labels": {"harassment": True, "hate": None},
                "rules": {"harassment": ["H1"]},
                "tags": ["insult"],
            },
            {"id": "two", "text": "you f o o l", "labels": {"harassment": 1}, "variant_of": "one"},
        ],
    )
    data = read_data(path, THREE)
    one, two = data.rows
    assert data.form is Form.OWN
    assert one.expected == {"harassment": True}
    assert one.rules == {"harassment": ("H1",)}
    assert (one.event.language, one.event.author.role, one.tags) == (
        "en",
        Role.ASSISTANT,
        ("insult",),
    )
    assert (two.variant_of, two.expected) == ("one", {"harassment": True})
    assert one.source == f"{path}:1"


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
def test_a_table_of_our_own_form_has_columns_by_policy(tmp_path: Path, name: str) -> None:
    path = table(
        tmp_path / name,
        [
            ("id", "text", "labels.harassment", "labels.hate", "rules.harassment", "tags"),
            ("1", "you fool", "yes", "", "H1 H2", "insult, short"),
            ("2", "hello", "0", "false", "", ""),
        ],
    )
    one, two = read_data(path, THREE).rows
    assert one.expected == {"harassment": True}
    assert (one.rules, one.tags) == ({"harassment": ("H1", "H2")}, ("insult", "short"))
    assert two.expected == {"harassment": False, "hate": False}


def test_turns_are_a_conversation_and_a_whole_event_is_taken_as_it_is(tmp_path: Path) -> None:
    turns = [{"role": "user", "text": "hi"}, {"role": "assistant", "text": "hello"}]
    event = {"content": "hi", "kind": "completion", "author": {"id": "bot", "role": "assistant"}}
    path = json_lines(
        tmp_path / "rows.jsonl",
        [
            {"content": turns, "labels": {"hate": 0}},
            {"event": event, "labels": {"hate": 0}},
        ],
    )
    first, second = read_data(path, THREE).rows
    assert first.event.kind is Kind.CONVERSATION
    assert (second.event.kind, second.event.author.id) == (Kind.COMPLETION, "bot")


def test_rows_that_cannot_be_used_are_told_with_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = {"id": "a", "text": "hi", "labels": {"hate": 0}}
    lines = [
        json.dumps(good),
        "{broken",
        json.dumps(good),
        json.dumps({"id": "b", "text": "hi", "labels": {"hate": "perhaps"}}),
        json.dumps({"id": "c", "text": "  ", "labels": {"hate": 0}}),
        json.dumps({"id": "d", "labels": {"hate": 0}}),
        json.dumps({"id": "e", "text": "hi", "kind": "poem", "labels": {"hate": 0}}),
        json.dumps({"id": "f", "text": "hi", "labels": [1]}),
        "[1]",
        '{"id": "g", "text": "\\ud800", "labels": {"hate": 0}}',
    ]
    path.write_bytes("\n".join(lines).encode() + b'\n{"id": "h", "text": "\xff", "labels": {}}\n')
    data = read_data(path, THREE)
    assert [it.row_id for it in data.rows] == ["a"]
    assert {it.line: it.reason for it in data.bad} == {
        2: "not JSON",
        3: f"id: is there twice, first at {path}:1",
        4: "labels.hate: a label must be 0, 1, true, false or empty",
        5: "content: there is no text",
        6: "content: missing",
        7: "kind: enum",
        8: "labels: must be an object by policy id",
        9: "no JSON object",
        10: "not JSON",
        11: "not JSON",
    }


def test_no_reason_quotes_what_a_row_says(tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "rows.jsonl",
        [
            {"text": "SECRET", "labels": {"hate": "SECRET"}},
            {"text": "SECRET", "kind": "SECRET", "labels": {"hate": 1}},
            {"text": {"SECRET": 1}, "labels": {"hate": 1}},
        ],
    )
    bad = read_data(path, THREE).bad
    assert len(bad) == 3
    assert "SECRET" not in str(bad)


@pytest.mark.parametrize("copied", [False, True])
def test_the_2022_moderation_set_is_read_as_published_and_as_copied(
    tmp_path: Path, copied: bool
) -> None:
    rows = [
        {"text": row["prompt"], "labels": {k: v for k, v in row.items() if k != "prompt"}}
        if copied
        else row
        for row in MODERATION
    ]
    data = read_data(json_lines(tmp_path / "samples.jsonl.gz", rows), THREE)
    assert data.form is Form.MODERATION
    assert [dict(it.expected) for it in data.rows] == [
        {"hate": True, "harassment": False, "self-harm": False},
        # Nobody said anything of H2, so nobody knows whether it is hate.
        {"harassment": True},
        {"hate": False, "harassment": False, "self-harm": False},
    ]
    assert data.unlabelled == 1
    assert data.labels == {"H": "hate", "H2": "hate", "HR": "harassment", "SH": "self-harm"}
    assert data.ignored == ("S", "S3", "V", "V2")


def test_a_label_map_wins_over_that_of_the_form(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "samples.jsonl", MODERATION)
    data = read_data(path, (HARASSMENT,), labels={"V": "harassment"})
    assert [dict(it.expected) for it in data.rows] == [
        {"harassment": False},
        {"harassment": True},
        {"harassment": False},
        {"harassment": True},
    ]


def test_toxicchat_is_read_as_published(tmp_path: Path) -> None:
    path = table(tmp_path / "toxic-chat_annotation_test.csv", [TOXICCHAT_HEADER, *TOXICCHAT])
    data = read_data(path, (HARASSMENT,))
    assert data.form is Form.TOXICCHAT
    assert [it.expected["harassment"] for it in data.rows] == [False, True, True]
    assert [it.event.content for it in data.rows][1] == "say something vile,\nnow"
    assert data.rows[2].tags == ("label:toxicity", "label:jailbreaking", "annotated:by-people")


def test_toxicity_is_for_no_policy_when_there_are_several(tmp_path: Path) -> None:
    path = table(tmp_path / "test.csv", [TOXICCHAT_HEADER, *TOXICCHAT])
    data = read_data(path, THREE)
    assert not data.rows
    assert "--labels jailbreaking=POLICY" in without_rows(data)
    named = read_data(path, THREE, labels={"toxicity": "hate", "jailbreaking": "hate"})
    assert [dict(it.expected) for it in named.rows] == [
        {"hate": False},
        {"hate": True},
        {"hate": True},
    ]


def test_a_packs_table_has_a_disclaimer_and_replies_with_codes_of_their_own(tmp_path: Path) -> None:
    data = read_data(table(tmp_path / "queue.csv", PACK_TABLE), (QUEUE, HATE))
    assert data.form is Form.PACK
    assert [(it.event.kind, dict(it.expected), dict(it.rules)) for it in data.rows] == [
        (Kind.MESSAGE, {"queue": False}, {}),
        (Kind.COMPLETION, {"queue": False}, {}),
        (Kind.MESSAGE, {"queue": True}, {"queue": ("QU1",)}),
        (Kind.COMPLETION, {"queue": True}, {"queue": ("QU1",)}),
        (Kind.MESSAGE, {"queue": True}, {"queue": ("QU2",)}),
    ]
    # Its line is where the row begins in the file: one reply has two lines.
    assert [(it.line, it.reason) for it in data.bad] == [
        (8, "label: no code of a policy, such as DC0 or DC1")
    ]


@pytest.mark.parametrize(
    "header",
    [("Prompt", "Label", "Completion", "Expected label"), ("text", "code", "reply", "Class")],
)
def test_names_of_a_packs_header_may_vary(tmp_path: Path, header: tuple[str, ...]) -> None:
    data = read_data(table(tmp_path / "queue.csv", [header, *PACK_TABLE[2:5]]), (QUEUE,))
    assert [it.expected["queue"] for it in data.rows] == [False, False, True, True, True]


def test_codes_may_be_headings_and_what_a_model_said_is_no_label(tmp_path: Path) -> None:
    data = read_data(table(tmp_path / "golden_dataset.csv", PACK_HEADINGS), (QUEUE,))
    assert [(it.event.content, it.expected["queue"]) for it in data.rows] == [
        ("May I go first?", False),
        ("Place three, ten euro", True),
        ("Place four, eight euro", True),
    ]


def test_a_table_without_codes_is_told(tmp_path: Path) -> None:
    path = table(tmp_path / "rows.csv", [("question", "mood"), ("hi", "good"), ("ho", "bad")])
    with pytest.raises(SettingsError, match="no column of codes"):
        read_data(path, THREE)


def test_a_golden_set_is_data_for_the_policy_of_its_name(tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "hate.jsonl",
        [
            {"id": "a", "content": "vermin", "expect": "violation", "rules": ["HT1"], "note": "x"},
            {"id": "b", "content": "hello", "expect": "no_violation"},
        ],
    )
    one, two = read_data(path, THREE).rows
    assert (one.expected, one.rules) == ({"hate": True}, {"hate": ("HT1",)})
    assert two.expected == {"hate": False}


def test_shipped_golden_sets_are_data() -> None:
    policies = load_policies(PolicySettings()).policies
    golden = Path(__file__).parents[2] / "policies" / "golden"
    sets = [read_data(path, policies) for path in sorted(golden.glob("*.jsonl"))]
    assert [(it.path.stem, bool(it.rows), it.bad) for it in sets] == [
        (it.id, True, ()) for it in policies
    ]


def test_ids_of_several_files_are_kept_apart(tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "rows.jsonl",
        [
            {"id": "a", "text": "x", "labels": {"hate": 0}},
            {"text": "y", "labels": {"hate": 0}, "variant_of": "a"},
        ],
    )
    one, two = read_data(path, THREE, prefix="first/").rows
    assert (one.row_id, two.row_id, two.variant_of) == ("first/a", "first/line-2", "first/a")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_data(tmp_path / "none.jsonl", THREE)


def test_the_shared_moderation_set_is_read_whole(shared: Path) -> None:
    policies = load_policies(PolicySettings()).policies
    data = read_data(shared / "openai-moderation-1680" / "samples.jsonl.gz", policies)
    assert (len(data.rows) + data.unlabelled, data.bad) == (1_595, ())
    assert sum(it.expected.get("hate", False) for it in data.rows) == 161


def test_the_shared_policy_pack_is_read_whole(shared: Path) -> None:
    folder = shared / "roost-teen-safety"
    policies = [policy_of_file(path) for path in sorted((folder / "policies").glob("*.md"))]
    sets = [read_data(path, policies) for path in sorted(folder.glob("*.jsonl.gz"))]
    assert sum(len(it.rows) for it in sets) == 334
    assert not any(it.bad or it.unlabelled for it in sets)
    for data in sets:
        known = {rule.id for it in policies for rule in it.rules}
        assert all(set(*row.rules.values()) <= known for row in data.rows if row.rules)


def test_the_shared_toxicity_set_is_read_whole(shared: Path) -> None:
    data = read_data(shared / "surge-toxicity" / "toxicity_en.jsonl.gz", (HARASSMENT,))
    assert (len(data.rows), data.bad) == (1_000, ())
    assert sum(it.expected["harassment"] for it in data.rows) == 501
