"""Every HTTP request of every collector goes through here, whichever library makes it.

``Guard`` decides: it asks the budget before each attempt, waits where the platform's limit headers
say so, backs off with jitter, and turns answers into the errors of listener.errors.
``GuardedSession`` puts it under libraries built on requests (tweepy, Mastodon.py, praw);
bluesky.py puts it under httpx.

A limit that resets within ``patience`` is waited for; a later one ends the walk with LimitError,
whose ``resets_at`` tells the schedule when to come back. Waits use the context's clock and sleep.
"""

from __future__ import annotations

import json
import logging
import math
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
from pydantic import Field
from requests.structures import CaseInsensitiveDict

from listener.collectors import Context, Options, Reject
from listener.collectors.reading import kept, without_login
from listener.config import Span
from listener.errors import (
    AuthError,
    CollectorError,
    LimitError,
    NoAnswerError,
    PlatformError,
    UnreachableError,
)

CONNECT_TIMEOUT = 10.0  # seconds
MAX_REDIRECTS = 5
MAX_BODY = 64 * 2**20  # bytes; a page of 100 posts is under one MiB everywhere
MOST_WAIT = 31 * 86_400  # seconds; no quota renews later, whatever a header says
ATTEMPTS = 4
FIRST_BACKOFF = 1.0  # seconds; doubled at each attempt, times a random factor in 0.5..1.5
TRANSIENT_STATUS = {408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524}
TRANSIENT = (
    requests.exceptions.Timeout,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_SECRET_IN_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=:-]{6,}")


class NetOptions(Options):
    """What every source on the network may set."""

    timeout: float = Field(30, gt=0, description="Longest wait for an answer, in seconds.")
    patience: Span = Field(
        120, description="Longest wait for a rate limit to reset before the walk is left for later."
    )


