"""Gitignore-style patterns: compiled late, for loading pathspec takes longer than reading a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


_FILE_ENDING = re.compile(
    r"\.(?:sql|ddl|py|rs|go|ts|tsx|js|jsx|mjs|php|rb|java|kt|cs|swift|ex|exs|pl|sh|xml|json|ya?ml|toml)\Z"
)


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


def covers(pattern: str, other: str) -> bool:
    """Given two patterns, return whether the first surely matches every path that the second does."""
    if pattern == other:
        return True
    plain = not set("[\\!#") & set(pattern + other) and not pattern.endswith("**/")  # all that is in any folder
    return plain and _covers(_segments(pattern), _segments(other))


def apart(pattern: str, other: str) -> bool:
    """Given two patterns, return whether there surely is no path that both match."""
    if set("[\\!#") & set(pattern + other):
        return False
    one, two = _segments(pattern), _segments(other)
    for first, second in zip(one, two, strict=False):  # down to where either may be anything
        if set("*?") & set(first + second):
            break
        if first != second:
            return True
    return _ends_apart(one[-1], two[-1])


def _segments(pattern: str) -> list[str]:
    """A pattern by its folders; what may match at any depth begins with `**`, a folder's own ends with it."""
    parts = pattern.strip("/").split("/")
    anywhere = "/" not in pattern.rstrip("/") and parts[0] != "**"
    return [*(["**"] if anywhere else []), *parts, *(["**"] if pattern.endswith("/") else [])]


def _covers(wide: list[str], narrow: list[str]) -> bool:
    if not wide:  # it matches a folder, and so all that is below
        return True
    if not narrow:
        return False
    if wide[0] == "**":
        return _covers(wide[1:], narrow) or _covers(wide, narrow[1:])
    return narrow[0] != "**" and _covers_name(wide[0], narrow[0]) and _covers(wide[1:], narrow[1:])


def _covers_name(wide: str, narrow: str) -> bool:
    start, star, end = wide.partition("*")
    if not star or set("*?") & set(start + end):
        return wide == narrow
    middle = len(narrow) - len(start) - len(end)
    return middle >= 0 and narrow.startswith(start) and narrow.endswith(end)


def _ends_apart(one: str, two: str) -> bool:
    """Whether both are of files, with other endings: `*.sql`, `*.py`. What may name a folder may hold either."""
    ends = [_FILE_ENDING.search(name) for name in (one, two)]
    return all(ends) and len({end[0] for end in ends if end}) == len(ends)


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
    if pattern != pattern.strip() or "//" in pattern:
        return "it begins or ends with a blank, or has two slashes in a row"
    if pattern.lstrip("!/").startswith("~") or {".", ".."} & set(pattern.lstrip("!").split("/")):
        return "patterns are relative to the root of the repository, without `.`, `..` or `~`"
    try:
        spec = compiled([pattern])
    except (ValueError, re.error) as error:
        return str(error)
    return "it matches nothing" if any(one.include is None for one in spec.patterns) else ""
