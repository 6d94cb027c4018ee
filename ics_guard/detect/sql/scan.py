"""SQL text to tokens: knows comments, quotes of every dialect, templates, client commands; never fails, may doubt."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

from ics_guard.detect.text import word_set


class Token(NamedTuple):
    """One token. `norm` is what it means: words in lower case, the rest as written. `start` is its offset.

    Kinds: word, name (quoted), string, body (dollar-quoted), number, op; template (a value put in), control (its ifs
    and loops); end (of a statement); rows (a whole INSERT, read only if somebody asks);
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


_STANDARD_STRING = r"'[^']*+(?:''[^']*+)*+(?:'|\Z)"
_ESCAPED_STRING = r"'[^'\\]*+(?:(?:''|\\.|\\\Z)[^'\\]*+)*+(?:'|\Z)"
_STANDARD_NAME = r'"[^"]*+(?:""[^"]*+)*+(?:"|\Z)'
_ESCAPED_NAME = r'"[^"\\]*+(?:(?:""|\\.|\\\Z)[^"\\]*+)*+(?:"|\Z)'
_LEXEME = r"""
    (?P<gap>\s*+)
    (?: (?P<word>[^\W\d][\w$]*+(?!') | @{1,2}\w++ | \#{1,2}[^\W\d]\w*+)
      | (?P<remark>--[^\n]*+ | (?<![^\n])\#[ \t][^\n]*+ | \#(?=\n|\Z)
            | \#[ \t](?![^\n]*;\s*(?:alter|create|delete|drop|truncate|update)\b)[^\n]*+ | \{\#(?:(?!\{\#|\#\}).)*+\#\})
      | (?P<comment>/\*)
      | (?P<end>;)
      | (?P<meta>\\[a-z?!][^\n]*+)
      | (?P<dollar>(?<!\w)\$(?:[^\W\d]\w*+)?\$)
      | (?P<string>[eE]ESCAPED | (?:[nNbBxX]|[uU]&)?STRING)
      | (?P<name>NAME | `[^`]*+(?:``[^`]*+)*+(?:`|\Z) | (?<![\w\])"])\[(?:[^\W\d]|\$\(\w)[^\[\]\n'"]*+\])
      | (?P<template>\{\{(?:(?!\{\{|\}\}).)*+\}\} | \{%(?:(?!\{%|%\}).)*+%\} | <%(?:(?!<%|%>).)*+%>
            | [$\#]?\{[^{}'"\n]*+\} | \$[^\W\d]\w*+(?:->\w++)*+ | \$\(\w++\) | %\(\w++\)s | %(?:\d++\$)?[sdIL]\b
            | (?<![:\w\]]):(?:[^\W\d]\w*+|"[^"\n]*+"|'[^'\n]*+'))
      | (?P<bare>[^\W\d][\w$]*+)
      | (?P<number>\d[\w.]*+)
      | (?P<op>::|:=|->>|->|<=|>=|<>|!=|\|\||.)
      | (?P<nothing>\Z)
    )
"""
_FLAGS = re.VERBOSE | re.DOTALL | re.IGNORECASE
_DIALECTS = {
    escaped: re.compile(
        _LEXEME.replace("ESCAPED", _ESCAPED_STRING)
        .replace("STRING", _ESCAPED_STRING if escaped else _STANDARD_STRING)
        .replace("NAME", _ESCAPED_NAME if escaped else _STANDARD_NAME),
        _FLAGS,
    )
    for escaped in (False, True)
}
_DIRECTIVE = re.compile(
    r"""
      (?P<end>(?:go(?:[ \t]++\d++)?[ \t]*+;? | /)[ \t]*+(?:--[^\n]*+)?(?=\n|\Z))
    | (?P<meta>\.[a-z]++[^\n]*+)
    | delimiter[ \t]++(?P<delimiter>\S++)[^\n]*+
    """,
    _FLAGS,
)
_SIMPLE_STRING = r"'[^'\\]*+(?:(?:''|\\[^'])[^'\\]*+)*+'"
_PLAIN = rf"""(?:[^()'"\\;$`{{}}#/\[\]-]++|-(?!-)|/(?!\*)|{_SIMPLE_STRING})"""
_ROWS = re.compile(
    rf"""insert\s++(?:or\s++\w++\s++|ignore\s++)?into\s++[\w."`]++\s*+(?:\([^();']*+\)\s*+)?values\s*+
    \((?:{_PLAIN}|\({_PLAIN}*+\))*+\)(?:\s*+,\s*+\((?:{_PLAIN}|\({_PLAIN}*+\))*+\))*+(?=\s*+;)""",
    _FLAGS,
)
_SECTION = re.compile(
    r"(?:--\s*(?://\s*@|\+\s*goose\s+|\+\s*migrate\s+|migrate\s*:\s*|rambler\s+|@|=+\s*|!)|\#\s*---\s*!)"
    r"(?P<way>up|down|undo)s?\b|----\s*create above / (?P<tern>drop) below",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    r"\{%|<%(?!=)|\{\{[-~]?\s*(?:end|if|else|elif|elsif|range|with|define|block|/\*|set|for|config|!|\#|/)",
    re.IGNORECASE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_EXECUTABLE_COMMENT = re.compile(r"/\*!\d*")
_RUN_INSIDE = re.compile(
    r";\s*(?:drop|alter|create|truncate|delete|update|insert|replace|rename|pragma|attach|vacuum)\b", re.IGNORECASE
)
_WITH_BODIES = word_set("create do alter comment call execute prepare declare begin explain security")
_DOLLAR_MARK = re.compile(r"(?=(\$(?:[^\W\d]\w*)?\$))")
_LIQUIBASE = re.compile(r"\s*--\s*liquibase formatted sql", re.IGNORECASE)
_LIQUIBASE_ROLLBACK = re.compile(r"(?:^[ \t]*--[ \t]*rollback\b[^\n]*(?:\n|\Z))+", re.IGNORECASE | re.MULTILINE)
_ROLLBACK_MARK = re.compile(r"--[ \t]*rollback\b(?:[ \t]+(?:not required|empty)\b[^\n]*)?", re.IGNORECASE)
_FRESH = frozenset({"end", "meta", "section"})
_DOWN_MARK, _UP_MARK = "\ue000", "\ue001"
"""Stand where a rollback begins and ends that Liquibase hides in comments."""


@lru_cache(maxsize=16)
def scan(text: str, *, rows: bool = False) -> Scan:
    """Given SQL text, return its tokens. With `rows`, a plain INSERT … VALUES is one token of that kind.

    Strings are read by the standard first; where a backslash before a quote makes that implausible, as MySQL does.
    Where both ways make sense and differ, the one that finds more statements is taken, and doubted.
    """
    if _LIQUIBASE.match(text):
        text = _LIQUIBASE_ROLLBACK.sub(_liquibase_rollback, text)
    standard = _both_ways(text, escaped=False, rows=rows)
    if "\\'" not in text and '\\"' not in text:
        return standard
    escaped = _both_ways(text, escaped=True, rows=rows)
    if standard.tokens == escaped.tokens or standard.clean > escaped.clean:
        return standard
    if escaped.clean > standard.clean:
        return escaped
    return _fuller(standard, escaped)


def _both_ways(text: str, *, escaped: bool, rows: bool) -> Scan:
    """As PostgreSQL reads it, whose comments nest and whose `$$` quotes; where others run more of it, as they do."""
    scanner = _Scanner(text, escaped=escaped, rows=rows)
    found = scanner.scan()
    if not scanner.twofold:
        return found
    return _fuller(found, _Scanner(text, escaped=escaped, rows=rows, postgres=False).scan())


def _fuller(one: Scan, other: Scan) -> Scan:
    """The reading with more statements, and doubt."""
    return max(one, other, key=lambda scan: sum(token.kind == "end" for token in scan.tokens))._replace(clean=False)


def _liquibase_rollback(lines: re.Match[str]) -> str:
    """The same number of characters, the statements no comments any more, a mark before and behind them."""
    shown = _ROLLBACK_MARK.sub(lambda found: " " * len(found.group()), lines.group())
    return f"{_DOWN_MARK}{shown[1:-1]}{_UP_MARK if shown.endswith(chr(10)) else shown[-1:]}"


class _Scanner:
    """One pass over a text. What was searched for in vain is not searched for again, so that time stays linear."""

    def __init__(self, text: str, *, escaped: bool, rows: bool, postgres: bool = True) -> None:
        self.text, self.rows, self.match = text, rows, _DIALECTS[escaped].match
        self.tokens, self.clean = list[Token](), True
        self.delimiter, self.nests, self.copies, self.executable = "", postgres, True, False
        self.postgres, self.twofold, self.first = postgres, False, 0
        self.marks: dict[str, list[int]] | None = None

    def scan(self) -> Scan:
        """Return the tokens of the whole text."""
        text, tokens, position, leads, fresh, size = self.text, self.tokens, 0, True, 0, len(self.text)
        while position < size:
            token = None
            if leads or self.delimiter or (self.rows and fresh == len(tokens)):
                position, leads, token = self._special(position, leads, fresh)
            if token is None:
                match = self.match(text, position)
                if match is None:  # not met: `op` takes any character
                    break
                kind, start = match.lastgroup or "op", match.end(1)
                if start > position:
                    leads = leads or "\n" in match[1]
                    if (leads or self.delimiter) and kind != "nothing":
                        position = start  # what stands here may be no SQL
                        continue
                position = match.end()
                if kind in ("nothing", "remark", "comment"):
                    position = self._hidden(kind, start, position)
                    continue
                token, position = self._token(kind, text[start:position], start, position, leads)
                if token is None:
                    continue
                if tokens and "template" in (token.kind, tokens[-1].kind) and _glued(tokens[-1], token):
                    token = _joined(tokens.pop(), token)
            leads = False
            tokens.append(token)
            if token.kind == "end":
                position = self._after_copied_rows(fresh, position)
            if token.kind in _FRESH:
                fresh = self.first = len(tokens)
        return Scan(tuple(tokens), self.clean)

    def _special(self, position: int, leads: bool, fresh: int) -> tuple[int, bool, Token | None]:
        """What is no SQL or no single word: client commands, another delimiter, rows."""
        text = self.text
        directive = _DIRECTIVE.match(text, position) if leads and text[position] in "gGdD./" else None
        if directive and (directive.lastgroup == "end" or fresh == len(self.tokens)):
            if directive.lastgroup == "delimiter":
                self.delimiter = "" if directive["delimiter"] == ";" else directive["delimiter"]
                return directive.end(), False, None
            norm = " ".join(directive.group().split())
            return directive.end(), False, Token(directive.lastgroup or "end", directive.group(), norm, position, True)
        if self.delimiter and text.startswith(self.delimiter, position):
            return position + len(self.delimiter), False, Token("end", self.delimiter, ";", position, leads)
        if self.rows and fresh == len(self.tokens) and text[position] in "iI":
            found = _ROWS.match(text, position)
            if found:
                return found.end(), False, Token("rows", found.group(), "insert", position, leads)
        return position, leads, None

    def _hidden(self, kind: str, start: int, position: int) -> int:
        """Where reading goes on after a comment; what migration tools write in one becomes a token."""
        if kind == "comment":
            return self._comment_end(start)
        section = _SECTION.match(self.text, start, position) if kind == "remark" else None
        if section:
            way = "up" if (section["way"] or "down").lower() == "up" else "down"
            self.tokens.append(Token("section", section.group(), way, start, True))
        return position

    def _token(self, kind: str, value: str, start: int, position: int, leads: bool) -> tuple[Token | None, int]:
        if kind in ("word", "bare", "number"):
            return Token("word" if kind == "bare" else kind, value, value.lower(), start, leads), position
        if kind == "end":
            return Token("op" if self.delimiter else "end", value, ";", start, leads), position
        if kind == "dollar":
            kind, value, position = self._dollar_quoted(start, value)
        if kind == "op" and value in (_DOWN_MARK, _UP_MARK):
            return Token("section", value, "up" if value == _UP_MARK else "down", start, True), position
        if kind == "op" and value == "*" and self.executable and self.text.startswith("/", position):
            self.executable = False
            return None, position + 1
        self.clean = self.clean and _plausible(kind, value, self.text[position : position + 1])
        if kind == "template" and _CONTROL.match(value):
            kind = "control"
        return Token(kind, value, " ".join(value.split()) if kind == "meta" else value, start, leads), position

    def _dollar_quoted(self, start: int, mark: str) -> tuple[str, str, int]:
        if self.marks is None:
            self.marks = {}
            for found in _DOLLAR_MARK.finditer(self.text):
                self.marks.setdefault(found[1], []).append(found.start())
        places, after = self.marks.get(mark, []), start + len(mark)
        index = bisect_left(places, after)
        if index == len(places):
            return "op", mark, after
        if _RUN_INSIDE.search(self.text, after, places[index]) and not self._takes_a_body():
            self.twofold = True
            if not self.postgres:
                return "op", mark, after
        return "body", self.text[start : places[index] + len(mark)], places[index] + len(mark)

    def _takes_a_body(self) -> bool:
        """Whether the statement is one that only PostgreSQL has: a function, a block, a comment on something."""
        return bool(self.tokens[self.first :]) and self.tokens[self.first].norm in _WITH_BODIES

    def _comment_end(self, start: int) -> int:
        executable = _EXECUTABLE_COMMENT.match(self.text, start)
        if executable:  # MySQL runs what is inside
            self.executable = True
            return executable.end()
        depth = deepest = 0
        for edge in _COMMENT_EDGE.finditer(self.text, start) if self.nests else ():
            depth += 1 if edge.group() == "/*" else -1
            deepest = max(depth, deepest)
            if depth == 0:
                self.twofold = self.twofold or deepest > 1
                return edge.end()
        self.nests = False  # SQLite and MySQL do not nest
        close = self.text.find("*/", start + 2)
        self.clean = self.clean and close >= 0
        return close + 2 if close >= 0 else len(self.text)

    def _after_copied_rows(self, fresh: int, position: int) -> int:
        statement = self.tokens[fresh : fresh + 1]
        if not self.copies or not statement or statement[0].norm != "copy":
            return position
        if all(token.norm != "stdin" for token in self.tokens[fresh:]):
            return position
        end = self.text.find("\n\\.", position)
        self.copies = end >= 0
        return position if end < 0 else end + 3


def _glued(near: Token, far: Token) -> bool:
    """Whether two tokens are one name: `prefix_{{ name }}`."""
    kinds = (near.kind, far.kind)
    touching = near.start + len(near.text) == far.start
    return touching and "template" in kinds and all(kind in ("template", "word", "number") for kind in kinds)


def _joined(near: Token, far: Token) -> Token:
    return Token("template", near.text + far.text, near.norm + far.norm, near.start, near.leads)


def _plausible(kind: str, value: str, following: str) -> bool:
    """False where a quote is open at the end, or closed in the middle of a word (`'it\\'s'` read by the standard)."""
    if kind == "string":
        closed = len(value) > value.index("'") + 1 and value.endswith("'")
        return closed and not (following.isalnum() or following == "_")
    if kind == "name":
        return len(value) > 1 and value[-1] == ("]" if value[0] == "[" else value[0])
    return not (kind == "op" and value == "\\")
