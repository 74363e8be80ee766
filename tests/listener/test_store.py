"""The store keeps what it is given once, whole, and says who holds it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from listener.collectors import Coverage, Deletion, Page, Reject
from listener.errors import StoreBusy, StoreError
from listener.mention import Author, Match, Place, Post, epoch
from listener.schema import migrations
from listener.store import Filter, RunLock, Saved, Store, lock_holder
from listener.store.base import BUSY_SECONDS, _write_ahead
from listener.store.stages import Score

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = int(START.timestamp()) + 86_400
READ = ("text", "span_start", "span_end", "also")  # what a score says that it judged


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "t.db") as opened:
        yield opened


def post(n: int, text: str = "acme is slow", **more: Any) -> Post:
    author = Author(id=f"u{n}", handle=f"user{n}", location="Berlin")
    fields: dict[str, Any] = {"created_at": START + timedelta(minutes=n), "author": author, **more}
    return Post("x", str(n), text, raw={"id": n, "text": text}, **fields)


def save(store: Store, posts: Sequence[Post], brand: str = "Acme", **more: Any) -> Saved:
    page = Page(
        posts,
        more.pop("cursor", {"at": len(posts)}),
        more.pop("coverage", Coverage()),
        rejected=more.pop("rejected", ()),
        deleted=more.pop("deleted", ()),
        threads_read=more.pop("threads_read", True),
    )
    named = [[Match(brand, brand, brand, "name", 0, 4)] if "acme" in p.text else [] for p in posts]
    fields: dict[str, Any] = {
        "source": "s", "platform": "x", "query": "q", "matches": named,
        "from_brand": [None] * len(posts), "rules": "r1", "now": NOW, **more,
    }  # fmt: skip
    return store.save_page(page, **fields)


def test_a_page_seen_twice_is_stored_once(store: Store) -> None:
    posts = [post(n) for n in range(5)]
    assert save(store, posts) == Saved(stored=5, matched=5)
    assert save(store, posts) == Saved(unchanged=5, matched=5)
    assert store.status(NOW)["counts"]["posts"] == 5


def test_the_same_post_twice_on_one_page_is_one(store: Store) -> None:
    assert save(store, [post(1), post(1)]) == Saved(stored=1, unchanged=1, matched=2)


def test_growing_likes_update_and_keep_the_judgement(store: Store) -> None:
    save(store, [post(1, likes=1)])
    store.save_scores("m1", [Score("x:1", "Acme", "negative", 0.8, 0.1, 0.1, 0.8)], NOW)
    assert save(store, [post(1, likes=90)]).updated == 1
    row = store.mentions(Filter())[0]
    assert (row["likes"], row["label"]) == (90, "negative")


def test_a_stored_post_becomes_a_mention_of_a_brand_that_was_added_later(store: Store) -> None:
    posts = [post(n, "acme and zorblat are slow") for n in range(4)]
    save(store, posts)
    store.save_scores("m1", [Score("x:0", "Acme", "negative", 0.8, 0.1, 0.1, 0.8)], NOW)
    store.save_groups([(f"x:{n}", "x:0") for n in range(4)])
    store.save_deletions("x", [Deletion("3")], NOW)
    store.flag_threads(store.touched_threads(9), ["Acme", "Zorblat"], lambda *at: None, NOW)
    store.recount()
    again = [posts[0], replace(posts[1], likes=7), posts[2], posts[3]]
    names = [Match(b, b, b, "name", at, at + 4) for b, at in (("Acme", 0), ("Zorblat", 9))]
    once_more = Match("Zorblat", "zb", "zb", "split", 0, 2, 0.4)
    own = [None, None, "Zorblat", None]

    def bring() -> None:
        save(store, again, matches=[[*names, once_more]] * 4, from_brand=own)

    bring()
    found = store.rows("SELECT key, brand, variant, span_start, also, judged_at FROM mentions "
                       "WHERE brand = 'Zorblat' ORDER BY key")  # fmt: skip
    assert [(r["key"], r["variant"], r["span_start"], r["also"]) for r in found] == [
        ("x:0", "Zorblat", 9, "0:2"),
        ("x:1", "Zorblat", 9, "0:2"),
    ]
    assert {r["judged_at"] for r in found} == {None}
    (acme,) = store.rows("SELECT label, also FROM mentions WHERE key = 'x:0' AND brand = 'Acme'")
    assert acme == {"label": "negative", "also": ""}
    assert sorted(store.touched_threads(9)) == ["x:0", "x:1", "x:2"]  # x:2: the brand's own now
    assert store.recount() == 1
    store.save_groups([(r["key"], r["group_key"]) for r in store.ungrouped(9)])
    store.recount()
    assert [(r["brand"], r["posts"], r["copies"]) for r in store.counts_by(["brand"], Filter())] == [
        ("Acme", 4, 3), ("Zorblat", 2, 1),
    ]  # fmt: skip
    store.flag_threads(store.touched_threads(9), ["Acme", "Zorblat"], lambda *at: None, NOW)
    cases = store.rows("SELECT key, brand FROM cases ORDER BY brand, key")
    assert [(c["key"], c["brand"]) for c in cases][-2:] == [("x:0", "Zorblat"), ("x:1", "Zorblat")]
    store.mark_wrong("x:1", "Zorblat", True, "ana", NOW)
    store.recount()
    store.flag_threads(store.touched_threads(9), ["Acme", "Zorblat"], lambda *at: None, NOW)
    before = store.rows("SELECT * FROM mentions ORDER BY key, brand")
    bring()
    assert store.rows("SELECT * FROM mentions ORDER BY key, brand") == before
    assert store.touched_threads(9) == []
    assert store.recount() == 0


def test_an_edited_text_is_judged_anew_and_old_brands_go(store: Store) -> None:
    save(store, [post(1), post(2)])
    scores = [Score(f"x:{n}", "Acme", "negative", 0.8, 0.1, 0.1, 0.8) for n in (1, 2)]
    store.save_scores("m1", scores, NOW)
    with store.write() as db:
        db.execute("UPDATE mentions SET theme = 7")
    save(store, [post(1, "acme is fast now"), post(2, "never mind")])
    assert [r["key"] for r in store.unjudged(10)] == ["x:1"]
    assert store.value("SELECT COUNT(*) FROM mentions WHERE theme IS NOT NULL") == 0
    assert store.status(NOW)["counts"]["mentions"] == 1


def test_a_batch_of_scores_asks_once_and_drops_what_reads_otherwise_by_now(store: Store) -> None:
    posts = [post(n) for n in range(600)]
    save(store, posts)
    two = [Match(b, b, b, "name", at, at + 4) for b, at in (("Acme", 0), ("Zorb", 9))]
    save(store, [post(n, "acme and zorb") for n in (1, 2)], matches=[two, two])
    read = {(r["key"], r["brand"]): r for r in store.waiting_for("m1", ("", ""), 999)}
    assert len(read) == 602
    batch = [
        Score(*of, "negative", 0.8, 0.1, 0.1, 0.8, read=itemgetter(*READ)(row))
        for of, row in read.items()
    ]
    batch.append(replace(batch[0], key="x:gone"))
    edited = {"x:7", "x:599"}
    save(store, [post(int(key[2:]), "acme is fast now") for key in edited])
    with store.write() as db:
        db.execute("UPDATE mentions SET also = '0:4' WHERE key = 'x:9' OR brand = 'Zorb'")
        asked: list[str] = []
        db.set_trace_callback(asked.append)
        kept = store.save_scores("m1", batch, NOW)
        db.set_trace_callback(None)
    dropped = {of for of in read if of[0] in edited | {"x:9"} or of[1] == "Zorb"}
    assert kept == len(read) - len(dropped)
    judged = {(r["key"], r["brand"]) for r in store.rows("SELECT key, brand FROM scores")}
    assert judged == set(read) - dropped
    assert sum("JOIN posts" in sql for sql in asked) == 2, "not one look-up for each"


def test_the_span_is_that_of_the_brands_asked_for(store: Store) -> None:
    assert store.span() is None
    save(store, [post(1), replace(post(2), created_at=post(1).created_at + timedelta(hours=5))])
    store.recount()
    first = epoch(post(1).created_at) // 3600 * 3600
    assert store.span() == (first, first + 5 * 3600)
    assert store.span(["Acme"]) == (first, first + 5 * 3600)
    assert store.span(["Other"]) is None


def test_posts_cursor_and_coverage_come_and_go_together(store: Store) -> None:
    save(store, [post(1)], cursor={"since": "1"})
    broken = [post(2), replace(post(3), text=3)]  # type: ignore[arg-type]
    with pytest.raises((sqlite3.Error, TypeError, AttributeError)):
        store.save_page(
            Page(broken, {"since": "3"}), source="s", platform="x", query="q",
            matches=[[], [None]], from_brand=[None, None], rules="r", now=NOW,  # type: ignore[list-item]
        )  # fmt: skip
    assert store.cursor("s", "q") == {"since": "1"}
    assert store.status(NOW)["counts"]["posts"] == 1
    assert len(store.coverage()) == 1


def test_the_ledger_knows_lag_cost_and_failures(store: Store) -> None:
    save(store, [post(0)], coverage=Coverage(asked=100, returned=1, requests=2, cost_usd=0.005))
    store.save_failure(source="s", platform="x", query="q", reason="HTTP 503", now=NOW + 60)
    failed, good = store.coverage()
    assert (good["asked"], good["new"], good["lag_seconds"]) == (100, 1, 86_400)
    assert (failed["failed"], failed["returned"]) == ("HTTP 503", 0)
    assert store.spent("s", 0) == (3, 0.005)
    source = store.status(NOW)["sources"][0]
    assert (source["failures"], source["last_error"]) == (1, "HTTP 503")
    assert source["waiting_hosts"] == []


def test_status_names_the_hosts_and_queries_that_are_left_alone(store: Store) -> None:
    save(store, [post(1)], query="old")
    waits = (
        ("b.example", "q1", NOW + 900), ("a.example", "q2", NOW + 600), ("a.example", "old", NOW + 600),
        ("over.example", "q3", NOW), ("", "q4", NOW + 60),
    )  # fmt: skip
    for host, query, until in waits:
        store.hold_queries(
            source="s", platform="rss", query=query, reason=f"{host or query} failed", now=NOW - 60,
            open_until=until, host=host, of_host=bool(host), held={query: {}}, failures=2,
            before=NOW + 1,
        )  # fmt: skip
    (found,) = store.status(NOW)["sources"]
    assert found["failures"] == 0, "the source is heard"
    assert found["waiting_hosts"] == [
        {"host": h, "heard_at": heard, "open_until": NOW + s, "last_error": f"{h} failed"}
        for h, s, heard in (("a.example", 600, NOW), ("b.example", 900, None))
    ]
    # A pause that is over is no wait, and nothing has been heard since either.
    assert found["failing_queries"] == [
        {
            "query": q,
            "heard_at": None,
            "failures": 2,
            "open_until": NOW + s,
            "last_error": f"{w} failed",
        }
        for q, s, w in (("q3", 0, "over.example"), ("q4", 60, "q4"))
    ]


def test_faults_are_found_behind_any_number_of_good_requests(store: Store) -> None:
    store.save_failure(source="x", platform="x", query="all", reason="503", now=NOW)
    save(store, [post(1)], coverage=Coverage(returned=1, truncated=True))
    for n in range(20):
        save(store, [post(2 + n)])
    found = store.faults(limit=5)
    assert [(r["failed"], r["truncated"]) for r in found] == [(None, 1), ("503", 0)]
    assert [r["failed"] for r in store.faults(limit=1)] == [None]
    assert store.faults(since=max(r["at"] for r in store.coverage()) + 1) == []


def test_rejects_that_an_older_store_counted_twice_count_once(tmp_path: Path) -> None:
    older = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    migrations.apply(Database(older), stop_before="m019_rejects_once")
    older.executemany(
        "INSERT INTO rejects (at, source, reason, place, payload) VALUES (?, 'files', ?, ?, ?)",
        [(1, "no text", "row 7", "x"), (2, "no text", "row 7", "x"), (2, "no text", "row 8", "x")],
    )
    older.close()
    with Store(tmp_path / "old.db") as store:
        assert [r["at"] for r in store.rows("SELECT at FROM rejects ORDER BY id")] == [2, 2]


def test_a_reject_that_retention_emptied_is_whole_when_it_comes_again(store: Store) -> None:
    save(store, [], rejected=[Reject("no text", "row 7", "x")])
    with store.write() as db:
        db.execute("UPDATE rejects SET payload = ''")
    save(store, [], rejected=[Reject("no text", "row 7", "x"), Reject("no time", "row 7", "x")])
    rows = store.rows("SELECT reason, payload FROM rejects ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("no text", "x"), ("no time", "x")]


def test_rejects_are_kept_aside_with_their_reason(store: Store) -> None:
    save(store, [], rejected=[Reject("no text", "row 7", '{"id": 7}')])
    row = store.one("SELECT reason, place, payload FROM rejects")
    assert row == {"reason": "no text", "place": "row 7", "payload": '{"id": 7}'}


def test_a_deleted_post_leaves_a_tombstone_and_no_content(store: Store) -> None:
    save(store, [post(1), post(2)])
    assert store.save_deletions("x", [Deletion("1")], NOW) == 1
    row = store.one("SELECT text, author_handle, deleted_at FROM posts WHERE key = 'x:1'")
    assert row == {"text": "", "author_handle": None, "deleted_at": NOW}
    assert store.value("SELECT COUNT(*) FROM payloads") == 1
    assert store.rows("SELECT * FROM deletions") == [{"key": "x:1", "state": "deleted", "at": NOW}]
    save(store, [post(1)])  # a late page that still holds it brings nothing back
    assert store.value("SELECT text FROM posts WHERE key = 'x:1'") == ""


def test_a_deleted_post_does_not_come_back_with_other_counts_or_another_text(store: Store) -> None:
    save(store, [post(1, likes=1)])
    store.save_scores("m1", [Score("x:1", "Acme", "negative", 0.8, 0.1, 0.1, 0.8)], NOW)
    store.save_deletions("x", [Deletion("1")], NOW)
    for again in (post(1, likes=2), post(1, "acme is slow, I said", likes=1)):
        assert save(store, [again]) == Saved(unchanged=1, matched=1)
    assert store.rows("SELECT text, author_id FROM posts") == [{"text": "", "author_id": None}]
    assert store.value("SELECT COUNT(*) FROM payloads") == 0  # they hold the text and its author
    assert store.unjudged(10) == []
    assert store.mentions(Filter())[0]["label"] == "negative"


def test_a_deleted_account_takes_all_its_posts(store: Store) -> None:
    author = Author(id="gone", handle="gone")
    save(store, [post(1, author=author), post(2, author=author), post(3)])
    assert store.save_deletions("x", [Deletion("", author_id="gone")], NOW) == 2


def test_half_a_character_is_stored_and_loses_no_other_post(store: Store) -> None:
    assert save(store, [post(1, "acme \ud83d"), post(2)]).stored == 2
    assert store.value("SELECT text FROM posts WHERE key = 'x:1'") == "acme ?"


# threads and cases --------------------------------------------------------------------------------


def flag(store: Store) -> dict[str, tuple[str, int | None]]:
    store.flag_threads(store.touched_threads(100), ["Acme"], lambda _, t: t + 3600, NOW)
    rows = store.rows("SELECT key, thread_state, answered_at FROM cases")
    return {r["key"]: (r["thread_state"], r["answered_at"]) for r in rows}


def test_the_brands_later_post_in_the_thread_answers(store: Store) -> None:
    question, reply = post(1), post(9, "we are on it", reply_to="1")
    save(store, [question])
    assert flag(store) == {"x:1": ("unanswered", None)}
    save(store, [reply], from_brand=["Acme"])
    assert flag(store) == {"x:1": ("answered", int(reply.created_at.timestamp()))}


def test_a_strangers_reply_answers_nothing(store: Store) -> None:
    save(store, [post(1), post(2, "same here", reply_to="1")])
    assert flag(store) == {"x:1": ("unanswered", None)}


def test_a_reply_before_the_mention_answers_nothing(store: Store) -> None:
    save(store, [post(1, "hi"), post(2, "hello", reply_to="1"), post(3, reply_to="2")],
         from_brand=[None, "Acme", None])  # fmt: skip
    assert flag(store) == {"x:3": ("unanswered", None)}


def test_a_thread_that_was_not_read_is_unknown(store: Store) -> None:
    save(store, [post(1)], threads_read=False)
    assert flag(store) == {"x:1": ("unknown", None)}
    store.mark_threads_read(["x:1"], NOW)
    assert flag(store) == {"x:1": ("unanswered", None)}


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3), (3, 1, 4, 2)])
@pytest.mark.parametrize("together", [True, False])
def test_threads_join_in_whatever_order_replies_arrive(
    store: Store, order: tuple[int, ...], together: bool
) -> None:
    chain = {
        1: post(1), 2: post(2, "acme?", reply_to="1"), 3: post(3, "on it", reply_to="2"),
        4: post(4, "acme thanks", reply_to="3"),
    }  # fmt: skip
    if together:
        save(
            store, [chain[n] for n in order], from_brand=["Acme" if n == 3 else None for n in order]
        )
    else:
        for n in order:
            save(store, [chain[n]], from_brand=["Acme" if n == 3 else None])
            flag(store)
    assert {r["thread"] for r in store.rows("SELECT thread FROM posts")} == {"x:1"}
    assert {k: s for k, (s, _) in flag(store).items()} == {
        "x:1": "answered", "x:2": "answered", "x:4": "unanswered",
    }  # fmt: skip
    assert store.value("SELECT COUNT(*) FROM cases WHERE opening = 1") == 1


def test_mentions_by_their_answer_are_those_that_are_counted_and_all_that_wait_can_be_paged(
    store: Store,
) -> None:
    asked = [post(n) for n in (1, 2, 3, 4)]
    save(store, [*asked, post(5, "acme again", reply_to="1")])
    save(store, [post(9, "we are on it", reply_to="2")], from_brand=["Acme"])
    save(store, [post(7)], threads_read=False)
    flag(store)
    states = {
        state: {r["key"] for r in store.mentions(Filter(), thread_state=state)}
        for state in ("answered", "unanswered", "unknown")
    }
    assert states == {
        "answered": {"x:2"}, "unanswered": {"x:1", "x:3", "x:4", "x:5"}, "unknown": {"x:7"},
    }  # fmt: skip
    counted = sum(
        r["cases"] for r in store.case_counts(Filter()) if r["thread_state"] == "unanswered"
    )
    assert counted == 4
    first = store.mentions(Filter(), thread_state="unanswered", opening=True)
    assert {r["key"] for r in first} == {"x:1", "x:3", "x:4"}
    pages = [[r["key"] for r in store.unanswered(Filter(), limit=2, offset=n)] for n in (0, 2, 4)]
    assert [len(p) for p in pages] == [2, 2, 0]
    assert [key for page in pages for key in page] == [r["key"] for r in store.unanswered(Filter())]


def test_a_deleted_mention_waits_for_no_answer_and_an_answered_one_stays_counted(
    store: Store,
) -> None:
    save(store, [post(1), post(2, "acme, me too", reply_to="1"), post(3)])
    save(store, [post(4, "on it", reply_to="3")], from_brand=["Acme"])
    flag(store)
    store.save_deletions("x", [Deletion("1"), Deletion("3")], NOW)
    assert set(flag(store)) == {"x:2", "x:3"}
    assert [row["key"] for row in store.unanswered(Filter())] == ["x:2"]
    counts = {
        (row["thread_state"], row["opening"]): row["cases"] for row in store.case_counts(Filter())
    }
    # The conversation that the deleted post opened is opened by the next mention in it.
    assert counts == {("unanswered", 1): 1, ("answered", 1): 1}
    assert [row["key"] for row in store.response_times(Filter())] == ["x:3"]


def test_a_case_someone_claimed_stays_claimed(store: Store) -> None:
    save(store, [post(1)])
    flag(store)
    with store.write() as db:
        db.execute("UPDATE cases SET state = 'claimed', owner = 'mo'")
    save(store, [post(2, "me too", reply_to="1")])
    flag(store)
    assert store.one("SELECT state, owner FROM cases") == {"state": "claimed", "owner": "mo"}


# judged, placed, counted --------------------------------------------------------------------------


def test_scores_are_kept_by_version_and_the_newest_shows(store: Store) -> None:
    save(store, [post(1)])
    store.save_scores("m1", [Score("x:1", "Acme", "neutral", 0.2, 0.6, 0.2, 0.6)], NOW)
    assert store.waiting_for("m2", ("", ""), 10)[0]["key"] == "x:1"
    store.save_scores("m2", [Score("x:1", "Acme", "negative", 0.9, 0.1, 0.0, 0.9)], NOW)
    assert store.waiting_for("m2", ("", ""), 10) == []
    assert store.value("SELECT COUNT(*) FROM scores") == 2
    assert store.waiting_for("m1", ("", ""), 10)[0]["key"] == "x:1", "m2's word is shown, not m1's"
    assert store.mentions(Filter())[0]["label"] == "negative"
    assert store.status(NOW)["model"] == "m2"


def test_a_human_correction_stays_above_every_model(store: Store) -> None:
    save(store, [post(1)])
    store.save_scores("m1", [Score("x:1", "Acme", "positive", 0, 0, 1, 1)], NOW)
    store.correct("x:1", "Acme", "negative", "ana", NOW)
    store.save_scores("m2", [Score("x:1", "Acme", "positive", 0, 0, 1, 1)], NOW)
    row = store.mentions(Filter())[0]
    assert (row["label"], row["override"], row["positive"]) == ("negative", "human: ana", 1)


def test_counts_equal_the_mentions_and_recounting_changes_nothing(store: Store) -> None:
    save(store, [post(n) for n in range(0, 180, 10)])
    store.save_places(
        [(r["key"], Place("DE", "Berlin", "profile", 0.9)) for r in store.unplaced(9)]
    )
    store.save_scores("m", [Score("x:0", "Acme", "negative", 1, 0, 0, 1)], NOW)
    store.recount()
    first = store.rows("SELECT * FROM counts ORDER BY 1, 2, 3, 4, 5, 6, 7")
    assert sum(r["posts"] for r in first) == 18
    by_label = {r["label"]: r["posts"] for r in store.counts_by(["label"], Filter())}
    assert by_label == {"": 17, "negative": 1}
    by_country = {r["country"]: r["posts"] for r in store.counts_by(["country"], Filter())}
    assert by_country == {"": 9, "DE": 9}
    with store.write() as db:
        db.execute("INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions")
    store.recount()
    assert store.rows("SELECT * FROM counts ORDER BY 1, 2, 3, 4, 5, 6, 7") == first


def test_a_wrong_match_leaves_the_counts(store: Store) -> None:
    save(store, [post(1), post(2)])
    store.recount()
    store.mark_wrong("x:1", "Acme", True, "ana", NOW)
    store.recount()
    assert store.counts_by([], Filter())[0]["posts"] == 1
    assert [r["key"] for r in store.mentions(Filter())] == ["x:2"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("100%", {"x:1"}), ("a_b", {"x:3"}), ("a\\b", {"x:4"}), ("\0 sad", {"x:5"}), ("no\0", set()),
        ("\u0301", set()), ("café", {"x:6", "x:7"}), ("CAFE", {"x:6", "x:7"}),
        ("x" * 60_000, set()),
    ],
)  # fmt: skip
def test_search_treats_all_signs_as_text(store: Store, words: str, found: set[str]) -> None:
    texts = (
        "acme 100% broken", "acme 1000 broken", "acme a_b", r"acme a\b", "acme \0 sad",
        "acme cafe", "acme Café",
    )  # fmt: skip
    save(store, [post(i, text) for i, text in enumerate(texts, start=1)])
    assert {r["key"] for r in store.mentions(Filter(), contains=words)} == found


def test_a_long_conversation_is_read_around_a_post_with_the_brands_own(store: Store) -> None:
    posts = [post(0), *(post(n, reply_to="0") for n in range(1, 30))]
    own = [post(n, "we are on it", reply_to="0") for n in (100, 101, 102)]
    save(store, posts)
    save(store, own, from_brand=["Acme"] * 3)

    def read(around: str | None, limit: int) -> list[int]:
        return [int(r["key"][2:]) for r in store.thread_posts("x:0", around, limit)]

    assert store.thread_size("x:0") == 33
    assert read("x:20", 10) == [*range(15, 25), 100, 101, 102]
    assert read("x:2", 10) == [*range(10), 100, 101, 102]
    assert read("x:102", 10) == [*range(23, 30), 100, 101, 102], "a full page at the end, too"
    assert read(None, 10) == [*range(10), 100, 101, 102]
    assert read("x:20", 2) == [19, 20, 100, 101], "as many of the brand's, the answer first"
    assert read("x:20", 200) == [*range(30), 100, 101, 102]
    assert store.thread_posts("x:none", "x:20") == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ärger", {"x:1"}), ("ÄRGER mit", {"x:1"}), ("авария", {"x:2"}), ("Авария", {"x:2"}),
        ("über alles", {"x:3"}), ("énorme_", {"x:4"}), ("REFUND", {"x:5"}), ("ø€", set()),
        ("une école", {"x:6"}), ("UNE éCOLE", {"x:6"}), ("l'école d'été", {"x:6"}), ("ecole", {"x:6"}),
        ("наша связь", {"x:7"}), ("ΚΑΛΌΣ ΚΑΦΈΣ", {"x:8"}), ("καλός καφές", {"x:8"}),
        ("istanbul", {"x:9"}), ("İSTANBUL", {"x:9"}), ("ısparta", {"x:9"}), ("ISPARTA", {"x:9"}),
        ("hauptstrasse", {"x:10"}), ("HauptSTRASSE", {"x:10"}), ("50%_", {"x:10"}), ("5%0", set()),
    ],
)  # fmt: skip
def test_search_takes_big_and_small_letters_of_every_script_for_one(
    store: Store, words: str, found: set[str]
) -> None:
    texts = (
        "Ärger mit acme", "АВАРИЯ acme", "acme: Über Alles", "acme ÉNORME_", "acme refund",
        "acme, une École, l'École d'Été", "acme: наша Связь", "acme: Καλός ΚΑΦΈΣ",
        "acme İstanbul, Isparta", "acme, Hauptstraße: 50%_",
    )  # fmt: skip
    save(store, [post(i, text) for i, text in enumerate((*texts, "acme énormes"), start=1)])
    assert {r["key"] for r in store.mentions(Filter(), contains=words)} == found


# holding and opening ------------------------------------------------------------------------------


def test_a_second_run_is_refused_with_the_holders_pid(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom listener.store import RunLock\n"
        "with RunLock(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    path = tmp_path / "t.db"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lock_holder(path) == holder.pid
        with pytest.raises(StoreBusy, match=str(holder.pid)) as caught, RunLock(path):
            pass
        assert caught.value.pid == holder.pid
        holder.kill()
        holder.wait()
    with RunLock(path):  # the kernel let go of a dead one's lock
        assert lock_holder(path) is not None
    assert lock_holder(path) is None


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "posts.csv"
    bad.write_text("text,created\n" * 500)
    with pytest.raises(StoreError, match=r"posts\.csv.*name another with"):
        Store(bad)


def test_a_missing_database_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="groundswell import"):
        Store(tmp_path / "none.db", create=False)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('groundswell', 'm999_future', '2030-01-01')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="newer Groundswell"):
        Store(path)


def test_migrating_from_the_first_schema_equals_a_new_file(tmp_path: Path) -> None:
    def tables(db: Database) -> set[str]:
        return {row[0] for row in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}

    names = [m.name for m in migrations._migrations]
    old = Database(sqlite3.connect(tmp_path / "old.db", isolation_level=None))
    for following in (*names[1:], None):
        migrations.apply(old, stop_before=following)
    new = Database(sqlite3.connect(tmp_path / "new.db", isolation_level=None))
    migrations.apply(new)
    assert tables(old) == tables(new)
    old.conn.close()
    new.conn.close()


def test_a_store_in_which_deleted_posts_had_come_back_is_mended(store: Store) -> None:
    save(store, [post(1), post(2)])
    flag(store)
    cases = store.rows("SELECT * FROM cases ORDER BY key")
    store.save_deletions("x", [Deletion("1"), Deletion("2", "geo_removed")], NOW)
    with store.write() as db:  # as it was left before
        db.execute("DELETE FROM cases")
        db.executemany(
            f"INSERT INTO cases VALUES ({', '.join('?' * len(cases[0]))})",
            [tuple(case.values()) for case in cases],
        )
        for n in (1, 2):
            db.execute(
                "INSERT OR REPLACE INTO payloads VALUES (?, '{\"text\": 1}', 1)", (f"x:{n}",)
            )
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm011_deleted_stays_deleted'")
    with Store(store.path) as again:
        assert [row["key"] for row in again.rows("SELECT key FROM payloads")] == ["x:2"]
        assert [row["key"] for row in again.unanswered(Filter())] == ["x:2"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts handles as Linux shows them")
def test_a_thread_that_ended_keeps_no_file_open(store: Store) -> None:
    def handles() -> int:
        found = 0
        for link in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                found += str(link.readlink()).startswith(str(store.path))
        return found

    store.revision()
    alone, seen = handles(), []
    for _ in range(20):
        one = threading.Thread(target=lambda: seen.append(store.revision()))
        one.start()
        one.join()
    assert seen == [store.revision()] * 20
    assert handles() <= 2 * alone, "this thread's, and those of the last one that ended"


def test_threads_at_once_each_keep_their_connection(store: Store) -> None:
    together = threading.Barrier(8)

    def work(found: list[object]) -> None:
        first = store.db.conn
        together.wait()
        found += [first, store.db.conn, store.revision()]

    found: list[list[object]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=work, args=(part,)) for part in found]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(a is b for a, b, _ in found)
    assert len({id(a) for a, _, _ in found}) == 8


def test_readers_read_while_a_writer_writes(store: Store) -> None:
    save(store, [post(1)])
    reader = Store(store.path)
    with store.write() as db:
        db.execute("UPDATE posts SET likes = 5")
        assert reader.mentions(Filter())[0]["likes"] is None
    assert reader.mentions(Filter())[0]["likes"] == 5
    reader.close()


def test_revision_grows_with_every_write(store: Store) -> None:
    before = store.revision()
    save(store, [post(1)])
    assert store.revision() == before + 1


@pytest.mark.parametrize("applied", [0, 9])
def test_commands_started_at_once_on_a_new_or_older_store_all_open_it(
    tmp_path: Path, applied: int
) -> None:
    names = [m.name for m in migrations._migrations]
    for n in range(6):
        path = tmp_path / f"{n}.db"
        if applied:
            older = sqlite3.connect(path, isolation_level=None)
            migrations.apply(Database(older), stop_before=names[applied])
            older.close()
        ready = threading.Barrier(4)

        def opened(path: Path = path, ready: threading.Barrier = ready) -> int:
            ready.wait()
            with Store(path) as store:
                return int(store.value("SELECT COUNT(*) FROM _sqlite_migrations"))

        with ThreadPoolExecutor(4) as pool:
            counts = [pool.submit(opened) for _ in range(4)]
        assert [c.result() for c in counts] == [len(names)] * 4


def test_one_who_makes_the_same_file_is_waited_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Held:
        def __init__(self, times: int, text: str = "database is locked") -> None:
            self.times, self.text = times, text

        def execute(self, sql: str) -> None:
            self.times -= 1
            if self.times >= 0:
                raise sqlite3.OperationalError(self.text)

    clock = [0.0]
    monkeypatch.setattr("listener.store.base.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(
        "listener.store.base.time.sleep", lambda seconds: clock.append(clock.pop() + seconds)
    )
    for_a_while, for_ever, broken = Held(9), Held(10**6), Held(1, "disk I/O error")
    _write_ahead(for_a_while)  # type: ignore[arg-type]
    assert for_a_while.times == -1
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        _write_ahead(for_ever)  # type: ignore[arg-type]
    assert BUSY_SECONDS < clock[0] < BUSY_SECONDS + 1
    with pytest.raises(sqlite3.OperationalError, match="disk"):
        _write_ahead(broken)  # type: ignore[arg-type]
