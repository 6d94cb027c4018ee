"""Has a change already reached a database? Authors migrate first and commit afterwards; a backup taken then is late."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ics_guard.detect.alembic.revision import Revision, ancestors
from ics_guard.detect.rules import WAY_DOWN
from ics_guard.model import BackupKind, BackupRecord, Change


def is_applied(
    change: Change,
    revisions: Collection[str],
    objects: Collection[str],
    graph: Mapping[str, Revision],
    ever: Collection[str] = (),
) -> bool | None:
    """Given a database's Alembic heads and schema objects, return whether the change has reached it.

    An Alembic change is told by the revisions that the heads stand on, `graph` being all that are known. Any other,
    and one where a head is not known or the database names none, is told by its effects, where all of them must be
    seen. That something is absent proves nothing unless it is in `ever`, the objects that some backup is known to
    have held. What is about the way back down is not applied: nobody has gone it yet. None when it cannot be told.
    """
    if change.rule in WAY_DOWN:
        return False
    if change.revision and revisions:
        standing = ancestors(graph, revisions)
        if standing is not None:
            return change.revision in standing
    if not change.effects:
        return None
    present = frozenset(objects)
    if any((effect.object in present) is not effect.present for effect in change.effects):
        return False
    telling = any(effect.present or effect.object in ever for effect in change.effects)
    return True if telling else None


def newest_before(
    change: Change, records: Collection[BackupRecord], graph: Mapping[str, Revision]
) -> BackupRecord | None:
    """Given a source's backups, newest first, return the newest verified one that surely lacks the change."""
    ever = ever_present(records)
    for record in records:
        facts = record.backup.facts
        if record.backup.kind is BackupKind.SALVAGE or not record.verified_at or not record.files_present or not facts:
            continue
        if is_applied(change, facts.revisions, facts.objects, graph, ever) is False:
            return record
    return None


def ever_present(records: Collection[BackupRecord]) -> frozenset[str]:
    """Given backups, return every schema object that one of them held."""
    return frozenset(name for record in records if record.backup.facts for name in record.backup.facts.objects)
