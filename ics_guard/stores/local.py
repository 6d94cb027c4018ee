"""A store in a local folder: write-once objects, private to their owner, durable before they are visible."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ics_guard import claim
from ics_guard.errors import StoreError

INCOMING = ".incoming"
_OWN = frozenset({"README.txt"})


class LocalStore:
    """Objects as plain files under `root` (0700, files 0600). Made on the first write, never by reading."""

    def __init__(self, root: Path, readme: str = "") -> None:
        self._root = root
        self._readme = readme

    @property
    def location(self) -> str:
        """The folder, as a person would write it."""
        return str(self._root)

    def describe(self, key: str) -> str:
        """Where the object of this key is, for a person."""
        return str(self._path(key))

    def create(self, key: str, data: bytes) -> bool:
        """Put `data` under `key`, whole and durable, unless the key exists; return whether it was put."""
        with self.writing(key) as incoming:
            incoming.stream.write(data)
            return incoming.publish()

    @contextmanager
    def writing(self, key: str) -> Iterator[LocalIncoming]:
        """Yield an `Incoming`; what is not published is removed, at the latest by the next command."""
        final = self._path(key)
        with _explained(f"write {key}", self._root):
            self._prepare()
            final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            claim.sweep(self._root / INCOMING)
            descriptor, temporary = claim.claim_file(self._root / INCOMING)
            try:
                with os.fdopen(descriptor, "w+b") as stream:
                    yield LocalIncoming(stream, temporary, final)
                    # flush errors surface inside `reread`/`publish`; closing an abandoned stream must not raise
                    with suppress(OSError):
                        stream.flush()
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Yield the object's bytes as a stream. Raise `StoreError` if there is none."""
        path = self._path(key)
        try:
            stream = path.open("rb")
        except FileNotFoundError as error:
            raise StoreError(
                "object-missing",
                f"{path} is not in the store",
                "bring it back from a copy of the store; `ics-guard ledger list` shows the other backups",
            ) from error
        except OSError as error:
            raise _store_error(error, f"read {key}", self._root) from error
        with stream:
            yield stream

    def size(self, key: str) -> int | None:
        """Bytes stored under `key`, or None if there is no such object."""
        try:
            return self._path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _store_error(error, f"look at {key}", self._root) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`, sorted; what is on its way in is no key."""
        folder = self._root / PurePosixPath(prefix).parent if not prefix.endswith("/") else self._root / prefix
        try:
            found = sorted(
                path.relative_to(self._root).as_posix()
                for path in (folder.rglob("*") if folder.is_dir() else ())
                if path.is_file() and not _is_hidden(path.relative_to(self._root))
            )
        except OSError as error:
            raise _store_error(error, f"list {prefix}", self._root) from error
        yield from (key for key in found if key.startswith(prefix) and key not in _OWN)

    def delete(self, key: str) -> None:
        """Remove the object; no error if there is none."""
        with _explained(f"delete {key}", self._root):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts:
            raise StoreError(
                "bad-key", f"{key!r} is no name of an object in a store", "the ledger may have been edited"
            )
        return self._root.joinpath(*parts)

    def _prepare(self) -> None:
        """Make the folder on first use, with a .gitignore of its own and the way to restore by hand."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._root / INCOMING).mkdir(exist_ok=True, mode=0o700)
        for name, text in ((".gitignore", "*\n"), ("README.txt", self._readme)):
            path = self._root / name
            if text and not path.exists():
                descriptor, temporary = claim.claim_file(self._root / INCOMING)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(text.encode())
                    stream.flush()
                    temporary.replace(path)


class LocalIncoming:
    """A file under `.incoming/` that becomes visible by an exclusive hard link."""

    def __init__(self, stream: BinaryIO, temporary: Path, final: Path) -> None:
        self._stream = stream
        self._temporary = temporary
        self._final = final

    @property
    def stream(self) -> BinaryIO:
        """Where to write the bytes."""
        return self._stream

    @contextmanager
    def reread(self) -> Iterator[BinaryIO]:
        """Make what was written durable and yield it again through a descriptor of its own."""
        self._sync()
        with self._temporary.open("rb") as stream:
            yield stream

    def publish(self) -> bool:
        """Link it under its key unless the key exists; return whether it was."""
        self._sync()
        try:
            os.link(self._temporary, self._final)
        except FileExistsError:
            return False
        claim.sync_folder(self._final.parent)
        return True

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())


@contextmanager
def _explained(what: str, root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _store_error(error, what, root) from error


def _store_error(error: OSError, what: str, root: Path) -> StoreError:
    """The runbook's failure handling: say what disk space and permissions look like, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(_existing(root)).free
        return StoreError(
            "store-full",
            f"cannot {what}: the store {root} is full ({free / 2**20:.0f} MiB free)",
            "free some space there, or set another `store` for this environment in ics-guard.toml",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            "store-not-writable",
            f"cannot {what}: no permission in the store {root} ({error.strerror})",
            f"make it writable for this user (chmod u+rwx {root}), or set another `store` in ics-guard.toml",
        )
    return StoreError("store-failed", f"cannot {what} in the store {root}: {error}", "check the disk and try again")


def _is_hidden(key: Path) -> bool:
    """What is on its way in, and what a file manager left, is no object."""
    return any(part.startswith(".") for part in key.parts)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
