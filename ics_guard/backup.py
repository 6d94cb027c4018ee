"""Backup and drill of one or more sources: image, store, restore from the stored bytes, and only then call it verified.

The order makes half-made things invisible: everything happens in scratch and under the store's incoming folder; the
drill runs before anything is published; metadata is published before the image, so that an image never stands alone;
the ledger comes last, and `adopt` enters what a kill left between the two.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import apsw

from ics_guard import git, known, ledger
from ics_guard.compression import pack
from ics_guard.config import Source
from ics_guard.drill import DrillResult, drill_stream, record_drill
from ics_guard.errors import BackupError, LedgerError, SourceError, StoreError
from ics_guard.model import Backup, BackupKind, BackupRecord, Incoming, Reason, StoredFile
from ics_guard.project import TOOL, Project, utc_now
from ics_guard.salvage import salvage
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.checks import integrity_errors
from ics_guard.sources.sqlite.facts import read_facts
from ics_guard.sources.sqlite.holders import find_holders
from ics_guard.sources.sqlite.image import roll_back_hot_journal, take_image

_COMPANIONS = (rawfile.WAL, rawfile.SHM, rawfile.JOURNAL)
_ORPHAN_AGE = timedelta(hours=1)
_MOST_NAMES_LOST = 4


@dataclass(frozen=True)
class BackupResult:
    """One verified backup; `reused` when a current one was there already and nothing was written."""

    record: BackupRecord
    reused: bool


class _NotVerifiedError(Exception):
    """The drill of what was just stored failed; nothing of it is visible."""

    def __init__(self, findings: tuple[str, ...]) -> None:
        super().__init__("; ".join(findings))


def back_up(project: Project, sources: tuple[Source, ...], *, full: bool = False) -> tuple[BackupResult, ...]:
    """Given sources, make sure that each has a verified backup of its present state, and return these.

    `full` takes a new image even where nothing changed. Raise `SourceError`, `StoreError` or `BackupError`: the
    backups of the sources before the failing one stand.
    """
    adopt(project)
    records = ledger.records(ledger.read(project.store), project.store)
    set_id = secrets.token_hex(4)
    results = []
    for source in sources:
        current = None if full else current_backup(project, source, records)
        if current:
            results.append(BackupResult(current, reused=True))
        else:
            results.append(BackupResult(take_backup(project, source, BackupKind.BACKUP, set_id), reused=False))
    return tuple(results)


def current_backup(project: Project, source: Source, records: tuple[BackupRecord, ...]) -> BackupRecord | None:
    """Given a source, return its newest verified backup if that is fresh by policy and nothing was written since."""
    mine = records_of(project, source, records)
    newest = next((r for r in mine if r.verified_at and r.backup.kind is BackupKind.BACKUP), None)
    policy = project.environment.policy
    if (
        newest is None
        or not newest.files_present
        or project.began - newest.backup.imaged_at >= policy.rpo
        or (newest.verified_at and project.began - newest.verified_at >= policy.redrill)
        or not newest.backup.fingerprint
    ):
        return None
    path = project.source_path(source)
    if _is_tracked(project, path):
        return None
    return newest if rawfile.fingerprint(path) == newest.backup.fingerprint else None


def records_of(project: Project, source: Source, records: tuple[BackupRecord, ...]) -> tuple[BackupRecord, ...]:
    """Given all backups, return those of exactly this database: a linked work tree can have one of its own."""
    path = project.source_path(source).resolve()
    return tuple(
        record
        for record in records
        if record.backup.source == source.name
        and record.backup.env == project.environment.name
        and Path(record.backup.origin).resolve() == path
    )


def take_backup(
    project: Project, source: Source, kind: BackupKind, set_id: str, *, watched: bool = False
) -> BackupRecord:
    """Given a source, image, store and drill it, and return the verified backup.

    The runbook's failure handling: a failed drill is retried once, at once; then disk space, permissions and the
    live database are looked at, and what was found is in the error. `watched`: this process has the database open.
    """
    path = project.source_path(source)
    if kind is not BackupKind.SAFETY:  # that one is of the live state as it is, whoever wrote it
        refuse_tracked(project, path)
    for attempt in (1, 2):
        try:
            return _attempt_until_named(project, source, path, kind, set_id, watched=watched)
        except _NotVerifiedError as failure:
            project.progress.note(f"the backup of {source.name} did not pass its drill: {failure}")
            if attempt == 1:
                project.progress.note("retrying at once")
                continue
            raise _diagnose(project, source, path, str(failure), watched=watched) from failure
        except SourceError as error:
            if error.code != "hot-journal" or attempt == 2 or watched:
                raise
            _play_back_journal(project, source, path)
    raise AssertionError  # pragma: no cover - the loop returns or raises


def adopt(project: Project) -> None:
    """Enter backups that are whole in the store but not in the ledger, as a kill between the two leaves them.

    Metadata without an image, older than an hour, is what an interrupted publication leaves: it is removed.
    """
    entries, faults = ledger.load(project.store)
    if faults:
        return
    known_backups = [backup for backup in ledger.backups(entries) if backup.files]
    entered = {ledger.metadata_key(backup) for backup in known_backups}
    images = {file.key for backup in known_backups for file in backup.files}
    for key in project.store.keys("sqlite/"):
        if not key.endswith(".json") or key in entered:
            continue
        try:
            with project.store.open(key) as stream:
                backup = ledger.decode_backup(json.loads(stream.read()))
        except (ValueError, LedgerError):
            continue  # not ours, or damaged: `ledger verify` tells of a known backup's, and no way back rests on it
        age = utc_now() - backup.imaged_at
        if ledger.files_present(project.store, backup):
            if backup.env == project.environment.name and age > _ORPHAN_AGE / 60:
                project.record("backup", backup.source, {"backup": ledger.encode_backup(backup), "adopted": True})
        elif age > _ORPHAN_AGE:
            for file in backup.files:
                if file.key not in images and file.key.startswith("sqlite/"):  # whatever the metadata says
                    project.store.delete(file.key)
            project.store.delete(key)


def lost_ledger(project: Project) -> tuple[Reason, ...]:
    """Return a note if this clone has known entries of this store's ledger that are not there any more."""
    head = project.lost_head()
    if head is None:
        return ()
    where = project.store.location
    said = (
        f"this clone knew ledger entry {head.seq} in {where}, and it is not there any more; older backups may be lost"
    )
    fix = "bring the store back from a copy; or accept the loss and begin anew: ics-guard init"
    return (Reason("ledger-lost", "", said, fix, blocking=False),)


