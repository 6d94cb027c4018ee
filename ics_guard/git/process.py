"""How git is run: as bytes, in a known folder, with an environment that means this repository and no other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ics_guard.errors import UsageError

if TYPE_CHECKING:
    from ics_guard.git.repository import Repository

# `git rev-parse --local-env-vars`: what ties git to one repository. Hooks set some of them (GIT_INDEX_FILE for
# `commit -a`, GIT_DIR in worktrees), and a call about another repository must not inherit them.
LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
)

# These change what a pathspec or a diff means: `git --literal-pathspecs commit` hands them to its hooks.
_MISLEADING = (
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
)

# What is asked is what the repository itself holds, which is what a push sends: no object replaced by another on this
# machine, no history grafted, and nothing fetched behind anybody's back (a partial clone would, for each blob).
_FIXED = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",  # git before 2.45 does not know it
    "GIT_ALLOW_PROTOCOL": "none",
}
_NOT_FETCHED = b"from promisor remote"


def inherited() -> dict[str, str]:
    """Return the environment of this process without what would change the meaning of a question to git."""
    return {name: value for name, value in os.environ.items() if name not in _MISLEADING}


def run(
    folder: Path, environment: Mapping[str, str], arguments: tuple[str, ...], stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Given a folder, an environment and arguments, return how git ended. Raise `UsageError` if it cannot be run."""
    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        return subprocess.run(
            command, cwd=folder, env={**environment, **_FIXED}, input=stdin, capture_output=True, check=False
        )
    except OSError as error:
        if not folder.is_dir():
            raise UsageError("no-folder", f"{folder} is not a folder", "name one that exists") from error
        raise UsageError("no-git", f"git cannot be run: {error.strerror}", "install git, or mend PATH") from error


def output(repository: Repository, *arguments: str, stdin: bytes = b"") -> bytes:
    """Given arguments, return what git prints. Raise `UsageError` with git's own words if it fails."""
    done = run(repository.root, repository.environment, arguments, stdin)
    if done.returncode:
        failed(arguments[0], done)
    return done.stdout


def failed(command: str, done: subprocess.CompletedProcess[bytes]) -> NoReturn:
    """Given a git command that failed, raise the `UsageError` with git's own words."""
    if _NOT_FETCHED in done.stderr:
        missing_object("part of what changed")
    said = os.fsdecode(done.stderr).strip() or f"exit code {done.returncode}"
    raise UsageError("git-failed", f"`git {command}` failed: {said}", "mend what git says, then try again")


def missing_object(what: str) -> NoReturn:
    """Raise the `UsageError` for something that this clone does not hold."""
    raise UsageError(
        "missing-object",
        f"{what} is not in this clone",
        "git fetch --refetch --no-filter   (in CI: check out without a filter); `git fsck` tells what else is gone",
    )


def records(repository: Repository, *arguments: str) -> list[bytes]:
    """Given arguments with `-z` among them, return the records that git prints. Raise `UsageError` if it fails."""
    return output(repository, *arguments).split(b"\0")[:-1]


def answer(repository: Repository, *arguments: str) -> str | None:
    """Given arguments, return the first line that git prints, or None where it says no."""
    done = run(repository.root, repository.environment, arguments)
    return None if done.returncode else os.fsdecode(done.stdout).split("\n")[0] or None
