"""``groundswell match``, ``misspellings`` and ``variants``: what is found, and by which spelling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from listener.cli.common import (
    brands_only,
    echo_json,
    known_only,
    open_config,
    open_store,
    print_table,
    shown,
    stdin_lines,
)
from listener.errors import InputError

if TYPE_CHECKING:
    from listener.matching import BrandTerms, Matcher
    from listener.mention import Match

_CHUNK = 2000


@click.command(
    epilog="""
\b
Examples:
  echo "my spoitfy is down" | groundswell match --brand Spotify --json
  groundswell match < posts.txt                  the brands of keywords.yaml
  groundswell match --brand Sprint --explain < posts.txt
"""
)
@click.option("--brand", "brands", multiple=True, help="A brand of just this name; repeatable.")
@click.option("--language", "languages", multiple=True, help="Languages listened to (en).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--all", "every", is_flag=True, help="All matches of a text, not only the best.")
@click.option("--explain", is_flag=True, help="Say why each candidate did or did not match.")
@click.pass_context
def match(
    ctx: click.Context,
    brands: tuple[str, ...],
    languages: tuple[str, ...],
    as_json: bool,
    every: bool,
    explain: bool,
) -> None:
    """Say which texts name a brand, and where. Texts come on standard input, one a line.

    With --json each line gives matched, brand, keyword, variant, kind, start, end and score of the best
    match, null where there is none; with --all the list of all of them as "matches".
    """
    from listener.matching import Matcher

    matcher = Matcher(_terms(ctx, brands, languages))
    lines = stdin_lines()
    while chunk := list(islice(lines, _CHUNK)):
        for text, matches in zip(chunk, matcher.match_many(chunk), strict=True):
            if as_json:
                echo_json(_line(matcher, text, matches, every=every, explain=explain))
            else:
                _show(matcher, text, matches, explain=explain)


def _terms(
    ctx: click.Context, brands: tuple[str, ...], languages: tuple[str, ...]
) -> list[BrandTerms]:
    from listener.matching import BrandTerms

    if not all(brand.strip() for brand in brands):
        raise InputError("--brand is empty; give the name to look for")
    if brands:
        return [BrandTerms(b, (b,), languages=languages or ("en",)) for b in brands]
    return [brand.terms() for brand in open_config(ctx).all_brands()]


def _line(
    matcher: Matcher, text: str, matches: list[Match], *, every: bool, explain: bool
) -> dict[str, Any]:
    keys = ("brand", "keyword", "variant", "kind", "start", "end", "score")
    best = max(matches, key=lambda m: m.score, default=None)
    line: dict[str, Any] = {"matched": best is not None}
    line |= {k: getattr(best, k) if best else None for k in keys}
    if every:
        line["matches"] = [{k: getattr(m, k) for k in keys} for m in matches]
    if explain:
        line["explanations"] = [asdict(e) for e in matcher.explain(text)]
    return line


def _show(matcher: Matcher, text: str, matches: list[Match], *, explain: bool) -> None:
    click.echo(f"{'+' if matches else '-'} {shown(text)}")
    if not explain:
        for m in matches:
            click.echo(f"    {text[m.start : m.end]!r}: {m.brand}, {m.kind}, score {m.score:.2f}")
        return
    reasons = matcher.explain(text)
    for e in reasons:
        sign = "yes" if e.matched else "no"
        click.echo(f"    {sign:4}{text[e.start : e.end]!r}: {e.brand}: {e.reason}")
    if not reasons:
        click.echo("    no   nothing in it is near a name")


@click.command(
    epilog="""
\b
Examples:
  groundswell misspellings Spotify
  groundswell misspellings "US Airways" --limit 20 --json
  groundswell misspellings Nike --language en --language ru --language ar
"""
)
@click.argument("name")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--language", "languages", multiple=True, help="Languages listened to (en).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def misspellings(name: str, limit: int, languages: tuple[str, ...], as_json: bool) -> None:
    """List a name's likely misspellings, best first: each with its kind and its weight, 0 to 1."""
    from listener.misspellings import variants as spellings

    if not name.strip():
        raise InputError("the name is empty; give the name whose misspellings are wanted")
    found = spellings(name, languages=languages or ("en",), limit=limit)
    if as_json:
        for v in found:
            echo_json(asdict(v))
        return
    if not found:
        click.echo(f"{shown(name)!r} is looked for as it is written: nothing like it is as sure.")
        return
    print_table(
        f"Spellings of {name}",
        ("variant", "kind", "weight"),
        ((v.variant, v.kind, f"{v.weight:.3f}") for v in found),
    )


@click.command(
    epilog="""
\b
Examples:
  groundswell variants
  groundswell variants --brand Spotify --json
  groundswell variants --resume Spotify spotfy   bring a suspended spelling back
"""
)
@click.option("--brand", help="Only this brand.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--resume", nargs=2, metavar="BRAND SPELLING", help="Bring a spelling back.")
@click.pass_context
def variants(
    ctx: click.Context, brand: str | None, as_json: bool, resume: tuple[str, str] | None
) -> None:
    """How each spelling fares: hits, posts that only it found, and precision with its interval."""
    from listener.audit import audit

    with open_store(ctx) as store:
        brands_only(ctx, store, [name for name in (brand, resume and resume[0]) if name])
        if resume:
            used = {r["variant"] for r in store.variant_hits() if r["brand"] == resume[0]}
            used |= store.suspended().get(resume[0], frozenset())
            known_only(f"spelling of {resume[0]}", resume[1:], used)
            store.unsuspend(*resume)
            click.echo(
                f"{resume[1]!r} is looked for again on behalf of {resume[0]}, and is not suspended "
                "by itself any more.",
                err=True,
            )
        rows = [r for r in store.variant_hits() if brand is None or r["brand"] == brand]
        records = audit(rows, suspended=store.suspended(), kept=store.kept())
    if as_json:
        for record in records:
            echo_json(asdict(record))
        return
    columns = ("brand", "spelling", "kind", "hits", "only it", "reviewed", "precision", "state")
    print_table("Spellings", columns, _table(records))


def _table(records: list[Any]) -> Iterator[tuple[Any, ...]]:
    for r in records:
        sure = "" if r.precision is None else f"{r.precision:.0%} ({r.low:.0%} to {r.high:.0%})"
        state = "suspended" if r.suspended else "to suspend" if r.suspend else ""
        only = "" if r.only is None else r.only
        yield r.brand, r.variant, r.kind, r.hits, only, r.reviewed, sure, state
