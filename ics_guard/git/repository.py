"""Which repository a folder belongs to, also inside hooks, worktrees and submodules."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ics_guard.errors import UsageError
from ics_guard.git.process import LOCAL_VARIABLES, inherited, run

_QUESTIONS = (
    "--is-bare-repository",
    "--show-object-format",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-toplevel",
)


@dataclass(frozen=True)
class Repository:
    """A work tree and what belongs to it. `common_dir` and `main_worktree` are shared by linked worktrees.

    Where the repository proper is bare, `main_worktree` is `common_dir`: the one place that all its worktrees share.
    `environment` is what its git processes run with.
    """

    root: Path
    git_dir: Path
    common_dir: Path
    main_worktree: Path
    object_format: str
    environment: Mapping[str, str] = field(repr=False, compare=False)

    @property
    def empty_tree(self) -> str:
        """The id of the tree that holds nothing."""
        return hashlib.new(self.object_format, b"tree 0\0", usedforsecurity=False).hexdigest()


def open_repository(start: Path) -> Repository:
    """Given a folder, return the repository whose work tree it is in. Raise `UsageError` if there is none.

    What a hook inherited from git (GIT_INDEX_FILE above all) counts if it is about this repository.
    """
    environment = inherited()
    plain = {name: value for name, value in environment.items() if name not in LOCAL_VARIABLES}
    found = _discover(start, plain)
    if len(environment) > len(plain):
        told = _discover(Path.cwd(), environment)
        if isinstance(told, Repository):
            if isinstance(found, Repository) and found.git_dir == told.git_dir:
                return _pinned(found, environment)
            if isinstance(found, UsageError) and start.resolve().is_relative_to(told.root):
                return _pinned(told, environment)  # a work tree that only GIT_DIR and GIT_WORK_TREE tell of
    if isinstance(found, UsageError):
        raise found
    return found


def _discover(start: Path, environment: Mapping[str, str]) -> Repository | UsageError:
    done = run(start, environment, ("rev-parse", *_QUESTIONS))
    lines = [os.fsdecode(line) for line in done.stdout.splitlines()]
    if lines[:1] == ["true"]:
        return UsageError("bare-repository", f"{start} is in a bare repository", "run it in a work tree")
    if done.returncode or len(lines) != len(_QUESTIONS):
        said = os.fsdecode(done.stderr).strip() or "the path of the repository holds a line break"
        return UsageError("no-repository", f"{start}: {said}", "run it inside a git work tree, or `git init` one")
    _, object_format, git_dir, common, root = lines
    common_dir = (start / common).resolve()
    linked = Path(git_dir).resolve() != common_dir
    main = _main_worktree(start, environment, common_dir) if linked else Path(root)
    return Repository(Path(root), Path(git_dir), common_dir, main, object_format, environment)


def _main_worktree(start: Path, environment: Mapping[str, str], common_dir: Path) -> Path:
    done = run(start, environment, ("config", "--file", str(common_dir / "config"), "core.worktree"))
    if done.returncode == 0:  # a submodule: its git directory is not beside its files
        return (common_dir / os.fsdecode(done.stdout.rstrip(b"\n"))).resolve()
    return common_dir.parent if common_dir.name == ".git" else common_dir


def _pinned(repository: Repository, environment: Mapping[str, str]) -> Repository:
    """What git gave relative to the folder it works in, made to hold from anywhere."""
    pinned = dict(environment)
    if "GIT_DIR" in pinned:
        pinned |= {"GIT_DIR": str(repository.git_dir), "GIT_WORK_TREE": str(repository.root)}
    if "GIT_INDEX_FILE" in pinned:
        pinned["GIT_INDEX_FILE"] = str(repository.root / pinned["GIT_INDEX_FILE"])
    return replace(repository, environment=pinned)
