"""The files of one commit, tree or index, read one by one: a configuration that is not checked out, and evidence."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ics_guard.git.contents import read_blobs
from ics_guard.git.folders import read_folders
from ics_guard.git.process import output, records
from ics_guard.git.repository import Repository

_FOLDER = "folder"


@dataclass(frozen=True)
class TreeFiles:
    """The files of a commit or tree by its id, of the index where it is None. Paths are relative to the root."""

    repository: Repository
    tree: str | None

    @property
    def root(self) -> Path:
        """The top of the work tree, for names that are written in full."""
        return self.repository.root

    def read(self, path: str) -> bytes | None:
        """Given a path, return what is in that file, None if there is none. Raise `UsageError` if git lacks it."""
        found = self.list(path)
        oid = found.get(path)
        return read_blobs(self.repository, [oid])[oid] if oid else None

    def has_folder(self, path: str) -> bool:
        """Given a path, return whether it is a folder (`.` is one)."""
        return path == "." or any(name.startswith(f"{path}/") for name in self.list(path))

    def is_link(self, path: str) -> bool:
        """Given a path, return whether a symbolic link stands there."""
        return any(name == path and mode == "120000" for mode, _, name in self._entries(path))

    def what(self, path: str) -> str:
        """Given a path, return what is there, as `versions` does."""
        entries = list(self._entries(path))
        here = next((oid for _, oid, name in entries if name == path), "")
        return here or (_FOLDER if path == "." or entries else "")

    def list(self, below: str) -> dict[str, str]:
        """Given a path, return the id of each plain file at or below it, by path, undecodable bytes as surrogates."""
        return {name: oid for mode, oid, name in self._entries(below) if mode.startswith("100")}

    def _entries(self, below: str) -> Iterator[tuple[str, str, str]]:
        """Mode, id and path of all at or below a path, links and submodules too."""
        if self.tree is None:
            listed = records(self.repository, "ls-files", "--stage", "-z", "--", f":(top,literal){below}")
        else:
            within = ["--", below] if below else []
            raw = output(self.repository, "ls-tree", "-r", "-z", "--full-tree", self.tree, *within)
            listed = raw.split(b"\0")[:-1]
        for line in listed:  # `mode id stage` in the index, `mode type id` in a tree
            about, _, name = line.partition(b"\t")
            words = about.decode().split()
            yield words[0], words[1] if self.tree is None else words[2], os.fsdecode(name)


def read_folder(
    repository: Repository, folder: str, trees: Collection[str | None]
) -> dict[str | None, dict[str, bytes]]:
    """Given a folder relative to the root and commits or trees (None: the index), return for each its files by path."""
    committed = read_folders(repository, folder, (tree for tree in trees if tree is not None))
    found: dict[str | None, dict[str, bytes]] = {tree: files for tree, files in committed.items()}  # noqa: C416
    if None in trees:
        listed = TreeFiles(repository, None).list("" if folder == "." else folder.rstrip("/") + "/")
        blobs = read_blobs(repository, listed.values())
        found[None] = {path: blobs[oid] for path, oid in listed.items()}
    return found


def versions(
    repository: Repository, trees: Collection[str | None], paths: Sequence[str]
) -> dict[str | None, tuple[str, ...]]:
    """Given trees (None: the index) and paths, return for each tree what is at each path: "" for nothing.

    That is the id of a file, link or submodule; of a folder no more than that it is one.
    """
    wanted = [tree for tree in dict.fromkeys(trees) if tree is not None]
    if any("\n" in path for path in paths):  # which ends a question to cat-file
        return {tree: tuple(TreeFiles(repository, tree).what(path) for path in paths) for tree in trees}
    questions = "".join(f"{tree}:{path}\n" for tree in wanted for path in paths)
    raw = output(repository, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=os.fsencode(questions))
    oids = [_what(line) for line in raw.decode("utf-8", "surrogateescape").split("\n")[:-1]]
    found: dict[str | None, tuple[str, ...]] = {
        tree: tuple(oids[at : at + len(paths)])
        for tree, at in zip(wanted, range(0, len(oids), len(paths) or 1), strict=True)
    }
    if None in trees:
        found[None] = tuple(TreeFiles(repository, None).what(path) for path in paths)
    return found


def _what(line: str) -> str:
    """A line of `cat-file --batch-check`: a type and an id, or the question and `missing` (`submodule` for a link)."""
    kind, _, oid = line.partition(" ")
    if kind == "tree":
        return _FOLDER
    return oid if kind == "blob" else line if line.endswith(" submodule") else ""
