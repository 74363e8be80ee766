"""The filter in the address bar, and the time that it stands for."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as some

from dashboard import frame
from dashboard.figures import DAY, HOUR, WEEK
from dashboard.frame import Choice

ZONE = ZoneInfo("UTC")
GROUPS = {"DACH": ("DE", "AT", "CH")}


def at(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


words = some.lists(some.text(min_size=1, max_size=12), max_size=3, unique=True).map(tuple)


@given(words, words, words, words, some.sampled_from([*frame.SPANS, "all"]))
def test_an_address_says_the_choice_again(
    brands: tuple[str, ...], regions: tuple[str, ...], platforms: tuple[str, ...],
    languages: tuple[str, ...], span: str,
) -> None:  # fmt: skip
    choice = Choice(brands, regions, platforms, languages, span)
    query = {k: v if isinstance(v, list) else [v] for k, v in choice.query().items()}
    assert frame.read_choice(query) == choice


def test_nonsense_in_an_address_falls_back() -> None:
    choice = frame.read_choice({"span": ["1 fortnight"], "from": ["2015-02-30"], "to": ["x"]})
    assert choice == Choice()
    turned = frame.read_choice({"from": ["2015-02-24"], "to": ["2015-02-16"]})
    assert (turned.first, turned.last) == ("2015-02-16", "2015-02-24")


def test_old_data_is_shown_as_of_its_end() -> None:
    span = (at(2015, 2, 16, 23), at(2015, 2, 24, 11))
    scope = frame.scope(Choice(), span, at(2026, 3, 1), GROUPS, ZONE)
    assert not scope.live
    assert scope.until == span[1] + HOUR
    assert scope.until - scope.since == WEEK
    assert scope.where.until == scope.until


def test_live_data_has_no_end() -> None:
    now = at(2026, 3, 1, 9) + 600
    scope = frame.scope(Choice(span="24h"), (now - DAY, now - HOUR), now, GROUPS, ZONE)
    assert scope.live
    assert scope.where.until is None
    assert scope.since == at(2026, 2, 28, 9)


def test_dates_hold_whole_days() -> None:
    choice = Choice(first="2015-02-16", last="2015-02-17")
    span = (at(2015, 2, 16), at(2015, 2, 24))
    scope = frame.scope(choice, span, at(2026, 3, 1), GROUPS, ZONE)
    assert (scope.since, scope.until) == (at(2015, 2, 16), at(2015, 2, 18))


def test_in_a_zone_of_half_hours_days_begin_and_end_on_the_same_minute() -> None:
    place = ZoneInfo("Asia/Kolkata")
    now = at(2026, 3, 14, 9) + 1200
    choice = Choice(first="2026-03-11", last="2026-03-12")
    scope = frame.scope(choice, (at(2026, 3, 1), now - HOUR), now, GROUPS, place)
    assert (scope.where.since, scope.where.until) == (at(2026, 3, 10, 18), at(2026, 3, 12, 18))
    assert scope.until == scope.where.until
    assert scope.past
    late = at(2026, 3, 14, 18) + 600  # 23:40 there: the day goes on
    today = Choice(first="2026-03-14", last="2026-03-14")
    scope = frame.scope(today, (at(2026, 3, 1), late - HOUR), late, GROUPS, place)
    assert (scope.live, scope.past, scope.where.until) == (True, False, None)


def test_days_that_no_clock_reaches_are_the_first_or_the_last_that_one_does() -> None:
    choice = frame.read_choice({"from": ["0001-01-01"], "to": ["9999-12-31"]})
    assert (choice.first, choice.last) == ("1970-01-02", "2999-12-31")
    now = at(2026, 3, 1, 9)
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        scope = frame.scope(choice, (at(2026, 1, 1), now - HOUR), now, GROUPS, ZoneInfo(zone))
        assert scope.live
        assert 0 <= scope.since < 2 * DAY
        assert scope.until == now


def test_days_that_are_over_end_before_now_and_ages_are_told_by_now() -> None:
    now = at(2026, 2, 22, 14)
    span = (at(2026, 1, 1), now - HOUR)
    choice = Choice(first="2026-02-01", last="2026-02-07")
    scope = frame.scope(choice, span, now, GROUPS, ZONE)
    assert (scope.until, scope.clock, scope.past) == (at(2026, 2, 8), now, True)
    assert not frame.scope(Choice(), span, now, GROUPS, ZONE).past
    today = Choice(first="2026-02-20", last="2026-02-22")
    assert not frame.scope(today, span, now, GROUPS, ZONE).past


def test_days_after_the_end_of_old_data_are_not_drawn_as_silence() -> None:
    span = (at(2015, 2, 16, 23), at(2015, 2, 24, 11))
    choice = Choice(first="2015-02-16", last="2015-02-28")
    scope = frame.scope(choice, span, at(2026, 3, 1), GROUPS, ZONE)
    assert scope.until == scope.clock == at(2015, 2, 24, 12)
    assert not scope.past


def test_regions_become_countries() -> None:
    assert frame.countries_of(["group:DACH", "FR", "unknown"], GROUPS) == (
        "DE",
        "AT",
        "CH",
        "FR",
        "",
    )
    assert frame.countries_of([], GROUPS) == ()
    assert frame.countries_of(["group:nowhere"], GROUPS) == ("-",), "none, which is not all"


def test_a_group_opens_as_far_as_the_filter_reaches() -> None:
    assert frame.group_value("DACH", GROUPS["DACH"], ()) == "group:DACH"
    assert frame.group_value("DACH", GROUPS["DACH"], ("CH", "FR", "AT", "DE")) == "group:DACH"
    assert frame.group_value("DACH", GROUPS["DACH"], ("CH", "FR", "DE")) == ("DE", "CH")
    assert frame.group_value("DACH", GROUPS["DACH"], ("FR", "")) == ()


def test_a_spreadsheet_is_given_no_formula() -> None:
    made = frame.csv_bytes([{"source": "=cmd|' /C calc'!A0", "posts": -3, "why": "fine"}]).decode()
    assert made.splitlines() == ["source,posts,why", "'=cmd|' /C calc'!A0,-3,fine"]
