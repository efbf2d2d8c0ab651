"""`afterguard prefilter`: what is fitted is told with what it can promise, and by the exit code."""

from pathlib import Path

import orjson
import pytest
from tests.cli.commands import afterguard
from tests.conftest import needs_prefilter
from tests.prefilter.rows import rows

from afterguard.contracts.exit_codes import ExitCode

NOT_BORNE_OUT = 1


def write(path: Path, count: int) -> Path:
    """Rows with two labels, the second of which is unknown of every third row."""
    lines = []
    for number, (text, sells) in enumerate(zip(*rows(count), strict=True)):
        labels = {"sells": int(sells)} | ({} if number % 3 else {"rude": 0})
        lines.append(orjson.dumps({"id": f"r-{number}", "text": text, "labels": labels}))
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `sells`, fitted by the command."""
    needs_prefilter()
    folder = tmp_path_factory.mktemp("fitted")
    data = write(folder / "rows.jsonl", 120)
    told = afterguard(
        "prefilter", "fit", "--data", data, "--label", "sells", "--out", folder / "out",
        "--target-recall", "0.9", "--target-recall", "0.99",
    )  # fmt: skip
    assert told.code == NOT_BORNE_OUT
    assert "a recall of 0.99 is not borne out" in told.err
    assert "it takes about 299 violations" in told.err
    assert "As a prefilter, on held-out rows" in told.out
    return folder / "out"


def test_show_tells_the_promise_and_json_is_the_card(made: Path) -> None:
    told = afterguard("prefilter", "show", made / "sells")
    assert told.code == 0
    assert "label sells" in told.out
    card = orjson.loads(afterguard("prefilter", "show", made / "sells", "--json").out)
    assert [it["target_recall"] for it in card["thresholds"]] == [0.9, 0.99]
    assert card["enabled"]


def test_check_scores_a_text_and_says_what_would_become_of_it(made: Path) -> None:
    told = afterguard("prefilter", "check", made / "sells", "buy cheap watches today")
    assert told.code == 0
    assert "recall 0.9: forwarded" in told.out
    assert "which is not borne out" in told.out
    harmless = afterguard(
        "prefilter", "check", made / "sells", "I lost my scarf in the park yesterday", "--json"
    )
    assert orjson.loads(harmless.out)["forwarded"]["0.9"] is False


def test_one_that_is_there_is_not_overwritten_unasked(made: Path) -> None:
    data = write(made / "again.jsonl", 90)
    told = afterguard("prefilter", "fit", "--data", data, "--label", "sells", "--out", made)
    assert told.code == ExitCode.CONFIGURATION
    assert "is there already; --replace, or --name" in told.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "say what to learn from: --data FILE, or --from-audit"),
        (["--from-audit", "--data", "x.jsonl"], "say what to learn from"),
        (["--data", "x.jsonl", "--any", "--label", "a"], "give one of the three"),
        (["--data", "x.jsonl", "--target-recall", "1.0"], "must be above 0 and below 1"),
        (["--data", "x.jsonl", "--any", "--name", "A/b"], "--name A/b: must be small letters"),
        (["--data", "nothing.jsonl", "--any"], "cannot be read"),
    ],
)
def test_what_cannot_be_fitted_is_told_in_one_line(arguments: list[str], complaint: str) -> None:
    told = afterguard("prefilter", "fit", *arguments)
    assert told.code == ExitCode.CONFIGURATION
    assert complaint in told.err


def test_labels_are_named_when_it_is_not_clear_what_a_violation_is(tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", 6)
    told = afterguard("prefilter", "fit", "--data", data, "--out", tmp_path)
    assert "--any, --policy or --label; there are rude, sells" in told.err
    told = afterguard("prefilter", "fit", "--data", data, "--label", "sold", "--out", tmp_path)
    assert "no row has the label sold" in told.err


def test_a_classifier_that_is_not_there_is_told(tmp_path: Path) -> None:
    told = afterguard("prefilter", "show", tmp_path / "nobody")
    assert told.code == ExitCode.CONFIGURATION
    assert "`afterguard prefilter fit` makes it" in told.err
