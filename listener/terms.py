"""What is looked for, and what is found on the way: the small nouns that matching passes around."""

from __future__ import annotations

from dataclasses import dataclass

from listener.folding import plain

CONTEXT_HELP = 1.2  # log10 odds that a context word or an address adds to a spelling


@dataclass(frozen=True)
class BrandTerms:
    """What is looked for on behalf of one brand; as in keywords.yaml.

    ``misspellings`` are the user's own; ``auto`` adds the generated and the unforeseen ones;
    ``suspended`` are spellings that the audit has switched off; ``query`` is a boolean query that the
    post must meet as well, and whose words count as keywords.
    """

    brand: str
    names: tuple[str, ...]
    handles: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    misspellings: tuple[str, ...] = ()
    auto: bool = True
    exclude: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    query: str | None = None
    languages: tuple[str, ...] = ("en",)
    suspended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a candidate did or did not match: ``text[start:end]`` is it, ``reason`` a sentence."""

    brand: str
    keyword: str
    variant: str
    kind: str
    start: int
    end: int
    score: float
    matched: bool
    reason: str


@dataclass(slots=True)  # not frozen: a million of them are made, and freezing triples the time
class Target:
    """What one pattern stands for: ``role`` is name, handle, hashtag, variant, exclude or context."""

    brand: int
    role: str
    keyword: str
    variant: str
    kind: str
    odds: float
    exact: str = ""  # what the original must read, where the variant holds symbols
    skip: int = 0  # folded characters before the name that belong to a prefix
    open_end: bool = False
    ordinary: bool = False


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """A word judged to be a brand's name misspelled; ``phrase`` is what must stand in the post."""

    brand: int
    keyword: str
    phrase: str
    kind: str
    odds: float


@dataclass(slots=True)
class Candidate:
    target: Target
    start: int
    end: int
    kind: str
    odds: float = 0.0
    plural: bool = False


def address(handle: str) -> str:
    return plain(handle.strip().lstrip("@＠"))
