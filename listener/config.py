"""Reads keywords.yaml and the environment's secrets. A fault names file, line, key, what was found
and what is allowed; all faults are told at once. Secrets never come from keywords.yaml."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from listener.errors import ConfigError

if TYPE_CHECKING:
    from listener.matching import BrandTerms
    from sentiment.rules import PhraseRule

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SECRET_LIKE = re.compile(r"token|secret|password|api_?key|bearer", re.I)


def seconds(value: object) -> int:
    """``90s``, ``5m``, ``1h``, ``14d``, ``1h30m`` as seconds; whole numbers are seconds already."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    text = str(value).strip().lower()
    if re.fullmatch(r"(\d+\s*[smhdw]\s*)+", text):
        total = sum(int(n) * UNITS[u] for n, u in re.findall(r"(\d+)\s*([smhdw])", text))
        if total > 0:
            return total
    raise ValueError("is no span of time; write it as 90s, 5m, 1h, 14d or 1h30m")


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        near = difflib.get_close_matches(value, available_timezones(), n=3)
        hint = f"; close to it are {', '.join(near)}" if near else "; write it as Europe/Berlin"
        raise ValueError("is no time zone of the IANA list" + hint)
    return value


def _phrase(value: str) -> str:
    from sentiment.rules import plain

    if not plain(value).strip():
        raise ValueError("holds no words; write the phrase to look for in posts")
    return value


Phrase = Annotated[str, AfterValidator(_phrase)]
Span = Annotated[int, BeforeValidator(seconds)]
Zone = Annotated[str, BeforeValidator(_known_zone)]


