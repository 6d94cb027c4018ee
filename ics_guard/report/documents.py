"""The JSON documents that other programs rely on; fields may be added, none renamed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ics_guard.model import BackupRecord, Change, Check, Decision, Entry, Severity, TableLoss


def check_document(changes: Sequence[Change]) -> dict[str, Any]:
    """Given the changes of a diff, return the document of `check`."""
    return {
        "impacting": any(change.severity is not Severity.NOTICE for change in changes),
        "changes": [change_document(change) for change in changes],
    }


def change_document(change: Change) -> dict[str, Any]:
    """Given a change, return its fields as documents show them."""
    fields = {name: value for name, value in vars_of(change).items() if name not in ("effects", "undoes")}
    return {**fields, "path": change.path, "sources": list(change.sources)}


def gate_document(decision: Decision) -> dict[str, Any]:
    """Given a decision, return the document of `gate`."""
    return {
        "verdict": "allow" if decision.allowed else "block",
        "reasons": [
            {
                "code": reason.code,
                "source": reason.source,
                "message": reason.message,
                "fix": reason.fix,
                "blocking": reason.blocking,
            }
            for reason in decision.reasons
        ],
        "changes": [change_document(change) for change in decision.changes],
        "backups": [backup_document(record, record.backup.image.key) for record in decision.backups],
    }


def backup_document(record: BackupRecord, location: str, *, reused: bool | None = None) -> dict[str, Any]:
    """Given a backup and where it is, return its fields as documents show them."""
    backup = record.backup
    document = {
        "id": backup.id,
        "set": backup.set,
        "source": backup.source,
        "env": backup.env,
        "kind": str(backup.kind),
        "location": location,
        "bytes": sum(file.bytes for file in backup.files),
        "stored_bytes": sum(file.stored_bytes for file in backup.files),
        "sha256": backup.image.sha256 if backup.files else "",
        "imaged_at": msgspec.to_builtins(backup.imaged_at),
        "verified": record.verified_at is not None,
        "verified_at": msgspec.to_builtins(record.verified_at),
        "drill_seconds": record.drill_seconds,
        "seconds": backup.seconds,
    }
    return document if reused is None else {**document, "reused": reused}


def checks_document(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Given checks, return them as documents show them; `seconds` is how long each took."""
    return [{"name": c.name, "ok": c.ok, "detail": c.detail, "seconds": round(c.seconds, 3)} for c in checks]


def losses_document(losses: Iterable[TableLoss]) -> list[dict[str, Any]]:
    """Given what happened to live rows since a backup, return it as documents show it."""
    return [{"table": x.table, "added": x.added, "changed": x.changed, "removed": x.removed} for x in losses]


def entry_document(entry: Entry) -> dict[str, Any]:
    """Given a ledger entry, return its fields as documents show them."""
    return vars_of(entry)


def vars_of(noun: Any) -> dict[str, Any]:
    """Given a frozen dataclass, return its fields as plain JSON values. A path that is no UTF-8 stays readable."""
    fields: dict[str, Any] = msgspec.to_builtins(noun)
    return fields
