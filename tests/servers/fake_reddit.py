"""Reddit: the OAuth API and the feeds, in their recorded shapes; listings end at a thousand items."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from fake import Platform, Reply, Request


class FakeReddit(Platform):
    window, limit = 600.0, 600

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.things: dict[str, dict[str, Any]] = {}
        self.logins = 0
        self.cap = 1000

    def add(self, number: int, seconds: float, text: str, kind: str = "t3", **more: Any) -> str:
        short = _base36(number)
        name = f"{kind}_{short}"
        data: dict[str, Any] = {
            "id": short,
            "name": name,
            "author": f"user{number % 50}",
            "author_fullname": f"t2_{number % 50}",
            "created_utc": float(int(seconds)),
            "edited": False,
            "score": 1,
            "subreddit": "tea",
            "permalink": f"/r/tea/comments/{short}/x/",
            "a_field_of_next_year": None,
        }
        if kind == "t3":
            data |= {"title": text, "selftext": "", "is_self": True, "num_comments": 0}
        else:
            data |= {"body": text, "link_id": "t3_a", "parent_id": "t3_a", "replies": ""}
        self.things[name] = {"kind": kind, "data": data | more}
        return name

    def limit_headers(self, remaining: int, resets: float) -> dict[str, str]:
        return {
            "x-ratelimit-remaining": f"{max(0, remaining)}.0",
            "x-ratelimit-used": str(self.limit - remaining),
            "x-ratelimit-reset": str(int(resets - self.clock.now) + 1),
        }

    def too_many(self, resets: float) -> Reply:
        body = {"message": "Too Many Requests", "error": 429}
        return Reply(body, 429, self.limit_headers(0, resets))

    def answer(self, request: Request) -> Reply:
        path = request.path.rstrip("/")
        if path == "/api/v1/access_token":
            self.logins += 1
            return Reply(
                {"access_token": "at", "token_type": "bearer", "expires_in": 86400, "scope": "*"}
            )
        if path.endswith(".rss"):
            return self._feed(request, path.removesuffix("/.rss").removesuffix(".rss"))
        if "authorization" not in request.headers:
            return Reply({"message": "Forbidden", "error": 403}, 403)
        if path == "/api/info":
            wanted = request.query["id"].split(",")
            return _listing([self.things[i] for i in wanted if i in self.things], None)
        if path == "/api/comment":
            form = {k: v[-1] for k, v in parse_qs(request.body.decode()).items()}
            name = self.add(90_000, self.clock.now, form["text"], "t1", parent_id=form["thing_id"])
            return Reply({"json": {"errors": [], "data": {"things": [self.things[name]]}}})
        if path.startswith("/comments/"):
            below = [t for t in self.things.values() if t["kind"] == "t1"]
            return Reply([_listing([], None).body, _listing(below, None).body])
        found, after = self._page(request, path)
        return _listing(found, after)

    def _page(self, request: Request, path: str) -> tuple[list[dict[str, Any]], str | None]:
        kind = "t1" if path.endswith(("comments", "mentions")) else "t3"
        visible = sorted(
            (
                t
                for t in self.things.values()
                if t["kind"] == kind and t["data"]["created_utc"] <= self.clock.now
            ),
            key=lambda t: (-t["data"]["created_utc"], -int(t["data"]["id"], 36)),
        )[: self.cap]
        start, after = 0, request.query.get("after")
        if after:
            names = [t["data"]["name"] for t in visible]
            if after not in names:
                return [], None  # as Reddit does when the thing has gone
            start = names.index(after) + 1
        shown = visible[start : start + int(request.query["limit"])]
        more = start + len(shown) < len(visible)
        return shown, shown[-1]["data"]["name"] if more and shown else None

    def _feed(self, request: Request, path: str) -> Reply:
        found, _ = self._page(request, path)
        entries = "".join(_entry(t["data"]) for t in found)
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
            f"<title>search results</title><updated>2026-03-01T00:00:00+00:00</updated>{entries}</feed>"
        )
        return Reply(xml, 200, {}, "application/atom+xml; charset=UTF-8")


def _entry(data: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(data["created_utc"], UTC).isoformat()
    text = data.get("title") or "/u/x on y"
    body = f'<div class="md"><p>{escape(data.get("body") or data.get("selftext") or "")}</p></div>'
    return (
        f"<entry><author><name>/u/{data['author']}</name></author><id>{data['name']}</id>"
        f'<content type="html">{escape(body)} submitted by x</content>'
        f'<link href="https://www.reddit.com{data["permalink"]}" />'
        f"<updated>{at}</updated><published>{at}</published><title>{escape(text)}</title></entry>"
    )


def _listing(things: list[dict[str, Any]], after: str | None) -> Reply:
    return Reply(
        {"kind": "Listing", "data": {"after": after, "dist": len(things), "children": things}}
    )


def _base36(number: int) -> str:
    digits, out = "0123456789abcdefghijklmnopqrstuvwxyz", ""
    while number:
        number, rest = divmod(number, 36)
        out = digits[rest] + out
    return out or "0"
