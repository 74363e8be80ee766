"""`groundswell detect`: its JSON lines, its table, and what it says of files it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.cli.detect import detect, read_series
from listener.errors import InputError


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def counts(tmp_path: Path) -> Path:
    rows = [f"2026-01-{1 + i // 24:02d} {i % 24:02d}:00:00,{20 + i % 5}" for i in range(24 * 8)]
    rows[150] = rows[150].rsplit(",", 1)[0] + ",400"
    return write(tmp_path / "counts.csv", ["timestamp,value", *rows])


def test_json_gives_a_line_for_each_row(tmp_path: Path) -> None:
    result = CliRunner().invoke(detect, [str(counts(tmp_path)), "--json"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 24 * 8
    assert set(rows[0]) == {"timestamp", "value", "expected", "score", "spike"}
    assert rows[0]["timestamp"] == "2026-01-01 00:00:00"
    assert [i for i, row in enumerate(rows) if row["spike"]] == [150]
    assert rows[150]["value"] == 400
    assert 20 <= rows[150]["expected"] <= 25
    assert all(0 <= row["score"] <= 1 for row in rows)


def test_the_table_lists_the_spikes(tmp_path: Path) -> None:
    result = CliRunner().invoke(detect, [str(counts(tmp_path))])
    assert "2026-01-07 06:00:00" in result.output
    assert "1 spike in 192 rows" in result.output


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["time,value", "1,2"], "line 1: no column 'timestamp'; found 'time', 'value'"),
        ([""], "line 1"),
        (["timestamp,value", "2026-01-01,3", "2026-01-02,many"], "line 3, column 'value': 'many'"),
        (["timestamp,value", "2026-01-01,nan"], "line 2, column 'value'"),
        (["timestamp,value", ",3"], "line 2, column 'timestamp': empty"),
        (["timestamp,value", "2026-01-01"], "line 2: column 'value' is missing"),
    ],
)
def test_a_bad_file_is_named_with_line_and_column(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    path = write(tmp_path / "bad.csv", lines)
    with pytest.raises(InputError) as caught:
        list(read_series(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_binary_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(read_series(tmp_path / "none.csv"))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"timestamp,value\n\xff\xfe\x00,1\n")
    with pytest.raises(InputError, match="UTF-8"):
        list(read_series(binary))


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.csv"
    path.write_bytes(("timestamp,value\n" + text).encode("utf-8", "surrogatepass"))
    try:
        rows = list(read_series(path))
    except InputError as error:
        rows, said = [], str(error)
        assert_names(said)
    assert all(stamp for stamp, _ in rows)


def assert_names(said: str) -> None:
    assert "x.csv" in said
