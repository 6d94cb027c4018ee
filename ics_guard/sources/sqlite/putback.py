"""Putting an image back: into the live file through SQLite where that works, in its place where it cannot.

`overwrite` goes through the online backup API: other processes see the restored data, and a kill at any moment leaves
exactly before or after. `replace_files` is for what SQLite cannot open any more: nobody may hold the file then.
"""

from __future__ import annotations

import glob
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import apsw

from ics_guard.errors import RestoreError
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.holders import find_holders, in_words

_STAGED = ".ics-guard-"
_SIDECARS = (rawfile.WAL, rawfile.SHM, rawfile.JOURNAL)


class CommittedMeanwhileError(Exception):
    """Somebody committed after the safety copy began: another one is needed before anything is touched."""


class Watch:
    """Sees whether anybody commits to a live database; opened before a safety copy, asked under the write lock."""

    def __init__(self, path: Path) -> None:
        header = rawfile.read_header(path)
        self._path = path
        self.wal = header.wal
        self.page_size = header.page_size
        self._connection = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_timeout(10_000)
        self._seen = self._look()

    def moved(self) -> bool:
        """Whether a commit happened since this watch began."""
        return self._look() != self._seen

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _look(self) -> int:
        if self.wal:
            return int(self._connection.pragma("data_version"))
        # Under the restore's exclusive lock nobody can ask SQLite, and reading the file here would drop that lock.
        return rawfile.change_counter_elsewhere(self._path)


def can_overwrite(path: Path, image: Path) -> bool:
    """Given a live database and an image, return whether SQLite itself can copy the one over the other."""
    try:
        watch = Watch(path)
    except Exception:
        return False
    try:
        return watch.page_size == rawfile.read_header(image).page_size
    finally:
        watch.close()


def overwrite(image: Path, path: Path, watch: Watch, deadline: float = 30.0) -> None:
    """Given an image in scratch (its journal-mode flag is changed) and a watched live database, copy it over.

    The first step takes the write lock; under it the watch is asked, and only then is anything written.
    Raise `CommittedMeanwhileError` if it moved, `RestoreError` if the lock cannot be had in `deadline` seconds, or
    apsw.Error; in each case the live database is as it was.
    """
    _flag_journal_mode(image, wal=watch.wal)
    source = apsw.Connection(f"file:{image}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    live = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        live.pragma("synchronous", "FULL")
        with live.backup("main", source, "main") as backup:
            _step(backup, 1, path, deadline)
            if watch.moved():
                raise CommittedMeanwhileError
            while not backup.done:
                _step(backup, -1, path, deadline)
        if watch.wal:
            with suppress(apsw.BusyError, apsw.LockedError):  # a reader keeps the WAL: it is complete as it is
                live.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        if (live.pragma("journal_mode") == "wal") != watch.wal:
            raise RestoreError("journal-mode", f"the restore changed the journal mode of {path}", "")
    finally:
        live.close()
        source.close()


def replace_files(files: dict[str, Path], path: Path) -> None:
    """Given files by suffix ("" the main file, -wal, -journal) in scratch, put exactly those in place of `path`.

    Companions that are there go first, as a stale -wal or -journal would undo the restore; the main file is written
    beside the *resolved* path, gets the old one's mode and owner, and is renamed. Raise `RestoreError` when a
    process holds the database: nothing was touched then.
    """
    if holders := find_holders(path):
        raise RestoreError(
            "held",
            f"{path} cannot be opened by SQLite, and it is held by {in_words(holders)}",
            "stop them, then run the same restore again",
        )
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    for left_behind in target.parent.glob(f".{glob.escape(target.name)}*{_STAGED}*"):
        left_behind.unlink()
    staged = {suffix: _stage(file, target, suffix) for suffix, file in files.items()}
    try:
        for suffix in _SIDECARS:
            rawfile.companion(path, suffix).unlink(missing_ok=True)
        for suffix in sorted(files, key=len, reverse=True):  # companions first, the main file last
            staged[suffix].replace(target.with_name(target.name + suffix))
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def remove_files(path: Path) -> None:
    """Given a database that was absent before, take it and its companions away again."""
    for suffix in (*_SIDECARS, ""):
        rawfile.companion(path, suffix).unlink(missing_ok=True)


def _stage(file: Path, target: Path, suffix: str) -> Path:
    temporary = target.with_name(f".{target.name}{suffix}{_STAGED}{os.getpid()}")
    with file.open("rb") as source, temporary.open("xb") as staged:
        shutil.copyfileobj(source, staged, 1 << 20)
        if target.exists():
            state = target.stat()
            with suppress(PermissionError):
                os.fchown(staged.fileno(), state.st_uid, state.st_gid)
            os.fchmod(staged.fileno(), state.st_mode & 0o7777)
        staged.flush()
        os.fsync(staged.fileno())
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
