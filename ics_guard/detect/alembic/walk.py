"""The operations a revision performs: walks `upgrade` and every function it leads to, without running any."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ics_guard.detect.alembic.directives import DIRECTIVES, INERT, Directive, Reading, unknown_directive
from ics_guard.detect.alembic.foreign import by_session, is_foreign, made_or_dropped
from ics_guard.detect.alembic.statements import EXECUTES, executed
from ics_guard.detect.operations import Operation
from ics_guard.detect.python.follow import (
    attribute,
    bind,
    bound,
    called,
    expanded,
    full_name,
    function_name,
    known,
    repeats,
)
from ics_guard.detect.python.loading import at_once
from ics_guard.detect.python.meaning import arguments_meaning
from ics_guard.detect.python.sqlalchemy_reading import LONGEST_CHAIN, Scope, is_constant, keyword
from ics_guard.detect.python.tree import Function, Module

_OP = "alembic.op."
_ENTERS = ("__enter__", "enter_context", "enter_async_context")
_HARMLESS = ("print", f"{_OP}f", f"{_OP}get_bind", f"{_OP}get_context")
_PLAIN = ast.Expr | ast.Return | ast.Pass | ast.Import | ast.ImportFrom
_MODIFIES = {"modify_type": "type_", "modify_nullable": "nullable", "modify_name": "new_column_name"}
_MOST_CALLS = 10_000
_DEEPEST = 12


class Walk:
    """One walk through functions of a module; `operations` are in the order of execution, `seen` the nodes met.

    `plain`: the operations are all that the code does, always and in this order.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.operations: list[Operation] = []
        self.seen: set[int] = set()
        self.visited: set[str] = set()
        self.plain = True
        self._results: dict[int, tuple[ast.expr, ast.expr]] = {}
        self._entered: list[ast.AST] = []
        self._returned: list[list[ast.expr]] = []
        self._batches: list[tuple[ast.Call, Scope, str]] = []
        self._calls = 0
        self._sure = True
        self._told: set[str] = set()

    def entry(self, function: Function | ast.Lambda) -> None:
        """Walk a function as it is called from outside."""
        self._function(function, Scope(self.module, results=self._results))
        self._left()

    def loaded(self, statements: Iterable[ast.stmt]) -> None:
        """Walk statements that run when the file is loaded."""
        self._body(statements, Scope(self.module, results=self._results))
        self._left()

    def _left(self) -> None:
        """Batches that were begun, and in which nothing was done."""
        pending, self._batches = self._batches, []
        for call, scope, table in pending:
            if all(found.table != table for found in self.operations):
                self._rebuild(call, table, scope)

    def _function(self, function: Function | ast.Lambda, scope: Scope) -> ast.expr | None:
        """Walk a function unless the walk is in it already; return what it returns, None where that is not known."""
        self.visited.add(function_name(function))
        if function in self._entered or len(self._entered) > _DEEPEST or self._calls > _MOST_CALLS:
            return None
        sure = self._sure
        self._entered.append(function)
        self._returned.append([])
        if isinstance(function, ast.Lambda):
            self._expression(function.body, scope)
            self._returned[-1].append(known(function.body, scope))
        else:
            self._body(function.body, scope)
        self._entered.pop()
        self._sure = sure
        return _one_of(self._returned.pop())

    def _body(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for node in body:
            for part in at_once(node):
                if part is node or isinstance(part, ast.Expr):  # what the body of a class assigns makes columns
                    self._statement(part, scope)
            if isinstance(node, ast.Return | ast.Raise):
                return
            if any(isinstance(inner, ast.Return | ast.Raise) for inner in ast.walk(node)):
                self._sure = False  # what follows may not be reached

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assign(node, scope)
        elif isinstance(node, ast.With | ast.AsyncWith):
            self._with(node, scope)
        elif isinstance(node, ast.For | ast.AsyncFor):
            self._for(node, scope)
        elif isinstance(node, ast.If | ast.While):
            self._expression(node.test, scope)
            self._branches([node.body, node.orelse], scope)
        elif isinstance(node, ast.Try | ast.TryStar):
            self._branches([node.body, []], scope)
            self._branches([handler.body for handler in node.handlers] + [node.orelse], scope)
            self._branches([node.finalbody], scope)
        elif isinstance(node, ast.Match):
            self._expression(node.subject, scope)
            self._branches([case.body for case in node.cases] + [[]], scope)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._expression(child, scope)
            self.plain = self.plain and isinstance(node, _PLAIN)
            if isinstance(node, ast.Return) and node.value is not None and self._returned:
                self._returned[-1].append(known(node.value, scope))

    def _branches(self, bodies: Sequence[Sequence[ast.stmt]], scope: Scope) -> None:
        """Walk bodies of which one may be executed: effects cannot be counted on, names may stand for either thing."""
        sure, self._sure, before = self._sure, False, dict(scope.names)
        self.plain, after = False, []
        for body in bodies:
            scope.names = dict(before)
            self._body(body, scope)
            after.append(scope.names)
        self._sure = sure
        scope.names = {}
        for name in dict.fromkeys(name for names in after for name in names):
            either = list({id(names[name]): names[name] for names in after if name in names}.values())
            if len(either) > 1:  # what stands for itself alone is not known
                either = [ast.Constant(...) if _is_name(value, name) else value for value in either]
            scope.names[name] = _one_of(either) or either[0]

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: Scope) -> None:
        if node.value is None:
            return
        if not isinstance(node.value, ast.Lambda):
            self._expression(node.value, scope)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            grown = ast.BinOp(scope.resolve(target), node.op, node.value) if isinstance(node, ast.AugAssign) else None
            batch = self._batch_call(node.value, scope)
            if batch is not None:
                scope.batches[ast.unparse(target)] = Directive(batch, scope, None).table()
            bind(target, grown or node.value, scope)

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        batches = []
        for item in node.items:
            batch = self._batch_call(item.context_expr, scope)
            if batch is not None:
                self.seen.add(id(batch))
                self.plain = self.plain and len(batch.args) == 1 and not batch.keywords
                table = Directive(batch, scope, None).table()
                if item.optional_vars is not None:
                    scope.batches[ast.unparse(item.optional_vars)] = table
                batches.append((batch, table))
            else:
                self.plain = False
                self._expression(item.context_expr, scope)
                if item.optional_vars is not None:
                    bind(item.optional_vars, item.context_expr, scope)
        before = len(self.operations)
        self._body(node.body, scope)
        for call, table in batches:
            self._batches = [pending for pending in self._batches if pending[0] is not call]
            always = is_constant(scope.resolve(keyword(call, "recreate") or call), "always")
            if always or len(self.operations) == before:
                self._rebuild(call, table, scope)

    def _batch_call(self, node: ast.expr, scope: Scope) -> ast.Call | None:
        """The `batch_alter_table(…)` that an expression stands for, entered already or not."""
        found = scope.resolve(node)
        if isinstance(found, ast.Call) and isinstance(found.func, ast.Attribute) and found.func.attr in _ENTERS:
            found = scope.resolve(found.args[0] if found.args else found.func.value)
        is_batch = isinstance(found, ast.Call) and full_name(found.func, scope).endswith("batch_alter_table")
        return found if is_batch and isinstance(found, ast.Call) else None

    def _rebuild(self, call: ast.Call, table: str, scope: Scope) -> None:
        self._add(call, scope, Reading("alembic.rebuild_table", "rebuild_table", table, (), table))

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        self._expression(node.iter, scope)
        for items in repeats(node.iter, scope) if self._calls < _MOST_CALLS else (None,):
            if items is None:
                _forget(node.target, scope)
                self._branches([node.body, []], scope)
            else:
                bind(node.target, items, scope)
                self._body(node.body, scope)
        self._body(node.orelse, scope)

    def _expression(self, node: ast.expr, scope: Scope, *, quiet: bool = False) -> None:
        """Walk an expression; `quiet` inside the arguments of a directive, where types and defaults are made."""
        self.plain = self.plain and not isinstance(node, ast.IfExp | ast.BoolOp | ast.Await | ast.Yield)
        if isinstance(node, ast.Call):
            self._call(node, scope, quiet=quiet)
        elif isinstance(node, ast.Lambda):
            self._expression(node.body, scope, quiet=quiet)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            self._comprehension(made, node.generators, Scope(**vars(scope) | {"names": dict(scope.names)}), quiet=quiet)
        else:
            if isinstance(node, ast.NamedExpr):
                bind(node.target, node.value, scope)
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._expression(child, scope, quiet=quiet)

    def _comprehension(
        self, made: Sequence[ast.expr], generators: Sequence[ast.comprehension], scope: Scope, *, quiet: bool
    ) -> None:
        if not generators:
            for part in made:
                self._expression(part, scope, quiet=quiet)
            return
        first, *rest = generators
        self._expression(first.iter, scope, quiet=quiet)
        sure, self._sure = self._sure, self._sure and not first.ifs
        self.plain = self.plain and not first.ifs
        for items in repeats(first.iter, scope) if self._calls < _MOST_CALLS else (None,):
            if items is None:
                self._sure = False
                _forget(first.target, scope)
            else:
                bind(first.target, items, scope)
            for condition in first.ifs:
                self._expression(condition, scope, quiet=quiet)
            self._comprehension(made, rest, scope, quiet=quiet)
        self._sure = sure

    def _call(self, written: ast.Call, scope: Scope, *, quiet: bool) -> None:
        self.seen.add(id(written))
        self._calls += 1
        node, target = expanded(written, scope), attribute(scope.resolve(written.func))
        name = full_name(target, scope)
        method = target.attr if isinstance(target, ast.Attribute) else ""
        if name.startswith(_OP):
            self._meet(target, scope)
            if name == f"{_OP}invoke":
                node, name, method = _invoked(node, scope)
        batch = self._batch(target, scope)
        directive = name.removeprefix(_OP) if name.startswith(_OP) else method
        is_directive = name.startswith(_OP) or batch is not None or (method in DIRECTIVES and not quiet)
        runs = directive in EXECUTES and (bool(method) or name.startswith(_OP))
        self._arguments(node, scope, quiet=quiet or runs or (is_directive and directive not in INERT))
        found = called(target, scope)
        if found is not None:
            self.plain = self.plain and not quiet
            result = self._function(found[0], scope.inner(*self._given(*found, node, scope)))
            if result is not None:
                self._results[id(written)] = (written, result)
        elif runs:
            self.plain = self.plain and len(node.args) == 1 and not node.keywords
            for operation in executed(node, scope):
                self.operations.append(operation if self._sure else replace(operation, effects=()))
        elif self._batch_call(node, scope) is node:
            self.plain = False
            self._batches.append((node, scope, Directive(node, scope, None).table()))
        elif method in _ENTERS:
            return
        elif is_directive and directive not in INERT:
            it = Directive(node, scope, batch)
            reader = DIRECTIVES.get(directive)
            self._add(node, scope, reader(it) if reader else unknown_directive(directive, it))
        else:
            self._elsewhere(node, name, method, scope, quiet=quiet)

    def _arguments(self, node: ast.Call, scope: Scope, *, quiet: bool) -> None:
        if isinstance(node.func, ast.Attribute):
            self._expression(node.func.value, scope, quiet=quiet)
        for value in (*node.args, *(item.value for item in node.keywords)):
            callback = called(value, scope) if isinstance(value, ast.Name) and value.id not in scope.names else None
            self.plain = self.plain and callback is None
            if callback is not None and function_name(callback[0]) != "__init__":
                self._function(callback[0], scope.inner({}, {}))
            self._expression(value, scope, quiet=quiet)

    def _given(
        self, function: Function | ast.Lambda, receiver: ast.expr | None, node: ast.Call, scope: Scope
    ) -> tuple[dict[str, ast.expr], dict[str, str]]:
        """What the parameters of a function stand for, and the tables of those that are batch operations."""
        given = bound(function, receiver, node, scope)
        batches = {
            parameter: scope.batches[value.id]
            for parameter, value in given.items()
            if isinstance(value, ast.Name) and value.id in scope.batches
        }
        for parameter, value in given.items():
            if isinstance(value, ast.Call) and (batch := self._batch_call(value, scope)):
                batches[parameter] = Directive(batch, scope, None).table()
        if function not in self.module.tree.body and receiver is None:  # it sees the names around it
            return scope.names | given, scope.batches | batches
        return given, batches

    def _elsewhere(self, node: ast.Call, name: str, method: str, scope: Scope, *, quiet: bool) -> None:
        self.plain = self.plain and (quiet or name.startswith("sqlalchemy.") or name in _HARMLESS)
        reading = made_or_dropped(node, method, name, scope) or by_session(node, method, scope)
        if reading is not None:
            self._add(node, scope, reading)
        elif not quiet and is_foreign(node.func, scope):
            for inner in ast.walk(node):
                self.seen.add(id(inner))  # what is handed over to it needs no word of its own
            told = (name or ast.unparse(node.func)).lower()
            if told not in self._told:
                self._told.add(told)
                self._add(node, scope, Reading("alembic.foreign_code", "call", told))

    def _meet(self, target: ast.expr, scope: Scope) -> None:
        """Remember that this use of `op` was followed."""
        for _ in range(LONGEST_CHAIN):
            self.seen.add(id(target))
            if not isinstance(target, ast.Attribute):
                return
            target = scope.resolve(target.value)

    def _batch(self, target: ast.expr, scope: Scope) -> str | None:
        """The table of the batch whose operation is called, None where it is no batch."""
        if not isinstance(target, ast.Attribute):
            return None
        table = scope.batches.get(ast.unparse(target.value))
        if table is None and (batch := self._batch_call(target.value, scope)):
            return Directive(batch, scope, None).table()
        if isinstance(target.value, ast.Name) and target.value.id not in self.module.imports and table is None:
            named = "batch" in target.value.id and target.attr in DIRECTIVES
            return "{" + target.value.id + "}" if named else None
        return table

    def _add(self, node: ast.Call, scope: Scope, reading: Reading) -> None:
        given = arguments_meaning(node, self.module, {**self.module.constants, **scope.names})
        canonical = f"{reading.operation} {reading.object} {given}"
        effects = reading.effects if self._sure else ()
        line, column = node.lineno, node.col_offset + 1
        self.operations.append(
            Operation(
                reading.rule,
                reading.operation,
                reading.object,
                canonical,
                line,
                column,
                effects,
                reading.table,
                reading.detail,
            )
        )


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _one_of(values: Sequence[ast.expr]) -> ast.expr | None:
    """An expression for what may be one thing or another."""
    if not values:
        return None
    result = values[0]
    for value in values[1:4]:
        result = ast.copy_location(ast.IfExp(ast.Constant(None), result, value), value)
    return result


def _forget(target: ast.expr, scope: Scope) -> None:
    """The names of a loop's target stand for nothing but themselves."""
    for name in ast.walk(target):
        if isinstance(name, ast.Name):
            scope.names[name.id] = ast.Name(name.id, ast.Load())


def _invoked(node: ast.Call, scope: Scope) -> tuple[ast.Call, str, str]:
    """`op.invoke(DropTableOp("t"))` as `op.drop_table("t")`."""
    made = scope.resolve(node.args[0]) if node.args else None
    last = full_name(made.func, scope).rpartition(".")[2] if isinstance(made, ast.Call) else ""
    if not isinstance(made, ast.Call) or not last.endswith("Op"):
        return node, f"{_OP}invoke", "invoke"
    directive = re.sub(r"(?<!^)(?=[A-Z])", "_", last.removesuffix("Op")).lower()
    directive = "execute" if directive.startswith("execute") else directive
    keywords = [ast.keyword(_MODIFIES.get(item.arg or "", item.arg), item.value) for item in made.keywords]
    return ast.copy_location(ast.Call(node.func, made.args, keywords), node), f"{_OP}{directive}", directive
