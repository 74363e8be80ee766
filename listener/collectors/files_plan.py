"""How an export will be read: one pass over the file settles columns, dates, platform and ids."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from listener.collectors import Options
from listener.collectors import columns as c
from listener.collectors.dates import (
    UNKNOWN_ZONE,
    Dates,
    OrderVotes,
    has_zone,
    kind_of,
    majority,
    names_a_zone,
    without_zone,
)
from listener.collectors.dialect import DATED, Dialect, Source, dialect_of, opened
from listener.collectors.files_posts import Cutter, Rules, cutter
from listener.collectors.rows import CsvRows, Damaged, JsonRows, cell, flatten
from listener.errors import EmptyInput, InputError
from listener.faults import near

SAMPLE_ROWS = 1_000
AT = {name: index for index, name in enumerate(c.FIELDS)}
HOST = re.compile(r"https?://(?:www\.)?([\w.-]+)")
SAID = c.FIELDS[:6]  # id, text, time and author: what makes two rows one post, or two
TOLD = (*SAID, "title")  # and what stands in for a text that is empty
MARKUP = re.compile(r"<(p|br|a|span)\b")
SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
TWITTER_EPOCH = 1_288_834_974.657  # seconds; ids of X count from here


class FilesOptions(Options):
    """How an export is read; everything has a default that is guessed from the file."""

    path: str = Field("", description="The file: CSV or JSON lines, plain or .gz.")
    map: dict[str, str] = Field(
        default_factory=dict,
        description="Field to column, where the guess is wrong: text: Message. 'Date+Time' joins.",
    )
    platform: str | None = Field(
        None, description="What keys start with, for files that do not say it themselves."
    )
    timezone: str = Field("UTC", description="The zone of times that carry none (IANA name).")
    encoding: str | None = Field(None, description="The file's encoding, when the guess is wrong.")
    delimiter: str | None = Field(None, description="One of , ; tab |, when the guess is wrong.")
    key: Literal["auto", "id", "content"] = Field(
        "auto", description="What makes two rows one post: their id, or author, time and text."
    )
    date_order: Literal["auto", "dmy", "mdy"] = Field(
        "auto", description="Whether 3/4/2024 is in April (dmy) or in March (mdy)."
    )
    batch: int = Field(2_000, ge=1, le=50_000, description="Posts a page.")

    @field_validator("map")
    @classmethod
    def _fields(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name not in c.FIELDS:
                hint = near(name, c.FIELDS)
                raise ValueError(f"names {name!r}{hint}; the fields are {', '.join(c.FIELDS)}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                "is no time zone of the IANA list; write it as Europe/Berlin"
            ) from error
        return value


@dataclass(frozen=True)
class Plan:
    """How a file will be read. ``mapping`` is field → column; ``notes`` are sentences to print.

    ``rows`` counts data rows, ``bytes`` the file on disk; ``examples`` is a sample value by field.
    ``fingerprint`` is of the columns and of the first row whole: where it changes, a file is read anew.
    ``start`` is of what the first row says: where it is the same, the rows keep their keys. ``keyed``
    reads times as when the rows got keys of their content, where that is not how they are read now.
    """

    path: Path
    dialect: Dialect
    columns: tuple[str, ...]
    mapping: Mapping[str, str]
    platform: str
    key: Literal["id", "content"]
    namespace: str
    dates: Dates
    markup: bool
    rows: int
    bytes: int
    fingerprint: str
    start: str = ""
    notes: tuple[str, ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)
    keyed: Dates | None = None

    @property
    def read_as(self) -> str:
        """See :func:`as_read`."""
        return as_read(self.dates)

    def keyed_as(self, read_as: str) -> Plan:
        """The same plan for rows that got their keys when times were read like this."""
        zone, _, order = read_as.rpartition(" ")
        if read_as == self.read_as:
            return replace(self, keyed=None)
        read = replace(self.dates, zone=UTC if zone == "UTC" else ZoneInfo(zone), order=order)
        return replace(self, keyed=read)

    @property
    def rules(self) -> Rules:
        where = self.mapping.get("coordinates", "")
        return Rules(
            self.dates,
            self.platform,
            self.namespace,
            self.key == "content",
            self.markup,
            where.endswith("coordinates.coordinates"),
            self.keyed,
        )

    @property
    def threads_read(self) -> bool:
        """Whether the replies in the file lead to the rows that they answer, so that nobody answered
        there means that nobody did.

        They do not where ids are not trusted, nor in Mastodon's own payloads, whose rows go by their
        ``uri`` while ``in_reply_to_id`` is the server's number.
        """
        id_, reply = (self.mapping.get(f, "").rpartition(".")[2] for f in ("id", "reply_to"))
        if self.key != "id" or (id_ == "uri" and reply == "in_reply_to_id"):
            return False
        return bool({"reply_to", "conversation"} & set(self.mapping))

    def cutter(self) -> Cutter:
        """A function from one row to its cells in the order of ``columns.FIELDS``."""
        return cutter(self.dialect.format, self.columns, self.mapping)


class Glance(NamedTuple):
    """What the first rows of a file tell; see :class:`Plan`."""

    dialect: Dialect
    columns: tuple[str, ...]
    mapping: dict[str, str]
    samples: dict[str, list[str]]
    sampled: list[tuple[str, ...]]
    created: list[str]
    kind: str


def glance(path: Path, options: FilesOptions) -> Glance:
    """Whether the file's first rows can be understood, and how; the price does not grow with the file.

    Raises InputError, which says what to do.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one file (CSV or JSON lines, .gz is fine)")
    dialect = dialect_of(path, options.encoding, options.delimiter)
    columns, samples, first = _sample(path, dialect)
    if dialect.format == "jsonl" and not samples:
        raise InputError(
            f"{path}: none of its lines is a JSON object with values; an import reads JSON lines, one "
            f"post a line. A document over several lines becomes that with: jq -c . {path.name}"
        )
    mapping = {**c.guess(columns, samples), **_asked(options.map, columns)}
    _require(path, mapping, columns, samples)
    cut = cutter(dialect.format, columns, mapping)
    sampled = [cut(row) for row in first]
    created = [cells[AT["created"]].strip() for cells in sampled]
    kind = _kind_of_times(path, created, mapping["created"], columns)
    return Glance(dialect, columns, mapping, samples, sampled, created, kind)


