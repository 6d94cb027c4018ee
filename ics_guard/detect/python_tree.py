"""Python source to its meaning: a syntax tree without docstrings, annotations, aliases and other matters of taste."""

from __future__ import annotations

import ast
import builtins
import copy
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ics_guard.detect.sql_split import split

_SQL_CALLS = frozenset({"execute", "text", "DDL", "exec_driver_sql", "RunSQL"})
_TALK = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log"})


@dataclass(frozen=True)
class Module:
    """A parsed file: its tree, what its imported names stand for, its functions, and what is assigned at the top."""

    tree: ast.Module
    imports: Mapping[str, str]
    functions: Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]
    classes: Mapping[str, ast.ClassDef]
    constants: Mapping[str, ast.expr]


def parse(content: bytes) -> Module | None:
    """Given the bytes of a Python file, return the module, or None if it cannot be parsed. Nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody's migration is not our message
            tree = ast.parse(content)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    functions, classes = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.setdefault(node.name, node)
        elif isinstance(node, ast.ClassDef):
            classes.setdefault(node.name, node)
    return Module(tree, _imports(tree), functions, classes, assignments(tree.body))


def assignments(body: Iterable[ast.stmt]) -> dict[str, ast.expr]:
    """Given statements, return what each plain name is assigned last, annotated or not."""
    result = {}
    for node in body:
        if isinstance(node, ast.Assign):
            result.update({target.id: node.value for target in node.targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            result[node.target.id] = node.value
    return result


def _imports(tree: ast.Module) -> dict[str, str]:
    result = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                result[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            result.update({alias.asname or alias.name: f"{package}.{alias.name}" for alias in node.names})
    return result


def dotted(node: ast.expr, module: Module) -> str:
    """Given an expression, return its dotted name with imports resolved (`sa.Column` -> `sqlalchemy.Column`), or ""."""
    if isinstance(node, ast.Name):
        return module.imports.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        root = dotted(node.value, module)
        return f"{root}.{node.attr}" if root else ""
    return ""


def meaning(nodes: Iterable[ast.AST], module: Module) -> str:
    """Given trees of a module, return their meaning as text: equal text, equal meaning."""
    taste = _WithoutTaste(module)
    kept = [taste.visit(copy.deepcopy(node)) for node in nodes]
    return "\n".join(ast.dump(node) for node in kept if isinstance(node, ast.AST))


def reachable(module: Module, roots: Iterable[str]) -> list[ast.AST]:
    """Given names of functions, return them with every function, class and assignment of the module they lead to."""
    queue, seen, result = list(roots), set[str](), list[ast.AST]()
    while queue:
        name = queue.pop(0)
        node = module.functions.get(name) or module.classes.get(name) or module.constants.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        result.append(node)
        queue += sorted({inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - vars(builtins).keys())
    return result


class _WithoutTaste(ast.NodeTransformer):
    def __init__(self, module: Module) -> None:
        self.module = module

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.name = "" if isinstance(node, ast.ClassDef) else node.name
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not isinstance(item, ast.Pass)] or [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.visit_Assign(ast.Assign(targets=[node.target], value=node.value))

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        node.type_comment = None
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) or self._talks(node.value):
            return None
        return self.generic_visit(node)

    def _talks(self, value: ast.expr) -> bool:
        if not isinstance(value, ast.Call):
            return False
        name = dotted(value.func, self.module)
        root, _, verb = name.rpartition(".")
        return name == "print" or (verb in _TALK and root.rpartition(".")[2] in ("logging", "logger", "log", "LOG", "LOGGER"))

    def visit_Import(self, _node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, _node: ast.ImportFrom) -> None:
        return None

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        node.kind = None
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        if all(isinstance(part, ast.Constant) for part in node.values):
            return ast.Constant("".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)))
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        left, right = node.left, node.right
        if isinstance(node.op, ast.Add) and isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            if isinstance(left.value, str) and isinstance(right.value, str):
                return ast.Constant(left.value + right.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.module.imports.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        name = dotted(node, self.module)
        return ast.Name(name, node.ctx) if name else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = dotted(node.func, self.module)
        if name.endswith(".f") and len(node.args) == 1 and not node.keywords:
            return self.visit(node.args[0])  # type: ignore[no-any-return] # op.f() only marks a name as final
        self.generic_visit(node)
        node.keywords.sort(key=lambda keyword: keyword.arg or "~")
        called = node.func.attr if isinstance(node.func, ast.Attribute) else name.rpartition(".")[2]
        if called in _SQL_CALLS:
            node.args = [_sql_meaning(argument) for argument in node.args]
        return node


def _sql_meaning(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.Constant(" ; ".join(statement.canonical for statement in split(node.value)))
    return node
