"""How a file is written, by its first bytes: packing, encoding, delimiter, where its heads stand."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from listener.collectors.columns import recognised
from listener.errors import EmptyInput, InputError

HEAD_BYTES = 1 << 18
LONGEST_CELL = 12_000_000  # characters; a cell of 10 MB is read, an unclosed quote is stopped
DATED = re.compile(r"\d[-/.]\d{1,2}[-/.]\d|\d:\d\d|^\d{9,}$")  # a cell that tells a time
DELIMITERS = ",;\t|"


LONGEST_LINE = 2 * LONGEST_CELL
# What people hand over in place of an export, by its first bytes, and what to do about it.
OTHERS = (
    (
        b"PK\x03\x04",
        "an Excel workbook, or another zip archive",
        "save the sheet as CSV, or unpack it",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"%PDF", "a PDF", "export the posts as CSV"),
    (b"SQLite format 3", "an SQLite database", "export the posts as CSV"),
    (b"BZh", "packed by bzip2", "unpack it, or pack it by gzip"),
    (b"\xfd7zXZ", "packed by xz", "unpack it, or pack it by gzip"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "unpack it, or pack it by gzip"),
    (b"<!doctype html", "a web page", "download the export itself; a sign-in may be in between"),
    (b"<html", "a web page", "download the export itself; a sign-in may be in between"),
)


class TooLong(str):
    """The beginning of a line that is longer than any row can be; its rest was passed over."""


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are not UTF-8 as cp1252: files glued together from two programs have both."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("groundswell.cp1252", _as_cp1252)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. ``skip`` counts lines above the heads; ``heads`` are cells as found."""

    format: str
    encoding: str
    errors: str = "strict"
    delimiter: str = ","
    skip: int = 0
    heads: tuple[str, ...] = ()
    newline: str = "\n"


class Source:
    """An open file: its text, and how many of its bytes on disk have been read so far."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb", buffering=0)
            magic = self._file.read(2)
            self._file.seek(0)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
        plain = io.BufferedReader(self._file, 1 << 20)
        self.binary: io.BufferedReader[Any] | gzip.GzipFile = plain
        self._opened: list[io.IOBase] = [plain]
        if magic == b"\x1f\x8b":
            # Not buffered again: a buffer would lose what stands before a break.
            self.binary = gzip.GzipFile(fileobj=plain)
            self._opened.append(self.binary)

    def position(self) -> int:
        """Bytes read from the disk so far (compressed bytes, where the file is compressed)."""
        return self._file.tell()

    def text(self, dialect: Dialect) -> io.TextIOWrapper[Any]:
        """The decoded lines; ``dialect.newline`` is what ends one."""
        wrapped = io.TextIOWrapper(
            self.binary, encoding=dialect.encoding, errors=dialect.errors, newline=dialect.newline
        )
        self._opened.append(wrapped)
        return wrapped

    def lines(self, dialect: Dialect) -> Iterator[str]:
        """The decoded lines, one at a time. One without an end does not fill the memory: it comes as
        :class:`TooLong`, cut."""
        text, ends = self.text(dialect), dialect.newline or ("\n", "\r")
        while line := text.readline(LONGEST_LINE):
            if len(line) < LONGEST_LINE or line.endswith(ends):
                yield line
                continue
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(ends):
                rest = text.readline(LONGEST_LINE)
            yield TooLong(line[:2_000])

    def close(self) -> None:
        for layer in reversed(self._opened):
            layer.close()
        self._file.close()


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The file, closed afterwards."""
    source = Source(path)
    try:
        yield source
    finally:
        source.close()


def head_of(path: Path) -> bytes:
    """The first quarter megabyte, decompressed."""
    head = b""
    with opened(path) as source:
        try:
            while len(head) < HEAD_BYTES and (more := source.binary.read1(HEAD_BYTES)):
                head += more
        except (EOFError, OSError, zlib.error) as error:
            if not head:
                raise InputError(f"{path} cannot be read: {error}") from error
    return head


