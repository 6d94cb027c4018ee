"""The shape of DDL, strict enough that a sentence about a table is none."""

from __future__ import annotations

import re

from ics_guard.detect.sql.blocks import block_statements
from ics_guard.detect.sql.split import Statement

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>|\{[^{}]*\}")
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
            r"do (?:language \S+ )?\$\$ ",
            r"if (?:not exists|exists|object_id|col_length|not object_id) ?\(",
            r"exec(?:ute)? (?:\S+ \. )?sp_rename\b",
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
    if statement.words[0] == "begin" and statement.words[-1] == "end":
        return any(map(is_ddl, block_statements(statement)))
    return _DDL.match(_TEMPLATE.sub("{}", statement.canonical)) is not None and statement.words[2:3] != ("failed",)
