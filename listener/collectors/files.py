"""Posts from CSV and JSON-lines exports of any tool and any size.

:func:`inspect` reads a file once and says how it will be understood; :class:`Files` then streams it.
``docs/importing.md`` tells users the same.
"""

from __future__ import annotations

import hashlib
import html
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from listener.collectors import Collector, Coverage, Cursor, Options, Page, Readiness, Reject
from listener.collectors import columns as c
from listener.collectors.dates import Dates, OrderVotes, has_zone, kind_of, majority
from listener.collectors.rows import (
    CsvRows,
    Damaged,
    Dialect,
    JsonRows,
    Source,
    cell,
    dialect_of,
    dig,
    flatten,
    opened,
)
from listener.errors import InputError
from listener.mention import Author, Post, Query

SAMPLE_ROWS = 1_000
LONGEST_TEXT = 100_000  # characters; nothing people post is longer, a broken export may be
LONGEST_PAYLOAD = 100_000  # characters of a rejected row that are kept aside
TWITTER_EPOCH = 1_288_834_974.657
NOBODY = Author()
TAG = re.compile(r"<[^<>]{1,2000}>")
BREAK = re.compile(r"<br\s*/?>|</p>\s*<p[^>]*>", re.I)


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


class Rules(NamedTuple):
    """All that turns cells into a post, settled once per file."""

    dates: Callable[[str], datetime] = Dates()
    platform: str = "file"
    namespace: str = ""
    by_content: bool = False
    markup: bool = False
    lon_first: bool = False


