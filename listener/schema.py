"""The tables, as named migrations: each is applied once, in order, inside a transaction.

A migration that has landed is never edited; a change is a new function below the last. Times are
whole epoch seconds (UTC). NULL means "not known" or "not done yet"; in ``counts``, whose key cannot
hold NULL, the empty string stands for unknown.
"""

from __future__ import annotations

import json

from sqlite_utils import Database, Migrations

migrations = Migrations("groundswell")


def _run(db: Database, script: str) -> None:
    # executescript would commit the migration's transaction half way; one statement at a time does not.
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations()
def m001_posts(db: Database) -> None:
    """What was collected: posts, their payloads, where each source stands, what it answered."""
    _run(
        db,
        """
        CREATE TABLE posts (
            key TEXT PRIMARY KEY, platform TEXT NOT NULL, native_id TEXT NOT NULL,
            source TEXT NOT NULL, text TEXT NOT NULL, created_at INTEGER NOT NULL,
            seen_at INTEGER NOT NULL, author_id TEXT, author_handle TEXT, author_name TEXT,
            followers INTEGER, profile_location TEXT, time_zone TEXT, url TEXT, thread TEXT,
            reply_to TEXT, repost_of TEXT, language_tag TEXT, country_tag TEXT, place_name TEXT,
            lat REAL, lon REAL, likes INTEGER, replies INTEGER, reposts INTEGER, views INTEGER,
            links TEXT, edited_at INTEGER, deleted_at INTEGER, from_brand TEXT,
            group_key TEXT, demo INTEGER NOT NULL DEFAULT 0, digest BLOB NOT NULL
        );
        CREATE INDEX posts_thread ON posts (thread, created_at);
        CREATE INDEX posts_author ON posts (platform, author_id) WHERE author_id IS NOT NULL;
        CREATE INDEX posts_from_brand ON posts (from_brand, created_at)
            WHERE from_brand IS NOT NULL;
        CREATE TABLE payloads (
            key TEXT PRIMARY KEY, payload TEXT NOT NULL, stored_at INTEGER NOT NULL
        );
        CREATE TABLE threads (
            thread TEXT PRIMARY KEY, read_at INTEGER, touched INTEGER NOT NULL DEFAULT 1
        ) WITHOUT ROWID;
        CREATE INDEX threads_touched ON threads (thread) WHERE touched = 1;
        CREATE TABLE cursors (
            source TEXT NOT NULL, query TEXT NOT NULL, cursor TEXT NOT NULL,
            updated_at INTEGER NOT NULL, PRIMARY KEY (source, query)
        ) WITHOUT ROWID;
        CREATE TABLE coverage (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, source TEXT NOT NULL, platform TEXT NOT NULL,
            query TEXT NOT NULL, window_start INTEGER, window_end INTEGER, asked INTEGER,
            returned INTEGER NOT NULL, new INTEGER NOT NULL, updated INTEGER NOT NULL,
            matched INTEGER NOT NULL, rejected INTEGER NOT NULL, truncated INTEGER NOT NULL,
            limited INTEGER NOT NULL, failed TEXT, requests INTEGER NOT NULL,
            cost_usd REAL NOT NULL, lag_seconds INTEGER
        );
        CREATE INDEX coverage_source ON coverage (source, at);
        CREATE TABLE rejects (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,
            place TEXT NOT NULL, payload TEXT NOT NULL
        );
        CREATE TABLE health (
            source TEXT PRIMARY KEY, platform TEXT NOT NULL, last_ok_at INTEGER,
            last_error_at INTEGER, last_error TEXT, failures INTEGER NOT NULL DEFAULT 0,
            open_until INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
        """,
    )


