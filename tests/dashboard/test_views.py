"""Every view beyond the wall, driven from the entry file."""

from __future__ import annotations

import html
import random
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote_plus, unquote

import pytest

from dashboard import charts
from listener.collectors import Page
from listener.mention import Spike, epoch
from listener.store import Store
from tests.dashboard import seed
from tests.dashboard.conftest import Open, page_text

VIEWS = ("trends", "spikes", "inbox", "mentions", "coverage", "variants")


@pytest.fixture
def writable(filled: Path, tmp_path: Path) -> Path:
    """A copy of the filled store, to be changed by a test."""
    for file in filled.glob("seed.db*"):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / "seed.db"


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_draws_and_keeps_hostile_text_as_text(opened: Open, view: str) -> None:
    app = opened(view)
    assert not app.exception
    text = page_text(app)
    assert "<script" not in text
    assert "<iframe" not in text
    assert "<img" not in text
    assert 'href="javascript' not in text


def test_trends_by_language_in_the_address(opened: Open) -> None:
    app = opened("trends", by="language", what="net sentiment", span="14d")
    assert not app.exception
    text = page_text(app)
    assert "Net sentiment by language" in text
    assert "ja" in text
    assert "95 % range" in text


ROW = r'<td><a class="gs-in" href="/mentions\?([^"]*)"[^>]*>Europe</a></td><td>(\d+)</td>'


@pytest.mark.parametrize("view", ["live", "trends"])
@pytest.mark.parametrize("region", ["DE", "group:Europe"])
def test_an_own_region_opens_into_what_its_row_counts_under_a_filter(
    opened: Open, view: str, region: str
) -> None:
    app = opened(view, by="own region", region=region, span="14d")
    if view == "live":
        app.button_group[0].set_value("Own regions").run()
    row = re.search(ROW, page_text(app))
    assert row
    query = parse_qs(html.unescape(row[1]))
    assert query["region"] == [region]
    assert f">{row[2]} posts<" in page_text(opened("mentions", **query))
    assert "Asia</a>" not in page_text(app), "nothing of it is shown, so nothing opens"


def test_a_country_without_divisions_does_not_open_into_places_unknown(
    opened: Open, writable: Path
) -> None:
    with Store(writable) as store:
        with store.write() as db:
            db.execute("UPDATE mentions SET region = 'Bavaria' WHERE country = 'DE' AND copy = 1")
            db.execute("INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions")
        store.recount()
    app = opened(db=writable, region="DE")
    app.button_group[0].set_value("Divisions").run()
    text = page_text(app)
    assert "<td>Bavaria</td>" in text
    assert '<tr class="gs-unknown"><td>unknown</td>' in text
    app.button_group[0].set_value("Countries").run()
    assert "region=DE" in page_text(app)
    assert "region=unknown" in page_text(opened(db=writable))


def test_trends_by_own_region_tells_elsewhere_and_unknown(opened: Open) -> None:
    text = page_text(opened("trends", by="own region"))
    for name in ("Europe", "Asia", "elsewhere", "unknown"):
        assert name in text


@pytest.fixture
def young(tmp_path: Path) -> Path:
    """One brand is heard for forty days; the other was put into keywords.yaml six hours ago."""
    chance = random.Random(1)
    made = [
        seed.said("bluesky", f"{brand[0]}{i}", seed.NOW - hours * chance.random(), brand=brand)
        for brand, n, hours in (
            ("Aurora Air", 1200, timedelta(days=40)), ("Borealis", 40, timedelta(hours=6)),
        )
        for i in range(n)
    ]  # fmt: skip
    began = (seed.NOW - timedelta(hours=5)).replace(minute=0)
    with Store(tmp_path / "young.db") as store:
        seed.put(store, made, epoch(seed.NOW) - 30)
        store.save_spikes(
            [Spike("Borealis", "*", "volume", began, began, None, 1.0, 30.0, 1e-5, 3.0, ())],
            epoch(seed.NOW),
        )
    return tmp_path / "young.db"


def test_a_brand_that_was_added_later_has_no_usual_of_zeros(opened: Open, young: Path) -> None:
    wall = page_text(opened(db=young, brand="Borealis"))
    assert "no usual yet: too few earlier days" in wall
    assert "(0–0)" not in wall
    assert "as usual" in page_text(opened(db=young, brand="Aurora Air"))
    with Store(young) as store:
        spike = store.spikes()[0]["id"]
    text = page_text(opened("spikes", db=young, spike=str(spike)))
    assert re.search(r"posts in the last 3 h<", text), "and nothing of what is usual"


