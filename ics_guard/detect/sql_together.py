"""What a statement means beside the others of its file: types that narrow, columns filled first, tables rebuilt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ics_guard.detect.operations import Operation
from ics_guard.detect.sql_names import name_at, skip, top_level
from ics_guard.detect.sql_split import Statement, words_after_modifiers
from ics_guard.detect.sql_types import Type, narrows, table_columns, type_at
from ics_guard.detect.text import word_set

Read = Sequence[tuple[Statement, Sequence[Operation]]]

_TYPE = re.compile(
    r"(?:add|alter|modify|change)(?: column)?(?: if not exists| if exists)? "
    r"(?P<name>\"[^\"]*\"|`[^`]*`|\[[^]]*\]|\S+) (?:set data type |type )?(?P<type>.*)"
)
_LOSES_ROWS = word_set(
    "where limit join distinct group having union except intersect ignore conflict replace top offset"
)


@dataclass
class _Seen:
    """What the file has said so far: types of columns, columns that hold a value in every row, columns it added."""

    types: dict[str, Type] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)


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
    rebuilt = partial(_rebuilt, _copies(read), _renames(read))
    result = []
    for index, (statement, operations) in enumerate(read):
        for operation in operations:
            if operation.rule == "sql.drop_table":
                result.append(rebuilt(index, operation, _known(seen, operation.object)))
            else:
                result.append(_judged(statement, operation, seen))
        _learn(statement, seen)
    return result


def _learn(statement: Statement, seen: _Seen) -> None:
    first = statement.words[0]
    made = table_columns(statement) if first == "create" else None
    if made:
        seen.types |= {f"{made[0]}.{name}": kind for name, kind in made[1].items()}
    elif first == "update":
        seen.filled |= _assigned(statement)


def _judged(statement: Statement, operation: Operation, seen: _Seen) -> Operation:
    column = operation.object
    meaning = operation.canonical.removeprefix(f"alter table {operation.table} ")
    if operation.rule in ("sql.add_column", "sql.add_required_column"):
        seen.added.add(column)
        seen.types[column] = _written(meaning)
    elif " set default " in meaning:
        seen.filled.add(column)
    elif operation.rule == "sql.set_not_null" and column in seen.filled | seen.added:
        return replace(operation, rule="sql.set_not_null_filled", canonical=f"{operation.canonical} filled")
    elif operation.rule == "sql.alter_type":
        old, new = seen.types.get(column, ()), _written(meaning)
        seen.types[column] = new
        if narrows(old, new):
            detail = f"It was {_shown(old)} and becomes {_shown(new)}."
            return replace(operation, rule="sql.narrow_type", detail=detail)
    elif operation.rule == "sql.update_all" and statement.words[0] == "update":
        assigned = _assigned(statement)
        if assigned and assigned <= seen.added:
            return replace(operation, rule="sql.fill_column", canonical=f"{operation.canonical} new")
    return operation


def _written(meaning: str) -> Type:
    """The type in one action of ALTER TABLE."""
    match = _TYPE.match(meaning)
    return type_at(match["type"].split(" "), 0) if match else ()


def _shown(kind: Type) -> str:
    return " ".join(kind).replace(" ( ", "(").replace(" )", ")").replace(" , ", ", ")


def _assigned(statement: Statement) -> set[str]:
    """The columns that an UPDATE writes, each with its table."""
    words, tokens = statement.words, statement.tokens
    table, _ = name_at(tokens, skip(words, 1, "only"))
    if "set" not in words:
        return set()
    start = words.index("set") + 1
    end = next((at for at in range(start, len(words)) if words[at] in ("from", "where", "returning")), len(words))
    names = (name_at(part, skip([token.norm for token in part], 0, "("))[0] for part in top_level(tokens[start:end]))
    return {f"{table}.{name.rpartition('.')[2]}" for name in names}


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
        alone = end == len(words) or (end + 1 == len(words) and tokens[end].kind in ("word", "name"))
        if source and target and listed and alone:
            columns = frozenset(token.text.strip('"`[]').lower() for token in tokens[select + 1 : from_])
            result.append(_Copy(at, source, target, columns, statement.canonical))
    return result


def _renames(read: Read) -> list[tuple[int, str, str]]:
    return [
        (at, operation.object, operation.effects[1].object.removeprefix("table:"))
        for at, (_, operations) in enumerate(read)
        for operation in operations
        if operation.rule == "sql.rename_table" and len(operation.effects) == 2
    ]


def _rebuilt(
    copies: Sequence[_Copy], renames: Sequence[tuple[int, str, str]], at: int, drop: Operation, known: set[str]
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


def _known(seen: _Seen, table: str) -> set[str]:
    return {column.rpartition(".")[2] for column in seen.types if column.rpartition(".")[0] == table}
