"""The operations of a Django migration as they are listed: where the list is made, grown, and given to the class."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ics_guard.detect.django.migration import Migration
from ics_guard.detect.django.operation import operation_name, read_operation
from ics_guard.detect.operations import Operation
from ics_guard.detect.python.acts import runs_on_loading
from ics_guard.detect.python.follow import bind, bound, called, repeats
from ics_guard.detect.python.meaning import meaning
from ics_guard.detect.python.sqlalchemy_reading import Scope, argument
from ics_guard.detect.python.tree import Module
from ics_guard.detect.text import word_set

_GROWS = word_set("append extend insert")
_DECIDES = word_set("operations __dict__ __bases__")
_DEEPEST = 12
_ANY = frozenset[str]()
"""Whatever list there is: the one that a function makes."""


def django_steps(migration: Migration) -> list[Operation]:
    """Given a migration, return its operations in order, one by one; what cannot be followed comes out as unknown."""
    reader, module, result = _Steps(migration.module), migration.module, list[Operation]()
    holder = migration.holder()
    if holder is not None:
        result += reader.of_body(holder.body, Scope(module), frozenset({"operations"}))
        result += reader.unmet(_changes_list(holder.body))
    if not migration.whole:
        text = f"migration {meaning([migration.node], module)}"
        place = migration.node.lineno, migration.node.col_offset + 1
        result.append(Operation("django.foreign_code", "migration", "", text, *place))
    for node in runs_on_loading(module):
        text = f"runs when it is loaded: {meaning([node], module)}"
        result.append(Operation("django.foreign_code", "load", "", text, node.lineno, node.col_offset + 1))
    changed = list(_changes_class(migration))
    if migration.classes and changed:
        result += reader.of_body(
            module.tree.body, Scope(module), frozenset(f"{name}.operations" for name in migration.names)
        )
        result += reader.unmet(changed)
    return result


def _changes_list(body: Iterable[ast.stmt]) -> Iterator[ast.expr]:
    """Where a class body gives `operations` something, or does something with it for its own sake."""
    for item in body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(item):
            stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            if stored or isinstance(node, ast.Expr | ast.Delete):
                yield from _lists([node])
            elif isinstance(node, ast.Assign):
                yield from _lists(node.targets)


def _lists(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Name) and node.id == "operations":
            yield node


def _changes_class(migration: Migration) -> Iterator[ast.expr]:
    """Where the file, outside of classes, takes up the operations of the migration, or hands the class to something."""
    for item in migration.module.tree.body:
        apart = [node for node in ast.walk(item) if isinstance(node, ast.ClassDef) or node is migration.node]
        inside = {id(inner) for node in apart for inner in ast.walk(node)}
        nodes = [node for node in ast.walk(item) if id(node) not in inside]
        attributes = [node for node in nodes if isinstance(node, ast.Attribute) and _is_own(node.value, migration)]
        yield from (node for node in attributes if node.attr in _DECIDES)
        if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            owners = {id(node.value) for node in attributes}
            yield from (
                node
                for node in nodes
                if isinstance(node, ast.Name) and _is_own(node, migration) and id(node) not in owners
            )


def _is_own(node: ast.expr, migration: Migration) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in migration.names


class _Steps:
    """Operations as they are listed, appended, made by functions of the file, or made in loops."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._depth = 0
        self._met = set[int]()

    def unmet(self, uses: Iterable[ast.expr]) -> list[Operation]:
        """Of these uses of a list, those that could not be followed."""
        scope = Scope(self.module)
        return [
            _unknown(node, "operations", scope)
            for node in {id(one): one for one in uses}.values()
            if id(node) not in self._met
        ]

    def _is(self, node: ast.expr, listed: frozenset[str]) -> bool:
        """Whether this is a list that is looked for."""
        found = isinstance(node, ast.Name | ast.Attribute) and (not listed or ast.unparse(node) in listed)
        if found:
            self._met |= {id(inner) for inner in ast.walk(node)}
        return found

    def of_body(self, body: Iterable[ast.stmt], scope: Scope, listed: frozenset[str]) -> list[Operation]:
        """The operations that statements put into the list of one of these names (none: into any), or return."""
        result = list[Operation]()
        for node in body:
            result += self._statement(node, scope, listed)
        return result

    def _statement(self, node: ast.stmt, scope: Scope, listed: frozenset[str]) -> list[Operation]:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                bind(target, node.value, scope)
            into = bool(listed) and bool([target for target in targets if self._is(target, listed)])
            return self.listed(node.value, scope) if into else []
        if isinstance(node, ast.AugAssign):
            return self.listed(node.value, scope) if self._is(node.target, listed) else []
        if isinstance(node, ast.Return) and node.value is not None:
            return self.listed(node.value, scope)
        if isinstance(node, ast.Expr):
            return self._grown(node.value, scope, listed)
        if isinstance(node, ast.For):
            result = list[Operation]()
            for items in repeats(node.iter, scope):
                bind(node.target, node.target if items is None else items, scope)
                result += self.of_body(node.body, scope, listed)
            return result
        handlers = [handler.body for handler in getattr(node, "handlers", [])]
        bodies = [*(getattr(node, name, []) for name in ("body", "orelse", "finalbody")), *handlers]
        if isinstance(node, ast.If | ast.With | ast.Try | ast.TryStar | ast.While):
            return [found for inner in bodies for found in self.of_body(inner, scope, listed)]
        return []

    def _grown(self, node: ast.expr, scope: Scope, listed: frozenset[str]) -> list[Operation]:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            return []
        if node.func.attr not in _GROWS or not self._is(node.func.value, listed):
            return []
        return (self.listed if node.func.attr == "extend" else self.step)(node.args[-1], scope)

    def listed(self, node: ast.expr, scope: Scope) -> list[Operation]:
        """The operations of an expression that makes a list of them."""
        resolved = scope.resolve(node)
        if isinstance(resolved, ast.BinOp) and isinstance(resolved.op, ast.Add):
            return [*self.listed(resolved.left, scope), *self.listed(resolved.right, scope)]
        if isinstance(resolved, ast.IfExp):
            return [*self.listed(resolved.body, scope), *self.listed(resolved.orelse, scope)]
        if isinstance(resolved, ast.ListComp | ast.GeneratorExp):
            return self._comprehended(resolved.elt, resolved.generators, scope)
        if isinstance(resolved, ast.List | ast.Tuple):
            return [found for item in resolved.elts for found in self._item(item, scope)]
        if isinstance(resolved, ast.Call):
            if (
                isinstance(resolved.func, ast.Name)
                and resolved.func.id in ("list", "tuple", "filter")
                and resolved.args
            ):
                return self.listed(resolved.args[-1], scope)
            inside = self._followed(resolved, scope, lists=True)
            if inside is not None:
                return inside
        return [_unknown(node, "operations", scope)]

    def _item(self, node: ast.expr, scope: Scope) -> list[Operation]:
        return self.listed(node.value, scope) if isinstance(node, ast.Starred) else self.step(node, scope)

    def _comprehended(self, made: ast.expr, generators: list[ast.comprehension], scope: Scope) -> list[Operation]:
        if not generators:
            return self.step(made, scope)
        result, inner = list[Operation](), Scope(**vars(scope) | {"names": dict(scope.names)})
        for items in repeats(generators[0].iter, scope):
            bind(generators[0].target, generators[0].target if items is None else items, inner)
            result += self._comprehended(made, generators[1:], inner)
        return result

    def _followed(self, call: ast.Call, scope: Scope, *, lists: bool) -> list[Operation] | None:
        """What a function of the file makes; None if it is none, or leads too deep."""
        found = called(call.func, scope)
        if found is None or self._depth > _DEEPEST or isinstance(found[0], ast.Lambda):
            return None
        self._depth += 1
        inner = scope.inner(bound(*found, call, scope), {})
        result = self.of_body(found[0].body, inner, _ANY) if lists else _One(self).of_body(found[0].body, inner, _ANY)
        self._depth -= 1
        return result or None

    def step(self, node: ast.expr, scope: Scope) -> list[Operation]:
        """The operations of an expression that makes one operation."""
        call = scope.resolve(node)
        if isinstance(call, ast.IfExp):
            return [*self.step(call.body, scope), *self.step(call.orelse, scope)]
        if not isinstance(call, ast.Call):
            return [_unknown(node, "operation", scope)]
        if operation_name(scope, call) == "SeparateDatabaseAndState":
            inner = argument(call, 0, "database_operations")
            state = [
                Operation("django.state", "SeparateDatabaseAndState", "", meaning([call], self.module), *_place(call))
            ]
            return (self.listed(inner, scope) if inner else []) or state
        return self._followed(call, scope, lists=False) or read_operation(scope, call)


class _One(_Steps):
    """A function that makes one operation: what it returns is no list."""

    def __init__(self, outer: _Steps) -> None:
        super().__init__(outer.module)
        self._depth = outer._depth

    def listed(self, node: ast.expr, scope: Scope) -> list[Operation]:
        """The operation that is returned."""
        return self.step(node, scope)


def _unknown(node: ast.expr, operation: str, scope: Scope) -> Operation:
    return Operation("django.unknown_operation", operation, "", meaning([node], scope.module), *_place(node))


def _place(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset + 1
