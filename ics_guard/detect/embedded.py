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

_HINT = re.compile(r"\b(?:create|alter|drop|truncate|rename|writable_schema)\b", re.IGNORECASE)
_NAME = r"(?:\S+ \. )?\S+"
_LIST = rf"{_NAME}(?: , {_NAME})*"
_DDL = re.compile(
    "|".join(
        (
            rf"create (?:\S+ ){{0,4}}?table (?:if not exists )?{_NAME} (?:\(|as\b|of\b|like\b|partition\b|using\b)",
            rf"create (?:\S+ ){{0,2}}?index (?:concurrently )?(?:if not exists )?(?:{_NAME} )?on {_NAME} "
            r"(?:using \S+ )?\(",
            rf"create (?:\S+ ){{0,3}}?view (?:if not exists )?{_NAME} (?:\(.*?\) )?as\b",
            rf"create (?:\S+ ){{0,3}}?trigger (?:if not exists )?{_NAME} "
            r"(?:before|after|instead|on|for|insert|update|delete)\b",
            rf"create (?:or replace )?(?:function|procedure) {_NAME} \(",
            rf"create (?:type|domain) {_NAME} as\b",
            rf"create policy {_NAME} on\b",
            rf"create (?:schema|extension|sequence|database) (?:if not exists {_NAME}|{_NAME}\Z)",
            r"drop (?:table|index|view|trigger|materialized view|schema|type|sequence|function|procedure|database"
            rf"|policy|extension) (?:concurrently )?(?:if exists )?{_LIST}(?: on {_NAME})?"
            r"(?: cascade| restrict| \(.*\))?\Z",
            rf"alter (?:foreign )?table (?:if exists )?(?:only )?{_NAME} (?:add|drop|alter|rename|modify|change|set"
            r"|enable|disable|force|no|owner|attach|detach|validate|engine|convert|inherit|replica|cluster|auto_increment"
            r"|with (?:no)?check)\b",
            rf"alter (?:type|sequence|index|view|schema|domain) (?:if exists )?{_NAME} "
            r"(?:add|drop|rename|set|owner|alter|restart|as)\b",
            rf"truncate (?:table )?(?:only )?{_LIST}(?: (?:restart|continue) identity)?(?: cascade| restrict)?\Z",
            rf"rename table {_NAME} to\b",
            r"pragma (?:\S+ \. )?writable_schema\b",
        )
    )
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
