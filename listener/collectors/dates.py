"""When a row was written, from whatever an export writes: one reader is chosen per file, then reused.

The common formats are cut by position, which is some twenty times faster than guessing each value
again; a value that does not fit its file's format is tried against all of them before it is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

OLDEST_YEAR = 1990
MONTHS = {
    name: number
    for number, name in enumerate(
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(),  # noqa: SIM905
        1,
    )
}
# Hours from UTC of the zones that exports name. RFC 2822 settles those of North America; BST is taken
# for Britain's. What names several zones (IST, AST) or half a year's (ET) is in none.
HOURS = {
    "UT": 0, "UTC": 0, "GMT": 0, "WET": 0,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3,
    "BST": 1, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "WAT": 1, "CAT": 2, "SAST": 2, "EAT": 3, "PKT": 5, "WIB": 7, "HKT": 8, "SGT": 8, "JST": 9, "KST": 9,
    "AWST": 8, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
_NAMED = "|".join(sorted(HOURS, key=len, reverse=True))
TWITTER = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [+-]\d{4} \d{4}")
SPACED = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:\.\d{1,6})?) "
    rf"({_NAMED}|[+-]\d\d:?\d\d)"
)
NUMBER = re.compile(r"\d{9,16}(?:\.\d+)?(?:[eE]\+?\d+)?")
COMPACT = re.compile(
    r"(?:199\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])?(?:[0-5]\d){0,2}"
)
SERIAL = re.compile(r"[2-7]\d{4}(?:[.,]\d+)?")
NUMERIC = re.compile(
    r"(\d{1,4})([/.\-])(\d{1,2})\2(\d{1,4})"
    r"(?:[ T,]+(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:\.\d+)?)?)?"
    r"\s*(?:([AaPp])(?:\.?[Mm])?(?![A-Za-z]))?\.?"
    rf"\s*(Z|{_NAMED}|[+-]\d\d:?\d\d)?"
)
MAIL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)? "
    r"(?:GMT|UTC?|[ECMP][SD]T|[+-]\d{4})"
)
_ZONE = re.compile(
    rf"(?:Z|[+-]\d\d:?\d\d)$|\d:\d\d(?::\d\d)?(?:\.\d+)?(?: ?[AaPp]\.?[Mm]\.?)? ?\b(?:{_NAMED})\b"
)
_PLACE = re.compile(r"(.*\d.*?)\s*\[?\b([A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+){1,2})\]?")
_ANY_ZONE = re.compile(r"(\d:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?) [A-Z]{2,5}\b")
UNKNOWN_ZONE = "its time zone is not known; write it as +01:00"
DAY_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - day 0 of spreadsheets; its zone is the file's

Order = str  # "mdy", "dmy" or "ymd"


@lru_cache(64)
def offset(text: str) -> tzinfo:
    """``+0530``, ``-08:00``, ``Z``, ``UTC``, ``EST`` as a zone."""
    if text in ("Z", "UTC", "GMT", "+0000", "-0000", "+00:00"):
        return UTC
    if text in HOURS:
        return timezone(timedelta(hours=HOURS[text]))
    digits = text.replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return timezone(timedelta(minutes=-minutes if digits[0] == "-" else minutes))


def _aware(found: datetime, zone: tzinfo) -> datetime:
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    if found.tzinfo is not UTC:
        found = found.astimezone(UTC)
    if not OLDEST_YEAR <= found.year <= 2100:
        raise ValueError(f"the year {found.year} is outside {OLDEST_YEAR} to 2100")
    return found


def twitter(text: str, zone: tzinfo) -> datetime:
    """``Tue Oct 31 22:10:47 +0000 2017``."""
    if len(text) != 30:
        raise ValueError(text)
    return _aware(
        datetime(
            int(text[26:30]),
            MONTHS[text[4:7]],
            int(text[8:10]),
            int(text[11:13]),
            int(text[14:16]),
            int(text[17:19]),
            tzinfo=offset(text[20:25]),
        ),
        zone,
    )


def iso(text: str, zone: tzinfo) -> datetime:
    """ISO 8601 as Python reads it."""
    if text.isdigit():
        raise ValueError(text)
    return _aware(datetime.fromisoformat(text), zone)


def spaced(text: str, zone: tzinfo) -> datetime:
    """ISO 8601 with a space before the offset: ``2015-02-24 11:35:52 -0800``, ``… UTC``, ``… EST``."""
    cut = text.rfind(" ")
    if cut < 16:
        raise ValueError(text)
    return _aware(datetime.fromisoformat(text[:cut]).replace(tzinfo=offset(text[cut + 1 :])), zone)


def number(text: str, zone: tzinfo) -> datetime:
    """Seconds, milliseconds or microseconds since 1970, told apart by their size."""
    value = float(text)
    if value >= 1e14:
        value /= 1e6
    elif value >= 1e11:
        value /= 1e3
    return _aware(datetime.fromtimestamp(value, UTC), zone)


def compact(text: str, zone: tzinfo) -> datetime:
    """``20260301``, ``202603011405``, ``20260301140500``: digits alone, which count nothing."""
    if len(text) not in (8, 12, 14):
        raise ValueError(text)
    parts = [int(text[:4]), *(int(text[at : at + 2]) for at in range(4, len(text), 2))]
    return _aware(datetime(*parts), zone)  # type: ignore[arg-type]  # noqa: DTZ001


@lru_cache(256)
def zone_behind(text: str) -> tuple[str, ZoneInfo] | None:
    """``2026-03-01 14:05 Europe/Berlin`` and ``…+01:00[Europe/Berlin]`` as time and zone."""
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    try:
        return found[1], ZoneInfo(found[2])
    except (KeyError, ValueError, OSError):  # no zone of the list, or a name that is no file's
        return None


def zoned(text: str, zone: tzinfo, order: Order) -> datetime:
    """A time of any other format with the name of its zone behind it; an offset in it wins."""
    found = zone_behind(text)
    if found is None or (kind := kind_of(found[0])) in (None, "zoned"):
        raise ValueError(text)
    return Dates(str(kind), found[1], order)(found[0])


def serial(text: str, zone: tzinfo) -> datetime:
    """Days since 1899-12-30, as spreadsheets store times."""
    return _aware(DAY_EPOCH + timedelta(days=float(text.replace(",", "."))), zone)


def mail(text: str, zone: tzinfo) -> datetime:
    """``Tue, 31 Oct 2017 22:10:47 GMT`` (RFC 2822)."""
    if not MAIL.fullmatch(text):  # the standard library would read "10:10 pm" as 10:10
        raise ValueError(text)
    return _aware(parsedate_to_datetime(text), zone)


def numeric(text: str, zone: tzinfo, order: Order) -> datetime:
    """``31/10/2017 22:10``, ``10/31/17 10:10 PM``, ``2017.10.31``; ``order`` settles day and month."""
    found = NUMERIC.fullmatch(text)
    if found is None:
        raise ValueError(text)
    first, _, second, third, hour, minute, second_, half, away = found.groups()
    if len(first) == 4:
        year, month, day = int(first), int(second), int(third)
    else:
        month, day = int(first), int(second)
        if (order == "dmy" and month <= 31 and day <= 12) or month > 12:
            month, day = day, month
        year = int(third) + (2000 if len(third) <= 2 else 0)
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half in "Pp" else 0)
    moment = datetime(  # noqa: DTZ001 - _aware gives it the zone
        year, month, day, hours, int(minute or 0), int(second_ or 0)
    )
    return _aware(moment.replace(tzinfo=offset(away)) if away else moment, zone)


@lru_cache(4096)
def spelled(text: str, zone: tzinfo, order: Order) -> datetime:
    """Anything else that names a day (``31 October 2017, 10:10pm``), slowly, by dateutil.

    dateutil fills what is missing from today, so a value is only taken when two different defaults
    agree: then day, month and year all stood in the text.
    """
    import warnings

    seconds = {name: hours * 3600 for name, hours in HOURS.items()}
    from dateutil.parser import (  # type: ignore[import-untyped]
        ParserError,
        UnknownTimezoneWarning,
        parse,
    )

    try:
        with warnings.catch_warnings():
            # A zone that dateutil does not know would be dropped, and the hour would be wrong.
            warnings.simplefilter("error", UnknownTimezoneWarning)
            one, other = (
                parse(text, default=datetime(*d), dayfirst=order == "dmy", tzinfos=seconds)  # noqa: DTZ001
                for d in ((2001, 1, 1), (2004, 2, 2))
            )
    except UnknownTimezoneWarning as error:
        raise ValueError(UNKNOWN_ZONE) from error
    except (ParserError, OverflowError, TypeError, AttributeError) as error:
        raise ValueError(text) from error
    if one != other:
        raise ValueError("it does not name a day, a month and a year")
    return _aware(one, zone)


def kind_of(text: str) -> str | None:
    """Which format ``text`` is in, None when in none."""
    if TWITTER.fullmatch(text):
        return "twitter"
    if SPACED.fullmatch(text):
        return "spaced"
    if len(text) in (8, 12, 14) and COMPACT.fullmatch(text):
        return "compact"
    if NUMBER.fullmatch(text):
        return "number"
    if SERIAL.fullmatch(text):
        return "serial"
    if NUMERIC.fullmatch(text) and not text[:4].isdigit():
        return "numeric"
    try:
        iso(text, UTC)
        return "iso"
    except ValueError:
        pass
    if NUMERIC.fullmatch(text):
        return "numeric"
    if (behind := zone_behind(text)) is not None and kind_of(behind[0]) is not None:
        return "zoned"
    if any(c.isalpha() for c in text) and any(c.isdigit() for c in text) and len(text) < 60:
        for reader, name in ((mail, "mail"), (lambda t, z: spelled(t, z, "mdy"), "spelled")):
            try:
                reader(text, UTC)
                return name
            except (ValueError, TypeError, IndexError):
                continue
    return None


READERS: dict[str, Callable[[str, tzinfo], datetime]] = {
    "twitter": twitter,
    "iso": iso,
    "spaced": spaced,
    "compact": compact,
    "number": number,
    "serial": serial,
    "mail": mail,
}


@dataclass(frozen=True)
class Dates:
    """How one file writes its times. Calling it reads a value as aware UTC; ValueError says why not."""

    kind: str = "iso"
    zone: tzinfo = UTC
    order: Order = "mdy"
    _primary: Callable[[str, tzinfo], datetime] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_primary", self._reader(self.kind))

    def _reader(self, kind: str) -> Callable[[str, tzinfo], datetime]:
        order = self.order
        if kind == "numeric":
            return lambda text, zone: numeric(text, zone, order)
        if kind == "spelled":
            return lambda text, zone: spelled(text, zone, order)
        if kind == "zoned":
            return lambda text, zone: zoned(text, zone, order)
        return READERS[kind]

    def __call__(self, text: str) -> datetime:
        try:
            return self._primary(text, self.zone)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, OSError):
            return self._other(text.strip())

    def _other(self, text: str) -> datetime:
        if not text:
            raise ValueError("the time is empty")
        kind = kind_of(text)
        if kind is None and kind_of(without_zone(text)) is not None:
            raise ValueError(f"the time {text[:40]!r} cannot be: {UNKNOWN_ZONE}")
        if kind is None:
            raise ValueError(f"the time {text[:40]!r} is in no format we know")
        try:
            return self._reader(kind)(text, self.zone)
        except (KeyError, TypeError, IndexError, OverflowError, OSError, ValueError) as error:
            raise ValueError(f"the time {text[:40]!r} cannot be: {error}") from error


def majority(samples: Iterable[str]) -> tuple[str | None, float]:
    """The format that most samples are in, and the share of samples in any format."""
    kinds = Counter(kind_of(s.strip()) for s in samples if s.strip())
    total = sum(kinds.values())
    known = {k: n for k, n in kinds.items() if k is not None}
    if not known:
        return None, 0.0
    return max(known, key=lambda k: known[k]), sum(known.values()) / total


def has_zone(text: str) -> bool:
    """Whether a value says its own offset (or is an epoch number)."""
    if COMPACT.fullmatch(text):
        return False
    return bool(
        NUMBER.fullmatch(text)
        or _ZONE.search(text)
        or TWITTER.fullmatch(text)
        or zone_behind(text) is not None
    )


def names_a_zone(text: str) -> bool:
    """Whether a cell is a time zone and no more: ``+02:00``, ``CET``, ``Europe/Berlin``."""
    return has_zone(f"2020-01-01 00:00 {text.strip()}")


def without_zone(text: str) -> str:
    """A time without what stands behind it in capitals: a zone, whether we know it or not."""
    return _ANY_ZONE.sub(r"\1", text)


class OrderVotes:
    """Which of day and month stands first, voted by every value that can tell (one part over 12)."""

    def __init__(self) -> None:
        self.day_first = 0
        self.month_first = 0
        self.separators: Counter[str] = Counter()

    def add(self, text: str) -> None:
        found = NUMERIC.match(text)
        if found is None or len(found[1]) == 4:
            return
        self.separators[found[2]] += 1
        if int(found[1]) > 12:
            self.day_first += 1
        elif int(found[3]) > 12:
            self.month_first += 1

    def verdict(self) -> tuple[Order, str]:
        """The order, and a sentence for the user when it is not certain (empty when it is)."""
        if not self.separators:
            return "mdy", ""
        if self.day_first and self.month_first:
            order = "dmy" if self.day_first >= self.month_first else "mdy"
            return order, (
                f"times mix day-first ({self.day_first}) and month-first ({self.month_first}) "
                f"dates; the unclear ones are read {'day' if order == 'dmy' else 'month'} first"
            )
        if self.day_first or self.month_first:
            return ("dmy" if self.day_first else "mdy"), ""
        order = "mdy" if self.separators.most_common(1)[0][0] == "/" else "dmy"
        return order, (
            "no date in the file tells day from month; read as "
            f"{'month/day' if order == 'mdy' else 'day.month'} (change with --date-order)"
        )
