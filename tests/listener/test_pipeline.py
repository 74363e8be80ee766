"""The stages composed: what posts become, what a failing part leaves standing, a clean stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from listener.cli import cli
from listener.collectors import Collector, Cursor, Page, Secret
from listener.collectors.files import FilesOptions
from listener.config import Budget, Config, parse_config
from listener.errors import AuthError, ConfigError, LimitError, PlatformError
from listener.matching import Matcher
from listener.mention import Author, Post, Query, epoch
from listener.pipeline import Pipeline
from listener.store import Filter, Store

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
CONFIG = """
brands:
  - {name: Acme, handles: {x: [acmehelp]}, phrases: {"war zone": neutral}, competitors: [Globex]}
sources:
  - {platform: files, name: one, path: a.csv}
  - {platform: files, name: two, path: b.csv}
"""


class KeywordJudge:
    """Negative where a text says "late", positive where it says "great": stands in for the model."""

    version = "keyword-1"

    def judge(self, items: Sequence[Any], *, threshold: float | None = None) -> list[Any]:
        def one(item: Any) -> Any:
            rule = next((r for r in item.rules if r.phrase in item.text.lower()), None)
            label = (
                rule.label if rule
                else "negative" if "late" in item.text
                else "positive" if "great" in item.text else "neutral"
            )  # fmt: skip
            p = {"negative": 0.1, "neutral": 0.1, "positive": 0.1, label: 0.8}
            return SimpleNamespace(
                label=label, **p, confidence=0.8, language="en", intent=None,
                rule=rule.phrase if rule else None,
            )  # fmt: skip

        return [one(item) for item in items]


def judge() -> Any:
    return KeywordJudge()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "t.db") as opened:
        yield opened


@pytest.fixture
def config() -> Config:
    return parse_config(CONFIG)


@pytest.fixture
def pipeline(store: Store, config: Config) -> Pipeline:
    return Pipeline(store, config, clock=lambda: NOW, load_judge=judge)


def post(n: int, text: str, handle: str = "ana", **more: Any) -> Post:
    fields: dict[str, Any] = {
        "created_at": NOW - timedelta(hours=5) + timedelta(minutes=n),
        "author": Author(id=handle, handle=handle, location="Lyon, France"),
        **more,
    }
    return Post("x", str(n), text, **fields)


def keep(pipeline: Pipeline, *posts: Post) -> None:
    pipeline.keep(Page(posts, {}, threads_read=True), source="one", platform="x", query="all")


def test_one_mention_lives_its_whole_life(pipeline: Pipeline, store: Store) -> None:
    keep(
        pipeline,
        post(1, "acme is late again"),
        post(2, "globex is great"),
        post(3, "nothing to see"),
        post(4, "sorry, we look into it", handle="AcmeHelp", reply_to="1"),
    )
    tick = pipeline.tick(only=("place", "flag", "judge", "group", "count", "spike"))
    assert tick.failed == {}
    rows = {r["key"]: r for r in store.mentions(Filter())}
    assert {k: (r["brand"], r["label"], r["country"]) for k, r in rows.items()} == {
        "x:1": ("Acme", "negative", "FR"), "x:2": ("Globex", "positive", "FR"),
    }  # fmt: skip
    assert rows["x:1"]["thread_state"] == "answered"
    assert rows["x:1"]["answered_at"] - rows["x:1"]["created_at"] == 180
    assert rows["x:2"]["thread_state"] is None, "nobody here answers for a competitor"
    assert store.counts_by(["brand", "label"], Filter()) == [
        {"brand": "Acme", "label": "negative", "posts": 1, "copies": 0},
        {"brand": "Globex", "label": "positive", "posts": 1, "copies": 0},
    ]


def test_the_brands_own_post_is_no_mention(pipeline: Pipeline, store: Store) -> None:
    keep(pipeline, post(1, "Acme is hiring", handle="acmehelp"))
    assert store.mentions(Filter()) == []
    assert store.value("SELECT from_brand FROM posts") == "Acme"


@pytest.mark.parametrize(
    ("platform", "whose"),
    [("x", "Acme"), ("bluesky", "Globex"), ("reddit", None), ("youtube", None), ("file", "Acme")],
)
def test_a_handle_is_the_brands_on_its_own_platform_only(
    store: Store, platform: str, whose: str | None
) -> None:
    """Elsewhere a stranger has the name; an export without platforms is believed."""
    config = "brands: [{name: Acme, handles: {Twitter: '@Acme'}}, {name: Globex, handles: {HERE}}]"
    config = config.replace("HERE", "jetstream: acme.bsky.social")
    pipeline = Pipeline(store, parse_config(config), clock=lambda: NOW)
    handle = "acme.bsky.social" if platform == "bluesky" else "acme"
    asked = replace(post(1, "Acme and Globex are late again"), platform=platform)
    said = replace(post(2, "Acme is late for me too", handle=handle), platform=platform)
    keep(pipeline, asked, replace(said, conversation_id="1"))
    pipeline.tick(only=("flag",))
    assert store.value("SELECT from_brand FROM posts WHERE native_id = '2'") == whose
    found = {(r["key"][-1], r["brand"]): r["thread_state"] for r in store.mentions(Filter())}
    answered = {brand for (key, brand), state in found.items() if state == "answered"}
    assert answered == ({whose} if whose else set())
    assert (("2", "Acme") in found) is (whose != "Acme"), "a stranger's complaint is a mention"


def test_what_was_edited_while_the_model_read_it_is_judged_anew(
    store: Store, config: Config
) -> None:
    texts = ["acme is late", "acme is great after all", "never mind, globex is late"]

    class Editing(KeywordJudge):
        def judge(self, items: Sequence[Any], *, threshold: float | None = None) -> list[Any]:
            if texts:
                keep(pipeline, post(1, texts.pop(0)))
            return super().judge(items, threshold=threshold)

    pipeline = Pipeline(store, config, clock=lambda: NOW, load_judge=Editing)
    keep(pipeline, post(1, "acme is fine"), post(2, "acme is late"))
    assert pipeline.judge() == 1, "post 2; the only other one changes under the model's eyes"
    assert [row["text"] for row in store.unjudged(9)] == ["acme is great after all"]
    assert pipeline.judge() == 0
    assert [(r["brand"], r["text"]) for r in store.unjudged(9)] == [
        ("Globex", "never mind, globex is late")
    ]
    assert store.value("SELECT COUNT(*) FROM scores WHERE key = 'x:1'") == 0
    assert (pipeline.judge(), pipeline.judge()) == (1, 0)
    rows = {r["key"]: (r["brand"], r["label"]) for r in store.mentions(Filter())}
    assert rows == {"x:1": ("Globex", "negative"), "x:2": ("Acme", "negative")}


def test_the_judge_is_told_every_place_where_the_brand_is_named(store: Store) -> None:
    asked: list[Any] = []

    class Noting(KeywordJudge):
        def judge(self, items: Sequence[Any], *, threshold: float | None = None) -> list[Any]:
            asked.extend(items)
            return super().judge(items, threshold=threshold)

    pipeline = Pipeline(store, parse_config(CONFIG), clock=lambda: NOW, load_judge=Noting)
    keep(pipeline, post(1, "@acmehelp late again. Globex was not. Done with Acme https://acme.com"))
    pipeline.judge()
    named = {
        item.text[slice(*item.target)]: [item.text[slice(*span)] for span in item.also]
        for item in asked
    }
    assert named == {"acmehelp": ["Acme"], "Globex": []}, "a link is no name that is read"
    edited = replace(post(1, "@acmehelp late again"), raw={"edited": True})
    keep(pipeline, edited)
    asked.clear()
    pipeline.judge()
    assert [(item.text[slice(*item.target)], item.also) for item in asked] == [("acmehelp", ())]


def test_a_reply_to_the_brand_is_a_mention_without_its_name(
    pipeline: Pipeline, store: Store
) -> None:
    keep(
        pipeline,
        post(1, "new hours from Monday", handle="acme"),
        post(2, "and what about sundays?", reply_to="1"),
        post(3, "nobody asked you", handle="bea", reply_to="2"),
        post(4, "see you there", handle="cy"),
    )
    keep(pipeline, post(5, "still no answer", handle="dee", reply_to="1"))  # the parent is stored
    rows = {r["key"]: r for r in store.mentions(Filter())}
    assert set(rows) == {"x:2", "x:5"}, "neither a reply to a customer nor a post to nobody"
    assert [(r["brand"], r["kind"], r["span_start"], r["span_end"]) for r in rows.values()] == [
        ("Acme", "handle", 0, 0)
    ] * 2


def test_a_reply_is_the_brands_when_the_platform_names_its_account(
    pipeline: Pipeline, store: Store
) -> None:
    mastodon = {
        "in_reply_to_account_id": "77",
        "mentions": [
            {"id": "5", "acct": "bea", "url": "https://social.example/@bea"},
            {"id": "77", "acct": "acme", "url": "https://social.example/@acme"},
        ],
    }
    pipeline = Pipeline(
        store,
        parse_config(
            "brands: [{name: Ackme, handles: {x: acmehelp, mastodon: acme@social.example}}]"
        ),
        clock=lambda: NOW,
    )
    keep(
        pipeline,
        post(1, "no answer yet", reply_to="901", raw={"in_reply_to_screen_name": "AcmeHelp"}),
        post(2, "no answer yet", reply_to="902", raw={"in_reply_to_screen_name": "bea"}),
        post(3, "no answer yet", reply_to="903", raw=mastodon),
        post(4, "no answer yet", reply_to="904", raw={**mastodon, "in_reply_to_account_id": "5"}),
    )
    assert {r["key"] for r in store.mentions(Filter())} == {"x:1", "x:3"}


def test_a_link_behind_a_shortener_is_a_mention(pipeline: Pipeline, store: Store) -> None:
    keep(
        pipeline,
        post(1, "look at this https://t.co/abc", links=("https://www.acme.com/sale?x=1",)),
        post(2, "look at this https://t.co/abd", links=("https://other.example/acme",)),
        post(3, "look at this https://t.co/abe"),
        post(4, "look", links=("https://acme.com.example:nan]/",)),  # no address at all
    )
    (row,) = store.mentions(Filter())
    assert (row["key"], row["brand"], row["kind"], row["variant"]) == (
        "x:1", "Acme", "link", "www.acme.com",
    )  # fmt: skip


def test_a_phrase_rule_overrides_and_says_so(pipeline: Pipeline, store: Store) -> None:
    keep(pipeline, post(1, "acme in the war zone, late as ever"))
    pipeline.tick(only=("judge",))
    row = store.mentions(Filter())[0]
    assert (row["label"], row["override"]) == ("neutral", "rule: war zone")


def test_copies_are_counted_beside_unique_posts(pipeline: Pipeline, store: Store) -> None:
    spam = "acme giveaway: follow this account and win one of ten thousand phones, only today"
    keep(pipeline, *(post(n, f"{spam} {n}", handle=f"bot{n}") for n in range(5)))
    pipeline.tick(only=("group", "count"))
    assert store.counts_by([], Filter()) == [{"posts": 5, "copies": 4}]


def test_a_flood_is_marked_and_people_who_repost_are_none(pipeline: Pipeline, store: Store) -> None:
    spam = "acme giveaway: follow this account and win one of ten thousand phones, only today"
    bots = [
        post(n, f"{spam} {n}", handle=f"bot{n % 5}", created_at=NOW - timedelta(seconds=90 - 4 * n))
        for n in range(14)
    ]
    keep(pipeline, *bots[:9])
    pipeline.tick(only=("group", "count"))
    assert store.floods(Filter()) == [], "nine are no flood yet"
    keep(pipeline, *bots[9:])
    said = post(
        50, "acme opens at nine again, as it always did before that long winter", handle="ana"
    )
    reposts = [
        post(51 + n, f"RT @ana: {said.text}", handle=f"p{n}", repost_of="50", created_at=NOW)
        for n in range(20)
    ]
    keep(pipeline, said, *reposts)
    pipeline.tick(only=("group", "count"))
    (flood,) = store.floods(Filter())
    assert (flood["group_key"], flood["posts"], flood["copies"], flood["authors"]) == (
        "x:0", 14, 14, 5,
    )  # fmt: skip
    assert flood["reason"] == "14 copies within one minute"
    assert flood["text"].startswith("acme giveaway")
    assert store.volume(Filter()) == {
        "posts": 35, "unique": 2, "copies": 33, "authors": 26, "floods": 1, "flood_posts": 14,
    }  # fmt: skip
    assert store.floods(Filter(brands=("Globex",))) == []
    assert [r["posts"] for r in store.floods(Filter(until=epoch(NOW) - 70))] == [5]


def test_what_looked_like_a_flood_is_none_when_many_join(pipeline: Pipeline, store: Store) -> None:
    chain = "acme please bring back the old app, sign here and pass this on to all of your friends"

    def said(first: int, last: int, authors: int) -> list[Post]:
        when = NOW - timedelta(hours=100)
        return [
            post(n, chain, handle=f"u{n % authors}", created_at=when + timedelta(minutes=5 * n))
            for n in range(first, last)
        ]

    keep(pipeline, *said(0, 12, 3))
    pipeline.tick(only=("group",))
    assert [f["reason"] for f in store.floods(Filter())] == ["12 copies by 3 authors"]
    keep(pipeline, *said(12, 200, 150))
    pipeline.tick(only=("group",))
    assert store.floods(Filter()) == []


def test_a_failing_stage_is_noted_and_the_others_go_on(pipeline: Pipeline, store: Store) -> None:
    def broken() -> Any:
        raise RuntimeError("no model here")

    pipeline._load_judge = broken
    keep(pipeline, post(1, "acme is late"))
    tick = pipeline.tick(only=("place", "judge", "count"))
    assert tick.failed == {"judge": "RuntimeError: no model here"}
    assert tick.done["place"] == 1
    assert store.counts_by(["country"], Filter())[0]["country"] == "FR"
    assert "no model here" in store.status(epoch(NOW))["stages"]["judge"]["last_error"]
    pipeline._load_judge = judge
    assert pipeline.tick(only=("judge",)).done == {"judge": 1}


class Flaky(Collector):
    """One page, then a failure; from the second call on, the rest."""

    platform = "flaky"
    options = FilesOptions
    everything = True

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        if cursor is None:
            yield Page([post(1, "acme one")], {"at": 1})
            raise PlatformError("HTTP 503 from the platform")
        if cursor == {"at": 1}:
            yield Page([post(2, "acme two")], {"at": 2})
            raise LimitError("HTTP 429", resets_at=NOW.timestamp() + 600)
        yield Page([post(3, "acme three")], {"at": 3}, complete=True)

    @staticmethod
    def to_post(payload: Mapping[str, Any]) -> Post:
        return post(int(payload["n"]), "x")


def test_nothing_is_asked_for_that_could_not_be_matched(
    pipeline: Pipeline, store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request costs money, and what it brings could not be kept."""

    def build(suspended: Mapping[str, frozenset[str]]) -> Matcher:
        raise ConfigError("these names cannot be looked for")

    monkeypatch.setattr(pipeline, "_build_matcher", build)
    monkeypatch.setattr("listener.collectors.load", lambda name: pytest.fail("it was asked"))
    with pytest.raises(ConfigError, match="these names"):
        pipeline.collect(config.sources[0])
    assert set(pipeline.collect_all()[1].values()) == {"these names cannot be looked for"}
    assert store.coverage() == []


