"""The drill: bring a backup back into scratch from its stored bytes, as a restore does, and ask every question."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ics_guard.compression import Unpacked, unpack
from ics_guard.errors import BackupError
from ics_guard.model import Backup, BackupKind, BackupRecord, Check, StoredFile
from ics_guard.project import Project
from ics_guard.sources.sqlite.checks import check_image


@dataclass(frozen=True)
class DrillResult:
    """What came of a drill; `seconds` is the measured time to have the data back and checked."""

    backup: Backup
    checks: tuple[Check, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)


def drill(project: Project, record: BackupRecord) -> DrillResult:
    """Given a backup, restore it into scratch, check it, write the result into the ledger and return it.

    A failed drill is a result, not an error. Raise `BackupError` for a salvage, which has nothing to be compared with.
    """
    backup = record.backup
    if backup.kind is BackupKind.SALVAGE:
        raise BackupError(
            "salvage",
            f"{backup.id} is a salvage of a damaged database: it can be put back, but never drilled",
            f"`ics-guard restore {backup.id}` puts exactly these bytes back",
        )
    source = project.environment.sources.get(backup.source)
    unchecked = source.unchecked if source else ()
    project.progress.start(f"drilling {backup.id}", backup.image.bytes, record.drill_seconds or 0.0)
    with project.scratch() as scratch:
        if project.store.size(backup.image.key) is None:
            where = project.store.describe(backup.image.key)
            result = DrillResult(backup, (Check("stored", False, f"{where} is gone"),), 0.0)
        else:
            with project.store.open(backup.image.key) as stream:
                result = drill_stream(project, backup, stream, scratch / "drill.db", unchecked)
    record_drill(project, result)
    return result


def drill_stream(
    project: Project, backup: Backup, stream: BinaryIO, target: Path, unchecked: Collection[str] = ()
) -> DrillResult:
    """Given a backup's stored bytes, restore them to `target` (left there) and return every check with its result."""
    began = time.monotonic()
    stored = stored_check(unpack(stream, target, backup.image.bytes, project.progress.advance), backup.image)
    checks: tuple[Check, ...] = (stored,)
    if stored.ok and backup.facts:
        checks += check_image(target, backup.facts, unchecked)
    return DrillResult(backup, checks, time.monotonic() - began)


def stored_check(unpacked: Unpacked, file: StoredFile) -> Check:
    """Given what came out of the store, return whether it is what was put there, byte for byte."""
    if unpacked.problem:
        return Check("stored", False, f"it cannot be unpacked: {unpacked.problem}", unpacked.seconds)
    if (unpacked.stored_sha256, unpacked.stored_bytes) != (file.sha256, file.stored_bytes):
        return Check("stored", False, "the stored bytes are not those that were written", unpacked.seconds)
    if (unpacked.content_sha256, unpacked.content_bytes) != (file.content_sha256, file.bytes):
        return Check("stored", False, "the restored image is not the one that was taken", unpacked.seconds)
    return Check("stored", True, f"sha256 {file.content_sha256[:12]}… as recorded", unpacked.seconds)


def record_drill(project: Project, result: DrillResult) -> None:
    """Given a drill's result, write it into the ledger."""
    project.record(
        "drill",
        result.backup.source,
        {
            "backup": result.backup.id,
            "ok": result.ok,
            "seconds": round(result.seconds, 3),
            "checks": [
                {"name": check.name, "ok": check.ok, "detail": check.detail, "seconds": round(check.seconds, 3)}
                for check in result.checks
            ],
        },
    )