@dataclass(frozen=True)
class Plan:
    """How a file will be read. ``mapping`` is field → column; ``notes`` are sentences to print.

    ``rows`` counts data rows, ``bytes`` the file on disk; ``examples`` is a sample value by field.
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
    notes: tuple[str, ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)

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
        )

    def cutter(self) -> Callable[[Any], tuple[str, ...]]:
        """A function from one row to its cells in the order of ``columns.FIELDS``."""
        if self.dialect.format == "csv":
            return _csv_cutter(self.columns, self.mapping)
        return _json_cutter(self.columns, self.mapping)


def _csv_cutter(
    columns: Sequence[str], mapping: Mapping[str, str]
) -> Callable[[list[str]], tuple[str, ...]]:
    """Fields without a column point at an empty cell that is put after the last one."""
    width = len(columns)
    position = {name: index for index, name in enumerate(columns)}
    indexes: list[int] = []
    joins: list[tuple[str, tuple[int, ...]]] = []
    for name in c.FIELDS:
        column = mapping.get(name)
        if column is None:
            indexes.append(width)
        elif column in position:
            indexes.append(position[column])
        else:
            joins.append((_joiner(name), tuple(position[part] for part in column.split("+"))))
            indexes.append(width + len(joins))
    pick = itemgetter(*indexes)

    def cut(row: list[str]) -> tuple[str, ...]:
        if len(row) < width:
            row += [""] * (width - len(row))
        cells = [*row[:width], ""]
        if joins:
            cells += [joiner.join([row[i] for i in join if row[i]]) for joiner, join in joins]
        found: tuple[str, ...] = pick(cells)
        return found

    return cut


def _json_cutter(
    columns: Sequence[str], mapping: Mapping[str, str]
) -> Callable[[dict[str, Any]], tuple[str, ...]]:
    paths = [
        ()
        if name not in mapping
        else (_path(mapping[name]),)
        if mapping[name] in columns
        else tuple(_path(part) for part in mapping[name].split("+"))
        for name in c.FIELDS
    ]
    joiners = [_joiner(name) for name in c.FIELDS]

    def cut(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(
            [
                ""
                if not parts
                else cell(_get(row, parts[0]))
                if len(parts) == 1
                else joiner.join(filter(None, (cell(_get(row, p)) for p in parts)))
                for parts, joiner in zip(paths, joiners, strict=True)
            ]
        )

    return cut


def _joiner(name: str) -> str:
    """What stands between two columns that are read as one: a title goes above its text."""
    return "\n" if name == "text" else " "


def _path(column: str) -> tuple[str, ...]:
    return (column, *column.split("."))


def _get(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    """A key that holds dots itself wins over the nested reading of the same name."""
    value = row.get(path[0])
    return value if value is not None or len(path) == 2 else dig(row, path[1:])


def build(cells: tuple[str, ...], raw: Mapping[str, Any], rules: Rules) -> Post:
    """One row as a Post. Pure. ValueError says which cell cannot be read, and what it held."""
    (
        id_, text, created, author_id, handle, name, followers, location, time_zone, url,
        conversation, reply_to, repost_of, language, country, coordinates, lat, lon, place,
        likes, replies, reposts, views, platform, inbound,
    ) = cells  # fmt: skip
    when = rules.dates(created)
    if "\x00" in text:
        text = text.replace("\x00", "")
    if rules.markup and "<" in text:
        text = TAG.sub("", BREAK.sub("\n", text))
    if "&" in text:
        text = html.unescape(text)
    if not text or text.isspace():
        raise ValueError("the text is empty")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"the text has {len(text):,} characters; a post has at most 100,000")
    # isdecimal() first, here and below: it spares the common case a call, and rows come in millions
    if author_id and not author_id.isdecimal():
        author_id = c.whole_id(author_id)
    if handle:
        handle = handle.strip().lstrip("@")
    elif author_id and not author_id.isdigit() and not author_id.startswith("did:"):
        handle = author_id
    native = id_ if id_.isdecimal() else c.whole_id(id_)
    prefix = rules.namespace
    if rules.by_content or not native or "E+" in native or "e+" in native:
        said = f"{author_id or handle or name}\x1f{int(when.timestamp())}\x1f{text}"
        native = "c" + hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:20]
    elif prefix:
        native = prefix + native
    link = None if rules.by_content else prefix
    where = None
    if coordinates:
        where = c.pair(coordinates, rules.lon_first or "Point" in coordinates)
    elif lat and lon:
        where = c.point(c.decimal(lat), c.decimal(lon))
    code = country.strip() if country else ""
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        place, code = (f"{place}, {code}" if place else code), ""
    return Post(
        c.platform_name(platform) if platform else rules.platform,
        native,
        text,
        when,
        Author(
            author_id or None,
            handle or None,
            name or None,
            int(followers) if followers.isdecimal() else c.count(followers),
            location or None,
            time_zone or None,
        )
        if author_id or handle or name
        else NOBODY,
        url or None,
        _linked(conversation, link) if conversation else None,
        _linked(reply_to, link) if reply_to else None,
        _linked(repost_of, link) if repost_of else None,
        c.language_tag(language) if language else None,
        code.upper() or None,
        where,
        place or None,
        int(likes) if likes.isdecimal() else c.count(likes),
        int(replies) if replies.isdecimal() else c.count(replies),
        int(reposts) if reposts.isdecimal() else c.count(reposts),
        int(views) if views.isdecimal() else c.count(views),
        (),
        None,
        c.flag(inbound) if inbound else None,
        False,
        raw,
    )


def _linked(value: str, prefix: str | None) -> str | None:
    """The id of another row; None when the file's ids are not trusted and so lead nowhere."""
    found = c.whole_id(value)
    if prefix is None or not found or found in ("-1", "0"):
        return None
    return prefix + found