class Strict(BaseModel):
    """No unknown keys: a typing error in a key must not switch a rule off in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Brand(Strict):
    """One brand to listen for. ``handles`` are by platform; ``misspellings`` may hold ``auto``."""

    name: str = Field(min_length=1)
    names: tuple[str, ...] = ()
    handles: dict[str, tuple[str, ...]] = {}
    hashtags: tuple[str, ...] = ()
    misspellings: tuple[str, ...] = ("auto",)
    exclude: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    query: str | None = None
    phrases: dict[Phrase, Literal["negative", "neutral", "positive"]] = {}
    languages: tuple[str, ...] = ("en",)
    competitors: tuple[str, ...] = ()
    competitor: bool = False

    @field_validator("names", "hashtags", "misspellings", "exclude", "context", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("handles", mode="before")
    @classmethod
    def _one_handle_is_a_list(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {k: (v,) if isinstance(v, str) else v for k, v in value.items()}
        return value

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
    hours: dict[str, str] = {"mon-sun": "00:00-24:00"}
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
        if not isinstance(value, list | tuple):
            return value
        days = []
        for day in value:
            try:  # YAML reads an unquoted day by itself
                days.append(date.fromisoformat(str(day)).isoformat())
            except ValueError:
                raise ValueError(f"holds {str(day)!r}, no day; write it as 2026-12-25") from None
        return tuple(days)

    @field_validator("targets")
    @classmethod
    def _has_default(cls, value: dict[str, int]) -> dict[str, int]:
        return {"default": 3600, **value}

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
    brands: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    kinds: tuple[AlertKind, ...] = (
        "negative", "negative share", "volume", "viral", "due", "silent",
    )  # fmt: skip
    min_posts: int = Field(20, ge=1)
    min_severity: float = Field(0.0, ge=0)
    cooldown: Span = 6 * 3600
    quiet_hours: str | None = None
    time_zone: Zone = "UTC"
    snooze_until: str | None = None
    digest: Span | None = None
    channels: tuple[str, ...] = ("log",)

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
            near = difflib.get_close_matches(value, ("bundled", "fast"), n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"is no model{hint}; allowed are {MODELS}")
        return value


class Config(Strict):
    """keywords.yaml, checked."""

    brands: tuple[Brand, ...] = Field(min_length=1)
    regions: dict[str, tuple[str, ...]] = {}
    sources: tuple[Source, ...] = ()
    response: Response = Response()
    alerts: Alerts = Alerts()
    retention: Retention = Retention()
    model: Model = Model()

    @field_validator("regions")
    @classmethod
    def _country_codes(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for group, codes in value.items():
            for code in codes:
                if not re.fullmatch(r"[A-Z]{2}", code):
                    raise ValueError(
                        f"group {group!r} holds {code!r}; allowed are two-letter country codes in "
                        "capitals, such as DE (quote NO as 'NO', or YAML reads it as false)"
                    )
        return value

    @model_validator(mode="after")
    def _names_are_unique(self) -> Config:
        for what, found in (
            ("brands", [b.name for b in self.brands]),
            ("sources", [s.name for s in self.sources]),
        ):
            twice = {name for name in found if found.count(name) > 1}
            if twice:
                raise ValueError(
                    f"{what}: {', '.join(sorted(twice))} is given more than once; "
                    "each needs a `name` of its own"
                )
        return self

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


def parse_hours(days: str, span: str) -> tuple[list[int], list[tuple[int, int]]]:
    """``mon-fri`` and ``09:00-12:30, 13:30-18:00`` as day indexes and minutes since midnight."""
    indexes: list[int] = []
    for part in re.split(r"\s*,\s*", days.strip().lower()):
        ends = part.split("-")
        if not 1 <= len(ends) <= 2 or any(e not in WEEKDAYS for e in ends):
            raise ValueError(f"has the days {days!r}; allowed are mon … sun and mon-fri")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        indexes += [d % 7 for d in range(first, (last if last >= first else last + 7) + 1)]
    slots = []
    for part in re.split(r"\s*,\s*", span.strip()):
        if part.lower() in ("closed", ""):
            continue
        found = re.fullmatch(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)", part)
        if found is None:
            raise ValueError(f"has the hours {span!r}; write them as 09:00-18:00 or closed")
        a, b, c, d = (int(g) for g in found.groups())
        start, end = a * 60 + b, c * 60 + d
        if not 0 <= start < end <= 1440 or b > 59 or d > 59:
            raise ValueError(f"has the hours {span!r}; they must run forward within 00:00-24:00")
        slots.append((start, end))
    return indexes, slots


def parse_quiet_hours(span: str) -> tuple[int, int]:
    """``22:00-07:00`` as minutes since midnight; the end may be 24:00, and may lie before the start."""
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", span)
    if found is None:
        raise ValueError("is no span of hours; write it as 22:00-07:00")
    a, b, c, d = (int(g) for g in found.groups())
    start, end = a * 60 + b, c * 60 + d
    if start >= 1440 or end > 1440 or b > 59 or d > 59:
        raise ValueError("holds a time that no clock shows; allowed is 00:00 to 24:00")
    if start == end:
        raise ValueError("ends where it begins; write it as 22:00-07:00, or leave it out")
    return start, end


def load_config(path: str | Path = "keywords.yaml") -> Config:
    """Read and check a keywords.yaml. Raises ConfigError with one problem a line, all at once."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"{file} is not here. Write one with `groundswell init`, or name another with --config."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    return parse_config(text, str(file))


