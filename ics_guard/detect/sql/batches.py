"""Where a statement begins without a semicolon before it: T-SQL asks for none, and its scripts have none."""

from __future__ import annotations

from collections.abc import Sequence

from ics_guard.detect.sql.names import name_at, skip, words_after_modifiers
from ics_guard.detect.sql.scan import Token
from ics_guard.detect.text import word_set

NOT_A_BLOCK = word_set("transaction work tran deferred immediate exclusive isolation read not concurrent distributed")
"""What follows a BEGIN that opens a transaction. Nothing at all, or a semicolon, does so too."""

_BODIED = frozenset({"trigger", "procedure", "proc", "function", "event", "package"})
_BLOCKS = frozenset({"if", "while", "declare", "begin", "else"})
_OBJECTS = word_set("table view procedure proc function trigger database schema index type sequence synonym")
_SCHEMA = frozenset({"create", "alter", "drop", "truncate"})
_ROWS = frozenset({"update", "delete", "merge", "exec", "execute"})
_RUNS = frozenset({"exec", "execute"})
_ENDS = frozenset({"commit", "rollback"})
_OTHERS = word_set("select insert print set begin declare if end")
_OPENERS = _SCHEMA | _ROWS | _ENDS | _OTHERS
_UNFINISHED = word_set(
    "as instead also do then on for or and not where , . ( = + - / % || < > <= >= <> != show by having select distinct "
    "from join before after of set in when case else between like into is"
)
_ALONE = _ENDS | word_set("return checkpoint break continue revert throw reconfigure end")
_NO_NAME = word_set(
    "to on from of as in is or and not set with cascade restrict no where values select then when end before after "
    "for using returning , ) ( = . ; *"
)
_VERBS = word_set("select insert update delete merge values execute exec create alter drop truncate")
_CONTINUED = frozenset({"with", "explain"})
_SHORT = word_set("drop truncate delete update set use print")
_BATCH = word_set("set use print")
_SETTINGS = word_set("nocount xact_abort identity_insert noexec ansi_nulls quoted_identifier ansi_padding arithabort")
_OVER = word_set("; update delete insert select loop begin")
_NEAR = 8
"""How far behind UPDATE its SET is looked for, behind MERGE its USING."""


def opens_statement(tokens: Sequence[Token], index: int) -> bool:
    """Given tokens, return whether a statement that can change a schema or lose rows surely begins at this one."""
    match tokens[index].norm:
        case "drop" | "alter" if _following(tokens, index, 1) == ("index",):  # also an action of MySQL's ALTER TABLE
            return "on" in _following(tokens, index, 5) and _opens_schema(tokens, index)
        case "update" | "delete":
            return tokens[index].kind == "word" and _opens_rows(tokens, index)
        case _:
            return _opens_schema(tokens, index)


def begins_another(current: Sequence[Token], tokens: Sequence[Token], index: int, *, prose: bool) -> bool:
    """Given the tokens of a statement so far, return whether the next one, at this index, begins another.

    In `prose`, which may be a sentence about a statement, only the start of a line says so.
    """
    token = tokens[index]
    if token.kind != "word" or token.norm not in _OPENERS or (prose and not token.leads):
        return False
    near = next((one for one in reversed(current) if one.kind != "control"), None)
    if near is None:
        return token.leads and len(current) > 1 and opens_statement(tokens, index)
    if is_bodied(current):
        return False
    schema = _opens_schema(tokens, index)
    if not _may_end(current, near, token.norm, schema=schema):
        return False
    if not schema and not _opens_other(current[0].norm, tokens, index):
        return False
    if current[0].norm == "alter":
        if _lacks_action(current):
            return schema and current[1].norm == "table" and _following(tokens, index, 1) == ("table",)
        return not schema or opens_statement(tokens, index)
    if current[0].norm in _CONTINUED and not (schema and current[0].norm == "with"):
        return _has_verb(current)
    return token.norm not in _RUNS or current[0].norm != "insert" or _has_rows(current)


def is_bodied(current: Sequence[Token]) -> bool:
    """Given the tokens of a statement so far, return whether others can stand inside it."""
    first = current[0].norm
    if first == "begin":
        return not (len(current) > 1 and current[1].norm in NOT_A_BLOCK)
    if first in _BLOCKS:
        return True
    if first not in ("create", "alter"):
        return False
    words = tuple(token.norm for token in current[:24])
    index = words_after_modifiers(words)
    return index < len(words) and words[index] in _BODIED


def _following(tokens: Sequence[Token], index: int, most: int) -> tuple[str, ...]:
    return tuple(token.norm for token in tokens[index + 1 : index + 1 + most])