def test_the_line_of_a_brand_begins_where_the_brand_does(
    opened: Open, young: Path, drawn: list[charts.Drawing]
) -> None:
    for what in ("posts", "share of voice"):
        assert not opened("trends", db=young, by="brand", what=what, span="7d").exception
        rows = drawn[-1].rows
        before = rows[rows["end_s"] <= epoch(seed.NOW) - 7 * 3600]
        assert before[before["series"] == "Borealis"]["value"].isna().all()
        assert before[before["series"] == "Aurora Air"]["value"].notna().any()
        own = rows[rows["series"] == "Borealis"]["value"].dropna()
        assert len(own) == (7 if what == "posts" else 0), (
            "a share waits for a day that was heard whole"
        )
    early = {"from": "2026-03-01", "to": "2026-03-05", "brand": "Borealis"}
    for view in ("live", "trends"):
        assert not opened(view, db=young, **early).exception


def test_the_inbox_says_what_the_store_counts(opened: Open, filled: Path) -> None:
    from listener.inbox import response_summary
    from listener.store import Filter

    with Store(filled / "seed.db") as store:
        total = response_summary(store, Filter())["conversations"]
    text = page_text(opened("inbox", span="all"))
    assert f"{total['unanswered']}<" in text
    assert f"{total['median_first_response_minutes']:.0f} min" in text
    assert "the thread was not read" in text


def test_the_inbox_shows_who_asks_again_in_a_conversation_that_began_before(
    opened: Open, tmp_path: Path
) -> None:
    began = seed.NOW - timedelta(days=3)
    with Store(tmp_path / "again.db") as store:
        made = [
            seed.said("bluesky", "first", began, "Aurora Air where is my bag", author="ana"),
            seed.said(
                "bluesky", "answer", began + timedelta(minutes=9), "please write to us", brand="",
                author="auroraair", reply_to="first",
            ),
            seed.said(
                "bluesky", "again", seed.NOW - timedelta(hours=3), "Aurora Air still no bag",
                author="ana", reply_to="answer",
            ),
        ]  # fmt: skip
        seed.put(store, made, epoch(seed.NOW) - 30)
        store.flag_threads(
            store.touched_threads(9), ["Aurora Air"], lambda _, at: at + 3600, epoch(seed.NOW)
        )
    for span in ("24h", "7d"):
        text = page_text(opened("inbox", db=tmp_path / "again.db", span=span))
        assert "still no bag" in text
        assert "looked at for an answer yet" not in text
        tile = re.search(r'gs-name">Unanswered<.*?gs-value">.*?>(\d+)</a></div>(.*?)</div>', text)
        assert tile
        assert tile[1] == "1", "as many as wait, and as the wall says"
        assert ("1 conversations that could be read" in tile[2]) == (span == "7d")
        wall = page_text(opened(db=tmp_path / "again.db", span=span))
        assert re.search(r'gs-name">Unanswered<.*?gs-value">.*?>1</a></div>', wall)


def test_the_inbox_goes_on_past_its_first_page(opened: Open, filled: Path) -> None:
    from listener.store import Filter

    with Store(filled / "seed.db") as store:
        waiting = [r["key"] for r in store.unanswered(Filter(), limit=1000)]
    assert len(waiting) > 60
    app = opened("inbox", span="all")
    assert f"1 to 30 of {len(waiting)}, first due first" in page_text(app)
    seen = re.findall(r"post=([^&\"]+)", page_text(app))
    next(b for b in app.button if b.label == "Due later").click().run()
    assert app.query_params["page"] in ("1", ["1"])
    assert f"31 to 60 of {len(waiting)}, first due first" in page_text(app)
    seen += re.findall(r"post=([^&\"]+)", page_text(app))
    assert [unquote(key) for key in seen] == waiting[:60]
    past = page_text(opened("inbox", span="all", page="999"))
    assert "Nobody else is known to wait." in past


