"""Files of messages as rows: JSON lines, a JSON array, CSV, TSV or plain text, gzipped or not.

Each row comes as the bytes of one JSON document, as a record of the log would carry it, so that
commands read a file exactly as the worker reads a topic.
"""

import csv
import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

from pydantic_core import from_json, to_json

from afterguard.contracts.errors import SettingsError

Stream: TypeAlias = "io.BufferedReader[io.FileIO] | gzip.GzipFile"

T = TypeVar("T")

STDIN: Final = "-"
_ARRAY_LIMIT: Final = 64 * 2**20
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_LOOKED_AT: Final = 512


class RowFormat(StrEnum):
    """How rows are written in a file."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"
    TEXT = "text"


_SUFFIXES: Final = {
    ".jsonl": RowFormat.JSONL,
    ".ndjson": RowFormat.JSONL,
    ".json": RowFormat.JSON,
    ".csv": RowFormat.CSV,
    ".tsv": RowFormat.TSV,
    ".txt": RowFormat.TEXT,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        line: Where it begins, counted from 1; for a JSON array, its position there.
        value: One JSON document; None when the row cannot be read.
        fault: Why it cannot be read. Never quotes the row.
    """

    line: int
    value: bytes | None
    fault: str = ""


class _Unreadable(Exception):
    """The file is not what its format says; the message tells why, without quoting it."""


