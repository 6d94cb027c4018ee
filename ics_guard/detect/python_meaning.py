"""Syntax trees to their meaning as text, without docstrings, annotations, aliases and other matters of taste."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from ics_guard.detect.python_strings import pieces
from ics_guard.detect.python_tree import Module, dotted
from ics_guard.detect.sql_split import split

_SQL_CALLS = frozenset({"execute", "text", "DDL", "exec_driver_sql", "RunSQL"})
_TALK = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log"})
_TALKERS = frozenset({"logging", "logger", "log", "LOG", "LOGGER", "_logger"})
_TASTE = frozenset({"annotation", "returns", "type_comment", "type_params", "type_ignores", "kind", "ctx", "simple"})


def meaning(nodes: Iterable[ast.AST], module: Module, names: Mapping[str, ast.expr] | None = None) -> str:
    """Given trees of a module, return their meaning as text: equal text, equal meaning.

    Names that `names` says stand for a constant are written as that constant.
    """
    writer = _Writer(module, names or {})
    return "\n".join(filter(None, (writer.write(node) for node in nodes)))


def is_idle(node: ast.AST, module: Module) -> bool:
    """Given a statement, return whether it is a bare constant (a docstring) or a call that only tells somebody."""
    if not isinstance(node, ast.Expr):
        return False
    if not isinstance(node.value, ast.Call):
        return isinstance(node.value, ast.Constant)
    name = dotted(node.value.func, module)
    root, _, verb = name.rpartition(".")
    return name == "print" or (verb in _TALK and root.rpartition(".")[2] in _TALKERS)


class _Writer:
    def __init__(self, module: Module, names: Mapping[str, ast.expr]) -> None:
        self.module = module
        self.names = names

    def write(self, node: object) -> str:
        """The meaning of a node, of a list of nodes, or of a bare value; "" for what means nothing."""
        if isinstance(node, list):
            return "[" + ", ".join(filter(None, map(self.write, node))) + "]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, ast.expr):
            return self._expression(node)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or is_idle(node, self.module):
            return ""
        if isinstance(node, ast.AnnAssign):
            return f"Assign([{self.write(node.target)}], {self.write(node.value)})" if node.value else ""
        return self._plainly(node)

    def _plainly(self, node: ast.AST) -> str:
        fields = (self.write(getattr(node, name, None)) for name in node._fields if name not in _TASTE)
        return f"{type(node).__name__}({', '.join(fields)})"

    def _expression(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            known = self.names.get(node.id)
            return repr(known.value) if isinstance(known, ast.Constant) else dotted(node, self.module)
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.Attribute):
            return dotted(node, self.module) or f"{self.write(node.value)}.{node.attr}"
        if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call):
            parts = pieces(node)
            if parts is not None:
                written = [repr(part) if isinstance(part, str) else "{" + self.write(part) + "}" for part in parts]
                return written[0] if len(written) == 1 and isinstance(parts[0], str) else f"f{written}"
        return self._call(node) if isinstance(node, ast.Call) else self._plainly(node)

    def _call(self, node: ast.Call) -> str:
        name = dotted(node.func, self.module)
        if name.endswith(".op.f") and len(node.args) == 1:
            return self.write(node.args[0])  # op.f() only marks a name as final
        called = node.func.attr if isinstance(node.func, ast.Attribute) else name.rpartition(".")[2]
        given = [self._sql(argument) if called in _SQL_CALLS else self.write(argument) for argument in node.args]
        given += sorted(f"{keyword.arg}={self.write(keyword.value)}" for keyword in node.keywords)
        return f"{self.write(node.func)}({', '.join(given)})"

    def _sql(self, node: ast.expr) -> str:
        parts = pieces(node)
        if parts is None or not isinstance(parts[0], str):
            return self.write(node)
        text = "".join(part if isinstance(part, str) else "{" + self.write(part) + "}" for part in parts)
        return "sql " + " ; ".join(statement.canonical for statement in split(text))
