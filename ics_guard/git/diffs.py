"""What a commit, a range or a whole tree holds, file by file, from git's raw diffs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ics_guard.errors import UsageError
from ics_guard.git.names import commit_or_tree, exists, is_zero, merge_base, no_merge_base
from ics_guard.git.process import records
from ics_guard.git.repository import Repository

# The rename limit is given, for a verdict must not depend on somebody's diff.renameLimit.
_RAW = ("--raw", "-z", "-M", "-l1000", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--no-relative")
_SYMLINK = "120000"


@dataclass(frozen=True)
class FileChange:
    """One file of a diff. `before` and `after` are ids of blobs, None where there is no file.

    `status` is git's letter: A, M, D, R or C. Paths are relative to the root, undecodable bytes as surrogates. A
    change of type comes as D and A; submodules do not come at all. `symlink`: a blob is where a link points to.
    """

    status: str
    path: str
    previous_path: str | None
    before: str | None
    after: str | None
    symlink: bool = False


@dataclass(frozen=True)
class Diff:
    """The files that differ between two trees: `base` is a commit or tree by its id, `head` too, None for the index."""

    base: str
    head: str | None
    files: tuple[FileChange, ...]


def staged(repository: Repository) -> Diff:
    """Return what the next commit changes: the index (in a hook, the one git names) against HEAD, or nothing yet.

    Raise `UsageError` while a conflict is unresolved.
    """
    tree = commit_or_tree(repository, "HEAD") if exists(repository, "HEAD") else repository.empty_tree
    return Diff(tree, None, _parsed(records(repository, "diff-index", "--cached", *_RAW, tree, "--")))


def between(repository: Repository, base: str, head: str) -> Diff:
    """Given two commits, return what `head` changes since their merge base; `base` may be the empty tree too.

    Raise `UsageError` for a name that is unknown, or when there is no merge base.
    """
    before, after = commit_or_tree(repository, base), commit_or_tree(repository, head)
    if before != repository.empty_tree:
        before = merge_base(repository, after, before) or no_merge_base(repository, base, head)
    return difference(repository, before, after)


def difference(repository: Repository, old: str, new: str) -> Diff:
    """Given two commits or trees, return what differs; a zero id is nothing. Raise `UsageError` if one is unknown."""
    before, after = (
        repository.empty_tree if is_zero(name) else commit_or_tree(repository, name) for name in (old, new)
    )
    return Diff(before, after, _parsed(records(repository, "diff-tree", "-r", *_RAW, before, after, "--")))


def everything(repository: Repository) -> Diff:
    """Return every tracked file as added. Raise `UsageError` while a conflict is unresolved."""
    found = []
    for record in records(repository, "ls-files", "--stage", "-z"):
        about, _, name = record.partition(b"\t")
        mode, oid, stage = about.decode().split()
        if stage != "0":
            raise _unmerged(os.fsdecode(name))
        if _is_file(mode):
            found.append(FileChange("A", os.fsdecode(name), None, None, oid, mode == _SYMLINK))
    return Diff(repository.empty_tree, None, tuple(found))


def _parsed(raw: list[bytes]) -> tuple[FileChange, ...]:
    fields = iter(raw)
    return tuple(change for about in fields for change in _read_record(about.decode(), fields))


def _read_record(about: str, names: Iterator[bytes]) -> Iterator[FileChange]:
    """One record: `:old-mode new-mode old-id new-id letter`, then one name, or two of a rename or copy."""
    old_mode, new_mode, old, new, letter = about[1:].split()
    previous = os.fsdecode(next(names))
    moved = letter[0] in "RC"
    path = os.fsdecode(next(names)) if moved else previous
    if letter == "U":
        raise _unmerged(path)
    before, after = old if _is_file(old_mode) else None, new if _is_file(new_mode) else None
    if letter == "T":
        if before:
            yield FileChange("D", path, None, before, None, old_mode == _SYMLINK)
        if after:
            yield FileChange("A", path, None, None, after, new_mode == _SYMLINK)
    elif before or after:
        link = _SYMLINK in (old_mode, new_mode)
        yield FileChange(letter[0], path, previous if moved else None, before, after, link)


def _is_file(mode: str) -> bool:
    return mode.startswith("100") or mode == _SYMLINK


def _unmerged(path: str) -> UsageError:
    shown = path.encode("utf-8", "backslashreplace").decode()
    return UsageError("unmerged", f"{shown} has an unresolved conflict", f"resolve it, then: git add -- {shown}")
