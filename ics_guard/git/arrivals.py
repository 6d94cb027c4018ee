"""What a switch, merge or rebase brought into the work tree, from what git tells the hook that runs afterwards."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from ics_guard.git.diffs import Diff, difference, differences, staged
from ics_guard.git.names import is_zero
from ics_guard.git.process import answer, records
from ics_guard.git.repository import Repository

_STARTED = re.compile(rb"\(start\): checkout ")


def arrived(repository: Repository, hook: str, arguments: list[str], stdin: bytes) -> Diff | None:
    """Given a post-checkout, post-merge or post-rewrite with what git passed, return what came in; None for nothing.

    A new clone or worktree comes from nowhere, files taken from a commit and an amended commit bring nothing. Raise
    `UsageError` if git cannot tell.
    """
    if hook == "post-checkout":
        old, new, is_branch = (*arguments, "", "", "")[:3]
        return _gained(repository, old, new) if is_branch == "1" and not is_zero(old) else None
    if hook == "post-merge" and arguments[:1] == ["1"]:  # --squash leaves it all in the index
        return staged(repository)
    moved = _merged(repository) if hook == "post-merge" else _rebased(repository, arguments, stdin)
    return _gained(repository, *moved) if moved else None


def stood_since(repository: Repository) -> datetime | None:
    """Return when HEAD came to where it stood before its last move; None where its log does not say."""
    log = records(repository, "log", "--walk-reflogs", "-2", "-z", "--date=unix", "--format=%gd", "HEAD", "--")
    if len(log) < 2:
        return None
    return datetime.fromtimestamp(int(log[1].removeprefix(b"HEAD@{").removesuffix(b"}")), UTC)


def _gained(repository: Repository, old: str, new: str) -> Diff | None:
    """What `new` adds since the two parted, unless `old` has the same. All that differs if they have nothing in common.

    A change made and undone inside a branch is none, and neither is one that came by another way before.
    """
    base = answer(repository, "merge-base", old, new)
    if base == _id(repository, f"{new}^{{commit}}"):
        return None  # back to where it came from
    if not base:
        return difference(repository, old, new)
    apart, added = differences(repository, [(old, new), (base, new)])
    differing = {path for file in apart.files for path in file.paths}
    return replace(added, files=tuple(file for file in added.files if differing & {*file.paths}))


def _merged(repository: Repository) -> tuple[str, str] | None:
    """Where HEAD was before the merge: its log knows; ORIG_HEAD may be of any time."""
    new = _id(repository, "HEAD")
    old = _id(repository, "HEAD@{1}") or _parent_of_merge(repository)
    return (old, new) if old and new else None


def _parent_of_merge(repository: Repository) -> str | None:
    if _id(repository, "HEAD^2"):
        return _id(repository, "HEAD^1")
    contained = answer(repository, "merge-base", "ORIG_HEAD", "HEAD")
    return contained if contained == _id(repository, "ORIG_HEAD") else None


def _rebased(repository: Repository, arguments: list[str], stdin: bytes) -> tuple[str, str] | None:
    """The tip before and after: from git's own lines, or, where a framework swallows them, from the log of HEAD."""
    if arguments[:1] != ["rebase"]:
        return None
    if lines := stdin.decode().splitlines():
        old, new = lines[-1].split()[:2]
        return old, new
    log = records(repository, "log", "--walk-reflogs", "-z", "--format=%H %gs", "HEAD", "--")
    start = next((place for place, entry in enumerate(log) if _STARTED.search(entry)), None)
    if start is None or start + 1 == len(log):
        return None
    return log[start + 1].split(b" ")[0].decode(), log[0].split(b" ")[0].decode()


def _id(repository: Repository, name: str) -> str | None:
    """The id behind a name that git itself keeps; None if there is none."""
    return answer(repository, "rev-parse", "--verify", "--quiet", name)
