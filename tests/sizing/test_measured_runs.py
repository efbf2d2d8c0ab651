"""Results of `vllm bench serve`, read for the two figures that count."""

from pathlib import Path

import orjson
import pytest

from afterguard.contracts.errors import SettingsError
from afterguard.sizing.measured_runs import measured_run


def test_tokens_and_seconds_are_read(tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    told = {"duration": 12.5, "total_input_tokens": 1000, "total_output_tokens": 50, "completed": 9}
    file.write_bytes(orjson.dumps(told))
    assert measured_run(file) == ("long.json", 1000, 50, 12.5)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no json", "is no JSON"),
        (b"[]", "has no total_input_tokens"),
        (b'{"duration": 0, "total_input_tokens": 1, "total_output_tokens": 1}', "has no duration"),
    ],
)
def test_another_file_is_refused_with_a_way_to_make_one(
    content: bytes, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=told) as error:
        measured_run(file)
    assert "vllm bench serve" in error.value.problems[0]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="absent"):
        measured_run(tmp_path / "absent.json")
