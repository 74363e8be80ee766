"""Real exports end to end, through the command line: what is read, matched, joined and answered."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from listener.cli import cli
from listener.store import Filter, Store

AIRLINES = """
brands:
  - {name: Virgin America, handles: {x: [virginamerica]}}
  - {name: United, handles: {x: [united]}, context: [flight, airline]}
  - {name: Southwest, handles: {x: [southwestair]}, context: [flight, airline]}
  - {name: JetBlue, handles: {x: [jetblue]}}
  - {name: US Airways, handles: {x: [usairways]}}
  - {name: American, handles: {x: [americanair]}, context: [flight, airline]}
"""
NAMED = re.compile(r"[@#](virginamerica|united|southwestair|jetblue|usairways|americanair)\b", re.I)

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a database of the test's own and give back what it prints as JSON."""

    def command(config: str, *arguments: str) -> Any:
        (tmp_path / "k.yaml").write_text(config)
        base = ["--db", str(tmp_path / "t.db"), "--config", str(tmp_path / "k.yaml")]
        result = CliRunner().invoke(cli, [*base, *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return command


def test_the_airline_export_is_read_matched_and_not_stored_twice(
    shared_data: Path, run: Run, tmp_path: Path
) -> None:
    file = str(shared_data / "airline" / "tweets.csv")
    first = run(AIRLINES, "import", file, "--no-judge", "--json")
    again = run(AIRLINES, "import", file, "--no-judge", "--json")
    rows = pd.read_csv(file)
    naming = int(rows.text.map(lambda t: bool(NAMED.search(t))).sum())
    assert first["read"] == len(rows) == 14_640
    assert first["matched"] >= naming
    assert first["rejected"] == 0
    assert (again["read"], again["stored"], again["updated"]) == (14_640, 0, 0)
    # Its ids are rounded, so a post is its author, time and text: rows that repeat them are one.
    assert first["stored"] == len(rows.drop_duplicates(["name", "tweet_created", "text"]))
    with Store(tmp_path / "t.db") as store:
        found = {(row["text"], row["brand"]) for row in store.mentions(Filter(), limit=100_000)}
    handles = {
        "virginamerica": "Virgin America", "united": "United", "southwestair": "Southwest",
        "jetblue": "JetBlue", "usairways": "US Airways", "americanair": "American",
    }  # fmt: skip
    # Entities (&amp;) are read as what they stand for, and a brand's own post is no mention of it.
    wanted = {
        (html.unescape(text), handles[handle.lower()])
        for text, writer in zip(rows.text, rows["name"], strict=True)
        for handle in NAMED.findall(text)
        if handle.lower() != writer.lower()
    }
    assert wanted - found == set()


def test_answers_and_first_response_time_equal_pandas_on_the_file(
    shared_data: Path, run: Run
) -> None:
    file = shared_data / "support_threads" / "twcs_head.csv"
    # One text holds a bare carriage return: only \n ends a line of this file.
    rows = pd.read_csv(file, lineterminator="\n")
    rows["at"] = pd.to_datetime(rows.created_at, format="%a %b %d %H:%M:%S %z %Y")
    parent = dict(zip(rows.tweet_id, rows.in_response_to_tweet_id, strict=True))

    def root(tweet: int) -> int:
        while pd.notna(above := parent.get(tweet)):
            tweet = int(above)
        return tweet

    rows["thread"] = rows.tweet_id.map(root)
    brands = sorted(rows[~rows.inbound].author_id.unique())
    found = []
    for brand in brands:
        asks = rows[rows.inbound & rows.text.str.contains(rf"(?<!\w)[@#]{brand}(?!\w)", case=False)]
        says = rows[~rows.inbound & (rows.author_id == brand)].sort_values("at")
        for tweet in asks.sort_values(["at", "tweet_id"]).itertuples():
            later = says[(says.thread == tweet.thread) & (says["at"] >= tweet.at)]
            minutes = (later["at"].iloc[0] - tweet.at).total_seconds() / 60 if len(later) else None
            found.append((brand, tweet.thread, minutes))
    mentions = pd.DataFrame(found, columns=["brand", "thread", "minutes"])
    openings = mentions.drop_duplicates(["brand", "thread"])

    config = "brands:\n" + "".join(
        f"  - {{name: {b} care desk, handles: {{x: [{b}]}}, misspellings: []}}\n" for b in brands
    )
    imported = run(config, "import", str(file), "--no-judge", "--json")
    assert (imported["read"], imported["stored"], imported["rejected"]) == (5000, 5000, 0)
    response = run(config, "status", "--json")["response"]
    assert run(config, "inbox", "--json")["response"] == response
    for part, expected in (("mentions", mentions), ("conversations", openings)):
        unanswered = int(expected.minutes.isna().sum())
        assert response[part]["unanswered"] == unanswered
        assert response[part]["answered"] == len(expected) - unanswered
        assert response[part]["share_unanswered"] == pytest.approx(unanswered / len(expected))
        assert response[part]["median_first_response_minutes"] == pytest.approx(
            expected.minutes.median()
        )
