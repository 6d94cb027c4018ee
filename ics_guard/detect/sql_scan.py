"""SQL text to tokens: knows comments, quotes of every dialect, templates, client commands; never fails, may doubt."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Token(NamedTuple):
    """One token. `norm` is what it means: words in lower case, the rest as written. `start` is its offset.

    Kinds: word, name (quoted), string, body (dollar-quoted), number, op; template (a value put in), control (its ifs
    and loops); end (of a statement);
    meta (a client's own command line); section (norm `up` or `down`: what migration tools write in comments).
    """

    kind: str
    text: str
    norm: str
    start: int
    leads: bool


class Scan(NamedTuple):
    """The tokens of a text, and whether every quote and comment in it was closed where one would expect it."""

    tokens: tuple[Token, ...]
    clean: bool


_STANDARD_STRING = r"'(?:''|[^'])*(?:'|\Z)"
_ESCAPED_STRING = r"'(?:''|\\.|[^'\\])*(?:'|\Z)"
_STANDARD_NAME = r'"(?:""|[^"])*(?:"|\Z)'
_ESCAPED_NAME = r'"(?:""|\\.|[^"\\])*(?:"|\Z)'
_LEXEME = r"""
      (?P<space>\s+ | \*/)
    | (?P<remark>--[^\n]* | \#[ \t][^\n]* | \#(?=\n|\Z))
    | (?P<comment>/\*)
    | (?P<meta>\\[a-z?!][^\n]*)
    | (?P<dollar>(?<!\w)\$(?:[^\W\d]\w*)?\$)
    | (?P<string>[eE]'(?:''|\\.|[^'\\])*(?:'|\Z) | (?:[nNbBxX]|[uU]&)?STRING)
    | (?P<name>NAME | `(?:``|[^`])*(?:`|\Z) | (?<![\w\])"])\[[^\W\d][^\]\n'"]*\])
    | (?P<template>\{\{.*?\}\} | \{%.*?%\} | [$\#]?\{[^{}'"\n]*\} | %\(\w+\)s | %[sd]\b)
    | (?P<word>[^\W\d][\w$]* | @{1,2}\w+ | \#{1,2}[^\W\d]\w*)
    | (?P<number>\d[\w.]*)
    | (?P<op>::|:=|->>|->|<=|>=|<>|!=|\|\||.)
"""
_DIALECTS = {
    escaped: re.compile(
        _LEXEME.replace("STRING", _ESCAPED_STRING if escaped else _STANDARD_STRING).replace(
            "NAME", _ESCAPED_NAME if escaped else _STANDARD_NAME
        ),
        re.VERBOSE | re.DOTALL,
    )
    for escaped in (False, True)
}
_DIRECTIVE = re.compile(
    r"""
      (?P<end>(?:go(?:[ \t]+\d+)?[ \t]*;? | /)[ \t]*(?:--[^\n]*)?(?=\n|\Z))
    | (?P<meta>\.[a-z]+[^\n]*)
    | delimiter[ \t]+(?P<delimiter>\S+)[^\n]*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SECTION = re.compile(r"--\s*(?://\s*@|\+\s*goose\s+|\+\s*migrate\s+|migrate\s*:\s*|@)(up|down|undo)\b", re.IGNORECASE)
_CONTROL = re.compile(
    r"\{%|\{\{[-~]?\s*(?:end|if|else|elif|elsif|range|with|define|block|/\*|set|for|config|!|\#|/)", re.IGNORECASE
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_EXECUTABLE_COMMENT = re.compile(r"/\*!\d*")


@lru_cache(maxsize=256)
def scan(text: str) -> Scan:
    """Given SQL text, return its tokens.

    Strings are read by the standard first; where a backslash before a quote makes that implausible, as MySQL does.
    """
    standard = _scan(text, escaped=False)
    if standard.clean or ("\\'" not in text and '\\"' not in text):
        return standard
    escaped = _scan(text, escaped=True)
    return escaped if escaped.clean else standard


def _scan(text: str, *, escaped: bool) -> Scan:
    pattern, tokens, clean = _DIALECTS[escaped], list[Token](), True
    position, leads, fresh, delimiter = 0, True, 0, ""
    while position < len(text):
        start = position
        directive = _DIRECTIVE.match(text, position) if leads else None
        if directive and (directive.lastgroup == "end" or fresh == len(tokens)):
            position, leads = directive.end(), False
            if directive.lastgroup == "delimiter":
                delimiter = "" if directive["delimiter"] == ";" else directive["delimiter"]
                continue
            token = Token(
                directive.lastgroup or "end", directive.group(), " ".join(directive.group().split()), start, True
            )
        elif delimiter and text.startswith(delimiter, position):
            position += len(delimiter)
            token = Token("end", delimiter, ";", start, leads)
        else:
            match = pattern.match(text, position)
            kind, value = (match.lastgroup or "op", match.group()) if match else ("op", text[position])
            position += len(value)
            if kind == "space":
                leads = leads or "\n" in value
                continue
            if kind == "comment":
                position, closed = _comment_end(text, start)
                clean = clean and closed
                continue
            if kind == "remark":
                tokens += _section(value, start)
                continue
            if kind == "dollar":
                kind, value, position = _dollar_quoted(text, start, value)
            clean = clean and _plausible(kind, value, text[position : position + 1])
            token, leads = _named(kind, value, start, leads, bool(delimiter)), False
            if tokens and _glued(tokens[-1], token):
                token = _joined(tokens.pop(), token)
        tokens.append(token)
        if token.kind == "end":
            position = _after_copied_rows(tokens[fresh:], text, position)
        if token.kind in ("end", "meta"):
            fresh = len(tokens)
    return Scan(tuple(tokens), clean)


def _glued(near: Token, far: Token) -> bool:
    """Whether two tokens are one name: `prefix_{{ name }}`."""
    kinds = (near.kind, far.kind)
    touching = near.start + len(near.text) == far.start
    return touching and "template" in kinds and all(kind in ("template", "word", "number") for kind in kinds)


def _joined(near: Token, far: Token) -> Token:
    return Token("template", near.text + far.text, near.norm + far.norm, near.start, near.leads)


def _named(kind: str, value: str, start: int, leads: bool, delimited: bool) -> Token:
    if kind == "op" and value == ";" and not delimited:
        return Token("end", value, ";", start, leads)
    if kind == "template" and _CONTROL.match(value):
        return Token("control", value, value, start, leads)
    if kind == "meta":
        return Token(kind, value, " ".join(value.split()), start, leads)
    return Token(kind, value, value.lower() if kind in ("word", "number") else value, start, leads)


def _plausible(kind: str, value: str, following: str) -> bool:
    """False where a quote is open at the end, or closed in the middle of a word (`'it\\'s'` read by the standard)."""
    if kind == "string":
        closed = len(value) > value.index("'") + 1 and value.endswith("'")
        return closed and not (following.isalnum() or following == "_")
    if kind == "name":
        return len(value) > 1 and value[-1] == ("]" if value[0] == "[" else value[0])
    return not (kind == "op" and value == "\\")


def _dollar_quoted(text: str, start: int, mark: str) -> tuple[str, str, int]:
    close = text.find(mark, start + len(mark))
    if close < 0:
        return "op", mark, start + len(mark)
    return "body", text[start : close + len(mark)], close + len(mark)


def _section(remark: str, start: int) -> list[Token]:
    match = _SECTION.match(remark)
    if not match:
        return []
    return [Token("section", remark, "up" if match.group(1).lower() == "up" else "down", start, True)]


def _comment_end(text: str, start: int) -> tuple[int, bool]:
    executable = _EXECUTABLE_COMMENT.match(text, start)
    if executable:  # MySQL runs what is inside; the closing mark counts as space
        return executable.end(), True
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end(), True
    close = text.find("*/", start + 2)  # SQLite and MySQL do not nest
    return (close + 2, True) if close >= 0 else (len(text), False)


def _after_copied_rows(statement: list[Token], text: str, position: int) -> int:
    if not statement or statement[0].norm != "copy" or all(token.norm != "stdin" for token in statement):
        return position
    end = text.find("\n\\.", position)
    return position if end < 0 else end + 3
