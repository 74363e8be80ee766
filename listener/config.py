"""Reads keywords.yaml and the environment's secrets. A fault names file, line, key, what was found
and what is allowed; all faults are told at once. Secrets never come from keywords.yaml."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from listener import faults
from listener.errors import ConfigError
from listener.values import (
    WEEKDAYS,
    Country,
    Handle,
    Hours,
    One,
    Phrase,
    Text,
    Words,
    Zone,
    parse_hours,
)
from listener.values import Span as Span
from listener.values import parse_quiet_hours as parse_quiet_hours
from listener.values import seconds as seconds

if TYPE_CHECKING:
    from listener.matching import BrandTerms
    from sentiment.rules import PhraseRule


def _language(value: str) -> str:
    from listener.collectors.columns import LANGUAGES

    code = r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*"
    if not re.fullmatch(code, value):
        small = value.strip().lower()
        known = LANGUAGES.get(small) or (small if re.fullmatch(code, small) else "")
        hint = f" (did you mean {known}?)" if known else ""
        raise ValueError(f"is no code of a language{hint}; write it as en or de")
    return value


def _platform(name: str) -> str:
    """A platform's name as posts carry it: ``twitter`` is x, ``jetstream`` bluesky. ValueError for what
    is nearly one.

    Exports may be of platforms that nobody here has heard of, so a name that is near none is taken.
    """
    from listener import collectors
    from listener.collectors.columns import PLATFORMS, platform_name

    known = {*collectors.names(), *PLATFORMS, "file", "default"}
    if name in collectors.names():
        return collectors.POSTS_OF.get(name, name)
    if name.strip().lower() not in known:
        close = difflib.get_close_matches(name.strip().lower(), sorted(known), n=1, cutoff=0.8)
        if close:
            raise ValueError(f"has the key {name!r}, no platform; did you mean {close[0]}?")
    return platform_name(name)


Language = Annotated[str, AfterValidator(_language)]


class Strict(BaseModel):
    """No unknown keys: a typing error in a key must not switch a rule off in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Brand(Strict):
    """One brand to listen for. ``handles`` are by platform; ``misspellings`` may hold ``auto``."""

    name: Text
    names: Words = ()
    handles: dict[str, Annotated[tuple[Handle, ...], One]] = {}
    hashtags: Words = ()
    misspellings: Words = ("auto",)
    exclude: Words = ()
    context: Words = ()
    query: str | None = None
    phrases: dict[Phrase, Literal["negative", "neutral", "positive"]] = {}
    languages: Annotated[tuple[Language, ...], One] = ("en",)
    competitors: Words = ()
    competitor: bool = False

    @field_validator("handles")
    @classmethod
    def _handles_by_platform(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for platform, handles in value.items():
            name = _platform(platform)
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *handles)))
        return found

    @field_validator("query")
    @classmethod
    def _query_can_be_read(cls, value: str | None) -> str | None:
        from listener.booleans import Query

        if value:
            try:
                Query(value)
            except ConfigError as error:
                raise ValueError(f"cannot be read: {str(error).removeprefix('query: ')}") from None
        return value

    def all_handles(self) -> tuple[str, ...]:
        """Every handle of every platform, without @, lower case, each once: what is looked for in
        texts. Whose account wrote a post depends on the platform too, and there a DID may tell it,
        which nobody writes."""
        found = (h.lstrip("@").lower() for hs in self.handles.values() for h in hs)
        return tuple(dict.fromkeys(h for h in found if not h.startswith("did:")))

    def terms(self, suspended: frozenset[str] = frozenset()) -> BrandTerms:
        """What the matcher looks for; ``suspended`` spellings were switched off by the audit."""
        from listener.matching import BrandTerms

        return BrandTerms(
            brand=self.name,
            names=self.names or (self.name,),
            handles=self.all_handles(),
            hashtags=self.hashtags,
            misspellings=tuple(m for m in self.misspellings if m != "auto"),
            auto="auto" in self.misspellings,
            exclude=self.exclude,
            context=self.context,
            query=self.query,
            languages=self.languages,
            suspended=suspended,
        )

    def phrase_rules(self) -> tuple[PhraseRule, ...]:
        """Phrases whose feeling the brand itself has settled."""
        from sentiment.rules import PhraseRule

        return tuple(PhraseRule(phrase, label) for phrase, label in self.phrases.items())


class Budget(Strict):
    """What a source may spend; a request that would cross a limit is not made."""

    requests_per_day: int | None = Field(None, ge=0)
    requests_per_month: int | None = Field(None, ge=0)
    usd_per_day: float | None = Field(None, ge=0)
    usd_per_month: float | None = Field(None, ge=0)