def inspect(path: str | Path, options: FilesOptions | None = None) -> Plan:
    """Read the file once and settle how to understand it. Raises InputError, which says what to do.

    The pass counts rows, tells day from month, and checks the ids: 16 bytes of memory a row.
    """
    options = options or FilesOptions()
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one file (CSV or JSON lines, .gz is fine)")
    dialect = dialect_of(path, options.encoding, options.delimiter)
    columns, samples, first = _sample(path, dialect)
    mapping = {**c.guess(columns, samples), **_asked(options.map, columns)}
    _require(path, mapping, columns, samples)
    cut = Plan.cutter(_Draft(dialect, columns, mapping))  # type: ignore[arg-type]
    position = {name: i for i, name in enumerate(c.FIELDS)}
    sampled = [cut(row) for row in first]
    created = [cells[position["created"]] for cells in sampled]
    kind, _ = majority(created)
    if kind is None and any(v.strip() for v in created):
        raise InputError(
            f"{path}: column {mapping['created']!r} holds no times we can read, such as "
            f"{next(v for v in created if v.strip())[:40]!r}. The columns are: {', '.join(columns)}. "
            "Say which it is with --map created=COLUMN"
        )
    scan = _scan(path, dialect, cut, kind == "numeric")
    order, doubt = scan.votes.verdict()
    notes = list(_dialect_notes(dialect))
    if options.date_order != "auto":
        order, doubt = options.date_order, ""
    notes += [doubt] if doubt else []
    if any(v.strip() and not has_zone(v.strip()) for v in created):
        notes.append(
            f"times carry no time zone; read as {options.timezone} (change with --timezone)"
        )
    zone = UTC if options.timezone == "UTC" else ZoneInfo(options.timezone)
    dates = Dates(kind or "iso", zone, order)
    ids = [cells[0] for cells in sampled if cells[0].strip()]
    key, why = _trust(options.key, ids, scan, mapping)
    notes += [why] if why else []
    platform, why = _platform(options.platform, mapping, sampled, dates)
    notes += [why] if why else []
    fingerprint = hashlib.sha256(
        repr((columns, cut(first[0]) if first else ())).encode()
    ).hexdigest()[:16]
    namespace = ""
    if key == "id" and _private(ids):
        namespace = fingerprint[:6] + "-"
        notes.append(
            "ids are short numbers that another file may use too; in keys they start with "
            f"{namespace} (made from this file's heads and first row)"
        )
    return Plan(
        path=path,
        dialect=dialect,
        columns=columns,
        mapping=mapping,
        platform=platform,
        key=key,
        namespace=namespace,
        dates=dates,
        markup=any(
            re.search(r"<(p|br|a|span)\b", cells[position["text"]]) for cells in sampled[:200]
        ),
        rows=scan.rows,
        bytes=path.stat().st_size,
        fingerprint=fingerprint,
        notes=tuple(notes),
        examples={
            name: next((cells[i] for cells in sampled if cells[i].strip()), "")[:60]
            for name, i in position.items()
            if name in mapping
        },
    )


class _Draft(NamedTuple):
    """As much of a plan as cutting rows needs."""

    dialect: Dialect
    columns: tuple[str, ...]
    mapping: Mapping[str, str]


def _rows(
    source: Source, dialect: Dialect, cut: Callable[[Any], tuple[str, ...]] | None = None
) -> CsvRows | JsonRows:
    """The rows of an open file. ``cut`` lets a CSV tell a row by the time in it."""
    if dialect.format != "csv":
        return JsonRows(source, dialect)
    if cut is None:
        return CsvRows(source, dialect)
    return CsvRows(source, dialect, lambda cells: kind_of(cut(cells)[2].strip()) is not None)


