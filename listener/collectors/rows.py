"""Bytes of an export into rows, one at a time, whatever state the file is in.

Nothing here ends an import: a row that cannot be read comes out as :class:`Damaged` and the next one
follows. Memory holds one row, however large the file is.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from listener.collectors.columns import recognised
from listener.errors import InputError

HEAD_BYTES = 1 << 18
LONGEST_CELL = 12_000_000  # characters; a cell of 10 MB is read, an unclosed quote is stopped
LONGEST_RECORD = 5_000  # lines that one quoted row may span before its quote counts as unclosed
DELIMITERS = ",;\t|"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are not UTF-8 as cp1252: files glued together from two programs have both."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("groundswell.cp1252", _as_cp1252)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A row that cannot be read: why, and what stood there."""

    reason: str
    payload: str


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
        raise InputError(f"{path} is empty; an export has a line of heads and a row for each post")
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
        at = max(range(min(30, len(rows))), key=lambda i: (recognised(rows[i][1]), -i))
        if recognised(rows[at][1]) == 0:
            at = next((i for i, (_, row) in enumerate(rows) if len(row) == width), 0)
        known = recognised(rows[at][1])
        score = (float(min(known, 3)), same / len(rows[-40:]) if width > 1 else 0.0, float(known))
        if best is None or score > best[0]:
            best = (score, skip + rows[at][0], tuple(rows[at][1]), candidate)
    if best is None:
        raise InputError(f"{path} has no row that can be read as CSV or JSON lines")
    return best[1], best[2], best[3]


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


class _Runaway(Exception):
    """A quoted cell has run over more lines than any post has."""


class CsvRows:
    """Rows of a CSV file after its heads, as lists of cells; :class:`Damaged` where one is broken.

    A quote that opens and never closes would swallow what follows, up to the next such quote or to the
    end of the file: the line that opened it is given up and reading goes on with the next line.
    ``is_row`` tells whether cells are a row of this file, and so whether a quote has swallowed any.
    """

    def __init__(
        self,
        source: Source,
        dialect: Dialect,
        is_row: Callable[[list[str]], bool] = lambda cells: False,
    ) -> None:
        self._is_row = is_row
        self.width = len(dialect.heads)
        self._delimiter = dialect.delimiter
        self._newline = dialect.newline
        self._lines: Iterator[str] = iter(source.text(dialect))
        self._again: list[str] = []  # lines to read again, last first
        self._record: list[str] = []
        self._ended = False
        csv.field_size_limit(LONGEST_CELL)
        for _ in range(dialect.skip):
            next(self._lines, None)
        next(self._reader(), None)  # the heads themselves
        self._record.clear()

    def _feed(self) -> Iterator[str]:
        record = self._record
        while self._again:
            record.append(self._again.pop())
            yield record[-1]
        for line in self._lines:
            if len(record) >= LONGEST_RECORD:
                self._again.append(line)
                raise _Runaway
            if "\r" in line and self._newline:
                # A carriage return inside a row of a file whose rows end in LF: programs that do not
                # quote it write it all the same, and the csv module would end the row there.
                line = line.removesuffix("\r\n").replace("\r", " ") + "\n"
            record.append(line)
            yield line
        self._ended = True

    def _swallowed(self, record: list[str]) -> bool:
        """Whether most lines after the first are whole rows by themselves."""
        rows = sum(
            len(cells) == self.width and self._is_row(cells)
            for cells in csv.reader((line for line in record[1:]), delimiter=self._delimiter)
        )
        return rows > 0.5 * (len(record) - 1)

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._feed(), delimiter=self._delimiter)

    def __iter__(self) -> Iterator[list[str] | Damaged]:
        reader, record, width = self._reader(), self._record, self.width
        while True:
            try:
                for row in reader:
                    if len(record) > 1 and (
                        self._ended or len(row) != width or self._swallowed(record)
                    ):
                        break
                    if len(record) == 1 and self._ended and record[0].count('"') % 2:
                        break
                    record.clear()
                    if row:
                        yield row
                else:
                    return
                reason = "a quote opens in this row and is not closed"
            except _Runaway:
                reason = f"a quote opens in this row and is not closed in {LONGEST_RECORD} lines"
            except csv.Error as error:
                reason = f"the row cannot be read as CSV: {error}"
            except (EOFError, OSError, zlib.error) as error:
                yield Damaged(f"the file is damaged from here on: {error}", "".join(record)[:2000])
                return
            first, *rest = record or [""]
            self._again.extend(reversed(rest))
            record.clear()
            self._ended = False
            yield Damaged(reason, first)
            reader = self._reader()


class JsonRows:
    """Objects of a JSON-lines file; a line of a whole API answer gives one object for each post."""

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self._lines = source.text(dialect)

    def __iter__(self) -> Iterator[dict[str, Any] | Damaged]:
        try:
            for line in self._lines:
                if line.isspace():
                    continue
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield Damaged(f"the line is not JSON: {error}", line)
                    continue
                if not isinstance(found, dict):
                    yield Damaged("the line is JSON, but no object", line)
                    continue
                if "\\ud" in line or "\\uD" in line:
                    found = _without_halves(found)
                if "data" in found and isinstance(found["data"], list | dict):
                    yield from _answer(found)
                else:
                    yield found
        except (EOFError, OSError, zlib.error) as error:
            yield Damaged(f"the file is damaged from here on: {error}", "")


def _without_halves(value: Any) -> Any:
    """Half surrogate pairs cannot be stored as UTF-8; they become the replacement character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(k): _without_halves(v) for k, v in value.items()}
    return value


def _answer(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The posts of one X API v2 answer, each with its author and place from ``includes``."""
    data = answer["data"] if isinstance(answer["data"], list) else [answer["data"]]
    found = answer.get("includes")
    includes: dict[str, Any] = found if isinstance(found, dict) else {}
    users, places = (
        {item.get("id"): item for item in includes.get(name, ()) if isinstance(item, dict)}
        for name in ("users", "places")
    )
    for post in data:
        if not isinstance(post, dict):
            continue
        author = users.get(post.get("author_id"))
        tagged = post.get("geo")
        geo: dict[str, Any] = tagged if isinstance(tagged, dict) else {}
        place = places.get(geo.get("place_id"), {})
        yield {
            **post,
            **({"author": author} if author else {}),
            **({"geo": {**place, **geo, "full_name": place.get("full_name")}} if place else {}),
        }


def flatten(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(dotted path, scalar or short list) of a nested object; items of a list go by their ``type``."""
    if isinstance(value, dict) and depth < 6:
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        if value and all(isinstance(i, dict) for i in value):
            for item in value[:5]:
                if isinstance(item.get("type"), str):
                    yield from flatten(item, f"{path}.{item['type']}", depth + 1)
        elif path and len(value) <= 10:
            yield path, value
            if value and isinstance(value[0], str):
                yield f"{path}.0", value[0]
    elif path:
        yield path, value


def dig(value: Any, path: tuple[str, ...]) -> Any:
    """The value at a dotted path, None when there is none; see :func:`flatten`."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            if key.isdigit():
                value = value[int(key)] if int(key) < len(value) else None
            else:
                value = next(
                    (i for i in value if isinstance(i, dict) and i.get("type") == key), None
                )
        else:
            return None
    return value


def cell(value: Any) -> str:
    """A JSON value as the cell that a CSV would hold."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
