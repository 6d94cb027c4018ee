"""Where things stand: per source, is there a way back right now, and if not, why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ics_guard import known, ledger, policy
from ics_guard.backup import records_of, refuse_tracked
from ics_guard.config import Source
from ics_guard.errors import IcsGuardError
from ics_guard.gate import moved
from ics_guard.model import BackupKind, BackupRecord, Reason, Situation
from ics_guard.project import Project, utc_now
from ics_guard.sources.sqlite import rawfile


@dataclass(frozen=True)
class SourceStatus:
    """One source. `rpo_seconds` is the age of the newest verified backup, `rto_seconds` its measured drill."""

    name: str
    kind: str
    path: Path | None
    fresh: bool
    reasons: tuple[Reason, ...]
    newest: BackupRecord | None
    last_drill: datetime | None
    safety_copies: int

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the newest verified backup was imaged."""
        return (utc_now() - self.newest.backup.imaged_at).total_seconds() if self.newest else None


def look(project: Project) -> tuple[SourceStatus, ...]:
    """Return the status of every source of the environment. Raise `LedgerError` for a ledger that is damaged."""
    entries = ledger.read(project.store)
    records = ledger.records(entries, project.store)
    drills = {
        entry.source: entry.at for entry in entries if entry.event == "drill" and entry.env == project.environment.name
    }
    return tuple(
        _status(project, source, records_of(project, source, records) if source.kind == "sqlite" else (), drills)
        for source in project.environment.sources.values()
    )


def _status(
    project: Project, source: Source, records: tuple[BackupRecord, ...], drills: Mapping[str, datetime]
) -> SourceStatus:
    name = source.name
    newest = next((r for r in records if r.verified_at and r.backup.kind is BackupKind.BACKUP), None)
    path = None
    unchanged: frozenset[str] = frozenset()
    problem: Reason | None = None
    memory = known.load(project.repository.common_dir).source(project.environment.name, name)
    try:
        path = project.source_path(source)
        if path.exists():
            rawfile.read_header(path)
            print_now = rawfile.fingerprint(path)
            unchanged = frozenset(r.backup.id for r in records if print_now and r.backup.fingerprint == print_now)
            refuse_tracked(project, path)
        elif elsewhere := moved(source, path, memory):
            problem = elsewhere
        elif memory and memory.declared_empty and not memory.seen_at:
            problem = Reason("no-data", name, "init recorded that there is no data here", "ics-guard init")
        elif records or (memory and memory.seen_at):
            said = f"{name} was at {path} and is gone"
            problem = Reason("source-lost", name, said, f"ics-guard restore latest --source {name}")
        else:
            problem = Reason("never-seen", name, f"there is no database at {path}", "ics-guard init")
    except IcsGuardError as error:
        problem = Reason(error.code, name, error.message, error.fix)
    situation = Situation(name, source.kind, False, True, True, False, None, records, unchanged, {}, {}, path)
    _, unmet = policy.why_not_fresh(situation, project.environment.policy, utc_now(), project.began)
    reasons = (problem,) if problem else unmet
    safety = sum(record.backup.kind is not BackupKind.BACKUP for record in records)
    return SourceStatus(name, source.kind, path, not reasons, reasons, newest, drills.get(name), safety)
