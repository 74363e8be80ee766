"""What was asked of each source and what it gave: where silence is quiet, and where it is a hole."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, data, figures, frame, listening, pieces
from dashboard.figures import DAY
from dashboard.frame import Scope

REQUESTS = 1500  # the newest requests that are drawn
LISTED = 40


def show(stamp: str, at: Scope) -> None:
    now = data.now()
    status = data.status(stamp)
    if st.query_params.get("aside"):
        _set_aside(stamp, status, at)
        return
    frame.html(_tiles(status, at, now))
    with frame.card("sources"):
        frame.html(pieces.heading("Sources", "as they are now"))
        frame.html(_sources(status["sources"], now, frame.silence(stamp)))
        frame.html(_failing(status["sources"], now))
    rows = data.ledger(stamp, 0, REQUESTS)
    newest = max((r["at"] for r in rows), default=now)
    span = max(DAY, at.until - at.since)
    recent = [r for r in rows if r["at"] >= newest - span]
    with frame.card("requests"):
        frame.html(
            pieces.heading("Requests", f"{len(recent)} of the ledger's newest, by how they went")
        )
        if recent:
            frame.draw(charts.ledger(recent, frame.colours(), at.zone), "ledger")
        else:
            frame.html(pieces.nothing("Nothing has been asked of any source yet."))
    left, right = st.columns(2)
    with left, frame.card("gaps"):
        gaps = frame.unknown(stamp, at.where)
        why = "a source gave too little or no answer, or nobody asked"
        frame.html(pieces.heading("Gaps in this time", why))
        if not gaps:
            frame.html(pieces.nothing("None is known."))
        frame.html(
            pieces.plain_table(
                ("From", "to", "long"),
                [
                    (figures.clock(a, at.zone), figures.clock(b, at.zone), figures.ago(b - a))
                    for a, b in gaps
                ],
            )
            if gaps
            else ""
        )
        frame.html(pieces.heading("How places are known", "posts of this time"))
        frame.html(_basis(stamp, at))
    with right, frame.card("faults"):
        _faults(stamp, at)
    with frame.card("stages"):
        frame.html(pieces.heading("Stages", "what each has done, and when last"))
        frame.html(_stages(status, now))
    shown = [{k: v for k, v in r.items() if k != "id"} for r in rows]
    part = f"The newest {REQUESTS} requests" if len(rows) == REQUESTS else "The ledger"
    frame.csv_button(f"{part} as CSV", shown, "groundswell-ledger.csv")


def _faults(stamp: str, at: Scope) -> None:
    """What went wrong since the time shown began; asked of all requests, not of the newest ones."""
    bad = data.faults(stamp, at.since, LISTED + 1)
    since = f"since {figures.clock(at.since, at.zone)}"
    aside = f"{since}, the newest {LISTED}" if len(bad) > LISTED else since
    frame.html(pieces.heading("What went wrong", aside))
    if not bad and data.ledger(stamp, at.since, 1):
        frame.html(pieces.nothing("Every request since then was answered in full."))
    elif not bad:
        frame.html(pieces.nothing("No source was asked since then."))
    frame.html(pieces.ledger_lines(bad[:LISTED], at.zone))


def _set_aside(stamp: str, status: data.Row, at: Scope) -> None:
    """The rows that could not be read, newest first, and the way back."""

    def closed() -> None:
        for key in ("aside", "page"):
            st.query_params.pop(key, None)

    st.button("All of coverage", icon=":material/arrow_back:", on_click=closed)
    page = frame.page_number(st.query_params.get("page"))
    rows = data.rejects(stamp, LISTED + 1, page * LISTED)
    many = status["counts"]["rejected"]
    title = f"{figures.count(many)} row{'' if many == 1 else 's'}"
    frame.html(pieces.heading(title, "could not be read: set aside, newest first"))
    if not rows:
        frame.html(pieces.nothing("No more rows." if page else "Every row could be read."))
    frame.html(pieces.rejected_lines(rows[:LISTED], at.zone))
    frame.pages(page, len(rows) > LISTED, "Newer", "Older")


def _tiles(status: data.Row, at: Scope, now: int) -> str:
    """How the store stands, of all time and all brands: what the filter says does not matter here."""
    counts, waiting = status["counts"], status["waiting"]

    def posts(figure: int, words: str, **query: str) -> str:
        """A figure that opens into its mentions, of all time."""
        return pieces.inside("mentions", f"{figures.count(figure)}{words}", span="all", **query)

    mentions = "<em>none yet</em>"
    if last := status["last_seen_at"]:
        left = counts["mentions"] - counts["counted"]
        mentions = posts(counts["counted"], " mentions of a brand")
        if left > 0:
            mentions += f", {figures.count(left)} more not counted"
        mentions += f"<br><em>the last came in {figures.ago(now - last)} ago</em>"
    hours = f"{figures.count(waiting['count'])} hour{'' if waiting['count'] == 1 else 's'}"
    aside = pieces.inside(
        "coverage", figures.count(counts["rejected"]), **at.choice.query(), aside="1"
    )  # fmt: skip
    return pieces.tiles(
        [
            _pipeline(status),
            pieces.tile("Posts", figures.count(counts["posts"]), mentions),
            pieces.tile(
                "Waiting",
                posts(waiting["judge"], "", label="unjudged"),
                f"to be judged<br><em>{posts(waiting['place'], ' to be placed', basis='none')}, "
                f"{hours} to be counted</em>",
            ),
            pieces.tile("Set aside", aside, "<em>rows that could not be read</em>"),
        ]
    )


def _pipeline(status: data.Row) -> str:
    pid = status["running_pid"]
    if pid:
        return pieces.tile("Pipeline", "runs", f"<em>process {pid}</em>" if pid > 0 else "")
    if all(s["source"].startswith(listening.IMPORTED) for s in status["sources"]):
        under = "<em>only files were brought in: <code>groundswell run</code> collects</em>"
        return pieces.tile("Pipeline", "idle", under)
    under = "<em>nothing is being collected: <code>groundswell run</code> does</em>"
    return pieces.tile("Pipeline", "stopped", under, kind="negative")


def _sources(sources: list[data.Row], now: int, quiet: listening.Silence | None) -> str:
    rows = []
    for s in sources:
        heard = f"{figures.ago(now - s['last_ok_at'])} ago" if s["last_ok_at"] else "never"
        faults = [f"failing ({s['failures']}×)"] if s["failures"] else []
        if s["open_until"] is not None and s["open_until"] > now:
            faults.append(f"waits {figures.ago(s['open_until'] - now)}")
        if hosts := s["waiting_hosts"]:
            longest = figures.ago(hosts[-1]["open_until"] - now)
            # Their names stand below: here they would leave a phone no room for the rest.
            wait = f"1 host waits {longest}"
            if len(hosts) > 1:
                wait = f"{len(hosts)} hosts wait up to {longest}"
            faults.append(wait)
        if queries := s["failing_queries"]:
            faults.append("1 query fails" if len(queries) == 1 else f"{len(queries)} queries fail")
        if quiet is not None and quiet.stopped:
            faults.append("not asked any more")
        state = "⚠ " + ", ".join(faults) if faults else "fine"
        if s["source"].startswith(listening.IMPORTED):
            state = "imported"
        rows.append(
            (
                s["source"],
                state,
                heard,
                figures.count(s["posts"]),
                figures.count(s["requests"]),
                f"${s['cost_usd']:.2f}",
            )
        )
    if not rows:
        return pieces.nothing("No source has been asked yet.")
    return pieces.plain_table(("Source", "state", "heard", "posts", "requests", "cost"), rows)


def _failing(sources: list[data.Row], now: int) -> str:
    """What of the sources fails or is left alone now: since when, until when, and why."""
    found = []
    for s in sources:
        for what in [*s["waiting_hosts"], *s["failing_queries"]]:
            heard = "never heard"
            if what["heard_at"] is not None:
                heard = f"heard {figures.ago(now - what['heard_at'])} ago"
            again = "asked again at its next turn"
            if what["open_until"] > now:
                again = f"asked again in {figures.ago(what['open_until'] - now)}"
            name = what.get("host") or what["query"]
            said = f"{name} · {heard} · {again}"
            found.append(pieces.fault_line(s["source"], said, what["last_error"]))
    if not found:
        return ""
    return pieces.heading("Not heard now", "hosts and queries that fail") + "".join(found)


def _basis(stamp: str, at: Scope) -> str:
    found = data.basis(stamp, at.where)
    whole = sum(r["mentions"] for r in found)
    return pieces.plain_table(
        ("Known by", "mentions", "share"),
        [
            (
                pieces.inside(
                    "mentions", pieces.safe(r["basis"]), **at.choice.query(),
                    basis="none" if r["basis"] == "not placed yet" else r["basis"],
                ),
                figures.count(r["mentions"]),
                figures.share(r["mentions"], whole),
            )
            for r in found
        ],
    )  # fmt: skip


def _stages(status: data.Row, now: int) -> str:
    rows = []
    for name, s in status["stages"].items():
        heard = f"{figures.ago(now - s['last_ok_at'])} ago" if s["last_ok_at"] else "never"
        rows.append(
            (
                name,
                heard,
                figures.count(s["rows"]),
                f"{s['seconds']:.1f} s",
                pieces.cut(s["last_error"] or "", 120),
            )
        )
    if not rows:
        return pieces.nothing("No stage has run yet.")
    return pieces.plain_table(("Stage", "last did something", "rows", "took", "trouble"), rows)


frame.open_page("Coverage", show)
