"""The commits of a clone with what each edits, and the contents of files, by git's batch readers alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from benchmarks.replay.nouns import Commit, Edit

_RAW = ("--raw", "-z", "-M", "-l1000", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--root")
_AT_ONCE = 256


@contextmanager
def borrowed(clone: Path, *, checkout: bool = False) -> Iterator[Path]:
    """Yield a work tree of its own that borrows the clone's objects, so that nothing is written into the clone."""
    with TemporaryDirectory(prefix="replay-") as scratch:
        folder = Path(scratch) / "clone"
        quiet = ["-c", "safe.directory=*", "clone", "-q", "--shared", "--no-checkout", "--no-tags"]
        _git(Path(scratch), *quiet, str(clone.resolve()), str(folder))
        if checkout:
            _git(folder, "-c", "advice.detachedHead=false", "checkout", "-q", "HEAD")
        yield folder


def commits(folder: Path, revision: str, *, first_parent: bool = False, most: int = 0) -> Iterator[Commit]:
    """Given a repository and a revision, yield the commits it holds, newest first, each against its first parent.

    One that git cannot compare, since the clone lacks objects of it, has None for edits.
    """
    chosen = [*(["--first-parent"] if first_parent else []), *([f"-n{most}"] if most else [])]
    oids = _git(folder, "rev-list", *chosen, revision, "--").decode().split()
    for start in range(0, len(oids), _AT_ONCE):
        yield from _compared(folder, oids[start : start + _AT_ONCE])


def _compared(folder: Path, oids: list[str]) -> Iterator[Commit]:
    command = ["log", "--no-walk=unsorted", "--stdin", *_RAW, "--diff-merges=first-parent", "--format=%x01%H %P"]
    try:
        raw = _git(folder, *command, stdin="\n".join(oids).encode())
    except subprocess.CalledProcessError:
        if len(oids) > 1:
            half = len(oids) // 2
            yield from _compared(folder, oids[:half])
            yield from _compared(folder, oids[half:])
        else:
            yield Commit(oids[0], None, None)
        return
    fields = iter(raw.split(b"\0"))
    head: list[str] = []
    edits: list[Edit] = []
    for field in (one.lstrip(b"\n") for one in fields):
        if field.startswith(b"\x01"):
            if head:
                yield Commit(head[0], head[1] if len(head) > 1 else None, tuple(edits))
            head, edits = field[1:].decode().split(), []
        elif field.startswith(b":"):
            edits += _edits(field.decode(), fields)
    yield Commit(head[0], head[1] if len(head) > 1 else None, tuple(edits))


def _edits(about: str, names: Iterator[bytes]) -> Iterator[Edit]:
    """One raw record; a change of type is a deletion and an addition, and a submodule is no file."""
    old_mode, new_mode, old, new, letter = about[1:].split()
    first = os.fsdecode(next(names))
    path = os.fsdecode(next(names)) if letter[0] in "RC" else first
    before = old if old_mode.startswith("1") and old_mode != "160000" else None
    after = new if new_mode.startswith("1") and new_mode != "160000" else None
    if letter == "T":
        yield from (Edit(path, None, *pair) for pair in ((before, None), (None, after)) if any(pair))
    elif before or after:
        yield Edit(path, first if letter[0] == "R" else None, None if letter[0] == "C" else before, after)


class Contents:
    """Blobs and trees of a repository, read through one `git cat-file` and kept while they may be asked for again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            ["git", "cat-file", "--batch"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        # given an id, or REVISION:PATH
        self.blob = lru_cache(4096)(self._read)
        self.files = lru_cache(64)(self._files)

    def close(self) -> None:
        """End the reader."""
        _stream(self.process.stdin).close()
        self.process.wait()
        _stream(self.process.stdout).close()

    def _read(self, oid: str) -> bytes:
        asked, told = _stream(self.process.stdin), _stream(self.process.stdout)
        asked.write(f"{oid}\n".encode())
        asked.flush()
        about = told.readline().split()
        if about[-1] == b"missing":
            raise LookupError(f"{oid} is not in this clone; the history cannot be replayed whole")
        content = told.read(int(about[-1]))
        told.read(1)
        return content

    def _files(self, commit: str) -> dict[str, str]:
        """Every regular file of a commit's tree by path, with the id of its blob."""
        listed = _git(self.folder, "ls-tree", "-r", "-z", commit).split(b"\0")[:-1]
        pairs = (record.split(b"\t", 1) for record in listed if record.startswith(b"100"))
        return {os.fsdecode(name): about.split()[2].decode() for about, name in pairs}


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the process was started without this stream")
    return stream


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, input=stdin, check=True, capture_output=True).stdout
