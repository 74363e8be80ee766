"""Boolean queries over a post: ``("delta air" OR delta) AND flight* NOT (river OR force) NEAR/5 …``.

    query   = or
    or      = and ("OR" and)*
    and     = not (["AND"] not)*            side by side means AND
    not     = ["NOT" | "-"] near
    near    = item ("NEAR" ["/" n] item)*   within n words of each other, 10 where not said
    item    = word | word* | "phrase" | @handle | #tag | "(" query ")"

Operators are in capitals; ``|`` and ``&`` are OR and AND. Comparison is on folded text, so case,
accents and hyphens do not matter. Faults raise ConfigError with the position, from 1.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from listener.errors import ConfigError
from listener.folding import SPACELESS, fold_with_tags, plain

Span = tuple[int, int]

_TOKEN = re.compile(r'\s*(?:(")|(\()|(\))|(\|)|(&)|(NEAR(?:/(\S*))?(?=[\s("]|$))|([^\s()"|&]+))')
_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase, folded; ``open`` for a trailing ``*``; ``sign`` is "@", "#" or nothing."""

    text: str
    open: bool = False
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """``kind`` is "term", "and", "or", "not" or "near" (within ``gap`` words)."""

    kind: str
    term: Term | None = None
    parts: tuple[Node, ...] = ()
    gap: int = 0


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = list(self._scan())
        self.i = 0
        self.depth = 0

    def fault(self, at: int, what: str) -> ConfigError:
        pointer = self.source.replace("\n", " ") + "\n" + " " * at + "^"
        return ConfigError(f"query: {what} at position {at + 1}", (*pointer.split("\n"),))

    def _scan(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.source):
            found = _TOKEN.match(self.source, at)
            if not found:
                return
            start = at + len(found.group()) - len(found.group().lstrip())
            at = found.end()
            quote, opened, closed, bar, amp, near, gap, word = found.groups()
            if quote:
                end = self.source.find('"', at)
                if end < 0:
                    raise self.fault(start, 'a quotation that is never closed: add a " ')
                yield _Token("phrase", self.source[at:end], start)
                at = end + 1
            elif near:
                if gap is not None and not (
                    gap.isascii() and gap.isdigit() and 0 < int(gap) < 1000
                ):
                    raise self.fault(start, f"NEAR/{gap}: say NEAR/n with n from 1 to 999")
                yield _Token("near", gap or "10", start)
            elif opened or closed:
                yield _Token(opened or closed, "", start)
            elif bar or amp or word in ("AND", "OR", "NOT"):
                yield _Token({"|": "OR", "&": "AND"}.get(bar or amp or "", word or ""), "", start)
            elif (word.startswith("-") and len(word) > 1) or word == "-":
                yield _Token("NOT", "", start)
                if word != "-":
                    yield _Token("word", word[1:], start + 1)
            else:
                yield _Token("word", word, start)

    def peek(self) -> str:
        return self.tokens[self.i].kind if self.i < len(self.tokens) else ""

    def whole(self) -> Node:
        if not self.tokens:
            raise self.fault(0, "nothing to look for: give at least one word")
        node = self.either()
        if self.i < len(self.tokens):
            raise self.fault(self.tokens[self.i].at, 'a ")" that nothing opened')
        return node

    def either(self) -> Node:
        parts = [self.both()]
        while self.peek() == "OR":
            self.i += 1
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Node("or", parts=tuple(parts))

    def both(self) -> Node:
        parts = [self.negated()]
        while self.peek() not in ("", "OR", ")"):
            if self.peek() == "AND":
                self.i += 1
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else Node("and", parts=tuple(parts))

    def negated(self) -> Node:
        if self.peek() == "NOT":
            self.i += 1
            self.depth += 1
            if self.depth > _DEPTH:
                raise self.fault(self.tokens[self.i - 1].at, f"more than {_DEPTH} levels deep")
            node = Node("not", parts=(self.negated(),))
            self.depth -= 1
            return node
        return self.nearby()

    def nearby(self) -> Node:
        node = self.item()
        while self.peek() == "near":
            token = self.tokens[self.i]
            self.i += 1
            node = Node("near", parts=(node, self.item()), gap=int(token.text))
            if any(_has_not(p) for p in node.parts):
                raise self.fault(
                    token.at, "NEAR beside a NOT or an AND: only words, phrases and ORs"
                )
        return node

    def item(self) -> Node:
        if self.i >= len(self.tokens):
            raise self.fault(len(self.source), "a word, a phrase or a ( is missing")
        token = self.tokens[self.i]
        if token.kind == "(":
            self.depth += 1
            if self.depth > _DEPTH:
                raise self.fault(token.at, f"more than {_DEPTH} levels of brackets")
            self.i += 1
            node = self.either()
            if self.peek() != ")":
                raise self.fault(token.at, "a ( that is never closed")
            self.i += 1
            self.depth -= 1
            return node
        if token.kind not in ("word", "phrase"):
            shown = {"near": "NEAR", ")": ")"}.get(token.kind, token.kind)
            raise self.fault(token.at, f"{shown} where a word, a phrase or a ( is expected")
        self.i += 1
        return Node("term", self.term(token))

    def term(self, token: _Token) -> Term:
        text, sign = token.text.strip(), ""
        if text[:1] in ("@", "#"):
            sign, text = text[0], text[1:]
        opened = text.endswith("*")
        folded = plain(text.rstrip("*"))
        if not folded:
            raise self.fault(token.at, f"{token.text!r} holds no letter or digit")
        return Term(folded, opened, sign)