def _may_end(current: Sequence[Token], near: Token, verb: str, *, schema: bool) -> bool:
    """Whether a statement can be over behind its last token: SET NOCOUNT ON is, INSERT … ON is not."""
    if len(current) == 1:
        return near.kind == "word" and near.norm in _ALONE
    if near.norm == "on":
        return schema or current[0].norm == "set"
    if near.norm == "key":
        return verb != "update"
    return near.kind in ("name", "string") or near.norm not in _UNFINISHED


def _opens_schema(tokens: Sequence[Token], index: int) -> bool:
    """CREATE, ALTER, DROP or TRUNCATE, the word for an object, and its name."""
    verb = tokens[index].norm
    if tokens[index].kind != "word" or verb not in _SCHEMA:
        return False
    following = _following(tokens, index, 4)
    at = next((at for at, word in enumerate(following[: 3 if verb == "create" else 1]) if word in _OBJECTS), None)
    if at is None:
        return verb == "create" and following[:1] == ("unique",)
    return _is_name(tokens, index + at + 2) or following[at : at + 2] == ("index", "on")


def _is_name(tokens: Sequence[Token], index: int) -> bool:
    return index < len(tokens) and (tokens[index].kind in ("name", "string") or tokens[index].norm not in _NO_NAME)


def _opens_other(first: str, tokens: Sequence[Token], index: int) -> bool:
    """What changes rows or runs something, and what shows that a statement before it is over."""
    token = tokens[index]
    if token.norm in _ROWS:
        return (token.leads or first in _BATCH) and _opens_rows(tokens, index)
    following = _following(tokens, index, 3)
    if not token.leads:
        return False
    match token.norm:
        case "commit" | "rollback":
            behind = tokens[index + 1 : index + 2]
            return not behind or behind[0].leads or behind[0].kind == "end" or behind[0].norm in NOT_A_BLOCK
        case "begin":
            return following[:1] in (("tran",), ("transaction",))
        case "end":
            return first in ("drop", "truncate")
        case "insert":
            return first in _SHORT and following[:1] == ("into",)
        case "select" | "print":
            return first in _SHORT
        case "set":
            return first in _SHORT and bool(_SETTINGS.intersection(following[:1])) and first != "update"
        case _:  # DECLARE @a, IF EXISTS (…), IF OBJECT_ID(…): no DROP TABLE IF EXISTS a
            variable = following[:1] and following[0].startswith("@")
            tested = following[:2] in (("exists", "("), ("object_id", "(")) or following == ("not", "exists", "(")
            return first in _SHORT and bool(variable or (token.norm == "if" and tested))


def _opens_rows(tokens: Sequence[Token], index: int) -> bool:
    following = _following(tokens, index, _NEAR)
    following = following[: next((at for at, word in enumerate(following) if word in _OVER), _NEAR)]
    named = _is_name(tokens, index + 1)
    match tokens[index].norm:
        case "update":
            return named and "set" in following
        case "merge":
            return (named or following[:1] == ("into",)) and "using" in following and following[0] != "join"
        case "delete":
            if following[:1] == ("from",) or following[:2] == ("top", "("):
                return True
            _, after = name_at(tokens, index + 1)
            behind = tokens[after : after + 1]
            ends = not behind or behind[0].leads or behind[0].kind == "end"
            return named and tokens[index].leads and (ends or behind[0].norm in ("where", "from", "output"))
        case _:
            return (named or following[:1] == ("(",)) and following[:1] not in (("function",), ("procedure",))


def _lacks_action(current: Sequence[Token]) -> bool:
    """Whether an ALTER has said no more than of what: what comes next is its action, whatever that looks like."""
    said = [token for token in current[:32] if token.kind != "control"]
    words = tuple(token.norm for token in said)
    _, after = name_at(said, skip(words, words_after_modifiers(words) + 1, "if", "exists", "only"))
    return len(said) <= skip(words, after, "*")


def _has_verb(current: Sequence[Token]) -> bool:
    """Whether the statement after WITH or EXPLAIN has begun, outside of parentheses."""
    depth = 0
    for token in current[1:]:
        depth += (token.norm == "(") - (token.norm == ")")
        if depth == 0 and token.kind == "word" and token.norm in _VERBS:
            return True
    return False


def _has_rows(current: Sequence[Token]) -> bool:
    """Whether an INSERT has said which rows: INSERT INTO t EXEC p is one statement."""
    return any(token.kind == "word" and token.norm in ("values", "select", "default", *_RUNS) for token in current)
