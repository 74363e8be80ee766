"""`groundswell replay`: what the alerts would have been, beside what was sent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from listener.cli import cli
from listener.cli.detect import read_rules
from listener.collectors import Page
from listener.config import AlertRule
from listener.errors import ConfigError, InputError
from listener.replay import replay
from listener.store import Store
from listener.watch import EVERYWHERE, Series

HOUR, DAY = 3600, 86400
BEGIN = 1_767_225_600  # 2026-01-01 UTC
KEYWORDS = """brands:
  - name: Acme
    handles: {x: [acme]}
alerts:
  rules:
    - {name: everyone, kinds: [negative], min_posts: 20, channels: [log]}
"""


def series() -> Series:
    rng = np.random.default_rng(4)
    total = rng.poisson(20, 15 * 24).astype(float)
    negative = rng.binomial(total.astype(int), 0.2).astype(float)
    negative[250:254] += 30
    total[250:254] += 30
    return Series("Acme", EVERYWHERE, total, negative, total * 0)


def decided(rule: AlertRule, sent: list[dict[str, object]] | None = None) -> list[tuple[str, str]]:
    found = replay(
        BEGIN, [series()], [rule], sent or [], since=BEGIN, until=BEGIN + 15 * DAY, own=["Acme"]
    )
    return [(row.verdict, row.why) for row in found if row.kind == "negative"]


def message(at: int, start: int) -> dict[str, object]:
    return {
        "id": 1, "subject": f"spike Acme|{EVERYWHERE}|negative|{start}", "channel": "log",
        "rule": "everyone", "sent_at": at,
    }  # fmt: skip


def test_what_was_sent_and_what_would_have_been_are_set_side_by_side() -> None:
    start = BEGIN + 250 * HOUR
    rule = AlertRule(kinds=("negative",))
    assert decided(rule) == [("only replay", "now")]
    assert decided(rule, [message(start + HOUR, start)]) == [("both", "now")]
    strict = AlertRule(kinds=("negative",), min_posts=1000)
    held = decided(strict)
    assert [verdict for verdict, _ in held] == ["held"]
    assert "the rule asks for 1000" in held[0][1]
    assert decided(strict, [message(start + HOUR, start)])[0][0] == "only sent"


def test_a_message_about_nothing_that_is_found_now_is_listed() -> None:
    lone = message(BEGIN + 100 * HOUR, BEGIN + 99 * HOUR)
    assert ("only sent", "the detector finds no such spike now") in decided(
        AlertRule(kinds=("negative",)), [lone]
    )


def test_a_decision_waits_until_the_spike_has_the_size() -> None:
    rule = AlertRule(kinds=("negative",), min_posts=80)
    (row,) = replay(
        BEGIN, [series()], [rule], [], since=BEGIN, until=BEGIN + 15 * DAY, own=["Acme"]
    )
    assert row.would_send
    assert row.posts >= 80
    assert row.at == BEGIN + 253 * HOUR  # the third hour of some 34 negative posts each


def test_other_brands_alerts_are_none() -> None:
    found = replay(
        BEGIN, [series()], [AlertRule()], [], since=BEGIN, until=BEGIN + 15 * DAY, own=["Other"]
    )
    assert found == []


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A store with counts of two weeks and a keywords.yaml."""
    (tmp_path / "keywords.yaml").write_text(KEYWORDS)
    one = series()
    with Store(tmp_path / "g.db") as store, store.write() as db:
        for i, (n, bad) in enumerate(zip(one.all, one.negative, strict=True)):
            for label, posts in (("negative", bad), ("neutral", n - bad)):
                if posts:
                    db.execute(
                        "INSERT INTO counts VALUES (?, 'Acme', 'x', '', '', 'en', ?, ?, 0)",
                        (BEGIN + i * HOUR, label, int(posts)),
                    )
    return tmp_path


def call(home: Path, *more: str) -> str:
    result = CliRunner().invoke(
        cli,
        ["--db", str(home / "g.db"), "--config", str(home / "keywords.yaml"), "replay",
         "--from", "2026-01-05", "--to", "2026-01-16", *more],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_reads_stored_counts(home: Path) -> None:
    (row,) = [json.loads(line) for line in call(home, "--json").splitlines()]
    assert row["verdict"] == "only replay"
    assert row["start"] == BEGIN + 250 * HOUR
    assert "1 alerts by these rules, 0 of them were sent" in call(home)


@pytest.mark.parametrize("listening", [True, False])
def test_a_crisis_of_every_kind_of_post_is_one_where_we_were_listening(
    tmp_path: Path, listening: bool
) -> None:
    """In an export it is the day on which the brand's own collection began."""
    (tmp_path / "keywords.yaml").write_text(KEYWORDS)
    rng = np.random.default_rng(1)
    with Store(tmp_path / "g.db") as store:
        store.save_page(
            Page([], {}), source="hn" if listening else "import:a.csv", platform="x", query="q",
            matches=[], from_brand=[], rules="r", now=BEGIN,
        )  # fmt: skip
        with store.write() as db:
            for n in range(12 * 24):
                for label, usual in (("negative", 1.0), ("positive", 1.0), ("neutral", 1.5)):
                    posts = int(rng.poisson(usual * (14 if 264 <= n < 269 else 1)))
                    values = (BEGIN + n * HOUR, label, posts)
                    db.execute(
                        "INSERT INTO counts VALUES (?, 'Acme', 'x', '', '', 'en', ?, ?, 0)", values
                    )
    rows = [json.loads(line) for line in call(tmp_path, "--json").splitlines()]
    assert [row["start"] for row in rows] == [BEGIN + 264 * HOUR] * listening


def test_other_rules_decide_otherwise(home: Path) -> None:
    rules = home / "strict.yaml"
    rules.write_text("- {name: strict, kinds: [negative], min_posts: 5000}\n")
    (row,) = [json.loads(line) for line in call(home, "--rules", str(rules), "--json").splitlines()]
    assert row["verdict"] == "held"
    assert "5000" in row["why"]


@pytest.mark.parametrize(("begin", "end"), [("2001-01", "2001-02"), ("2090-01", "2090-02")])
def test_a_time_of_which_nothing_is_stored_is_no_quiet_time(
    home: Path, begin: str, end: str
) -> None:
    done = CliRunner().invoke(
        cli, ["--db", str(home / "g.db"), "--config", str(home / "keywords.yaml"), "replay",
              "--from", f"{begin}-01", "--to", f"{end}-01"],
    )  # fmt: skip
    assert isinstance(done.exception, InputError)
    assert "not to say that nothing happened" in str(done.exception)
    assert "has counts from 2026-" in str(done.exception)


def test_faulty_rules_are_named_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - {min_posts: 0}\n  - {nonsense: 1}\n")
    with pytest.raises(ConfigError) as caught:
        read_rules(path)
    first, second = caught.value.problems
    assert first == f"{path}:2: rules[0].min_posts is 0: must be greater than or equal to 1"
    assert second.startswith(f"{path}:3: rules[1].nonsense is no known key; allowed here: name,")
    path.write_text("brands: 3\n")
    with pytest.raises(ConfigError, match="no alert rules"):
        read_rules(path)
