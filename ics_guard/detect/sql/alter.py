"""The actions of one ALTER TABLE, each by its leading words: the same reading for every dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ics_guard.detect.sql.names import name_at, skip, top_level
from ics_guard.detect.sql.scan import Token
from ics_guard.detect.sql.split import spelled
from ics_guard.detect.text import word_set
from ics_guard.model import Effect

Action = tuple[str, str, str, tuple[Effect, ...]]
"""Rule, operation, object and effects."""

_Reader = Callable[[str, Sequence[Token], tuple[str, ...]], Action]

REQUIRES = "require_column"
"""NOT NULL said again with a type: it means nothing where the column was so before."""

_CONSTRAINT = word_set("constraint primary unique foreign check exclude fulltext spatial index key not")
_FILLED = word_set("default generated identity autoincrement auto_increment serial bigserial smallserial as")


def actions(table: str, tokens: Sequence[Token]) -> list[tuple[Action, str]]:
    """Given a table's name and the tokens after it in ALTER TABLE, return each action with its meaning as text."""
    result, verb = [], ""
    for written in top_level(tokens):
        part = _with_verb(written, verb)
        verb = part[0].norm if part else ""
        inner = _parenthesised(part) if verb in ("add", "drop", "modify") else ()
        pieces = [(part[0], *piece) for piece in top_level(inner)] or [part]
        for piece in pieces:  # ADD (a int, b int) is two actions
            words = tuple(token.norm for token in piece)
            action = _action(table, piece, words)
            result.append((action, spelled(piece)))
            if action[0] == "sql.alter_type" and _requires(words):
                meaning = f"alter column {action[2].rpartition('.')[2]} set not null"
                result.append((("sql.set_not_null", REQUIRES, action[2], ()), meaning))
    return result


def _with_verb(part: tuple[Token, ...], verb: str) -> tuple[Token, ...]:
    """The action with its verb in front: T-SQL writes WITH CHECK before it, and says it once in ADD a int, b int."""
    words = tuple(token.norm for token in part[:2])
    if words in (("with", "check"), ("with", "nocheck")):
        part = part[2:]
    if part and part[0].norm not in _VERBS and verb in ("add", "drop"):
        return (part[0]._replace(kind="word", text=verb, norm=verb), *part)
    return part


def _parenthesised(part: Sequence[Token]) -> Sequence[Token]:
    index = 2 if len(part) > 1 and part[1].norm in ("column", "columns") else 1
    return part[index + 1 : -1] if len(part) > index and part[index].norm == "(" and part[-1].norm == ")" else ()


