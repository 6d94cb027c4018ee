"""The one place where the replay calls ics-guard: what `ics-guard check --range PARENT..COMMIT` would list."""

from __future__ import annotations

from pathlib import Path

from benchmarks.replay.nouns import Commit, Found
from ics_guard import git
from ics_guard.changes import find_changes
from ics_guard.config import Config
from ics_guard.model import Severity, Silence
from ics_guard.project import Project, in_environment


def open_engine(folder: Path, config: Config) -> Project:
    """Given a work tree and a configuration, return the project as a hook or CI would open it."""
    return in_environment(git.open_repository(folder), config, "", Silence())


def find(project: Project, commit: Commit) -> list[Found]:
    """Given a commit, return every change that the gate would see in it against its first parent."""
    diff = git.difference(project.repository, commit.parent or project.repository.empty_tree, commit.oid)
    changes = find_changes(project, diff).changes
    return [Found(change.path, change.rule, change.severity is Severity.NOTICE) for change in changes]