class Source(BaseModel):
    """One place to listen to. Keys beyond these are the collector's own and are checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    platform: str
    name: str = ""
    every: Span = 300
    budget: Budget = Budget()
    enabled: bool = True

    @model_validator(mode="after")
    def _default_name(self) -> Source:
        if not self.name:
            object.__setattr__(self, "name", self.platform)
        return self

    def own_options(self) -> dict[str, Any]:
        """The keys that belong to the collector."""
        return dict(self.model_extra or {})


class Response(Strict):
    """When an answer is due: targets by platform, counted in business hours of a time zone."""

    time_zone: Zone = "UTC"
    hours: dict[str, Hours] = {"mon-sun": "00:00-24:00"}
    holidays: tuple[str, ...] = ()
    targets: dict[str, Span] = {"default": 3600}

    @field_validator("hours")
    @classmethod
    def _hours_can_be_read(cls, value: dict[str, str]) -> dict[str, str]:
        taken: dict[int, list[tuple[int, int]]] = {}
        for days, span in value.items():
            indexes, slots = parse_hours(days, span)
            for day in indexes:
                for slot in slots:
                    if any(slot[0] < b and a < slot[1] for a, b in taken.get(day, ())):
                        raise ValueError(
                            f"opens {WEEKDAYS[day]} twice at the same time, again by {days!r}; name"
                            " each day once, such as mon-thu and fri"
                        )
                    taken.setdefault(day, []).append(slot)
        return value

    @field_validator("holidays", mode="before")
    @classmethod
    def _holidays_are_days(cls, value: object) -> object:
        days = []
        for day in value if isinstance(value, list | tuple) else (value,):
            try:  # YAML reads an unquoted day by itself
                days.append(date.fromisoformat(str(day)).isoformat())
            except ValueError:
                raise ValueError(f"holds {str(day)!r}, no day; write it as 2026-12-25") from None
        return tuple(days)

    @field_validator("targets")
    @classmethod
    def _has_default(cls, value: dict[str, int]) -> dict[str, int]:
        return {"default": 3600, **{_platform(name): span for name, span in value.items()}}

    def week(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Seven tuples (Monday first) of (open, close) in minutes since midnight."""
        days: list[list[tuple[int, int]]] = [[] for _ in WEEKDAYS]
        for name, span in self.hours.items():
            indexes, slots = parse_hours(name, span)
            for index in indexes:
                days[index].extend(slots)
        return tuple(tuple(sorted(day)) for day in days)

    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def target_for(self, platform: str) -> int:
        """Seconds of business time in which a mention on that platform is to be answered."""
        return self.targets.get(platform, self.targets["default"])


AlertKind = Literal["negative", "negative share", "volume", "positive", "viral", "due", "silent"]


class AlertRule(Strict):
    """Who is told of what, and how often at most."""

    name: str = "everyone"
    brands: Words = ()
    regions: Words = ()
    kinds: Annotated[tuple[AlertKind, ...], One] = (
        "negative", "negative share", "volume", "viral", "due", "silent",
    )  # fmt: skip
    min_posts: int = Field(20, ge=1)
    min_severity: float = Field(0.0, ge=0)
    cooldown: Span = 6 * 3600
    quiet_hours: str | None = None
    time_zone: Zone = "UTC"
    snooze_until: str | None = None
    digest: Span | None = None
    channels: Words = ("log",)

    @field_validator("quiet_hours")
    @classmethod
    def _quiet_hours_can_be_read(cls, value: str | None) -> str | None:
        if value is not None:
            parse_quiet_hours(value)
        return value

    @field_validator("snooze_until", mode="before")
    @classmethod
    def _snooze_can_be_read(cls, value: object) -> object:
        if isinstance(value, date):  # YAML reads an unquoted day, or time with seconds, by itself
            return value.isoformat()
        if isinstance(value, str):
            try:
                datetime.fromisoformat(value)
            except ValueError:
                raise ValueError(
                    "is no moment; write it as 2026-03-14, 2026-03-14T12:00 (in the rule's "
                    "time_zone) or 2026-03-14T12:00+01:00"
                ) from None
        return value


