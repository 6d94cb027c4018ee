"""Schema-impacting changes in a diff: `detect` compares two versions of a file by meaning. Nothing here runs user code."""

from __future__ import annotations

from ics_guard.model import Change, Kind

__all__ = ["detect"]


def detect(
    kind: Kind, path: str, before: bytes | None, after: bytes | None, *, previous_path: str | None = None
) -> list[Change]:
    """Given both versions of a file (None where it is absent), return the schema-impacting changes between them.

    A rename is given by both versions and `previous_path`. `path` is the place now, or the old one if it is gone.
    What changed and could not be read comes out as a change of unknown severity; nothing is raised, run or read.
    """
    from ics_guard.detect.operations import to_change, unreadable  # noqa: PLC0415 - the hot path imports this package

    if before == after:
        return []
    try:
        operations, revision = _read(kind, path, before, after)
    except RecursionError:  # a tree deeper than any person writes
        operations, revision = [unreadable(before, after)], None
    place = path or previous_path or ""
    return [to_change(operation, place, kind, revision) for operation in operations]
