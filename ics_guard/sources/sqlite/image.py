"""Taking an image of a live database: SQLite's online backup in one step, beside other processes' writers."""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from ics_guard.errors import SourceError
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.holders import find_holders, in_words

DEADLINE_SECONDS = 30.0


def take_image(path: Path, target: Path, deadline: float = DEADLINE_SECONDS, *, watched: bool = False) -> None:
    """Given a database, write its state at one instant to `target`, which must not exist.

    One step copies all pages under one read lock: in WAL mode writers do not notice, in rollback mode they wait for
    its length. More, smaller steps restart on every commit of a busy writer and may never end. `deadline` is how
    many seconds to wait for a writer that keeps the database locked. `watched` says that this process has the
    database open (a `putback.Watch`), so that its raw bytes must not be read.

    Raise `SourceError`: missing, empty, no database, locked past the deadline, or left with a hot journal.
    """
    if not watched:
        rawfile.read_header(path)
    if rawfile.has_hot_journal(path) and not find_holders(path):
        raise hot_journal(path)
    try:
        source = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.CantOpenError as error:
        raise SourceError(
            "source-unreadable",
            f"SQLite cannot open {path}: {error}",
            "check the permissions of the file and of its folder (a WAL database needs its -shm beside it)",
        ) from error
    try:
        _copy(source, path, target, deadline)
    finally:
        source.close()


def hot_journal(path: Path) -> SourceError:
    """Given a database that an application left in the middle of a transaction, return the error that says so."""
    return SourceError(
        "hot-journal",
        f"{path} was left in the middle of a transaction: its rollback journal must be played back first",
        "run `ics-guard backup`, which keeps a salvage of the files, rolls back and records it",
    )


def roll_back_hot_journal(path: Path) -> None:
    """Given a database with a hot journal and no holders, let SQLite roll the unfinished transaction back."""
    connection = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(2000)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    finally:
        connection.close()


def _copy(source: apsw.Connection, path: Path, target: Path, deadline: float) -> None:
    copy = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        # The image is thrown away if anything goes wrong, so it needs neither a journal nor a sync of its own.
        copy.pragma("journal_mode", "OFF")
        copy.pragma("synchronous", "OFF")
        copy.pragma("locking_mode", "EXCLUSIVE")
        give_up = time.monotonic() + deadline
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                try:
                    backup.step(-1)
                except (apsw.BusyError, apsw.LockedError) as error:
                    if time.monotonic() > give_up:
                        raise _locked(path, deadline) from error
                    time.sleep(0.005)
    except apsw.ReadOnlyError as error:  # what a read-only connection says of a journal it may not play back
        raise hot_journal(path) from error
    except apsw.NotADBError as error:
        raise SourceError(
            "not-a-database",
            f"SQLite says that {path} is no database: {error}",
            "if it was one, run `ics-guard restore latest`; encrypted databases cannot be guarded",
        ) from error
    except (apsw.CorruptError, apsw.IOError, apsw.CantOpenError) as error:
        raise SourceError(
            "source-damaged",
            f"SQLite cannot read {path}: {error}",
            "run `ics-guard restore latest` to bring back the newest verified backup",
        ) from error
    except apsw.FullError as error:
        raise SourceError(
            "scratch-full", f"no room for an image of {path} in {target.parent}", "free some disk space and try again"
        ) from error
    finally:
        copy.close()


def _locked(path: Path, deadline: float) -> SourceError:
    holders = find_holders(path)
    return SourceError(
        "source-locked",
        f"{path} stayed locked for {deadline:.0f} s by {in_words(holders)}",
        "let it finish or stop it, then try again",
    )
