"""DDL inside program text: the set of DDL statements in its string literals, before and after."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import add, itemgetter

from ics_guard.detect.embedded.literals import Literal, is_known, place_of, read_source
from ics_guard.detect.embedded.raw import raw_statements
from ics_guard.detect.embedded.shape import is_ddl
from ics_guard.detect.operations import Operation, settle, unreadable
from ics_guard.detect.sql.edit import deleted, detect_sql, edited
from ics_guard.detect.sql.read import read_statement
from ics_guard.detect.sql.split import Statement, split
from ics_guard.detect.sql.together import together
from ics_guard.detect.text import decode, word_set

_SQL_FILE = re.compile(r"\.(?:[a-z]*sql|ddl)(?:\.\w+)?\Z", re.IGNORECASE)
_NEWLINE = re.compile("\n")
_COPY = re.compile(r"\s*insert\b.*\bselect\b", re.IGNORECASE | re.DOTALL)
_DOCUMENTS = frozenset({"md", "mdx", "markdown", "rst", "adoc", "asciidoc"})
_MARKUP = word_set("js jsx ts tsx mjs cjs mts cts vue svelte html htm")
_PLAIN = word_set("yml yaml txt tmpl tpl j2 jinja erb ddl")
_QUOTING = frozenset({"json", "ipynb"})
_CALL = re.compile(r"(?:^|[;{}])[ \t]*(?:[\w.]+[ \t]*=[ \t]*)?(?:await |return )?[\w.()]*\.\w+\([ \t]*\Z", re.MULTILINE)
_NEAR = 200
_VERB = r"(?:create|alter|drop|truncate|rename|sp_rename|writable_schema)\b"
_HINT = re.compile(rf"\b{_VERB}", re.IGNORECASE)
_HINT_BEHIND_ESCAPE = re.compile(_VERB, re.IGNORECASE)
"""In a file as it is written: the newline before a verb may be a backslash and an n."""

_Place = Callable[[int], int]
_Found = tuple[int, Sequence[Statement], Callable[[], _Place]]
"""Where a string begins, its statements, and what gives the way from an offset in its value to one in the file."""


def read_embedded(text: str, path: str) -> list[Operation]:
    """Given program text, return the operations of the DDL in its strings, or wherever else it can stand."""
    suffix = path.rpartition(".")[2].lower()
    if suffix in _DOCUMENTS:
        return []
    newlines = [match.start() for match in _NEWLINE.finditer(text)]
    known, source = is_known(suffix), read_source(text, path)
    quoted = (
        [(one.start, one.end) for one in source.literals if one.end > one.start]
        if known or suffix not in _PLAIN
        else []
    )
    found = list[_Found]()
    for one in source.literals:
        if _HINT.search(one.text) or _COPY.match(one.text):
            found.append((one.start, split(one.text, prose=True), partial(place_of, text, one)))
            found += _called(text, one, suffix) if suffix in _QUOTING else []
    if suffix not in _MARKUP:
        raw = raw_statements(text, [*quoted, *source.comments], known=known)
        found += [(start, [statement], partial(partial, add, start)) for statement, start in raw]
    read = list[tuple[Statement, list[Operation]]]()
    for _, statements, find in sorted(found, key=itemgetter(0)):
        read += _placed(statements, find, newlines)
    return together(read)


def _called(text: str, outer: Literal, suffix: str) -> list[_Found]:
    """What the code in a string hands to a method as a string of its own: `"db.exec('DROP TABLE t')"`."""
    return [
        (outer.start, split(one.text, prose=True), partial(_through, text, outer, one))
        for one in read_source(outer.text, "x.py" if suffix == "ipynb" else "").literals
        if _HINT.search(one.text) and _CALL.search(outer.text, max(0, one.start - _NEAR), one.start)
    ]


def _through(text: str, outer: Literal, inner: Literal) -> _Place:
    within, around = place_of(outer.text, inner), place_of(text, outer)
    return lambda offset: around(within(offset))


def _placed(
    statements: Sequence[Statement], find: Callable[[], _Place], newlines: Sequence[int]
) -> list[tuple[Statement, list[Operation]]]:
    """Statements of one string with their operations: rows count only beside DDL, where they surely are a migration."""
    shapes = [is_ddl(statement) for statement in statements]
    result, place_at = [], None
    for statement, shape in zip(statements, shapes, strict=True):
        rows = any(shapes) and statement.words[0] in ("delete", "update", "with")
        operations = read_statement(replace(statement, closed=True)) if shape or rows else []
        if operations:
            place_at = place_at or find()
            place = place_at(statement.tokens[0].start)
            line = bisect_right(newlines, place - 1)
            column = place - (newlines[line - 1] if line else -1)
            operations = [replace(one, line=line + 1, column=column) for one in operations]
        result.append((statement, operations))
    return result


def detect_embedded(path: str, before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of program text, return the operations that the edit means."""
    if _SQL_FILE.search(path):
        return detect_sql(path, before, after)
    old, new = decode(before or b""), decode(after or b"")
    if old is None or new is None:
        return [unreadable(before, after), *(settle(read_embedded(new, path)) if new else [])]
    if not _HINT_BEHIND_ESCAPE.search(old) and not _HINT_BEHIND_ESCAPE.search(new):
        return []
    if after is None:
        return deleted(read_embedded(old, path))
    return edited(read_embedded(old, path), read_embedded(new, path))
