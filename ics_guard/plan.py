"""What a restore would do: which backup, over what, and what of the live data it does not have.

The plan that is previewed is the plan that is carried out (`restore.execute`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from ics_guard import ledger
from ics_guard.backup import records_of
from ics_guard.compression import unpack
from ics_guard.config import Source
from ics_guard.drill import drill_stream, stored_check
from ics_guard.errors import RestoreError, SourceError, UsageError
from ics_guard.model import Backup, BackupKind, BackupRecord, Check, Holder, TableLoss
from ics_guard.project import Project, utc_now
from ics_guard.salvage import SUFFIX_OF_ROLE
from ics_guard.sources.sqlite.checks import integrity_errors
from ics_guard.sources.sqlite.facts import opened, schema_objects
from ics_guard.sources.sqlite.holders import find_holders
from ics_guard.sources.sqlite.image import take_image
from ics_guard.sources.sqlite.losses import compare_rows
from ics_guard.words import age_in_words, moment, size_in_words


@dataclass(frozen=True)
class Plan:
    """What a restore will do. `live` says in words what is there now; `losses` is None when that cannot be read.

    `returns` and `vanishes` are the objects of the schema that come back and go, in the spelling of `Effect.object`.
    """

    source: Source
    path: Path
    backup: Backup
    why: str
    live: str
    holders: tuple[Holder, ...]
    losses: tuple[TableLoss, ...] | None
    returns: tuple[str, ...]
    vanishes: tuple[str, ...]
    steps: tuple[str, ...]


def choose(
    project: Project, which: str, source_name: str = "", *, at: datetime | None = None, revision: str = ""
) -> tuple[Source, BackupRecord, str]:
    """Given what the user named, return source, backup and why it was chosen. Raise `UsageError` if none fits.

    `latest` is the newest verified backup that is no safety copy; with `at` the newest one from before that moment,
    with `revision` the newest one whose Alembic head that is. Safety copies and salvages are chosen by id only.
    """
    entries, _ = ledger.load(project.store)  # a damaged entry must not keep anybody from restoring
    environment = project.environment
    records = [r for r in ledger.records(entries, project.store) if r.backup.env == environment.name]
    if which != "latest":
        record = next((record for record in records if record.backup.id == which), None)
        if record is None or record.backup.source not in environment.sources:
            raise UsageError(
                "unknown-backup",
                f"there is no backup {which!r} in environment {environment.name!r}",
                "`ics-guard ledger list` shows all of them",
            )
        if not record.backup.files:
            said = f"{which} only records that there was no database then; there is nothing in it to restore"
            raise UsageError("absent", said, "to be without one again, remove the file yourself")
        return environment.sources[record.backup.source], record, "named"
    source = _only_source(project, source_name)
    fitting = [
        record
        for record in records
        if record.backup.source == source.name
        and record.backup.kind is BackupKind.BACKUP
        and record.verified_at
        and record.files_present
        and (at is None or record.backup.imaged_at <= at)
        and (not revision or (record.backup.facts and revision in record.backup.facts.revisions))
    ]
    # A backup of another file of the same name (a linked work tree's, or this one before it moved) is second best.
    own = records_of(project, source, tuple(fitting))
    if not fitting:
        wanted = f" at revision {revision}" if revision else (f" from before {moment(at)}" if at else "")
        raise UsageError(
            "no-backup",
            f"there is no verified backup of {source.name}{wanted} in {project.store.location}",
            "`ics-guard ledger list` shows what there is; `ics-guard drill --all` verifies what is there",
        )
    chosen = (*own, *fitting)[0]
    why = f"newest verified with revision {revision}" if revision else "newest verified"
    if not own:
        why += f", but of {chosen.backup.origin}"
    return source, chosen, why + (f" from before {moment(at)}" if at else "")


def make_plan(project: Project, source: Source, record: BackupRecord, why: str, *, preview: bool = True) -> Plan:
    """Given a backup, return the plan to make it live. Nothing is written but scratch. Raise `RestoreError`."""
    path = project.source_path(source)
    holders = find_holders(path)
    look = _look_at_live(project, source, path, record.backup) if preview else _Look("", None)
    steps = [
        f"unpack {record.backup.id} ({size_in_words(sum(f.bytes for f in record.backup.files))}) and drill it again",
        *([f"stop: {source.stop}"] if source.stop else []),
        "take a safety copy of what is there now, and drill it (a salvage if it cannot be drilled)",
        f"put the backup in place of {path}",
        "check integrity, schema and row counts" + (f", {len(source.smoke)} smoke checks" if source.smoke else ""),
        *([f"start: {source.start}"] if source.start else []),
    ]
    then = frozenset(record.backup.facts.objects if record.backup.facts else ())
    return Plan(
        source,
        path,
        record.backup,
        why,
        look.live,
        holders,
        look.losses,
        returns=tuple(sorted(then - look.objects)) if look.losses is not None else (),
        vanishes=tuple(sorted(look.objects - then)) if look.losses is not None else (),
        steps=tuple(steps),
    )


def stage(project: Project, backup: Backup, scratch: Path) -> tuple[dict[str, Path], tuple[Check, ...]]:
    """Given a backup, unpack its files into scratch, by suffix ("" for the main file), and ask every question of them.

    Raise `RestoreError` when one does not pass, `StoreError` when one is gone.
    """
    staged: dict[str, Path] = {}
    checks: tuple[Check, ...] = ()
    for file in backup.files:
        target = scratch / f"staged-{file.role}"
        project.progress.start(f"unpacking {backup.id}", file.bytes)
        with project.store.open(file.key) as stream:
            if backup.kind is BackupKind.SALVAGE:
                checks += (stored_check(unpack(stream, target, file.bytes, project.progress.advance), file),)
            else:
                source = project.environment.sources.get(backup.source)
                checks += drill_stream(project, backup, stream, target, source.unchecked if source else ()).checks
        staged[SUFFIX_OF_ROLE.get(file.role, "")] = target
    if not all(check.ok for check in checks):
        raise damaged(backup, checks)
    return staged, checks


def damaged(backup: Backup, checks: tuple[Check, ...]) -> RestoreError:
    """Given the checks of a backup, at least one failed, return the error that names the first."""
    failed = next(check for check in checks if not check.ok)
    return RestoreError(
        "backup-damaged",
        f"{backup.id} does not pass its own drill ({failed.name}: {failed.detail}); nothing was changed",
        "restore another one: `ics-guard ledger list` shows them, `ics-guard drill --all` says which are good",
    )


@dataclass(frozen=True)
class _Look:
    live: str
    losses: tuple[TableLoss, ...] | None
    objects: frozenset[str] = frozenset()


def _look_at_live(project: Project, source: Source, path: Path, backup: Backup) -> _Look:
    """Say what is live now, and what of it the backup does not have."""
    if not path.exists():
        return _Look(f"there is no file at {path}", None)
    try:
        with project.scratch() as scratch:
            image = scratch / "live.db"
            take_image(path, image)
            size = size_in_words(image.stat().st_size)
            if errors := integrity_errors(image, source.unchecked):
                return _Look(f"{path} is damaged: {errors[0]}", None)
            if backup.kind is BackupKind.SALVAGE:
                return _Look(f"{path} is a healthy database of {size}", None)
            staged, _ = stage(project, backup, scratch)
            with opened(image) as connection:
                objects = frozenset(schema_objects(connection))
            age = age_in_words(utc_now() - backup.imaged_at)
            live = f"{path}, {size}; the backup is {age} older"
            return _Look(live, compare_rows(image, staged[""]), objects)
    except (apsw.Error, SourceError, OSError) as error:
        return _Look(f"{path} cannot be read: {error}", None)


def _only_source(project: Project, name: str) -> Source:
    if name:
        return project.select([name])[0]
    sources = [s for s in project.environment.sources.values() if s.kind == "sqlite"]
    if len(sources) != 1:
        raise UsageError(
            "which-source",
            f"environment {project.environment.name!r} has {len(sources)} databases",
            f"say which one: --source {sources[0].name if sources else 'NAME'}",
        )
    return sources[0]
