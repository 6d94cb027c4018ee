"""Alembic's revision graph, read from the files alone: who a revision is, and what is applied when it is."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ics_guard.detect.alembic.identity import NAMES, plain_identity, strings
from ics_guard.detect.python.tree import Module, parse


@dataclass(frozen=True)
class Revision:
    """The identity of one revision file. A base has no `down_revisions`, a merge has several."""

    revision: str
    down_revisions: tuple[str, ...]
    depends_on: tuple[str, ...]
    branch_labels: tuple[str, ...] = ()


def read_revision(content: bytes) -> Revision | None:
    """Given the bytes of a file, return the revision it is; None if it is none, or its identity is not literal.

    A file whose operations cannot be parsed is the revision that its first lines say it is.
    """
    plain = plain_identity(content)
    if plain is not None:
        return _revision(plain)
    module = parse(content)
    return revision_of(module) if module else None


def revision_of(module: Module) -> Revision | None:
    """Given a parsed file, return the revision it is; None if it is none, or its identity is not literal."""
    return _revision({name: _strings(module, name) for name in NAMES})


def _revision(identity: Mapping[str, tuple[str, ...] | None]) -> Revision | None:
    revision, down, depends, labels = (identity.get(name, ()) for name in NAMES)
    if not revision or len(revision) != 1 or down is None or depends is None:
        return None
    return Revision(revision[0], down, depends, labels or ())


def _strings(module: Module, name: str) -> tuple[str, ...] | None:
    """What a name of the module holds: no string where it is absent or None, None where it cannot be told."""
    node = module.constants.get(name)
    followed = 0
    while isinstance(node, ast.Name) and followed < len(module.constants):
        node, followed = module.constants.get(node.id, ast.Constant(...)), followed + 1
    if node is None:
        return ()
    try:
        return strings(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return None


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