def sniff_encoding(head: bytes) -> tuple[str, str]:
    """(encoding, error handler). UTF-8 unless the bytes say otherwise; then UTF-16 or cp1252."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32", "replace"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "replace"
    even, odd = head[0:4000:2].count(0), head[1:4000:2].count(0)
    half = max(1, len(head[:4000]) // 2)
    if odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le", "replace"
    if even > 0.4 * half and odd < 0.1 * half:
        return "utf-16-be", "replace"
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
    wrong = text.count("\ufffd")
    right = sum(c > "\x7f" for c in text) - wrong
    if wrong > right:
        return "cp1252", "replace"
    return "utf-8-sig", "groundswell.cp1252"


def dialect_of(path: Path, encoding: str | None = None, delimiter: str | None = None) -> Dialect:
    """How the file is written: JSONL or CSV, encoding, delimiter, and where its heads stand."""
    head = head_of(path)
    if not head.strip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"):
        raise EmptyInput(f"{path} is empty; an export has a line of heads and a row for each post")
    begins = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:20]
    for magic, what, advice in OTHERS:
        if begins.startswith(magic) or begins.lower().startswith(magic):
            raise InputError(f"{path} is {what}, no CSV and no JSON lines: {advice}")
    if encoding is None:
        name, errors = sniff_encoding(head)
    else:
        try:
            name, errors = codecs.lookup(encoding).name, "replace"
        except LookupError as error:
            raise InputError(
                f"--encoding {encoding!r} is not known; common are utf-8, utf-16, cp1252, latin-1"
            ) from error
        name = "utf-8-sig" if name == "utf-8" else name
    text = codecs.getincrementaldecoder(name)(errors).decode(head)
    first = text.lstrip("\ufeff \r\n\t")[:1]
    if first == "{":
        return Dialect("jsonl", name, errors)
    if first == "[" and text.lstrip("\ufeff \r\n\t")[1:].lstrip()[:1] in ("{", "]"):
        raise InputError(
            f"{path} is one JSON array; an import streams JSON lines, one object a line. "
            f"Turn it with: jq -c '.[]' {path.name} > posts.jsonl"
        )
    newline = "\n" if "\n" in text else ""  # "" also takes the lone CR of very old programs
    if newline:
        text = text.replace("\r\n", "\n").replace("\r", " ")
    skip, heads, found = _csv_heads(path, text, delimiter, len(head) < HEAD_BYTES)
    return Dialect("csv", name, errors, found, skip, heads, newline)


def _csv_heads(
    path: Path, text: str, delimiter: str | None, whole: bool
) -> tuple[int, tuple[str, ...], str]:
    """(lines above the heads, heads, delimiter): the reading in which rows agree on their width."""
    lines = io.StringIO(text, newline="").readlines()
    if len(lines) > 1 and not whole:
        lines.pop()
    skip = 0
    if lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        delimiter, skip = delimiter or lines[0].strip()[-1], 1
    if delimiter == "\\t" or delimiter == "tab":
        delimiter = "\t"
    if delimiter is not None and len(delimiter) != 1:
        raise InputError(f"--delimiter {delimiter!r} must be one character: , ; tab or |")
    best: tuple[tuple[float, ...], int, tuple[str, ...], str] | None = None
    for candidate in delimiter or DELIMITERS:
        rows = _some_rows(lines[skip:], candidate)
        if not rows:
            continue
        widths = Counter(len(row) for _, row in rows[-40:])
        width, same = widths.most_common(1)[0]
        at = max(range(min(30, len(rows))), key=lambda i: (_likely_heads(rows[i][1]), -i))
        likely = _likely_heads(rows[at][1])
        if likely == 0:
            at = next((i for i, (_, row) in enumerate(rows) if len(row) == width), 0)
        elif likely == 1:
            at = _above([row for _, row in rows[: at + 1]])
        known = recognised(rows[at][1])
        score = (float(min(known, 3)), same / len(rows[-40:]) if width > 1 else 0.0, float(known))
        if best is None or score > best[0]:
            best = (score, skip + rows[at][0], tuple(rows[at][1]), candidate)
    if best is None:
        raise InputError(f"{path} has no row that can be read as CSV or JSON lines")
    return best[1], best[2], best[3]


def _likely_heads(row: list[str]) -> int:
    """How many heads that we know are in a row; one alone in a row with a time is a cell of a post
    ("Post", "tweet")."""
    known = recognised(row)
    return known if known > 1 or not any(map(DATED.search, row)) else 0


def _above(rows: list[list[str]]) -> int:
    """Where the heads stand, if only one cell of the last of these rows is a head that we know: it may
    be a cell of a post, and then the first row that is filled as far as it is has the heads."""
    width, filled = len(rows[-1]), sum(map(bool, rows[-1]))
    return next(
        i
        for i, row in enumerate(rows)
        if len(row) == width and (sum(map(bool, row)) >= max(2, filled - 1) or i + 1 == len(rows))
    )


def _some_rows(lines: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """The first rows with the line each starts on; stops quietly where they cannot be read."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(iter(lines), delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    start = 0
    try:
        for row in reader:
            if any(row):
                rows.append((start, row))
            start = reader.line_num
            if len(rows) >= 200:
                break
    except csv.Error:
        pass
    return rows
