"""A secret comes from a setting or from a file, and is told by the setting's name alone."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from afterguard.contracts.errors import SettingsError
from afterguard.security.secret_files import secret

VALUE = SecretStr("from the setting")


def test_it_comes_from_whichever_is_given(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file")
    assert secret(VALUE, None, "s") == "from the setting"
    assert secret(None, file, "s") == "from the file"
    assert secret(None, None, "s") is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), (" a b \n", " a b "), ("a\n\n", "a\n")],
)
def test_one_line_end_is_no_part_of_it_and_everything_else_is(
    tmp_path: Path, written: str, meant: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(written.encode())
    assert secret(None, file, "s") == meant


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read"), (b"", "is empty"), (b"\xffx", "not UTF-8")]
)
def test_a_file_that_holds_none_is_named_with_its_setting(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"redis\.password_file: {file} .*{problem}"):
        secret(None, file, "redis.password")


def test_two_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="s and s_file: give one of the two"):
        secret(VALUE, tmp_path / "secret", "s")
