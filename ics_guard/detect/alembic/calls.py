"""Where a revision file holds directives and executions, which of them are dead, and which run when it is loaded."""

from __future__ import annotations

import ast

from ics_guard.detect.alembic.directives import DIRECTIVES
from ics_guard.detect.alembic.foreign import is_foreign
from ics_guard.detect.alembic.statements import EXECUTES
from ics_guard.detect.python.acts import Reach
from ics_guard.detect.python.loading import at_once, evaluated
from ics_guard.detect.python.sqlalchemy_reading import Scope
from ics_guard.detect.python.tree import Function, Module, dotted, reachable


def calls_of(module: Module) -> list[ast.Call]:
    """Every call of the module that looks like a directive or an execution, in whatever function it stands."""
    result = []
    dead = all_dead(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and id(node) not in dead:
            directive = node.func.attr in DIRECTIVES or node.func.attr in ("execute", "batch_alter_table")
            if directive or (dotted(node.func, module).startswith("alembic.op.") and node.func.attr in EXECUTES):
                result.append(node)
    return result


def all_dead(module: Module) -> set[int]:
    """Given a module, return the ids of the nodes that no call of a function ever gets to."""
    return {id(inner) for function in module.functions.values() for node in _dead(function) for inner in ast.walk(node)}


def _dead(function: Function) -> list[ast.stmt]:
    """What stands after a `return` at the end of a body is never executed."""
    result = list[ast.stmt]()
    for node in ast.walk(function):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(body, list):
                ends = [index for index, item in enumerate(body) if isinstance(item, ast.Return | ast.Raise)]
                result += body[ends[0] + 1 :] if ends else []
    return result


def loaded(module: Module) -> list[ast.stmt]:
    """Given a revision, return what operates as soon as it is loaded: a directive, SQL, or a function that leads there.

    Of a definition it is only the part that is not put off: a default, an annotation, what is in the body of a class.
    """
    directives, reach = {id(call) for call in calls_of(module)}, Reach(module)
    parts = [(node, part) for node in module.tree.body for part in at_once(node)]
    called = {
        one.func.id
        for _, part in parts
        for one in evaluated(part)
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
    }
    leading = {name for name in called if _leads_to(name, directives, module)}
    return [
        part
        for node, part in parts
        if reach.is_out(part)
        or any(isinstance(one, ast.Call) and _operates(one, directives, leading) for one in evaluated(part))
        or _decorates_entry(node, part, module)
    ]


def foreign_on_loading(module: Module) -> list[ast.stmt]:
    """Given a revision, return what calls code that cannot be seen as soon as it is loaded."""
    scope = Scope(module)
    return [
        part
        for node in module.tree.body
        for part in at_once(node)
        if any(isinstance(one, ast.Call) and is_foreign(one.func, scope) for one in evaluated(part))
    ]


def _decorates_entry(node: ast.stmt, part: ast.stmt, module: Module) -> bool:
    """Whether this is a decorator of a way up that makes something else of it, nobody knows what."""
    return (
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("upgrade")
        and isinstance(part, ast.Expr)
        and isinstance(part.value, ast.Call)
        and part.value.func in node.decorator_list
        and is_foreign(part.value.func, Scope(module))
    )


def _operates(call: ast.Call, directives: set[int], leading: set[str]) -> bool:
    return id(call) in directives or (isinstance(call.func, ast.Name) and call.func.id in leading)


def _leads_to(name: str, directives: set[int], module: Module) -> bool:
    return any(id(inner) in directives for node in reachable(module, [name]) for inner in ast.walk(node))
