"""Statements on rows: which of them lose all rows, make tables, or call what cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ics_guard.detect.sql.names import name_at, skip
from ics_guard.detect.sql.scan import Token
from ics_guard.detect.text import word_set

_TRUE = frozenset({("true",), ("1",), ("not", "false"), ("not", "0"), ("true", "=", "true")})
_RISKY_CALL = re.compile(
    r"(?:\w+\.)*(?:pg_)?(?:drop|truncate|purge|delete|remove)_\w+\Z|(?:\w+\.)*(?:lo_unlink|lowrite|lo_put|dblink_exec|"
    r"create_hypertable|create_distributed_table|undistribute_table|exec_sql|execute_sql|writefile|load_extension)\Z"
)
_MODIFIERS = word_set("low_priority quick ignore delayed")
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
    result = _select(tokens, words) if words[0] == "select" else []
    sets = max((index for index, word in enumerate(words) if word == "set"), default=-1)
    for index, word in enumerate(words):
        if word not in ("delete", "update") or not _begins(words, index, sets) or _has_where(words, index):
            continue
        table, _ = name_at(tokens, _target(words, index + 1))
        if not table.startswith(("#", "@")):
            result.append((f"sql.{word}_all", word, table))
    if words[0] == "merge" and "delete" in words:
        rule = _merge_rule(words)
        result += [(rule, "merge", name_at(tokens, skip(words, 1, "into"))[0])] if rule else []
    return list(dict.fromkeys(result))


def _target(words: tuple[str, ...], index: int) -> int:
    """Where the table is named: after UPDATE OR IGNORE, DELETE LOW_PRIORITY, DELETE TOP (10) FROM ONLY."""
    while words[index : index + 1] and words[index] in _MODIFIERS:
        index += 1
    if words[index : index + 1] == ("or",):
        index += 2
    if words[index : index + 2] == ("top", "("):
        index = words.index(")", index) + 1 if ")" in words[index:] else index
    return skip(words, index, "from", "only")


def _begins(words: tuple[str, ...], index: int, sets: int) -> bool:
    """Whether a statement begins here: at the start, in the parentheses of a WITH, or after them."""
    if index == 0:
        return True
    if words[index - 1] not in ("(", ")") or (words[index - 1] == ")" and words[0] != "with"):
        return False
    return words[index + 1 : index + 2] == ("from",) or words[0] == "with" if words[index] == "delete" else sets > index


def _merge_rule(words: tuple[str, ...]) -> str:
    """MERGE … WHEN MATCHED THEN DELETE: whatever the source holds too. NOT MATCHED BY SOURCE: whatever it does not."""
    said = " ".join(words)
    if "not matched by source then delete" in said:
        return "sql.delete_all"
    if "when matched then delete" not in said:
        return ""
    start, end = (words.index(word) if word in words else 0 for word in ("on", "when"))
    return "sql.delete_all" if start < end and _always(words[start + 1 : end]) else "sql.merge_delete"


def _has_where(words: tuple[str, ...], index: int) -> bool:
    depth = 0
    for at in range(index, len(words)):
        word = words[at]
        depth += (word == "(") - (word == ")")
        if depth < 0:
            return False
        if word == "where" and depth == 0:
            return not _always(_condition(words[at + 1 :]))
    return False


def _condition(words: tuple[str, ...]) -> tuple[str, ...]:
    depth = 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth < 0 or (depth == 0 and word in ("returning", "order", "limit")):
            return words[:at]
    return words


def _always(words: tuple[str, ...]) -> bool:
    """Whether a condition holds for every row: TRUE, 1 = 1, id = id, NOT FALSE; one side of OR, all sides of AND."""
    words = _bare(words)
    for joint, enough in (("or", any), ("and", all)):
        parts = _cut(words, joint)
        if len(parts) > 1:
            return enough(map(_always, parts))
    same = len(words) % 2 == 1 and len(words) > 2 and words[len(words) // 2] in ("=", "==", "is", "<=", ">=")
    return not words or words in _TRUE or (same and words[: len(words) // 2] == words[len(words) // 2 + 1 :])


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without the parentheses around the whole."""
    while len(words) > 1 and words[0] == "(" and words[-1] == ")" and _closing(words) == len(words) - 1:
        words = words[1:-1]
    return words


def _closing(words: tuple[str, ...]) -> int:
    depth = 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return at
    return -1


def _cut(words: tuple[str, ...], joint: str) -> list[tuple[str, ...]]:
    parts, depth, start = [], 0, 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == joint and depth == 0 and "between" not in words[start:at]:
            parts.append(words[start:at])
            start = at + 1
    return [*parts, words[start:]]


def _select(tokens: Sequence[Token], words: tuple[str, ...]) -> list[tuple[str, str, str]]:
    depth = 0
    for index, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "into" and depth == 0 and words[index + 1 : index + 2] not in (("outfile",), ("dumpfile",)):
            table, _ = name_at(tokens, skip(words, index + 1, "table"))
            temporary = table.startswith(("#", "@")) or table in ("temp", "temporary")
            return [] if temporary else [("sql.create_table", "create_table", table)]
    for index in range(1, len(words) - 1):
        if words[index + 1] == "(" and _RISKY_CALL.match(words[index]):
            return [("sql.call", "call", words[index])]
    if "from" in words:
        return []
    name, after = name_at(tokens, 1)
    called = words[after : after + 1] == ("(",) and name and not _HARMLESS_CALL.match(name)
    return [("sql.call", "call", name)] if called else []
