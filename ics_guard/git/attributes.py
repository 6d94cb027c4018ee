"""What .gitattributes make of files: a checkout, or an archive, may hold other bytes than git keeps."""

from __future__ import annotations

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from ics_guard.git.contents import read_blobs
from ics_guard.git.process import run
from ics_guard.git.repository import Repository
from ics_guard.git.trees import versions

NAME = ".gitattributes"

EXPORT_SUBST = "export-subst"
"""The one that a checkout knows nothing of: `git archive` writes what a commit is called into the file."""

_CONVERTING = ("working-tree-encoding", EXPORT_SUBST, "filter")
_MENTIONED = re.compile(b"|".join(word.encode() for word in _CONVERTING))
_SAME_TEXT = re.compile(
    r"utf-?(?:8|16|32)(?:le|be)?(?:-bom)?|(?:us-)?ascii|iso-?8859-?\d+|latin-?1|(?:cp|windows-?)125\d", re.IGNORECASE
)
"""Encodings in which a statement is the statement that git keeps as UTF-8."""
_SHORTEST_ID = 40
_HARMLESS = frozenset({"unspecified", "unset", "lfs"})  # a pointer of LFS says so itself, and is told apart


def converted(repository: Repository, wanted: Iterable[tuple[str | None, str]]) -> dict[tuple[str | None, str], str]:
    """Given pairs of a tree (None: the index) and a path, return those that a checkout changes, and by what.

    The words are as git writes them, `working-tree-encoding=UTF-16`. Nothing is asked of git beyond what stands in the
    .gitattributes of these trees, unless one of them mentions a conversion.
    """
    pairs = list(dict.fromkeys(wanted))
    places = {path: [_beside(folder) for folder in PurePosixPath(path).parents] for _, path in pairs}
    names = list(dict.fromkeys(name for some in places.values() for name in some))
    held = versions(repository, {tree for tree, _ in pairs}, names) if pairs else {}
    oids = {tree: dict(zip(names, found, strict=True)) for tree, found in held.items()}
    blobs = {oid for some in oids.values() for oid in some.values() if oid.isalnum() and len(oid) >= _SHORTEST_ID}
    texts = read_blobs(repository, blobs)
    asked = defaultdict[str | None, list[str]](list)
    for tree, path in pairs:
        if any(_MENTIONED.search(texts.get(oids[tree][name], b"")) for name in places[path]):
            asked[tree].append(path)
    return {(tree, path): said for tree, paths in asked.items() for path, said in _checked(repository, tree, paths)}


def _beside(folder: PurePosixPath) -> str:
    return (folder / NAME).as_posix()


def _checked(repository: Repository, tree: str | None, paths: Collection[str]) -> list[tuple[str, str]]:
    """What git itself says, from an index of the tree's own: only newer ones can be asked about a tree."""
    with tempfile.TemporaryDirectory(prefix="ics-guard-") as folder:
        environment = dict(repository.environment)
        if tree is not None:
            environment["GIT_INDEX_FILE"] = os.fspath(Path(folder) / "index")
            run(repository.root, environment, ("read-tree", tree))
        stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
        arguments = ("-c", "core.attributesFile=", "check-attr", "--cached", "-z", "--stdin", *_CONVERTING)
        fields = [os.fsdecode(one) for one in run(repository.root, environment, arguments, stdin).stdout.split(b"\0")]
    said = defaultdict[str, list[str]](list)
    for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        if value not in _HARMLESS and not _SAME_TEXT.fullmatch(value):
            said[path].append(name if value == "set" else f"{name}={value}")
    return [(path, " ".join(words)) for path, words in said.items()]