def as_read(dates: Dates) -> str:
    """How these read times that do not say it themselves: ``Europe/Berlin dmy``."""
    return f"{dates.zone} {dates.order}"


def inspect(path: str | Path, options: FilesOptions | None = None) -> Plan:
    """Read the file once and settle how to understand it. Raises InputError, which says what to do.

    The pass counts rows, tells day from month, and checks the ids: 16 bytes of memory a row.
    """
    options, path = options or FilesOptions(), Path(path)
    head = glance(path, options)
    dialect, columns, mapping, sampled = head.dialect, head.columns, head.mapping, head.sampled
    created, kind = head.created, head.kind
    said = {name: mapping[name] for name in TOLD if name in mapping}
    scan = _scan(path, dialect, cutter(dialect.format, columns, said), kind == "numeric")
    notes = list(_dialect_notes(dialect))
    dates = _dates(options, kind, scan.votes, created, notes)
    notes += _zone_notes(mapping["created"], columns, head.samples, created)
    ids = [cells[AT["id"]] for cells in sampled if cells[AT["id"]].strip()]
    key = _trust(options.key, ids, scan, mapping, notes)
    platform = _platform(options.platform, mapping, sampled, dates, notes)
    first_row = sampled[0] if sampled else ()
    start = _hash([first_row[AT[name]] for name in SAID] if first_row else [])
    return Plan(
        path=path,
        dialect=dialect,
        columns=columns,
        mapping=mapping,
        platform=platform,
        key=key,
        namespace=_namespace(key, ids, start, notes),
        dates=dates,
        markup=any(MARKUP.search(cells[AT["text"]]) for cells in sampled[:200]),
        rows=scan.rows,
        bytes=path.stat().st_size,
        # Without the title, which came later: files that a store follows are the same files still.
        fingerprint=_hash((columns, first_row[: AT["title"]])),
        start=start,
        notes=tuple(notes),
        examples={
            name: next((cells[i] for cells in sampled if cells[i].strip()), "")[:60]
            for name, i in AT.items()
            if name in mapping
        },
    )


