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


def matches_below(pattern: str, path: str, *, named: bool = False) -> bool:
    """Given a pattern that `trouble_with` found nothing in, return whether it can match a path below `path`.

    `named`: only where the pattern says something about the last part of `path` itself, which `*` and `**` do not. A
    pattern that begins with one of these is about any folder of this repository, and means no other by it.
    """
    body = pattern.strip("/")
    wanted = body.split("/") if "/" in pattern.rstrip("/") else ["**", body]
    anywhere = not wanted[0].strip("*")
    return pattern[0] not in "!#" and _leads_into(wanted, path.split("/"), named=named or anywhere)


def _leads_into(wanted: list[str], parts: list[str], *, named: bool) -> bool:
    if not wanted or not parts:  # it matches a folder, and so all below, or some of it is left for what is below
        return True
    first, rest = wanted[0], wanted[1:]
    if first == "**":
        swallowed = (not named or len(parts) > 1) and _leads_into(wanted, parts[1:], named=named)
        return swallowed or _leads_into(rest, parts, named=named)
    blind = named and len(parts) == 1 and not first.strip("*")
    return not blind and matches(compiled([f"/{first}"]), parts[0]) and _leads_into(rest, parts[1:], named=named)


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