def test_what_is_due_within_the_hour_is_told_from_what_is_late(
    opened: Open, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent who promised an answer within the hour need not page past what is late for days."""
    from listener.store import Filter

    monkeypatch.setenv("GROUNDSWELL_NOW", str(now := epoch(seed.NOW) - 1800))
    with Store(filled / "seed.db") as store:
        rows = store.unanswered(Filter(), limit=1000)
    late = [r["key"] for r in rows if r["due_at"] <= now]
    soon = [r["key"] for r in rows if now < r["due_at"] <= now + 3600]
    later = [r["key"] for r in rows if r["due_at"] > now + 3600]
    assert min(map(len, (late, soon, later))) > 0
    wall = page_text(opened(span="all"))
    asked = way(wall, f"{len(late)} over target")
    assert asked["due"] == ["late"]
    assert f"1 to 30 of {len(late)}, first due" in page_text(opened("inbox", **asked))
    for name, keys in (("soon", soon), ("later", later)):
        text = page_text(opened("inbox", span="all", due=name))
        assert [unquote(k) for k in re.findall(r"post=([^&\"]+)", text)] == keys[:30]
    app = opened("inbox", span="all", due="later", page="1")
    choice = app.button_group[0]
    assert choice.options == [
        f"over target: {len(late)}", f"within an hour: {len(soon)}", f"later: {len(later)}",
    ]  # fmt: skip
    choice.set_value("soon").run()
    assert app.query_params["due"] in ("soon", ["soon"])
    assert "page" not in app.query_params
    app.button_group[0].set_value(None).run()
    assert "due" not in app.query_params


def test_where_no_thread_was_read_nobody_knows_who_waits(opened: Open, writable: Path) -> None:
    """The wall said "?", and the inbox beside it 0."""
    with Store(writable) as store, store.write() as db:
        db.execute("UPDATE cases SET thread_state = 'unknown', answered_at = NULL")
    for view in ("live", "inbox"):
        text = page_text(opened(view, db=writable))
        assert re.search(r'gs-name">Unanswered</div><div class="gs-value">\?</div>', text), view
        assert "none known" in text


def test_of_past_days_what_is_due_and_open_is_told_by_now(opened: Open, filled: Path) -> None:
    from listener.store import Filter

    with Store(filled / "seed.db") as store:
        rows = store.unanswered(Filter(until=epoch(seed.NOW) - 30 * 3600), limit=1000)
    late = next(r for r in rows if r["created_at"] % 86400 > 23.2 * 3600)  # due on the next day
    day = datetime.fromtimestamp(late["created_at"], UTC).date().isoformat()
    dates = {"from": day, "to": day}
    text = page_text(opened("inbox", **dates))
    assert late["key"] in unquote(text)
    assert "over target" in text
    assert "due in" not in text
    text = page_text(opened(**dates))
    assert "due in" not in text
    assert "Posts at the end" in text
    assert "Spikes still open" in text
    for words in ("Posts now", "sentiment now", "Open spikes", "nothing outside its usual"):
        assert words not in text
    text = page_text(opened("spikes", **{"from": "2026-03-05", "to": "2026-03-07"}))
    assert "0 still open" in text
    assert "None of this time is still open." in text
    assert "within its usual range now" not in text, "one that began later is open"


def test_a_spike_of_the_next_midnight_is_not_of_the_day(opened: Open, writable: Path) -> None:
    midnight = datetime(2026, 3, 6, tzinfo=UTC)
    end = midnight + timedelta(hours=2)
    with Store(writable) as store:
        store.save_spikes(
            [Spike("Borealis", "*", "volume", midnight, midnight, end, 3.0, 30.0, 1e-5, 3.0, ())],
            epoch(seed.NOW),
        )
    for day, told in (("2026-03-05", False), ("2026-03-06", True)):
        dates = {"from": day, "to": day, "brand": "Borealis"}
        for view in ("live", "spikes"):
            text = page_text(opened(view, db=writable, **dates))
            assert ("6 Mar 00:00 to 6 Mar 02:00" in text) == told


@pytest.mark.parametrize("answer", ["unanswered", "answered", "unknown"])
def test_a_figure_of_the_inbox_opens_into_as_many_posts(
    opened: Open, filled: Path, answer: str
) -> None:
    from listener.inbox import response_summary
    from listener.store import Filter

    with Store(filled / "seed.db") as store:
        total = response_summary(store, Filter())["conversations"][answer]
        behind = store.mentions(Filter(), limit=1000, thread_state=answer, opening=True)
        assert len(behind) == total > 0
    text = page_text(opened("inbox", span="all"))
    row = re.search(r"<tr><td>bluesky</td>(.*?)</tr>", text)
    assert row
    cell = re.search(rf'href="/mentions\?([^"]*answer={answer}&amp;first=1)"[^>]*>(\d+)<', row[1])
    assert cell
    query = parse_qs(html.unescape(cell[1]))
    assert query["platform"] == ["bluesky"]
    assert f"{cell[2]} conversation" in page_text(opened("mentions", **query))
    link = re.search(rf'href="/mentions\?([^"]*answer={answer}&amp;first=1)"[^>]*>{total}<', text)
    assert link
    query = {k: v[0] for k, v in parse_qs(html.unescape(link[1])).items()}
    text = page_text(opened("mentions", **query))
    assert f"{total} conversations " in text
    assert f"post={quote_plus(behind[0]['key'])}" in text
    assert f"post={quote_plus(behind[19]['key'])}" in text


def test_another_filter_begins_at_its_first_page_with_all_its_hours(opened: Open) -> None:
    hours = f"{epoch(seed.NOW) - 5 * 3600}-{epoch(seed.NOW)}"
    app = opened("mentions", page="2", at=hours, theme="7", label="negative", span="14d")
    app.multiselect(key="f_brand").set_value(["Borealis"]).run()
    assert not app.exception
    assert not {"page", "at", "theme"} & set(app.query_params)
    assert app.query_params["label"] in ("negative", ["negative"])
    assert '<div class="gs-post">' in page_text(app)


def test_a_theme_offers_no_search_that_it_would_not_follow(opened: Open) -> None:
    assert any(i.key == "m_text" for i in opened("mentions").text_input)
    app = opened("mentions", theme="7")
    assert not app.exception
    assert not any(i.key == "m_text" for i in app.text_input)


def test_mentions_can_be_searched_and_cut_to_a_label(opened: Open) -> None:
    app = opened("mentions", q="lovely crew", label="positive", span="14d")
    assert not app.exception
    text = page_text(app)
    assert "lovely crew" in text
    assert "cancelled" not in text


def test_a_hand_sets_a_judgement_right(opened: Open, writable: Path) -> None:
    app = opened("mentions", db=writable, q="boarding", span="14d")
    control = app.button_group[-1]
    key, brand = control.key.removeprefix("judge:").rsplit(":", 1)
    control.set_value("positive").run()
    assert not app.exception
    with Store(writable) as store:
        row = store.mentions_of([key], brand)[0]
    assert (row["label"], row["override"]) == ("positive", "human: dashboard")


def test_not_this_brand_is_taken_out_and_can_be_undone(opened: Open, writable: Path) -> None:
    app = opened("mentions", db=writable, q="boarding", span="14d")
    control = app.button_group[-1]
    key, brand = control.key.removeprefix("judge:").rsplit(":", 1)
    with Store(writable) as store:
        before = sum(r["posts"] for r in store.counts_by(["brand"], _everything()))
    control.set_value("not this brand").run()
    with Store(writable) as store:
        assert store.mentions_of([key], brand)[0]["wrong"] == 1
        after = sum(r["posts"] for r in store.counts_by(["brand"], _everything()))
    assert after == before - 1
    assert f"Not {brand}, and no longer counted: “{brand}: boarding at gate" in page_text(app)
    next(b for b in app.button if b.label == "Undo").click().run()
    with Store(writable) as store:
        assert store.mentions_of([key], brand)[0]["wrong"] == 0


def _everything():  # type: ignore[no-untyped-def]
    from listener.store import Filter

    return Filter()


def test_one_post_opens_whole_with_its_conversation(opened: Open, filled: Path) -> None:
    from listener.store import Filter

    with Store(filled / "seed.db") as store:
        answered = next(
            r for r in store.mentions(Filter(), limit=500) if r["thread_state"] == "answered"
        )
    app = opened("mentions", post=answered["key"])
    assert not app.exception
    text = page_text(app)
    assert "We are sorry" in text
    assert "(the brand)" in text
    assert "judged" in text


def test_a_long_conversation_shows_the_post_and_the_answer(opened: Open, tmp_path: Path) -> None:
    began = seed.NOW - timedelta(days=2)
    made = [seed.said("reddit", "root", began)] + [
        seed.said("reddit", f"c{i:03}", began + timedelta(minutes=i + 1), reply_to="root")
        for i in range(400)
    ]
    answer = seed.said(
        "reddit", "answer", seed.NOW, "we answer here", brand="", author="auroraair",
        reply_to="c250",
    )  # fmt: skip
    with Store(tmp_path / "long.db") as store:
        seed.put(store, [*made, answer], epoch(seed.NOW) - 30)
    text = page_text(opened("mentions", db=tmp_path / "long.db", post="reddit:c250"))
    assert "201 of 402 posts that are known of it" in text
    asked = text.index('gs-theirs gs-asked"')
    assert text.index("Air: c249") < asked < text.index("Air: c251")
    assert "we answer here" in text[asked:]


def test_a_ten_thousand_letter_post_is_cut_in_lists_and_whole_when_opened(
    opened: Open, filled: Path
) -> None:
    from listener.store import Filter

    with Store(filled / "seed.db") as store:
        long = max(store.mentions(Filter(), limit=20), key=lambda r: len(r["text"]))
    assert len(long["text"]) >= 10_000
    assert "long " * 100 not in page_text(opened("mentions"))
    assert "long " * 2000 in page_text(opened("mentions", post=long["key"]))


def test_coverage_says_that_nothing_runs_and_what_failed(opened: Open) -> None:
    text = page_text(opened("coverage"))
    assert "stopped" in text
    assert "503 from the server &lt;b&gt;" in text
    assert "profile" in text


@pytest.mark.parametrize(
    ("waits", "told"),
    [
        ({"slow.example": 3000}, "⚠ 1 host waits 50 min"),
        (
            {"slow.example": 3000, "down.example": 600},
            "⚠ 2 hosts wait up to 50 min",
        ),
        ({"": 600}, "⚠ 1 query fails"),
        ({"": 0, "slow.example": 3000}, "⚠ 1 host waits 50 min, 1 query fails"),
    ],
)
def test_coverage_tells_of_a_host_or_a_query_that_is_left_alone(
    opened: Open, writable: Path, waits: dict[str, int], told: str
) -> None:
    """Its source is heard by its other hosts, and is not simply fine."""
    now = epoch(seed.NOW)
    with Store(writable) as store:
        for host, seconds in waits.items():
            query = f"feed:{host or 'gone'}"
            store.hold_queries(
                source="feeds", platform="rss", query=query, reason=f"<{host or query}> failed",
                now=now - 60, open_until=now + seconds, host=host, of_host=bool(host),
                held={query: {}}, before=0,
            )  # fmt: skip
        store.save_page(
            Page([], {}), source="feeds", platform="rss", query="all", matches=[],
            from_brand=[], rules="r1", now=now - 30,
        )  # fmt: skip
    text = page_text(opened("coverage", db=writable))
    assert told in text
    assert "failing (" not in text.split("feeds")[1].split("$")[0], "it is heard"
    listed = text.partition("Not heard now")[2].partition("Requests")[0]
    for host, seconds in waits.items():
        what = host or "feed:gone"
        again = f"in {seconds // 60} min" if seconds else "at its next turn"
        assert f"{what} · never heard · asked again {again}" in listed
        assert f"&lt;{what}&gt; failed" in listed


def test_coverage_tells_of_a_source_that_waits(opened: Open, writable: Path) -> None:
    now = epoch(seed.NOW)
    with Store(writable) as store:
        store.save_failure(
            source="feeds", platform="rss", query="all", reason="429", now=now - 60,
            open_until=now + 900, held_by="platform",
        )  # fmt: skip
    text = page_text(opened("coverage", db=writable))
    assert "⚠ failing (1×), waits 15 min" in text
    assert "Not heard now" not in text


def test_coverage_finds_a_fault_behind_many_good_requests(opened: Open, writable: Path) -> None:
    now = epoch(seed.NOW)
    with Store(writable) as store, store.write() as db:
        good = "INSERT INTO coverage SELECT NULL, ?, source, platform, query, window_start, "
        good += (
            "window_end, asked, returned, new, updated, matched, rejected, 0, 0, NULL, requests, "
        )
        good += "cost_usd, lag_seconds, NULL, NULL FROM coverage WHERE id = 1"
        db.executemany(good, [(now - i % 600,) for i in range(1600)])
    text = page_text(opened("coverage", db=writable))
    assert "503 from the server &lt;b&gt;" in text
    assert "answered in full" not in text


def test_coverage_says_all_is_well_only_of_the_time_it_looked_at(
    opened: Open, writable: Path
) -> None:
    with Store(writable) as store, store.write() as db:
        db.execute("UPDATE coverage SET failed = NULL, truncated = 0, limited = 0")
    text = page_text(opened("coverage", db=writable, span="24h"))
    assert "Every request since then was answered in full." in text
    assert "since 13 Mar 09:00" in text
    with Store(writable) as store, store.write() as db:
        db.execute("UPDATE coverage SET at = at - 30 * 86400")
    text = page_text(opened("coverage", db=writable, span="24h"))
    assert "No source was asked since then." in text
    assert "answered in full" not in text


def way(text: str, words: str) -> dict[str, list[str]]:
    """The address behind a figure, as its parameters; ``words`` are what the link says."""
    found = re.search(rf'href="/\w+\?([^"]*)"[^>]*>{re.escape(words)}</a>', text)
    assert found, words
    return parse_qs(html.unescape(found[1]))


def listed(text: str) -> int:
    return len(re.findall(r'class="gs-post[ "]', text))


def test_figures_of_coverage_open_into_what_they_count(opened: Open, writable: Path) -> None:
    with Store(writable) as store:
        with store.write() as db:
            db.execute(
                "UPDATE mentions SET basis = NULL, country = NULL WHERE key IN ('bluesky:p900', "
                "'bluesky:p901')"
            )
            db.execute("UPDATE mentions SET basis = 'tagged' WHERE key = 'bluesky:p902'")
        store.mark_wrong("bluesky:p903", seed.BRANDS[0], True, "ana", epoch(seed.NOW))
        store.recount()
        counts = store.status(epoch(seed.NOW))["counts"]
    text = page_text(opened("coverage", db=writable))
    assert counts["counted"] == counts["mentions"] - 1
    posts = page_text(
        opened("mentions", db=writable, **way(text, f"{counts['counted']} mentions of a brand"))
    )
    assert f">{counts['counted']} posts<" in posts
    assert "1 more not counted" in text
    waiting = page_text(opened("mentions", db=writable, **way(text, "3")))
    assert listed(waiting) == 3
    unplaced = page_text(opened("mentions", db=writable, **way(text, "2 to be placed")))
    assert "Not placed yet" in unplaced
    assert listed(unplaced) == 2
    tagged = page_text(opened("mentions", db=writable, **way(text, "tagged")))
    assert "Place known by: tagged" in tagged
    assert listed(tagged) == 1


def test_rows_that_were_set_aside_open_from_coverage(opened: Open, writable: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    with Store(writable) as store, store.write() as db:
        db.executemany(
            "INSERT INTO rejects (at, source, reason, place, payload) VALUES (?, ?, ?, ?, ?)",
            [(epoch(seed.NOW), "import:a.csv", f"no time in {n}", f"row {n}", hostile if n else "")
             for n in range(43)],
        )  # fmt: skip
    text = page_text(opened("coverage", db=writable))
    app = opened("coverage", db=writable, **way(text, "43"))
    text = page_text(app)
    assert ">43 rows<" in text
    assert "no time in 42" in text
    assert "<img" not in text
    assert "no time in 0<" not in text
    next(b for b in app.button if b.label == "Older").click().run()
    assert "no time in 0<" in page_text(app)
    assert "kept no longer" in page_text(app), "its time in retention is over"
    next(b for b in app.button if b.label == "All of coverage").click().run()
    assert "How places are known" in page_text(app)
    assert "page" not in app.query_params


def test_a_store_of_files_alone_is_no_stopped_pipeline(opened: Open, writable: Path) -> None:
    with Store(writable) as store, store.write() as db:
        db.execute("UPDATE health SET source = 'import:' || source, failures = 0")
    text = page_text(opened("coverage", db=writable))
    assert "only files were brought in" in text
    assert "stopped" not in text


def test_a_spelling_opens_into_all_that_it_found(opened: Open, writable: Path) -> None:
    with Store(writable) as store:
        with store.write() as db:
            db.execute(
                "UPDATE mentions SET variant = 'aurroa air', kind = 'swapped letters' WHERE key IN "
                "('bluesky:p900', 'bluesky:p901', 'bluesky:p902')"
            )
        store.mark_wrong("bluesky:p901", seed.BRANDS[0], True, "ana", epoch(seed.NOW))
    text = page_text(opened("variants", db=writable))
    app = opened("mentions", db=writable, **way(text, "3"))
    found = page_text(app)
    assert "Found by “aurroa air” (swapped letters)" in found
    assert listed(found) == 3
    assert "not this brand" in found
    next(b for b in app.button if b.label == "All mentions").click().run()
    assert listed(page_text(app)) > 3


def put_countries(path: Path, judged: dict[str, list[int]]) -> None:
    """A store with so many judged posts of each country on each of the days up to now."""
    made = [
        seed.said("x", f"{code}{day}.{n}", seed.NOW - timedelta(days=day, minutes=n), country=code)
        for code, days in judged.items()
        for day, many in enumerate(reversed(days))
        for n in range(many)
    ]
    with Store(path) as store:
        seed.put(store, made, epoch(seed.NOW) - 30)


def test_only_lines_that_have_a_point_are_counted_as_drawn(
    opened: Open, tmp_path: Path, drawn: list[charts.Drawing]
) -> None:
    """Of 24 countries it said that six are drawn, and two had a line."""
    db = tmp_path / "few.db"
    put_countries(db, {"US": [30, 30, 0, 30], "DE": [9, 9, 9, 9], "FR": [0, 25, 0, 3]})
    app = opened("trends", db=db, by="country", what="net sentiment", span="7d")
    rows = drawn[-1].rows
    assert set(rows["series"]) == {"United States", "France"}
    assert "2 of 3 are drawn. The others have fewer than 20 judged posts" in page_text(app)
    us = rows[(rows["series"] == "United States") & rows["value"].notna()]
    assert us["run"].tolist()[0] == us["run"].tolist()[1] != us["run"].tolist()[2]
    assert us["alone"].tolist() == [False, False, True], "no line across a day of too few"
    france = rows[(rows["series"] == "France") & rows["value"].notna()]
    assert france["alone"].tolist() == [True], "a line of one point would not be seen"
    text = page_text(opened("trends", db=db, by="country", what="net sentiment", region="DE"))
    assert "0 of 1 are drawn. Each has fewer than 20" in text
    assert "are drawn" not in page_text(opened("trends", db=db, by="country"))


def test_a_brands_share_of_voice_is_of_all_brands(
    opened: Open, filled: Path, drawn: list[charts.Drawing]
) -> None:
    query = {"by": "brand", "what": "share of voice", "span": "14d"}
    both = page_text(opened("trends", **query))
    share = re.search(r">Borealis</a></td>.*?(\d+) %</td>", both)
    assert share
    text = page_text(opened("trends", brand="Borealis", **query))
    assert "% of the posts about all brands" in text
    values = drawn[-1].rows["value"].dropna()
    assert 0 < values.mean() < 60, "not the whole of itself"
    assert f"{share[1]} %</td>" in text


def test_a_judgement_in_the_table_of_trends_opens_into_its_posts(opened: Open) -> None:
    text = page_text(opened("trends", by="country", span="14d"))
    row = re.search(r">Germany</a></td>(.*?)</tr>", text)
    assert row
    for label in ("negative", "positive", "unsure"):
        cell = re.search(rf'href="/mentions\?([^"]*label={label})"[^>]*>(\d+)<', row[1])
        assert cell
        query = parse_qs(html.unescape(cell[1]))
        assert query["region"] == ["DE"]
        assert f">{cell[2]} posts<" in page_text(opened("mentions", **query))


@pytest.mark.parametrize(
    ("view", "query", "name", "more"),
    [
        ("live", {}, None, {}),
        ("trends", {"by": "country"}, "DE", {"region": "DE"}),
        ("trends", {"by": "own region"}, "Europe", {"region": "group:Europe"}),
        ("trends", {"by": "brand"}, "Borealis", {"brand": "Borealis"}),
        ("trends", {"by": "own region"}, "elsewhere", None),
    ],
)
def test_a_click_on_a_point_keeps_the_filter(
    opened: Open, monkeypatch: pytest.MonkeyPatch, view: str, query: dict[str, str],
    name: str | None, more: dict[str, str] | None,
) -> None:  # fmt: skip
    """The days that were asked for were lost with it."""
    from dashboard import frame

    gone: list[dict[str, object]] = []
    point = {"at_s": 100, "end_s": 200, **({"name": name} if name else {})}

    def clicked(drawing: charts.Drawing, key: str, *, pick: bool = False) -> list[object]:
        asked = "live-volume" if view == "live" else "trend-lines"
        return [point] if key == asked and pick else []

    monkeypatch.setattr(frame, "draw", clicked)
    monkeypatch.setattr(
        frame.st, "switch_page", lambda page, query_params: gone.append(dict(query_params))
    )
    opened(view, **query, platform="reddit", **{"from": "2026-03-10", "to": "2026-03-12"})
    if more is None:
        assert not gone
        return
    asked = {"platform": ["reddit"], "from": "2026-03-10", "to": "2026-03-12", "at": "100-200"}
    assert gone[-1] == {**asked, **more}


def links(text: str, part: str) -> list[dict[str, list[str]]]:
    """The addresses of all links that have ``part`` in them, as their parameters."""
    found = [parse_qs(html.unescape(a)) for a in re.findall(r'href="/\w+\?([^"]*)"', text)]
    return [query for query in found if part in query]


def test_a_post_that_is_opened_leads_back_to_what_was_shown(opened: Open) -> None:
    """It led back to all mentions of seven days, without the search, the brand and the days."""
    shown = {"brand": ["Aurora Air"], "span": ["14d"], "label": ["negative"], "q": ["cancelled"]}
    text = page_text(opened("mentions", page="1", **shown))
    post = links(text, "post")[0]
    app = opened("mentions", **post)
    assert "Conversation" in page_text(app)
    next(b for b in app.button if b.label == "All mentions").click().run()
    assert "post" not in app.query_params
    back = page_text(app)
    assert links(back, "post") == links(text, "post")
    assert post["page"] == ["1"]


@pytest.mark.parametrize("view", ["live", "inbox", "spikes"])
def test_ways_from_a_list_keep_the_filter(opened: Open, filled: Path, view: str) -> None:
    asked = {"brand": ["Aurora Air"], "span": ["14d"]}
    text = page_text(opened(view, **asked))
    ways = links(text, "spike") + links(text, "post")
    assert len(ways) > 1
    if view == "live":
        assert links(text, "post"), "a post on the wall opens"
    if view == "spikes":
        text = page_text(opened("spikes", **ways[0]))
        ways += links(text, "post")
        assert links(text, "post"), "the posts behind it open"
    assert all(asked.items() <= query.items() for query in ways)


def test_a_choice_without_posts_is_not_dropped_by_the_next(opened: Open) -> None:
    """A link to a brand that nobody named yet showed all brands once the platform was changed."""
    app = opened("mentions", brand="Newbrand", region="IS", language="fi")
    boxes = {box.label: box for box in app.multiselect}
    assert [boxes[name].value for name in ("Brand", "Region", "Language")] == [
        ["Newbrand"], ["IS"], ["fi"],
    ]  # fmt: skip
    boxes["Platform"].set_value(["reddit"]).run()
    assert not app.exception
    for key, value in (("brand", "Newbrand"), ("region", "IS"), ("language", "fi")):
        assert app.query_params[key] in (value, [value])
    again = opened("mentions")
    assert "Newbrand" not in {o for box in again.multiselect for o in box.options}


def test_a_post_is_dated_with_its_year_and_the_zone(opened: Open, filled: Path) -> None:
    from listener.store import Filter

    with Store(filled / "seed.db") as store:
        row = store.mentions(Filter(), limit=1)[0]
    text = page_text(opened("mentions", post=row["key"]))
    assert "<dt>published</dt><dd>14 Mar 2026 09:" in text
    assert " (UTC)</dd>" in text


def test_spellings_say_that_only_brands_narrow_them(opened: Open) -> None:
    text = page_text(opened("variants", brand="Borealis", region="DE", span="24h"))
    assert "Borealis · worldwide · everything" in text
    assert "Germany" not in text


def test_the_smallest_of_many_countries_fold(opened: Open, tmp_path: Path) -> None:
    db = tmp_path / "many.db"
    codes = (
        "US",
        "DE",
        "FR",
        "JP",
        "BR",
        "SG",
        "GB",
        "IT",
        "ES",
        "NL",
        "BE",
        "SE",
        "NO",
        "FI",
        "DK",
    )
    put_countries(db, {code: [2] for code in codes} | {"IS": [1], "PT": [1]})
    app = opened("trends", db=db, by="country")
    folded = next(e for e in app.expander if e.label == "2 more")
    inside = "".join(str(e.proto.body) for e in folded.get("html"))
    assert {name for name in ("Iceland", "Portugal", "Germany") if name in inside} == {
        "Iceland", "Portugal",
    }  # fmt: skip
    assert "Germany" in page_text(app)
    assert not opened("trends", db=db, by="brand").expander
