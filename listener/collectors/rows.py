"""The rows of an export, one at a time, whatever state the file is in.

Nothing here ends an import: a row that cannot be read comes out as :class:`Damaged` and the next one
follows. Memory holds one row, however large the file is.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from listener.collectors.dialect import LONGEST_CELL, LONGEST_LINE, Dialect, Source, TooLong

LONGEST_RECORD = 5_000  # lines that one quoted row may span before its quote counts as unclosed


@dataclass(frozen=True, slots=True)
class Damaged:
    """A row that cannot be read: why, and what stood there."""

    reason: str
    payload: str


class _Runaway(Exception):
    """A quoted cell has run over more lines than any post has."""


class _Overlong(Exception):
    """A line that no row can have."""


OVERLONG = f"the line has more than {LONGEST_LINE:,} characters"


class CsvRows:
    """Rows of a CSV file after its heads, as lists of cells; :class:`Damaged` where one is broken.

    A quote that opens and never closes would swallow what follows, up to the next such quote or to the
    end of the file: the line that opened it is read by itself, and reading goes on with the next line.
    ``is_row`` tells whether cells are a row of this file, and so whether a quote has swallowed any.
    ``wait``: a last row that is not written to its end (no line break, an open quote, an archive that
    breaks off) is not read, and ``left`` then says so.
    """

    left = False

    def __init__(
        self,
        source: Source,
        dialect: Dialect,
        is_row: Callable[[list[str]], bool] = lambda cells: False,
        *,
        wait: bool = False,
    ) -> None:
        self._is_row = is_row
        self._wait = wait
        self.width = len(dialect.heads)
        self._delimiter = dialect.delimiter
        self._newline = dialect.newline
        self._lines = source.lines(dialect)
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
            if isinstance(record[-1], TooLong):
                raise _Overlong
            yield record[-1]
        for line in self._lines:
            if len(record) >= LONGEST_RECORD:
                self._again.append(line)
                raise _Runaway
            if isinstance(line, TooLong):
                record.append(line)
                raise _Overlong
            if "\r" in line and self._newline:
                # A carriage return inside a row of a file whose rows end in LF: programs that do not
                # quote it write it all the same, and the csv module would end the row there.
                end = "\n" if line.endswith("\n") else ""
                line = line.removesuffix("\n").removesuffix("\r").replace("\r", " ") + end
            record.append(line)
            yield line
        self._ended = True

    def _swallowed(self, record: list[str]) -> bool:
        """Whether most lines after the first are whole rows by themselves."""
        rows = sum(
            self._alone(line, csv.QUOTE_MINIMAL) is not None
            or self._alone(line, csv.QUOTE_NONE) is not None
            for line in record[1:]
        )
        return rows > 0.5 * (len(record) - 1)

    def _unfinished(self, record: list[str]) -> bool:
        """Whether the file ends inside of this row, and not far behind a quote that never closes."""
        if not self._ended and record[-1].endswith(("\n", "\r")):
            return False
        return len(record) == 1 or not self._swallowed(record)

    def _alone(self, line: str, quoting: Literal[0, 3]) -> list[str] | None:
        """The cells of one line, if they are a row of this file. Without quoting, quotes are only
        characters, as in many tab-separated files."""
        try:
            cells = next(csv.reader([line], delimiter=self._delimiter, quoting=quoting), [])
        except csv.Error:
            return None
        return cells if len(cells) == self.width and self._is_row(cells) else None

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._feed(), delimiter=self._delimiter)

    def __iter__(self) -> Iterator[list[str] | Damaged]:
        reader, record, width = self._reader(), self._record, self.width
        while True:
            try:
                for row in reader:
                    if self._wait and self._unfinished(record):
                        self.left = True
                        return
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
            except _Overlong:
                reason = "a quote opens in this row and is not closed before a line without an end"
            except csv.Error as error:
                reason = f"the row cannot be read as CSV: {error}"
            except (EOFError, OSError, zlib.error) as error:
                if self._wait and isinstance(error, EOFError):
                    self.left = True
                    return
                yield Damaged(f"the file is damaged from here on: {error}", "".join(record)[:2000])
                return
            first, *rest = record or [""]
            self._again.extend(reversed(rest))
            record.clear()
            self._ended = False
            if isinstance(first, TooLong):
                yield Damaged(OVERLONG, first)
            else:
                yield self._alone(first, csv.QUOTE_NONE) or Damaged(reason, first)
            reader = self._reader()


class JsonRows:
    """Objects of a JSON-lines file; a line of a whole API answer gives one object for each post.

    ``wait``: a last line that is not written to its end is not read, and ``left`` then says so.
    """

    left = False

    def __init__(self, source: Source, dialect: Dialect, *, wait: bool = False) -> None:
        self._wait = wait
        self._lines = source.lines(dialect)

    def __iter__(self) -> Iterator[dict[str, Any] | Damaged]:
        try:
            for line in self._lines:
                if isinstance(line, TooLong):
                    yield Damaged(OVERLONG, line)
                    continue
                if line.isspace():
                    continue
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError) as error:
                    if self._wait and not line.endswith(("\n", "\r")):
                        self.left = True
                        return
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
            if self._wait and isinstance(error, EOFError):
                self.left = True
                return
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
        elif value is None:
            return None
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
