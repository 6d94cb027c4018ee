"""DDL in text: what a piece of SQL makes or alters, and the string literals of source code that may hold SQL."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

_NAME = r"""(?:["'`\[]?\w+["'`\]]?\s*\.\s*)?["'`\[]?(?P<name>\w+)["'`\]]?"""
_CREATE = (
    rf"CREATE\s+(?:UNLOGGED\s+|VIRTUAL\s+|FOREIGN\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}\s*(?:\(|AS\b|USING\b)"
)
_ALTER = rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}\s+(?:ADD|DROP|RENAME|ALTER|MODIFY|CHANGE)\b"
_CREATES = re.compile(rf"\b{_CREATE}", re.IGNORECASE)
_ALTERS = re.compile(rf"\b{_ALTER}", re.IGNORECASE)
_STATEMENT = re.compile(r"(?:^|;)\s*(?:CREATE|ALTER|DROP)\s+[A-Z]", re.IGNORECASE)
_HINT = re.compile(r"\b(?:CREATE\s+(?:UNLOGGED\s+|VIRTUAL\s+|FOREIGN\s+)?|ALTER\s+)TABLE\b", re.IGNORECASE)
_SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/"""
    r"""|\br(?P<fence>#*)"(?P<rust>.*?)"(?P=fence)"""
    r'''|"""(?P<triple>.*?)"""|'''
    r'''"(?P<double>(?:\\.|[^"\\])*)"'''
    r"""|'(?P<single>(?:\\.|[^'\\\n])*)'|`(?P<back>(?:\\.|[^`\\])*)`""",
    re.DOTALL,
)


def holds_ddl(sql: str) -> bool:
    """Given the text of an SQL file, return whether a statement of it defines, alters or drops something."""
    return bool(_STATEMENT.search(_SQL_COMMENT.sub(" ", sql).removeprefix("\ufeff")))


def tables_created(sql: str) -> list[str]:
    """Given SQL, return the tables it makes, lower-case, temporary ones left out."""
    return [match["name"].lower() for match in _CREATES.finditer(sql)]


def may_hold_ddl(text: str) -> bool:
    """Given any text, return at once whether a closer look could find DDL in it."""
    return bool(_HINT.search(text))


def count_ddl(sql: str) -> int:
    """Given SQL, return how many statements of it make or alter a lasting table."""
    return len(_CREATES.findall(sql)) + len(_ALTERS.findall(sql))


def string_literals(path: str, text: str) -> str:
    """Given source code, return its string literals, one after another; docstrings and comments are none.

    Python is read by its syntax tree; for other languages the common spellings of strings and comments are known.
    """
    if path.endswith(".py"):
        return "\n".join(_python_literals(text))
    return "\n".join(
        next((match[name] for name in ("rust", "triple", "double", "single", "back") if match[name]), "")
        for match in _LITERAL.finditer(text)
    )


def parse_python(text: str) -> ast.Module | None:
    """Given Python, return its syntax tree, None for what is not Python of this version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _python_literals(text: str) -> Iterator[str]:
    tree = parse_python(text)
    if tree is None:
        return
    prose: set[int] = set()
    for node in ast.walk(tree):  # parents come before what is in them
        if isinstance(node, ast.Expr):
            prose.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            prose.update(id(part) for part in node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