def _action(table: str, tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    reader = _VERBS.get(words[0]) if words else None
    return reader(table, tokens, words) if reader else ("sql.alter_table", "alter_table", table, ())


def _add(table: str, tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    if words[1:2] == ("partition",):
        return "sql.alter_table", "alter_table", table, ()
    named = words[1:2] == ("constraint",) or _phrase(words, "using", "index")
    if named or (words[1:2] and words[1] in _CONSTRAINT and "(" in words[2:]):
        return _add_constraint(table, tokens, words)
    name, index = name_at(tokens, skip(words, 1, "column", "if", "not", "exists"))
    if not name:
        return "sql.alter_table", "alter_table", table, ()
    rest = words[index:]
    filled = _FILLED.intersection(rest) and not _phrase(rest, "default", "null")
    if (_phrase(rest, "not", "null") or "primary" in rest) and not filled:
        rule = "add_required_column"
    else:
        rule = "add_unique_column" if "unique" in rest else "add_column"
    return f"sql.{rule}", "add_column", f"{table}.{name}", (Effect(f"column:{table}.{name}", True),)


def _requires(words: tuple[str, ...]) -> bool:
    """Whether a column gets NOT NULL with its type, as MySQL and T-SQL say it; PostgreSQL's USING is no such thing."""
    return _phrase(words, "not", "null") and not _phrase(words, "is", "not", "null")


def _phrase(words: tuple[str, ...], *phrase: str) -> bool:
    return any(words[index : index + len(phrase)] == phrase for index, word in enumerate(words) if word == phrase[0])


def _add_constraint(table: str, tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    kind = words[1]
    if kind in ("index", "key", "fulltext", "spatial"):
        name, _ = name_at(tokens, 3 if words[2:3] in (("index",), ("key",)) else 2)
        return "sql.create_index", "create_index", name or table, ()
    name = name_at(tokens, skip(words, 2, "if", "not", "exists"))[0] if kind == "constraint" else ""
    return "sql.add_constraint", "add_constraint", f"{table}.{name}" if name else table, ()


def _drop(table: str, tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    kind = words[1] if len(words) > 1 and tokens[1].kind == "word" else "column"
    if kind in ("constraint", "primary", "foreign", "check"):
        name, _ = name_at(tokens, skip(words, 2, "key", "if", "exists"))
        return "sql.drop_constraint", "drop_constraint", f"{table}.{name}" if name else table, ()
    if kind in ("index", "key"):
        name, _ = name_at(tokens, skip(words, 2, "if", "exists"))
        return "sql.drop_index", "drop_index", name, (Effect(f"index:{name}", False),)
    if kind == "partition":
        return "sql.drop_partition", "drop_partition", table, ()
    name, _ = name_at(tokens, skip(words, 1, "column", "if", "exists"))
    if not name:
        return "sql.alter_table", "alter_table", table, ()
    return "sql.drop_column", "drop_column", f"{table}.{name}", (Effect(f"column:{table}.{name}", False),)


def _alter(table: str, tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    if words[1:2] in (("index",), ("constraint",), ("check",)):
        return "sql.alter_table", "alter_table", table, ()
    name, index = name_at(tokens, skip(words, 1, "column", "if", "exists"))
    column, rest = f"{table}.{name}", words[index:]
    if rest[:1] in (("type",),) or rest[:3] == ("set", "data", "type"):
        return "sql.alter_type", "alter_type", column, ()
    if rest[:3] == ("set", "not", "null"):
        return "sql.set_not_null", "alter_column", column, ()
    if rest[:2] in (("set", "default"), ("drop", "default"), ("drop", "not")):
        return "sql.relax_column", "alter_column", column, ()
    if rest and rest[0] not in ("set", "drop", "add", "reset", "restart"):  # T-SQL: ALTER COLUMN x varchar(10) NOT NULL
        return "sql.alter_type", "alter_type", column, ()
    return "sql.alter_table", "alter_column", column, ()


def _modify(table: str, tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    name, index = name_at(tokens, skip(words, 1, "column", "if", "exists"))
    new, _ = name_at(tokens, index) if words[0] == "change" else (name, index)
    effects = (Effect(f"column:{table}.{name}", False), Effect(f"column:{table}.{new}", True)) if new != name else ()
    return "sql.alter_type", "alter_type", f"{table}.{name}", effects


def _rename(table: str, tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    if words[1:2] in (("to",), ("as",)):
        new, _ = name_at(tokens, 2)
        new = f"{table.rpartition('.')[0]}.{new}" if "." in table and "." not in new else new
        return (
            "sql.rename_table",
            "rename_table",
            table,
            (Effect(f"table:{table}", False), Effect(f"table:{new}", True)),
        )
    if words[1:2] in (("constraint",), ("index",), ("key",)):
        return "sql.alter_table", "alter_table", table, ()
    old, index = name_at(tokens, skip(words, 1, "column", "if", "exists"))
    new, _ = name_at(tokens, skip(words, index, "to"))
    if not new:  # MySQL: RENAME other
        effects = (Effect(f"table:{table}", False), Effect(f"table:{old}", True))
        return "sql.rename_table", "rename_table", table, effects
    effects = (Effect(f"column:{table}.{old}", False), Effect(f"column:{table}.{new}", True))
    return "sql.rename_column", "rename_column", f"{table}.{old}", effects


def _truncate(table: str, _tokens: Sequence[Token], words: tuple[str, ...]) -> Action:
    """TRUNCATE PARTITION, DISCARD PARTITION … TABLESPACE, and DISCARD TABLESPACE of the whole table."""
    if words[1:2] == ("partition",):
        return "sql.drop_partition", f"{words[0]}_partition", table, ()
    return "sql.truncate", words[0], table, ()


def _owner(table: str, _tokens: Sequence[Token], _words: tuple[str, ...]) -> Action:
    return "sql.privilege", "alter_owner", table, ()


_VERBS: Mapping[str, _Reader | None] = {
    "add": _add,
    "drop": _drop,
    "alter": _alter,
    "modify": _modify,
    "change": _modify,
    "rename": _rename,
    "owner": _owner,
    "truncate": _truncate,
    "discard": _truncate,
    **dict.fromkeys(
        [
            "set",
            "reset",
            "enable",
            "disable",
            "force",
            "no",
            "validate",
            "attach",
            "detach",
            "cluster",
            "inherit",
            "replica",
            "engine",
            "convert",
            "comment",
            "split",
            "auto_increment",
            "switch",
            "rebuild",
            "merge",
            "exchange",
            "partition",
            "order",
            "default",
            "character",
            "collate",
            "row_format",
        ],
        None,
    ),
}
