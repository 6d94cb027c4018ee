"""Schema-impacting changes in a diff: `detect` compares two versions of a file by meaning, and runs neither."""

from __future__ import annotations

from dataclasses import replace

from ics_guard.detect.alembic.edit import detect_alembic
from ics_guard.detect.django.edit import detect_django, renamed
from ics_guard.detect.embedded.edit import detect_embedded
from ics_guard.detect.models import detect_models
from ics_guard.detect.operations import Operation, to_change, unreadable
from ics_guard.detect.rules import OF_DOWNGRADES
from ics_guard.detect.sql.edit import detect_sql, is_way_down
from ics_guard.model import Change, Kind

__all__ = ["detect", "unread"]


def detect(
    kind: Kind, path: str, before: bytes | None, after: bytes | None, *, previous_path: str | None = None
) -> list[Change]:
    """Given both versions of a file (None where it is absent), return the schema-impacting changes between them.

    A rename is given by both versions and `previous_path`. Nothing is read, run or raised: what changed and could not
    be read comes out as a change of unknown severity. Lines and columns count from 1, in the old version if it is gone.
    """
    place = path or previous_path or ""
    if kind is Kind.SQL and previous_path and is_way_down(previous_path) is not is_way_down(path):
        return [*detect(kind, previous_path, before, None), *detect(kind, path, None, after)]  # no longer the same way
    try:
        operations, revision = ([], None) if before == after else _operations(kind, place, before, after)
        if kind is Kind.DJANGO and previous_path and before and after:
            operations = [*operations, *renamed(previous_path, place, after)]
    except RecursionError:  # nested deeper than any person writes
        operations, revision = [unreadable(before, after)], None
    return [
        to_change(operation, place, kind, None if operation.rule in OF_DOWNGRADES else revision)
        for operation in operations
    ]


def unread(kind: Kind, path: str, before: bytes | None, after: bytes | None, detail: str = "") -> list[Change]:
    """Given a watched file whose content is not in the diff (a symbolic link), return the change that says so."""
    return [to_change(replace(unreadable(before, after), detail=detail), path, kind, None)]


def _operations(kind: Kind, path: str, before: bytes | None, after: bytes | None) -> tuple[list[Operation], str | None]:
    """What the edit means, and the revision it belongs to. A folder of revisions may hold SQL and other files too."""
    if kind is Kind.ALEMBIC and path.endswith(".pyc"):
        return [unreadable(before, after)], None
    if kind is Kind.DJANGO and not path.endswith((".py", ".sql")):
        return detect_embedded(path, before, after), None
    if kind in (Kind.ALEMBIC, Kind.DJANGO, Kind.MODEL) and not path.endswith(".py"):
        return (detect_sql(path, before, after) if path.endswith(".sql") else []), None
    match kind:
        case Kind.ALEMBIC:
            return detect_alembic(before, after, path)
        case Kind.DJANGO:
            return detect_django(path, before, after), None
        case Kind.SQL:
            return detect_sql(path, before, after), None
        case Kind.EMBEDDED:
            return detect_embedded(path, before, after), None
        case Kind.MODEL:
            return detect_models(before, after), None
        case Kind.CONFIG:
            return [], None