def _listed(columns: Sequence[str], most: int = 60) -> str:
    """The columns for a message; of a broken file, some of them, and not to the end of a long one."""
    names = [name if len(name) <= 80 else name[:79] + "…" for name in columns[:most]]
    more = f" and {len(columns) - most:,} more" if len(columns) > most else ""
    return ", ".join(names) + more


def _kind_of_times(path: Path, created: Sequence[str], column: str, columns: Sequence[str]) -> str:
    """The format most times are in. Raises InputError when the column holds no times at all."""
    kind, _ = majority(created)
    if kind is None and any(created):
        first = next(filter(None, created))
        zone = f" ({UNKNOWN_ZONE})" if kind_of(without_zone(first)) is not None else ""
        raise InputError(
            f"{path}: column {column!r} holds no times we can read, such as "
            f"{first[:40]!r}{zone}. The columns are: {_listed(columns)}. "
            "Say which it is with --map created=COLUMN"
        )
    return kind or "iso"


def _dates(
    options: FilesOptions, kind: str, votes: OrderVotes, created: Sequence[str], notes: list[str]
) -> Dates:
    order, doubt = votes.verdict()
    if options.date_order != "auto":
        order, doubt = options.date_order, ""
    if doubt:
        notes.append(doubt)
    if any(value and not has_zone(value) for value in created):
        notes.append(
            f"times carry no time zone; read as {options.timezone} (change with --timezone)"
        )
    zone = UTC if options.timezone == "UTC" else ZoneInfo(options.timezone)
    return Dates(kind, zone, order)


ZONE_HEADS = {
    "timezone",
    "time_zone",
    "tz",
    "utc_offset",
    "gmt_offset",
    "tz_offset",
    "timezone_offset",
}


def _zone_notes(
    column: str,
    columns: Sequence[str],
    samples: Mapping[str, Sequence[str]],
    created: Sequence[str],
) -> Iterator[str]:
    """A column of zones beside times that carry none may be theirs, or the author's: it is told."""
    if all(has_zone(value) for value in created if value):
        return
    for other in columns:
        values = [v for v in samples.get(other, ()) if v.strip()]
        if c.plain(other) in ZONE_HEADS and values and all(map(names_a_zone, values[:50])):
            yield (
                f"the column {other!r} is not read; if it holds the zones of the times, add "
                f"--map created={column}+{other}"
            )


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "replace")).hexdigest()[:16]


def _namespace(key: str, ids: Sequence[str], start: str, notes: list[str]) -> str:
    """What ids that count from 1 are told apart by from the next export's; empty for other ids.

    Keys that appear further down in a file that grows, and likes that change, leave it as it is.
    """
    if key != "id" or not _private(ids):
        return ""
    notes.append(
        "ids are short numbers that another file may use too; in keys they start with six characters "
        "made from this file's first row"
    )
    return start[:6] + "-"


def known_namespace(plan: Plan, cursor: Mapping[str, Any] | None) -> str:
    """The namespace that this file's rows have in the store already, else the plan's.

    Cursors from before they named it are of files whose namespace was made from the fingerprint.
    """
    if not plan.namespace or not cursor:
        return plan.namespace
    if "start" not in cursor:
        same = cursor.get("fingerprint") == plan.fingerprint
        return plan.fingerprint[:6] + "-" if same else plan.namespace
    return str(cursor["namespace"]) if cursor["start"] == plan.start else plan.namespace


