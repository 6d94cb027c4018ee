"""One SQL statement to operations: what it does to the schema, nothing for what leaves the schema alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ics_guard.detect.operations import Operation
from ics_guard.detect.sql_alter import actions
from ics_guard.detect.sql_blocks import block_statements, dynamic
from ics_guard.detect.sql_names import name_at, names, skip
from ics_guard.detect.sql_rows import data_operations
from ics_guard.detect.sql_split import Statement, words_after_modifiers
from ics_guard.detect.text import word_set
from ics_guard.model import Effect

_QUIET = word_set(
    "set reset show begin start commit end rollback savepoint release abort analyze vacuum explain use lock unlock "
    "print copy listen notify discard checkpoint reindex cluster refresh flush optimize prepare deallocate close fetch "
    "open go attach detach raise return values table describe desc kill load cache uncache work"
)
_PRIVILEGES = word_set("grant revoke comment reassign security deny")
_PRINCIPALS = word_set("role user login group default system session resource")
_OBJECT_EFFECTS = word_set("view trigger index table")
_QUIET_META = re.compile(
    r"\\(?:i|ir|include|include_relative|gexec|!|e|edit)\b|\.(?:read|shell|system|import|restore)\b"
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
    if word in _QUIET:
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
    return [_operation(statement, "sql.dynamic", "template", statement.tokens[0].text[:40])]


def _create(statement: Statement) -> list[Operation]:
    words, tokens = statement.words, statement.tokens
    at = words_after_modifiers(words)
    kind = "procedure" if words[at : at + 1] == ("proc",) else words[at] if at < len(words) else ""
    modifiers = words[1:at]
    if "temp" in modifiers or "temporary" in modifiers:
        return []
    if kind in _PRINCIPALS:
        return [_operation(statement, "sql.privilege", f"create_{kind}", "")]
    if kind == "index":
        return [_create_index(statement, at, unique="unique" in modifiers)]
    name, after = name_at(tokens, skip(words, at + 1, "if", "not", "exists"))
    if name.startswith(("#", "tempdb..")):  # T-SQL's temporary tables
        return []
    replaces = "replace" in modifiers or "alter" in modifiers
    if kind == "table":
        rule = "sql.replace_table" if replaces else "sql.create_table"
        return [_operation(statement, rule, "create_table", name, (Effect(f"table:{name}", True),))]
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
    kind = words[at] if at < len(words) else ""
    if "temporary" in words[1:at]:
        return []
    if kind in _PRINCIPALS:
        return [_operation(statement, "sql.privilege", f"drop_{kind}", "")]
    found, _ = names(tokens, skip(words, at + 1, "concurrently", "if", "exists"))
    found = [name for name in found if not name.startswith("#")]
    rule = {
        "table": "sql.drop_table",
        "database": "sql.drop_schema",
        "schema": "sql.drop_schema",
        "owned": "sql.drop_schema",
        "index": "sql.drop_index",
    }.get(kind, "sql.drop_object")
    if rule == "sql.drop_object" and words[-1] == "cascade":
        rule = "sql.drop_cascade"
    if not kind or tokens[at].kind != "word":
        return [_operation(statement, "sql.unread", "drop", kind)]
    ending = " cascade" if words[-1] == "cascade" else ""
    return [
        _operation(
            statement,
            rule,
            f"drop_{kind}",
            name,
            (Effect(f"{kind}:{name}", False),) if kind in _OBJECT_EFFECTS else (),
            canonical=f"drop {kind} {name}{ending}" if len(found) > 1 else "",
        )
        for name in found
    ]


def _truncate(statement: Statement) -> list[Operation]:
    found, _ = names(statement.tokens, skip(statement.words, 1, "table", "only"))
    return [
        _operation(statement, "sql.truncate", "truncate", name, canonical=f"truncate {name}")
        for name in found
        if not name.startswith("#")
    ]


def _alter(statement: Statement) -> list[Operation]:
    words, tokens = statement.words, statement.tokens
    at = words_after_modifiers(words)
    kind = words[at] if at < len(words) else ""
    if kind in _PRINCIPALS:
        return [_operation(statement, "sql.privilege", f"alter_{kind}", "")]
    name, after = name_at(tokens, skip(words, skip(words, at + 1, "if", "exists"), "only"))
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
    if words[after : after + 1] == ("owner",):
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
    if dynamic(statement):
        inner.append(_operation(statement, "sql.dynamic", "block", ""))
    return inner or [_operation(statement, "sql.do_block", "block", "")]


def _call(statement: Statement) -> list[Operation]:
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
    "pragma": _pragma,
    "import": _import,
    **dict.fromkeys(("select", "insert", "update", "delete", "replace", "merge", "with", "upsert"), _rows),
}
