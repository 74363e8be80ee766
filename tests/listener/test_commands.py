"""The commands at the hands of a new user: what is refused, what is told, and what is never lost."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from listener.cli import cli, main
from listener.cli.common import echo_json, print_table, tolerant_output
from listener.cli.operate import _dashboard, free_port
from listener.config import load_config
from listener.errors import InputError
from listener.store import Store

ROWS = "id,text,created_at\n1,Acme again,2026-03-20T10:00:00Z\n2,nothing,yesterday\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a keywords.yaml and an export of one good row and a bad one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keywords.yaml").write_text("brands: [{name: Acme}]\nsources: [{platform: rss}]\n")
    (tmp_path / "posts.csv").write_text(ROWS)
    return tmp_path


def call(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=given)


def refused(*arguments: str) -> str:
    """What a command that cannot be followed says."""
    error = call(*arguments).exception
    assert isinstance(error, InputError), repr(error)
    return str(error)


# what a user made is not written over -----------------------------------------------------------------


def test_a_demo_does_not_write_over_keywords_that_are_not_its_own(home: Path) -> None:
    own = (home / "keywords.yaml").read_text()
    assert "keywords.yaml is not the demo's" in refused("--db", "keywords.db", "demo", "--once")
    assert (home / "keywords.yaml").read_text() == own
    assert not (home / "keywords.db").exists()


def test_a_fresh_demo_does_not_delete_real_posts(home: Path) -> None:
    assert call("--db", "acme.db", "import", "posts.csv", "--no-judge").exit_code == 0
    assert "acme.db holds real posts" in refused("--db", "acme.db", "demo", "--fresh", "--once")
    with Store("acme.db") as store:
        assert store.value("SELECT COUNT(*) FROM posts") == 1
    assert not (home / "acme.yaml").exists()


def test_a_demo_takes_its_own_files_again(home: Path) -> None:
    from listener.cli.operate import _refuse_what_is_not_the_demos
    from listener.collectors.demo import demo_config

    keywords = home / "d.yaml"
    keywords.write_text(demo_config(seed=3), encoding="utf-8")
    Store(home / "d.db").close()
    _refuse_what_is_not_the_demos(home / "d.db", keywords, fresh=True)
    with pytest.raises(InputError, match=r"d\.yaml: the demo's keywords go by that name"):
        _refuse_what_is_not_the_demos(keywords, keywords, fresh=False)


# where a file cannot be written -----------------------------------------------------------------------


def test_a_file_that_cannot_be_written_ends_in_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device", "new.yaml")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SystemExit) as ended:
        main(["--config", "new.yaml", "init"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.strip() == (
        "groundswell: new.yaml: No space left on device; free some space and start again: "
        "what was committed is safe"
    )


def test_init_names_the_folder_that_is_not_there(home: Path) -> None:
    assert refused("--config", "sub/k.yaml", "init").startswith("sub is no folder; make it")


def test_init_writes_handles_as_they_are_read_again(home: Path) -> None:
    arguments = ("--config", "new.yaml", "init", "--brand", "Acme", "--handle", "twitter:@acme")
    assert call(*arguments, "--handle", "x:acmehelp").exit_code == 0
    assert load_config("new.yaml").brands[0].handles == {"x": ("acme", "acmehelp")}
    assert "write it as platform:handle" in refused("init", "--force", "--handle", ":acme")
    assert "did you mean twitter?" in refused("init", "--force", "--handle", "twiter:acme")


def test_a_place_for_rejected_rows_is_looked_at_before_anything_is_stored(home: Path) -> None:
    said = refused("import", "posts.csv", "--no-judge", "--rejects", "none/rejected.jsonl")
    assert "--rejects none/rejected.jsonl: there is no folder none" in said
    with Store("groundswell.db") as store:
        assert store.value("SELECT COUNT(*) FROM posts") == 0


def test_rejected_rows_that_cannot_be_written_do_not_end_the_import(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("listener.cli.operate._write_aside", full)
    said = call("import", "posts.csv", "--no-judge").output
    assert "2 read, 1 stored" in said
    assert "posts.csv.rejected.jsonl could not be written (No space left on device)" in said


def test_a_time_zone_that_is_none_is_told_without_the_librarys_words(home: Path) -> None:
    said = refused("import", "posts.csv", "--timezone", "Mars")
    assert said.startswith("--timezone 'Mars' is no time zone of the IANA list")


# names that stand for nothing -------------------------------------------------------------------------


def test_a_brand_or_source_that_is_not_there_is_told_and_is_no_empty_table(home: Path) -> None:
    assert call("import", "posts.csv", "--no-judge").exit_code == 0
    assert refused("inbox", "--brand", "Acmee") == (
        "no brand is called 'Acmee' here (did you mean Acme?); there are: Acme"
    )
    assert "no brand is called 'Bolt'" in refused("variants", "--brand", "Bolt")
    assert "no brand is called 'Bolt'" in refused("variants", "--resume", "Bolt", "blot")
    assert "no spelling of Acme is called 'akme'" in refused("variants", "--resume", "Acme", "akme")
    assert "there are: import:posts.csv, rss" in refused("coverage", "--source", "x")
    # in keywords.yaml, and nothing of it is stored yet
    (home / "keywords.yaml").write_text("brands: [{name: Acme}, {name: New}]\n")
    assert call("inbox", "--brand", "New").exit_code == 0


def test_an_empty_name_is_refused_and_a_short_one_explained(home: Path) -> None:
    assert "the name is empty" in refused("misspellings", " ")
    assert "'x' is looked for as it is written" in call("misspellings", "x").output
    assert "--brand is empty" in refused("match", "--brand", "")


def test_a_command_that_is_nearly_one_is_named(home: Path) -> None:
    assert "No such command 'statu'. Did you mean 'status'?" in call("statu").output


# the dashboard's process ------------------------------------------------------------------------------


def test_the_dashboard_ends_with_us_when_a_service_manager_says_so(home: Path) -> None:
    server = _dashboard(home / "g.db", home / "keywords.yaml", 8501)
    server.command = [sys.executable, "-c", "import signal; signal.pause()"]
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, server as child:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
    assert child.returncode is not None
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_address_of_another_machine_is_no_matter_of_ports(home: Path) -> None:
    with pytest.raises(InputError, match=r"--address 192\.0\.2\.1 is none of this machine's"):
        free_port(8501, "192.0.2.1")
    assert "not in the range" in call("dashboard", "--port", "70000").output


# tables and JSON --------------------------------------------------------------------------------------

COLUMNS = ("source", "last success", "last error")
CELLS = [("import:a-long-name", "3 min", "the host answers that it is busy"), ("rss", "", "")]


def test_a_narrow_terminal_gets_a_line_for_each_cell_and_loses_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_table("", COLUMNS, CELLS)
    assert capsys.readouterr().out == (
        "source: import:a-long-name\nlast success: 3 min\n"
        "last error: the host answers that it is busy\n\nsource: rss\n\n"
    )


def test_a_table_in_a_pipe_has_each_row_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table("", COLUMNS, [(*CELLS[0][:2], "why " * 60 + "最後")])
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "import:" in line]
    assert row.count("why") == 60
    assert "最後" in row


def test_a_terminal_that_lacks_characters_shows_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("COLUMNS", "60")
    tolerant_output()
    print_table("", ("who",), [("Zoë ☂",)])
    echo_json({"who": "Zoë ☂"})
    out.flush()
    text = out.buffer.getvalue().decode("latin-1")  # type: ignore[attr-defined]
    assert "Zoë ?" in text
    assert json.loads(text.splitlines()[-1]) == {"who": "Zoë ☂"}


def test_status_leaves_out_what_costs_nothing_and_prints_what_does(home: Path) -> None:
    assert call("import", "posts.csv", "--no-judge").exit_code == 0
    free = call("status").output
    assert "$ today" not in free
    assert "import:posts.csv" in free
    with Store("groundswell.db") as store, store.write() as db:
        db.execute(
            "INSERT INTO spending (source, day, requests, usd) VALUES ('import:posts.csv', 0, 1, 0.5)"
        )
    paid = call("status").output
    assert "$ today" in paid
    assert "cost: $0.50 in all" in paid
    assert json.loads(call("status", "--json").output)["costs"]["usd"] == 0.5
