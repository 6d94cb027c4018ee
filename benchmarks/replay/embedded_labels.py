"""DDL inside program text, labelled by pulling it out of string literals with regular expressions."""

from __future__ import annotations

import ast
import re
import sqlite3
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from benchmarks.replay.databases import dump_sqlite, locked
from benchmarks.replay.nouns import Label
from benchmarks.replay.sql_text import statements

_COMMENT = r"//[^\n]*|/\*.*?\*/"
_HASH = r"\#[^\n]*"
_DOUBLE = r'"(?P<double>(?:\\.|[^"\\])*)"'
_SINGLE = r"'(?P<single>(?:\\.|[^'\\])*)'"
_TICK = r"`(?P<tick>(?:\\.|[^`\\])*)`"
_TRIPLE = r'"""(?P<triple>.*?)"""'
_RUST = r'\bb?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)'
_LETTER = r"'(?:\\[^']+|[^'\\\n])'"
_BY_SUFFIX = {
    ("rs",): (_COMMENT, _RUST, _LETTER, _DOUBLE),
    ("go",): (_COMMENT, _TICK, _LETTER, _DOUBLE),
    ("ts", "tsx", "js", "mjs", "cjs", "jsx", "dart"): (_COMMENT, _TICK, _DOUBLE, _SINGLE),
    ("java", "kt", "scala", "swift", "cs", "c", "cc", "cpp", "h"): (_COMMENT, _TRIPLE, _DOUBLE, _LETTER),
    ("php",): (_COMMENT, _HASH, _DOUBLE, _SINGLE),
    ("rb", "sh", "ex", "exs"): (_HASH, _TRIPLE, _DOUBLE, _SINGLE),
}
_OBJECT = r"(?:table|index|view|trigger|function|procedure|type|policy|schema|sequence|extension|domain|database)"
_NAME = r"(?:\{[^}]*\}\ ?\S*|\S+(?:\ \.\ \S+)?)"
_DDL = re.compile(
    rf"""create\ (?:(?:or\ replace|temp|temporary|unique|virtual|materialized|unlogged|recursive)\ )*
         (?: table\ \S.*(?:\(|\ as\ ) | index\ .*\ on\ | (?:view|type|domain)\ .*\ as\ | trigger\ .*\ on\s
           | (?:function|procedure)\ .*\( | policy\ .*\ on\s
           | (?:schema|extension|sequence|database)\ (?:if\ not\ exists\ )?{_NAME}$ )
       | alter\ table\ .*\ (?:add|drop|alter|rename|modify|change|enable|disable|set|attach|detach|validate)\s
       | alter\ (?:type|sequence|index|view|schema|domain|policy)\ \S+.*\ (?:add|drop|rename|set|owner|alter)\s
       | drop\ (?:materialized\ )?{_OBJECT}\ (?:concurrently\ )?(?:if\ exists\ )?{_NAME}(?:\ ,\ {_NAME})*
         (?:\ on\ {_NAME})?(?:\ \(.*\))?(?:\ (?:cascade|restrict))?$
       | truncate\ (?:table\ )?{_NAME}(?:\ ,\ {_NAME})*(?:\ (?:restart|cascade|restrict).*)?$""",
    re.VERBOSE | re.DOTALL,
)
_VERB = re.compile(r"\b(?:create|alter|drop|truncate)\b", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:\r?\n\s*|(.))", re.DOTALL)


def label_embedded(edits: Sequence[tuple[str, bytes | None, bytes | None]]) -> list[tuple[Label, str]]:
    """Given path and both versions of each file of program text that a commit edits, return their labels, and how.

    DDL that only goes from one of the files to another is moved.
    """
    read = [_both(*edit) for edit in edits]
    gone, come = (sum((pair[side] - pair[1 - side] for pair in read if pair), Counter()) for side in (0, 1))
    moved = gone & come
    left = {0: Counter(moved), 1: Counter(moved)}
    return [_label(edit, pair, left) for edit, pair in zip(edits, read, strict=True)]


_Pair = tuple[Counter[str], Counter[str]]


def _both(path: str, before: bytes | None, after: bytes | None) -> _Pair | None:
    suffix = path.rpartition(".")[2]
    try:
        return Counter(_ddl(suffix, before)), Counter(_ddl(suffix, after))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _label(
    edit: tuple[str, bytes | None, bytes | None], pair: _Pair | None, moved: dict[int, Counter[str]]
) -> tuple[Label, str]:
    """The label of one file; what has moved is used up, so that a statement of which there is more now still counts."""
    if pair is None:
        return Label.UNREADABLE, "not Python that this interpreter reads"
    was, now = pair
    _, before, after = edit
    if was == now:
        plain = before is not None and after is not None and bool(was) and _bare(before) == _bare(after)
        return (Label.FORMATTED, "same letters") if plain else (Label.NONE, "the same DDL, or none")
    gone, come = _staying(was - now, moved[0]), _staying(now - was, moved[1])
    if not gone and not come:
        return Label.RENAMED, "its DDL went to another file, or came from one"
    same = _in_sqlite(list(was.elements())) == _in_sqlite(list(now.elements()))
    told = f"{'same' if same else 'another'} schema in SQLite; gone: {_short(gone)}; come: {_short(come)}"
    return (Label.CHANGED if gone and come else Label.ADDED if come else Label.DELETED), told


def _staying(mine: Counter[str], moved: Counter[str]) -> Counter[str]:
    elsewhere = mine & moved
    moved.subtract(elsewhere)
    return mine - elsewhere


@lru_cache(1024)  # the version before is mostly the version after of another commit
def _ddl(suffix: str, content: bytes | None) -> list[str]:
    text = (content or b"").decode("utf-8", "replace")
    if not _VERB.search(text):
        return []
    found = _python(text) if suffix == "py" else _other(suffix, text)
    return [statement for literal in found for statement in statements(literal) if _DDL.match(statement)]


def _python(text: str) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    return [written for node in ast.walk(tree) if id(node) not in inside and (written := _written(node))]


def _written(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_written(part) or "{" + ast.unparse(part) + "}" for part in node.values)
    return ""


def _other(suffix: str, text: str) -> list[str]:
    parts = next((parts for suffixes, parts in _BY_SUFFIX.items() if suffix in suffixes), (_TICK, _DOUBLE, _SINGLE))
    found: list[str] = []
    end = -1
    for match in re.finditer("|".join(parts), text, re.DOTALL):
        groups = match.groupdict()
        plain = [groups[name] for name in ("raw", "triple") if groups.get(name) is not None]
        escaped = [groups[name] for name in ("double", "single", "tick") if groups.get(name) is not None]
        literal = plain[0] if plain else _ESCAPE.sub(_unescaped, escaped[0]) if escaped else None
        if literal is None:
            continue
        if end >= 0 and re.fullmatch(r"\s*[+.]?\s*", text[end : match.start()]) and found:
            found[-1] += literal
        else:
            found.append(literal)
        end = match.end()
    return found


def _unescaped(match: re.Match[str]) -> str:
    letter: str | None = match[1]
    return {"n": "\n", "t": "\t", "r": "\r"}.get(letter, letter) if letter else ""


def _in_sqlite(ddl: list[str]) -> list[str]:
    database = locked(sqlite3.connect(":memory:"))
    for statement in ddl:
        try:
            database.execute(statement)
        except sqlite3.Error:
            continue
    found = dump_sqlite(database)
    database.close()
    return found


def _bare(content: bytes) -> bytes:
    return re.sub(rb"[\s,]+", b"", content)


def _short(statements: Counter[str]) -> str:
    listed = [statement[:60] for statement in statements]
    return " | ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "") or "nothing"
