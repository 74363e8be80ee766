"""The store: the only room that opens the database. Named reads and writes, and all the SQL there is.

``base`` opens, migrates and holds the transaction; ``collected`` keeps what collectors bring;
``stages`` hands out what lacks a result and keeps the result; ``response`` has spikes, alerts, cases;
``spending`` holds the budgets; ``sync`` asks again about what is stored; ``retention`` lets go of what
is past its time; ``reads`` serves status and the dashboard. ``Store`` is all together.
"""

from __future__ import annotations

from listener.store.base import RunLock, lock_holder
from listener.store.collected import Collected, Saved
from listener.store.reads import Filter, Reads
from listener.store.response import Responses
from listener.store.retention import Retention
from listener.store.spending import Spending
from listener.store.stages import Stages
from listener.store.sync import Sync

__all__ = ["Filter", "RunLock", "Saved", "Store", "lock_holder"]


class Store(Collected, Spending, Sync, Stages, Responses, Retention, Reads):
    """A Groundswell database: one writer at a time, any number of readers beside it."""