def parse_config(text: str, file: str = "keywords.yaml") -> Config:
    """As :func:`load_config`, from a text; ``file`` is only for messages."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}: this is not YAML: {problem}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{file} is empty; `groundswell init` writes one to start from")
    problems = list(_duplicate_keys(node, file)) + list(_secrets_inside(node, file))
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        faults = error.errors()
        # A list whose only item is faulty is also reported as too short: that one says nothing new.
        deeper = {f["loc"][0] for f in faults if len(f["loc"]) > 1}
        faults = [f for f in faults if f["type"] != "too_short" or f["loc"][0] not in deeper]
        problems += [_explain(item, node, data, file) for item in faults]
    else:
        problems += list(_source_problems(config, node, file))
        problems += list(_rule_problems(config, node, file))
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise ConfigError(f"{file} has {count}:", tuple(problems))
    return config


def _source_problems(config: Config, node: yaml.Node | None, file: str) -> Iterator[str]:
    """Sources whose platform or own keys their collector does not know."""
    from listener import collectors

    for index, source in enumerate(config.sources):
        line = _line(node, ("sources", index, "platform"))
        if source.platform not in collectors.names():
            near = difflib.get_close_matches(source.platform, collectors.names(), n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
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
                yield _explain({**item, "loc": path}, node, source.own_options(), file, options)


def _rule_problems(config: Config, node: yaml.Node | None, file: str) -> Iterator[str]:
    """Names in alert rules that stand for nothing: such a rule would never tell anybody, in silence."""
    known = {
        "channels": ["log", *config.alerts.channels],
        "brands": [brand.name for brand in config.brands],
        "regions": ["*", *config.regions],
    }
    for index, rule in enumerate(config.alerts.rules):
        for key, allowed in known.items():
            for at, name in enumerate(getattr(rule, key)):
                if name in allowed or (key == "regions" and re.fullmatch(r"[A-Z]{2}", name)):
                    continue
                path = ("alerts", "rules", index, key, at)
                near = difflib.get_close_matches(name, allowed, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                country = " and two-letter country codes" if key == "regions" else ""
                yield (
                    f"{file}:{_line(node, path)}: {_dotted(path)} is {name!r}{hint}; "
                    f"there are: {', '.join(allowed)}{country}"
                )


def _explain(
    item: Any, node: yaml.Node | None, data: object, file: str, model: type[BaseModel] = Config
) -> str:
    """One pydantic fault as ``file:line: key is VALUE: why; allowed …``."""
    path: tuple[str | int, ...] = tuple(item["loc"])
    line = _line(node, path)
    key = _dotted(path)
    if path[-1:] == ("[key]",):  # pydantic's way to say that the key, not its value, is at fault
        key = f"a key of {_dotted(path[:-2])}"
    message = str(item["msg"]).removeprefix("Value error, ")
    found = item.get("input")
    if item["type"] == "extra_forbidden":
        siblings = _field_names(path, model)
        near = difflib.get_close_matches(str(path[-1]), siblings, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"{file}:{line}: {key} is no known key{hint}; allowed here: {', '.join(siblings)}"
    if item["type"] == "missing":
        return f"{file}:{line}: {key} is missing; it is required here"
    if item["type"] == "string_type" and found is False:
        message += "; YAML reads a bare NO as false: write 'NO' in quotes"
    shown = "" if isinstance(found, dict | list) else f" is {found!r}:"
    return f"{file}:{line}: {key}{shown} {message[:1].lower() + message[1:]}"


def _field_names(path: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """The keys that the model at ``path`` knows, for messages."""
    current: type[BaseModel] = model
    for part in path[:-1]:
        if isinstance(part, int) or part not in current.model_fields:
            continue
        inner = _inner_model(current.model_fields[part].annotation)
        current = inner or current
    return list(current.model_fields)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        inner = _inner_model(part)
        if inner is not None:
            return inner
    return None


def _dotted(path: Sequence[str | int]) -> str:
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out or "the file"


def _line(node: yaml.Node | None, path: Sequence[str | int]) -> int:
    """The 1-based line of the deepest node along ``path`` that the file really has."""
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return line
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _walk(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _walk(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _walk(value)


def _duplicate_keys(node: yaml.Node | None, file: str) -> Iterator[str]:
    for mapping in _walk(node):
        seen: dict[str, int] = {}
        for key, _ in mapping.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                yield (
                    f"{file}:{line}: the key {key.value!r} stands a second time (first on line "
                    f"{seen[key.value]}); YAML would keep only the last: join the two"
                )
            seen.setdefault(key.value, line)


def _secrets_inside(node: yaml.Node | None, file: str) -> Iterator[str]:
    """Keys that look like secrets: they belong in the environment. The value is never shown."""
    for mapping in _walk(node):
        for key, value in mapping.value:
            if (
                SECRET_LIKE.search(str(key.value))
                and isinstance(value, yaml.ScalarNode)
                and len(value.value) > 12
            ):
                yield (
                    f"{file}:{key.start_mark.line + 1}: {key.value!r} looks like a secret; put it "
                    "in the environment or in a file named by GROUNDSWELL_SECRETS, never here"
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
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"the secrets file {file} cannot be read: {error.strerror}") from error
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
