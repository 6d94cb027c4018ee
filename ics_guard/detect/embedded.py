"""DDL inside program text: the set of DDL statements in its string literals, before and after."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace

from ics_guard.detect.literals import Literal, literals
from ics_guard.detect.operations import Operation, settle, unreadable
from ics_guard.detect.sql import deleted, edited
from ics_guard.detect.sql_read import read_statement
from ics_guard.detect.sql_split import Statement, split
from ics_guard.detect.text import decode

_HINT = re.compile(r"\b(?:create|alter|drop|truncate|rename)\b", re.IGNORECASE)
_NAME = r"(?:\S+ \. )?\S+"
_DDL = re.compile(
    rf"""
      create\ (?:\S+\ ){{0,4}}?table\ (?:if\ not\ exists\ )?{_NAME}\ (?:\(|as\b|of\b|like\b|partition\b|using\b)
    | create\ virtual\ table\ (?:if\ not\ exists\ )?{_NAME}\ using\b
    | create\ (?:\S+\ ){{0,2}}?index\ (?:concurrently\ )?(?:if\ not\ exists\ )?(?:{_NAME}\ )?on\ {_NAME}\ (?:using\ \S+\ )?\(
    | create\ (?:\S+\ ){{0,3}}?view\ (?:if\ not\ exists\ )?{_NAME}\ (?:\(.*?\)\ )?as\b
    | create\ (?:\S+\ ){{0,3}}?trigger\ (?:if\ not\ exists\ )?{_NAME}\ (?:before|after|instead|on|for|insert|update|delete)\b
    | create\ (?:or\ replace\ )?(?:function|procedure)\ {_NAME}\ \(
    | create\ (?:type|domain)\ {_NAME}\ as\b
    | create\ policy\ {_NAME}\ on\b
    | create\ (?:schema|extension|sequence|database)\ if\ not\ exists\ {_NAME}
    | create\ (?:schema|extension|sequence|database)\ {_NAME}\Z
    | drop\ (?:table|index|view|trigger|materialized\ view|schema|type|sequence|function|procedure|database|policy|extension)
      \ (?:concurrently\ )?(?:if\ exists\ )?{_NAME}(?:\ ,\ {_NAME})*(?:\ on\ {_NAME})?(?:\ cascade|\ restrict|\ \(.*\))?\Z
    | alter\ (?:foreign\ )?table\ (?:if\ exists\ )?(?:only\ )?{_NAME}\ (?:add|drop|alter|rename|modify|change|set|enable|disable
      |force|no|owner|attach|detach|validate|engine|convert|inherit|replica|cluster|auto_increment|with\ (?:no)?check)\b
    | alter\ (?:type|sequence|index|view|schema|domain)\ (?:if\ exists\ )?{_NAME}\ (?:add|drop|rename|set|owner|alter|restart|as)\b
    | truncate\ (?:table\ )?(?:only\ )?{_NAME}(?:\ ,\ {_NAME})*(?:\ (?:restart|continue)\ identity)?(?:\ cascade|\ restrict)?\Z
    | rename\ table\ {_NAME}\ to\b
    """,
    re.VERBOSE,
)


def is_ddl(statement: Statement) -> bool:
    """Given a statement found in a string, return whether it has the shape of DDL and is not a sentence about some."""
    return _DDL.match(statement.canonical) is not None and statement.words[2:3] != ("failed",)


def read_embedded(text: str, path: str) -> list[Operation]:
    """Given program text, return the operations of the DDL in its string literals."""
    newlines = [offset for offset, character in enumerate(text) if character == "\n"]
    return [
        operation
        for literal in literals(text, path)
        if _HINT.search(literal.text)
        for operation in _read(literal, newlines)
    ]


def _read(literal: Literal, newlines: list[int]) -> list[Operation]:
    line = bisect_right(newlines, literal.start)
    column = literal.start - (newlines[line - 1] if line else -1)
    return [
        replace(found, line=line + found.line, column=column if found.line == 1 else found.column)
        for statement in split(literal.text)
        if is_ddl(statement)
        for found in read_statement(replace(statement, closed=True))
    ]


def detect_embedded(path: str, before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of program text, return the operations that the edit means."""
    old, new = decode(before or b""), decode(after or b"")
    if old is None or new is None:
        return [unreadable(before, after), *(settle(read_embedded(new, path)) if new else [])]
    if not _HINT.search(old) and not _HINT.search(new):
        return []
    if after is None:
        return deleted(read_embedded(old, path))
    return edited(read_embedded(old, path), read_embedded(new, path))
