"""Opens the database, brings its tables up to date, and holds transactions and the run lock."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlite_utils import Database

from listener.errors import StoreBusy, StoreError
from listener.folding import says
from listener.schema import migrations

Row = dict[str, Any]
BUSY_SECONDS = 30.0  # how long a writer waits for another's transaction before it gives up


class Base:
    """A connection for each thread, WAL mode, and one write transaction at a time.

    A connection lives as long as its thread: it is closed when another thread opens the next one.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self.path = Path(path)
        self._local = threading.local()
        self._opened: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._opening = threading.Lock()
        if not create and not self.path.exists():
            raise StoreError(
                f"{self.path} is not here. `groundswell import FILE` or `groundswell run` makes it; "
                "`--db` names another."
            )
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path.parent} is no folder; make it, or name another with --db")
        with self._explained():
            self._migrate()

    @property
    def db(self) -> Database:
        """This thread's connection."""
        found: Database | None = getattr(self._local, "db", None)
        if found is None:
            with self._explained():
                found = self._local.db = self._connect()
        return found

    def _connect(self) -> Database:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        _write_ahead(connection)
        # In WAL mode NORMAL survives any kill; only a power cut may undo the last commits, and then
        # rows and cursor go back together, so the posts are collected again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32000")  # KiB
        # Write the log back after about 32 MB rather than 4: an import commits 2 MB at a time.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        # SQLite's own LIKE and lower() take big and small letters for one in A-Z only, é for no e.
        connection.create_function("says", 2, _says, deterministic=True)
        self._close_those_of_ended_threads(connection)
        return Database(connection)

    def _close_those_of_ended_threads(self, opened: sqlite3.Connection) -> None:
        """Keep this thread's new connection, and close those that no thread can use any more.

        A page draws each of its looks in a thread of its own: kept, their connections would use up
        the process's file handles within the hour.
        """
        with self._opening:
            known, self._opened = self._opened, [(threading.current_thread(), opened)]
            over = []
            for thread, connection in known:
                if thread.is_alive():
                    self._opened.append((thread, connection))
                else:
                    over.append(connection)
        for connection in over:
            connection.close()

    def _migrate(self) -> None:
        known = {m.name for m in migrations._migrations}
        applied = {m.name for m in migrations.applied(self.db)}
        newer = sorted(applied - known)
        if newer:
            raise StoreError(
                f"{self.path} was written by a newer Groundswell (it has {', '.join(newer)}); "
                "install that version, or name another file with --db"
            )
        if applied != known:
            with self.write():  # a command that was started beside us waits, and finds all applied
                migrations.apply(self.db)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's own errors as StoreError, with the next step."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "full" in text:
                hint = "free some space and start again: what was committed is safe"
            elif "locked" in text or "busy" in text:
                raise StoreBusy(
                    f"{self.path} has been held by another writer for {BUSY_SECONDS:.0f} s; "
                    "wait for it to end, or stop it"
                ) from error
            elif "readonly" in text or "unable to open" in text:
                hint = "check that the file and its folder may be written"
            else:
                hint = "this is a fault in Groundswell: please report it with this line"
            raise StoreError(f"{self.path}: {text}; {hint}") from error
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise StoreError(
                f"{self.path}: {error}; if the file is no Groundswell database, name another with "
                "--db; if it is damaged, `sqlite3 FILE .recover` saves what can be read"
            ) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction that takes the write lock at once: all of it is kept, or none."""
        connection = self.db.conn
        assert connection is not None
        with self._explained():
            if connection.in_transaction:  # a write inside a write belongs to the outer one
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute(
                    "INSERT INTO meta (name, value) VALUES ('revision', '1') ON CONFLICT (name) "
                    "DO UPDATE SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT)"
                )
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: Sequence[Any] | Row = ()) -> list[Row]:
        """All rows of a read, as plain dictionaries."""
        connection = self.db.conn
        assert connection is not None
        with self._explained():
            return [dict(row) for row in connection.execute(sql, parameters)]

    def one(self, sql: str, parameters: Sequence[Any] | Row = ()) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Sequence[Any] | Row = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.one(sql, parameters)
        return next(iter(row.values())) if row else None

    def meta(self, name: str) -> str | None:
        """A named fact about the store itself, such as the model in use."""
        found = self.value("SELECT value FROM meta WHERE name = ?", (name,))
        return None if found is None else str(found)

    def set_meta(self, name: str, value: str) -> None:
        with self.write() as db:
            db.execute(
                "INSERT INTO meta (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )

    def revision(self) -> int:
        """Grows with every write: a page that shows revision n need not read again until n + 1."""
        return int(self.meta("revision") or 0)

    def close(self) -> None:
        """Close every thread's connection; the store can be used again and reopens."""
        with self._opening:
            opened, self._opened = self._opened, []
            self._local = threading.local()
        for _, connection in opened:
            connection.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def marks(items: Sequence[Any] | Iterable[Any]) -> str:
    """``?, ?, ?`` for an IN list."""
    return ", ".join("?" for _ in items)


def _says(text: str | None, words: str) -> bool:
    """``says`` as a function of the SQL, where a text may be missing."""
    return text is not None and says(text, words)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """WAL mode, tried for BUSY_SECONDS: SQLite itself does not wait for one who makes the same file."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _lock_path(path: str | Path) -> Path:
    return Path(f"{path}.lock")


def lock_holder(path: str | Path) -> int | None:
    """The pid of the process that runs the pipeline on this store, or None when none does."""
    file = _lock_path(path)
    try:
        with file.open("r+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = handle.read().strip()
                return int(text) if text.isdigit() else -1
            return None
    except (FileNotFoundError, PermissionError):
        return None


class RunLock:
    """Held by the one process that runs the pipeline. The kernel lets go of it when that one dies,
    so a kill leaves no stale lock behind; the file only names the holder."""

    def __init__(self, path: str | Path) -> None:
        self.path = _lock_path(path)
        self._handle: Any = None

    def __enter__(self) -> RunLock:
        handle = self.path.open("a+")
        for attempt in range(2):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 0:  # `lock_holder` may hold it for an instant while it looks
                    time.sleep(0.05)
                    continue
                handle.seek(0)
                text = handle.read().strip()
                handle.close()
                pid = int(text) if text.isdigit() else None
                raise StoreBusy(
                    f"{self.path.with_suffix('')} is already being run by process {pid or '?'}; "
                    "stop that one first, or name another file with --db",
                    pid,
                ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        self._handle = handle
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.seek(0)
            self._handle.truncate()
            self._handle.close()
            self._handle = None
