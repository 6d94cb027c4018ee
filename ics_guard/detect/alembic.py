"""Alembic's revision graph, read from the files alone: who a revision is, and what is applied when it is."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ics_guard.detect.python_tree import Module, parse


@dataclass(frozen=True)
class Revision:
    """The identity of one revision file. A base has no `down_revisions`, a merge has several."""

    revision: str
    down_revisions: tuple[str, ...]
    depends_on: tuple[str, ...]


def read_revision(content: bytes) -> Revision | None:
    """Given the bytes of a file, return the revision it is; None if it is none, or its identity is not literal."""
    module = parse(content)
    return revision_of(module) if module else None


def revision_of(module: Module) -> Revision | None:
    """Given a parsed file, return the revision it is; None if it is none, or its identity is not literal."""
    revision = _strings(module, "revision")
    down, depends = _strings(module, "down_revision"), _strings(module, "depends_on")
    if not revision or len(revision) != 1 or down is None or depends is None:
        return None
    return Revision(revision[0], down, depends)


def _strings(module: Module, name: str) -> tuple[str, ...] | None:
    """What a name of the module holds: no string where it is absent or None, None where it cannot be told."""
    node = module.constants.get(name)
    followed = 0
    while isinstance(node, ast.Name) and followed < len(module.constants):
        node, followed = module.constants.get(node.id, ast.Constant(...)), followed + 1
    if node is None:
        return ()
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return None
    values = tuple(value) if isinstance(value, tuple | list | set | frozenset) else () if value is None else (value,)
    return tuple(sorted(values)) if all(isinstance(item, str) and item for item in values) else None


def ancestors(revisions: Mapping[str, Revision], heads: Iterable[str]) -> frozenset[str] | None:
    """Given all revisions and the heads a database is at, return every revision applied there, heads included.

    Return None if that cannot be told: a head, or something one builds on, is not among the revisions.
    """
    applied, queue = set[str](), list(heads)
    if any(head not in revisions for head in queue):  # files may abbreviate, a database never does
        return None
    while queue:
        name = _full(revisions, queue.pop())
        if name is None:
            return None
        if name not in applied:
            applied.add(name)
            queue += (*revisions[name].down_revisions, *revisions[name].depends_on)
    return frozenset(applied)


def _full(revisions: Mapping[str, Revision], name: str) -> str | None:
    """Alembic accepts the beginning of an identifier where only one revision begins so."""
    if name in revisions:
        return name
    begun = [known for known in revisions if len(name) >= 4 and known.startswith(name)]
    return begun[0] if len(begun) == 1 else None
