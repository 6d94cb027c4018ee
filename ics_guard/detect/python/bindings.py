"""What the names at the top of a Python file stand for once it is loaded: the last thing that each was given."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ics_guard.detect.text import word_set

_LIBRARIES = word_set(
    "sqlalchemy alembic sqlmodel sqlalchemy_utils geoalchemy2 citext pgvector typing_extensions django"
)
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, eq=False)
class Given:
    """What a name is given: a definition, the expression that is assigned, or the statement that gives it otherwise.

    `source`: where it comes from, for what is imported; `app.*` for what `import *` may bring.
    """

    node: ast.AST
    source: str = ""


@dataclass(frozen=True)
class Bindings:
    """The names at the top of a file: what each may stand for in the end, and all that it is ever given, in order.

    `everything`: where the file takes all the names that a module has, but for those of well-known libraries.
    """

    last: Mapping[str, tuple[Given, ...]]
    ever: Mapping[str, tuple[Given, ...]]
    everything: tuple[Given, ...]


def bindings(tree: ast.Module) -> Bindings:
    """Given a parsed file, return what its names are given. Nothing is run."""
    reader = _Reader()
    reader.body(tree.body)
    return Bindings(reader.last, reader.ever, tuple(reader.everything))


def is_strange(source: str) -> bool:
    """Given where something is imported from, return whether that may be anything: it is of no well-known library."""
    roots = {one.partition(".")[0] for one in source.split("|")}
    return any(
        root not in _LIBRARIES and root not in sys.stdlib_module_names and root != "__future__" for root in roots
    )


def imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Given an import, return the names that it gives with where each comes from."""
    if isinstance(node, ast.ImportFrom):
        package = "." * node.level + (node.module or "")
        return {alias.asname or alias.name: f"{package}.{alias.name}" for alias in node.names}
    roots = {alias.name.partition(".")[0]: alias.name.partition(".")[0] for alias in node.names if not alias.asname}
    return roots | {alias.asname: alias.name for alias in node.names if alias.asname}


def assigned(target: ast.expr, value: ast.expr) -> dict[str, ast.expr]:
    """Given what is assigned to what, return what each plain name is given, as far as that can be told."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    lists = ast.Tuple | ast.List
    if not isinstance(target, lists) or not isinstance(value, lists) or len(target.elts) != len(value.elts):
        return {}
    pairs = zip(target.elts, value.elts, strict=True)
    return {name: found for inner, item in pairs for name, found in assigned(inner, item).items()}


class _Reader:
    """Goes through the statements of a file as they are run; of branches, either may be."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[Given, ...]] = {}
        self.ever: dict[str, tuple[Given, ...]] = {}
        self.everything: list[Given] = []

    def body(self, statements: Iterable[ast.stmt]) -> None:
        for node in statements:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._give(node.name, Given(node))
            case ast.Import() | ast.ImportFrom():
                for name, source in imported(node).items():
                    self._import(name, Given(node, source))
            case ast.Assign() | ast.AnnAssign():
                self._assign(node)
            case ast.AugAssign(target=ast.Name(id=name)):
                self._give(name, Given(node), *self.last.get(name, ()))
            case ast.Delete():
                for target in node.targets:
                    self.last.pop(target.id if isinstance(target, ast.Name) else "", None)
            case ast.If():
                self._stored(node.test, node)
                self._branches([] if self.is_never(node.test) else node.body, node.orelse)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.For() | ast.AsyncFor() | ast.While() | ast.With() | ast.AsyncWith():
                self._block(node)
            case ast.Match():
                self._stored(node, node)
                self._branches([], *(case.body for case in node.cases))
            case _:
                self._stored(node, node)

    def _give(self, name: str, *given: Given) -> None:
        """The first of these is new; the others are what the name may still be."""
        self.last[name] = (*given[1:], given[0])
        self.ever[name] = (*self.ever.get(name, ()), given[0])

    def _import(self, name: str, given: Given) -> None:
        if name != "*":
            self._give(name, given)
        elif is_strange(given.source):
            self.everything.append(given)
            self.last = {known: (*before, given) for known, before in self.last.items()}

    def _assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        if node.value is None:
            return
        self._stored(node.value, node)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            plain = assigned(target, node.value)
            for name, value in plain.items():
                self._give(name, Given(value))
            for name in set(_names(target)) - set(plain):
                self._give(name, Given(node))

    def _stored(self, part: ast.AST, node: ast.stmt) -> None:
        """Names that a part of a statement gives something as it is evaluated."""
        for name in dict.fromkeys(_names(part)):
            self._give(name, Given(node))

    def _branches(self, *bodies: list[ast.stmt]) -> None:
        before, ends = self.last, []
        for body in bodies:
            self.last = dict(before)
            self.body(body)
            ends.append(self.last)
        self.last = _merged(ends)

    def _block(self, node: ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith) -> None:
        before = dict(self.last)
        heads = (
            [node.test]
            if isinstance(node, ast.While)
            else node.items
            if hasattr(node, "items")
            else [node.target, node.iter]
        )
        for head in heads:
            self._stored(head, node)
        self.body(node.body)
        self.last = _merged([before, self.last])  # a loop may have no turn, and `with` may keep an error to itself
        self.body(getattr(node, "orelse", []))

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        before = dict(self.last)
        self.body(node.body)
        tried = dict(self.last)
        self.body(node.orelse)
        ends, failed = [self.last], _merged([before, tried])
        for handler in node.handlers:
            self.last = dict(failed)
            self.body(handler.body)
            self.last.pop(handler.name or "", None)
            ends.append(self.last)
        self.last = _merged(ends)
        self.body(node.finalbody)

    def is_never(self, test: ast.expr) -> bool:
        """Whether a condition never holds when the file is loaded: it is there for a type checker, or for a script."""
        match test:
            case ast.Name(id=name):
                sources = {given.source for given in self.last.get(name, ())}
                return bool(sources) and sources <= {"typing.TYPE_CHECKING", "typing_extensions.TYPE_CHECKING"}
            case ast.Attribute(value=ast.Name(id=name), attr="TYPE_CHECKING"):
                sources = {given.source for given in self.last.get(name, ())}
                return bool(sources) and sources <= {"typing", "typing_extensions"}
            case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]):
                return "__name__" not in self.ever
        return False


def _merged(ends: Iterable[Mapping[str, tuple[Given, ...]]]) -> dict[str, tuple[Given, ...]]:
    result = dict[str, tuple[Given, ...]]()
    for end in ends:
        for name, given in end.items():
            result[name] = tuple(dict.fromkeys((*result.get(name, ()), *given)))
    return result


def _names(node: ast.AST) -> Iterator[str]:
    """The names that evaluating something gives a value; those of a comprehension's loops are its own."""
    queue = [node]
    while queue:
        inner = queue.pop()
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.MatchAs | ast.MatchStar) and inner.name:
            yield inner.name
        if isinstance(inner, ast.comprehension):
            queue += [inner.iter, *inner.ifs]
        elif not isinstance(inner, _DEFINITIONS | ast.stmt) or inner is node:
            queue += ast.iter_child_nodes(inner)