class Answer(Protocol):
    """What Guard reads of an answer; both requests' and httpx' responses have it."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


A = TypeVar("A", bound=Answer)


class Unreadable(PlatformError):
    """An answer that is no JSON: its beginning is kept aside in ``reject``."""

    def __init__(self, message: str, reject: Reject) -> None:
        super().__init__(message)
        self.reject = reject


class Answered(Exception):
    """Raised into a library by a wire-only session when the answer is in ``last``."""


class Tariff:
    """What a request counts and costs. The base is free; X and YouTube have their own."""

    def reserve(self, method: str, url: str) -> tuple[int, float]:
        """(requests, dollars at most) of a request, before it is made."""
        return 1, 0.0

    def actual(self, method: str, url: str, body: Any) -> float:
        """Dollars that a successful answer cost; what was reserved beyond it is given back."""
        return 0.0


class Guard:
    """Limits, budget and errors of one source. ``requests`` and ``cost`` count since ``take()``."""

    def __init__(
        self,
        context: Context,
        platform: str,
        *,
        auth_help: str = "",
        secret_names: tuple[str, ...] = (),
        tariff: Tariff | None = None,
        bucket: Callable[[str], str] | None = None,
        json_expected: bool = True,
        transient: tuple[type[Exception], ...] = TRANSIENT,
    ) -> None:
        self.context = context
        self.platform = platform
        self.auth_help = auth_help
        self.tariff = tariff or Tariff()
        self.json_expected = json_expected
        self.harmless: tuple[str, ...] = ()  # reasons of a 403 that are an answer, not a refusal
        self.transient = transient
        self.patience: int = getattr(context.options, "patience", 120)
        self.requests = 0
        self.cost = 0.0
        self.last: Any = None  # the parsed JSON of the last answer; None when it was refused
        self.status = 0  # of the last answer
        self.not_before: dict[str, float] = {}  # bucket → epoch seconds of the next allowed request
        self._bucket = bucket or (lambda url: urlsplit(url).netloc)
        values = (context.secrets.get(name, "") for name in secret_names)
        self._secrets = tuple(v for v in values if len(v) >= 4)
        quiet_libraries()

    def take(self) -> tuple[int, float]:
        """Requests and dollars since the last call, for the page's coverage row."""
        taken = (self.requests, round(self.cost, 6))
        self.requests, self.cost = 0, 0.0
        return taken

    def now(self) -> float:
        return self.context.clock().timestamp()

    def run(self, send: Callable[[], A], method: str, url: str, *, attempts: int = ATTEMPTS) -> A:
        """Make a request until it is answered; raises a CollectorError when it will not be."""
        bucket = self._bucket(url)
        units, at_most = self.tariff.reserve(method, url)
        failure: CollectorError = PlatformError(f"{self.platform}: no attempt was allowed")
        for attempt in range(attempts):
            self._wait_for(bucket)
            self.context.spend(units, at_most)
            self.requests += units
            self.cost += at_most
            wait: float | None = None
            try:
                answer = send()
            except self.transient as error:
                # Nobody knows whether it was served and billed, so the reservation stays spent.
                failure = self._unreachable(url, error)
            else:
                self._note_window(bucket, answer)
                verdict = self._judge(answer, method, url)
                if verdict is None:
                    self._settle(at_most, self.tariff.actual(method, url, self.last))
                    return answer
                self._settle(at_most, 0.0)
                failure, wait = verdict
                if isinstance(failure, AuthError):
                    raise failure
            if attempt + 1 < attempts:
                self._pause(attempt, wait, failure)
        raise failure

    def _settle(self, reserved: float, actual: float) -> None:
        if actual != reserved:
            self.context.spend(0, actual - reserved)
            self.cost += actual - reserved

    def _wait_for(self, bucket: str) -> None:
        until = self.not_before.get(bucket, 0.0)
        wait = until - self.now()
        if wait <= 0:
            return
        if wait > self.patience:
            raise LimitError(
                f"{self.platform}: the rate limit is used up until {_clock(until)}", until
            )
        self.context.sleep(wait)

    def _pause(self, attempt: int, wait: float | None, failure: CollectorError) -> None:
        backoff = FIRST_BACKOFF * 2**attempt * random.uniform(0.5, 1.5)
        if wait is not None and wait > self.patience:
            raise failure
        self.context.sleep(backoff if wait is None else wait + random.uniform(0, 1))

    def _note_window(self, bucket: str, answer: Answer) -> None:
        headers = CaseInsensitiveDict(answer.headers)
        for prefix in ("x-rate-limit", "x-ratelimit", "ratelimit"):
            remaining = _number(headers.get(f"{prefix}-remaining"))
            if remaining is None:
                continue
            reset = reset_time(headers.get(f"{prefix}-reset"), self.now())
            if remaining < 1 and reset is not None:
                self.not_before[bucket] = reset
            else:
                self.not_before.pop(bucket, None)
            return

    def _judge(
        self, answer: Answer, method: str, url: str
    ) -> tuple[CollectorError, float | None] | None:
        """None for an answer that the caller reads; else the error and how long to wait for it."""
        status = self.status = answer.status_code
        if status < 400:
            return self._parse(answer, url) if self.json_expected and status != 304 else None
        detail, host = self.detail(answer), _host(url)
        if status in (402, 429) or (status == 403 and "quota" in detail.lower()):
            resets = self._reset_of(answer)
            at = f"; it resets at {_clock(resets)}" if resets else "; it did not say until when"
            what = "credits or quota are used up" if status != 429 else "too many requests"
            message = f"{self.platform}: {host} answered {status} ({what}{at}). {detail}".strip()
            if resets is None or status != 429:  # asking again at once would only be counted too
                return LimitError(message, resets), self.patience + 1.0
            return LimitError(message, resets), max(0.0, resets - self.now())
        if status in (401, 403) and not any(reason in detail for reason in self.harmless):
            return AuthError(self.refusal(host, status, detail)), None
        if status in TRANSIENT_STATUS:
            failure = PlatformError(f"{self.platform}: {host} answered {status}. {detail}".strip())
            after = reset_time(CaseInsensitiveDict(answer.headers).get("retry-after"), self.now())
            if after is not None and after - self.now() > self.patience:
                failure.resets_at = after
            return failure, None if after is None else max(0.0, after - self.now())
        self.last = None
        return None  # 400, 404, 410, 422 …: what it means depends on the request

    def _parse(self, answer: Answer, url: str) -> tuple[CollectorError, float | None] | None:
        try:
            self.last = json.loads(answer.content)
        except (ValueError, RecursionError):
            text = answer.content[:40_000].decode("utf-8", "replace")
            shape = "an HTML page" if text.lstrip()[:1] == "<" else "something that is no JSON"
            where = self.redact(url)
            reject = Reject(f"{shape} instead of JSON", where, kept(self.redact(text)))
            host = _host(url)
            return Unreadable(f"{self.platform}: {host} sent {shape} instead of JSON", reject), None
        return None

    def _reset_of(self, answer: Answer) -> float | None:
        headers = CaseInsensitiveDict(answer.headers)
        for name in ("retry-after", "x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset"):
            if (found := reset_time(headers.get(name), self.now())) is not None:
                return found
        return None

    def _unreachable(self, url: str, error: Exception) -> PlatformError:
        host = _host(url)
        kind = type(error).__name__
        if "timeout" in kind.lower() and kind != "ConnectTimeout":
            return NoAnswerError(
                f"{self.platform}: {host} did not answer in time; tried again later"
            )
        return UnreachableError(
            f"{self.platform}: cannot reach {host}; the network or the host is down, "
            f"and what was missed is collected when it is back ({type(error).__name__})"
        )

    def refusal(self, host: str, status: int, detail: str) -> str:
        """What a 401 or 403 says to the user."""
        said = f" ({detail})" if detail else ""
        return f"{self.platform}: {host} answered {status}{said}. {self.auth_help}".strip()

    def detail(self, answer: Answer) -> str:
        """The platform's own words on an error, short and without secrets."""
        try:
            body = json.loads(answer.content)
        except (ValueError, RecursionError):
            return ""
        return self.redact(" ".join(_said(body)))[:240]

    def redact(self, text: str) -> str:
        """The text without secrets: the source's own, and what looks like one in a URL or
        header."""
        for value in self._secrets:
            text = text.replace(value, "***")
        return _SECRET_IN_HEADER.sub(r"\1 ***", without_login(text))