def backup_id(stem: str, kind: BackupKind, at: datetime, taken: int) -> str:
    """Given a database's stem, return the runbook's name in UTC, with a suffix from the second on."""
    label = {BackupKind.BACKUP: "", BackupKind.SAFETY: ".pre_restore", BackupKind.SALVAGE: ".salvage"}[kind]
    return f"{stem}{label}_{at:%Y%m%d_%H%M%S}" + (f"_{taken + 1}" if taken else "")


def _attempt_until_named(
    project: Project, source: Source, path: Path, kind: BackupKind, set_id: str, *, watched: bool
) -> BackupRecord:
    """Commands that image in the same second want the same name, and learn of each other only at the end."""
    for _ in range(_MOST_NAMES_LOST):
        try:
            return _attempt(project, source, path, kind, set_id, watched=watched)
        except BackupError as error:
            if error.code != "name-taken":
                raise
            time.sleep(secrets.randbelow(1000) / 1000)
    return _attempt(project, source, path, kind, set_id, watched=watched)


def _attempt(
    project: Project, source: Source, path: Path, kind: BackupKind, set_id: str, *, watched: bool
) -> BackupRecord:
    began = time.monotonic()
    size = path.stat().st_size if path.exists() else 0
    project.progress.start(f"imaging {source.name}", 0, _expected_seconds(size))
    with project.scratch() as scratch:
        image = scratch / "image.db"
        _preflight_space(scratch, size)
        before = "" if watched else _settled_fingerprint(path)
        imaged_at = utc_now()
        take_image(path, image, project.patience, watched=watched)
        unmoved = before if before and rawfile.fingerprint(path) == before else ""
        try:
            facts = read_facts(image, source.unchecked)
        except apsw.Error as error:
            raise _NotVerifiedError((f"the image cannot be read: {error}",)) from error
        for taken in range(1000):
            name = backup_id(path.resolve().stem, kind, imaged_at, taken)
            key = f"sqlite/{name}.db.zst"
            if project.store.size(key) is None and project.store.size(f"{key}.json") is None:
                break
        commit, describe = project.commit
        with project.store.writing(key) as incoming:
            project.progress.start(f"storing {source.name}", image.stat().st_size)
            with image.open("rb") as stream:
                packed = pack(stream, incoming.stream, project.progress.advance)
            stored_seconds = time.monotonic() - began
            backup = Backup(
                id=name,
                set=set_id,
                source=source.name,
                env=project.environment.name,
                kind=kind,
                imaged_at=imaged_at,
                files=(
                    StoredFile(
                        key,
                        "image",
                        packed.stored_sha256,
                        packed.stored_bytes,
                        packed.content_sha256,
                        packed.content_bytes,
                    ),
                ),
                facts=facts,
                fingerprint=unmoved,
                origin=str(path),
                commit=commit,
                describe=describe,
                operator=project.operator,
                seconds=round(stored_seconds, 3),
                tool=TOOL,
            )
            image.unlink()
            project.progress.start(f"drilling {source.name}", packed.content_bytes)
            with incoming.reread() as stream:
                result = drill_stream(project, backup, stream, scratch / "drill.db", source.unchecked)
            if not result.ok:
                raise _NotVerifiedError(tuple(f"{c.name}: {c.detail}" for c in result.checks if not c.ok))
            _publish(project, backup, incoming)
    return _enter(project, backup, result, path)


