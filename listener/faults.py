"""What is wrong in keywords.yaml, in sentences: file, line, key, what was found, what is allowed.

Pure: the tree that YAML reads and pydantic's faults in, one line of text for each out. A value that
looks like a secret is never repeated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import yaml
from pydantic import BaseModel

SECRET_LIKE = re.compile(r"token|secret|password|api_?key|bearer", re.I)
Path = tuple[str | int, ...]


class Loader(yaml.SafeLoader):
    """YAML as it stands; a day that no calendar has (2026-02-30) stays text for its key to refuse."""


def _day(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return loader.construct_scalar(node)


Loader.add_constructor("tag:yaml.org,2002:timestamp", _day)


def near(word: str, known: Iterable[str]) -> str:
    """`` (did you mean …?)`` of the known word that is closest to this one, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def explain(
    item: Any,
    node: yaml.Node | None,
    file: str,
    model: type[BaseModel],
    also: Sequence[str] = (),
) -> str:
    """One pydantic fault as ``file:line: key is VALUE: why; what is allowed``.

    ``model`` is what the file was read as; ``also`` are keys that are allowed beside the model's own.
    """
    path: Path = tuple(item["loc"])
    kind, found = item["type"], item.get("input")
    where = f"{file}:{line_of(node, path)}:"
    key = dotted(path)
    if path[-1:] == ("[key]",):  # pydantic's way to say that the key, not its value, is at fault
        key = f"a key of {dotted(path[:-2])}"
    if kind == "invalid_key":
        key = f"the key {found!r} of {dotted(path[:-1])}"
        return f"{where} {key} must be text; write it in quotes: '{found}'"
    if kind == "extra_forbidden":
        siblings = [*_field_names(path, model), *also]
        hint = near(str(path[-1]), siblings)
        return f"{where} {key} is no known key{hint}; allowed here: {', '.join(siblings)}"
    if kind == "missing":
        return f"{where} {key} is missing; it is required here"
    if found is None:
        return f"{where} {key} is empty; give it a value, or leave the key out"
    shown = "" if isinstance(found, dict | list | tuple) else f" is {found!r}:"
    return f"{where} {key}{shown} {_why(kind, item, found, path, model)}"


def _why(kind: str, item: Any, found: Any, path: Path, model: type[BaseModel]) -> str:
    if kind in ("tuple_type", "list_type"):
        if isinstance(found, dict):
            return (
                "must be a list; put a dash before the first key of each entry, as in `- name: x`"
            )
        return "must be a list; write it as [one, another], or on lines that begin with a dash"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        inner = _model_at(path, model) if kind != "dict_type" else None
        keys = f", of these: {', '.join(inner.model_fields)}" if inner else ""
        return f"must have keys of its own, as in `key: value`{keys}"
    if kind == "string_type":
        if isinstance(found, bool):
            return (
                "must be text; YAML reads a bare NO as false: write 'NO' in quotes"
                if found is False
                else "must be text; YAML reads a bare YES or ON as true: write it in quotes"
            )
        if isinstance(found, int | float):
            return f"must be text; write it in quotes: '{found}'"
        return "must be text"
    if kind in ("bool_parsing", "bool_type"):
        return "must be true or false"
    if kind in ("int_parsing", "int_type", "int_from_float"):
        return "must be a whole number"
    if kind in ("float_parsing", "float_type"):
        return "must be a number"
    if kind == "literal_error":
        allowed = str(item["ctx"]["expected"])
        hint = near(str(found), re.findall("'([^']*)'", allowed))
        return f"allowed are {allowed}{hint}"
    message = str(item["msg"]).removeprefix("Value error, ")
    message = re.sub(r"^Input should be", "must be", message)
    return message[:1].lower() + message[1:]


def _field_names(path: Path, model: type[BaseModel]) -> list[str]:
    """The keys that the model around the last key of ``path`` knows."""
    return list((_model_at(path[:-1], model) or model).model_fields)


def _model_at(path: Path, model: type[BaseModel]) -> type[BaseModel] | None:
    """The model that stands at ``path``; the one around it where there is none."""
    current = model
    for part in path:
        if isinstance(part, int) or part not in current.model_fields:
            continue
        current = _inner_model(current.model_fields[part].annotation) or current
    return current


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        inner = _inner_model(part)
        if inner is not None:
            return inner
    return None


def dotted(path: Path) -> str:
    """``("sources", 0, "every")`` as ``sources[0].every``."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out or "the file"


def line_of(node: yaml.Node | None, path: Path) -> int:
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


def _inner(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _walk(node: yaml.Node | None, seen: set[int] | None = None) -> Iterator[yaml.MappingNode]:
    """Every mapping once, also where aliases lead to it from several places."""
    seen = set() if seen is None else seen
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
    for value in _inner(node):
        yield from _walk(value, seen)


def line_of_loop(node: yaml.Node | None) -> int | None:
    """The line of a part that holds itself through an alias, as no value can; None where none does."""
    above: set[int] = set()
    over: set[int] = set()

    def look(at: yaml.Node | None) -> int | None:
        if at is None or id(at) in over:
            return None
        if id(at) in above:
            return int(at.start_mark.line) + 1
        above.add(id(at))
        for value in _inner(at):
            if (found := look(value)) is not None:
                return found
        above.discard(id(at))
        over.add(id(at))
        return None

    return look(node)


def duplicate_keys(node: yaml.Node | None, file: str) -> Iterator[str]:
    """Keys that stand twice in one place, of which YAML would keep the last without a word."""
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


def secrets_inside(node: yaml.Node | None, file: str) -> Iterator[str]:
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
