"""Tokens to statements: semicolons, batches without any, bodies of triggers and procedures, rollback sections."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ics_guard.detect.sql.batches import NOT_A_BLOCK, begins_another, is_bodied
from ics_guard.detect.sql.scan import Token, scan
from ics_guard.detect.text import word_set

_NEWLINE = re.compile("\n")
_UNQUOTED = re.compile(r"[a-z_][a-z0-9_]*\Z")
_RESERVED = word_set(
    "all alter and any array as asc between by case cast check collate column constraint create cross current_catalog "
    "current_date current_role current_schema current_time current_timestamp current_user default deferrable delete "
    "desc distinct do drop else end except exists false fetch for foreign from full grant group having if in index "
    "initially inner insert intersect into is join key lateral left like limit localtime localtimestamp natural not "
    "null offset on only or order outer primary references replace returning right rowid select session_user set some "
    "table then to trailing trigger true union unique update user using values view when where window with"
)


@dataclass(frozen=True)
class Statement:
    """One statement. `closed` is false if the text ended inside it; `down`: it belongs to a rollback section."""

    tokens: tuple[Token, ...]
    line: int
    column: int
    closed: bool = True
    down: bool = False

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The meaning of each token."""
        return tuple(token.norm for token in self.tokens)

    @cached_property
    def canonical(self) -> str:
        """The meaning of the whole: bodies of procedures in a language that ignores spaces are read like the rest."""
        words = self.words
        language = words[words.index("language") + 1].strip("'\"") if "language" in words[:-1] else ""
        readable = words[0] in ("do", "call") or language in ("sql", "plpgsql")
        return " ".join(_meaning(token, readable=readable) for token in self.tokens)


def _meaning(token: Token, *, readable: bool) -> str:
    if token.kind == "rows":
        return spelled(scan(token.text).tokens)
    if token.kind == "body" and readable:  # a body within one is what EXECUTE is given
        inner = scan(body_text(token)).tokens
        return f"$$ {' '.join(_meaning(one, readable=True) for one in inner)} $$"
    return _unquoted(token)


def spelled(tokens: Sequence[Token]) -> str:
    """Given tokens, return their meaning as text: quotes around a name that needs none mean nothing."""
    return " ".join(_unquoted(token) for token in tokens)


def _unquoted(token: Token) -> str:
    if token.kind != "name":
        return token.norm
    name = token.text[1:-1]
    return name if _UNQUOTED.match(name) and name not in _RESERVED else token.norm


def body_text(token: Token) -> str:
    """Given a dollar-quoted token, return what is between its marks."""
    mark = token.text.index("$", 1) + 1
    return token.text[mark:-mark]


def split(text: str, *, rows: bool = False, prose: bool = False) -> list[Statement]:
    """Given SQL text, return its statements. A last one that a body or a quote left open says so.

    With `rows`, the values of plain INSERT statements are not looked at. With `prose`, the text may be a sentence.
    """
    scanned = scan(text, rows=rows)
    newlines = [match.start() for match in _NEWLINE.finditer(text)]
    result, current, down, depth, opened = list[Statement](), list[Token](), False, 0, 0

    def finish(closed: bool = True) -> None:
        if current:
            line = bisect_right(newlines, current[0].start)
            column = current[0].start - (newlines[line - 1] if line else -1)
            result.append(Statement(tuple(current), line + 1, column, closed, down))
            current.clear()

    tokens = scanned.tokens
    for index, token in enumerate(tokens):
        kind = token.kind
        if kind == "section":
            finish(depth == 0)
            down, depth, opened = token.norm == "down", 0, 0
        elif kind == "end" and (token.text != ";" or (depth <= 0 and not (opened > 0 and _is_rule(current)))):
            finish(opened == 0 or _templated(current))
            depth = opened = 0
        elif kind == "meta":
            finish()
            current.append(token)
            finish()
            depth = opened = 0
        else:
            if current and depth <= 0 and opened <= 0 and begins_another(current, tokens, index, prose=prose):
                finish()
                depth = opened = 0
            current.append(token)
            if kind == "op":
                opened += (token.norm == "(") - (token.norm == ")")
            elif kind == "word" and token.norm in ("begin", "case", "end"):
                depth += _nesting(current, token, tokens[index + 1].norm if index + 1 < len(tokens) else "", depth)
    finish(depth <= 0 and (opened == 0 or _templated(current)))
    if not scanned.clean and result:
        result[-1] = replace(result[-1], closed=False)
    return result


def _nesting(current: list[Token], token: Token, following: str, depth: int) -> int:
    """How much deeper this word takes a statement that can hold a body of statements."""
    if token.norm == "begin":
        alone = len(current) == 1 and (following in NOT_A_BLOCK or following in ("", ";"))
        return 0 if alone or following in ("tran", "transaction") or not is_bodied(current) else 1
    if depth <= 0 or (len(current) > 1 and current[-2].norm == "end"):
        return 0  # the CASE of END CASE
    if token.norm == "case":
        return 1
    return 0 if following in ("if", "loop", "while", "repeat", "for") else -1


def _templated(current: list[Token]) -> bool:
    """Whether parts of the statement may be left out when the template is filled in: then parentheses prove nothing."""
    return any(token.kind == "control" for token in current)


def _is_rule(current: list[Token]) -> bool:
    """CREATE RULE … DO (a; b): the only semicolons in parentheses."""
    return current[0].norm == "create" and "rule" in [token.norm for token in current[1:4]]
