"""X's API v2 in its recorded shapes: search, mentions, own posts, lookup, counts and replies."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from fake import Platform, Reply, Request

EPOCH_MS = 1_288_834_974_657


def tweet_id(seconds: float, serial: int = 0) -> int:
    """A snowflake made at that moment."""
    return (int(seconds * 1000) - EPOCH_MS << 22) + serial


class FakeX(Platform):
    window, limit = 900.0, 300

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tweets: dict[int, dict[str, Any]] = {}
        self.billed_by_day: Counter[str] = Counter()  # dollars, by X's own list
        self.last_tokens: dict[str, int] = {}
        self.protected: set[int] = set()
        self.created: list[dict[str, Any]] = []
        self.user_price = 0.010

    @property
    def billed(self) -> float:
        return sum(self.billed_by_day.values())

    def bill(self, usd: float) -> None:
        self.billed_by_day[self.clock().date().isoformat()] += usd  # type: ignore[assignment]

    def add(self, seconds: float, text: str, author: int = 1, serial: int = 0, **more: Any) -> int:
        number = tweet_id(seconds, serial)
        self.tweets[number] = {
            "id": str(number),
            "edit_history_tweet_ids": [str(number)],
            "text": text,
            "author_id": str(author),
            "created_at": "2026-01-01T00:00:00.000Z",
            "conversation_id": str(number),
            "lang": "en",
            "public_metrics": {"like_count": 1, "reply_count": 0, "retweet_count": 0},
            **more,
        }
        del self.tweets[number]["created_at"]
        return number

    def bucket(self, request: Request) -> str:
        return re.sub(r"\d+", "id", request.path)

    def limit_headers(self, remaining: int, resets: float) -> dict[str, str]:
        return {
            "x-rate-limit-limit": str(self.limit),
            "x-rate-limit-remaining": str(max(0, remaining)),
            "x-rate-limit-reset": str(int(resets) + 1),
        }

    def too_many(self, resets: float) -> Reply:
        body = {"title": "Too Many Requests", "detail": "Too Many Requests", "status": 429}
        return Reply(body, 429, self.limit_headers(0, resets))

    def answer(self, request: Request) -> Reply:
        if "authorization" not in request.headers:
            return Reply({"title": "Unauthorized", "detail": "Unauthorized", "status": 401}, 401)
        path, query = request.path, request.query
        if path == "/2/tweets" and request.method == "POST":
            self.created.append(json.loads(request.body))
            return Reply({"data": {"id": "999", "text": self.created[-1]["text"]}}, 201)
        if path == "/2/tweets":
            return self._lookup(query["ids"].split(","))
        if path.startswith("/2/users/by/username/"):
            self.bill(0.010)
            return Reply({"data": {"id": "5", "username": path.rsplit("/", 1)[1], "name": "Acme"}})
        if path == "/2/tweets/counts/recent":
            self.bill(0.005)
            return Reply({"data": [], "meta": {"total_tweet_count": len(self.tweets)}})
        return self._timeline(path, query)

    def _timeline(self, path: str, query: dict[str, str]) -> Reply:
        size = int(query.get("max_results", 10))
        search = path.startswith("/2/tweets/search/")
        if search and len(query["query"]) > 512:
            return Reply({"title": "Invalid Request", "detail": "query too long"}, 400)
        if not 5 <= size <= 100 or (search and size < 10):
            return Reply({"title": "Invalid Request", "detail": "max_results"}, 400)
        since, until = int(query.get("since_id", 0)), int(query.get("until_id", 2**63))
        if search and since and (since >> 22) + EPOCH_MS < (self.clock.now - 7 * 86_400) * 1000:
            return Reply({"title": "Invalid Request", "detail": "'since_id' is too old"}, 400)
        if search and (until >> 22) + EPOCH_MS < (self.clock.now - 7 * 86_400) * 1000:
            return Reply({"title": "Invalid Request", "detail": "'until_id' is too old"}, 400)
        token = query.get("next_token") or query.get("pagination_token")
        if token:
            if token not in self.last_tokens:
                return Reply({"title": "Invalid Request", "detail": "next_token"}, 400)
            until = self.last_tokens[token]
        visible = sorted(
            (
                n
                for n, t in self.tweets.items()
                if since < n < until
                and (n >> 22) + EPOCH_MS <= self.clock.now * 1000
                and self._wanted(path, query, t)
            ),
            reverse=True,
        )
        shown = visible[:size]
        meta: dict[str, Any] = {"result_count": len(shown)}
        if shown:
            meta |= {"newest_id": str(shown[0]), "oldest_id": str(shown[-1])}
        if len(visible) > size:
            token = f"b26v89c19zqg8o3f{shown[-1]}"
            self.last_tokens[token] = shown[-1]
            meta["next_token"] = token
        return Reply(self._body([self.tweets[n] for n in shown], meta, path, query))

    def _wanted(self, path: str, query: dict[str, str], tweet: dict[str, Any]) -> bool:
        if path.endswith("/mentions"):
            return "@acme" in tweet["text"].lower()
        if path.endswith("/tweets") and "/users/" in path:
            return bool(tweet["author_id"] == path.split("/")[3])
        if query["query"].startswith("conversation_id:"):
            return bool(tweet["conversation_id"] == query["query"].partition(":")[2])
        return True

    def _body(
        self, tweets: list[dict[str, Any]], meta: dict[str, Any], path: str, query: dict[str, str]
    ) -> dict[str, Any]:
        wanted = set(query.get("tweet.fields", "").split(",")) | {"id", "text"}
        data = [{k: v for k, v in t.items() if k in wanted} for t in tweets]
        owned = "/users/" in path
        self.bill(len(data) * (0.001 if owned else 0.005))
        body: dict[str, Any] = {"meta": meta}
        if data:
            body["data"] = data
            if "author_id" in query.get("expansions", ""):
                ids = sorted({t["author_id"] for t in tweets})
                self.bill(len(ids) * self.user_price)
                body["includes"] = {"users": [self._user(i) for i in ids]}
        return body

    def _user(self, number: str) -> dict[str, Any]:
        return {
            "id": number,
            "username": f"user{number}",
            "name": f"User {number}",
            "location": "Rome",
        }

    def _lookup(self, ids: list[str]) -> Reply:
        found = [self.tweets[int(i)] for i in ids if int(i) in self.tweets]
        found = [t for t in found if int(t["id"]) not in self.protected]
        self.bill(len(found) * 0.005)
        errors = [
            {
                "resource_id": i,
                "value": i,
                "title": "Authorization Error" if int(i) in self.protected else "Not Found Error",
                "type": "https://api.twitter.com/2/problems/resource-not-found",
            }
            for i in ids
            if int(i) not in self.tweets or int(i) in self.protected
        ]
        return Reply({"data": found, "errors": errors})
