"""A parsed Python file: its names, what they lead to, and nothing of it ever run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ics_guard.detect.python.bindings import Bindings, assigned, bindings, imported, is_strange

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = ast.If | ast.Try | ast.TryStar | ast.With | ast.For | ast.While


@dataclass(frozen=True)
class Module:
    """A parsed file: its tree, what its imported names stand for, its functions, and what is assigned at the top.

    Of several things that have one name it is the last, for that is what Python takes; `bindings` knows the others.
    `source` is the file as it is written.
    """

    tree: ast.Module
    imports: Mapping[str, str]
    functions: Mapping[str, Function]
    classes: Mapping[str, ast.ClassDef]
    constants: Mapping[str, ast.expr]
    source: bytes
    bindings: Bindings


def parse(content: bytes) -> Module | None:
    """Given the bytes of a Python file, return the module, or None if it cannot be parsed. Nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody's migration is not our message
            tree = ast.parse(content)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    names = bindings(tree)
    there = {id(given.node) for end in names.last.values() for given in end}
    gone = {id(given.node) for all_given in names.ever.values() for given in all_given} - there
    functions, classes = dict[str, Function](), dict[str, ast.ClassDef]()
    for name, end in names.last.items():
        for node in (given.node for given in end):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.setdefault(name, node)
            elif isinstance(node, ast.ClassDef):
                classes.setdefault(name, node)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and id(node) not in gone:
            functions.setdefault(node.name, node)
        elif isinstance(node, ast.ClassDef) and id(node) not in gone:
            classes.setdefault(node.name, node)
    constants = {name: value for name, value in assignments(tree.body).items() if id(value) in there}
    return Module(tree, _imports(tree, names), functions, classes, constants, content, names)


def _imports(tree: ast.Module, names: Bindings) -> dict[str, str]:
    """Where names come from that are imported, at the top of the file or anywhere inside."""
    result = dict[str, str]()
    for name, end in names.last.items():
        for source in (given.source for given in end if given.source and not given.source.endswith(".*")):
            result[name] = _either(result.get(name, source), source)
    at_top = {id(given.node) for all_given in names.ever.values() for given in all_given if given.source}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in at_top:
            for name, source in imported(node).items():
                result[name] = _either(result.get(name, source), source)
    return result


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
                result.update(assigned(target, node.value))
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            result[node.target.id] = node.value
    return result


def _either(before: str, source: str) -> str:
    """One name imported in two ways (`try`, `except ImportError`) may be either; a library moves its own things."""
    moved = source.partition(".")[0] in ("sqlalchemy", "alembic") and not is_strange(before)
    return source if before == source or moved else f"{before}|{source}"


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
