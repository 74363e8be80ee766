"""Themes of complaint that keep their identity: the stage that finds them, and what is read of them.

Negative mentions of a brand, copies left out, are taken in hours of publication, oldest first: each
joins the nearest stored theme or waits; every six hours what waits is searched for new themes. A
theme's id and name never change. ``mentions.theme`` is NULL before a post was looked at, 0 while it is
in no theme, and the theme's id after that; so whatever is done twice changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, pairwise
from typing import Any

from listener.store.reads import Filter
from sentiment import themes as pure

HOUR = 3600
DAY = 24 * HOUR
SEARCH = 6 * HOUR  # how often new themes are looked for
WAITING = 7 * DAY  # how long a post waits for others to make a theme with
AT_ONCE = 5000  # posts in one transaction: what a kill may cost
_UNIQUE = "m.label = 'negative' AND m.copy = 0 AND m.wrong = 0"

Row = dict[str, Any]


@dataclass(slots=True)
class _Brand:
    """What is known of a brand's themes; changed in memory, written whole."""

    name: str
    upto: int
    searched: int
    vocabulary: pure.Vocabulary
    themes: dict[int, pure.Theme]
    waiting: list[tuple[str, int, pure.Terms]]
    made: dict[int, int] = field(default_factory=dict)  # id → first post
    placed: dict[str, int] = field(default_factory=dict)  # key → theme, 0 for none
    last: dict[int, int] = field(default_factory=dict)  # id → last post
    next_id: int = 1


def update(store: Any, now: int) -> int:
    """Look at the complaints that no stage has looked at yet. Returns how many were looked at.

    Nothing is done while the counts stand as they did, or for hours in which something still waits to
    be judged: what comes first is looked at first, or the themes would depend on the order of work.
    """
    stamp = f"{store.meta('counted_revision')}:{now // HOUR}"
    if store.meta("themed_at") == stamp:
        return 0
    unjudged = store.value("SELECT MIN(created_at) FROM mentions WHERE judged_at IS NULL")
    settled = min(now, now if unjudged is None else int(unjudged)) // HOUR * HOUR
    done = 0
    while brands := store.rows(
        f"SELECT DISTINCT m.brand FROM mentions m WHERE m.theme IS NULL AND {_UNIQUE} "
        "AND m.created_at < ?",
        (settled,),
    ):
        for row in brands:
            done += _advance(store, row["brand"], settled)
    store.set_meta("themed_at", stamp)
    return done