class GuardedSession(requests.Session):
    """A requests session whose every request passes the guard; libraries are handed it whole.

    ``last`` is the parsed JSON of the last answer, as it came, before any library changed it.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        retried_posts: tuple[str, ...] = (),
        instead: tuple[str, str] | None = None,
        wire_only: bool = False,
    ) -> None:
        """``instead``: (a host that a library has fixed, the one to ask instead of it).

        ``wire_only``: the answer ends in ``last`` and the library gets Answered instead, because what
        it would make of the answer costs much and is not used (Mastodon.py: 10 ms a status).
        """
        super().__init__()
        self._instead = instead
        self._wire_only = wire_only
        self.guard = guard
        self.max_redirects = MAX_REDIRECTS
        self.headers["User-Agent"] = guard.context.user_agent
        self._timeout = float(getattr(guard.context.options, "timeout", 30))
        self._retried_posts = retried_posts  # logins; a reply is never posted twice

    @property
    def last(self) -> Any:
        return self.guard.last

    def request(  # type: ignore[override]
        self, method: str | bytes, url: str | bytes, **kwargs: Any
    ) -> requests.Response:
        verb, address = _text(method).upper(), _text(url)
        if self._instead and address.startswith(self._instead[0]):
            address = self._instead[1].rstrip("/") + address.removeprefix(self._instead[0])
        try:
            asked = requests.Request(verb, address, params=kwargs.get("params")).prepare()
        except NO_ADDRESS as error:
            raise self._no_address(address, error) from None
        full = asked.url or address
        again = verb in ("GET", "HEAD") or address.endswith(self._retried_posts or ("\0",))
        headers = {**(kwargs.pop("headers", None) or {}), "User-Agent": self.headers["User-Agent"]}
        kwargs.update(timeout=(CONNECT_TIMEOUT, self._timeout), stream=True, headers=headers)

        def send() -> requests.Response:
            try:
                answer = super(GuardedSession, self).request(verb, address, **kwargs)
            except (
                ValueError
            ) as error:  # where it leads to: NO_ADDRESS, and what urllib makes of it
                raise self._no_address(address, error) from None
            return self._read(answer)

        try:
            answer = self.guard.run(send, verb, full, attempts=ATTEMPTS if again else 1)
        except requests.exceptions.TooManyRedirects:
            raise PlatformError(
                f"{self.guard.platform}: {_host(address)} redirects in a loop "
                f"(more than {MAX_REDIRECTS} times)"
            ) from None
        if self._wire_only:
            raise Answered
        return answer

    def _no_address(self, address: str, error: Exception) -> PlatformError:
        return PlatformError(
            f"{self.guard.platform}: {self.guard.redact(address)} is no address that can be asked, "
            f"or leads to none ({self.guard.redact(str(error))}); it has to begin with https://"
        )

    def _read(self, response: requests.Response) -> requests.Response:
        """The whole body, within MAX_BODY bytes and ten time-outs: no answer may fill the
        memory."""
        deadline = time.monotonic() + 10 * self._timeout
        parts, size = [], 0
        for part in response.iter_content(65_536):
            parts.append(part)
            size += len(part)
            if size > MAX_BODY or time.monotonic() > deadline:
                response.close()
                raise PlatformError(
                    f"{self.guard.platform}: an answer was left "
                    f"after {size:,} bytes; allowed are {MAX_BODY:,} bytes in {10 * self._timeout:g} s"
                )
        response._content = b"".join(parts)
        return response


def quiet_libraries() -> None:
    """Some libraries log headers and URLs with tokens at DEBUG: that level is closed to them."""
    for name in (
        "tweepy",
        "prawcore",
        "urllib3",
        "httpx",
        "httpcore",
        "googleapiclient",
        "requests",
    ):
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)


def reset_time(value: str | None, now: float) -> float | None:
    """Epoch seconds from a limit header: epoch (milli)seconds, seconds from now, ISO 8601 or an HTTP
    date; at most MOST_WAIT from now."""
    if not value:
        return None
    number = _number(value)
    if number is not None:
        number = number / 1000 if number > 1e11 else number
        return min(number if number > 1e9 else now + max(0.0, number), now + MOST_WAIT)
    try:
        iso = datetime.fromisoformat(value)
    except ValueError:
        try:
            iso = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
    at = (iso if iso.tzinfo else iso.replace(tzinfo=UTC)).timestamp()
    return min(at, now + MOST_WAIT)


def inner_error(error: BaseException) -> CollectorError | None:
    """The CollectorError inside a library's exception: libraries wrap what the session raises."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, CollectorError):
            return seen
        inner = getattr(seen, "original_exception", None)  # praw keeps it here
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return None


def _said(body: Any) -> list[str]:
    if isinstance(body, dict):
        keys = ("title", "detail", "message", "error", "error_description", "reason")
        own = [str(body[k]) for k in keys if isinstance(body.get(k), str | int)]
        inner = body.get("errors") or (
            body["error"] if isinstance(body.get("error"), dict) else None
        )
        return list(dict.fromkeys(own + _said(inner)))
    return _said(body[0]) if isinstance(body, list) and body else []


def _host(url: str) -> str:
    """The host and port of an address, without a login in it."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _clock(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M UTC")
