"""A value of keywords.yaml, read or refused with what is allowed: spans, hours, zones, countries.

Pure: nothing here knows which key the value stands under.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_SPAN = 36_525 * UNITS["d"]  # a century; what is longer cannot be added to a time


def seconds(value: object) -> int:
    """``90s``, ``5m``, ``1h``, ``14d``, ``1h30m`` as seconds; whole numbers are seconds already."""
    total = 0
    text = str(value).strip().lower()
    if isinstance(value, int) and not isinstance(value, bool):
        total = value
    elif re.fullmatch(r"(\d{1,12}\s*[smhdw]\s*)+", text):
        total = sum(int(n) * UNITS[u] for n, u in re.findall(r"(\d+)\s*([smhdw])", text))
    if total > LONGEST_SPAN:
        raise ValueError("is longer than a century; 36500d is as good as for ever")
    if total > 0:
        return total
    raise ValueError("is no span of time; write it as 90s, 5m, 1h, 14d or 1h30m")


def _known_zone(value: object) -> object:
    if isinstance(value, str) and value not in available_timezones():
        near = difflib.get_close_matches(value, available_timezones(), n=3)
        hint = f"; close to it are {', '.join(near)}" if near else "; write it as Europe/Berlin"
        raise ValueError("is no time zone of the IANA list" + hint)
    return value


def _phrase(value: str) -> str:
    from sentiment.rules import plain

    if not plain(value).strip():
        raise ValueError("holds no words; write the phrase to look for in posts")
    return value


def _one_is_a_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _word(value: str) -> str:
    if not value.strip():
        raise ValueError("holds no words; write what to look for, or take it out")
    return value


def _handle(value: str) -> str:
    name = value.strip().lstrip("@")
    if not name:
        raise ValueError("names no account; write it as acme or @acme")
    if "://" in name or name.lower().startswith("www."):
        raise ValueError("is an address; write the account's name alone, such as acme")
    return value


def _country(value: str) -> str:
    from listener.regions import countries_by_code, official_code

    if value not in countries_by_code():
        code = official_code(value.strip())
        hint = f" (did you mean {code}?)" if code in countries_by_code() else ""
        raise ValueError(
            f"is no country's code{hint}; allowed are two-letter codes in capitals, such as DE "
            "(quote NO as 'NO', or YAML reads it as false)"
        )
    return value


def _hours(value: object) -> object:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    if isinstance(value, int) and not isinstance(value, bool):  # YAML reads 9:00 as 540
        raise ValueError("is no span of hours; write it as 09:00-18:00 or closed")
    return value


def parse_hours(days: str, span: str) -> tuple[list[int], list[tuple[int, int]]]:
    """``mon-fri`` and ``09:00-12:30, 13:30-18:00`` as day indexes and minutes since midnight."""
    indexes: list[int] = []
    for part in re.split(r"\s*,\s*", days.strip().lower()):
        ends = part.split("-")
        if not 1 <= len(ends) <= 2 or any(e not in WEEKDAYS for e in ends):
            raise ValueError(f"has the days {days!r}; allowed are mon … sun and mon-fri")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        indexes += [d % 7 for d in range(first, (last if last >= first else last + 7) + 1)]
    slots = []
    for part in re.split(r"\s*,\s*", span.strip()):
        if part.lower() in ("closed", ""):
            continue
        found = re.fullmatch(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)", part)
        if found is None:
            raise ValueError(f"has the hours {span!r}; write them as 09:00-18:00 or closed")
        a, b, c, d = (int(g) for g in found.groups())
        start, end = a * 60 + b, c * 60 + d
        if not 0 <= start < end <= 1440 or b > 59 or d > 59:
            raise ValueError(f"has the hours {span!r}; they must run forward within 00:00-24:00")
        slots.append((start, end))
    return indexes, slots


def parse_quiet_hours(span: str) -> tuple[int, int]:
    """``22:00-07:00`` as minutes since midnight; the end may be 24:00, and may lie before the start."""
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", span)
    if found is None:
        raise ValueError("is no span of hours; write it as 22:00-07:00")
    a, b, c, d = (int(g) for g in found.groups())
    start, end = a * 60 + b, c * 60 + d
    if start >= 1440 or end > 1440 or b > 59 or d > 59:
        raise ValueError("holds a time that no clock shows; allowed is 00:00 to 24:00")
    if start == end:
        raise ValueError("ends where it begins; write it as 22:00-07:00, or leave it out")
    return start, end


One = BeforeValidator(_one_is_a_list)
Text = Annotated[str, AfterValidator(_word)]
Words = Annotated[tuple[Text, ...], One]
Handle = Annotated[str, AfterValidator(_handle)]
Country = Annotated[str, AfterValidator(_country)]
Hours = Annotated[str, BeforeValidator(_hours)]
Phrase = Annotated[str, AfterValidator(_phrase)]
Span = Annotated[int, BeforeValidator(seconds)]
Zone = Annotated[str, BeforeValidator(_known_zone)]
