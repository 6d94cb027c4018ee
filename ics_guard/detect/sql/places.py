"""Where in the source a statement of a string stands: escapes make lines in it that the file does not have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from ics_guard.detect.python.sqlalchemy_reading import Scope

Place = tuple[int, int]

_PLAIN = re.compile(r"[^{}%'\"\\]{3,40}")


def source_places(
    places: Iterable[Place], text: str, given: ast.expr, call: ast.Call, scope: Scope
) -> dict[Place, Place]:
    """Given places in the text that a call executes, and the expression that makes it, return each one's in the file.

    Where the words of the statement stand in the source as they do in the text, it is that line; else it is the line
    of the literal, or of the call.
    """
    made = _literal(given, scope) or call
    rows = [row.decode("utf-8", "replace") for row in scope.module.source.split(b"\n")]
    lines, result = text.split("\n"), dict[Place, Place]()
    row, column = made.lineno, 0
    for line, start in sorted(set(places)):
        words = _PLAIN.match(lines[line - 1][start - 1 :].strip()) if line <= len(lines) else None
        found = _found(words.group().strip(), rows, made, (row, column), line) if words else None
        if found is not None:
            row, column = found
        first = found is None or row == made.lineno
        result[line, start] = (made.lineno if found is None else row, made.col_offset + 1 if first else column)
    return result


def _found(words: str, rows: list[str], made: ast.expr, after: Place, line: int) -> Place | None:
    """Row and column of the words in the source of an expression: on the row that the line says, or the next one."""
    last = min(made.end_lineno or made.lineno, len(rows))
    said = made.lineno + line - 1
    for row in ([said] if said <= last else []) + list(range(after[0], last + 1)):
        start = after[1] if row == after[0] else made.col_offset if row == made.lineno else 0
        at = rows[row - 1].find(words, start)
        if at >= 0:
            return row, at + 1
    return None


def _literal(node: ast.expr, scope: Scope) -> ast.expr | None:
    """The literal that the text begins with, None where it is put together from several or comes from a call."""
    for _ in range(20):
        node = scope.resolve(node)
        if not isinstance(node, ast.Call):
            break
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if owner is not None and scope.text(owner) is not None:
            if isinstance(node.func, ast.Attribute) and node.func.attr == "join":
                return None
            node = owner
        elif node.args:
            node = node.args[0]
        else:
            return None
    written = isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and getattr(node, "end_lineno", None)
    return node if written else None
