"""Every mention, to search, read whole, and set right: what a figure opens into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from dashboard import charts, data, figures, frame, pieces
from dashboard.frame import Scope
from dashboard.look import SIGNS

PER_PAGE = 20
LABELS = ("negative", "neutral", "positive", "unsure", "")
WRONG = "not this brand"
NOT_PLACED = "none"  # in an address, the basis of what no stage has placed yet
ANSWERS = {
    "unanswered": "without an answer", "answered": "with an answer",
    "unknown": "in threads that were not read: not known",
}  # fmt: skip


def show(stamp: str, at: Scope) -> None:
    names = charts.names()
    post = st.query_params.get("post")
    if post:
        one(stamp, post, at, names)
        return
    where, exact = narrowed(at)
    theme = frame.page_number(st.query_params.get("theme"))
    search(at, exact, words=not theme)
    wanted = tuple(v for v in st.query_params.get_all("label") if v in (*LABELS, "unjudged"))
    where = replace(where, labels=tuple("" if v == "unjudged" else v for v in wanted))
    text = st.query_params.get("q") or None
    page = frame.page_number(st.query_params.get("page"))
    if theme:
        rows = data.theme_posts(stamp, theme, where, PER_PAGE + 1, page * PER_PAGE)
        _theme(stamp, theme)
    else:
        answer, opening = answered()
        basis, spelling = st.query_params.get("basis"), spelt()
        rows = data.mentions(
            stamp, where, PER_PAGE + 1, page * PER_PAGE, text, answer, opening,
            "" if basis == NOT_PLACED else basis, spelling,
        )  # fmt: skip
        if spelling:
            heading = f"Found by “{pieces.cut(spelling[0], 60)}” ({spelling[1]})"
            _part(heading, "marked ones among them", ("spelling", "kind"))
        elif basis:
            known = "Not placed yet" if basis == NOT_PLACED else f"Place known by: {basis}"
            _part(pieces.cut(known, 60), "copies among them", ("basis",))
        elif answer:
            _answer(stamp, where, answer, opening, text)
        else:
            _count(stamp, where, text, exact)
    undo()
    if not rows:
        frame.html(pieces.nothing("No more posts." if page else "No post fits."))
    for row in rows[:PER_PAGE]:
        line(row, names, at.clock)
    frame.pages(page, len(rows) > PER_PAGE, "Newer", "Older")


def _theme(stamp: str, theme: int) -> None:
    """Which theme of complaint the posts are of, and the way back to all."""

    def everything() -> None:
        st.query_params.pop("theme", None)
        st.query_params.pop("page", None)

    name = data.theme_name(stamp, theme)
    if name is None:
        frame.html(pieces.nothing("There is no such theme here."))
    else:
        frame.html(pieces.heading(f"Complaints: {name}", "posts of one theme, copies left out"))
    st.button("All themes and posts", icon=":material/close:", on_click=everything)


def answered() -> tuple[str | None, bool]:
    """Which answer ``answer=`` asks for, and with ``first=1`` only the first mention of each thread."""
    answer = st.query_params.get("answer")
    if answer not in ANSWERS:
        return None, False
    return answer, st.query_params.get("first") == "1"


def spelt() -> tuple[str, str] | None:
    """The spelling and its kind that ``spelling=`` and ``kind=`` ask for."""
    variant, kind = st.query_params.get("spelling"), st.query_params.get("kind")
    return (variant, kind) if variant and kind else None


def _part(title: str, aside: str, keys: tuple[str, ...]) -> None:
    """What part of the mentions these are, and the way back to all."""

    def everything() -> None:
        for key in (*keys, "page"):
            st.query_params.pop(key, None)

    frame.html(pieces.heading(title, aside))
    st.button("All mentions", icon=":material/close:", on_click=everything)


def _answer(
    stamp: str, where: data.Filter, answer: str, opening: bool, text: str | None
) -> None:  # fmt: skip
    """How many these are, as the inbox counts them, and the way back to all."""

    counts = data.case_counts(stamp, where)
    cases = sum(
        r["cases"] for r in counts if r["thread_state"] == answer and (r["opening"] or not opening)
    )
    what = ("conversation" if opening else "mention") + ("" if cases == 1 else "s")
    title = what.capitalize() if text else f"{figures.count(cases)} {what}"
    aside = "the first mention of each" if opening else "copies among them"
    _part(f"{title} {ANSWERS[answer]}", aside, ("answer", "first"))


def narrowed(at: Scope) -> tuple[data.Filter, tuple[int, int] | None]:
    """The filter, cut to the exact hours that ``at=FROM-TO`` names (a point of a chart)."""
    first, dash, last = (st.query_params.get("at") or "").partition("-")
    if dash and first.isdecimal() and last.isdecimal() and len(first) < 12 and len(last) < 12:
        return replace(at.where, since=int(first), until=int(last)), (int(first), int(last))
    return at.where, None


def search(at: Scope, exact: tuple[int, int] | None, *, words: bool) -> None:
    """The view's own filter: judgements, and ``words`` in the text (a theme is not searched)."""

    def changed() -> None:
        st.query_params.pop("page", None)
        said = {"label": st.session_state["m_label"]}
        if words:
            said["q"] = st.session_state["m_text"].strip()
        for key, value in said.items():
            if value:
                st.query_params[key] = value
            else:
                st.query_params.pop(key, None)

    def all_hours() -> None:
        st.query_params.pop("at", None)
        st.query_params.pop("page", None)

    st.session_state["m_label"] = [
        v for v in st.query_params.get_all("label") if v in (*LABELS, "unjudged")
    ]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if words:
            st.session_state["m_text"] = st.query_params.get("q", "")
            st.text_input(
                "Words in the text",
                key="m_text",
                on_change=changed,
                placeholder="search",
                width=300,
            )
        st.pills(
            "Judged",
            ["negative", "neutral", "positive", "unsure", "unjudged"],
            key="m_label",
            selection_mode="multi",
            on_change=changed,
            format_func=lambda v: f"{SIGNS.get('' if v == 'unjudged' else v)} {v}",
        )
        if exact:
            span = f"{figures.clock(exact[0], at.zone)} to {figures.clock(exact[1], at.zone)}"
            st.button(f"Only {span}", icon=":material/close:", on_click=all_hours)