def rows_of(
    source: Source, dialect: Dialect, cut: Cutter | None = None, *, wait: bool = False
) -> CsvRows | JsonRows:
    """The rows of an open file. ``cut`` lets a CSV tell a row by the time in it; ``wait`` leaves a last
    row that is not written to its end."""
    if dialect.format != "csv":
        return JsonRows(source, dialect, wait=wait)
    if cut is None:
        return CsvRows(source, dialect, wait=wait)
    return CsvRows(
        source, dialect, lambda cells: kind_of(cut(cells)[2].strip()) is not None, wait=wait
    )


def _sample(
    path: Path, dialect: Dialect
) -> tuple[tuple[str, ...], dict[str, list[str]], list[Any]]:
    """Columns, sample values by column, and the first rows themselves."""
    first: list[Any] = []
    with opened(path) as source:
        for row in rows_of(source, dialect):
            if not isinstance(row, Damaged):
                first.append(row)
                if len(first) >= SAMPLE_ROWS:
                    break
    samples: dict[str, list[str]] = {}
    if dialect.format == "csv":
        columns = c.unique(dialect.heads)
        for index, name in enumerate(columns):
            samples[name] = [row[index] for row in first if index < len(row)]
        return columns, samples, first
    for row in first:
        for dotted, value in flatten(row):
            samples.setdefault(dotted, []).append(cell(value))
    return tuple(samples), samples, first


def _asked(asked: Mapping[str, str], columns: Sequence[str]) -> dict[str, str]:
    """``--map`` as given, once every column in it is known."""
    for name, column in asked.items():
        missing = [p for p in (column, *column.split("+")) if p not in columns]
        if column not in columns and len(missing) > 1:
            raise InputError(
                f"--map {name}={column}: the file has no column {missing[-1]!r}. "
                f"Its columns are: {_listed(columns)}"
            )
    return dict(asked)


def _require(
    path: Path,
    mapping: Mapping[str, str],
    columns: Sequence[str],
    samples: Mapping[str, Sequence[str]],
) -> None:
    missing = [name for name in ("text", "created") if name not in mapping]
    if not missing:
        return
    if not any(samples.values()):
        raise EmptyInput(f"{path} has heads ({_listed(columns)}) but no row below them")
    headless = any(map(DATED.search, columns))
    hint = " (its first line is taken for the heads: if it is a post, write heads above it)"
    what = {"text": "the text of the post", "created": "when it was written"}
    raise InputError(
        f"{path}: no column seems to hold {' or '.join(what[m] for m in missing)}. "
        f"Its columns are: {_listed(columns)}{hint if headless else ''}. "
        "Say which it is with " + " ".join(f"--map {m}=COLUMN" for m in missing)
    )


def _dialect_notes(dialect: Dialect) -> Iterator[str]:
    if dialect.encoding not in ("utf-8-sig", "utf-8"):
        yield f"the file is read as {dialect.encoding} (change with --encoding)"
    if dialect.skip:
        yield f"{dialect.skip} line(s) above the heads are left out"


class _Scan(NamedTuple):
    rows: int
    repeated: int
    conflicting: int
    votes: OrderVotes


def _scan(path: Path, dialect: Dialect, cut: Cutter, vote: bool) -> _Scan:
    """The whole file once: rows, ids that repeat, and of those the ones with other content."""
    import numpy as np

    ids, contents, votes, rows = array("q"), array("q"), OrderVotes(), 0
    with opened(path) as source:
        for row in rows_of(source, dialect, cut):
            rows += 1
            if isinstance(row, Damaged):
                continue
            cells = cut(row)
            if cells[0]:
                ids.append(hash(cells[0]))
                said = cells[1 : len(SAID)]
                contents.append(hash(said if said[0].strip() else (*said, cells[AT["title"]])))
            if vote:
                votes.add(cells[2].strip())
    if not len(ids):
        return _Scan(rows, 0, 0, votes)
    order = np.argsort(np.frombuffer(ids, dtype=np.int64), kind="stable")
    sorted_ids = np.frombuffer(ids, dtype=np.int64)[order]
    sorted_contents = np.frombuffer(contents, dtype=np.int64)[order]
    same = sorted_ids[1:] == sorted_ids[:-1]
    other = same & (sorted_contents[1:] != sorted_contents[:-1])
    return _Scan(rows, int(same.sum()), int(other.sum()), votes)


