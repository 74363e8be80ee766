"""Every error that Groundswell raises on purpose.

GroundswellError
├── ConfigError         keywords.yaml or the environment says something we cannot follow
├── InputError          a file or a text handed to a command cannot be read as asked
│   └── EmptyInput      it holds nothing: no fault in a file that is still to be written
├── StoreError          the database is locked, damaged, full, or of a newer version
│   └── StoreBusy       another process holds the store for writing
└── CollectorError      a platform did not give what was asked
    ├── AuthError       401 or 403: which secret, which permission
    ├── LimitError      429 or a quota: carries when it resets
    ├── BudgetError     our own budget is used up: carries when it renews
    └── PlatformError   5xx, time-outs, answers that cannot be read
        ├── NoAnswerError      the host took a request and did not answer in time
        └── UnreachableError   the host cannot be reached: the same for every query of a source

A message names what was found, what is allowed and the next step; the command line prints it as one
paragraph and exits with ``exit_code``.
"""

from __future__ import annotations


class GroundswellError(Exception):
    """Base of all expected errors; ``str(error)`` is fit for a user's eyes."""

    exit_code = 1


class ConfigError(GroundswellError):
    """The configuration cannot be followed. ``problems`` has one line for each fault."""

    exit_code = 2

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class InputError(GroundswellError):
    """A file or text given to a command cannot be read as asked."""

    exit_code = 2


class EmptyInput(InputError):
    """A file without a row. One that is followed may get its first tomorrow."""


class StoreError(GroundswellError):
    """The database cannot be used."""


class StoreBusy(StoreError):
    """Another process writes to this store. ``pid`` is its process id, when known."""

    exit_code = 3

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class CollectorError(GroundswellError):
    """A platform did not give what was asked; what was collected before it is kept.

    ``requests`` and ``cost_usd`` are what was spent in vain, for the ledger and the budget.
    ``resets_at``: before when (epoch seconds) the host does not want to be asked; None: it did not say.
    """

    requests: int = 1
    cost_usd: float = 0.0
    resets_at: float | None = None


class AuthError(CollectorError):
    """401 or 403. The message names the secret and the permission, never the secret's value."""


class LimitError(CollectorError):
    """The platform's limit is reached; ``resets_at`` is in epoch seconds, None when it did not say."""

    def __init__(self, message: str, resets_at: float | None = None) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class BudgetError(LimitError):
    """Our own budget for a source is used up; ``resets_at`` is when the budget renews."""


class PlatformError(CollectorError):
    """A server error, a time-out, or an answer that cannot be read."""


class NoAnswerError(PlatformError):
    """The host did not answer in time: it is down, or this query asks too much of it."""


class UnreachableError(PlatformError):
    """The host cannot be reached at all; asking it for the next query would only wait again."""
