"""A Mastodon server: hashtags, search, notifications, threads, in the recorded shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from fake import Platform, Reply, Request


class FakeMastodon(Platform):
    window, limit = 300.0, 300

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statuses: dict[int, dict[str, Any]] = {}
        self.arrives: dict[int, float] = {}  # when this server learns of a remote status
        self.notices: dict[int, dict[str, Any]] = {}
        self.hidden: set[int] = set()  # statuses whose thread nobody may see
        self.token = "mastodon-secret"
        self.host = "http://remote.example"

    def add(
        self, seconds: float, text: str, *, late: float = 0, serial: int = 0, **more: Any
    ) -> int:
        number = (int(seconds * 1000) << 16) + serial
        self.statuses[number] = {
            "id": str(number),
            "created_at": datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds"),
            "in_reply_to_id": None,
            "in_reply_to_account_id": None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": "public",
            "language": "en",
            "uri": f"{self.host}/users/jo/statuses/{number}",
            "url": f"{self.host}/@jo/{number}",
            "replies_count": 0,
            "reblogs_count": 0,
            "favourites_count": 0,
            "edited_at": None,
            "content": f"<p>{text}</p>",
            "reblog": None,
            "account": {
                "id": "9",
                "acct": "jo@remote.example",
                "url": f"{self.host}/@jo",
                "fields": [],
            },
            "media_attachments": [],
            "mentions": [],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
            "a_field_of_next_year": {"nested": [1]},
            **more,
        }
        self.arrives[number] = seconds + late
        return number

    def limit_headers(self, remaining: int, resets: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, remaining)),
            "X-RateLimit-Reset": datetime.fromtimestamp(resets + 1, UTC).isoformat(),
        }

    def too_many(self, resets: float) -> Reply:
        return Reply({"error": "Too many requests"}, 429, self.limit_headers(0, resets))

    def answer(self, request: Request) -> Reply:
        parts = unquote(request.path).strip("/").split("/")
        known = request.headers.get("authorization") == f"Bearer {self.token}"
        if "authorization" in request.headers and not known:
            return Reply({"error": "The access token is invalid"}, 401)
        if parts[2:4] == ["timelines", "tag"]:
            return self._page(request, lambda s: f"#{parts[4]}" in s["content"].lower())
        if parts[2] == "notifications" and known:
            found = sorted(self.notices.items(), reverse=True)
            top = int(request.query.get("max_id", 10**9))
            return Reply([n for i, n in found if i < top][: int(request.query["limit"])])
        if parts[:3] == ["api", "v2", "search"] and known:
            word = request.query["q"].strip('"').lower()
            reply = self._page(request, lambda s: word in s["content"].lower())
            return Reply({"accounts": [], "statuses": reply.body, "hashtags": []})
        if parts[2] == "statuses" and request.method == "POST" and known:
            form = {k: v[-1] for k, v in parse_qs(request.body.decode()).items()}
            number = self.add(self.clock.now, form["status"], in_reply_to_id=form["in_reply_to_id"])
            return Reply(self.statuses[number])
        if parts[2] == "statuses" and len(parts) == 4:
            found_one = self.statuses.get(int(parts[3]))
            return Reply(found_one or {"error": "Record not found"}, 200 if found_one else 404)
        if parts[2] == "statuses" and parts[4] == "context":
            if int(parts[3]) in self.hidden or int(parts[3]) not in self.statuses:
                return Reply({"error": "Record not found"}, 404)
            below = [s for s in self.statuses.values() if s["in_reply_to_id"] == parts[3]]
            return Reply({"ancestors": [], "descendants": below})
        return Reply({"error": "This method requires an authenticated user"}, 422)

    def _page(self, request: Request, wanted: Any) -> Reply:
        top = int(request.query.get("max_id", 2**70))
        visible = sorted(
            (
                n
                for n, s in self.statuses.items()
                if n < top and self.arrives[n] <= self.clock.now and wanted(s)
            ),
            reverse=True,
        )
        return Reply([self.statuses[n] for n in visible[: min(40, int(request.query["limit"]))]])
