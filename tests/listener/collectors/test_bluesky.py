"""Bluesky on a server of our own: the login, and what becomes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fake import Platform, Reply, Request, SimClock, serving
from harness import collector

from listener.collectors.bluesky import Bluesky
from listener.errors import AuthError, PlatformError
from listener.mention import Query

pytest.importorskip("atproto", reason="needs the extra 'bluesky'")
SEARCH = Query("search:acme", ("Acme",), ("acme",))
SECRETS = {"BLUESKY_HANDLE": "brand.example", "BLUESKY_APP_PASSWORD": "abcd-efgh"}


def token(number: int, expires: float) -> str:
    """A JWT that nobody signed."""
    said = {"exp": int(expires), "iat": 0, "sub": "did:plc:brand", "scope": "x", "jti": str(number)}
    parts = ({"alg": "none"}, said)
    coded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*coded, "c2lnbmVk"])


class Pds(Platform):
    """Logins and an empty search; the access tokens that it gives have run out at once."""

    logins = 0
    refreshes = True
    refused = 400

    def answer(self, request: Request) -> Reply:
        method = request.path.rpartition(".")[2]
        if method == "createSession":
            self.logins += 1
        elif method == "refreshSession" and not self.refreshes:
            said = {"error": "ExpiredToken", "message": "Token has been revoked"}
            return Reply(said, self.refused)
        elif method == "searchPosts":
            return Reply({"posts": []})
        return Reply(
            {
                "accessJwt": token(self.logins, 1_000_000_000),
                "refreshJwt": token(self.logins, 4_000_000_000),
                "handle": "brand.example",
                "did": "did:plc:brand",
            }
        )


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Logins live as long as the process."""
    Bluesky._sessions.clear()
    yield
    Bluesky._sessions.clear()


@pytest.mark.parametrize("refused", [400, 401])
def test_a_login_that_was_revoked_is_made_anew(refused: int) -> None:
    clock = SimClock(datetime(2026, 3, 1, tzinfo=UTC))
    server = Pds(clock)
    server.refused = refused
    with serving(server) as url:

        def round_() -> list[Any]:
            return list(collector("bluesky", clock, SECRETS, service=url).fetch(SEARCH, None))

        assert round_()[-1].complete
        assert round_()[-1].complete
        assert server.logins == 1, "one login serves all rounds"
        server.refreshes = False
        with pytest.raises((PlatformError, AuthError)):
            round_()
        server.refreshes = True
        assert round_()[-1].complete
        assert server.logins == 2
