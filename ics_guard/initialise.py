"""init: look at the repository, write the configuration, install the hooks, take and drill the first backup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ics_guard import config, discover, git, known
from ics_guard.backup import BackupResult, back_up
from ics_guard.discover import Proposal
from ics_guard.errors import UsageError
from ics_guard.git import Repository
from ics_guard.install import Installation, install, installed
from ics_guard.model import Progress
from ics_guard.project import Project, in_environment

_ELSEWHERE = frozenset({"framework", "hooks-managed"})
"""Why hooks are not ours to install; the rest of init does not depend on it."""
_TOLD = 5
"""So many files are named; what is missing in [watch] is seen by one."""


@dataclass(frozen=True)
class Initialised:
    """What init found and did. `written`: the configuration is new; `empty`: sources without data here,
    `lost`: those whose data this clone has seen and that is gone.

    `questions`: what a person must tell, migrations among it that an older configuration does not watch.
    `hooks_advice` says what a person must do for the hooks to be run, where somebody else writes them.
    """

    path: Path
    written: bool
    questions: tuple[str, ...]
    hooks: Installation
    hooks_advice: str
    backups: tuple[BackupResult, ...]
    empty: tuple[str, ...]
    lost: tuple[str, ...]


def initialise(repository: Repository, progress: Progress, agree: Callable[[Proposal], Proposal]) -> Initialised:
    """Given a repository, do what is still missing of: configuration, hooks, first backup, memory of what is here.

    `agree` is shown what a new configuration would be before anything is written; it returns what to write, or
    raises to stop. Raise `ConfigError` for a configuration that is there and wrong, `UsageError` where a hook is in
    doubt, `BackupError` when the first backup does not verify: what was done before stands, and a second run goes on.
    """
    path = repository.root / config.NAME
    questions: tuple[str, ...] = ()
    written = not path.exists()
    if written:
        progress.start("looking at the repository")
        proposal = agree(discover.look(repository.root, git.tracked_files(repository)))
        questions = proposal.questions
        path.write_text(discover.render(proposal), encoding="utf-8")
    project = in_environment(repository, config.load(repository.root), "", progress)
    questions = questions if written else _unwatched(project)
    known.keep(repository.common_dir / known.FOLDER / config.NAME, path.read_bytes())
    if project.lost_head():
        known.forget_head(repository.common_dir, project.environment.name)
        progress.note("the ledger that this clone knew is gone; a new one begins")
    hooks, advice = _hooks(project)
    present, empty, lost = _declare(project)
    backups = back_up(project, project.select(present)) if present else ()
    return Initialised(path, written, questions, hooks, advice, backups, tuple(empty), tuple(lost))


def _unwatched(project: Project) -> tuple[str, ...]:
    """What has come since the configuration was written, as a question: a person decides what is watched."""
    root = project.repository.root
    found = discover.unwatched(root, git.tracked_files(project.repository), project.config.watch)
    if not found:
        return ()
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    named = f"{', '.join(map(ascii, found[:_TOLD]))}{more}"
    return (f"no pattern of [watch] matches what looks like a migration: {named}; watch or exclude it?",)


def _hooks(project: Project) -> tuple[Installation, str]:
    try:
        return install(project.repository, project.config), ""
    except UsageError as error:
        if error.code not in _ELSEWHERE:
            raise
        standing = installed(project.repository)
        return standing, f"{error.message}\n{error.fix}" if standing.missing else ""


def _declare(project: Project) -> tuple[list[str], list[str], list[str]]:
    """Tell the sources that have data from those that have none here, and remember the latter as such."""
    present: list[str] = []
    empty: list[str] = []
    lost: list[str] = []
    for source in project.environment.sources.values():
        if source.kind != "sqlite":
            continue
        memory = known.load(project.repository.common_dir).source(project.environment.name, source.name)
        if project.source_path(source).exists():
            present.append(source.name)
        elif memory and memory.seen_at:
            lost.append(source.name)
        else:
            known.declare_empty(project.repository.common_dir, project.environment.name, source.name)
            empty.append(source.name)
    return present, empty, lost