def _count(stamp: str, where: data.Filter, text: str | None, exact: tuple[int, int] | None) -> None:
    if text:
        return  # a search in texts is not counted: it would read every post of the time
    if exact and (exact[0] % 3600 or exact[1] % 3600):
        return
    t = figures.tally(data.counts(stamp, ("label",), where))
    net = f", net sentiment {figures.percent(t.net, True)}" if t.enough else ""
    frame.html(
        pieces.heading(
            f"{figures.count(t.posts)} posts",
            f"{figures.count(t.unique)} unique, {figures.count(t.copies)} copies; "
            f"{figures.count(t.unsure)} unsure, {figures.count(t.unjudged)} not judged yet{net}",
        )
    )


def line(row: data.Row, names: Mapping[str, str], now: int) -> None:
    """A post, and beside it what a person can say of it."""
    left, right = st.columns([4, 1.3], vertical_alignment="center")
    with left:
        frame.html(pieces.post(row, names, now))
        shown = {k: st.query_params.get_all(k) for k in st.query_params if k != "post"}
        frame.html(pieces.post_links(row, shown))
    with right:
        judge(row)


def judge(row: data.Row) -> None:
    """One tap sets the judgement, or says that the post does not mean the brand."""
    key = f"judge:{row['key']}:{row['brand']}"
    current = WRONG if row["wrong"] else row["label"] or None

    def said() -> None:
        value = st.session_state[key]
        problem = None
        if value == WRONG:
            problem = data.mark_wrong(row["key"], row["brand"], True)
            st.session_state["undo"] = (row["key"], row["brand"], pieces.cut(row["text"] or "", 60))
        elif value is not None:
            if row["wrong"]:
                problem = data.mark_wrong(row["key"], row["brand"], False)
            problem = problem or data.correct(row["key"], row["brand"], value)
        if problem:
            st.session_state["trouble"] = problem

    options = ["negative", "neutral", "positive", WRONG]
    st.session_state[key] = current if current in options else None
    st.segmented_control(
        "Judgement",
        options,
        key=key,
        on_change=said,
        label_visibility="collapsed",
        format_func=lambda v: "✕" if v == WRONG else SIGNS[v],
        help="▼ negative, ● neutral, ▲ positive, ✕ not this brand",
    )


def undo() -> None:
    """Offer to take the last "not this brand" back; say why a change could not be kept."""
    trouble = st.session_state.pop("trouble", None)
    if trouble:
        frame.html(pieces.notice("fault", pieces.safe(trouble)))
    last = st.session_state.get("undo")
    if last:

        def back() -> None:
            st.session_state.pop("undo", None)
            problem = data.mark_wrong(last[0], last[1], False)
            if problem:
                st.session_state["trouble"] = problem

        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"Not {last[1]}, and no longer counted: “{pieces.calm(last[2])}”")
            st.button("Undo", on_click=back)


def one(stamp: str, key: str, at: Scope, names: Mapping[str, str]) -> None:
    """One post whole, with why it matched, how it was judged, and its conversation."""

    def closed() -> None:
        st.query_params.pop("post", None)

    st.button("All mentions", icon=":material/arrow_back:", on_click=closed)
    rows = data.mention(stamp, key)
    if not rows:
        frame.html(pieces.nothing("There is no such mention here."))
        return
    undo()
    for row in rows:
        left, right = st.columns([4, 1.3])
        with left, st.container(border=True):
            frame.html(pieces.post(row, names, at.clock, full=True))
            frame.html(pieces.facts(row, at.zone) + pieces.outside_line(row))
        with right:
            judge(row)
    conversation(stamp, rows[0]["thread"], key, at)


def conversation(stamp: str, thread: str | None, key: str, at: Scope) -> None:
    """The posts of a thread in order; the brand's own are set apart."""
    posts, known = data.thread(stamp, thread, key) if thread else ([], 0)
    frame.html(pieces.heading("Conversation", pieces.known_of_it(len(posts), known)))
    if len(posts) <= 1:
        frame.html(pieces.nothing("No other post of this conversation has been seen."))
    frame.html(pieces.conversation(posts, key, at.zone))


frame.open_page("Mentions", show, living=False)
