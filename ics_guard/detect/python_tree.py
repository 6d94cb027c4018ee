"""A parsed Python file: its names, what they lead to, and nothing of it ever run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = ast.If | ast.Try | ast.TryStar | ast.With | ast.For | ast.While


@dataclass(frozen=True)
class Module:
    """A parsed file: its tree, what its imported names stand for, its functions, and what is assigned at the top.

    `source` is the file as it is written.
    """

    tree: ast.Module
    imports: Mapping[str, str]
    functions: Mapping[str, Function]
    classes: Mapping[str, ast.ClassDef]
    constants: Mapping[str, ast.expr]
    source: bytes


def parse(content: bytes) -> Module | None:
    """Given the bytes of a Python file, return the module, or None if it cannot be parsed. Nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody's migration is not our message
            tree = ast.parse(content)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    functions, classes, imports = dict[str, Function](), dict[str, ast.ClassDef](), dict[str, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.setdefault(node.name, node)
        elif isinstance(node, ast.ClassDef):
            classes.setdefault(node.name, node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name, target in _imported(node).items():
                imports[name] = _either(imports.get(name, target), target)
    return Module(tree, imports, functions, classes, assignments(tree.body), content)


def top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Given statements, yield them, and for `if`, `try`, `with` and loops what stands in them, in order."""
    for node in body:
        yield node
        if isinstance(node, _BLOCKS):
            handlers = [handler.body for handler in getattr(node, "handlers", [])]
            for inner in (node.body, *handlers, getattr(node, "orelse", []), getattr(node, "finalbody", [])):
                yield from top_level(inner)


def assignments(body: Iterable[ast.stmt]) -> dict[str, ast.expr]:
    """Given statements, return what each plain name is assigned last, annotated or not."""
    result = dict[str, ast.expr]()
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                result.update(_assigned(target, node.value))
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            result[node.target.id] = node.value
    return result


def _assigned(target: ast.expr, value: ast.expr) -> dict[str, ast.expr]:
    if isinstance(target, ast.Name):
        return {target.id: value}
    lists = ast.Tuple | ast.List
    if not isinstance(target, lists) or not isinstance(value, lists) or len(target.elts) != len(value.elts):
        return {}
    pairs = zip(target.elts, value.elts, strict=True)
    return {name: found for inner, item in pairs for name, found in _assigned(inner, item).items()}


def _either(before: str, target: str) -> str:
    """One name imported in two ways (`try`, `except ImportError`) may be either; a library moves its own things."""
    moved = target.partition(".")[0] in ("sqlalchemy", "alembic")
    return target if before == target or moved else f"{before}|{target}"


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.ImportFrom):
        package = "." * node.level + (node.module or "")
        return {alias.asname or alias.name: f"{package}.{alias.name}" for alias in node.names}
    roots = {alias.name.partition(".")[0]: alias.name.partition(".")[0] for alias in node.names if not alias.asname}
    return roots | {alias.asname: alias.name for alias in node.names if alias.asname}


def dotted(node: ast.expr, module: Module) -> str:
    """Given an expression, return its dotted name with imports resolved (`sa.Column` -> `sqlalchemy.Column`), or ""."""
    if isinstance(node, ast.Name):
        return module.imports.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        root = dotted(node.value, module)
        return f"{root}.{node.attr}" if root else ""
    return ""


def reachable(module: Module, roots: Iterable[str]) -> list[ast.AST]:
    """Given names of functions, return them with every function, class and assignment of the module they lead to."""
    queue, seen, result = list(roots), set[str](), list[ast.AST]()
    for name in queue:
        node = module.functions.get(name) or module.classes.get(name) or module.constants.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        result.append(node)
        queue += sorted({inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - seen)
    return result
