"""Gitignore-style patterns: compiled late, for loading pathspec takes longer than reading a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


def compiled(patterns: Iterable[str]) -> GitIgnoreSpec:
    """Given patterns that `trouble_with` found nothing in, return what matches paths against them."""
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - see the module's docstring

    return GitIgnoreSpec.from_lines(patterns)


def matches(spec: GitIgnoreSpec, path: str) -> bool:
    """Given compiled patterns and a path relative to the root, return whether they match; any file name will do."""
    return spec.match_file(path.replace("\n", "_"))  # pathspec's dot does not match a newline in a folder's name


def literal(path: str) -> str:
    """Given a path, return the pattern that matches it and nothing else."""
    escaped = re.sub(r"([\\*?\[\]])", r"\\\1", path)
    return "\\" + escaped if escaped[:1] in ("!", "#") else escaped


def trouble_with(pattern: str) -> str:
    """Given a pattern as written, return in words why it can never match a path, "" if it can."""
    if not pattern.strip():
        return "it is empty"
    if "\n" in pattern:
        return "it holds a line break"
    if pattern.lstrip("!/").startswith("~") or {".", ".."} & set(pattern.lstrip("!").split("/")):
        return "patterns are relative to the root of the repository, without `.`, `..` or `~`"
    try:
        spec = compiled([pattern])
    except (ValueError, re.error) as error:
        return str(error)
    return "it matches nothing" if any(one.include is None for one in spec.patterns) else ""
