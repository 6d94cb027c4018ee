"""Procedural blocks (DO, IF … BEGIN … END, DECLARE): the statements inside, and whether some are made while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ics_guard.detect.sql.batches import opens_statement
from ics_guard.detect.sql.scan import Token, scan
from ics_guard.detect.sql.split import Statement, body_text
from ics_guard.detect.text import word_set

_BOUNDARY = word_set("begin then else loop do try catch") | {";", ")"}
_VERBS = word_set("create alter drop truncate delete update call rename exec insert")
_RUNS = frozenset({"execute", "exec"})
_NOT_RUN = frozenset({"function", "procedure", "on", "as"})
_HOLE = "{}"


def block_statements(statement: Statement) -> list[Statement]:
    """Given a block, return the statements in it that can be told apart, EXECUTE of text that is built up included."""
    result, current = list[Statement](), list[Token]()

    def finish() -> None:
        if current:
            result.append(replace(statement, tokens=tuple(current), closed=True))
            current.clear()

    tokens = _inside(statement)
    for index, token in enumerate(tokens):
        if token.kind == "end" or token.norm in ("end", "go"):
            finish()
        elif index and (_after_boundary(tokens, index, current) or opens_statement(tokens, index)):
            finish()
            current.append(token)
        elif _runs(tokens, index) and (token.leads or not current):
            finish()
            result += [replace(statement, tokens=run.tokens, closed=True) for run in _built(tokens, index)]
        elif current:
            current.append(token)
    finish()
    return [part for part in result if part.tokens]


def executed(statement: Statement) -> list[Statement]:
    """Given an EXECUTE, return what it runs, if that is text which can be read."""
    return [replace(statement, tokens=run.tokens, closed=True) for run in _built(statement.tokens, 0)]


def dynamic(statement: Statement) -> bool:
    """Given a block, return whether it runs text or procedures that cannot be read here."""
    tokens = _inside(statement)
    return any(
        (token.norm == "perform" or _runs(tokens, index)) and not _built(tokens, index)
        for index, token in enumerate(tokens)
    )


def _runs(tokens: Sequence[Token], index: int) -> bool:
    """Whether an EXECUTE stands here that runs something: that of a trigger says what will, that of a GRANT who may."""
    following = tokens[index + 1].norm if index + 1 < len(tokens) else ""
    return tokens[index].norm in _RUNS and following not in _NOT_RUN


def _inside(statement: Statement) -> list[Token]:
    result = list[Token]()
    is_text = statement.words[0] == "do"
    for token in statement.tokens:
        if token.kind == "body":
            result += scan(body_text(token)).tokens
        elif token.kind == "string" and is_text:
            result += scan(_value(token)).tokens
        else:
            result.append(token)
    return result


def _after_boundary(tokens: Sequence[Token], index: int, current: Sequence[Token]) -> bool:
    token, near = tokens[index], tokens[index - 1].norm
    return token.kind == "word" and token.norm in _VERBS and near in _BOUNDARY and not (current and near == ")")


def _value(token: Token) -> str:
    """What a quoted or dollar-quoted text says."""
    if token.kind == "body":
        return body_text(token)
    return token.text[token.text.index("'") + 1 :].removesuffix("'").replace("''", "'")


def _built(tokens: Sequence[Token], index: int) -> list[Statement]:
    """What EXECUTE at this index runs, if it begins with text: `'…'`, `format('…', x)`, `'…' || x`.

    What is put in leaves a hole. Without text that opens a statement nothing can be told.
    """
    start = index + 1
    while start < len(tokens) and tokens[start].norm in ("format", "("):
        start += 1
    if start >= len(tokens) or tokens[start].kind not in ("string", "body"):
        return []
    pieces, hole = list[str](), False
    for at in range(start, len(tokens)):
        token = tokens[at]
        if token.kind == "end" or token.norm in ("using", "into", "end", ","):
            break
        if token.kind == "word" and token.leads and tokens[at - 1].norm not in ("||", "+", "("):
            break  # the next statement of a batch
        if token.kind in ("string", "body"):
            pieces.append(_value(token))
            hole = False
        elif token.norm not in ("||", "+", "(", ")") and not hole:
            pieces.append(_HOLE)
            hole = True
    read = scan("".join(pieces)).tokens
    known = not any(token.kind == "template" for token in read[:1])
    return [Statement(read, 1, 1)] if read and known else []