def _advance(store: Any, brand: str, settled: int) -> int:
    """Take the next posts of a brand, hour by hour, in one transaction."""
    rows = store.rows(
        "SELECT m.key, m.created_at, p.text FROM mentions m JOIN posts p ON p.key = m.key "
        f"WHERE m.brand = ? AND m.theme IS NULL AND {_UNIQUE} AND m.created_at < ? "
        "ORDER BY m.created_at, m.key LIMIT ?",
        (brand, settled, AT_ONCE),
    )
    if len(rows) == AT_ONCE:  # an hour is never cut in two, unless it is all there is
        last = rows[-1]["created_at"] // HOUR
        rows = [r for r in rows if r["created_at"] // HOUR < last] or rows
    state = _load(store, brand, rows[0]["created_at"])
    for hour, posts in _hours(rows, state.upto):
        _hour(state, hour, posts)
    _save(store, state)
    return len(rows)


def _hours(rows: Sequence[Row], upto: int) -> Iterator[tuple[int, list[Row]]]:
    """Posts by hour; one that came late belongs to the hour that is next."""
    for hour, some in groupby(rows, key=lambda r: max(r["created_at"], upto) // HOUR * HOUR):
        yield hour, list(some)


def _hour(state: _Brand, hour: int, rows: Sequence[Row]) -> None:
    """The posts of one hour join themes; at the end of six hours the rest is searched."""
    end = hour + HOUR
    posts = [(r["key"], r["created_at"], pure.terms(r["text"], (state.name,))) for r in rows]
    state.vocabulary.add([terms for _, _, terms in posts])
    known = {i: theme.weights(state.vocabulary) for i, theme in state.themes.items()}
    joined: dict[int, list[tuple[str, int, pure.Terms]]] = {}
    for post in posts:
        theme, like = pure.nearest(post[2], known, state.vocabulary)
        if theme is not None and like >= pure.JOIN:
            joined.setdefault(theme, []).append(post)
        else:
            state.placed[post[0]] = 0
            state.waiting.append(post)
    for theme, some in sorted(joined.items()):
        _join(state, theme, some)
    state.upto = end
    if end // SEARCH > state.searched // SEARCH:
        state.searched = end
        state.waiting = [w for w in state.waiting if w[1] >= end - WAITING]
        _search(state)


def _search(state: _Brand) -> None:
    """New themes from the posts that wait. A group much like a stored theme joins that one."""
    posts = state.waiting
    gone: set[str] = set()
    for group in pure.discover([terms for _, _, terms in posts], state.vocabulary):
        members = [posts[i] for i in group]
        found = pure.Theme(0)
        found.add([terms for _, _, terms in members], state.vocabulary)
        weights = found.weights(state.vocabulary)
        likest, like = None, 0.0
        for i, theme in sorted(state.themes.items()):
            one = pure.alike(weights, theme.weights(state.vocabulary))
            if one > like:
                likest, like = i, one
        if likest is None or like < pure.SAME:
            likest, state.next_id = state.next_id, state.next_id + 1
            state.themes[likest] = pure.Theme(likest)
            state.made[likest] = min(at for _, at, _ in members)
        _join(state, likest, members)
        gone.update(key for key, _, _ in members)
    state.waiting = [w for w in posts if w[0] not in gone]
    state.vocabulary.forget([terms for _, _, terms in state.waiting])


def _join(state: _Brand, theme: int, posts: Sequence[tuple[str, int, pure.Terms]]) -> None:
    state.themes[theme].add([terms for _, _, terms in posts], state.vocabulary)
    for key, at, _ in posts:
        state.placed[key] = theme
        state.last[theme] = max(at, state.last.get(theme, at))


# the store ----------------------------------------------------------------------------------------


def _load(store: Any, brand: str, first: int) -> _Brand:
    kept = store.one("SELECT * FROM theme_words WHERE brand = ?", (brand,)) or {
        "upto": first, "searched": first, "posts": 0, "terms": "{}",
    }  # fmt: skip
    themes = {
        row["id"]: pure.Theme(row["id"], row["posts"], Counter(json.loads(row["terms"])))
        for row in store.rows("SELECT id, posts, terms FROM themes WHERE brand = ?", (brand,))
    }
    waiting = store.rows(
        "SELECT m.key, m.created_at, p.text FROM mentions m JOIN posts p ON p.key = m.key "
        f"WHERE m.brand = ? AND m.theme = 0 AND {_UNIQUE} AND m.created_at >= ? "
        "ORDER BY m.created_at, m.key",
        (brand, kept["upto"] - WAITING - SEARCH),
    )
    return _Brand(
        brand,
        kept["upto"],
        kept["searched"],
        pure.Vocabulary(kept["posts"], Counter(json.loads(kept["terms"]))),
        themes,
        [(w["key"], w["created_at"], pure.terms(w["text"], (brand,))) for w in waiting],
        next_id=int(store.value("SELECT COALESCE(MAX(id), 0) FROM themes")) + 1,
    )


def _save(store: Any, state: _Brand) -> None:
    """All that the hours changed, at once: posts, themes, words, and how far it went."""
    with store.write() as db:
        for i, theme in sorted(state.themes.items()):
            if i in state.made:
                db.execute(
                    "INSERT INTO themes (id, brand, name, first_at, last_at, posts, terms) "
                    "VALUES (?, ?, ?, ?, 0, 0, '{}')",
                    (i, state.name, theme.name(state.vocabulary), state.made[i]),
                )
            if i in state.last:
                db.execute(
                    "UPDATE themes SET posts = ?, terms = ?, last_at = MAX(last_at, ?) WHERE id = ?",
                    (theme.posts, _json(theme.terms), state.last[i], i),
                )
        db.executemany(
            "UPDATE mentions SET theme = ? WHERE key = ? AND brand = ?",
            [(theme, key, state.name) for key, theme in state.placed.items()],
        )
        db.execute(
            "INSERT INTO theme_words (brand, upto, searched, posts, terms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (brand) DO UPDATE SET upto = excluded.upto, searched = excluded.searched, "
            "posts = excluded.posts, terms = excluded.terms",
            (
                state.name, state.upto, state.searched, state.vocabulary.posts,
                _json(state.vocabulary.seen),
            ),
        )  # fmt: skip


def _json(counted: Mapping[str, int]) -> str:
    return json.dumps(dict(sorted(counted.items())), ensure_ascii=False, separators=(",", ":"))


def upto(store: Any, brands: Sequence[str] = ()) -> int | None:
    """The moment up to which the complaints of every brand were looked at; None before the first."""
    clause, values = Filter(brands=tuple(brands)).where("upto")
    found = store.value(f"SELECT MIN(upto) FROM theme_words WHERE {clause}", values)
    return None if found is None else int(found)


def by_day(store: Any, where: Filter, clock: Sequence[tuple[int, int]] = ((0, 0),)) -> list[Row]:
    """``id, brand, name, first_at, last_at, day, posts`` of each theme with posts in a slice.

    ``day`` counts local days from 1 January 1970. ``clock``: from when local time is how many seconds
    ahead of UTC, oldest first; the first holds for all that is before it too.
    """
    clause, values = where.where("created_at", "m.", null=True)
    changes = [(until, ahead) for (_, ahead), (until, _) in pairwise(clock)]
    earlier = "WHEN m.created_at < ? THEN ? " * len(changes)
    ahead = f"CASE {earlier}ELSE ? END" if changes else "?"
    rows: list[Row] = store.rows(
        "SELECT t.id, t.brand, t.name, t.first_at, t.last_at, "
        f"(m.created_at + {ahead}) / 86400 AS day, "
        "COUNT(*) AS posts FROM themes t JOIN mentions m ON m.theme = t.id "
        f"WHERE m.theme > 0 AND {_UNIQUE} AND {clause} GROUP BY t.id, 6 ORDER BY t.id, 6",
        [*chain.from_iterable(changes), clock[-1][1], *values],
    )
    return rows


def posts_of(store: Any, theme: int, where: Filter, limit: int = 50, offset: int = 0) -> list[Row]:
    """The mentions of a theme in a slice, newest first."""
    clause, values = where.where("created_at", "m.", null=True)
    keys = store.rows(
        "SELECT m.key, m.brand FROM mentions m WHERE m.theme = ? AND m.theme > 0 "
        f"AND {_UNIQUE} AND {clause} ORDER BY m.created_at DESC, m.key LIMIT ? OFFSET ?",
        [theme, *values, limit, offset],
    )
    found: list[Row] = []
    for at in range(0, len(keys), 500):
        part = keys[at : at + 500]
        found += store.mentions_of([row["key"] for row in part], part[0]["brand"])
    return sorted(found, key=lambda row: (-row["created_at"], row["key"]))


def name_of(store: Any, theme: int) -> str | None:
    found = store.value("SELECT name FROM themes WHERE id = ?", (theme,))
    return None if found is None else str(found)


def begun_since(store: Any, brand: str, since: int) -> set[str]:
    """The names of a brand's themes whose first post is of that time or later."""
    rows = store.rows("SELECT name FROM themes WHERE brand = ? AND first_at >= ?", [brand, since])
    return {row["name"] for row in rows}


def names_of(store: Any, keys: Sequence[str], brand: str) -> dict[str, str]:
    """The names of the themes that posts are in; what is in none is left out."""
    found: dict[str, str] = {}
    for at in range(0, len(keys), 500):
        part = keys[at : at + 500]
        for row in store.rows(
            "SELECT m.key, t.name FROM mentions m JOIN themes t ON t.id = m.theme "
            f"WHERE m.brand = ? AND m.key IN ({', '.join('?' for _ in part)})",
            [brand, *part],
        ):
            found[row["key"]] = row["name"]
    return found
