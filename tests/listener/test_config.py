"""keywords.yaml: what is read, and what a fault says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.alerts import end_of_quiet, snoozed_until
from listener.config import load_config, load_secrets, parse_config, seconds
from listener.errors import ConfigError
from listener.mention import moment


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "k.yaml")
    return "\n".join(caught.value.problems) or str(caught.value)


def test_a_brand_with_everything_left_out_has_the_defaults() -> None:
    config = parse_config("brands: [{name: Acme}]")
    brand = config.brands[0]
    assert brand.terms().names == ("Acme",)
    assert brand.terms().auto is True
    assert config.response.target_for("x") == 3600
    assert config.model.name == "bundled"


def test_competitors_become_brands_to_compare_with() -> None:
    config = parse_config("brands: [{name: Acme, competitors: [Rival]}]")
    assert [(b.name, b.competitor) for b in config.all_brands()] == [
        ("Acme", False),
        ("Rival", True),
    ]


def test_own_misspellings_beside_auto() -> None:
    brand = parse_config("brands: [{name: Acme, misspellings: [auto, akme]}]").brands[0]
    assert (brand.terms().auto, brand.terms().misspellings) == (True, ("akme",))
    only_own = parse_config("brands: [{name: Acme, misspellings: akme}]").brands[0]
    assert (only_own.terms().auto, only_own.terms().misspellings) == (False, ("akme",))


def test_handles_are_joined_over_platforms_without_at() -> None:
    brand = parse_config(
        "brands: [{name: A, handles: {x: '@AcmeHelp', bluesky: [acme.bsky.social]}}]"
    ).brands[0]
    assert brand.all_handles() == ("acmehelp", "acme.bsky.social")


def test_an_unknown_key_names_file_line_key_and_the_near_one() -> None:
    said = problems("brands:\n  - name: Acme\n    handels: {x: acme}\n")
    assert said.startswith("k.yaml:3: brands[0].handels is no known key (did you mean handles?)")
    assert "allowed here: name, names, handles" in said


def test_a_phrase_without_words_is_refused_by_its_line() -> None:
    said = problems(
        "brands:\n  - name: Acme\n    phrases:\n      ok: positive\n      ' ': negative\n"
    )
    assert said == (
        "k.yaml:5: a key of brands[0].phrases is ' ': holds no words; "
        "write the phrase to look for in posts"
    )


def test_a_model_that_is_none_is_refused_and_a_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert problems("brands: [{name: A}]\nmodel:\n  name: bundeled\n") == (
        "k.yaml:3: model.name is 'bundeled': is no model (did you mean bundled?); "
        "allowed are bundled, fast, a folder, or owner/name of the hub"
    )
    (tmp_path / "mine").mkdir()
    for name in ("fast", "mine", "owner/name@main"):
        assert parse_config(f"brands: [{{name: A}}]\nmodel: {{name: {name}}}").model.name == name


def test_every_fault_is_told_at_once() -> None:
    said = problems(
        "brands:\n  - name: Acme\nregions:\n  North: [NO, se]\n"
        "sources:\n  - platform: files\n    every: soon\n"
        "response: {time_zone: Berlin}\n"
    )
    assert "k.yaml:4: regions.North[0] is False" in said
    assert "write 'NO' in quotes" in said
    assert "k.yaml:7: sources[0].every is 'soon': is no span of time" in said
    assert "response.time_zone is 'Berlin'" in said
    assert "Europe/Berlin" in said


def test_a_faulty_query_is_told_with_its_place() -> None:
    said = problems("brands:\n  - name: Acme\n    query: '(acme AND'\n    handels: {x: acme}\n")
    assert "k.yaml:3: brands[0].query is '(acme AND': cannot be read: a word, a phrase" in said
    assert "at position 10" in said
    assert "handels" in said
    assert "every post" in problems("brands: [{name: Acme, query: '-river'}]")
    assert parse_config("brands: [{name: Acme, query: ''}]").brands[0].query == ""


def test_an_unknown_platform_lists_the_installed_ones() -> None:
    said = problems("brands: [{name: A}]\nsources:\n  - platform: fils\n")
    assert "k.yaml:3: sources[0].platform is 'fils' (did you mean files?)" in said
    assert "demo" in said


def test_a_collectors_own_options_are_checked_by_it() -> None:
    said = problems("brands: [{name: A}]\nsources:\n  - platform: files\n    paht: a.csv\n")
    assert "k.yaml:4" in said
    assert "did you mean path?" in said


def test_a_key_given_twice_is_a_fault() -> None:
    said = problems("brands: [{name: A}]\nregions: {X: [DE]}\nregions: {Y: [FR]}\n")
    assert "k.yaml:3: the key 'regions' stands a second time (first on line 2)" in said


def test_a_secret_in_the_file_is_refused_and_not_repeated() -> None:
    said = problems("brands: [{name: A}]\nmodel: {api_token: sup3r-s3cret-value-123}\n")
    assert "looks like a secret" in said
    assert "sup3r" not in said.replace("is no known key", "")


def test_alert_channels_name_variables_never_addresses() -> None:
    said = problems(
        "brands: [{name: A}]\nalerts:\n  channels: {chat: 'slack://tokenA/tokenB/tokenC'}\n"
    )
    assert "k.yaml:3" in said
    assert "environment variable" in said
    assert "tokenA" not in said


def alert_rule(rule: str) -> str:
    return (
        "brands: [{name: Acme}]\nregions: {Nordics: [SE]}\nalerts:\n  channels: {chat: CHAT_URL}\n"
        f"  rules:\n    - {rule}\n"
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("quiet_hours: 25:00-07:00", "quiet_hours is '25:00-07:00': holds a time that no clock"),
        ("quiet_hours: 22:60-07:00", "quiet_hours is '22:60-07:00': holds a time that no clock"),
        ("quiet_hours: 24:00-07:00", "quiet_hours is '24:00-07:00': holds a time that no clock"),
        ("quiet_hours: 22:00-22:00", "quiet_hours is '22:00-22:00': ends where it begins"),
        ("snooze_until: next monday", "snooze_until is 'next monday': is no moment; write it as"),
        ("channels: [log, chatt]", "channels[1] is 'chatt' (did you mean chat?); there are: log,"),
        ("brands: [Acmee]", "brands[0] is 'Acmee' (did you mean Acme?); there are: Acme"),
        ("regions: [Nordic]", "regions[0] is 'Nordic' (did you mean Nordics?); there are: *,"),
    ],
)
def test_an_alert_rule_that_could_never_tell_is_refused(rule: str, said: str) -> None:
    assert f"k.yaml:6: alerts.rules[0].{said}" in problems(alert_rule(rule))


@pytest.mark.parametrize(
    "rule",
    [
        "quiet_hours: 22:00-24:00",
        "quiet_hours: 22:00-07:00",
        "snooze_until: 2026-03-14",
        "snooze_until: 2026-03-14T12:00",
        "snooze_until: 2026-03-14 12:00:00+01:00",
        "channels: [log, chat]",
        "{brands: [Acme], regions: [Nordics, DE, '*']}",
    ],
)
def test_an_alert_rule_that_can_be_followed_is_taken(rule: str) -> None:
    (taken,) = parse_config(alert_rule(rule)).alerts.rules
    now = int(datetime(2026, 3, 1, 23, 0, tzinfo=UTC).timestamp())
    assert end_of_quiet(taken, now) >= now
    until = snoozed_until(taken)
    assert until is None or moment(until).date().isoformat() == "2026-03-14"


def test_broken_yaml_points_at_the_place() -> None:
    assert "k.yaml:2:10: this is not YAML" in problems("brands:\n  - [A]: }\n")


def test_a_missing_file_says_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="groundswell init"):
        load_config(tmp_path / "keywords.yaml")


def test_business_hours_over_lunch_and_weekend() -> None:
    config = parse_config(
        "brands: [{name: A}]\n"
        "response: {hours: {mon-fri: '09:00-12:00, 13:00-18:00', sat: '10:00-14:00'}}"
    )
    week = config.response.week()
    assert week[0] == ((540, 720), (780, 1080))
    assert week[5] == ((600, 840),)
    assert week[6] == ()


def test_no_hour_is_open_twice() -> None:
    said = problems(
        "brands: [{name: A}]\nresponse:\n  hours: {mon-fri: '09:00-18:00', fri: '09:00-15:00'}\n"
    )
    assert "k.yaml:3: response.hours opens fri twice at the same time, again by 'fri'" in said
    assert "mon-thu and fri" in said
    assert "mon twice" in problems(
        "brands: [{name: A}]\nresponse: {hours: {mon: '09:00-12:00, 11:00-13:00'}}\n"
    )
    hours = "{mon-thu: '09:00-12:00, 12:00-18:00', fri: '09:00-15:00'}"
    week = parse_config(f"brands: [{{name: A}}]\nresponse: {{hours: {hours}}}").response.week()
    assert week[4] == ((540, 900),)


def test_a_holiday_is_a_day() -> None:
    head = "brands: [{name: A}]\nresponse:\n  holidays: "
    said = problems(head + "['25.12.2026']")
    assert "k.yaml:3: response.holidays" in said
    assert "'25.12.2026', no day; write it as 2026-12-25" in said
    assert "10:00" in problems(head + "[2026-12-25 10:00:00]")
    assert parse_config(head + "[2026-12-25, '20261226']").response.holidays == (
        "2026-12-25", "2026-12-26",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("14d", 1_209_600), (60, 60)]
)
def test_spans_of_time(text: object, expected: int) -> None:
    assert seconds(text) == expected


@given(
    st.one_of(
        st.text(max_size=20).filter(lambda t: not t.strip()[:1].isdigit()),
        st.integers(max_value=0),
        st.booleans(),
    )
)
def test_nonsense_is_no_span_and_never_crashes(value: object) -> None:
    with pytest.raises(ValueError, match="90s"):
        seconds(value)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    # No text that hypothesis writes is a configuration, so each has to be refused with its reason.
    with pytest.raises(ConfigError, match=r"keywords\.yaml"):
        parse_config(text)


def test_secrets_come_from_a_file_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("# mine\nexport X_TOKEN='from file'\nOTHER=two\n")
    found = load_secrets({"GROUNDSWELL_SECRETS": str(file), "OTHER": "environment"})
    assert (found["X_TOKEN"], found["OTHER"]) == ("from file", "environment")


def test_a_bad_secrets_line_is_named_by_number_only(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("GOOD=1\nhunter2\n")
    with pytest.raises(ConfigError, match=":2:") as caught:
        load_secrets({"GROUNDSWELL_SECRETS": str(file)})
    assert "hunter2" not in str(caught.value)


def test_the_example_that_init_writes_can_be_followed() -> None:
    import listener

    text = (Path(listener.__file__).parent / "keywords.example.yaml").read_text(encoding="utf-8")
    # Sources come with their collectors; what the file says of brands and times stands by itself.
    config = parse_config(text.split("# Where to listen.")[0])
    assert config.brands[0].name == "YOURBRAND"
