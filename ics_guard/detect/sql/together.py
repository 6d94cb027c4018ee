"""What a statement means beside the others of its file: types that narrow, columns filled first, tables rebuilt."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from ics_guard.detect.operations import Operation
from ics_guard.detect.sql.alter import REQUIRES
from ics_guard.detect.sql.column_types import Type, narrows, required_columns, table_columns, type_at
from ics_guard.detect.sql.names import name_at, skip, top_level, words_after_modifiers
from ics_guard.detect.sql.scan import Token
from ics_guard.detect.sql.split import Statement, split
from ics_guard.detect.text import word_set

Read = Sequence[tuple[Statement, Sequence[Operation]]]

_TYPE = re.compile(
    r"(?:add|alter|modify|change)(?: column)?(?: if not exists| if exists)? "
    r"(?P<name>\"[^\"]*\"|`[^`]*`|\[[^]]*\]|\S+) (?:set data type |type )?(?P<type>.*)"
)
_ADDS = frozenset({"sql.add_column", "sql.add_required_column", "sql.add_unique_column"})
_HOLE = re.compile(r"[{%<:$]")
_TEMPORARY = word_set("temp temporary pg_temp tempdb")
_IN_TEMPORARY = tuple(f"{schema}." for schema in _TEMPORARY)
_LOSES_ROWS = word_set(
    "where limit join distinct group having union except intersect ignore conflict replace top offset"
)


@dataclass
class _Seen:
    """What the file has said so far: types, NOT NULL, columns that are filled or added, temporary tables."""

    types: defaultdict[str, dict[str, Type]] = field(default_factory=lambda: defaultdict(dict))
    required: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    filled: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)
    temporary: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Copy:
    """All rows of one table put into another: where in the file, how, and which columns ("*" for all)."""

    at: int
    source: str
    target: str
    columns: frozenset[str]
    canonical: str


def together(read: Read) -> list[Operation]:
    """Given the statements of a file with what each means alone, return their operations judged together."""
    seen = _Seen()
    renames = _renames(read)
    rebuilt = partial(_rebuilt, _copies(read), renames)
    result = []
    for index, (statement, operations) in enumerate(read):
        for operation in operations:
            if temporary := _temporary(statement, seen.temporary & {operation.object, operation.table}):
                seen.temporary -= temporary if operation.operation == "drop_table" else set()
                continue
            if operation.object.startswith(_IN_TEMPORARY):
                continue
            if operation.operation == REQUIRES and _last(operation.object) in seen.required[operation.table]:
                continue
            certain = _without_holes(operation)
            if operation.rule == "sql.drop_table":
                result.append(rebuilt(index, certain, seen.types.get(operation.object, {}).keys()))
            else:
                result.append(_judged(statement, certain, seen))
        _learn(statement, seen)
        for when, old, new in renames:
            if when == index:
                seen.types[new] = seen.types.pop(old, {})
                seen.required[new] = seen.required.pop(old, set())
    return result


def _temporary(statement: Statement, names: set[str]) -> set[str]:
    """Those names that mean a temporary table here: `main.t` beside a temporary `t` is another one."""
    words = statement.words
    return {
        name
        for name in names
        if all(
            words[at - 1] in _TEMPORARY for at in range(1, len(words) - 1) if words[at] == "." and words[at + 1] == name
        )
    }


def _without_holes(operation: Operation) -> Operation:
    """What is put in by a template is no name to look for in a database."""
    certain = tuple(effect for effect in operation.effects if not _HOLE.search(effect.object.partition(":")[2]))
    return replace(operation, effects=certain)


def _learn(statement: Statement, seen: _Seen) -> None:
    first = statement.words[0]
    made = table_columns(statement) if first == "create" else None
    if first == "create" and {"temp", "temporary"}.intersection(statement.words[1:4]):
        start = words_after_modifiers(statement.words) + 1
        seen.temporary.add(name_at(statement.tokens, skip(statement.words, start, "if", "not", "exists"))[0])
    elif made:
        seen.types[made[0]] = made[1]
        seen.required[made[0]] = set(required_columns(statement))
    elif first in ("update", "with"):
        seen.filled |= _assigned(statement)


def _judged(statement: Statement, operation: Operation, seen: _Seen) -> Operation:
    column = operation.object
    meaning = operation.canonical.removeprefix(f"alter table {operation.table} ")
    if operation.rule in _ADDS:
        seen.added.add(column)
        seen.types[operation.table][_last(column)] = _written(meaning)
    elif " set default " in meaning:
        seen.filled.add(column)
    elif " drop not null" in meaning:
        seen.required[operation.table].discard(_last(column))
    elif operation.rule == "sql.set_not_null" and column in seen.filled | seen.added:
        return replace(operation, rule="sql.set_not_null_filled", canonical=f"{operation.canonical} filled")
    elif operation.rule == "sql.alter_type":
        columns, new = seen.types[operation.table], _written(meaning)
        old, columns[_last(column)] = columns.get(_last(column), ()), new
        if narrows(old, new):
            detail = f"It was {_shown(old)} and becomes {_shown(new)}."
            return replace(operation, rule="sql.narrow_type", detail=detail)
    elif operation.rule == "sql.update_all":
        written = _assigned(statement)
        if written and written <= seen.added:
            return replace(operation, rule="sql.fill_column", canonical=f"{operation.canonical} new")
    return operation


def _written(meaning: str) -> Type:
    """The type in one action of ALTER TABLE."""
    match = _TYPE.match(meaning)
    return type_at(match["type"].split(" "), 0) if match else ()


def _shown(kind: Type) -> str:
    return " ".join(kind).replace(" ( ", "(").replace(" )", ")").replace(" , ", ", ")


def assigned(text: str) -> set[str]:
    """Given an UPDATE, return the columns that it writes, each with its table; `{"?"}` where that is not plain."""
    statements = split(text)
    return (_assigned(statements[0]) if len(statements) == 1 else set()) or {"?"}


def _assigned(statement: Statement) -> set[str]:
    """The columns that an UPDATE writes, each with its table; nothing for another statement."""
    words, tokens = statement.words, statement.tokens
    update = _update_of(words)
    if update is None or "set" not in words[update:]:
        return set()
    table, _ = name_at(tokens, skip(words, update + 1, "only"))
    start = words.index("set", update) + 1
    end = _end_of_list(words, start)
    names = [name for part in top_level(tokens[start:end]) for name in _targets(part)]
    return {f"{table}.{_last(name)}" for name in names}


def _update_of(words: Sequence[str]) -> int | None:
    """Where UPDATE stands: first, or behind what WITH names."""
    if words[0] != "with":
        return 0 if words[0] == "update" else None
    depth = 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "update" and depth == 0:
            return at
    return None


def _end_of_list(words: Sequence[str], start: int) -> int:
    depth = 0
    for at in range(start, len(words)):
        depth += (words[at] == "(") - (words[at] == ")")
        if depth == 0 and words[at] in ("from", "where", "returning"):
            return at
    return len(words)


def _targets(part: Sequence[Token]) -> list[str]:
    """What one item of SET writes: `a = 1`, or each of `(a, b) = (…)`."""
    if part[:1] and part[0].norm == "(":
        closing = next((at for at, token in enumerate(part) if token.norm == ")"), len(part))
        return [name_at(one, 0)[0] for one in top_level(part[1:closing])]
    return [name_at(part, 0)[0]]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _copies(read: Read) -> list[_Copy]:
    """INSERT INTO a SELECT … FROM b and CREATE TABLE a AS SELECT … FROM b, where no row of b can be left out."""
    result = []
    for at, (statement, _) in enumerate(read):
        words, tokens = statement.words, statement.tokens
        if words[0] not in ("insert", "create") or "select" not in words or _LOSES_ROWS.intersection(words):
            continue
        select = words.index("select")
        from_ = words.index("from", select) if "from" in words[select:] else 0
        source, end = name_at(tokens, from_ + 1) if from_ else ("", 0)
        if words[0] == "insert":
            target, after = name_at(tokens, skip(words, 1, "into"))
            listed = words[after : after + 1] == ("(",) or after == select
        else:
            start = words_after_modifiers(words)
            target, after = name_at(tokens, skip(words, start + 1, "if", "not", "exists"))
            listed = words[start : start + 1] == ("table",) and words[after : after + 1] == ("as",)
        alone = not words[end:] or _only_orders(tokens[end:])
        if source and target and listed and alone:
            columns = frozenset(token.text.strip('"`[]').lower() for token in tokens[select + 1 : from_])
            result.append(_Copy(at, source, target, columns, statement.canonical))
    return result


def _only_orders(rest: Sequence[Token]) -> bool:
    """Whether what follows FROM and a table leaves no row out: another name for it, and the order of its rows."""
    words = [token.norm for token in rest]
    at = 1 if words[0] == "as" else 0
    at += at < len(words) and words[at] != "order" and rest[at].kind in ("word", "name")
    return at == len(words) or words[at : at + 2] == ["order", "by"]


def _renames(read: Read) -> list[tuple[int, str, str]]:
    return [
        (at, operation.object, operation.effects[1].object.removeprefix("table:"))
        for at, (_, operations) in enumerate(read)
        for operation in operations
        if operation.rule == "sql.rename_table" and len(operation.effects) == 2
    ]


def _rebuilt(
    copies: Sequence[_Copy], renames: Sequence[tuple[int, str, str]], at: int, drop: Operation, known: Set[str]
) -> Operation:
    """A drop, unless all rows were copied before into the table that takes this one's name, or took it already."""
    for copy in copies:
        if copy.source != drop.object or copy.at > at:
            continue
        takes_name = any(old == copy.target and new == copy.source and at < when for when, old, new in renames)
        took_name = any(old == copy.target and new == copy.source and when < copy.at for when, old, new in renames)
        copied_back = any(back.source == copy.target and back.target == copy.source and back.at > at for back in copies)
        if not (takes_name or took_name or copied_back):
            continue
        left_out = sorted(known - copy.columns) if "*" not in copy.columns else []
        if left_out:
            return replace(drop, detail=f"The copy that takes its place leaves out {', '.join(left_out)}.")
        return replace(drop, rule="sql.rebuild_table", canonical=f"{drop.canonical} after {copy.canonical}")
    return drop
