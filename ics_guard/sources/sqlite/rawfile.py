"""The bytes of a database file and its companions, read without SQLite: what is there, and has it moved?

Only for a process without a connection to the database; `…_elsewhere` reads in a child for the others.
File format: https://www.sqlite.org/fileformat2.html, WAL index: https://www.sqlite.org/walformat.html
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ics_guard.errors import SourceError

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
WAL, SHM, JOURNAL = "-wal", "-shm", "-journal"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_RACY_SECONDS = 0.025
"""Kernels stamp files from a clock that ticks every 1 to 10 ms: two writes within one tick can bear one time."""


@dataclass(frozen=True)
class Header:
    """What the first 100 bytes say. `wal` is the journal mode's flag; `page_size` in bytes."""

    page_size: int
    wal: bool
    change_counter: int


def companion(path: Path, suffix: str) -> Path:
    """Given a database and one of -wal, -shm, -journal, return that file's path (beside the resolved database)."""
    resolved = path.resolve()
    return resolved.with_name(resolved.name + suffix)


def read_header(path: Path, *, elsewhere: bool = False) -> Header:
    """Given a path, return the header of the database there, read by a child process if `elsewhere`.

    Raise `SourceError` if there is no usable database.
    """
    try:
        if path.is_dir():
            raise SourceError("not-a-file", f"{path} is a folder, not a database", "set `path` to the database file")
        raw = _first_bytes_elsewhere(path) if elsewhere else _start_of_file(path)
    except FileNotFoundError as error:
        raise SourceError(
            "source-missing",
            f"there is no database at {path}",
            "bring it back with `ics-guard restore latest`, or correct `path` in ics-guard.toml",
        ) from error
    except OSError as error:
        raise SourceError(
            "source-unreadable",
            f"{path} cannot be read: {error.strerror}",
            f"make it readable for this user (ls -l {path})",
        ) from error
    if not raw:
        raise SourceError(
            "source-empty",
            f"{path} is an empty file (0 bytes): SQLite would call it a healthy, empty database",
            "bring the data back with `ics-guard restore latest`, or correct `path` in ics-guard.toml",
        )
    if not raw.startswith(MAGIC) or len(raw) < HEADER_BYTES:
        raise SourceError(
            "not-a-database",
            f"{path} is not a plain SQLite database (its header is damaged, encrypted or of another format)",
            "if it was one, run `ics-guard restore latest`; encrypted databases cannot be guarded",
        )
    page_size = int.from_bytes(raw[16:18], "big")
    return Header(
        page_size=65536 if page_size == 1 else page_size,
        wal=raw[18] == 2 or raw[19] == 2,
        change_counter=int.from_bytes(raw[24:28], "big"),
    )


def has_hot_journal(path: Path) -> bool:
    """Given a database, return whether an application left a rollback journal that must be played back.

    A journal that another process is writing at this moment looks the same: look for holders before acting on it.
    """
    try:
        with companion(path, JOURNAL).open("rb") as stream:
            return stream.read(8) == _JOURNAL_MAGIC
    except OSError:
        return False


def fingerprint(path: Path) -> str:
    """Given a database, return a text that is equal only as long as no commit can have happened, without reading it.

    It covers device, inode, size and times of main file and WAL, the header's counters, the WAL's salts, what the
    WAL index says of its newest commit, and the boot; not the WAL's ctime, which moves when root merely opens it. It
    may change without a commit (a checkpoint, a reboot), never stay the same with one. Empty when a file is missing,
    or so freshly written that its time cannot be trusted.
    """
    seen = hashlib.sha256()
    try:
        newest = _add(seen, path.resolve(), ((24, 28), (40, 44), (92, 96)))
        wal = companion(path, WAL)
        # An empty WAL holds nothing, and a reader may make one: only a WAL with frames counts.
        if wal.exists() and wal.stat().st_size:
            # SQLite run by root gives the WAL its database's owner at each opening (robustFchown in os_unix.c).
            newest = max(newest, _add(seen, wal, ((16, 24),), ctime=False))
            seen.update(_start_of(companion(path, SHM), 48))
        journal = companion(path, JOURNAL)
        if has_hot_journal(path):
            newest = max(newest, _add(seen, journal, ()))
    except OSError:
        return ""
    seen.update(_boot_id())
    granularity = _RACY_SECONDS if newest % 1_000_000_000 else 2.0
    if time.time() - newest / 1e9 < granularity:
        return ""
    return f"1:{seen.hexdigest()}"


Times = tuple[tuple[int, int, int] | None, ...]


def times(path: Path) -> Times:
    """Given a database, return inode, size and time of its files, read without opening any.

    None for an absent file, and for an empty one: a reader makes an empty -wal.
    """

    def of(file: Path) -> tuple[int, int, int] | None:
        try:
            state = file.stat()
        except FileNotFoundError:
            return None
        return (state.st_ino, state.st_size, state.st_mtime_ns) if state.st_size else None

    return tuple(of(companion(path, suffix)) for suffix in ("", WAL, JOURNAL))


def settle() -> None:
    """Wait until a file written just before this call has a time that the next write cannot bear again."""
    time.sleep(_RACY_SECONDS)


def change_counter_elsewhere(path: Path) -> int:
    """Given a database that this process has open, return its header's change counter, read by a child process."""
    return int.from_bytes(_first_bytes_elsewhere(path)[24:28], "big")


def _first_bytes_elsewhere(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(path)
    program = f"import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read({HEADER_BYTES}))"
    command = [sys.executable, "-I", "-S", "-c", program, os.fspath(path)]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        raise OSError(f"{path} cannot be read: {done.stderr.decode(errors='replace').strip().splitlines()[-1:]}")
    return done.stdout


def _start_of_file(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEADER_BYTES)


def copy_elsewhere(path: Path, target: Path) -> bool:
    """Given a file, copy its bytes to `target` in a child process; return False if there is no such file.

    Raise OSError when it is there and cannot be copied.
    """
    if not path.exists():
        return False
    program = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, os.fspath(path), os.fspath(target)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise OSError(f"{path} cannot be copied: {done.stderr.strip().splitlines()[-1:]}")
    return True


def _add(seen: hashlib._Hash, path: Path, ranges: tuple[tuple[int, int], ...], *, ctime: bool = True) -> int:
    with path.open("rb") as stream:
        state = os.fstat(stream.fileno())
        raw = stream.read(HEADER_BYTES)
    stamps = (state.st_mtime_ns, state.st_ctime_ns) if ctime else (state.st_mtime_ns,)
    for value in (state.st_dev, state.st_ino, state.st_size, *stamps):
        seen.update(value.to_bytes(16, "big", signed=True))
    for start, end in ranges:
        seen.update(raw[start:end])
    return max(stamps)


def _start_of(path: Path, count: int) -> bytes:
    try:
        with path.open("rb", buffering=0) as stream:
            return stream.read(count)
    except FileNotFoundError:
        return b"none"


def _boot_id() -> bytes:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return b"unknown"