def _has_not(node: Node) -> bool:
    return node.kind in ("not", "and") or any(_has_not(p) for p in node.parts)


class Query:
    """A parsed query. ``terms`` are those that a match may show, those under NOT left out."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.root = _Parser(source).whole()
        self.terms: tuple[Term, ...] = tuple(dict.fromkeys(_positive(self.root)))
        if not self.terms or self._holds(self.root, "", "", None):
            raise ConfigError(
                "query: it would match every post, for all of it is behind NOT: add a word to look for"
            )

    def holds(self, text: str) -> bool:
        """Whether a post meets the query."""
        return bool(self.find(text)) if self.root.kind == "term" else self._check(text)

    def _check(self, text: str) -> bool:
        folded, offsets = fold_with_tags(text)
        return self._holds(self.root, f" {folded} ", text, offsets)

    def find(self, text: str) -> list[tuple[Term, Span]]:
        """Where the positive terms are, as spans of ``text``; empty where the query does not hold."""
        folded, offsets = fold_with_tags(text)
        padded = f" {folded} "
        if not self._holds(self.root, padded, text, offsets):
            return []
        out = []
        for term in self.terms:
            for start, end in _spans(term, padded, text, offsets):
                out.append((term, original(start - 1, end - 1, text, offsets)))
        return out

    def _holds(self, node: Node, folded: str, text: str, offsets: Sequence[int] | None) -> bool:
        if node.kind == "term":
            assert node.term is not None
            return bool(_spans(node.term, folded, text, offsets))
        if node.kind == "and":
            return all(self._holds(p, folded, text, offsets) for p in node.parts)
        if node.kind == "or":
            return any(self._holds(p, folded, text, offsets) for p in node.parts)
        if node.kind == "not":
            return not self._holds(node.parts[0], folded, text, offsets)
        return next(self._near(node, folded, text, offsets), None) is not None

    def _near(
        self, node: Node, folded: str, text: str, offsets: Sequence[int] | None
    ) -> Iterator[Span]:
        """Spans that meet a node under NEAR, as they are found: whoever asks for one pays for one."""
        if node.kind == "term":
            assert node.term is not None
            yield from _spans(node.term, folded, text, offsets)
        elif node.kind == "or":
            for part in node.parts:
                yield from self._near(part, folded, text, offsets)
        else:
            right = set(self._near(node.parts[1], folded, text, offsets))
            if right:
                left = set(self._near(node.parts[0], folded, text, offsets))
                yield from _within(node.gap, left, right, folded)


def _within(gap: int, left: set[Span], right: set[Span], folded: str) -> Iterator[Span]:
    """From the start of one to the end of the other, for each pair with fewer than ``gap`` words
    between them, whichever comes first.

    A post that says two words over and over has more pairs than letters. So the spans of ``left``
    with one start (or one end) are taken together: what is near any of them is a few ranges of the
    sorted ``right``, and each of these is told once.
    """
    words = [found.start() for found in re.finditer(r"\S+", folded)]

    def reach(end: int) -> int:
        """The last place where a span may begin that is near one which ends at ``end``."""
        begun = folded[end : end + 1] not in (" ", "")  # the rest of a word counts as one
        last = bisect_left(words, end + 1) + gap - 1 - begun
        return max(end, words[last]) if last < len(words) else len(folded)

    after = sorted(right)
    starts = [start for start, _ in after]
    for first, group in groupby(sorted(left), key=lambda span: span[0]):
        ranges = ((bisect_left(starts, end), bisect_right(starts, reach(end))) for _, end in group)
        for i in _each_once(ranges):
            yield first, after[i][1]
    before = sorted(right, key=lambda span: span[1])
    ends = [end for _, end in before]
    reaches = [reach(end) for end in ends]
    for last, group in groupby(sorted(left, key=lambda s: (s[1], s[0])), key=lambda span: span[1]):
        ranges = ((bisect_left(reaches, start), bisect_right(ends, start)) for start, _ in group)
        for i in _each_once(ranges):
            yield before[i][0], last


def _each_once(ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    """The numbers of ranges that overlap and never go back."""
    at = 0
    for first, last in ranges:
        yield from range(max(at, first), last)
        at = max(at, last)


def _positive(node: Node) -> Iterator[Term]:
    if node.kind == "term":
        assert node.term is not None
        yield node.term
    elif node.kind != "not":
        for part in node.parts:
            yield from _positive(part)


def _spans(term: Term, folded: str, text: str, offsets: Sequence[int] | None) -> list[Span]:
    """Spans of a term in the padded folded text, at boundaries."""
    found: list[Span] = []
    spaceless = SPACELESS.match(term.text) is not None
    at = folded.find(term.text)
    while at >= 0:
        end = at + len(term.text)
        bounded = spaceless or (
            folded[at - 1 : at] == " " and (term.open or folded[end : end + 1] in (" ", ""))
        )
        if bounded and term.sign:
            start = original(at - 1, end - 1, text, offsets)[0]
            bounded = text[start - 1 : start] == term.sign if start else False
        if bounded:
            while term.open and not spaceless and folded[end : end + 1] not in (" ", ""):
                end += 1
            found.append((at, end))
        at = folded.find(term.text, at + 1)
    return found


def original(start: int, end: int, text: str, offsets: Sequence[int] | None) -> Span:
    """A span of the folded text as a span of the original, marks behind its last letter included."""
    import unicodedata

    if offsets is None:
        return start, end
    first, last = offsets[start], offsets[end - 1] + 1
    while last < len(text) and (unicodedata.combining(text[last]) or text[last] in "\uff9e\uff9f"):
        last += 1
    return first, last
