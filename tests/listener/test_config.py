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


# what a fault says, and what is no fault --------------------------------------------------------------

BRAND = "brands:\n  - name: Acme\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BRAND + "response: {holidays: [2026-02-30]}", ":3: response.holidays holds '2026-02-30', no"),
        (BRAND + "alerts: {rules: [{snooze_until: 2026-13-01}]}", ":3: alerts.rules[0].snooze_until"),
        (BRAND + "response:\n  time_zone: [UTC]", ":4: response.time_zone must be text"),
        (BRAND + "response:\n  time_zone: 1", ":4: response.time_zone is 1: must be text"),
        (BRAND + "response:\n  time_zone:", ":4: response.time_zone is empty; give it a value"),
        ("brands: &a\n  - *a\n", ":1: this part holds itself, by & and *"),
        ("brands: [{name: A, exclude: [0b_]}]", "YAML cannot read a value in it"),
    ],
)  # fmt: skip
def test_what_broke_off_with_a_traceback_is_told_in_a_sentence(text: str, said: str) -> None:
    assert said in problems(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brands:\n  name: Acme", "k.yaml:1: brands must be a list; put a dash before the first key"),
        ("brands: [Acme]", "k.yaml:1: brands[0] is 'Acme': must have keys of its own, as in `key:"),
        (BRAND + "    names: [Acme, 7]", "k.yaml:3: brands[0].names[1] is 7: must be text; write it"
         " in quotes: '7'"),
        (BRAND + "    competitor: maybe", "brands[0].competitor is 'maybe': must be true or false"),
        (BRAND + "    names: ['']", "k.yaml:3: brands[0].names[0] is '': holds no words"),
        (BRAND + "    languages: english", "brands[0].languages[0] is 'english': is no code of a "
         "language (did you mean en?); write it as en or de"),
        (BRAND + "    languages: [klingon]", "is 'klingon': is no code of a language; write it as en"),
        (BRAND + "    handles: {x: 'https://x.com/acme'}", "is 'https://x.com/acme': is an address"),
        (BRAND + "    handles: {x: '@'}", "brands[0].handles.x[0] is '@': names no account"),
        (BRAND + "    handles: {twiter: acme}", "'twiter', no platform; did you mean twitter?"),
        (BRAND + "response: {targets: {defualt: 2h}}", "'defualt', no platform; did you mean default?"),
        (BRAND + "response: {targets: {default: 40000d}}", "is longer than a century"),
        (BRAND + "response: {hours: {mon-fri: 9:00}}", "hours.mon-fri is 540: is no span of hours"),
        (BRAND + "regions:\n  Home: [UK]", "regions.Home[0] is 'UK': is no country's code (did you "
         "mean GB?)"),
        (BRAND + "regions:\n  Home: [XX]", "regions.Home[0] is 'XX': is no country's code"),
        (BRAND + "alerts: {rules: [{regions: [UK]}]}", "rules[0].regions[0] is 'UK'; there are: *"),
        (BRAND + "sources: [{platform: hackernews, evry: 5m}]", "no known key (did you mean every?)"),
        (BRAND + "sources:\n  - platform: x\n  - platform: x", "k.yaml:5: sources[1] is called 'x', as "
         "sources[0] is; each needs a `name` of its own"),
        (BRAND + "alerts:\n  rules:\n    - {name: a}\n    - {name: a, kinds: [due]}", "k.yaml:6: "
         "alerts.rules[1] is called 'a', as alerts.rules[0] is"),
        (BRAND + "    handles: {x: care}\n  - name: Bolt\n    handles: {twitter: '@Care'}", "k.yaml:5: "
         "brands[1].handles.x has '@Care', which Acme has too; what an account writes can answer for"),
        (BRAND + "1: x", "k.yaml:3: the key 1 of the file must be text; write it in quotes: '1'"),
        ("- a\n- b", "k.yaml:1: the file is a list, and must have keys, of these: brands, regions"),
        ("hello", "k.yaml:1: the file is 'hello', and must have keys"),
        ("brands:", "k.yaml:1: brands is missing; it is required here"),
    ],
)  # fmt: skip
def test_a_fault_says_what_was_found_and_what_is_allowed(text: str, said: str) -> None:
    assert said in problems(text)
    assert "valid tuple" not in problems(text)
    assert "valid dictionary" not in problems(text)


