"""Putting an image back: into the live file through SQLite where that works, in its place where it cannot.

`overwrite` goes through the online backup API: other processes see the restored data, and a kill at any moment leaves
exactly before or after. `replace_files` is for what SQLite cannot open any more: nobody may hold the file then.
"""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw

from ics_guard import claim
from ics_guard.errors import RestoreError
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.holders import find_holders, in_words

_STAGED = ".ics-guard-"
_SIDECARS = (rawfile.WAL, rawfile.SHM, rawfile.JOURNAL)


class CommittedMeanwhileError(Exception):
    """Somebody committed after the safety copy began: another one is needed before anything is touched."""


class Watch:
    """Sees whether anybody commits to a live database; opened before a safety copy, asked under the write lock."""

    def __init__(self, path: Path, *, watched: bool = False) -> None:
        header = rawfile.read_header(path, elsewhere=watched)
        self._path = path
        self.wal = header.wal
        self.page_size = header.page_size
        self._connection = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_timeout(10_000)
        self._seen = self._look()

    def moved(self) -> bool:
        """Whether a commit happened since this watch began."""
        return self._look() != self._seen

    @contextmanager
    def holding_still(self) -> Iterator[None]:
        """Keep everybody from committing, and a WAL from being emptied, so that the files can be copied one by one.

        The watch begins anew here. What cannot be locked any more (a damaged page 1) cannot be written by others
        either. Raise apsw.BusyError.
        """
        locked = True
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._seen = self._look()
        except (apsw.BusyError, apsw.LockedError):
            raise
        except apsw.Error:
            locked = False
        try:
            yield
        finally:
            if locked:
                self._connection.execute("ROLLBACK")

    def lockable(self) -> bool:
        """Whether SQLite can begin to write here; a database that another process keeps locked counts as one."""
        try:
            with self.holding_still():
                return self._connection.in_transaction and not self._connection.readonly("main")
        except (apsw.BusyError, apsw.LockedError):
            return True

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _look(self) -> int:
        if self.wal:
            return int(self._connection.pragma("data_version"))
        # Under the restore's exclusive lock nobody can ask SQLite, and reading the file here would drop that lock.
        return rawfile.change_counter_elsewhere(self._path)


def can_overwrite(path: Path, image: Path, *, watched: bool = False) -> bool:
    """Given a live database and an image, return whether SQLite itself can copy the one over the other.

    `watched` says that this process has the database open, so that its raw bytes must not be read.
    """
    try:
        watch = Watch(path, watched=watched)
    except (apsw.BusyError, apsw.LockedError):
        return True  # a process is in it: to wait for it and then to refuse is what `overwrite` does
    except Exception:
        return False
    try:
        return watch.page_size == rawfile.read_header(image).page_size and watch.lockable()
    finally:
        watch.close()


def require_room(image: Path, path: Path, watch: Watch) -> None:
    """Raise `RestoreError` if the image and the journal of its way in do not fit beside the live database."""
    target = path.resolve()
    size, live = image.stat().st_size, target.stat().st_size
    journal = size * 1.03 if watch.wal else min(size, live) * 1.03  # frame headers; pages of before
    needed, free = max(0, size - live) + journal, shutil.disk_usage(target.parent).free
    if free < needed:
        raise RestoreError(
            "target-full",
            f"the restore needs about {needed / 2**20:.0f} MiB in {target.parent}, and {free / 2**20:.0f} MiB are "
            "free; nothing was touched",
            "free some space there, then run the same restore again",
        )


class Aftermath:
    """A database just restored, kept open: tells whether anybody committed to it since."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_timeout(10_000)
        self._seen: object = None
        self.journal_mode_kept = True

    @property
    def connection(self) -> apsw.Connection:
        """The connection that restores: SQLite does not count its own commits as somebody's."""
        return self._connection

    def begin(self) -> None:
        """Count from here on. Raise apsw.Error if the database cannot be read."""
        self._seen = self._connection.pragma("data_version")

    def written_since(self) -> bool:
        """Whether anybody else committed since; True as well when it cannot be told."""
        try:
            return bool(self._connection.pragma("data_version") != self._seen)
        except apsw.Error:
            return True

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()


