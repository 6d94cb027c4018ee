"""Code that reaches out of a file: it runs SQL, another program, or what a text says."""

from __future__ import annotations

import ast
import re

from ics_guard.detect.alembic.statements import EXECUTES
from ics_guard.detect.python.follow import attribute, called, full_name
from ics_guard.detect.python.loading import at_once, evaluated
from ics_guard.detect.python.sqlalchemy_reading import LONGEST_CHAIN, Scope
from ics_guard.detect.python.tree import Function, Module, reachable
from ics_guard.detect.text import word_set

_ACTS = re.compile(
    r"(?:os\.(?:system|popen|exec\w+|spawn\w+|posix_spawn\w*|remove|unlink|removedirs|rmdir|rename|renames|replace|truncate)"
    r"|subprocess\.(?:run|call|check_call|check_output|Popen|getoutput|getstatusoutput)|shutil\.(?:rmtree|move)"
    r"|pty\.spawn|runpy\.run_\w+|exec|eval|(?:builtins\.)(?:exec|eval)|alembic\.command\.\w+"
    r"|django\.core\.management\.(?:call_command|execute_from_command_line))\Z"
)
_RUNS = EXECUTES | word_set("execute_sql copy_expert drop_all create_all schema_editor call_command")
_ROWS = word_set("delete update bulk_update raw")
_MANAGERS = word_set("objects _default_manager _base_manager")


def runs_on_loading(module: Module) -> list[ast.stmt]:
    """Given a file, return the statements that reach out of it as soon as it is loaded, of definitions those parts."""
    reach = Reach(module)
    return [part for node in module.tree.body for part in at_once(node) if reach.is_out(part)]


class Reach:
    """What reaches out of one file; a function that is called often is read once."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._known: dict[int, bool] = {}

    def is_out(self, part: ast.stmt) -> bool:
        """Whether a statement reaches out of the file as soon as it is run."""
        return any(_acts(one, self.module) or self._leads(one) for one in evaluated(part))

    def _leads(self, node: ast.expr) -> bool:
        """Whether an expression calls a function, a method or a class of the file that reaches out."""
        found = called(node.func, Scope(self.module)) if isinstance(node, ast.Call) else None
        if found is None:
            return False
        function = found[0]
        if id(function) not in self._known:
            parts = _parts(function, self.module)
            inside = (inner for part in parts for inner in ast.walk(part) if isinstance(inner, ast.expr))
            self._known[id(function)] = any(_acts(inner, self.module) for inner in inside)
        return self._known[id(function)]


def _acts(node: ast.expr, module: Module) -> bool:
    """Whether an expression is a call that reaches out, or what does so when it is called, given to something."""
    scope = Scope(module)
    if isinstance(node, ast.Name | ast.Attribute):
        return bool(isinstance(node.ctx, ast.Load) and _ACTS.match(full_name(node, scope)))
    if not isinstance(node, ast.Call):
        return False
    target = attribute(scope.resolve(node.func))
    if not isinstance(target, ast.Attribute):
        return bool(_ACTS.match(full_name(target, scope)))
    return target.attr in _RUNS or (target.attr in _ROWS and bool(_MANAGERS & _chain(target, scope)))


def _chain(node: ast.expr, scope: Scope) -> frozenset[str]:
    """The names of a chain of calls: `objects` and `all` of `Show.objects.all().delete`."""
    names = set[str]()
    for _ in range(LONGEST_CHAIN):
        node = scope.resolve(node)
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            break
    return frozenset(names)


def _parts(function: Function | ast.Lambda, module: Module) -> list[ast.AST]:
    """A function with all that it leads to; a method with its class, unless it only sets the object up."""
    owner = next((one for one in module.classes.values() if function in one.body), None)
    names = {inner.id for inner in ast.walk(function) if isinstance(inner, ast.Name)}
    if owner is None:
        return [function, *reachable(module, sorted(names))]
    calls = (inner.func for inner in ast.walk(function) if isinstance(inner, ast.Call))
    of_itself = any(isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) for one in calls)
    sets_up = isinstance(function, Function) and function.name == "__init__" and not of_itself
    return [function] if sets_up else [owner]


def may_give_any_name(module: Module) -> str:
    """Given a file, return where it gets names that it does not say: `app.*`, `__getattr__`, `globals`; else ""."""
    for given in module.bindings.everything:
        return given.source
    if "__getattr__" in module.bindings.last:
        return "__getattr__"
    for node in module.tree.body:
        for one in (expression for part in at_once(node) for expression in evaluated(part)):
            if (
                isinstance(one, ast.Call)
                and isinstance(one.func, ast.Name)
                and one.func.id in ("globals", "setattr", "vars")
            ):
                return one.func.id
    return ""