def test_a_section_that_is_all_commented_out_is_as_good_as_absent() -> None:
    said = parse_config(BRAND + "sources:\n#  - platform: x\nregions:\nresponse:\nalerts:\n")
    assert said == parse_config(BRAND)


def test_one_is_a_list_wherever_a_list_of_words_stands() -> None:
    config = parse_config(
        "brands: [{name: A, languages: de, competitors: Rival}]\nregions: {DACH: DE}\n"
        "response: {holidays: 2026-12-25, hours: {mon: ['09:00-12:00', '13:00-18:00']}}\n"
        "alerts: {rules: [{kinds: due, brands: A, regions: DACH, channels: log}]}\n"
    )
    assert (config.brands[0].languages, config.brands[0].competitors) == (("de",), ("Rival",))
    assert config.regions == {"DACH": ("DE",)}
    assert config.response.week()[0] == ((540, 720), (780, 1080))
    rule = config.alerts.rules[0]
    assert (rule.kinds, rule.brands, rule.regions) == (("due",), ("A",), ("DACH",))


def test_a_platform_goes_by_the_name_that_its_posts_carry() -> None:
    config = parse_config(
        "brands: [{name: A, handles: {Twitter: [a, b], x: b, trustpilot: shop}}]\n"
        "response: {targets: {twitter: 20m, jetstream: 30m, default: 2h}}\n"
    )
    assert config.brands[0].handles == {"x": ("a", "b"), "trustpilot": ("shop",)}
    assert config.response.target_for("x") == 1200
    assert config.response.target_for("bluesky") == 1800
    assert config.response.target_for("reddit") == 7200


def test_a_handle_on_two_platforms_is_two_accounts() -> None:
    text = "brands: [{name: A, handles: {x: [care, Care]}}, {name: B, handles: {reddit: care}}]"
    assert len(parse_config(text).brands) == 2


def test_rules_without_a_name_are_kept_apart() -> None:
    config = parse_config(
        BRAND + "alerts: {rules: [{kinds: due}, {kinds: viral}, {name: everyone 2}]}"
    )
    assert [rule.name for rule in config.alerts.rules] == ["everyone", "everyone 3", "everyone 2"]


def test_a_part_that_stands_in_two_places_by_an_alias_is_no_loop() -> None:
    config = parse_config(BRAND + "regions: {North: &n [SE, FI], Both: *n}")
    assert config.regions["Both"] == ("SE", "FI")


@given(st.text(alphabet="abdnorsu:-[]{}&*'\"#, \n0129", max_size=60))
def test_any_file_is_read_or_refused_and_never_breaks_off(text: str) -> None:
    try:
        parse_config(text, "k.yaml")
    except ConfigError as refused:
        said = str(refused)
    else:
        said = "k.yaml can be followed"
    assert said.startswith("k.yaml")


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "k.yaml"
    file.write_bytes(BRAND.encode() + "    names: [Acmé]\n".encode("cp1252"))
    with pytest.raises(
        ConfigError, match=r"k\.yaml:3: this is not UTF-8 text; save the file as UTF-8"
    ):
        load_config(file)


def test_a_secrets_file_with_a_mark_at_its_head_is_read_and_one_in_utf_16_refused(
    tmp_path: Path,
) -> None:
    file = tmp_path / "secrets"
    file.write_bytes(b"\xef\xbb\xbfX_TOKEN=abc\n")
    assert load_secrets({"GROUNDSWELL_SECRETS": str(file)})["X_TOKEN"] == "abc"
    file.write_bytes("X_TOKEN=abc\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="save it as UTF-8") as caught:
        load_secrets({"GROUNDSWELL_SECRETS": str(file)})
    assert "abc" not in repr(caught.value)
