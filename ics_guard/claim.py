"""Temporary files and folders that say whether their maker is still alive, so that the next command can clear up.

A maker holds `flock` on what it makes. The kernel drops the lock when the process ends, however it ends; nothing
depends on process ids, which are reused and mean nothing to another machine or container.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_NAME = ".claimed"
"""The file inside a claimed folder that carries the lock."""

_BEING_MADE_SECONDS = 60.0
"""A folder without its lock file is being made right now, unless it has been like that for so long."""


def claim_file(folder: Path) -> tuple[int, Path]:
    """Given a folder, return a new locked file in it, as open descriptor and path. Raise OSError if it cannot be."""
    while True:
        path = folder / secrets.token_hex(8)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        if os.fstat(descriptor).st_nlink:  # a sweeper may have come between open and flock
            return descriptor, path
        os.close(descriptor)


@contextmanager
def claimed_folder(parent: Path) -> Iterator[Path]:
    """Given a parent folder (made if needed, 0700), yield a new private folder in it, and remove it afterwards."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(parent)
    folder = parent / secrets.token_hex(8)
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder / LOCK_NAME, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep(parent: Path) -> int:
    """Given a folder of claimed files and folders, remove those whose maker is gone; return how many that were."""
    return sum(_removed_if_abandoned(path) for path in sorted(parent.iterdir())) if parent.is_dir() else 0


def _removed_if_abandoned(path: Path) -> bool:
    """Remove under the lock: a maker that waits for it finds its file unlinked, and takes another."""
    try:
        descriptor = os.open(path / LOCK_NAME if path.is_dir() else path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.is_dir() and time.time() - path.stat().st_mtime > _BEING_MADE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
            return True
        return False
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def sync_folder(folder: Path) -> None:
    """Given a folder, make its entries durable: a rename or link in it survives a power cut. Raise OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