@migrations()
def m002_mentions(db: Database) -> None:
    """A post × a brand it names, with today's judgement beside it; every score by model version."""
    _run(
        db,
        """
        CREATE TABLE mentions (
            key TEXT NOT NULL, brand TEXT NOT NULL, platform TEXT NOT NULL,
            created_at INTEGER NOT NULL, hour INTEGER NOT NULL, seen_at INTEGER NOT NULL,
            keyword TEXT NOT NULL, variant TEXT NOT NULL, kind TEXT NOT NULL,
            span_start INTEGER NOT NULL, span_end INTEGER NOT NULL, match_score REAL NOT NULL,
            rules TEXT NOT NULL, copy INTEGER NOT NULL DEFAULT 0, wrong INTEGER NOT NULL DEFAULT 0,
            demo INTEGER NOT NULL DEFAULT 0,
            country TEXT, region TEXT, basis TEXT, place_confidence REAL,
            language TEXT, label TEXT, negative REAL, neutral REAL, positive REAL, confidence REAL,
            override TEXT, intent TEXT, model TEXT, judged_at INTEGER,
            PRIMARY KEY (key, brand)
        );
        CREATE INDEX mentions_brand ON mentions (brand, created_at);
        CREATE INDEX mentions_hour ON mentions (hour);
        CREATE INDEX mentions_unplaced ON mentions (created_at) WHERE basis IS NULL;
        CREATE INDEX mentions_unjudged ON mentions (created_at) WHERE judged_at IS NULL;
        CREATE INDEX mentions_variant ON mentions (brand, variant);
        CREATE TABLE scores (
            key TEXT NOT NULL, brand TEXT NOT NULL, model TEXT NOT NULL, label TEXT NOT NULL,
            negative REAL NOT NULL, neutral REAL NOT NULL, positive REAL NOT NULL,
            confidence REAL NOT NULL, language TEXT, intent TEXT, rule TEXT,
            judged_at INTEGER NOT NULL, PRIMARY KEY (key, brand, model)
        ) WITHOUT ROWID;
        CREATE TABLE corrections (
            key TEXT NOT NULL, brand TEXT NOT NULL, label TEXT NOT NULL, by TEXT NOT NULL,
            at INTEGER NOT NULL, PRIMARY KEY (key, brand)
        ) WITHOUT ROWID;
        CREATE TABLE suspended (
            brand TEXT NOT NULL, variant TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (brand, variant)
        ) WITHOUT ROWID;
        CREATE TABLE touched_hours (hour INTEGER PRIMARY KEY);
        CREATE TABLE counts (
            hour INTEGER NOT NULL, brand TEXT NOT NULL, platform TEXT NOT NULL,
            country TEXT NOT NULL, region TEXT NOT NULL, language TEXT NOT NULL,
            label TEXT NOT NULL, posts INTEGER NOT NULL, copies INTEGER NOT NULL,
            PRIMARY KEY (hour, brand, platform, country, region, language, label)
        ) WITHOUT ROWID;
        CREATE INDEX counts_brand ON counts (brand, hour)
        """,
    )


@migrations()
def m003_response(db: Database) -> None:
    """Spikes with their evidence, alerts on their way, cases and what happened to them."""
    _run(
        db,
        """
        CREATE TABLE spikes (
            id INTEGER PRIMARY KEY, brand TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL,
            start INTEGER NOT NULL, peak INTEGER NOT NULL, end INTEGER, expected REAL NOT NULL,
            observed REAL NOT NULL, p_value REAL NOT NULL, severity REAL NOT NULL,
            found_at INTEGER NOT NULL, UNIQUE (brand, region, kind, start)
        );
        CREATE TABLE spike_posts (
            spike_id INTEGER NOT NULL REFERENCES spikes (id) ON DELETE CASCADE, key TEXT NOT NULL,
            PRIMARY KEY (spike_id, key)
        ) WITHOUT ROWID;
        CREATE TABLE alerts (
            id INTEGER PRIMARY KEY, subject TEXT NOT NULL, channel TEXT NOT NULL,
            spike_id INTEGER REFERENCES spikes (id), rule TEXT NOT NULL DEFAULT '',
            state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_try INTEGER,
            created_at INTEGER NOT NULL, sent_at INTEGER, detail TEXT, title TEXT NOT NULL,
            body TEXT NOT NULL, verdict TEXT, UNIQUE (subject, channel)
        );
        CREATE INDEX alerts_waiting ON alerts (next_try) WHERE sent_at IS NULL;
        CREATE TABLE cases (
            key TEXT NOT NULL, brand TEXT NOT NULL, platform TEXT NOT NULL, thread TEXT NOT NULL,
            state TEXT NOT NULL, thread_state TEXT NOT NULL, published_at INTEGER NOT NULL,
            collected_at INTEGER NOT NULL, due_at INTEGER, owner TEXT, answered_key TEXT,
            answered_at INTEGER, opening INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL,
            PRIMARY KEY (key, brand)
        ) WITHOUT ROWID;
        CREATE INDEX cases_due ON cases (brand, due_at) WHERE thread_state <> 'answered';
        CREATE INDEX cases_published ON cases (published_at);
        CREATE TABLE case_events (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL, brand TEXT NOT NULL, at INTEGER NOT NULL,
            by TEXT NOT NULL, what TEXT NOT NULL, detail TEXT
        );
        CREATE INDEX case_events_case ON case_events (key, brand, at);
        CREATE TABLE deletions (
            key TEXT PRIMARY KEY, state TEXT NOT NULL, at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE stage_runs (
            stage TEXT PRIMARY KEY, last_ok_at INTEGER, last_error_at INTEGER, last_error TEXT,
            rows INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0
        ) WITHOUT ROWID
        """,
    )


