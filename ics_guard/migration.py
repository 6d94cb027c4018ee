"""The gate that Alembic's env.py asks, in a process of its own: is there a fresh backup of exactly this database?"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from ics_guard import config, gate, git, known
from ics_guard import project as projects
from ics_guard.backup import BackupResult, back_up
from ics_guard.config import Source
from ics_guard.errors import BackupError, IcsGuardError, LedgerError, StoreError, UsageError
from ics_guard.model import Progress, Silence
from ics_guard.project import Project
from ics_guard.sources.sqlite.facts import read_live_objects


@dataclass(frozen=True)
class Request:
    """What Alembic is about to do: to which file, from which script folder, which steps in which direction."""

    database: str
    folder: str
    steps: tuple[dict[str, object], ...]


def protect(request: Request, progress: Progress) -> BackupResult | None:
    """Given a request, return the fresh backup that stands before it; None for a database with nothing in it yet.

    Raise `UsageError` for a database that no source answers for, or an error that says why no backup could be made.
    """
    database = Path(request.database)
    if _is_blank(database):
        with suppress(IcsGuardError):  # a blank database may be anybody's: nothing is asked of it
            project, source = _answering(Path(request.folder), database, Silence())
            memory = known.load(project.repository.common_dir).source(project.environment.name, source.name)
            if memory and memory.seen_at:
                progress.note(
                    f"{source.name} held data when it was last seen, and {database} is empty now; "
                    f"to have it back: ics-guard restore latest --source {source.name}"
                )
        return None
    project, source = _answering(Path(request.folder), database, progress)
    try:
        result = _way_back(project, source)
    except IcsGuardError as error:
        why = {"code": error.code, "source": source.name, "message": error.message, "fix": error.fix, "blocking": True}
        with suppress(StoreError, LedgerError):  # what is wrong with the store is told by the error already
            _record(project, source, request, [], [why])
        raise
    _record(project, source, request, [result.record.backup.id], [])
    return result


def _way_back(project: Project, source: Source) -> BackupResult:
    if project.environment.policy.on_missing == "refuse":
        record, unmet = gate.fresh_way_back(project, source)
        if record:
            return BackupResult(record, reused=True)
        why = "; ".join(reason.message for reason in unmet)
        fix = next((reason.fix for reason in unmet if reason.fix), "")
        raise BackupError(
            "no-way-back",
            f"{why}; policy says not to make a backup here" if all(reason.creatable for reason in unmet) else why,
            f"{fix} --env {project.environment.name}" if fix.startswith("ics-guard backup") else fix,
        )
    return back_up(project, (source,))[0]


def _record(
    project: Project, source: Source, request: Request, backups: list[str], reasons: list[dict[str, object]]
) -> None:
    project.record(
        "gate",
        source.name,
        {
            "via": "alembic",
            "verdict": "block" if reasons else "allow",
            "reasons": reasons,
            "backups": backups,
            "changes": [dict(step) for step in request.steps],
        },
    )


def _answering(folder: Path, database: Path, progress: Progress) -> tuple[Project, Source]:
    try:
        repository = git.open_repository(folder)
    except UsageError as error:
        raise UsageError(
            error.code,
            f"{error.message}: guard() finds its configuration and its store through the repository",
            "call guard() only where there is one, or run the migration from a checkout",
        ) from error
    settings = config.load(repository.root)
    for name, environment in settings.environments.items():
        for source in environment.sources.values():
            if source.kind == "sqlite":
                path = config.source_path(settings, source, repository.main_worktree)
                if path.resolve() == database.resolve():
                    return projects.in_environment(repository, settings, name, progress), source
    raise UsageError(
        "unknown-database",
        f"Alembic is about to migrate {database}, and no source in ics-guard.toml is that file",
        "add it as a source, or name it in env.py if it is a throwaway: guard(context, scratch=['/tmp/**'])",
    )


def _is_blank(database: Path) -> bool:
    """Whether there is nothing to lose: no file, no bytes, or no table but Alembic's own."""
    if not database.exists() or not database.stat().st_size:
        return True
    try:
        _, objects = read_live_objects(database)
    except apsw.Error:
        return False
    return not [name for name in objects if name.startswith("table:") and name != "table:alembic_version"]
