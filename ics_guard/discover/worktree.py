"""The files of a work tree, ignored ones included, without what is not the project's own; and what their names say."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_SCRIPTS = (".py", ".ts", ".tsx", ".js", ".mjs", ".cjs", ".jsx", ".php", ".rb", ".ex", ".exs", ".sh", ".dart")
_COMPILED = (".rs", ".go", ".java", ".kt", ".cs", ".swift", ".c", ".cc", ".cpp", ".h", ".hpp", ".scala")
CODE = _SCRIPTS + _COMPILED
"""How the names of source code end."""

_NEVER = {".git", ".ics-guard", "node_modules", "bower_components", "site-packages", "dist-packages", "__pycache__"}
_NEVER |= {"venv", ".venv", ".tox", ".nox", ".eggs", ".cache", ".gradle", ".idea", ".hypothesis", ".mypy_cache"}
_MARKED = {"pyvenv.cfg", "CACHEDIR.TAG", ".git"}  # a virtual environment, a cache, somebody else's repository
_STORE = "backups"
_VENDORED = {"vendor", "vendors", "vendored", "_vendor", "third_party", "thirdparty", "third-party"}
_ASIDE = {"test", "tests", "testing", "testdata", "test_data", "test-data", "__tests__", "spec", "specs", "e2e"}
_ASIDE |= {"fixture", "fixtures", "__fixtures__", "example", "examples", "sample", "samples", "benchmarks"}
_DOCUMENTS = {"doc", "docs", "documentation"}


@dataclass(frozen=True)
class WorkTree:
    """`sizes` holds the bytes of every regular file by its path relative to the root; `code` are the paths to read."""

    root: Path
    sizes: dict[str, int]
    tracked: frozenset[str]
    code: tuple[str, ...]

    def read(self, path: str) -> str:
        """Return the text of a file, whatever its bytes are; nothing if it cannot be read."""
        try:
            return (self.root / path).read_bytes().decode("utf-8-sig", errors="replace")
        except OSError:
            return ""


def walk(root: Path, tracked: Iterable[str]) -> WorkTree:
    """Given the root of a work tree and the paths git tracks in it, return its files. Symlinked folders stay closed.

    What cannot be opened is left out. The code is what git tracks and what lies beside it in the same folders;
    everything, before the first `git add`.
    """
    sizes: dict[str, int] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        entries = _entries(root / folder)
        if folder and any(entry.name in _MARKED for entry in entries):
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NEVER and path != _STORE:
                    folders.append(path)
            elif (size := _size(entry)) is not None:
                sizes[path] = size
    known = frozenset(tracked)
    rooms = {path.rpartition("/")[0] for path in known}
    # what is not added yet counts too: authors migrate first and commit afterwards
    mine = sorted(path for path in sizes if path.rpartition("/")[0] in rooms or not known)
    return WorkTree(root, sizes, known, tuple(path for path in mine if not is_vendored(path)))


def is_vendored(path: str) -> bool:
    """Given a path, return whether it is a copy of somebody else's code."""
    return not (_VENDORED | _NEVER).isdisjoint(path.split("/")[:-1])


def is_aside(path: str) -> bool:
    """Given a path, return whether it is of a test, a fixture or an example: nothing that the product runs on."""
    *folders, name = path.lower().split("/")
    stem = PurePosixPath(name).stem
    named = stem in ("test", "tests", "conftest") or stem.startswith("test_")
    return named or stem.endswith(("_test", "_tests", ".test", ".spec")) or not _ASIDE.isdisjoint(folders)


def not_the_products(path: str) -> str:
    """Given a path, return the outermost folder of it that holds tests, examples or somebody else's code, or ""."""
    folders = path.split("/")[:-1]
    apart = (name.lower() in _ASIDE or name in _VENDORED | _NEVER for name in folders)
    return next(("/".join(folders[: place + 1]) for place, found in enumerate(apart) if found), "")


def is_document(path: str) -> bool:
    """Given a path, return whether it is written for people."""
    return path.lower().endswith((".md", ".rst", ".txt", ".adoc")) or not _DOCUMENTS.isdisjoint(path.split("/")[:-1])


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        status = entry.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