def _trust(
    asked: str, ids: Sequence[str], scan: _Scan, mapping: Mapping[str, str], notes: list[str]
) -> Literal["id", "content"]:
    """Whether ids name posts; a note when they do not."""
    if asked == "content":
        notes.append("rows are keyed by author, time and text, as asked")
        return "content"
    if "id" not in mapping:
        if asked == "id":
            raise InputError("--key id needs a column of ids; name it with --map id=COLUMN")
        notes.append("no column holds ids; rows are keyed by author, time and text")
        return "content"
    column = mapping["id"]
    rounded = [i for i in ids if len(i) >= 17 and i.isdigit() and i.endswith("000")]
    if scan.conflicting:
        reason = f"{scan.conflicting:,} ids in {column!r} repeat with other content"
    elif any(SCIENTIFIC.fullmatch(i.strip()) for i in ids):
        reason = f"ids in {column!r} are rounded (scientific notation)"
    elif len(rounded) > 0.5 * max(1, len(ids)):
        reason = f"ids in {column!r} are rounded (most end in 000)"
    else:
        return "id"
    if asked == "id":
        notes.append(f"{reason}; they are trusted all the same, as asked")
        return "id"
    links = ", and replies cannot be joined to what they answer" if "reply_to" in mapping else ""
    notes.append(f"{reason}; they are not trusted: rows are keyed by author, time and text{links}")
    return "content"


def _private(ids: Sequence[str]) -> bool:
    """Ids that count from 1 within one export, and so would collide with the next export's."""
    numbers = [int(i) for i in map(c.whole_id, ids) if i.isdigit() and len(i) < 12]
    return len(numbers) > 0.9 * len(ids) and bool(numbers) and min(numbers) < 100_000


def _platform(
    asked: str | None,
    mapping: Mapping[str, str],
    sampled: Sequence[tuple[str, ...]],
    dates: Dates,
    notes: list[str],
) -> str:
    """The platform of rows that do not name one; a note says how it was found."""
    if asked:
        return c.platform_name(asked)
    if "platform" in mapping:
        return "file"
    hosts = [
        c.PLATFORMS.get(host[1].lower())
        for cells in sampled
        if (host := HOST.match(cells[AT["url"]]))
    ]
    known = [name for name in hosts if name]
    if known and len(known) > 0.5 * len(hosts):
        found, why = max(set(known), key=known.count), "by the links"
    elif any(cells[AT["id"]].startswith("at://") for cells in sampled[:50]):
        found, why = "bluesky", "by the ids"
    elif any("tweet" in column.lower() for column in mapping.values()):
        found, why = "x", "by the heads"
    elif _snowflakes(sampled, dates):
        found, why = "x", "since the ids hold the times"
    else:
        found, why = "file", "since nothing says which"
    notes.append(f"platform: {found}, {why} (change with --platform)")
    return found


def _snowflakes(sampled: Sequence[tuple[str, ...]], dates: Dates) -> bool:
    """Ids of X hold their time in milliseconds above bit 22; ours must agree within a minute."""
    checked = agreed = 0
    for cells in sampled[:100]:
        if cells[AT["id"]].isdigit() and len(cells[AT["id"]]) >= 15:
            checked += 1
            try:
                told = dates(cells[AT["created"]]).timestamp()
            except ValueError:
                continue
            agreed += abs((int(cells[AT["id"]]) >> 22) / 1000 + TWITTER_EPOCH - told) < 60
    return checked > 0 and agreed > 0.9 * checked
