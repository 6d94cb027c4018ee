"""The operations a revision performs: walks `upgrade` and every function it leads to, without running any."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from ics_guard.detect.alembic_operations import DIRECTIVES, INERT, Directive, Reading, unknown_directive
from ics_guard.detect.alembic_sql import EXECUTES, executed
from ics_guard.detect.operations import Operation
from ics_guard.detect.python_meaning import meaning
from ics_guard.detect.python_tree import Module, dotted
from ics_guard.detect.sqlalchemy_reading import Scope, argument, is_constant, keyword
from ics_guard.detect.text import word_set

_LIBRARIES = word_set("sqlalchemy alembic sqlmodel sqlalchemy_utils geoalchemy2 citext pgvector typing_extensions")
_RUNS_CODE = frozenset({"subprocess", "importlib", "runpy", "sqlite3", "ctypes"})
_SESSIONS = frozenset({"Session", "sessionmaker", "scoped_session", "AsyncSession", "async_sessionmaker"})
_RUNNERS = frozenset({"exec", "eval", "__import__"})
_MOST_REPEATS = 64
_MOST_CALLS = 10_000
_DEEPEST = 12


class Walk:
    """One walk through functions of a module; `operations` are in the order of execution, `seen` the calls met."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.operations: list[Operation] = []
        self.seen: set[int] = set()
        self.visited: set[str] = set()
        self._entered: list[str] = []
        self._calls = 0
        self._sure = True
        self._told: set[str] = set()

    def function(self, name: str, scope: Scope) -> None:
        """Walk the function of this name, unless the walk is in it already."""
        if (
            name in self._entered
            or len(self._entered) > _DEEPEST
            or (name in self.visited and self._calls > _MOST_CALLS)
        ):
            return
        self._entered.append(name)
        self.visited.add(name)
        self._body(self.module.functions[name].body, scope)
        self._entered.pop()

    def _body(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for node in body:
            self._statement(node, scope)
            if isinstance(node, ast.Return | ast.Raise):
                return

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assign(node, scope)
        elif isinstance(node, ast.With | ast.AsyncWith):
            self._with(node, scope)
        elif isinstance(node, ast.For | ast.AsyncFor):
            self._for(node, scope)
        elif isinstance(node, ast.If | ast.While):
            self._expression(node.test, scope)
            self._unsure([*node.body], scope)
            self._unsure([*node.orelse], scope)
        elif isinstance(node, ast.Try | ast.TryStar):
            handlers = [statement for handler in node.handlers for statement in handler.body]
            for part in (node.body, handlers, node.orelse, node.finalbody):
                self._unsure(part, scope)
        elif isinstance(node, ast.Match):
            self._expression(node.subject, scope)
            for case in node.cases:
                self._unsure(case.body, scope)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._expression(child, scope)

    def _unsure(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Walk what may not be executed: its effects cannot be counted on."""
        before, self._sure = self._sure, False
        self._body(body, scope)
        self._sure = before

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: Scope) -> None:
        if node.value is None:
            return
        self._expression(node.value, scope)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            grown = ast.BinOp(scope.resolve(target), node.op, node.value) if isinstance(node, ast.AugAssign) else None
            _bind(target, grown or node.value, scope)

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        batches = []
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and self._is_batch(call):
                self.seen.add(id(call))
                table = Directive(call, scope, None).table()
                if isinstance(item.optional_vars, ast.Name):
                    scope.batches[item.optional_vars.id] = table
                batches.append((call, table))
            else:
                self._expression(call, scope)
                if item.optional_vars is not None:
                    _bind(item.optional_vars, call, scope)
        before = len(self.operations)
        self._body(node.body, scope)
        for call, table in batches:
            if len(self.operations) == before or is_constant(
                scope.resolve(keyword(call, "recreate") or call), "always"
            ):
                self._add(call, scope, Reading("alembic.rebuild_table", "rebuild_table", table, (), table))

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        self._expression(node.iter, scope)
        for items in _repeats(node, scope) if self._calls < _MOST_CALLS else (None,):
            if items is None:
                for name in ast.walk(node.target):
                    if isinstance(name, ast.Name):
                        scope.names[name.id] = ast.Name(name.id, ast.Load())  # stands for nothing but itself
                self._unsure(node.body, scope)
            else:
                _bind(node.target, items, scope)
                self._body(node.body, scope)
        self._body(node.orelse, scope)

    def _expression(self, node: ast.expr, scope: Scope, *, quiet: bool = False) -> None:
        """Walk an expression; `quiet` inside the arguments of a directive, where types and defaults are made."""
        if isinstance(node, ast.Call):
            self._call(node, scope, quiet=quiet)
            return
        if isinstance(node, ast.Lambda):
            self._expression(node.body, scope, quiet=quiet)
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.comprehension):
                for part in (child.iter, *child.ifs):
                    self._expression(part, scope, quiet=quiet)
            elif isinstance(child, ast.expr):
                self._expression(child, scope, quiet=quiet)

    def _call(self, node: ast.Call, scope: Scope, *, quiet: bool) -> None:
        self.seen.add(id(node))
        self._calls += 1
        name = dotted(node.func, self.module)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        batch = self._batch(node, scope)
        directive = name.removeprefix("alembic.op.") if name.startswith("alembic.op.") else method
        is_directive = name.startswith("alembic.op.") or batch is not None or (method in DIRECTIVES and not quiet)
        if isinstance(node.func, ast.Name) and node.func.id in self.module.functions:
            self._inline(node, scope)
        elif directive in EXECUTES and (method or name.startswith("alembic.op.")):
            for found in executed(node, scope):
                self.operations.append(found if self._sure else replace(found, effects=()))
        elif self._is_batch(node):
            table = Directive(node, scope, None).table()
            self._add(node, scope, Reading("alembic.rebuild_table", "rebuild_table", table, (), table))
        elif is_directive and directive not in INERT:
            it = Directive(node, scope, batch)
            reader = DIRECTIVES.get(directive)
            self._add(node, scope, reader(it) if reader else unknown_directive(directive, it))
            quiet = True
        else:
            reading = self._elsewhere(node, name, method, scope, quiet=quiet)
            if reading:
                self._add(node, scope, reading)
        quiet = quiet or directive in EXECUTES
        if isinstance(node.func, ast.Attribute):
            self._expression(node.func.value, scope, quiet=quiet)
        for value in (*node.args, *(item.value for item in node.keywords)):
            if isinstance(value, ast.Name) and value.id in self.module.functions and value.id not in scope.names:
                self.function(value.id, scope.inner({}, {}))  # a callback
            self._expression(value, scope, quiet=quiet)

    def _inline(self, node: ast.Call, scope: Scope) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        parameters = self.module.functions[name].args
        names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
        given = dict(zip(names, node.args, strict=False)) | {item.arg: item.value for item in node.keywords if item.arg}
        defaults = dict(zip(names[len(names) - len(parameters.defaults) :], parameters.defaults, strict=True))
        batches = {
            parameter: scope.batches[value.id]
            for parameter, value in given.items()
            if isinstance(value, ast.Name) and value.id in scope.batches
        }
        bound = {parameter: _known(value, scope) for parameter, value in (defaults | given).items()}
        self.function(name, scope.inner(bound, batches))

    def _elsewhere(self, node: ast.Call, name: str, method: str, scope: Scope, *, quiet: bool) -> Reading | None:
        """What a call that is neither a directive nor SQL means for the schema, None if nothing."""
        last = name.rpartition(".")[2] or method
        if method in ("create_all", "drop_all") and _given(node):
            return Reading(
                f"alembic.{'drop_schema' if method == 'drop_all' else 'foreign_code'}",
                method,
                name.lower() or "metadata",
            )
        if method in ("create", "drop") and (keyword(node, "checkfirst") or _bound(node, scope)):
            return _created(node, method, scope)
        foreign = last in _SESSIONS or self._is_foreign(node.func, name, scope)
        if quiet or not foreign or (name or last) in self._told:
            return None
        self._told.add(name or last)
        return Reading("alembic.foreign_code", "call", (name or last).lower())

    def _is_foreign(self, function: ast.expr, name: str, scope: Scope) -> bool:
        root = name.partition(".")[0]
        if not name:
            return False
        written = function
        while isinstance(written, ast.Attribute):
            written = written.value
        alias = written.id if isinstance(written, ast.Name) else ""
        if alias not in self.module.imports:
            known = alias in scope.names or alias in self.module.constants or alias in self.module.classes
            return isinstance(function, ast.Name) and (alias in _RUNNERS or not (known or hasattr(builtins, alias)))
        if name in ("os.system", "os.popen") or root in _RUNS_CODE or name.startswith("alembic.command"):
            return True
        return not root or (root not in _LIBRARIES and root not in sys.stdlib_module_names and root != "__future__")

    def _is_batch(self, node: ast.Call) -> bool:
        return isinstance(node.func, ast.Attribute) and node.func.attr == "batch_alter_table"

    def _batch(self, node: ast.Call, scope: Scope) -> str | None:
        if not isinstance(node.func, ast.Attribute):
            return None
        receiver = node.func.value
        if isinstance(receiver, ast.Name) and receiver.id not in self.module.imports:
            unknown = "{" + receiver.id + "}" if "batch" in receiver.id and node.func.attr in DIRECTIVES else None
            return scope.batches.get(receiver.id, unknown)
        return None

    def _add(self, node: ast.Call, scope: Scope, reading: Reading) -> None:
        given = meaning([*node.args, *node.keywords], self.module, scope.names)
        canonical = f"{reading.operation} {reading.object} {given}"
        self.operations.append(
            Operation(
                reading.rule,
                reading.operation,
                reading.object,
                canonical,
                node.lineno,
                node.col_offset + 1,
                reading.effects if self._sure else (),
                reading.table,
                reading.detail,
            )
        )


def _given(node: ast.Call) -> bool:
    return bool(node.args or node.keywords)


def _bound(node: ast.Call, scope: Scope) -> bool:
    first = argument(node, 0, "bind")
    if first is None:
        return False
    text = ast.unparse(scope.resolve(first)) + (first.id if isinstance(first, ast.Name) else "")
    return any(word in text.lower() for word in ("bind", "conn", "engine"))


def _created(node: ast.Call, method: str, scope: Scope) -> Reading:
    receiver = scope.resolve(node.func.value) if isinstance(node.func, ast.Attribute) else node
    made = dotted(receiver.func, scope.module).rpartition(".")[2].lower() if isinstance(receiver, ast.Call) else ""
    thing = scope.name(receiver)
    if made == "enum":
        return Reading(f"alembic.{method}_object", f"{method}_type", thing)
    if made == "table":
        return Reading(f"alembic.{method}_table", f"{method}_table", thing, (), thing)
    return Reading("alembic.dynamic", method, thing)


def _known(value: ast.expr, scope: Scope) -> ast.expr:
    """An argument as the function called sees it: names of the caller mean nothing there."""
    resolved, text = scope.resolve(value), scope.text(value)
    if text is None or "{" in text or isinstance(resolved, ast.Constant):
        return resolved
    return ast.copy_location(ast.Constant(text), value)


def _bind(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    if isinstance(target, ast.Name):
        if isinstance(value, ast.Name) and value.id in scope.batches:
            scope.batches[target.id] = scope.batches[value.id]
        itself = any(isinstance(node, ast.Name) and node.id == target.id for node in ast.walk(value))
        scope.names[target.id] = _known(value, scope) if itself else scope.resolve(value)
        if scope.names[target.id] is value and itself:  # name = f(name)
            scope.names[target.id] = ast.Name(target.id, ast.Load())
    elif isinstance(target, ast.Tuple | ast.List):
        items = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        for inner, item in zip_longest(target.elts, items[: len(target.elts)]):
            _bind(inner, inner if item is None else item, scope)


def _repeats(node: ast.For | ast.AsyncFor, scope: Scope) -> Iterator[ast.expr | None]:
    """What the loop's target stands for in each turn; once None where that cannot be known."""
    items = scope.resolve(node.iter)
    if isinstance(items, ast.Call) and isinstance(items.func, ast.Attribute):
        receiver = scope.resolve(items.func.value)
        if items.func.attr == "split" and scope.text(receiver) is not None:
            yield receiver
            return
        if items.func.attr == "items" and isinstance(receiver, ast.Dict):
            pairs = [(key, value) for key, value in zip(receiver.keys, receiver.values, strict=True) if key]
            items = ast.List([ast.Tuple([key, value], ast.Load()) for key, value in pairs], ast.Load())
    if isinstance(items, ast.Tuple | ast.List | ast.Set) and len(items.elts) <= _MOST_REPEATS:
        yield from items.elts
    else:
        yield None
