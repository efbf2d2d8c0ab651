"""A file that is long has a reason, and the reason stands here."""

from tests.house.source import ALL_PYTHON, named

MOST_LINES = 350
# Path to the reason why it is one idea all the same.
REASONS: dict[str, str] = {}
LINES = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL_PYTHON}


def test_a_long_file_has_a_reason() -> None:
    long = {path for path, lines in LINES.items() if lines > MOST_LINES}
    assert not long - REASONS.keys()


def test_no_reason_outlives_its_file() -> None:
    assert all(LINES.get(path, 0) > MOST_LINES for path in REASONS)


def test_most_files_are_short() -> None:
    short = sum(lines < 300 for lines in LINES.values())
    assert short > 0.95 * len(LINES)
