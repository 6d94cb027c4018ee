"""DDL inside program text: the set of DDL statements in its string literals, before and after."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

from ics_guard.detect.embedded_raw import raw_statements
from ics_guard.detect.embedded_shape import is_ddl
from ics_guard.detect.literals import is_known, read_source
from ics_guard.detect.operations import Operation, settle, unreadable
from ics_guard.detect.sql import deleted, detect_sql, edited
from ics_guard.detect.sql_read import read_statement
from ics_guard.detect.sql_split import Statement, split
from ics_guard.detect.sql_together import together
from ics_guard.detect.text import decode, word_set

_SQL_FILE = re.compile(r"\.(?:[a-z]*sql|ddl)(?:\.\w+)?\Z", re.IGNORECASE)
_NEWLINE = re.compile("\n")
_COPY = re.compile(r"\s*insert\b.*\bselect\b", re.IGNORECASE | re.DOTALL)
_DOCUMENTS = frozenset({"md", "mdx", "markdown", "rst", "adoc", "asciidoc"})
_MARKUP = word_set("js jsx ts tsx mjs cjs mts cts vue svelte html htm")
_PLAIN = word_set("yml yaml txt tmpl tpl j2 jinja erb ddl")
_HINT = re.compile(r"\b(?:create|alter|drop|truncate|rename|sp_rename|writable_schema)\b", re.IGNORECASE)


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
    found = [
        (one.start, split(one.text, prose=True))
        for one in source.literals
        if _HINT.search(one.text) or _COPY.match(one.text)
    ]
    if suffix not in _MARKUP:
        raw = raw_statements(text, [*quoted, *source.comments], known=known)
        found += [(start, [statement]) for statement, start in raw]
    read = list[tuple[Statement, list[Operation]]]()
    for start, statements in sorted(found, key=itemgetter(0)):
        read += _placed(statements, start, newlines)
    return together(read)


def _placed(
    statements: Sequence[Statement], start: int, newlines: Sequence[int]
) -> list[tuple[Statement, list[Operation]]]:
    """Statements of one string with their operations: rows count only beside DDL, where they surely are a migration."""
    line = bisect_right(newlines, start)
    column = start - (newlines[line - 1] if line else -1)
    shapes = [is_ddl(statement) for statement in statements]
    result = []
    for statement, shape in zip(statements, shapes, strict=True):
        rows = any(shapes) and statement.words[0] in ("delete", "update", "with")
        operations = read_statement(replace(statement, closed=True)) if shape or rows else []
        placed = [
            replace(one, line=line + one.line, column=column if one.line == 1 else one.column) for one in operations
        ]
        result.append((statement, placed))
    return result


def detect_embedded(path: str, before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of program text, return the operations that the edit means."""
    if _SQL_FILE.search(path):
        return detect_sql(path, before, after)
    old, new = decode(before or b""), decode(after or b"")
    if old is None or new is None:
        return [unreadable(before, after), *(settle(read_embedded(new, path)) if new else [])]
    if not _HINT.search(old) and not _HINT.search(new):
        return []
    if after is None:
        return deleted(read_embedded(old, path))
    return edited(read_embedded(old, path), read_embedded(new, path))
