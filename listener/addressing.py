"""What a post says beside its text: the account that it replies to, and where its links lead. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from listener.folding import plain
from listener.mention import Post

if TYPE_CHECKING:
    from listener.config import Brand


def accounts(brands: Iterable[Brand]) -> frozenset[str]:
    """The handles of these brands, and their names as a handle would be written; lower case."""
    found: set[str] = set()
    for brand in brands:
        found.update(brand.all_handles())
        found.update(plain(name).replace(" ", "") for name in brand.names or (brand.name,))
    return frozenset(found)


def parents(posts: Iterable[Post]) -> set[str]:
    """Keys of the posts replied to by those that do not begin by saying themselves whom they answer."""
    return {f"{p.platform}:{p.reply_to}" for p in posts if p.reply_to and p.text[:1] != "@"}


def addressed_to(
    posts: Sequence[Post], handles: Mapping[str, str | None], known: frozenset[str]
) -> list[tuple[str, ...]] | None:
    """Those of the ``known`` accounts that each post replies to; None where no post replies to any.

    ``handles`` are the authors of the posts replied to, by key; what the platform itself names beside
    a reply counts as well. A text that begins with an @ says it itself, and is read as it stands.
    """
    out: list[tuple[str, ...]] = [()] * len(posts)
    for i, post in enumerate(posts):
        if post.reply_to and post.text[:1] != "@":
            told = (handles.get(f"{post.platform}:{post.reply_to}"), named_account(post.raw))
            out[i] = tuple(h for h in told if h and h.lstrip("@").lower() in known)
    return out if any(out) else None


def hidden_links(posts: Sequence[Post], known: frozenset[str]) -> list[tuple[str, ...]] | None:
    """Each post's links to a host of a ``known`` name that its text does not show (a shortener stands
    there); None where there are none. What the matcher would pass over anyway is left out."""
    out = [
        tuple(u for u in p.links if u not in p.text and _names(u, known)) if p.links else ()
        for p in posts
    ]
    return out if any(out) else None


def _names(link: str, known: frozenset[str]) -> bool:
    host = link.partition("://")[2] or link
    labels = host.partition("/")[0].lower().replace("-", "").split(".")
    return not known.isdisjoint(labels)


def named_account(raw: Mapping[str, Any]) -> str | None:
    """The handle that a payload says its post replies to, where the platform tells (X, Mastodon)."""
    name = raw.get("in_reply_to_screen_name")
    if isinstance(name, str):
        return name
    account, named = raw.get("in_reply_to_account_id"), raw.get("mentions")
    if account is None or not isinstance(named, list):
        return None
    for item in named:
        if isinstance(item, Mapping) and item.get("id") == account:
            # A server leaves its own host out of its users' handles.
            acct, host = str(item.get("acct") or ""), str(item.get("url") or "").split("/")[2:3]
            return acct if "@" in acct or not host else f"{acct}@{host[0]}"
    return None
