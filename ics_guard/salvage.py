"""Salvage: a hashed byte copy of a database that cannot be drilled, with its companions, never called verified."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from ics_guard import ledger
from ics_guard.compression import pack
from ics_guard.config import Source
from ics_guard.model import Backup, BackupKind, Incoming, StoredFile
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
    with project.scratch() as scratch, ExitStack() as arriving:
        packed = [
            _pack(project, arriving, f"sqlite/{name}.db{suffix}.zst", role, scratch / role)
            for role, suffix in SUFFIX_OF_ROLE.items()
            if rawfile.copy_elsewhere(rawfile.companion(path, suffix), scratch / role)
        ]
        kept = _describe(project, source, path, name, at, tuple(file for file, _ in packed))
        if packed:  # the metadata first, so that bytes never stand in the store without a word of what they are
            document = json.dumps(ledger.encode_backup(kept), indent=1, sort_keys=True).encode()
            project.store.create(ledger.metadata_key(kept), document)
        for _, incoming in packed:
            incoming.publish()
    project.record("backup", source.name, {"backup": ledger.encode_backup(kept)})
    return kept


def _describe(
    project: Project, source: Source, path: Path, name: str, at: datetime, files: tuple[StoredFile, ...]
) -> Backup:
    commit, describe = project.commit
    return Backup(
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


def _pack(project: Project, arriving: ExitStack, key: str, role: str, file: Path) -> tuple[StoredFile, Incoming]:
    incoming = arriving.enter_context(project.store.writing(key))
    with file.open("rb") as stream:
        packed = pack(stream, incoming.stream, project.progress.advance)
    stored = StoredFile(
        key, role, packed.stored_sha256, packed.stored_bytes, packed.content_sha256, packed.content_bytes
    )
    return stored, incoming