class Alerts(Strict):
    """Alert rules, and channels: a name and the environment variable that holds its apprise URL."""

    rules: tuple[AlertRule, ...] = (AlertRule(),)
    channels: dict[str, str] = {}
    dashboard_url: str = "http://127.0.0.1:8501"

    @field_validator("rules")
    @classmethod
    def _unnamed_rules_have_names(cls, value: tuple[AlertRule, ...]) -> tuple[AlertRule, ...]:
        """What a rule has told is kept under its name: two without one would count as one rule."""
        taken = {rule.name for rule in value if "name" in rule.model_fields_set}
        rules = []
        for rule in value:
            name, count = rule.name, 2
            while "name" not in rule.model_fields_set and name in taken:
                name, count = f"{rule.name} {count}", count + 1
            taken.add(name)
            rules.append(rule if name == rule.name else rule.model_copy(update={"name": name}))
        return tuple(rules)

    @field_validator("channels")
    @classmethod
    def _only_names_of_variables(cls, value: dict[str, str]) -> dict[str, str]:
        for channel, variable in value.items():
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", variable):
                raise ValueError(
                    f"for {channel!r} must name the environment variable that holds the address "
                    "(such as GROUNDSWELL_ALERT_CHAT), never the address itself"
                )
        return value


class Retention(Strict):
    """How long things are kept: posts since they were first seen, payloads since they last came."""

    posts: Span = 400 * 86_400
    payloads: Span = 60 * 86_400


class Model(Strict):
    """Which model judges, and below which confidence a judgement is shown as unsure."""

    name: str = "bundled"
    threshold: float = Field(0.0, ge=0, le=1)

    @field_validator("name")
    @classmethod
    def _can_be_a_model(cls, value: str) -> str:
        from sentiment.model import MODELS, is_model

        if not is_model(value):
            hint = faults.near(value, ("bundled", "fast"))
            raise ValueError(f"is no model{hint}; allowed are {MODELS}")
        return value


class Config(Strict):
    """keywords.yaml, checked."""

    brands: tuple[Brand, ...] = Field(min_length=1)
    regions: dict[str, Annotated[tuple[Country, ...], One]] = {}
    sources: tuple[Source, ...] = ()
    response: Response = Response()
    alerts: Alerts = Alerts()
    retention: Retention = Retention()
    model: Model = Model()

    def all_brands(self) -> tuple[Brand, ...]:
        """The brands, and each competitor without an entry of its own as one to compare with."""
        known = {brand.name for brand in self.brands}
        rivals = dict.fromkeys(c for b in self.brands for c in b.competitors if c not in known)
        return self.brands + tuple(Brand(name=name, competitor=True) for name in rivals)

    def brand(self, name: str) -> Brand:
        """The brand of that name; ConfigError lists the names there are."""
        for brand in self.all_brands():
            if brand.name == name:
                return brand
        raise ConfigError(
            f"no brand is called {name!r}; keywords.yaml has "
            + ", ".join(b.name for b in self.all_brands())
        )


