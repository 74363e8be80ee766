"""What others wrote, on a terminal: shown, and never obeyed."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from listener.cli import cli, main
from listener.cli.common import echo_json, print_table, set_up_logging, shown

ESC = "\x1b"
# Clears the screen, sets the title (ended by a bell), forges a row by CR and cursor, the same by one
# byte of C1, deletes backwards, turns the direction of the rest of the line around.
HOSTILE = f"Acme {ESC}[2J{ESC}]0;owned\x07 bad\r{ESC}[1A \x9b2J \x08\x7f \u202e ppo \u2066late"
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def base(tmp_path: Path) -> list[str]:
    keywords = tmp_path / "k.yaml"
    keywords.write_text("brands: [{name: Acme}]\n", encoding="utf-8")
    return ["--db", str(tmp_path / "t.db"), "--config", str(keywords)]


def posts(folder: Path) -> Path:
    """An export that holds a hostile post."""
    file = folder / "posts.jsonl"
    at = datetime(2026, 3, 20, tzinfo=UTC).isoformat()
    rows = [
        {"id": "7", "text": HOSTILE, "username": f"eve{ESC}[2J", "created": at},
        {"id": "8", "text": "yes", "username": "Acme", "created": at, "in_reply_to": "1"},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


def run(base: list[str], *arguments: str, given: str | None = None) -> Result:
    done = CliRunner().invoke(cli, [*base, *arguments], input=given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_an_import_and_the_inbox_show_a_hostile_post_and_do_not_obey_it(
    base: list[str], tmp_path: Path
) -> None:
    said = run(base, "import", str(posts(tmp_path)), "--no-judge").output
    assert "2 read, 2 stored" in said
    assert "\ufffd[2J" in said, "the example of the text column is there, disarmed"
    assert not ACTS.search(said)
    from listener.store import Store

    with Store(base[1]) as store, store.write() as db:
        db.execute("UPDATE cases SET thread_state = 'unanswered'")
    inbox = run(base, "inbox").output
    assert "eve" in inbox
    assert "bad" in inbox
    assert not ACTS.search(inbox)
    assert not ACTS.search(run(base, "status").output)
    as_json = run(base, "inbox", "--json").stdout
    assert not ACTS.search(as_json)
    (row,) = json.loads(as_json)["unanswered"]
    assert (row["text"], row["author_handle"]) == (HOSTILE, f"eve{ESC}[2J"), (
        "JSON keeps every letter"
    )


@pytest.mark.parametrize("command", [["match"], ["locate"]])
def test_lines_from_standard_input_are_disarmed(base: list[str], command: list[str]) -> None:
    said = run(base, *command, given=HOSTILE + "\n").output
    assert "owned" in said
    assert not ACTS.search(said)


def test_a_log_line_that_quotes_a_platform_is_disarmed(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        set_up_logging(False)
        logging.getLogger("groundswell").warning("hn: HTTP 500: %s", HOSTILE)
    finally:
        root.handlers = before
    said = capsys.readouterr().err
    assert "HTTP 500: Acme" in said
    assert not ACTS.search(said)


def test_an_error_that_quotes_a_file_is_disarmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keywords = tmp_path / "k.yaml"
    keywords.write_text('brands: [{name: Acme, "\\x9b2J": 1}]\n', encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--config", str(keywords), "check"])
    said = capsys.readouterr().err
    assert "2J is no known key" in said
    assert not ACTS.search(said)


def test_a_title_is_text_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(f"[red]{ESC}[2J", ["a"], [["one\ntwo\tthree"]])
    said = capsys.readouterr().out
    assert "[red]\ufffd[2J" in said
    assert "one" in said
    assert "two" in said


def test_what_harms_nothing_is_left_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    kept = "naïve 日本語 עברית \u200f\u200eنص\u200cها 👩\u200d🚒\tend\n"
    assert shown(kept) == kept
    assert shown("half \ud83d of one") == "half \ufffd of one"
    echo_json({"text": "half \ud83d, \x9b and \u202e"})
    said = capsys.readouterr().out
    assert not ACTS.search(said)
    assert json.loads(said) == {"text": "half \ud83d, \x9b and \u202e"}