@migrations()
def m004_spending(db: Database) -> None:
    """What each source spent by UTC day, charged before each request: what budgets are held to."""
    _run(
        db,
        """
        CREATE TABLE spending (
            source TEXT NOT NULL, day INTEGER NOT NULL, requests INTEGER NOT NULL,
            usd REAL NOT NULL, PRIMARY KEY (source, day)
        ) WITHOUT ROWID
        """,
    )


@migrations()
def m005_themes(db: Database) -> None:
    """Themes of complaint by their terms; which one each mention is in (0: none, NULL: not looked)."""
    _run(
        db,
        """
        CREATE TABLE themes (
            id INTEGER PRIMARY KEY, brand TEXT NOT NULL, name TEXT NOT NULL,
            first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, posts INTEGER NOT NULL,
            terms TEXT NOT NULL
        );
        CREATE INDEX themes_brand ON themes (brand);
        CREATE TABLE theme_words (
            brand TEXT PRIMARY KEY, upto INTEGER NOT NULL, searched INTEGER NOT NULL,
            posts INTEGER NOT NULL, terms TEXT NOT NULL
        ) WITHOUT ROWID;
        ALTER TABLE mentions ADD COLUMN theme INTEGER;
        CREATE INDEX mentions_theme ON mentions (theme, created_at) WHERE theme > 0;
        CREATE INDEX mentions_unthemed ON mentions (brand, created_at)
            WHERE theme IS NULL AND label = 'negative' AND copy = 0 AND wrong = 0;
        CREATE INDEX mentions_waiting ON mentions (brand, created_at) WHERE theme = 0
        """,
    )


@migrations()
def m006_spellings_and_floods(db: Database) -> None:
    """What people bring back stays; groups of copies that machines made.

    ``mentions.wrong`` is 0 for a mention that counts, 1 for one that a person marked as not the brand,
    2 for one found by a spelling that is suspended.
    """
    _run(
        db,
        """
        CREATE TABLE kept_spellings (
            brand TEXT NOT NULL, variant TEXT NOT NULL, PRIMARY KEY (brand, variant)
        ) WITHOUT ROWID;
        CREATE INDEX mentions_marked ON mentions (brand, variant) WHERE wrong = 1;
        CREATE INDEX posts_copies ON posts (group_key) WHERE group_key <> key;
        CREATE TABLE floods (
            group_key TEXT PRIMARY KEY, copies INTEGER NOT NULL, authors INTEGER,
            per_minute INTEGER NOT NULL, reason TEXT NOT NULL
        ) WITHOUT ROWID
        """,
    )


@migrations()
def m007_known_at(db: Database) -> None:
    """When the counts first told of a spike; ``found_at`` is when we looked."""
    _run(db, "ALTER TABLE spikes ADD COLUMN known_at INTEGER")


