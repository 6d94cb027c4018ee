"""What of a Python file runs as soon as it is loaded, also of definitions: decorators, defaults, bodies of classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """Given a function, return the annotations of its parameters and of what it returns."""
    given = node.args
    parameters = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
    found = [*(parameter.annotation for parameter in parameters if parameter), node.returns]
    return [annotation for annotation in found if annotation is not None]


def at_once(node: ast.stmt) -> Iterator[ast.stmt]:
    """Given a statement, yield what is run where it stands: itself, or of a definition what is not put off."""
    if isinstance(node, _FUNCTIONS):
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        for part in (*_decorated(node), *defaults, *annotated(node)):
            yield ast.copy_location(ast.Expr(part), part)
    elif isinstance(node, ast.ClassDef):
        for part in (*_decorated(node), *node.bases, *(item.value for item in node.keywords)):
            yield ast.copy_location(ast.Expr(part), part)
        for inner in node.body:
            yield from at_once(inner)
    else:
        yield node


def _decorated(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[ast.expr]:
    """Decorators, as the calls that they are."""
    for decorator in node.decorator_list:
        yield ast.copy_location(ast.Call(decorator, [], []), decorator)


def evaluated(node: ast.AST) -> Iterator[ast.expr]:
    """Given a statement or expression, yield all expressions in it that are evaluated at once."""
    parts: list[ast.AST] = []
    if isinstance(node, ast.Lambda):
        parts += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    elif isinstance(node, _FUNCTIONS | ast.ClassDef):
        parts += at_once(node)
    elif isinstance(node, ast.If) and _is_script(node.test):
        parts += node.orelse  # nobody runs a migration as a script
    else:
        parts += ast.iter_child_nodes(node)
    if isinstance(node, ast.expr):
        yield node
    for part in parts:
        yield from evaluated(part)


def _is_script(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]):
            return True
    return False
