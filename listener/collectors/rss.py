"""Any RSS or Atom feed, and Google News by a feed for each query: no account.

A feed shows its newest entries and no more, so there is nothing to walk back through: each look
takes what is there. Where even the oldest entry is newer than all that was there at the last look,
the feed rolled over in between, and the page says so (``truncated``). ETag and Last-Modified spare
both sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import Field

from listener.collectors import Cursor, Options, Page, Reject
from listener.collectors.http import Guard, NetOptions, Unreadable
from listener.collectors.packing import Grammar, search_queries
from listener.collectors.reading import feed_in, kept, maybe_when, name_of_address
from listener.collectors.rss_payloads import entry_payload, to_post
from listener.collectors.walk import NetCollector
from listener.errors import AuthError, PlatformError
from listener.mention import Query, epoch

if TYPE_CHECKING:
    import requests

    from listener.matching import BrandTerms


class RssOptions(NetOptions):
    """What an ``rss`` source may say."""

    feeds: tuple[str, ...] = Field((), description="Addresses of feeds, read whole.")
    google_news: bool = Field(True, description="Search Google News for the brands as well.")
    edition: str = Field("US:en", description="Google News' edition, country:language.")
    news_url: str = Field(
        "https://news.google.com/rss/search", description="Where Google News' search feed is."
    )


class Rss(NetCollector):
    """Feeds and news."""

    platform = "rss"
    summary = "RSS and Atom feeds, and Google News for each brand; no account."
    options: ClassVar[type[Options]] = RssOptions
    grammar = Grammar(max_length=700, max_terms=24, max_queries=6, handle=None, hashtag=None)
    to_post = staticmethod(to_post)

    @property
    def wants(self) -> RssOptions:
        assert isinstance(self.context.options, RssOptions)
        return self.context.options

    def make_guard(self) -> Guard:
        guard = super().make_guard()
        guard.json_expected = False
        return guard

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        """One query for each feed, which serves all brands, and news queries for the brands."""
        assert isinstance(options, RssOptions)
        names = tuple(b.brand for b in brands)
        terms = tuple(n for b in brands for n in b.names)
        feeds = [Query(f"feed:{name_of_address(url)}", names, terms) for url in options.feeds]
        if not options.google_news:
            return feeds, []
        news, left = search_queries(brands, cls.grammar, kind="news")
        return feeds + news, left

    @classmethod
    def query_text(cls, query: Query) -> str:
        kind, _, rest = query.name.partition(":")
        return rest if kind == "feed" else super().query_text(query)

    def address(self, query: Query) -> str:
        """The feed that a query is read from."""
        kind, _, rest = query.name.partition(":")
        if kind == "feed":
            return next((url for url in self.wants.feeds if name_of_address(url) == rest), rest)
        country, _, language = self.wants.edition.partition(":")
        asked = {
            "q": self.query_text(query),
            "hl": f"{language}-{country}",
            "gl": country,
            "ceid": self.wants.edition,
        }
        return f"{self.wants.news_url}?{urlencode(asked)}"

    def host_of(self, query: Query) -> str:
        try:
            return urlsplit(self.address(query)).netloc.rpartition("@")[2]  # no login: it is kept
        except ValueError:  # no address; asking it says so
            return ""

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        url, seen = self.address(query), dict(cursor or {})
        headers = {"Accept": "application/atom+xml, application/rss+xml, application/xml, */*"}
        if seen.get("etag"):
            headers["If-None-Match"] = seen["etag"]
        if seen.get("modified"):
            headers["If-Modified-Since"] = seen["modified"]
        try:
            answer = self.session.get(url, headers=headers)
        except AuthError as error:  # there is no login that could be wrong: it is this feed alone
            raise PlatformError(f"{error} {self.guard.redact(url)} is not shown to us") from None
        if answer.status_code == 304:
            yield self.page((), seen, where=url, complete=True)
            return
        if answer.status_code >= 400:
            raise PlatformError(
                f"rss: {self.guard.redact(url)} answered {answer.status_code}; check the address"
            )
        feed = feed_in(answer.content, _encoding_of(answer))
        if not feed.version and not feed.entries:
            text = answer.content[:40_000].decode("utf-8", "replace")
            reject = Reject("a page that is no feed", self.guard.redact(url), kept(text))
            raise Unreadable(f"rss: {self.guard.redact(url)} is no feed", reject)
        payloads = [
            entry_payload(entry, feed.feed, self.guard.redact(url)) for entry in feed.entries
        ]
        now = epoch(self.now())
        # An entry that is dated ahead tells nothing of what was there at a look.
        found = (epoch(t) for p in payloads if (t := maybe_when(p["published"])) is not None)
        times = [t for t in found if t <= now]
        before = seen.get("newest")
        if before is not None and before > now:
            before = None
        rolled = bool(before and times and min(times) > before)
        state = {
            "etag": answer.headers.get("ETag"),
            "modified": answer.headers.get("Last-Modified"),
            "newest": max([*times, before or 0]) or None,
        }
        yield self.page(
            payloads,
            state,
            where=url,
            complete=True,
            truncated=rolled,
            hole=(before, min(times)) if before and rolled else None,
            window=(min(times, default=None), now),
        )


def _encoding_of(answer: requests.Response) -> dict[str, str]:
    """The charset that the server names, where the feed itself names none."""
    if re.match(rb"\s*<\?xml[^>]*\bencoding\s*=", answer.content[:400]):
        return {}
    kind = answer.headers.get("Content-Type", "")
    return {"content-type": kind} if "charset" in kind.lower() else {}