def _publish(project: Project, backup: Backup, incoming: Incoming) -> None:
    metadata = json.dumps(ledger.encode_backup(backup), indent=1, sort_keys=True).encode() + b"\n"
    if not (project.store.create(ledger.metadata_key(backup), metadata) and incoming.publish()):
        raise BackupError(
            "name-taken",
            f"another backup took the name {backup.id} at the same moment",
            "run the same command again",
        )


def _enter(project: Project, backup: Backup, result: DrillResult, path: Path) -> BackupRecord:
    entry = project.record("backup", backup.source, {"backup": ledger.encode_backup(backup)})
    record_drill(project, result)
    known.remember_source(project.repository.common_dir, project.environment.name, backup.source, path)
    return BackupRecord(backup, utc_now(), round(result.seconds, 3), True, True, entry.seq)


def _settled_fingerprint(path: Path) -> str:
    rawfile.read_header(path)
    rawfile.settle()
    return rawfile.fingerprint(path)


def refuse_tracked(project: Project, path: Path) -> None:
    """Given a database, raise `SourceError` if git tracks it, a companion or what leads there; say how to mend it."""
    if path.exists() and (above := git.tracked_above(project.repository, path)):
        raise SourceError("source-tracked", f"{path} is {_behind(above)}", _named_itself(project, "path", path))
    if path.exists() and _is_tracked(project, path):
        raise SourceError(
            "source-tracked",
            f"{path}, or its -wal, -shm or -journal, is tracked by git: git rewrites it on checkout, stash and merge, "
            "even while hooks run, so what is backed up may not be your data",
            f"git rm --cached --ignore-unmatch -- {shlex.join(f'{path}{end}' for end in ('', *_COMPANIONS))} "
            f"&& echo {shlex.quote(f'/{path.name}*')} >> {shlex.quote(str(path.parent / '.gitignore'))}",
        )