@migrations()
def m008_newest_of_all_brands(db: Database) -> None:
    """The wall shows the newest mentions of all brands, and what is due first."""
    _run(
        db,
        """
        CREATE INDEX mentions_created ON mentions (created_at);
        CREATE INDEX cases_waiting ON cases (due_at) WHERE thread_state = 'unanswered'
        """,
    )


@migrations()
def m009_kept_long_enough(db: Database) -> None:
    """What is past its time is found by it, once a day."""
    _run(
        db,
        """
        CREATE INDEX posts_seen ON posts (seen_at) WHERE deleted_at IS NULL;
        CREATE INDEX payloads_stored ON payloads (stored_at);
        CREATE INDEX rejects_kept ON rejects (at) WHERE payload <> ''
        """,
    )


@migrations()
def m010_ungrouped(db: Database) -> None:
    """What waits to be grouped is found by what waits, as for the other stages; so are its neighbours.

    ``mentions.grouped`` is NULL until the post was looked at. A post without a mention never is, so a
    missing ``posts.group_key`` does not say that it waits.
    """
    _run(
        db,
        """
        ALTER TABLE mentions ADD COLUMN grouped INTEGER;
        UPDATE mentions SET grouped = 1 WHERE key IN
            (SELECT key FROM posts WHERE group_key IS NOT NULL OR deleted_at IS NOT NULL);
        CREATE INDEX mentions_ungrouped ON mentions (created_at) WHERE grouped IS NULL;
        CREATE INDEX posts_grouped ON posts (created_at) WHERE group_key IS NOT NULL;
        CREATE INDEX deletions_at ON deletions (at)
        """,
    )


@migrations()
def m011_deleted_stays_deleted(db: Database) -> None:
    """Content that came back after its deletion goes, and so do cases that nobody can answer."""
    _run(
        db,
        """
        DELETE FROM payloads WHERE key IN (SELECT key FROM deletions WHERE state <> 'geo_removed');
        UPDATE threads SET touched = 1 WHERE thread IN (SELECT thread FROM cases WHERE
            thread_state <> 'answered' AND key IN (SELECT key FROM deletions
            WHERE state <> 'geo_removed'));
        DELETE FROM cases WHERE thread_state <> 'answered' AND key IN (SELECT key FROM deletions
            WHERE state <> 'geo_removed')
        """,
    )


@migrations()
def m012_holes(db: Database) -> None:
    """What a request left out lies before what it gave; of old rows it is not known when that was."""
    _run(
        db,
        """
        ALTER TABLE coverage ADD COLUMN hole_start INTEGER;
        ALTER TABLE coverage ADD COLUMN hole_end INTEGER;
        CREATE INDEX coverage_holes ON coverage (hole_end) WHERE hole_end IS NOT NULL
        """,
    )


@migrations()
def m013_whose_answers_are_read(db: Database) -> None:
    """From when (``since``) to when (``upto``) all that a brand's own account wrote has been read.

    ``brand`` is whose account it showed itself to be. A walk that began before this table reaches
    back to its first page at least; how far before that, nobody noted. ``threads.asked_at`` is when
    a thread was last asked for, whether or not it could be read; ``health.held_by`` is what holds a
    source back until ``open_until``: our ``budget``, the ``login``, or the ``platform``.
    """
    _run(
        db,
        """
        CREATE TABLE account_walks (
            source TEXT NOT NULL, query TEXT NOT NULL, brand TEXT, since INTEGER NOT NULL,
            upto INTEGER, PRIMARY KEY (source, query)
        ) WITHOUT ROWID;
        INSERT INTO account_walks (source, query, since)
            SELECT source, query, MIN(at) FROM coverage
            WHERE query LIKE 'account:%' AND failed IS NULL GROUP BY source, query;
        ALTER TABLE threads ADD COLUMN asked_at INTEGER;
        ALTER TABLE health ADD COLUMN held_by TEXT
        """,
    )


@migrations()
def m014_named_again(db: Database) -> None:
    """Where else a post names the brand, as "start:end start:end"; of old mentions it is not known."""
    _run(db, "ALTER TABLE mentions ADD COLUMN also TEXT NOT NULL DEFAULT ''")