class RowFile:
    """An open file of rows.

    An empty cell of a CSV file is null, so that `default` applies to it. A line of plain text is
    the `content` of its row. Blank lines are no rows.

    Args:
        name: A path, or `-` for standard input.
        row_format: None to go by the name: `.jsonl`, `.json`, `.csv`, `.tsv`, `.txt`, each with
            `.gz` or without. Standard input and unknown names are read as JSON lines.
        max_row_bytes: A longer row is a row with a fault; it is passed over unread.

    Raises:
        SettingsError: The file cannot be read, here or later while iterating.
    """

    def __init__(
        self, name: str, row_format: RowFormat | None = None, *, max_row_bytes: int = 16 * 2**20
    ) -> None:
        self.name = "standard input" if name == STDIN else name
        self._max = max_row_bytes
        self.format = row_format or _format_of(name)
        try:
            self._raw = io.FileIO(os.dup(0) if name == STDIN else name, "rb")
        except OSError as error:
            raise SettingsError([f"{self.name}: cannot be read: {error.strerror}"]) from None
        self._plain = io.BufferedReader(self._raw)
        status = os.fstat(self._raw.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        # Not through the buffer: a thread that waits for input inside it holds its lock.
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes of the file that were read so far, compressed as they stand; 0 for a pipe."""
        with suppress(OSError, ValueError):
            return self._raw.tell()
        return 0

    def __iter__(self) -> Iterator[Row]:
        return self._told(self._rows)

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """The lines of a table as they stand, each with its number; none is taken for a header."""
        return self._told(lambda: self._cells(self._opened()[0]))

    def _told(self, read: Callable[[], Iterator[T]]) -> Iterator[T]:
        try:
            yield from read()
        except _Unreadable as error:
            raise SettingsError([f"{self.name}: {error}"]) from None
        except (OSError, EOFError, zlib.error) as error:
            raise SettingsError([f"{self.name}: cannot be read further: {error}"]) from None

    def _opened(self) -> tuple[Stream, bytes]:
        """The text, unpacked, and how it begins."""
        # No second buffer around the first: it would wait for a full block of a slow pipe.
        plain = self._plain
        packed = plain.peek(2)[:2] == _GZIP
        stream: Stream = gzip.GzipFile(fileobj=plain) if packed else plain
        begin = stream.peek(_LOOKED_AT)[:_LOOKED_AT]
        if b"\0" in begin:
            raise _Unreadable("holds zero bytes: either binary, or UTF-16; save it as UTF-8")
        if begin.startswith(_BOM):
            stream.read(len(_BOM))
            begin = begin.removeprefix(_BOM)
        return stream, begin

    def _rows(self) -> Iterator[Row]:
        stream, begin = self._opened()
        match self.format:
            case RowFormat.JSON if begin.lstrip().startswith(b"["):
                return self._array(stream)
            case RowFormat.JSON | RowFormat.JSONL:
                return self._json_lines(stream)
            case RowFormat.TEXT:
                return self._text_lines(stream)
            case RowFormat.CSV | RowFormat.TSV:
                return self._table(stream)

    def _json_lines(self, stream: Stream) -> Iterator[Row]:
        for number, line in _lines(stream, self._max):
            if line is None:
                yield self._too_long(number)
            elif document := line.strip():
                yield Row(number, document)

    def _text_lines(self, stream: Stream) -> Iterator[Row]:
        for number, line in _lines(stream, self._max):
            if line is None:
                yield self._too_long(number)
            elif line.strip():
                yield _as_json(number, {"content": _text(line).rstrip("\r\n")})

    def _array(self, stream: Stream) -> Iterator[Row]:
        whole = stream.read(_ARRAY_LIMIT + 1)
        if len(whole) > _ARRAY_LIMIT:
            raise _Unreadable(f"a JSON array of more than {_ARRAY_LIMIT} bytes; use JSON lines")
        try:
            elements = from_json(whole)
        except ValueError as error:
            raise _Unreadable(f"no JSON array: {error}") from None
        for number, element in enumerate(elements, start=1):
            yield _as_json(number, element)

    def _table(self, stream: Stream) -> Iterator[Row]:
        lines = self._cells(stream)
        _, names = next(lines, (1, []))
        header = _checked_header(names)
        for begins, cells in lines:
            if len(cells) > len(header):
                yield Row(begins, None, f"{len(cells)} cells under {len(header)} columns")
            elif cells:
                filled = zip(header, cells, strict=False)
                yield _as_json(begins, {column: cell or None for column, cell in filled})

    def _cells(self, stream: Stream) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(self._max)
        delimiter = "\t" if self.format is RowFormat.TSV else ","
        reader = csv.reader(self._decoded(stream), delimiter=delimiter)
        begins = 1
        try:
            for cells in reader:
                yield begins, cells
                begins = reader.line_num + 1
        except csv.Error as error:  # where the next row begins is not known any more
            raise _Unreadable(f"line {begins}: cannot be read further: {error}") from None

    def _decoded(self, stream: Stream) -> Iterator[str]:
        for number, line in _lines(stream, self._max):
            if line is None:
                raise _Unreadable(f"line {number}: longer than {self._max} bytes")
            yield _text(line)

    def _too_long(self, line: int) -> Row:
        return Row(line, None, f"longer than {self._max} bytes")


def _format_of(name: str) -> RowFormat:
    return _SUFFIXES.get(Path(name.lower().removesuffix(".gz")).suffix, RowFormat.JSONL)


def _lines(stream: Stream, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for a line over the limit, which is passed over unread."""
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        if len(line) <= limit or line.endswith(b"\n"):
            yield number, line
            continue
        while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
            pass
        yield number, None


def _checked_header(header: list[str]) -> list[str]:
    if not header or not all(header) or len(set(header)) < len(header):
        raise _Unreadable("the first row must name each column, and each but once")
    if len(header) == 1 and (other := next((it for it in ";\t|" if it in header[0]), None)):
        raise _Unreadable(
            f"the first row has one column, with {other!r} in its name; is the format right?"
        )
    return header


def _text(line: bytes) -> str:
    # What is no UTF-8 is told for its row alone, by `_as_json`.
    return line.decode("utf-8", "surrogateescape")


def _as_json(line: int, document: object) -> Row:
    try:
        return Row(line, to_json(document))
    except ValueError:
        return Row(line, None, "not UTF-8")
