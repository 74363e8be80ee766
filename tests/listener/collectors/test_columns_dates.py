"""Times as exports write them become the right aware UTC moment, or are refused with the reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.collectors.dates import (
    Dates,
    OrderVotes,
    has_zone,
    kind_of,
    majority,
    names_a_zone,
    spelled,
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Tue Oct 31 22:10:47 +0000 2017", "twitter", utc(2017, 10, 31, 22, 10, 47)),
        ("Tue Oct 31 22:10:47 -0700 2017", "twitter", utc(2017, 11, 1, 5, 10, 47)),
        ("2015-02-24 11:35:52 -0800", "spaced", utc(2015, 2, 24, 19, 35, 52)),
        ("2015-02-24 11:35:52 UTC", "spaced", utc(2015, 2, 24, 11, 35, 52)),
        ("2024-05-01T10:00:00.000Z", "iso", utc(2024, 5, 1, 10)),
        ("2024-05-01 10:00:00.0", "iso", utc(2024, 5, 1, 10)),
        ("2024-05-01T10:00:00+05:30", "spaced", utc(2024, 5, 1, 4, 30)),
        ("2024-05-01 10:00", "iso", utc(2024, 5, 1, 10)),
        ("2024-05-01", "iso", utc(2024, 5, 1)),
        ("1714557600", "number", utc(2024, 5, 1, 10)),
        ("1714557600000", "number", utc(2024, 5, 1, 10)),
        ("1714557600000000", "number", utc(2024, 5, 1, 10)),
        ("1714557600.5", "number", datetime(2024, 5, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("45413.5", "serial", utc(2024, 5, 1, 12)),
        ("5/13/2024 9:14 pm", "numeric", utc(2024, 5, 13, 21, 14)),
        ("5/13/24 12:05 AM", "numeric", utc(2024, 5, 13, 0, 5)),
        ("2024/05/13 09:14", "numeric", utc(2024, 5, 13, 9, 14)),
        ("Tue, 31 Oct 2017 22:10:47 GMT", "mail", utc(2017, 10, 31, 22, 10, 47)),
        ("20240501", "compact", utc(2024, 5, 1)),
        ("202405011005", "compact", utc(2024, 5, 1, 10, 5)),
        ("20240501100509", "compact", utc(2024, 5, 1, 10, 5, 9)),
        ("2024-05-01 10:00 Europe/Berlin", "zoned", utc(2024, 5, 1, 8)),
        ("2024-01-01 10:00 America/Argentina/Buenos_Aires", "zoned", utc(2024, 1, 1, 13)),
        ("2024-05-01T10:00+02:00[Europe/Berlin]", "zoned", utc(2024, 5, 1, 8)),
        ("13/5/2024 10:00 Asia/Kolkata", "zoned", utc(2024, 5, 13, 4, 30)),
        ("31 October 2017, 10:10 pm", "spelled", utc(2017, 10, 31, 22, 10)),
        ("Oct 31, 2017 · 22:10 UTC", "spelled", utc(2017, 10, 31, 22, 10)),
        ("2024-01-01 21:00:12 EST", "spaced", utc(2024, 1, 2, 2, 0, 12)),
        ("2024-07-01 21:00:12 EDT", "spaced", utc(2024, 7, 2, 1, 0, 12)),
        ("2024-07-01 21:00:12 BST", "spaced", utc(2024, 7, 1, 20, 0, 12)),
        ("13/02/2024 10:00 CET", "numeric", utc(2024, 2, 13, 9)),
        ("2/13/2024 10:00 AEST", "numeric", utc(2024, 2, 13, 0)),
        ("2/13/2024 10:00 PM EST", "numeric", utc(2024, 2, 14, 3)),
        ("2/13/2024 10:00 p.m. PST", "numeric", utc(2024, 2, 14, 6)),
        ("2/13/2024 10:00 P", "numeric", utc(2024, 2, 13, 22)),
        ("Jan 1, 2024 3:00 PM PST", "spelled", utc(2024, 1, 1, 23)),
        ("Tue, 05 Mar 2024 10:00:00 EST", "mail", utc(2024, 3, 5, 15)),
        ("Sun Mar 03 10:00:00 PST 2024", "spelled", utc(2024, 3, 3, 18)),
        ("3 Mar 2024 10:00 CEST", "spelled", utc(2024, 3, 3, 8)),
    ],
)
def test_each_format(text: str, kind: str, expected: datetime) -> None:
    if "·" not in text:
        assert kind_of(text) in (kind, "iso" if kind == "spaced" else kind)
        assert Dates(kind)(text) == expected
    else:
        text = text.replace(" ·", "")
    found = Dates()(text)  # whatever the file's format, a value in another one is still read
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "  ", "yesterday", "10:30", "May 2024", "31", "2024-13-01", "99/99/2024", "1066-10-14",
     "Tue Foo 31 22:10:47 +0000 2017", "0001-01-01T00:00:00", "9999999999999999999", "nan"],
)  # fmt: skip
def test_what_names_no_moment_is_refused_with_a_reason(text: str) -> None:
    for kind in ("iso", "twitter", "spaced", "number", "numeric"):
        with pytest.raises(ValueError, match=r"time|year"):
            Dates(kind)(text)


def test_a_text_that_lacks_the_day_is_not_filled_from_today() -> None:
    with pytest.raises(ValueError, match="day, a month and a year"):
        spelled("October 2017", UTC, "mdy")


@pytest.mark.parametrize("text", ["2024-01-01 21:00:12 IST", "1/2/2024 3:00 PM ET"])
def test_a_zone_that_could_be_several_is_refused_by_name(text: str) -> None:
    assert kind_of(text) is None
    with pytest.raises(ValueError, match=r"time zone is not known; write it as \+01:00"):
        Dates()(text)


def test_naive_times_are_read_in_the_zone_asked() -> None:
    berlin = Dates("iso", ZoneInfo("Europe/Berlin"))
    assert berlin("2024-07-01 10:00:00") == utc(2024, 7, 1, 8)
    assert berlin("2024-01-01 10:00:00") == utc(2024, 1, 1, 9)
    assert berlin("2024-01-01T10:00:00Z") == utc(2024, 1, 1, 10), "its own zone wins"


@pytest.mark.parametrize(
    ("values", "order", "doubt"),
    [
        (["3/4/2024", "13/4/2024"], "dmy", False),
        (["3/4/2024", "4/13/2024"], "mdy", False),
        (["3/4/2024", "5/6/2024"], "mdy", True),
        (["3.4.2024", "5.6.2024"], "dmy", True),
        (["3/14/2024", "14/3/2024", "15/3/2024"], "dmy", True),
        (["2024/3/4"], "mdy", False),
    ],
)
def test_day_and_month_are_told_apart_by_the_whole_file(
    values: list[str], order: str, doubt: bool
) -> None:
    votes = OrderVotes()
    for value in values:
        votes.add(value)
    found, said = votes.verdict()
    assert found == order
    assert bool(said) == doubt


def test_the_order_is_followed_and_impossible_months_are_turned() -> None:
    assert Dates("numeric", order="dmy")("3/4/2024") == utc(2024, 4, 3)
    assert Dates("numeric", order="mdy")("3/4/2024") == utc(2024, 3, 4)
    assert Dates("numeric", order="mdy")("14/3/2024") == utc(2024, 3, 14)
    assert Dates("numeric", order="dmy")("3/14/2024") == utc(2024, 3, 14)


def test_the_majority_names_the_format() -> None:
    assert majority(["1714557600", "1714557601", "x", ""]) == ("number", 2 / 3)
    assert majority(["", " "]) == (None, 0.0)


def test_which_values_say_their_zone() -> None:
    assert has_zone("2024-05-01T10:00:00Z")
    assert has_zone("1714557600")
    assert has_zone("Tue Oct 31 22:10:47 +0000 2017")
    assert has_zone("2024-05-01 10:00:00 EST")
    assert has_zone("Jan 1, 2024 3:00 PM PST")
    assert has_zone("Sun Mar 03 10:00:00 PST 2024")
    assert not has_zone("2024-05-01 10:00:00")
    assert not has_zone("5/1/2024 10:00 PM")
    assert not has_zone("2024-05-01")


MOMENTS = st.datetimes(datetime(1991, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001
    lambda d: d.replace(microsecond=0)
)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@given(MOMENTS, OFFSETS)
def test_a_written_time_reads_back(naive: datetime, zone: timezone) -> None:
    aware = naive.replace(tzinfo=zone)
    for shape in ("%a %b %d %H:%M:%S %z %Y", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%z"):
        assert Dates("iso")(aware.strftime(shape)) == aware
    assert Dates("number")(str(int(aware.timestamp()))) == aware or aware.timestamp() < 1e8


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        found = Dates("numeric")(text)
    except ValueError:
        return
    assert found.tzinfo is UTC
    assert 1990 <= found.year <= 2100


@given(
    st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)).map(  # noqa: DTZ001
        lambda t: t.replace(microsecond=0)
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Etc/GMT+5"]),
)
def test_a_time_with_the_name_of_its_zone_or_in_digits_alone_reads_back(
    naive: datetime, zone: str
) -> None:
    expected = naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert Dates()(f"{naive:%Y%m%d%H%M%S}") == naive.replace(tzinfo=UTC)
    assert Dates(zone=ZoneInfo(zone))(f"{naive:%Y%m%d%H%M%S}") == expected
    if zone != "UTC":
        assert Dates("number")(f"{naive:%Y-%m-%d %H:%M:%S} {zone}") == expected


@pytest.mark.parametrize(
    "text", ["20241301", "20240532", "202405012460", "99991231", "2024-05-01 Mars/X"]
)
def test_digits_and_slashes_that_are_no_time_are_refused(text: str) -> None:
    assert kind_of(text) not in ("compact", "zoned")
    with pytest.raises(ValueError, match=r"format|cannot be"):
        Dates()(text)


def test_which_cells_are_a_zone_and_no_more() -> None:
    assert all(map(names_a_zone, ["Europe/Berlin", "+02:00", "-0530", "CET", " UTC "]))
    assert not any(
        map(names_a_zone, ["Berlin", "Eastern Time (US & Canada)", "IST", "10", "Mars/X"])
    )
