"""Column types as a SQL file itself shows them, and whether one holds less than another."""

from __future__ import annotations

from collections.abc import Sequence

from ics_guard.detect.sql.names import name_at, skip, top_level, words_after_modifiers
from ics_guard.detect.sql.scan import Token
from ics_guard.detect.sql.split import Statement
from ics_guard.detect.text import word_set

_AFTER_TYPE = word_set(
    "not null default primary unique references check constraint collate generated using comment first after "
    "auto_increment autoincrement identity as on set drop encode unsigned zerofill"
)
_NO_COLUMN = word_set("constraint primary unique foreign check exclude like index key fulltext spatial period")
_TEXT = word_set("varchar char character nvarchar nchar varchar2 text string citext bpchar varbinary binary")
_WHOLE = {
    "tinyint": 1, "smallint": 2, "int2": 2, "smallserial": 2, "mediumint": 3, "int": 4, "integer": 4, "int4": 4,
    "serial": 4, "bigint": 8, "int8": 8, "bigserial": 8,
}  # fmt: skip
_BROKEN = {"real": 4, "float4": 4, "double": 8, "float8": 8, "float": 8}
_EXACT = word_set("numeric decimal dec money smallmoney number")
_MOMENTS = {"date": 1, "smalldatetime": 2, "datetime": 3, "timestamp": 4, "timestamptz": 4, "datetime2": 4}
_LONG = 1 << 62
_DEFAULT_SIZE = {"char": 1, "character": 1, "nchar": 1, "binary": 1}

Type = tuple[str, ...]


def type_at(words: Sequence[str], index: int) -> Type:
    """Given words and where a type begins, return the words of the type."""
    end = index
    depth = 0
    while end < len(words) and (depth or words[end] not in _AFTER_TYPE):
        depth += (words[end] == "(") - (words[end] == ")")
        if depth < 0:
            break
        end += 1
    return tuple(words[index:end])


def table_columns(statement: Statement) -> tuple[str, dict[str, Type]] | None:
    """Given a CREATE TABLE with a list of columns, return the table and the type of each; None for anything else."""
    listed = _listed(statement)
    return (listed[0], dict(column for column in map(_column, listed[1]) if column)) if listed else None


def required_columns(statement: Statement) -> frozenset[str]:
    """Given a CREATE TABLE with a list of columns, return those that it gives NOT NULL."""
    parts = (_listed(statement) or ("", []))[1]
    required = (part for part in parts if " not null" in " ".join(token.norm for token in part))
    return frozenset(column[0] for column in map(_column, required) if column)


def _listed(statement: Statement) -> tuple[str, list[tuple[Token, ...]]] | None:
    words, tokens = statement.words, statement.tokens
    at = words_after_modifiers(words)
    if words[0] != "create" or words[at : at + 1] != ("table",):
        return None
    table, index = name_at(tokens, skip(words, at + 1, "if", "not", "exists"))
    if words[index : index + 1] != ("(",):
        return None
    return table, top_level(_parenthesised(tokens, index))


def _column(part: tuple[Token, ...]) -> tuple[str, Type] | None:
    if part[0].kind == "word" and part[0].norm in _NO_COLUMN:
        return None
    name, index = name_at(part, 0)
    return (name, type_at([token.norm for token in part], index)) if name else None


def _parenthesised(tokens: Sequence[Token], index: int) -> Sequence[Token]:
    depth = 0
    for at in range(index, len(tokens)):
        depth += (tokens[at].norm == "(") - (tokens[at].norm == ")")
        if depth == 0:
            return tokens[index + 1 : at]
    return tokens[index + 1 :]


def narrows(old: Type, new: Type) -> bool:
    """Given two types, return whether the new one surely holds less than the old one."""
    if not old or not new or "{}" in (*old, *new):
        return False
    was, now = old[0], new[0]
    sizes, new_sizes = _sizes(old), _sizes(new)
    if was in _TEXT:
        return now in _TEXT and _length(new) < _length(old)
    if was in _WHOLE:
        return _WHOLE.get(now, 9) < _WHOLE[was] or (now in _EXACT and 0 < _digits(new_sizes)[0] < 5)
    if was in _BROKEN:
        return now in _WHOLE or _BROKEN.get(now, 9) < _BROKEN[was]
    if was in _EXACT:
        before, after = _digits(sizes), _digits(new_sizes)
        smaller = bool(after != (0, 0) and (before == (0, 0) or after[0] < before[0] or after[1] < before[1]))
        return now in _WHOLE or now in _BROKEN or (now in _EXACT and smaller)
    return was in _MOMENTS and _MOMENTS.get(now, 9) < _MOMENTS[was]


def _sizes(words: Type) -> list[int]:
    return [int(word) for word in words if word.isdecimal()]


def _length(words: Type) -> int:
    sizes = _sizes(words)
    return sizes[0] if sizes else _LONG if "varying" in words else _DEFAULT_SIZE.get(words[0], _LONG)


def _digits(sizes: list[int]) -> tuple[int, int]:
    """Digits before and after the point; (0, 0) if there is no limit."""
    whole, broken = (*sizes, 0, 0)[:2]
    return whole - broken, broken