def load_config(path: str | Path = "keywords.yaml") -> Config:
    """Read and check a keywords.yaml. Raises ConfigError with one problem a line, all at once."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"{file} is not here. Write one with `groundswell init`, or name another with --config."
        ) from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{file}:{line}: this is not UTF-8 text; save the file as UTF-8"
        ) from error
    return parse_config(text, str(file))


def parse_config(text: str, file: str = "keywords.yaml") -> Config:
    """As :func:`load_config`, from a text; ``file`` is only for messages."""
    node, data = _read(text, file)
    problems = list(faults.duplicate_keys(node, file)) + list(faults.secrets_inside(node, file))
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        # A list whose only item is faulty is also reported as too short: that one says nothing new.
        deeper = {f["loc"][0] for f in found if len(f["loc"]) > 1}
        found = [f for f in found if f["type"] != "too_short" or f["loc"][0] not in deeper]
        problems += [faults.explain(item, node, file, Config) for item in found]
    else:
        problems += list(_name_problems(config, node, file))
        problems += list(_account_problems(config, node, file))
        problems += list(_source_problems(config, node, file))
        problems += list(_rule_problems(config, node, file))
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise ConfigError(f"{file} has {count}:", tuple(problems))
    return config


def _read(text: str, file: str) -> tuple[yaml.Node, dict[str, Any]]:
    """The tree with its lines, and what it says. A section that is empty, as when all that was in it
    is commented out, is as good as absent."""
    try:
        node = yaml.compose(text, Loader=faults.Loader)
        if (line := faults.line_of_loop(node)) is not None:
            raise ConfigError(f"{file}:{line}: this part holds itself, by & and *; write it out")
        data = yaml.load(text, Loader=faults.Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}: this is not YAML: {problem}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: YAML cannot read a value in it: {error}") from error
    if node is None or data is None:
        raise ConfigError(f"{file} is empty; `groundswell init` writes one to start from")
    if not isinstance(data, dict):
        found = "a list" if isinstance(data, list) else f"{str(data)[:40]!r}"
        raise ConfigError(
            f"{file}:{node.start_mark.line + 1}: the file is {found}, and must have keys, of these: "
            f"{', '.join(Config.model_fields)}"
        )
    return node, {key: value for key, value in data.items() if value is not None}


def _name_problems(config: Config, node: yaml.Node, file: str) -> Iterator[str]:
    """Brands, sources and rules that share a name: all that is kept goes by it."""
    named: dict[faults.Path, Sequence[Brand | Source | AlertRule]] = {
        ("brands",): config.brands,
        ("sources",): config.sources,
        ("alerts", "rules"): config.alerts.rules,
    }
    for path, entries in named.items():
        first: dict[str, int] = {}
        for at, entry in enumerate(entries):
            if entry.name in first:
                here = (*path, at)
                yield (
                    f"{file}:{faults.line_of(node, (*here, 'name'))}: {faults.dotted(here)} is called "
                    f"{entry.name!r}, as {faults.dotted((*path, first[entry.name]))} is; each needs a "
                    "`name` of its own"
                )
            first.setdefault(entry.name, at)


def _account_problems(config: Config, node: yaml.Node, file: str) -> Iterator[str]:
    """Accounts under two brands: the last would have all its answers, and the other brand's mentions
    would count as unanswered."""
    owner: dict[tuple[str, str], str] = {}
    for at, brand in enumerate(config.brands):
        for platform, handles in brand.handles.items():
            for handle in handles:
                account = platform, handle.strip().lstrip("@").lower()
                if owner.setdefault(account, brand.name) != brand.name:
                    path = ("brands", at, "handles", platform)
                    yield (
                        f"{file}:{faults.line_of(node, path)}: {faults.dotted(path)} has {handle!r}, "
                        f"which {owner[account]} has too; what an account writes can answer for one "
                        "brand: leave it to one, or put the names of both under one brand"
                    )


def _source_problems(config: Config, node: yaml.Node | None, file: str) -> Iterator[str]:
    """Sources whose platform or own keys their collector does not know."""
    from listener import collectors

    for index, source in enumerate(config.sources):
        line = faults.line_of(node, ("sources", index, "platform"))
        if source.platform not in collectors.names():
            hint = faults.near(source.platform, collectors.names())
            yield (
                f"{file}:{line}: sources[{index}].platform is {source.platform!r}{hint}; "
                f"installed are: {', '.join(collectors.names())}"
            )
            continue
        try:
            options = collectors.load(source.platform).options
            options.model_validate(source.own_options())
        except ConfigError as error:
            yield f"{file}:{line}: sources[{index}]: {error}"
        except ValidationError as error:
            for item in error.errors():
                path = ("sources", index, *item["loc"])
                yield faults.explain(
                    {**item, "loc": path}, node, file, options, also=tuple(Source.model_fields)
                )


def _rule_problems(config: Config, node: yaml.Node | None, file: str) -> Iterator[str]:
    """Names in alert rules that stand for nothing: such a rule would never tell anybody, in silence."""
    from listener.regions import countries_by_code

    known = {
        "channels": ["log", *config.alerts.channels],
        "brands": [brand.name for brand in config.brands],
        "regions": ["*", *config.regions],
    }
    for index, rule in enumerate(config.alerts.rules):
        for key, allowed in known.items():
            for at, name in enumerate(getattr(rule, key)):
                if name in allowed or (key == "regions" and name in countries_by_code()):
                    continue
                path = ("alerts", "rules", index, key, at)
                hint = faults.near(name, allowed)
                country = " and two-letter country codes" if key == "regions" else ""
                yield (
                    f"{file}:{faults.line_of(node, path)}: {faults.dotted(path)} is {name!r}{hint}; "
                    f"there are: {', '.join(allowed)}{country}"
                )


def load_secrets(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Secrets by name: the environment, then the file that GROUNDSWELL_SECRETS names (KEY=value).

    The environment wins. A line that cannot be read is named by its number, never by its content.
    """
    env = dict(os.environ if environ is None else environ)
    file = env.get("GROUNDSWELL_SECRETS")
    if not file:
        return env
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError(f"the secrets file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:  # the error itself would carry the content along
        raise ConfigError(f"the secrets file {file} is not UTF-8 text; save it as UTF-8") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.removeprefix("export ").partition("=")
        if not equals:
            raise ConfigError(f"{file}:{number}: a line must read NAME=value (content not shown)")
        found[name.strip()] = value.strip().strip("'\"")
    return {**found, **env}
