"""Names that a piece of Python gives to its own things: what they are called means nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = _FUNCTIONS | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_NAMED = _FUNCTIONS | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar


class Names:
    """What local names are written as: how deep their scope lies, and the order in which they are met in it."""

    def __init__(self) -> None:
        self._scopes: list[dict[str, str]] = []

    @contextmanager
    def scope(self, names: Iterable[str]) -> Iterator[None]:
        """Inside, these names are the scope's own."""
        self._scopes.append(dict.fromkeys(names, ""))
        yield
        self._scopes.pop()

    def __contains__(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def __getitem__(self, name: str) -> str:
        depth, scope = next((depth, scope) for depth, scope in reversed(list(enumerate(self._scopes))) if name in scope)
        scope[name] = scope[name] or f"${depth}.{sum(map(bool, scope.values()))}"
        return scope[name]


def bound_names(node: ast.AST) -> set[str]:
    """Given a function, lambda or comprehension, return the names that belong to it: parameters and variables.

    Names that it imports are left out: they mean what is imported.
    """
    found, outer = set[str](), set[str]()
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        given = node.args
        parameters = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
        found.update(parameter.arg for parameter in parameters if parameter)
    queue: list[ast.AST] = _inside(node)
    while queue:
        inner = queue.pop()
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store | ast.Del):
            found.add(inner.id)
        elif isinstance(inner, _NAMED) and inner.name:
            found.add(inner.name)
        elif isinstance(inner, ast.Global):
            outer.update(inner.names)
        if not isinstance(inner, _SCOPES | ast.ClassDef):
            queue += ast.iter_child_nodes(inner)
    return found - outer


def _inside(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return list(node.body)
    if isinstance(node, ast.Lambda):
        return [node.body]
    return list(getattr(node, "generators", []))
