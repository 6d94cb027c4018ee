"""One SQL statement to operations: what it does to the schema, nothing for what leaves the schema alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ics_guard.detect.operations import Operation
from ics_guard.detect.sql.alter import actions
from ics_guard.detect.sql.batches import NOT_A_BLOCK
from ics_guard.detect.sql.blocks import block_statements, dynamic, executed
from ics_guard.detect.sql.names import listed, name_at, skip, words_after_modifiers
from ics_guard.detect.sql.rows import data_operations
from ics_guard.detect.sql.split import Statement
from ics_guard.detect.text import word_set
from ics_guard.model import Effect

_QUIET = word_set(
    "set reset show start commit end rollback savepoint release abort analyze vacuum use lock unlock "
    "print listen notify discard checkpoint reindex cluster refresh flush optimize prepare deallocate close fetch "
    "open go attach detach raise return values table describe desc kill load cache uncache work elseif elsif signal "
    "handler help shutdown throw waitfor revert"
)
_PRIVILEGES = word_set("grant revoke comment reassign security deny")
_PRINCIPALS = word_set("role user login group default system session resource")
_DROPS = {
    "table": "sql.drop_table",
    "database": "sql.drop_schema",
    "schema": "sql.drop_schema",
    "owned": "sql.drop_schema",
    "index": "sql.drop_index",
}
_LONG_KINDS = (
    ("event", "trigger"),
    ("access", "method"),
    ("operator", "class"),
    ("operator", "family"),
    ("data", "wrapper"),
    ("text", "search", "configuration"),
    ("text", "search", "dictionary"),
    ("text", "search", "parser"),
    ("text", "search", "template"),
)
_SPELLED = {"proc": "procedure", "tables": "table"}
_OBJECT_EFFECTS = word_set("view trigger index table")
_QUIET_META = re.compile(
    r"\\!|\\(?:i|ir|include|include_relative|gexec|e|edit)\b|\.(?:read|shell|system|import|restore)\b"
)


def read_statement(statement: Statement) -> list[Operation]:
    """Given a statement, return its operations; none if it cannot touch the schema. What cannot be read says so."""
    operations = _operations(statement)
    if not statement.closed and all(found.rule != "sql.unread" for found in operations):
        operations.append(_operation(statement, "sql.unread", "statement", statement.words[0]))
    return operations


def _operation(
    statement: Statement,
    rule: str,
    operation: str,
    thing: str,
    effects: tuple[Effect, ...] = (),
    *,
    canonical: str = "",
    table: str = "",
) -> Operation:
    text = canonical or statement.canonical
    return Operation(rule, operation, thing, text, statement.line, statement.column, effects, table)


def _operations(statement: Statement) -> list[Operation]:
    first = statement.tokens[0]
    if first.kind == "meta":
        runs = _QUIET_META.match(first.norm)
        return [_operation(statement, "sql.include", "include", first.norm)] if runs else []
    if first.kind in ("template", "control"):
        return _templated(statement)
    if first.norm == "(" and len(statement.tokens) > 1:
        return _operations(_from(statement, 1))
    word = first.norm
    if word in _QUIET or (word == "begin" and (len(statement.tokens) == 1 or statement.words[1] in NOT_A_BLOCK)):
        return []
    if word in _PRIVILEGES:
        return [_operation(statement, "sql.privilege", word, "")]
    reader = _READERS.get(word)
    if reader:
        return reader(statement)
    return [_operation(statement, "sql.unread", "statement", first.text[:40])]


def _from(statement: Statement, index: int) -> Statement:
    return replace(statement, tokens=statement.tokens[index:])


def _templated(statement: Statement) -> list[Operation]:
    index = 0
    while index < len(statement.tokens) and statement.tokens[index].kind in ("template", "control"):
        index += 1
    if index < len(statement.tokens) and statement.tokens[index].kind == "word":
        return [replace(found, canonical=statement.canonical) for found in _operations(_from(statement, index))]
    if all(token.kind == "control" for token in statement.tokens):
        return []
    put_in = next(token for token in statement.tokens if token.kind != "control")
    return [_operation(statement, "sql.dynamic", "template", put_in.text[:40])]


def _create(statement: Statement) -> list[Operation]:
    words, tokens = statement.words, statement.tokens
    at = words_after_modifiers(words)
    kind, start = _kind(words, at)
    modifiers = words[1:at]
    if "temp" in modifiers or "temporary" in modifiers:
        return _rows(statement)
    if kind in _PRINCIPALS:
        return [_operation(statement, "sql.privilege", f"create_{kind}", "")]
    if kind == "index":
        return [_create_index(statement, at, unique="unique" in modifiers)]
    name, after = name_at(tokens, skip(words, start, "if", "not", "exists"))
    if name.startswith(("#", "tempdb..")):  # T-SQL's temporary tables
        return _rows(statement)
    replaces = "replace" in modifiers or "alter" in modifiers
    if kind == "table":
        rule = "sql.replace_table" if replaces else "sql.create_table"
        made = _operation(statement, rule, "create_table", name, (Effect(f"table:{name}", True),))
        return [made, *_rows(statement)]  # CREATE TABLE … AS WITH gone AS (DELETE …)
    if kind == "policy":
        table, _ = name_at(tokens, skip(words, after, "on"))
        return [_operation(statement, "sql.create_policy", "create_policy", name, table=table)]
    if not kind or tokens[at].kind != "word":
        return [_operation(statement, "sql.unread", "create", kind)]
    rule = "sql.replace_object" if replaces or kind == "rule" else "sql.create_object"
    visible = kind in _OBJECT_EFFECTS and not replaces and name
    effects = (Effect(f"{kind}:{name}", True),) if visible else ()
    return [_operation(statement, rule, f"create_{kind}", name, effects)]


def _create_index(statement: Statement, at: int, *, unique: bool) -> Operation:
    words, tokens = statement.words, statement.tokens
    start = skip(words, at + 1, "concurrently", "if", "not", "exists")
    name, after = ("", start) if words[start : start + 1] == ("on",) else name_at(tokens, start)
    table, _ = name_at(tokens, skip(words, skip(words, after, "on"), "only"))
    rule = "sql.create_unique_index" if unique else "sql.create_index"
    effects = (Effect(f"index:{name}", True),) if name else ()
    return _operation(statement, rule, "create_index", name or table, effects, table=table)


def _drop(statement: Statement) -> list[Operation]:
    words, tokens = statement.words, statement.tokens
    at = words_after_modifiers(words)
    kind, start = _kind(words, at)
    if "temporary" in words[1:at]:
        return []
    if kind in _PRINCIPALS:
        return [_operation(statement, "sql.privilege", f"drop_{kind}", "")]
    if not kind or tokens[at].kind != "word":
        return [_operation(statement, "sql.unread", "drop", kind)]
    found = listed(tokens[skip(words, start, "concurrently", "if", "exists", "by") :])
    if found and all(name.startswith("#") for name in found):
        return []
    rule = _DROPS.get(kind, "sql.drop_object")
    if rule == "sql.drop_object" and words[-1] == "cascade":
        rule = "sql.drop_cascade"
    ending = " cascade" if words[-1] == "cascade" else ""
    return [
        _operation(
            statement,
            rule,
            f"drop_{kind}",
            name,
            (Effect(f"{kind}:{name}", False),) if kind in _OBJECT_EFFECTS and name else (),
            canonical=f"drop {kind} {name}{ending}" if len(found) > 1 else "",
        )
        for name in found or [""]
    ]


def _kind(words: tuple[str, ...], at: int) -> tuple[str, int]:
    """What is created or dropped, and the index after it."""
    for long in _LONG_KINDS:
        if words[at : at + len(long)] == long:
            return "_".join(long), at + len(long)
    kind = words[at] if at < len(words) else ""
    return _SPELLED.get(kind, kind), at + 1


def _truncate(statement: Statement) -> list[Operation]:
    found = listed(statement.tokens[skip(statement.words, 1, "table") :])
    return [
        _operation(statement, "sql.truncate", "truncate", name, canonical=f"truncate {name}")
        for name in found or [""]
        if not name.startswith("#")
    ]


def _alter(statement: Statement) -> list[Operation]:
    words, tokens = statement.words, statement.tokens
    at = words_after_modifiers(words)
    if words[at : at + 1] and words[at] in _PRINCIPALS:
        return [_operation(statement, "sql.privilege", f"alter_{words[at]}", "")]
    kind, start = _kind(words, at)
    name, after = name_at(tokens, skip(words, skip(words, start, "if", "exists"), "only"))
    if name.startswith("#"):
        return []
    if kind == "table":
        after = skip(words, after, "*")
        return [
            _operation(
                statement, rule, operation, thing, effects, canonical=f"alter table {name} {meaning}", table=name
            )
            for (rule, operation, thing, effects), meaning in actions(name, tokens[after:])
        ] or [_operation(statement, "sql.unread", "alter_table", name)]
    if not kind or tokens[at].kind != "word":
        return [_operation(statement, "sql.unread", "alter", kind)]
    rule = "sql.add_value" if kind == "type" and words[after : after + 2] == ("add", "value") else "sql.alter_object"
    if words[-3:-1] == ("owner", "to"):
        rule = "sql.privilege"
    return [_operation(statement, rule, f"alter_{kind}", name)]


def _rename(statement: Statement) -> list[Operation]:
    """MySQL: RENAME TABLE a TO b, c TO d."""
    result, index = [], 2
    while index < len(statement.tokens):
        old, index = name_at(statement.tokens, index)
        new, index = name_at(statement.tokens, skip(statement.words, index, "to"))
        effects = (Effect(f"table:{old}", False), Effect(f"table:{new}", True))
        meaning = f"rename table {old} to {new}"
        result.append(_operation(statement, "sql.rename_table", "rename_table", old, effects, canonical=meaning))
        index += 1
    return result or [_operation(statement, "sql.unread", "rename", "")]


def _block(statement: Statement) -> list[Operation]:
    inner = [
        replace(found, line=statement.line, column=statement.column, effects=())
        for part in block_statements(statement)
        for found in read_statement(part)
        if found.rule != "sql.unread"
    ]
    inner[:1] = [replace(found, canonical=f"{found.canonical} in {statement.canonical}") for found in inner[:1]]
    if dynamic(statement):
        inner.append(_operation(statement, "sql.dynamic", "block", ""))
    return inner or [_operation(statement, "sql.do_block", "block", "")]


def _explain(statement: Statement) -> list[Operation]:
    """EXPLAIN ANALYZE runs what it explains."""
    words = statement.words
    start = next((at for at, word in enumerate(words) if word in _READERS and at), 0)
    runs = start and "analyze" in words[1:start]
    return _operations(_from(statement, start)) if runs else []


def _copy(statement: Statement) -> list[Operation]:
    """COPY (DELETE … RETURNING …) TO runs the statement inside."""
    return _operations(_from(statement, 2)) if statement.words[1:2] == ("(",) and len(statement.words) > 2 else []


def _call(statement: Statement) -> list[Operation]:
    known = [found for part in executed(statement) for found in read_statement(part)]
    if known:
        return [replace(found, canonical=statement.canonical, effects=()) for found in known]
    name, _ = name_at(statement.tokens, skip(statement.words, 1, "procedure"))
    if name.rpartition(".")[2] == "sp_rename":
        return [_operation(statement, "sql.rename_table", "rename", name)]
    rule = "sql.call" if statement.words[0] == "call" or (name and "sp_executesql" not in name) else "sql.dynamic"
    return [_operation(statement, rule, "call", name)]


def _rows(statement: Statement) -> list[Operation]:
    return [
        _operation(statement, rule, operation, table, canonical=statement.canonical)
        for rule, operation, table in data_operations(statement.tokens)
    ]


def _pragma(statement: Statement) -> list[Operation]:
    words: Sequence[str] = statement.words
    dangerous = "writable_schema" in words and not {"0", "off", "false", "reset"}.intersection(words)
    return [_operation(statement, "sql.writable_schema", "pragma", "sqlite_schema")] if dangerous else []


def _import(statement: Statement) -> list[Operation]:
    return [_operation(statement, "sql.create_object", "import", "")]


_READERS = {
    "create": _create,
    "drop": _drop,
    "alter": _alter,
    "truncate": _truncate,
    "rename": _rename,
    "do": _block,
    "if": _block,
    "while": _block,
    "declare": _block,
    "else": _block,
    "call": _call,
    "exec": _call,
    "execute": _call,
    "begin": _block,
    "explain": _explain,
    "copy": _copy,
    "pragma": _pragma,
    "import": _import,
    **dict.fromkeys(("select", "insert", "update", "delete", "replace", "merge", "with", "upsert"), _rows),
}