def refuse_tracked_store(project: Project) -> None:
    """Raise `StoreError` if git tracks anything in the store: a commit could then bring its own way back."""
    place = Path(project.store.location)
    if above := git.tracked_above(project.repository, place / "ledger"):
        said = f"the store {place} is {_behind(above)}"
        raise StoreError("store-tracked", said, _named_itself(project, "store", place))
    if git.is_tracked(project.repository, place):
        raise StoreError(
            "store-tracked",
            f"the store {place} is tracked by git: whoever commits may have filled it",
            f"git rm -r --cached --ignore-unmatch -- {shlex.quote(str(place))}   (the files stay)",
        )


def _behind(above: str) -> str:
    return f"behind {above}, a link or submodule that git tracks: a commit can put something else there"


def _named_itself(project: Project, key: str, place: Path) -> str:
    where = f"[env.{project.environment.name}{'' if key == 'store' else '.sources.…'}]"
    return f'name the place itself, in ics-guard.local.toml: {where} {key} = "{place.resolve()}"'


def _is_tracked(project: Project, path: Path) -> bool:
    """A checkout that swaps an old -wal in undoes or corrupts the database beside it."""
    companions = (rawfile.companion(path, suffix) for suffix in _COMPANIONS)
    return bool(git.tracked_above(project.repository, path)) or git.is_tracked(project.repository, path, *companions)


def _play_back_journal(project: Project, source: Source, path: Path) -> None:
    """An application died in the middle of a transaction: keep every byte, then let SQLite roll it back."""
    if holders := find_holders(path):
        names = ", ".join(f"{holder.command} (pid {holder.pid})" for holder in holders)
        raise SourceError("hot-journal-held", f"{path} has an unfinished transaction, and {names} holds it", "stop it")
    project.progress.note(f"{source.name} was left in the middle of a transaction: keeping a salvage, rolling it back")
    kept = salvage(project, source, path)
    roll_back_hot_journal(path)
    project.record("recovered", source.name, {"path": str(path), "salvage": kept.id, "why": "hot journal rolled back"})


def _diagnose(project: Project, source: Source, path: Path, findings: str, *, watched: bool) -> BackupError:
    """Say what the runbook asks to look at, in the order in which it helps: the live data, the disk, permissions."""
    try:
        with project.scratch() as scratch:
            image = scratch / "look.db"
            take_image(path, image, watched=watched)
            errors = integrity_errors(image, source.unchecked)
    except (apsw.Error, SourceError, OSError) as error:
        errors = (str(error),)
    if errors:
        return BackupError(
            "source-damaged",
            f"the live database {path} is itself damaged, so no backup of it can be verified: {'; '.join(errors[:3])}",
            f"ics-guard restore latest --source {source.name}   (a salvage of the damaged files is kept)",
        )
    usage = shutil.disk_usage(project.repository.common_dir)
    permitted = "may" if os.access(project.store.location, os.W_OK) else "may not"
    return BackupError(
        "drill-failed",
        f"the backup of {source.name} failed its drill twice: {findings}. Disk: {usage.free / 2**20:.0f} MiB free in "
        f"{project.repository.common_dir}; this user {permitted} write to {project.store.location}",
        "check that disk (dmesg, smartctl), then run `ics-guard backup` again; do not migrate before it passes",
    )


def _preflight_space(scratch: Path, size: int) -> None:
    """Image, stored copy and drilled copy are not on disk together: at most two of them are, plus the stored one."""
    free = shutil.disk_usage(scratch).free
    if free < size * 1.1:
        raise BackupError(
            "scratch-full",
            f"a backup needs about {size * 1.1 / 2**20:.0f} MiB of scratch space in {scratch.parent}, and "
            f"{free / 2**20:.0f} MiB are free",
            "free some disk space and try again",
        )


def _expected_seconds(size: int) -> float:
    """Image, zstd and drill together move about 80 MB a second on a small machine."""
    return size / 80e6
