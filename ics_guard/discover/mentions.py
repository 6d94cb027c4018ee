"""Databases that a repository speaks of, whether they are there or not."""

from __future__ import annotations

import os.path
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ics_guard.discover.worktree import CODE, WorkTree, is_aside, is_document

_LARGEST = 1 << 20
_SETTINGS = (".ini", ".cfg", ".toml", ".yaml", ".yml", ".env", ".conf", ".properties")
_PROSE = (".md", ".rst")
_ENDS = ("db", "sqlite", "sqlite3")
_URL = re.compile(r"""sqlite(?:\+\w+)?:///(?P<path>[^\s"'`?#()\[\]{}<>,;$%|\\]+)(?=["'`?#\s)\]<>,;]|$)""", re.MULTILINE)
_FILE = re.compile(
    r"(?P<open>[\"'`(\s=])(?P<path>(?:\.{1,2}/)*(?:[\w-]+/)*\w[\w.-]*\.(?:db|sqlite3?))(?=[\"'`)\s,;:]|$)", re.MULTILINE
)
_JOINED = re.compile(r"""["']([\w-]+)["']\s*(?:\)\s*\.\s*join\(\s*|/\s*|,\s*)["'](\w[\w.-]*\.(?:db|sqlite3?))["']""")
_THROWAWAY = re.compile(
    r"(?:^|[_.-]|(?<=.)/)(?:tests?|tmp|temp|example|memory|foo|thumbs|copy|old|orig|pre)(?:[/_.-]|$)|YYYY|backup|\.bak",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Mention:
    """A path that the repository names, how much that says (settings over code over prose), and where first."""

    path: str
    weight: int
    where: str


def find_mentions(tree: WorkTree) -> list[Mention]:
    """Given a work tree, return the database files it speaks of outside its tests, the likeliest first.

    Paths are relative to the root; absolute only where a `sqlite:` URL says so.
    """
    weights: dict[str, int] = defaultdict(int)
    first: dict[str, tuple[int, str]] = {}
    for file in tree.code:
        worth = _worth(file)
        if not worth or tree.sizes[file] > _LARGEST or is_aside(file):
            continue
        text = tree.read(file)
        for path, offset in _paths(file, text):
            weights[path] += worth
            place = (-worth, f"{file}:{text.count(chr(10), 0, offset) + 1}")
            first[path] = min(first.get(path, place), place)
    whole = {PurePosixPath(path).name: path for path in sorted(weights, key=lambda p: weights[p]) if "/" in path}
    for path in [path for path in weights if "/" not in path and path in whole]:
        weights[whole[path]] += weights.pop(path)  # `ROOT / "app.db"` means the file that is spelt out elsewhere
    ranked = sorted(
        weights, key=lambda path: (bool(_THROWAWAY.search(path)), path.startswith("/"), -weights[path], path)
    )
    return [Mention(path, weights[path], first[path][1]) for path in ranked]


def is_throwaway(path: str) -> bool:
    """Given the path of a database, return whether its name says that it is a copy, or made for a test."""
    return bool(_THROWAWAY.search(path))


def _worth(file: str) -> int:
    name = PurePosixPath(file).name
    if name.startswith(".env") or name.endswith(_SETTINGS) or name == "Dockerfile":
        # what CI and containers do says little about this machine
        return 1 if (file.startswith(".") and "/" in file) or "docker" in name.lower() else 4
    if is_document(file) or name.endswith(_PROSE):
        return 1
    return 2 if name.endswith(CODE) else 0


def _paths(file: str, text: str) -> Iterator[tuple[str, int]]:
    if "sqlite" not in text and ".db" not in text:
        return
    for match in _URL.finditer(text):
        if ":memory:" not in match["path"]:
            yield _settled("", match["path"].removeprefix("file:")), match.start()
    for match in _JOINED.finditer(text):
        yield f"{match[1]}/{match[2]}", match.start()
    for match in _FILE.finditer(text):
        quoted = match["open"] in "\"'`"
        if quoted or "/" in match["path"]:
            yield _settled(file, match["path"]), match.start()


def _settled(file: str, path: str) -> str:
    if path.startswith("../"):
        path = os.path.normpath(os.path.join(os.path.dirname(file), path))  # noqa: PTH118, PTH120 - text, not a place
    settled = os.path.normpath(path)
    while settled.startswith("../"):
        settled = settled.removeprefix("../")
    return settled
