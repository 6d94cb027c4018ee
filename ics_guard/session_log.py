"""SESSIONS.md: the runbook's six items of each major backup and restore event, newest first, for people."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ics_guard import ledger
from ics_guard.model import Backup, Entry
from ics_guard.project import Project
from ics_guard.words import moment

FILE = "SESSIONS.md"
MAJOR = frozenset({"backup", "restore", "recovered", "run"})


def render(entries: Iterable[Entry], known: Iterable[Entry] | None = None) -> str:
    """Given ledger entries, return the SESSIONS.md block of the major ones among them, newest first; "" if none.

    `known` is where backups and drills that they refer to are looked up (the entries themselves by default).
    """
    chosen = [entry for entry in entries if entry.event in MAJOR]
    everything = list(known) if known is not None else list(chosen)
    backups = {
        entry.data["backup"]["id"]: ledger.decode_backup(entry.data["backup"])
        for entry in everything
        if entry.event == "backup"
    }
    drills = {entry.data["backup"]: entry.data for entry in everything if entry.event == "drill"}
    return "\n".join(_block(entry, backups, drills) for entry in reversed(chosen))


def write(project: Project, entries: Iterable[Entry]) -> Path | None:
    """Given entries, put their block at the top of the repository's SESSIONS.md, under its title. Return the file."""
    everything, _ = ledger.load(project.store)
    text = render(entries, everything)
    if not text:
        return None
    path = project.repository.root / FILE
    old = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else "# Sessions\n"
    title, line_end, rest = old.partition("\n") if old.startswith("# ") else ("", "", old)
    new = f"{title}{line_end}\n{text}{'' if rest.startswith(chr(10)) else chr(10)}{rest}"
    _replace(path.resolve(), new.encode("utf-8", "surrogateescape"))
    return path


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all: it is the team's own file, and the disk may be full."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        fresh.chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o644)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _block(entry: Entry, backups: dict[str, Backup], drills: dict[str, Any]) -> str:
    data = entry.data
    name = data["backup"]["id"] if entry.event == "backup" else str(data.get("backup") or data.get("salvage") or "")
    backup = backups.get(name)
    drill = drills.get(name)
    facts = backup.facts if backup else None
    revisions = ", ".join(facts.revisions) if facts and facts.revisions else "none"
    schema = f"Alembic {revisions}, schema {facts.schema_sha256[:12]}" if facts else "not readable"
    app = (backup.describe or backup.commit) if backup else ""
    if entry.event == "restore":
        result = data["outcome"] + (f" ({data['failure']})" if data.get("failure") else "")
        checks = ", ".join(f"{check['name']}: {'ok' if check['ok'] else check['detail']}" for check in data["checks"])
    else:
        result = "done"
        checks = ("verified by drill" if drill["ok"] else "drill failed") if drill else "not drilled"
    lines = [
        f"## {entry.event.capitalize()} of {entry.source} ({entry.env}): {result}",
        "",
        f"- Timestamp: {moment(entry.at)}",
        f"- Source environment: {entry.env}",
        f"- Backup: {name}" + (f" ({backup.image.key})" if backup and backup.files else ""),
        f"- Schema/app version: {schema}; app {app or 'unknown'}",
        f"- Integrity check: {checks}",
        f"- Operator: {entry.actor}",
    ]
    if data.get("safety"):
        lines.append(f"- Safety copy of what was there before: {data['safety']}")
    return "\n".join([*lines, f"- Ledger entry: {entry.seq}", ""])