def test_a_failing_platform_keeps_what_it_gave_and_waits(
    pipeline: Pipeline, store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.collectors.load", lambda name: Flaky)
    source = config.sources[0]
    pipeline.collect(source)
    assert store.cursor("one", "all") == {"at": 1}
    assert store.coverage()[0]["failed"] == "HTTP 503 from the platform"
    pipeline.collect(source)  # still backing off: not asked
    assert store.value("SELECT COUNT(*) FROM posts") == 1
    later = NOW + timedelta(hours=2)
    pipeline.clock = lambda: later
    pipeline.collect(source)
    held = store.value("SELECT open_until FROM health WHERE source = 'one'")
    assert store.cursor("one", "all") == {"at": 2}
    assert held >= epoch(NOW) + 600
    pipeline.clock = lambda: later + timedelta(hours=2)
    assert pipeline.collect(source).stored == 1
    assert [r["key"] for r in store.rows("SELECT key FROM posts ORDER BY key")] == [
        "x:1", "x:2", "x:3",
    ]  # fmt: skip


class Priced(Flaky):
    """A platform whose requests count, and which wants a secret."""

    platform = "priced"
    asked = 0

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        self.context.spend(1, 0.0)
        type(self).asked += 1
        if not self.context.secrets.get("PRICED_TOKEN"):
            raise AuthError("PRICED_TOKEN is refused")
        yield Page([post(1, "acme one")], {"at": 1}, complete=True)


def test_a_start_asks_again_what_was_mended_and_a_pause_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("listener.collectors.load", lambda name: Priced)
    monkeypatch.setattr(Priced, "secrets", (Secret("PRICED_TOKEN", "a token for the tests"),))
    monkeypatch.setattr(Priced, "asked", 0)
    caplog.set_level("INFO", "groundswell")

    def start(budget: int, later: timedelta = timedelta(), **secrets: str) -> Pipeline:
        config = Config.model_validate(
            {
                "brands": [{"name": "Acme"}],
                "sources": [{"platform": "priced", "budget": {"requests_per_month": budget}}],
            }
        )
        return Pipeline(store, config, clock=lambda: NOW + later, secrets=secrets)

    def collected(line: Pipeline) -> tuple[int, dict[str, str]]:
        saved, failed = line.collect_all()
        return saved.stored, failed

    stored, failed = collected(start(0, PRICED_TOKEN="t"))
    assert stored == 0
    assert "budget of 0 requests" in failed["priced"]
    assert "not asked again before 2026-04-01 00:00:00 UTC" in caplog.text
    raised = start(2, PRICED_TOKEN="t")
    assert "budget of 0 requests" in collected(raised)[1]["priced"], "held, and told as failed"
    raised.release(platforms=False)
    assert "held back" in caplog.text
    assert collected(raised) == (1, {})
    wrong = start(9)
    assert "PRICED_TOKEN is refused" in collected(wrong)[1]["priced"]
    asked = Priced.asked
    right = start(9, PRICED_TOKEN="t")
    right.release(platforms=False)
    assert collected(right) == (0, {})
    assert Priced.asked == asked + 1
    assert caplog.text.count("priced answers again") == 1
    collected(start(9))
    assert collected(start(9, timedelta(hours=2), PRICED_TOKEN="t")) == (0, {})
    assert caplog.text.count("priced answers again") == 2


def test_what_a_platform_asks_for_is_kept_to_by_every_start_of_a_cron_job(
    pipeline: Pipeline, store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.collectors.load", lambda name: Flaky)
    pipeline.collect(config.sources[0])  # HTTP 503, of its only query
    (held,) = store.query_holds("one")
    assert held["open_until"] > epoch(NOW)
    pipeline.release(platforms=False)
    assert store.query_holds("one") == [held]
    pipeline.release(platforms=True)
    assert store.query_holds("one") == [{**held, "open_until": epoch(NOW)}]
    later = store.cursor("one", "all")
    pipeline.collect(config.sources[0])  # HTTP 429, of the platform
    assert store.cursor("one", "all") != later, "it was asked"
    waits = store.holds()
    assert waits["one"]["open_until"] == epoch(NOW) + 600
    pipeline.release(platforms=False)
    assert store.holds() == waits
    pipeline.release(platforms=True)
    assert store.holds() == {}


def test_one_broken_source_stops_no_other(pipeline: Pipeline, tmp_path: Path) -> None:
    saved, failed = pipeline.collect_all()  # neither file exists
    assert set(failed) == {"one", "two"}
    assert saved.stored == 0


def test_a_surge_of_complaints_becomes_a_spike_with_its_posts(
    pipeline: Pipeline, store: Store
) -> None:
    quiet = [
        post(n, f"acme is {'late' if n % 4 == 0 else 'fine'} today, number {n}", handle=f"u{n}",
             created_at=NOW - timedelta(days=14) + timedelta(minutes=30 * n))
        for n in range(660)
    ]  # fmt: skip
    surge = [
        post(10_000 + n, f"acme is late and nobody says why, {n}", handle=f"v{n}",
             created_at=NOW - timedelta(minutes=100 - n))
        for n in range(90)
    ]  # fmt: skip
    keep(pipeline, *quiet, *surge)
    assert pipeline.tick(only=("place", "judge", "count", "spike")).failed == {}
    found = {(s["region"], s["kind"]): s for s in store.spikes(open_only=True)}
    spike = found["*", "negative"]
    assert spike["start"] in range(epoch(NOW) - 3 * 3600, epoch(NOW) + 1)
    assert spike["observed"] > 5 * spike["expected"]
    behind = set(store.spike_keys(spike["id"]))
    assert behind
    assert behind <= {r["key"] for r in store.mentions(Filter(labels=("negative",)), limit=999)}
    assert ("FR", "negative") in found
    before = len(store.spikes())
    store.set_meta("spiked_at", "")
    pipeline.tick(only=("spike",))
    assert len(store.spikes()) == before, "the same spike found again is the same spike"


# commands -----------------------------------------------------------------------------------------


def invoke(tmp_path: Path, *arguments: str) -> Any:
    base = ["--db", str(tmp_path / "t.db"), "--config", str(tmp_path / "k.yaml")]
    return CliRunner().invoke(cli, [*base, *arguments])


def test_init_writes_what_check_accepts(tmp_path: Path) -> None:
    done = invoke(tmp_path, "init", "--brand", "Nor'wind: Air", "--handle", "x:@norwind")
    assert done.exit_code == 0, done.output
    checked = invoke(tmp_path, "check", "--json")
    found = json.loads(checked.stdout)
    assert found["brands"][0]["brand"] == "Nor'wind: Air"
    assert {s["source"] for s in found["sources"]} >= {"hackernews", "rss"}
    assert all(s["ready"] for s in found["sources"]), "the first file needs no account"


def test_init_never_writes_over_a_file_unasked(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text("mine")
    assert invoke(tmp_path, "init").exit_code != 0
    assert (tmp_path / "k.yaml").read_text() == "mine"


def test_bad_rows_are_counted_explained_and_written_aside(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text("brands: [{name: Acme}]")
    file = tmp_path / "posts.csv"
    file.write_text(
        "id,text,created_at\n1,acme is slow,2026-03-01 10:00:00\n"
        "2,acme again,no time at all\n3,acme a third time,2026-03-01 11:00:00\n"
    )
    done = invoke(tmp_path, "import", str(file), "--no-judge", "--json")
    assert json.loads(done.stdout) == {
        "read": 3, "stored": 2, "updated": 0, "matched": 2, "rejected": 1,
    }  # fmt: skip
    aside = [
        json.loads(line)
        for line in (tmp_path / "posts.csv.rejected.jsonl").read_text().splitlines()
    ]
    assert aside[0]["where"] == "row 2"
    assert "no time at all" in aside[0]["why"]


@pytest.mark.parametrize(
    ("once", "held_by", "asked"),
    [
        (True, "platform", False), (True, "budget", True), (True, None, True),
        (False, "platform", True), (False, "login", True),
    ],
)  # fmt: skip
def test_run_asks_again_or_names_what_is_held_back(
    tmp_path: Path, once: bool, held_by: str | None, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "posts.csv").write_text("id,text,created_at\n1,nobody named,2026-03-01 10:00:00\n")
    (tmp_path / "k.yaml").write_text(
        "brands: [{name: Acme}]\n"
        f"sources: [{{platform: files, name: mine, path: {tmp_path / 'posts.csv'}}}]\n"
    )
    tomorrow = epoch(datetime.now(UTC)) + 86_400
    with Store(tmp_path / "t.db") as store:
        store.save_failure(
            source="mine", platform="files", query="all", reason="come back later", now=0,
            open_until=tomorrow, held_by=held_by,
        )  # fmt: skip
    monkeypatch.setattr("listener.schedule.Schedule.run", lambda self: None)
    done = invoke(tmp_path, "run", *(["--once"] if once else []))
    assert (done.exit_code == 0) is asked, done.output
    if not asked:
        said = str(done.exception)
        assert said.startswith("mine failed: come back later; not asked again before ")
    with Store(tmp_path / "t.db") as store:
        assert (store.holds() == {}) is asked
        assert store.status(0)["counts"]["posts"] == (1 if once and asked else 0)


def test_status_needs_a_database_and_says_so(tmp_path: Path) -> None:
    done = invoke(tmp_path, "status")
    assert done.exit_code != 0
    assert "groundswell import" in str(done.exception)


def test_status_says_which_hosts_wait_and_for_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setattr("time.time", lambda: 1_772_000_000.0)
    with Store(tmp_path / "t.db") as store:
        for query, host, reason in (("feed:a", "slow.example", "answered 429"),
                                    ("feed:b", "", "feed:b answered 404")):  # fmt: skip
            store.hold_queries(
                source="feeds", platform="rss", query=query, reason=reason, now=1_771_999_990,
                open_until=1_772_000_541, host=host, of_host=bool(host), held={query: {}}, before=0,
            )  # fmt: skip
        store.hold_queries(
            source="feeds", platform="rss", query="feed:c", reason="feed:c answered 404", host="",
            now=1_771_999_990, open_until=0, of_host=False, held={"feed:c": {}}, before=0,
        )  # fmt: skip
    said = " ".join(invoke(tmp_path, "status").stdout.split())
    assert "slow.example is not asked for 10 min: answered 429" in said
    assert "feed:b fails (never heard), asked again in 10 min: feed:b answered 404" in said
    assert "feed:c fails (never heard), asked again at its next turn: feed:c answered 404" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_cleanly_on_a_signal_and_a_second_one_is_refused(
    tmp_path: Path, number: int
) -> None:
    (tmp_path / "posts.csv").write_text("id,text,created_at\n1,nobody named,2026-03-01 10:00:00\n")
    (tmp_path / "k.yaml").write_text(
        "brands: [{name: Acme}]\n"
        f"sources: [{{platform: files, path: {tmp_path / 'posts.csv'}, every: 1s}}]\n"
    )
    command = [sys.executable, "-m", "listener.cli", "--db", str(tmp_path / "t.db"),
               "--config", str(tmp_path / "k.yaml"), "run"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        said = running.stderr.readline()
        assert f"process {running.pid} listens" in said
        for line in running.stderr:
            said += line
            if "1 new" in line:
                break
        refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode == 3
        assert str(running.pid) in refused.stderr
        os.kill(running.pid, number)
        said += running.stderr.read()
        assert running.wait(timeout=30) == 0
    assert "Traceback" not in said
    with Store(tmp_path / "t.db") as store:
        assert store.status(0)["counts"]["posts"] == 1


def test_status_says_what_each_source_and_each_mention_cost(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text("brands: [{name: Acme}]")
    with Store(tmp_path / "t.db") as store:
        paid = Pipeline(store, parse_config("brands: [{name: Acme}]"))
        posts = [post(n, f"acme number {n}") for n in range(4)]
        page = Page([*posts, post(9, "nobody named")], {})
        paid.keep(page, source="dear", platform="x", query="q")
        paid.keep(Page([post(20, "acme too")], {}), source="free", platform="x", query="q")
        store.mark_wrong("x:0", "Acme", True, "ana", epoch(NOW))
        for source, usd in (("dear", 0.20), ("dear", 0.10), ("free", 0.0), ("vain", 0.5)):
            store.charge(source, Budget(), datetime.now(UTC), 1, usd)
        long_ago = datetime.now(UTC) - timedelta(days=40)
        store.charge("dear", Budget(), long_ago, 5, 0.30)
    costs = json.loads(invoke(tmp_path, "status", "--json").stdout)["costs"]
    dear, free, vain = costs["sources"]
    assert dear == {
        "source": "dear", "requests": 7, "usd": pytest.approx(0.60), "requests_today": 2,
        "usd_today": pytest.approx(0.30), "requests_this_month": 2,
        "usd_this_month": pytest.approx(0.30), "mentions": 3,
        "usd_per_mention": pytest.approx(0.20),
    }  # fmt: skip
    assert (free["usd"], free["mentions"], free["usd_per_mention"]) == (0.0, None, None)
    assert (vain["usd"], vain["mentions"], vain["usd_per_mention"]) == (0.5, 0, None)
    assert costs["usd"] == pytest.approx(1.10)
    assert costs["usd_per_mention"] == pytest.approx(1.10 / 3)
    shown = invoke(tmp_path, "status")
    assert shown.exit_code == 0, shown.output
    assert "cost: $1.10 in all, $0.3667 a mention" in shown.output
    assert "volume: 0 mentions counted" in shown.output
