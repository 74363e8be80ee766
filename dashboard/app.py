"""The entry file: `streamlit run dashboard/app.py`, or `groundswell dashboard`.

GROUNDSWELL_DB and GROUNDSWELL_CONFIG name the database and keywords.yaml. Where secrets.toml has an
[auth] section, people sign in before they see anything; where it has none, the server is bound to this
machine alone (see .streamlit/config.toml) and whoever sits at it may look.
"""

from __future__ import annotations

import streamlit as st

from dashboard import frame, look

VIEWS = (
    ("live", "Live", ":material/monitor_heart:"),
    ("trends", "Trends", ":material/trending_up:"),
    ("spikes", "Spikes", ":material/notification_important:"),
    ("inbox", "Inbox", ":material/inbox:"),
    ("mentions", "Mentions", ":material/forum:"),
    ("coverage", "Coverage", ":material/sensors:"),
    ("variants", "Spellings", ":material/spellcheck:"),
)


def signed_in() -> bool:
    """True where nobody needs to sign in, or this person has."""
    try:
        needed = "auth" in st.secrets
    except FileNotFoundError:
        needed = False
    if not needed or getattr(st.user, "is_logged_in", False):
        return True
    st.title("Groundswell")
    st.button("Sign in", on_click=st.login)
    return False


def main() -> None:
    st.set_page_config(page_title="Groundswell", page_icon=str(look.ICON), layout="wide")
    st.html(look.STYLE)
    st.html(look.variables(frame.colours()))
    if not signed_in():
        return
    pages = [
        st.Page(f"views/{name}.py", title=title, icon=icon, url_path=name, default=name == "live")
        for name, title, icon in VIEWS
    ]
    st.navigation(pages, position="top").run()


main()
