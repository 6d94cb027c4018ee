"""Tokens to statements: semicolons, batches without any, bodies of triggers and procedures, rollback sections."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ics_guard.detect.sql_scan import Token, scan
from ics_guard.detect.text import word_set

_MODIFIERS = word_set(
    "or replace alter temp temporary global local unlogged unique clustered nonclustered fulltext spatial materialized "
    "recursive external foreign virtual force editionable noneditionable trusted procedural constraint definer invoker "
    "algorithm undefined merge temptable sql security transient columnstore xml bitmap"
)
_BODIED = frozenset({"trigger", "procedure", "proc", "function", "event", "package"})
_BLOCKS = frozenset({"if", "while", "declare", "begin", "else"})
_NOT_A_BLOCK = word_set("transaction work tran deferred immediate exclusive isolation read ; not concurrent") | {""}
_CREATED = frozenset(
    {"table", "view", "procedure", "proc", "function", "trigger", "database", "schema", "index", "type"}
)
_CONTINUED = frozenset({"with", "explain", "grant", "revoke", "comment"})
_UNFINISHED = word_set("as instead also do then on for or and , before after of key begin (")
_OPENERS = frozenset({"create", "alter", "drop", "truncate", "delete", "update"})
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
        readable = words[0] == "do" or language in ("sql", "plpgsql")
        return " ".join(_meaning(token, readable=readable) for token in self.tokens)


def _meaning(token: Token, *, readable: bool) -> str:
    if token.kind == "rows":
        return spelled(scan(token.text).tokens)
    if token.kind == "body":
        return f"$$ {spelled(scan(body_text(token)).tokens)} $$" if readable else token.norm
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


def words_after_modifiers(words: tuple[str, ...]) -> int:
    """Given a statement that begins with CREATE, DROP or ALTER, return the index of the word that says of what."""
    index = 1
    while index < len(words) and (words[index] in _MODIFIERS or words[index] in ("=", "if", "not", "exists")):
        index += 2 if words[index] == "=" else 1
        if index < len(words) and words[index].startswith("@"):  # DEFINER = root@localhost, also with each part quoted
            index += 2 if words[index] == "@" else 1
    return index


def split(text: str, *, rows: bool = False) -> list[Statement]:
    """Given SQL text, return its statements. A last one that a body or a quote left open says so.

    With `rows`, the values of plain INSERT statements are not looked at.
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
            leads = token.leads and depth <= 0 and opened <= 0 and current
            if leads and _starts_another(current, tokens, index):
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
        alone = len(current) == 1 and following in _NOT_A_BLOCK
        return 0 if alone or following in ("tran", "transaction") or not _bodied(current) else 1
    if depth <= 0 or (len(current) > 1 and current[-2].norm == "end"):
        return 0  # the CASE of END CASE
    if token.norm == "case":
        return 1
    return 0 if following in ("if", "loop", "while", "repeat", "for") else -1


def _bodied(current: list[Token]) -> bool:
    first = current[0].norm
    if first in _BLOCKS:
        return True
    if first not in ("create", "alter"):
        return False
    words = tuple(token.norm for token in current[:24])
    index = words_after_modifiers(words)
    return index < len(words) and words[index] in _BODIED


def _templated(current: list[Token]) -> bool:
    """Whether parts of the statement may be left out when the template is filled in: then parentheses prove nothing."""
    return any(token.kind == "control" for token in current)


def _is_rule(current: list[Token]) -> bool:
    """CREATE RULE … DO (a; b): the only semicolons in parentheses."""
    return current[0].norm == "create" and "rule" in [token.norm for token in current[1:4]]


def _starts_another(current: list[Token], tokens: Sequence[Token], index: int) -> bool:
    """Whether a word at the start of a line begins another statement (T-SQL asks for no semicolon)."""
    if not opens_statement(tokens, index) or _bodied(current) or current[0].norm in _CONTINUED:
        return False
    return len(current) > 1 and current[-1].norm not in _UNFINISHED


def opens_statement(tokens: Sequence[Token], index: int) -> bool:
    """Given tokens, return whether a statement that can change a schema or lose rows surely begins at this one."""
    token = tokens[index]
    if token.kind != "word" or token.norm not in _OPENERS:
        return False
    following = [near.norm for near in tokens[index + 1 : index + 4]]
    match token.norm:
        case "update":
            return "set" in following[1:]
        case "delete":
            return following[:1] == ["from"]
        case "create":
            return bool(_CREATED.intersection(following)) or following[:1] == ["unique"]
        case _:
            return following[:1] != ["index"] and bool(_CREATED.intersection(following[:1]))
