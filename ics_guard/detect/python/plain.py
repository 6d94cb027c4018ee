"""Syntax trees as somebody wrote them, without comments, docstrings, annotations and imports: a plain comparison.

Two texts may mean the same and still be written in another way: other variables, an f-string for a `%`, another message
to print. `meaning` finds these equal; here they differ. Only the layout of SQL in strings, the order of keywords
and the way in which a name was imported make no difference.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable

from ics_guard.detect.python.signatures import django_parameters
from ics_guard.detect.python.tree import Module, dotted
from ics_guard.detect.sql.split import split


def as_written(nodes: Iterable[ast.AST], module: Module) -> str:
    """Given trees of a module, return them as text: equal text, equal code."""
    stripped = (_Stripper(module).visit(copy.deepcopy(node)) for node in nodes)
    return "\n".join(ast.dump(node) for node in stripped if node is not None)


class _Stripper(ast.NodeTransformer):
    """Takes out what is no code, and evens out what is layout."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def visit(self, node: ast.AST) -> ast.AST | None:
        """The node without what is no code; None where nothing is left."""
        match node:
            case (
                ast.Import()
                | ast.ImportFrom()
                | ast.Pass()
                | ast.Expr(value=ast.Constant())
                | ast.AnnAssign(value=None)
            ):
                return None
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                node = ast.Assign([target], value, None)
            case ast.Constant(value=str(text)):
                return ast.Constant(" ; ".join(statement.canonical for statement in split(text)))
            case ast.Name(id=name) if name in self._module.imports:
                return ast.Name(self._module.imports[name], node.ctx)
            case ast.Attribute() if self._is_imported(node):
                return ast.Name(dotted(node, self._module), node.ctx)
            case ast.Call(args=[argument]) if dotted(node.func, self._module) == "alembic.op.f":
                return self.visit(argument)
            case ast.Call():
                self._name_arguments(node)
                node.keywords.sort(key=lambda keyword: keyword.arg or "")
        for name in ("annotation", "returns", "type_comment", "type_params", "kind"):
            if hasattr(node, name):
                setattr(node, name, [] if name == "type_params" else None)
        return self.generic_visit(node)

    def _is_imported(self, node: ast.Attribute) -> bool:
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return isinstance(root, ast.Name) and root.id in self._module.imports

    def _name_arguments(self, node: ast.Call) -> None:
        """What an operation of Django is given by place, as if it were given by name."""
        names = django_parameters(dotted(node.func, self._module))
        if len(node.args) <= len(names) and not any(isinstance(argument, ast.Starred) for argument in node.args):
            given = zip(names, node.args, strict=False)
            node.args, node.keywords = [], [*node.keywords, *(ast.keyword(name, value) for name, value in given)]
