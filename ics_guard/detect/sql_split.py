"""Tokens to statements: semicolons, batches without any, bodies of triggers and procedures, rollback sections."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from ics_guard.detect.sql_scan import Token, scan
from ics_guard.detect.text import word_set

_MODIFIERS = word_set(
    "or replace alter temp temporary global local unlogged unique clustered nonclustered fulltext spatial materialized "
    "recursive external foreign virtual force editionable noneditionable trusted procedural constraint definer invoker "
    "algorithm undefined merge temptable sql security aggregate transient columnstore xml bitmap"
)
_BODIED = frozenset({"trigger", "procedure", "proc", "function", "event", "package"})
_NOT_A_BLOCK = frozenset({"", "transaction", "work", "tran", "deferred", "immediate", "exclusive", "isolation", "read"})
_CREATED = frozenset(
    {"table", "view", "procedure", "proc", "function", "trigger", "database", "schema", "index", "type"}
)
_CONTINUED = frozenset({"with", "explain", "grant", "revoke", "comment"})
_UNFINISHED = word_set("as instead also do then on for or and , before after of key begin (")


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
        return " ".join(_body(token, self.words) if token.kind == "body" else token.norm for token in self.tokens)


def _body(token: Token, words: tuple[str, ...]) -> str:
    language = words[words.index("language") + 1].strip("'\"") if "language" in words[:-1] else ""
    if words[0] != "do" and language not in ("sql", "plpgsql"):
        return token.norm
    return "$$ " + " ".join(inner.norm for inner in scan(body_text(token)).tokens) + " $$"


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


def split(text: str) -> list[Statement]:
    """Given SQL text, return its statements. A last one that a body or a quote left open says so."""
    scanned = scan(text)
    newlines = [offset for offset, character in enumerate(text) if character == "\n"]
    result, current, down, depth = list[Statement](), list[Token](), False, 0

    def finish(closed: bool = True) -> None:
        if current:
            line = bisect_right(newlines, current[0].start)
            column = current[0].start - (newlines[line - 1] if line else -1)
            result.append(Statement(tuple(current), line + 1, column, closed, down))
            current.clear()

    for index, token in enumerate(scanned.tokens):
        if token.kind == "section":
            finish(depth == 0)
            down, depth = token.norm == "down", 0
        elif token.kind == "end" and (depth <= 0 or token.text != ";"):
            finish()
            depth = 0
        elif token.kind == "meta":
            finish()
            current.append(token)
            finish()
            depth = 0
        else:
            ahead = scanned.tokens[index + 1 : index + 4]
            if depth <= 0 and token.leads and _starts_another(current, token, ahead):
                finish()
                depth = 0
            current.append(token)
            depth += _nesting(current, token, ahead[0].norm if ahead else "", depth)
    finish(depth <= 0)
    if not scanned.clean and result:
        result[-1] = Statement(result[-1].tokens, result[-1].line, result[-1].column, closed=False, down=down)
    return result


def _nesting(current: list[Token], token: Token, following: str, depth: int) -> int:
    """How much deeper this word takes a statement that can hold a body of statements."""
    if token.kind != "word" or token.norm not in ("begin", "case", "end"):
        return 0
    if token.norm == "begin":
        alone = len(current) == 1 and (following in _NOT_A_BLOCK or following == ";")
        return 0 if alone or following in ("tran", "transaction") or not _bodied(current) else 1
    if depth <= 0 or (len(current) > 1 and current[-2].norm == "end"):
        return 0  # the CASE of END CASE
    if token.norm == "case":
        return 1
    return 0 if following in ("if", "loop", "while", "repeat", "for") else -1


def _bodied(current: list[Token]) -> bool:
    first = current[0].norm
    if first in ("if", "while", "declare", "begin", "else"):
        return True
    words = tuple(token.norm for token in current[:24])
    index = words_after_modifiers(words) if first in ("create", "alter") else len(words)
    return index < len(words) and words[index] in _BODIED


def _starts_another(current: list[Token], token: Token, ahead: tuple[Token, ...]) -> bool:
    """Whether a word at the start of a line begins another statement (T-SQL asks for no semicolon)."""
    if not current or token.norm not in ("create", "alter", "drop", "truncate", "delete", "update") or _bodied(current):
        return False
    if current[0].norm in _CONTINUED or not _complete(current):
        return False
    following = [near.norm for near in ahead]
    if token.norm == "update":
        return "set" in following[1:]
    if token.norm == "delete":
        return following[:1] == ["from"]
    if token.norm in ("drop", "truncate", "alter"):
        return following[:1] != ["index"] and bool(_CREATED.intersection(following[:1]))
    return bool(_CREATED.intersection(following)) or following[:1] == ["unique"]


def _complete(current: list[Token]) -> bool:
    """Whether what was read so far can stand alone: parentheses are closed and no word asks for more."""
    opened = sum((token.norm == "(") - (token.norm == ")") for token in current)
    return opened == 0 and len(current) > 1 and current[-1].norm not in _UNFINISHED
