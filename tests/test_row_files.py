"""Files of rows: what each form of file becomes, and how a broken one is told."""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afterguard.contracts.errors import SettingsError
from afterguard.row_files import Row, RowFile, RowFormat

Write = Callable[[str, bytes], str]

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return to_file


def rows(
    name: str, row_format: RowFormat | None = None, *, max_row_bytes: int = 1_000
) -> list[Row]:
    with RowFile(name, row_format, max_row_bytes=max_row_bytes) as file:
        return list(file)


def documents(name: str, row_format: RowFormat | None = None) -> list[object]:
    """What each row holds; a faulty row by its fault."""
    return [it.fault if it.value is None else json.loads(it.value) for it in rows(name, row_format)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.jsonl", b'{"a": "1"}\n{"a": "2"}\n'),
        ("m.ndjson", b'{"a": "1"}\n\n  \n{"a": "2"}'),
        ("m.JSONL", b'\xef\xbb\xbf{"a": "1"}\r\n{"a": "2"}\r\n'),
        ("m.json", b'[{"a": "1"}, {"a": "2"}]'),
        ("m.json", b'\xef\xbb\xbf \n[{"a": "1"}, {"a": "2"}]'),
        ("m.json", b'{"a": "1"}\n{"a": "2"}\n'),
        ("m.csv", b"a\n1\n2\n"),
        ("m.csv", b"\xef\xbb\xbfa\r\n1\r\n\r\n2\r\n"),
        ("m.tsv", b"a\tb\n1\n2\n"),
        ("without-a-suffix", b'{"a": "1"}\n{"a": "2"}\n'),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_form_of_file_gives_the_same_rows(
    write: Write, name: str, content: bytes, packed: bool
) -> None:
    path = write(f"{name}.gz", gzip.compress(content)) if packed else write(name, content)
    assert documents(path) == [{"a": "1"}, {"a": "2"}]


def test_gzip_is_recognised_by_its_content(write: Write) -> None:
    assert documents(write("m.jsonl", gzip.compress(b'{"a": 1}'))) == [{"a": 1}]


def test_a_line_of_plain_text_is_a_content(write: Write) -> None:
    path = write("m.txt", b"good morning\r\n\r\n  bye\n")
    assert documents(path) == [{"content": "good morning"}, {"content": "  bye"}]


def test_the_form_may_be_named_instead_of_the_suffix(write: Write) -> None:
    assert documents(write("m.data", b"a,b\n1,2\n"), RowFormat.CSV) == [{"a": "1", "b": "2"}]


def test_an_empty_cell_is_null_so_that_defaults_apply(write: Write) -> None:
    assert documents(write("m.csv", b'a,b\n,""\n')) == [{"a": None, "b": None}]


def test_a_cell_may_hold_quotes_commas_and_line_ends(write: Write) -> None:
    path = write("m.csv", b'id,text\r\n1,"a ""b"", c\r\nd"\r\n2,e\r\n')
    assert documents(path) == [
        {"id": "1", "text": 'a "b", c\r\nd'},
        {"id": "2", "text": "e"},
    ]
    assert [row.line for row in rows(path)] == [2, 4]


@given(cells=st.lists(st.tuples(TEXTS, st.text(max_size=20)), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_a_csv_writer_writes_is_read_back(write: Write, cells: list[tuple[str, str]]) -> None:
    cells = [(f"x{a}", b.replace("\0", "").encode("utf-8", "replace").decode()) for a, b in cells]
    table = io.StringIO(newline="")
    csv.writer(table).writerows([("a", "b"), *cells])
    read = documents(write("m.csv", table.getvalue().encode()))
    assert read == [{"a": a, "b": b or None} for a, b in cells]


@given(values=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_json_array_gives_what_its_elements_give_as_lines(
    write: Write, values: list[dict[str, str]]
) -> None:
    lines = "".join(f"{json.dumps(it)}\n" for it in values).encode()
    array = json.dumps(values, indent=1).encode()
    assert documents(write("a.json", array)) == documents(write("l.jsonl", lines)) == values


def test_a_line_over_the_limit_is_a_faulty_row_and_its_neighbours_are_not(write: Write) -> None:
    path = write("m.jsonl", b'{"a":1}\n"' + b"x" * 5_000 + b'"\n{"a":2}\n')
    assert documents(path) == [{"a": 1}, "longer than 1000 bytes", {"a": 2}]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_of_just_the_limit_is_no_fault(write: Write, end: bytes) -> None:
    line = b'"' + b"x" * 998 + b'"'
    assert documents(write("m.jsonl", line + end)) == ["x" * 998]


def test_bytes_that_are_no_utf8_are_the_fault_of_their_row_alone(write: Write) -> None:
    assert documents(write("m.txt", b"a\xff\nb\n")) == ["not UTF-8", {"content": "b"}]
    assert documents(write("m.csv", b"a\n\xff\nb\n")) == ["not UTF-8", {"a": "b"}]


def test_a_row_with_more_cells_than_columns_is_a_fault(write: Write) -> None:
    assert documents(write("m.csv", b"a,b\n1,2,3\n4\n")) == ["3 cells under 2 columns", {"a": "4"}]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("m.csv", b"", "the first row must name each column"),
        ("m.csv", b"a,,b\n", "the first row must name each column"),
        ("m.csv", b"a,a\n1,2\n", "the first row must name each column"),
        ("m.csv", b"id;text\n1;x\n", "one column, with ';' in its name"),
        ("m.csv", b"id\ttext\n1\tx\n", "one column, with '\\t' in its name"),
        ("m.csv", b"a\n" + b"x" * 2_000, "line 2: longer than 1000 bytes"),
        ("m.csv", b'a\n1\n"' + b"xy\n" * 500, "line 3: cannot be read further: field larger"),
        ("m.json", b'[{"a": 1}, ', "no JSON array"),
        ("m.jsonl", b"\x7fELF\0\0\1", "holds zero bytes"),
        ("m.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_of_another_form_ends_in_one_clear_line(
    write: Write, name: str, content: bytes, told: str
) -> None:
    path = write(name, content)
    with pytest.raises(SettingsError) as error:
        rows(path)
    assert error.value.problems == [str(error.value)]
    assert str(error.value).startswith(path)
    assert told in str(error.value)


def test_rows_before_a_truncated_gzip_ends_are_given(write: Write) -> None:
    lines = b"".join(b'{"a": %d}\n' % (number**9 % 99_991) for number in range(5_000))
    path = write("m.jsonl.gz", gzip.compress(lines)[:-500])
    with RowFile(path) as file:
        found = iter(file)
        assert [next(found).line for _ in range(1_000)] == list(range(1, 1_001))
        with pytest.raises(SettingsError, match="cannot be read further: Compressed file ended"):
            list(found)


def test_a_damaged_gzip_is_told(write: Write) -> None:
    whole = gzip.compress(b'{"a": 1}\n' * 100)
    path = write("m.jsonl.gz", whole[:15] + b"\xff\xff\xff" + whole[18:])
    with pytest.raises(SettingsError, match="cannot be read further"):
        rows(path)


def test_a_folder_and_an_absent_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        RowFile(str(tmp_path))
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        RowFile(str(tmp_path / "nothing.jsonl"))


def test_a_pipe_has_no_size_and_a_file_tells_how_far_it_was_read(write: Write) -> None:
    path = write("m.jsonl", b'{"a": 1}\n' * 3)
    with RowFile(path) as file:
        assert (file.size, file.position) == (27, 0)
        assert len(list(file)) == 3
        assert file.position == 27
    inward, outward = os.pipe()
    os.write(outward, b'{"a": 1}\n')
    os.close(outward)
    with RowFile(f"/dev/fd/{inward}") as piped:
        assert (piped.size, piped.position) == (None, 0)
        assert len(list(piped)) == 1
    os.close(inward)
