"""Charts: what is not over is no fall."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from dashboard import charts, look
from listener.gazetteer import gazetteer
from listener.mention import epoch
from listener.store import Store
from tests.dashboard import seed
from tests.dashboard.conftest import Open

HOUR = 3600
NOW = epoch(seed.NOW)
UTC = ZoneInfo("UTC")


def test_a_point_that_is_not_over_is_no_end_of_a_line() -> None:
    rows = [
        {"at": t * HOUR, "end": (t + 1) * HOUR, "value": 9.0, "series": "A", "run": 0}
        for t in range(3)
    ]
    drawing = charts.shares(rows, look.LIGHT, UTC, until=2 * HOUR + 600)
    assert list(drawing.rows["kind"]) == ["point", "point", "unfinished"]
    line, apart = (str(layer["transform"]) for layer in drawing.spec["layer"][:2])
    assert "kind == 'point'" in line
    assert "kind == 'unfinished'" in apart
    assert set(charts.shares(rows, look.LIGHT, UTC).rows["kind"]) == {"point"}


def test_the_hour_that_is_not_over_is_drawn_apart_on_trends(
    opened: Open, drawn: list[charts.Drawing]
) -> None:
    assert not opened("trends").exception
    kinds = drawn[-1].rows.groupby("end_s")["kind"].agg(set)
    assert kinds.iloc[-1] == {"unfinished"}
    assert kinds.index[-1] > NOW
    assert set().union(*kinds.iloc[:-1]) == {"point"}
    opened("trends", what="net sentiment")
    assert set(drawn[-1].rows["kind"]) == {"point"}, "a share needs no whole day"


def test_the_hour_that_is_not_over_is_drawn_apart_on_the_page_of_a_spike(
    opened: Open, environment: Path, drawn: list[charts.Drawing]
) -> None:
    with Store(environment / "seed.db") as store:
        spike = next(s for s in store.spikes() if s["end"] is None)
    assert not opened("spikes", spike=str(spike["id"])).exception
    rows = drawn[-1].rows
    assert list(rows[rows["end_s"] > NOW]["kind"])[:1] == ["unfinished"]


def test_a_day_on_trends_and_on_the_wall_is_a_day(
    opened: Open, drawn: list[charts.Drawing]
) -> None:
    opened("trends", what="net sentiment", span="7d")
    begins = sorted(set(drawn[-1].rows["at_s"]))
    assert [t % (24 * HOUR) for t in begins] == [0] * 8, "at 09:20 the first is of a week ago"
    drawn.clear()
    opened(span="7d")
    volume, net = drawn[0].rows, drawn[1].rows
    size = net["end_s"].iloc[0] - net["from_s"].iloc[0]
    assert size > HOUR
    assert all(t % size == 0 for t in net["from_s"])
    assert net["from_s"].iloc[0] < net["at_s"].iloc[0] == volume["at_s"].iloc[0]


def test_every_country_that_a_place_can_be_in_has_its_full_name_and_its_own_middle() -> None:
    """Australia bore the name, and the ring of its spikes the place, of a reef in the Timor Sea."""
    known, names = charts.world(), charts.names()
    assert names["AU"] == "Australia"
    east, north = known["points"]["AU"]
    assert 125 < east < 145
    assert -32 < north < -18
    of_the_past = {"AN", "CS"}
    assert set(gazetteer().countries) - of_the_past <= set(names)
    assert [n for n in names.values() if n.endswith(".") or "Is." in n] == []
    shapes = known["topology"]["objects"]["countries"]["geometries"]
    told = {s["properties"]["code"]: s["properties"]["name"] for s in shapes}
    begins = {code: name[0] for code, name in told.items() if code}
    begins |= {"CD": "D", "MK": "N", "SZ": "E"}  # said otherwise since the shapes were drawn
    assert {code: names[code][0] for code in begins} == begins


def test_requests_of_a_few_minutes_are_told_apart_by_seconds() -> None:
    row = {"source": "rss", "returned": 1, "new": 1, "limited": 0, "failed": None, "truncated": 0}
    for seconds, form in ((60, "%H:%M:%S"), (3600, "%H:%M")):
        rows = [{**row, "at": NOW}, {**row, "at": NOW + seconds}]
        spec = charts.ledger(rows, look.LIGHT, UTC).spec
        assert spec["encoding"]["x"]["axis"]["format"] == form


def test_a_point_between_two_gaps_is_seen() -> None:
    hours = [{"at": NOW + 3600 * n, "end": NOW + 3600 * (n + 1), "posts": posts, "judged": 0}
             for n, posts in enumerate((4.0, 5.0, None, 6.0, None, 7.0, 8.0))]  # fmt: skip
    rows = charts.volume(hours, [], [], look.LIGHT, UTC).rows
    assert rows["alone"].tolist() == [False, False, False, True, False, False, False]


def test_the_time_of_a_spike_is_not_drawn_as_a_gap_is() -> None:
    spec = charts.volume([], [], [], look.LIGHT, UTC).spec
    marks = {str(layer["transform"][0]["filter"]): layer for layer in spec["layer"]}
    spike, gap = (marks[f"datum.kind == '{kind}'"] for kind in ("stretch", "gap"))
    assert "y" not in gap["encoding"], "over the whole height"
    assert spike["encoding"]["y"]["value"] == 0
    assert spike["encoding"]["y2"]["value"] < 10


def test_of_spikes_with_one_peak_the_worst_is_seen() -> None:
    """An outage brings a little praise too (that it is over): its sign must not hide the complaints."""
    hours = [{"at": NOW + 3600 * n, "end": NOW + 3600 * (n + 1), "posts": 9.0, "judged": 9}
             for n in range(4)]  # fmt: skip
    spike = {"brand": "Acme", "region": "BR", "place": "Brazil", "start": NOW, "peak": NOW + 3600,
             "end": None}  # fmt: skip
    spikes = [{**spike, "kind": "negative", "severity": 234.1},
              {**spike, "kind": "positive", "severity": 4.7}]  # fmt: skip
    for given in (spikes, spikes[::-1]):
        rows = charts.volume(hours, given, [], look.LIGHT, UTC).rows
        assert rows[rows["kind"] == "spike"]["tone"].tolist() == ["positive", "negative"]
        ringed = charts.world_map({}, given, look.LIGHT).rows
        assert ringed["spike"].tolist() == ["negative"]
