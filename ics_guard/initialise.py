"""init: look at the repository, write the configuration, install the hooks, take and drill the first backup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ics_guard import config, discover, git, known
from ics_guard.backup import BackupResult, back_up
from ics_guard.git import Repository
from ics_guard.install import Installation, install
from ics_guard.model import Progress
from ics_guard.project import Project, in_environment


@dataclass(frozen=True)
class Initialised:
    """What init found and did. `written`: the configuration is new; `empty`: sources without data here."""

    path: Path
    written: bool
    questions: tuple[str, ...]
    hooks: Installation
    backups: tuple[BackupResult, ...]
    empty: tuple[str, ...]


def propose(repository: Repository) -> tuple[str, tuple[str, ...]]:
    """Given a repository without a configuration, return the text of one, and what only a person can tell."""
    proposal = discover.look(repository.root, git.tracked_files(repository))
    return discover.render(proposal), proposal.questions


def initialise(
    repository: Repository, progress: Progress, agree: Callable[[str, tuple[str, ...]], None]
) -> Initialised:
    """Given a repository, do what is still missing of: configuration, hooks, first backup, memory of what is here.

    `agree` is shown a new configuration and its open questions before anything is written, and raises to stop.
    Raise `ConfigError` for a configuration that is there and wrong, `UsageError` where hooks cannot be installed,
    `BackupError` when the first backup does not verify: what was done before it stands, and a second run goes on.
    """
    path = repository.root / config.NAME
    questions: tuple[str, ...] = ()
    written = not path.exists()
    if written:
        progress.start("looking at the repository")
        text, questions = propose(repository)
        agree(text, questions)
        path.write_text(text, encoding="utf-8")
    project = in_environment(repository, config.load(repository.root), "", progress)
    if project.lost_head():
        known.forget_head(repository.common_dir, project.environment.name)
        progress.note("the ledger that this clone knew is gone; a new one begins")
    hooks = install(repository, project.config)
    present, empty = _declare(project)
    backups = back_up(project, project.select(present)) if present else ()
    return Initialised(path, written, questions, hooks, backups, tuple(empty))


def _declare(project: Project) -> tuple[list[str], list[str]]:
    """Tell the sources that have data from those that have none here, and remember the latter as such."""
    present, empty = [], []
    for source in project.environment.sources.values():
        if source.kind != "sqlite":
            continue
        if project.source_path(source).exists():
            present.append(source.name)
        else:
            memory = known.load(project.repository.common_dir).source(project.environment.name, source.name)
            if memory is None or not memory.seen_at:
                known.declare_empty(project.repository.common_dir, project.environment.name, source.name)
            empty.append(source.name)
    return present, empty
