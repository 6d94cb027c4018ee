"""Statements on rows: which of them lose all rows, make tables, or call what cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ics_guard.detect.sql_names import name_at, skip
from ics_guard.detect.sql_scan import Token

_ALWAYS = ((), ("true",), ("1",), ("1", "=", "1"), ("(", "1", "=", "1", ")"))
_HARMLESS_CALL = re.compile(
    r"(?:pg_catalog\.)?(?:setval|nextval|currval|lastval|set_config|current_setting|now|count|sum|min|max|coalesce|"
    r"version|last_insert_rowid|changes|random|gen_random_uuid|uuid\w*|json\w*|jsonb\w*|to_\w+|date\w*|time\w*|strftime|"
    r"lower|upper|length|concat\w*|substr\w*|exists|array\w*|unnest|generate_series|row_number|cast|convert|case|if|ifnull|"
    r"nullif|round|abs|pg_(?!terminate|cancel|rotate|reload|switch|create|drop|import)\w+|sqlite_\w+|md5|typeof|plan|ok|is|"
    r"finish|has_\w+|lives_ok|throws_ok|fts5?|row|rank|database|schema|user|sleep|benchmark|getdate|object_id|db_\w+)\Z"
)


def data_operations(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Given the tokens of a SELECT, INSERT, UPDATE, DELETE, MERGE or WITH, return rule, operation, table."""
    words = tuple(token.norm for token in tokens)
    if words[0] == "select":
        return _select(tokens, words)
    result = []
    for index, word in enumerate(words):
        if word in ("delete", "update") and _begins(words, index) and not _has_where(words, index):
            table, _ = name_at(tokens, skip(words, index + 1, "from", "only"))
            if not table.startswith("#"):
                result.append((f"sql.{word}_all", word, table))
    return result


def _begins(words: tuple[str, ...], index: int) -> bool:
    """Whether a statement begins here: at the start, in the parentheses of a WITH, or after them."""
    if index == 0:
        return True
    if words[0] != "with" or words[index - 1] not in ("(", ")"):
        return False
    return words[index] == "delete" or "set" in words[index + 1 :]


def _has_where(words: tuple[str, ...], index: int) -> bool:
    depth = 0
    for at in range(index, len(words)):
        word = words[at]
        depth += (word == "(") - (word == ")")
        if depth < 0:
            return False
        if word == "where" and depth == 0:
            return _condition(words[at + 1 :]) not in _ALWAYS
    return False


def _condition(words: tuple[str, ...]) -> tuple[str, ...]:
    depth = 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth < 0 or word == "returning":
            return words[:at]
    return words


def _select(tokens: Sequence[Token], words: tuple[str, ...]) -> list[tuple[str, str, str]]:
    depth = 0
    for index, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "into" and depth == 0 and words[index + 1 : index + 2] not in (("outfile",), ("dumpfile",)):
            table, _ = name_at(tokens, skip(words, index + 1, "table"))
            temporary = table.startswith(("#", "@")) or table in ("temp", "temporary")
            return [] if temporary else [("sql.create_table", "create_table", table)]
    if "from" in words:
        return []
    name, after = name_at(tokens, 1)
    called = words[after : after + 1] == ("(",) and name and not _HARMLESS_CALL.match(name)
    return [("sql.call", "call", name)] if called else []