@migrations()
def m015_told_in_digests(db: Database) -> None:
    """Which spikes each rule's digests told of; those of old digests are known by their links."""
    _run(
        db,
        """
        CREATE TABLE digest_spikes (
            rule TEXT NOT NULL, channel TEXT NOT NULL,
            spike_id INTEGER NOT NULL REFERENCES spikes (id) ON DELETE CASCADE,
            PRIMARY KEY (rule, channel, spike_id)
        ) WITHOUT ROWID;
        INSERT INTO digest_spikes (rule, channel, spike_id)
            SELECT DISTINCT a.rule, a.channel, s.id FROM alerts a JOIN spikes s
            ON s.found_at BETWEEN a.created_at - 3000000 AND a.created_at
            AND instr(a.body || char(10), 'spike=' || s.id || char(10)) > 0
            WHERE a.subject LIKE 'digest %'
        """,
    )


@migrations()
def m016_hosts_held_back(db: Database) -> None:
    """What ``health`` says of a source, of one host of a source that asks several: until when it is
    left alone, and how often in a row it failed. A host that answers has no row."""
    _run(
        db,
        """
        CREATE TABLE host_holds (
            source TEXT NOT NULL, host TEXT NOT NULL, open_until INTEGER NOT NULL,
            held_by TEXT NOT NULL, last_error TEXT NOT NULL, failures INTEGER NOT NULL,
            PRIMARY KEY (source, host)
        ) WITHOUT ROWID
        """,
    )


@migrations()
def m017_queries_held_back(db: Database) -> None:
    """Queries that failed when they were last asked, or whose host did (``of_host``): until when each
    is left alone, when it was last heard (NULL: never), how often in a row it failed, and what part of
    each brand's posts on its platform it brings (JSON). One that answers has no row.

    A host's wait of before did not name the queries: it stays, under none.
    """
    _run(
        db,
        """
        CREATE TABLE query_holds (
            source TEXT NOT NULL, host TEXT NOT NULL, query TEXT NOT NULL, of_host INTEGER NOT NULL,
            heard_at INTEGER, shares TEXT NOT NULL, open_until INTEGER NOT NULL,
            held_by TEXT NOT NULL, last_error TEXT NOT NULL, failures INTEGER NOT NULL,
            PRIMARY KEY (source, host, query)
        ) WITHOUT ROWID;
        INSERT INTO query_holds
            SELECT source, host, '', 1, NULL, '{}', open_until, held_by, last_error, failures
            FROM host_holds;
        DROP TABLE host_holds
        """,
    )


@migrations()
def m018_feeds_without_their_logins(db: Database) -> None:
    """A feed's address may hold a login or a key: it was the name of its query, and in its payloads."""
    from listener.collectors.reading import name_of_address, without_login

    for table in ("coverage", "cursors", "query_holds"):
        asked = f"SELECT DISTINCT query FROM {table} WHERE query LIKE 'feed:%'"  # noqa: S608
        for (query,) in db.execute(asked).fetchall():
            name = f"feed:{name_of_address(query.removeprefix('feed:'))}"
            if name != query:
                db.execute(f"UPDATE {table} SET query = ? WHERE query = ?", (name, query))  # noqa: S608
    changed = []
    for key, payload in db.execute(
        "SELECT key, payload FROM payloads WHERE key >= 'rss:' AND key < 'rss;'"
    ):
        if without_login(payload) == payload:
            continue  # nearly all: neither the feed's address nor a link in it has anything to hide
        entry = json.loads(payload)
        address = str(entry.get("feed_url") or "")
        if (name := without_login(address)) != address:
            text = json.dumps(
                {**entry, "feed_url": name}, ensure_ascii=False, separators=(",", ":")
            )
            changed.append((text, key))
    for row in changed:
        db.execute("UPDATE payloads SET payload = ? WHERE key = ?", row)


@migrations()
def m019_rejects_once(db: Database) -> None:
    """What is rejected again is found by where it stood, so that it is kept, and counted, once."""
    _run(
        db,
        """
        DELETE FROM rejects WHERE id NOT IN
            (SELECT MAX(id) FROM rejects GROUP BY source, place, reason, payload);
        CREATE INDEX rejects_placed ON rejects (source, place)
        """,
    )
