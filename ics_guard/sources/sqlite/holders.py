"""Who has a database open: processes found by their open files and by the kernel's list of locks."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import psutil

from ics_guard.model import Holder
from ics_guard.sources.sqlite import rawfile

_SUFFIXES = ("", rawfile.WAL, rawfile.SHM, rawfile.JOURNAL)


def find_holders(path: Path, ignore: Collection[int] = ()) -> tuple[Holder, ...]:
    """Given a database, return the processes that have it or a companion open, this one and `ignore` left out.

    Processes of other users show only through locks that they hold at this moment, unless we are root.
    """
    files = [os.fspath(rawfile.companion(path, suffix)) for suffix in _SUFFIXES]
    inodes = {state for name in files if (state := _inode(name))}
    pids = set(_lock_owners(inodes))
    for process in psutil.process_iter():
        try:
            if any(
                file.path in files or _inode(_opened(process.pid, file.fd)) in inodes for file in process.open_files()
            ):
                pids.add(process.pid)
        except (psutil.Error, OSError):
            continue
    return tuple(_describe(pid) for pid in sorted(pids - {os.getpid(), *ignore}))


def in_words(holders: Collection[Holder]) -> str:
    """Given holders, return them as a phrase: `python (pid 12), sqlite3 (pid 14)`."""
    if not holders:
        return "a process that cannot be seen from here"
    return ", ".join(f"{holder.command} (pid {holder.pid})" for holder in holders)


def _describe(pid: int) -> Holder:
    """Name a process by program and script alone: the rest of a command line may hold secrets."""
    try:
        process = psutil.Process(pid)
        words = [process.name()]
        words += [Path(word).name for word in process.cmdline()[1:2] if not word.startswith("-") and "=" not in word]
        return Holder(pid, " ".join(words), datetime.fromtimestamp(process.create_time(), UTC))
    except (psutil.Error, OSError):
        return Holder(pid, "a process")


def _opened(pid: int, descriptor: int) -> str:
    """What a process has open, whatever path it was opened by: in a container it is another one."""
    return f"/proc/{pid}/fd/{descriptor}"


def _inode(name: str) -> str | None:
    try:
        state = os.stat(name)  # noqa: PTH116 - st_dev split below
    except OSError:
        return None
    return f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"


def _lock_owners(inodes: Collection[str]) -> list[int]:
    """Read /proc/locks: `1: POSIX ADVISORY WRITE 1234 08:02:5678 0 EOF` (man 5 proc)."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    fields = [line.replace("-> ", "").split() for line in lines]
    return [int(field[4]) for field in fields if len(field) > 5 and field[5] in inodes and int(field[4]) > 0]
