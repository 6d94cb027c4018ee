"""The questions a drill and a restore ask of a database at rest; each sees what the others miss.

`integrity_check` calls an empty file healthy and misses lost rows, flipped payload bytes and broken references, so
size, schema and row counts are compared with what was recorded on the image itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

import apsw

from ics_guard.model import Check, Facts
from ics_guard.sources.sqlite.facts import opened, quoted, read_facts

_MOST_ERRORS_SHOWN = 5


def check_image(image: Path, expected: Facts, unchecked: Collection[str] = ()) -> tuple[Check, ...]:
    """Given an image at rest and what was recorded of it, return every check with its result; raise nothing."""
    return (
        _timed("size", lambda: _size(image, expected)),
        _timed("integrity", lambda: _integrity(image, unchecked)),
        _timed("contents", lambda: _contents(image, expected, unchecked)),
    )


def integrity_errors(image: Path, unchecked: Collection[str] = ()) -> tuple[str, ...]:
    """Given an image, return what SQLite's integrity_check says, () when it says `ok`. Raise apsw.Error.

    With `unchecked` names, each other table is checked on its own, as one missing collation stops the whole check.
    """
    with opened(image) as connection:
        if not unchecked:
            answers = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        else:
            tables = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name"
            ).fetchall()
            answers = []
            for (name,) in tables:
                if name not in unchecked:
                    answers += [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({quoted(name)})")]
    return tuple(answer for answer in answers if answer != "ok")


def _timed(name: str, question: Callable[[], str]) -> Check:
    """Ask one question, which returns what it found, or raises ValueError with what is wrong."""
    began = time.monotonic()
    try:
        detail, ok = question(), True
    except ValueError as finding:
        detail, ok = str(finding), False
    except apsw.Error as error:
        detail, ok = f"could not be checked: {error}", False
    return Check(name, ok, detail, time.monotonic() - began)


def _size(image: Path, expected: Facts) -> str:
    size, wanted = image.stat().st_size, expected.page_size * expected.page_count
    if not size or size != wanted:
        raise ValueError(f"{size} bytes instead of {wanted}")
    return f"{size} bytes"


def _integrity(image: Path, unchecked: Collection[str]) -> str:
    errors = integrity_errors(image, unchecked)
    if errors:
        more = f" (and {len(errors) - _MOST_ERRORS_SHOWN} more)" if len(errors) > _MOST_ERRORS_SHOWN else ""
        raise ValueError("; ".join(errors[:_MOST_ERRORS_SHOWN]) + more)
    return "ok" if not unchecked else f"ok, not checked: {', '.join(sorted(unchecked))}"


def _contents(image: Path, expected: Facts, unchecked: Collection[str]) -> str:
    found = read_facts(image, unchecked)
    excused = set(unchecked)
    if unreadable := [name for name in found.unchecked if name not in excused]:
        raise ValueError(
            f"{', '.join(unreadable)} cannot be read here (a missing module, tokenizer or collation); "
            "name it in `unchecked` of this source if the rest is enough"
        )
    if found.schema_sha256 != expected.schema_sha256:
        raise ValueError("the schema is not the one that was imaged")
    if wrong := [
        f"{table}: {found.rows.get(table)} instead of {count}"
        for table, count in expected.rows.items()
        if table not in excused and found.rows.get(table) != count
    ]:
        raise ValueError("row counts differ: " + ", ".join(wrong))
    for name in ("revisions", "user_version", "foreign_key_violations"):
        if getattr(found, name) != getattr(expected, name):
            raise ValueError(f"{name} is {getattr(found, name)} instead of {getattr(expected, name)}")
    broken = expected.foreign_key_violations
    known = f", {broken} broken foreign keys, as in the live data" if broken > 0 else ""
    return f"{sum(found.rows.values())} rows in {len(found.rows)} tables{known}"
