"""What a commit, a range or a whole tree holds, file by file, from git's raw diffs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ics_guard.errors import UsageError
from ics_guard.git.names import commit_or_tree, exists, is_zero, merge_base, no_merge_base, trees
from ics_guard.git.process import failed, missing_object, output, records, run
from ics_guard.git.repository import Repository

# The rename limit is given, for a verdict must not depend on somebody's diff.renameLimit; what is done with submodules,
# for it must not depend on a .gitmodules that the change brings.
_RAW = (
    "--raw",
    "-z",
    "-M",
    "-l1000",
    "--no-abbrev",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--ignore-submodules=none",
)

SYMLINK = "symbolic link"
SUBMODULE = "submodule"
_NOTHING = "000000"
_MISUSED = 129  # what git says of an option that it does not know
_OPAQUE = {"120000": SYMLINK, "160000": SUBMODULE}


@dataclass(frozen=True)
class FileChange:
    """One file of a diff. `before` and `after` are ids of blobs, None where there is no file.

    `status` is git's letter: A, M, D, R or C. Paths are relative to the root, undecodable bytes as surrogates.
    `opaque` says what stands at the path where no content does: `SYMLINK` (the blob is where it points to) or
    `SUBMODULE` (the id is of a commit of another repository). Such a thing moved, and a change of type, come as D, A.
    """

    status: str
    path: str
    previous_path: str | None
    before: str | None
    after: str | None
    opaque: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the file is, and where it was before if it moved."""
        return (self.path, self.previous_path) if self.previous_path else (self.path,)


@dataclass(frozen=True)
class Diff:
    """The files that differ between two trees: `base` is a commit or tree by its id, `head` too, None for the index.

    `onto` is the commit that `head` is to join, where that has moved on since `base`.
    """

    base: str
    head: str | None
    files: tuple[FileChange, ...]
    onto: str = ""

    @property
    def target(self) -> str:
        """The commit or tree that the change is to join."""
        return self.onto or self.base


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
    if before == repository.empty_tree:
        return difference(repository, before, after)
    if merge_base(repository, after, before) is None:
        no_merge_base(repository, base, head)
    # Branches that merged each other parted in several places: what is new since any of them counts.
    parted = output(repository, "merge-base", "--all", after, before).decode().split()
    diffs = differences(repository, [(one, after) for one in parted])
    files = dict.fromkeys(file for diff in diffs for file in diff.files)
    return Diff(parted[0], after, tuple(files), onto=before)


def joined(repository: Repository, diff: Diff) -> Diff | None:
    """Given what `between` told, return what its target gets from being merged with it, where that has moved on.

    What a branch undid that its target has by now, and what it says again, shows there alone. None where both merge
    bases and targets are one, and where git cannot merge the two: nobody can, then, before somebody changes the branch.
    Raise `UsageError` for a git that cannot merge without a work tree (before 2.38).
    """
    if not diff.onto or diff.onto == diff.base or diff.head is None:
        return None
    arguments = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", diff.onto, diff.head)
    with tempfile.TemporaryDirectory(prefix="ics-guard-") as nothing:  # no .gitattributes of the branch say how
        nowhere = {"GIT_WORK_TREE": nothing, "GIT_INDEX_FILE": f"{nothing}/index"}
        environment = {**repository.environment, "GIT_DIR": os.fspath(repository.git_dir), **nowhere}
        done = run(Path(nothing), environment, ("-c", "core.attributesFile=", *arguments))
    if done.returncode == 1:
        return None
    if done.returncode == _MISUSED:
        said = f"{diff.base[:12]} has moved on, and this git cannot tell what it becomes with {diff.head[:12]} merged"
        raise UsageError("cannot-merge", said, "use git 2.38 or newer, or rebase the branch first")
    if done.returncode:
        failed("merge-tree", done)
    return difference(repository, diff.onto, done.stdout.split(b"\0")[0].decode())


def difference(repository: Repository, old: str, new: str) -> Diff:
    """Given two commits or trees, return what differs; a zero id is nothing. Raise `UsageError` if one is unknown."""
    before, after = (
        repository.empty_tree if is_zero(name) else commit_or_tree(repository, name) for name in (old, new)
    )
    return Diff(before, after, _parsed(records(repository, "diff-tree", "-r", *_RAW, before, after, "--")))


def differences(repository: Repository, pairs: Iterable[tuple[str, str]]) -> list[Diff]:
    """Given pairs of ids of commits or trees, return what differs between each two, in two git processes for all.

    Raise `UsageError` if one is not in this clone.
    """
    wanted = list(pairs)
    tree = trees(repository, (oid for pair in wanted for oid in pair if oid != repository.empty_tree))
    tree[repository.empty_tree] = repository.empty_tree
    if absent := next((oid for pair in wanted for oid in pair if oid not in tree), None):
        missing_object(f"commit {absent}")
    asked = dict.fromkeys(f"{tree[old]} {tree[new]}" for old, new in wanted)
    told = _differences_of_trees(repository, list(asked)) if asked else {}
    return [Diff(old, new, told[f"{tree[old]} {tree[new]}"]) for old, new in wanted]


def _differences_of_trees(repository: Repository, pairs: list[str]) -> dict[str, tuple[FileChange, ...]]:
    """What `git diff-tree --stdin` says of pairs of trees: each pair on a line of its own, then its records."""
    raw = output(repository, "diff-tree", "--stdin", "-r", *_RAW, stdin="\n".join((*pairs, "")).encode())
    found: dict[str, list[bytes]] = {pair: [] for pair in pairs}
    mine: list[bytes] = []
    fields = iter(raw.split(b"\0"))
    for field in fields:
        *heads, about = field.split(b"\n")
        if heads:
            mine = found[heads[-1].decode()]
        if about:
            letter = about.rsplit(b" ", 1)[1][:1]
            mine += [about, *(next(fields) for _ in range(2 if letter in b"RC" else 1))]
    return {pair: _parsed(some) for pair, some in found.items()}


def everything(repository: Repository) -> Diff:
    """Return every tracked file as added. Raise `UsageError` while a conflict is unresolved."""
    found = []
    for record in records(repository, "ls-files", "--stage", "-z"):
        about, _, name = record.partition(b"\t")
        mode, oid, stage = about.decode().split()
        if stage != "0":
            raise _unmerged(os.fsdecode(name))
        found.append(FileChange("A", os.fsdecode(name), None, None, oid, _OPAQUE.get(mode, "")))
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
    gone, come = old_mode != _NOTHING, new_mode != _NOTHING
    opaque = {_OPAQUE.get(mode, "") for mode in (old_mode, new_mode) if mode != _NOTHING}
    if letter == "T" or (moved and opaque != {""}):
        yield FileChange("D", previous, None, old, None, _OPAQUE.get(old_mode, ""))
        yield FileChange("A", path, None, None, new, _OPAQUE.get(new_mode, ""))
    else:
        before, after = old if gone else None, new if come else None
        yield FileChange(letter[0], path, previous if moved else None, before, after, opaque.pop())


def _unmerged(path: str) -> UsageError:
    shown = path.encode("utf-8", "backslashreplace").decode()
    return UsageError("unmerged", f"{shown} has an unresolved conflict", f"resolve it, then: git add -- {shown}")
