"""Names of objects in a token stream, in the spelling of effects: lower case, without quotes and default schemas."""

from __future__ import annotations

from collections.abc import Sequence

from ics_guard.detect.sql.scan import Token
from ics_guard.detect.text import word_set

_DEFAULT_SCHEMAS = ("public.", "dbo.", "main.")
_NAMING = ("word", "name", "template", "string")
_TEXT_QUOTES = "\"`[]'"
_MODIFIERS = word_set(
    "or replace alter temp temporary global local unlogged unique clustered nonclustered fulltext spatial materialized "
    "recursive external foreign virtual force editionable noneditionable trusted procedural constraint definer invoker "
    "algorithm undefined merge temptable sql security transient columnstore xml bitmap"
)


def plain(name: str) -> str:
    """Given a name as written, perhaps with a schema, return it as effects spell it."""
    name = name.lower()
    for schema in _DEFAULT_SCHEMAS:
        name = name.removeprefix(schema)
    return name


def name_at(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """Given tokens and where a dotted name may begin, return the name and the index after it ("" if there is none)."""
    parts = []
    while index < len(tokens) and tokens[index].kind in _NAMING:
        parts.append(tokens[index].text.strip(_TEXT_QUOTES))
        index += 1
        if index >= len(tokens) or tokens[index].norm != ".":
            break
        index += 1
    return plain(".".join(parts)), index


def listed(tokens: Sequence[Token]) -> list[str]:
    """Given the tokens of a list of names, each perhaps with its arguments, return the names."""
    parts = [part[1:] if part[0].norm == "only" and len(part) > 1 else part for part in top_level(tokens)]
    return [name for name in (name_at(part, 0)[0] for part in parts) if name]


def skip(words: Sequence[str], index: int, *phrase: str) -> int:
    """Given words and an index, return the index after those of `phrase` that stand there, in this order."""
    for word in phrase:
        if words[index : index + 1] == (word,):
            index += 1
    return index


def words_after_modifiers(words: tuple[str, ...]) -> int:
    """Given a statement that begins with CREATE, DROP or ALTER, return the index of the word that says of what."""
    index = 1
    while index < len(words) and (words[index] in _MODIFIERS or words[index] in ("=", "if", "not", "exists")):
        index += 2 if words[index] == "=" else 1
        if index < len(words) and words[index].startswith("@"):  # DEFINER = root@localhost, also with each part quoted
            index += 2 if words[index] == "@" else 1
    return index


def top_level(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """Given tokens, return them cut at the commas that stand outside of parentheses."""
    parts, current, depth = [], list[Token](), 0
    for token in tokens:
        depth += (token.norm in "([" and token.kind == "op") - (token.norm in ")]" and token.kind == "op")
        if token.norm == "," and depth <= 0:
            parts.append(tuple(current))
            current = []
        else:
            current.append(token)
    return [part for part in (*parts, tuple(current)) if part]