def overwrite(image: Path, path: Path, watch: Watch, deadline: float = 30.0) -> Aftermath:
    """Given an image in scratch (its journal-mode flag is changed) and a watched live database, copy it over.

    The first step takes the write lock; under it the watch is asked, and only then is anything written. Return what
    tells of commits after that, for the caller to close.
    Raise `CommittedMeanwhileError` if it moved, `RestoreError` if the lock cannot be had in `deadline` seconds, or
    apsw.Error; in each case the live database is as it was.
    """
    _flag_journal_mode(image, wal=watch.wal)
    source = apsw.Connection(
        f"file:{quote(str(image))}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    after = Aftermath(path)
    live = after.connection
    try:
        # No pragma that loads the schema (`synchronous` does; FULL is the default): it may be what is damaged, and
        # one in another text encoding makes this connection refuse what it has just restored.
        after.begin()
        live.set_busy_timeout(0)  # `_step` waits, so that it can say for whom
        with live.backup("main", source, "main") as backup:
            _step(backup, 1, path, deadline)
            _refuse_moved(watch)
            while not backup.done:
                _step(backup, -1, path, deadline)
        if watch.wal:
            with suppress(apsw.Error):  # a reader or a full disk keeps the WAL: it is committed and complete as it is
                live.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        with suppress(apsw.Error):  # the restore is committed: nothing may say from here on that it was not
            after.journal_mode_kept = (live.pragma("journal_mode") == "wal") == watch.wal
        live.set_busy_timeout(10_000)
    except BaseException:
        after.close()
        raise
    finally:
        source.close()
    return after


def _refuse_moved(watch: Watch) -> None:
    if watch.moved():
        raise CommittedMeanwhileError


def replace_files(files: dict[str, Path], path: Path, moved: Callable[[], bool] = lambda: False) -> None:
    """Given files by suffix ("" the main file, -wal, -journal) in scratch, put exactly those in place of `path`.

    Companions that are there go first, as a stale -wal or -journal would undo the restore; the main file is written
    beside the *resolved* path, gets the old one's mode and owner, and is renamed. A main file that is not among
    `files` goes too. `moved` is asked when everything is staged: whether the database was written to meanwhile.
    Raise `RestoreError` when a process holds the database, `CommittedMeanwhileError` when it moved: nothing was
    touched then.
    """
    _refuse_held(path)
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    for left_behind in target.parent.glob(f".{glob.escape(target.name)}*{_STAGED}*"):
        left_behind.unlink()
    staged: dict[str, Path] = {}
    try:
        for suffix, file in files.items():
            staged[suffix] = _stage(file, target, suffix)
        _refuse_held(path)  # staging a large file takes its time
        if moved():
            raise CommittedMeanwhileError
        for suffix in _SIDECARS if "" in files else ("", *_SIDECARS):
            rawfile.companion(path, suffix).unlink(missing_ok=True)
        for suffix in sorted(files, key=len, reverse=True):  # companions first, the main file last
            staged[suffix].replace(target.with_name(target.name + suffix))
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
    claim.sync_folder(target.parent)


def remove_files(path: Path) -> None:
    """Given a database that was absent before, take it and its companions away again. Raise `RestoreError` if held."""
    _refuse_held(path)
    for suffix in (*_SIDECARS, ""):
        rawfile.companion(path, suffix).unlink(missing_ok=True)


def _refuse_held(path: Path) -> None:
    if holders := find_holders(path):
        raise RestoreError(
            "held",
            f"{path} must be replaced as a file, and it is held by {in_words(holders)}",
            "stop them, then run the same restore again",
        )


def _stage(file: Path, target: Path, suffix: str) -> Path:
    temporary = target.with_name(f".{target.name}{suffix}{_STAGED}{os.getpid()}")
    try:
        with file.open("rb") as source, temporary.open("xb") as staged:
            shutil.copyfileobj(source, staged, 1 << 20)
            if target.exists():
                state = target.stat()
                with suppress(PermissionError):
                    os.fchown(staged.fileno(), state.st_uid, state.st_gid)
                os.fchmod(staged.fileno(), state.st_mode & 0o7777)
            staged.flush()
            os.fsync(staged.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _flag_journal_mode(image: Path, *, wal: bool) -> None:
    """Bytes 18 and 19 say WAL (2) or rollback (1); a copy of a WAL image would turn the target into WAL."""
    with image.open("r+b") as stream:
        stream.seek(18)
        stream.write(b"\2\2" if wal else b"\1\1")


def _step(backup: apsw.Backup, pages: int, path: Path, deadline: float) -> None:
    give_up = time.monotonic() + deadline
    while True:
        try:
            backup.step(pages)
        except (apsw.BusyError, apsw.LockedError) as error:
            if time.monotonic() > give_up:
                raise RestoreError(
                    "locked",
                    f"{path} stayed locked for {deadline:.0f} s by {in_words(find_holders(path))}; nothing was touched",
                    "let it finish or stop it, then run the same restore again",
                ) from error
            time.sleep(0.01)
        else:
            return
