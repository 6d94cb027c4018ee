"""Procedural blocks (DO, IF … BEGIN … END, DECLARE): the statements inside, and whether some are made while it runs."""

from __future__ import annotations

from dataclasses import replace

from ics_guard.detect.sql_scan import Token, scan
from ics_guard.detect.sql_split import Statement, body_text
from ics_guard.detect.text import word_set

_BOUNDARY = word_set("begin then else loop do") | {";", ")"}
_VERBS = word_set("create alter drop truncate delete update call rename exec insert")
_RUNS = frozenset({"execute", "exec", "perform"})


def _inside(statement: Statement) -> list[Token]:
    result = list[Token]()
    for token in statement.tokens:
        result += scan(body_text(token)).tokens if token.kind == "body" else [token]
    return result


def block_statements(statement: Statement) -> list[Statement]:
    """Given a block, return the statements in it that can be told apart, EXECUTE of a plain string included."""
    result, current = list[Statement](), list[Token]()

    def finish() -> None:
        if current:
            result.append(replace(statement, tokens=tuple(current), closed=True))
            current.clear()

    tokens = _inside(statement)
    for index, token in enumerate(tokens):
        if token.kind == "end" or token.norm in ("end", "go"):
            finish()
        elif token.kind == "word" and token.norm in _VERBS and index and tokens[index - 1].norm in _BOUNDARY:
            if current and tokens[index - 1].norm == ")":
                current.append(token)
                continue
            finish()
            current.append(token)
        elif current:
            current.append(token)
        elif token.norm in ("execute", "exec") and _literal(tokens, index):
            text = tokens[index + 1]
            quoted = body_text(text) if text.kind == "body" else text.text.strip("'").replace("''", "'")
            result.append(replace(statement, tokens=scan(quoted).tokens or (text,), closed=True))
    finish()
    return result


def _literal(tokens: list[Token], index: int) -> bool:
    following = [token.norm for token in tokens[index + 2 : index + 3]]
    known = index + 1 < len(tokens) and tokens[index + 1].kind in ("string", "body")
    return known and following in ([], [";"], ["end"])


def dynamic(statement: Statement) -> bool:
    """Given a block, return whether it runs text or procedures that cannot be read here."""
    tokens = _inside(statement)
    return any(
        token.norm in _RUNS
        and not _literal(tokens, index)
        and [near.norm for near in tokens[index + 1 : index + 2]] not in (["function"], ["procedure"], ["on"])
        for index, token in enumerate(tokens)
    )