def _sample(
    path: Path, dialect: Dialect
) -> tuple[tuple[str, ...], dict[str, list[str]], list[Any]]:
    """Columns, sample values by column, and the first rows themselves."""
    first: list[Any] = []
    with opened(path) as source:
        for row in _rows(source, dialect):
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
    """``--map`` as given, once every name in it is known."""
    for name, column in asked.items():
        if name not in c.FIELDS:
            raise InputError(f"--map {name}={column}: the fields are {', '.join(c.FIELDS)}")
        missing = [p for p in (column, *column.split("+")) if p not in columns]
        if column not in columns and len(missing) > 1:
            raise InputError(
                f"--map {name}={column}: the file has no column {missing[-1]!r}. "
                f"Its columns are: {', '.join(columns)}"
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
        raise InputError(f"{path} has heads ({', '.join(columns[:20])}) but no row below them")
    what = {"text": "the text of the post", "created": "when it was written"}
    raise InputError(
        f"{path}: no column seems to hold {' or '.join(what[m] for m in missing)}. "
        f"Its columns are: {', '.join(columns)}. "
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


def _scan(path: Path, dialect: Dialect, cut: Callable[[Any], tuple[str, ...]], vote: bool) -> _Scan:
    """The whole file once: rows, ids that repeat, and of those the ones with other content."""
    import numpy as np

    ids, contents, votes, rows = array("q"), array("q"), OrderVotes(), 0
    with opened(path) as source:
        for row in _rows(source, dialect, cut):
            rows += 1
            if isinstance(row, Damaged):
                continue
            cells = cut(row)
            if cells[0]:
                ids.append(hash(cells[0]))
                contents.append(hash(cells[1:6]))
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
    asked: str, ids: Sequence[str], scan: _Scan, mapping: Mapping[str, str]
) -> tuple[Literal["id", "content"], str]:
    """Whether ids name posts; a sentence when they do not."""
    if asked == "content":
        return "content", "rows are keyed by author, time and text, as asked"
    if "id" not in mapping:
        if asked == "id":
            raise InputError("--key id needs a column of ids; name it with --map id=COLUMN")
        return "content", "no column holds ids; rows are keyed by author, time and text"
    column = mapping["id"]
    reason = ""
    rounded = [i for i in ids if len(i) >= 17 and i.isdigit() and i.endswith("000")]
    if scan.conflicting:
        reason = f"{scan.conflicting:,} ids in {column!r} repeat with other content"
    elif any(re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", i.strip()) for i in ids):
        reason = f"ids in {column!r} are rounded (scientific notation)"
    elif len(rounded) > 0.5 * max(1, len(ids)):
        reason = f"ids in {column!r} are rounded (most end in 000)"
    if not reason:
        return "id", ""
    if asked == "id":
        return "id", f"{reason}; they are trusted all the same, as asked"
    links = ", and replies cannot be joined to what they answer" if "reply_to" in mapping else ""
    return "content", (
        f"{reason}; they are not trusted: rows are keyed by author, time and text{links}"
    )


def _private(ids: Sequence[str]) -> bool:
    """Ids that count from 1 within one export, and so would collide with the next export's."""
    numbers = [int(i) for i in map(c.whole_id, ids) if i.isdigit() and len(i) < 12]
    return len(numbers) > 0.9 * len(ids) and bool(numbers) and min(numbers) < 100_000


def _platform(
    asked: str | None,
    mapping: Mapping[str, str],
    sampled: Sequence[tuple[str, ...]],
    dates: Dates,
) -> tuple[str, str]:
    """The platform of rows that do not name one, and a sentence that says how it was found."""
    if asked:
        return c.platform_name(asked), ""
    position = {name: i for i, name in enumerate(c.FIELDS)}
    if "platform" in mapping:
        return "file", ""
    hosts = [
        c.PLATFORMS.get((urlsplit(cells[position["url"]]).hostname or "").removeprefix("www."))
        for cells in sampled
        if cells[position["url"]].startswith("http")
    ]
    known = [h for h in hosts if h]
    if known and len(known) > 0.5 * len(hosts):
        best = max(set(known), key=known.count)
        return best, f"platform: {best}, by the links (change with --platform)"
    if any(cells[0].startswith("at://") for cells in sampled[:50]):
        return "bluesky", "platform: bluesky, by the ids (change with --platform)"
    if any("tweet" in column.lower() for column in mapping.values()):
        return "x", "platform: x, by the heads (change with --platform)"
    if _snowflakes(sampled, dates):
        return "x", "platform: x, since the ids hold the times (change with --platform)"
    return "file", "platform: file, since nothing says which (change with --platform)"


def _snowflakes(sampled: Sequence[tuple[str, ...]], dates: Dates) -> bool:
    """Ids of X hold their time in milliseconds above bit 22; ours must agree within a minute."""
    checked = agreed = 0
    for cells in sampled[:100]:
        if cells[0].isdigit() and len(cells[0]) >= 15:
            checked += 1
            try:
                told = dates(cells[2]).timestamp()
            except ValueError:
                continue
            agreed += abs((int(cells[0]) >> 22) / 1000 + TWITTER_EPOCH - told) < 60
    return checked > 0 and agreed > 0.9 * checked


class Files(Collector):
    """CSV and JSON lines. ``position`` is how many bytes of the file have been read."""

    platform = "files"
    summary = "CSV and JSON-lines exports of any tool"
    options = FilesOptions
    everything = True

    position: int = 0
    plan: Plan | None = None

    @property
    def _options(self) -> FilesOptions:
        options = self.context.options
        return (
            options
            if isinstance(options, FilesOptions)
            else FilesOptions(**options.model_dump(exclude_unset=True))
        )

    def check(self, queries: Sequence[Query], every_seconds: int) -> Readiness:
        """Ready when the file is there; nothing is asked of any platform and nothing costs."""
        path = self._options.path
        if not path:
            return Readiness(False, "no path: say which file to read, or use `groundswell import`")
        if not Path(path).is_file():
            return Readiness(False, f"{path} is not here")
        return Readiness(True, f"reads {path}")

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        """All rows after the cursor's. A cursor of another file (or of none) starts at the top."""
        options = self._options
        if not options.path:
            raise InputError("the files collector needs a path")
        plan = self.plan
        if plan is None or plan.path != Path(options.path):
            plan = self.plan = inspect(options.path, options)
        done = 0
        if cursor and cursor.get("fingerprint") == plan.fingerprint:
            done = int(cursor.get("row", 0))
        with opened(plan.path) as source:
            yield from self._pages(plan, source, done, options.batch)

    def _pages(self, plan: Plan, source: Source, done: int, batch: int) -> Iterator[Page]:
        cut, rules, columns = plan.cutter(), plan.rules, plan.columns
        width = len(columns)
        posts: list[Post] = []
        rejects: list[Reject] = []
        number = 0
        for number, row in enumerate(_rows(source, plan.dialect, cut), 1):
            if number <= done:
                continue
            try:
                if isinstance(row, Damaged):
                    raise ValueError(row.reason)
                if isinstance(row, dict):
                    raw = row
                else:
                    raw = dict(zip(columns, row, strict=False))
                    if len(row) > width and any(row[width:]):
                        raise ValueError(f"{len(row)} cells where the heads have {width}")
                posts.append(build(cut(row), raw, rules))
            except (ValueError, OverflowError, RecursionError) as error:
                rejects.append(Reject(str(error), f"row {number}", _payload(row)))
            if len(posts) + len(rejects) >= batch:
                self.position = source.position()
                yield self._page(plan, posts, rejects, number)
                posts, rejects = [], []
        self.position = plan.bytes
        yield self._page(plan, posts, rejects, max(number, done), complete=True)

    @staticmethod
    def _page(
        plan: Plan, posts: list[Post], rejects: list[Reject], row: int, complete: bool = False
    ) -> Page:
        times = [p.created_at for p in posts]
        return Page(
            posts=posts,
            cursor={"row": row, "fingerprint": plan.fingerprint},
            coverage=Coverage(
                asked=len(posts) + len(rejects),
                returned=len(posts),
                requests=0,
                window_start=min(times, default=None),
                window_end=max(times, default=None),
            ),
            rejected=rejects,
            complete=complete,
            # An export that says what answers what carries its conversations: nobody answered there
            # means that nobody did. One that does not leaves its threads unknown.
            threads_read=bool({"reply_to", "conversation"} & set(plan.mapping)),
        )

    @staticmethod
    def to_post(payload: Mapping[str, Any]) -> Post:
        """A row whose keys are the fields themselves (``text``, ``created``, ``author_handle`` …)."""
        for name in ("text", "created"):
            if not cell(payload.get(name)).strip():
                raise ValueError(f"the field {name!r} is missing or empty")
        cells = tuple(cell(payload.get(name)) for name in c.FIELDS)
        return build(cells, dict(payload), Rules())


def _payload(row: Any) -> str:
    """What stood in a rejected row, as text, cut where it is absurdly long."""
    if isinstance(row, Damaged):
        return row.payload[:LONGEST_PAYLOAD]
    return cell(row)[:LONGEST_PAYLOAD]
