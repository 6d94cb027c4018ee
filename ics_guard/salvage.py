"""Salvage: a hashed byte copy of a database that cannot be drilled, with its companions, never called verified."""

from __future__ import annotations

import json
from pathlib import Path

from ics_guard import ledger
from ics_guard.compression import pack
from ics_guard.config import Source
from ics_guard.model import Backup, BackupKind, StoredFile
from ics_guard.project import TOOL, Project, utc_now
from ics_guard.sources.sqlite import rawfile

SUFFIX_OF_ROLE = {"main": "", "wal": rawfile.WAL, "journal": rawfile.JOURNAL}


def salvage(project: Project, source: Source, path: Path) -> Backup:
    """Given a database in whatever state, store the bytes of main file, -wal and -journal, and return the salvage.

    A file that is absent is recorded by not being there. The bytes are read by a child process, so that this one may
    have the database open. Raise `StoreError`, or OSError when the files cannot be read.
    """
    at = utc_now()
    name = f"{path.resolve().stem}.salvage_{at:%Y%m%d_%H%M%S_%f}"
    project.progress.start(f"keeping a salvage of {source.name}")
    with project.scratch() as scratch:
        files = tuple(
            _store(project, f"sqlite/{name}.db{suffix}.zst", role, scratch / role)
            for role, suffix in SUFFIX_OF_ROLE.items()
            if rawfile.copy_elsewhere(rawfile.companion(path, suffix), scratch / role)
        )
    commit, describe = project.commit
    kept = Backup(
        id=name,
        set="",
        source=source.name,
        env=project.environment.name,
        kind=BackupKind.SALVAGE,
        imaged_at=at,
        files=files,
        facts=None,
        fingerprint="",
        origin=str(path),
        commit=commit,
        describe=describe,
        operator=project.operator,
        seconds=round((utc_now() - at).total_seconds(), 3),
        tool=TOOL,
    )
    if files:
        project.store.create(ledger.metadata_key(kept), json.dumps(ledger.encode_backup(kept), indent=1).encode())
    project.record("backup", source.name, {"backup": ledger.encode_backup(kept)})
    return kept


def _store(project: Project, key: str, role: str, file: Path) -> StoredFile:
    with project.store.writing(key) as incoming, file.open("rb") as stream:
        packed = pack(stream, incoming.stream, project.progress.advance)
        incoming.publish()
    return StoredFile(key, role, packed.stored_sha256, packed.stored_bytes, packed.content_sha256, packed.content_bytes)
