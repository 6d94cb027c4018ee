"""Alembic and Django files labelled by comparing what their syntax trees say, shape by shape."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from benchmarks.replay.nouns import Label

_GRAPH = ("revision", "down_revision", "branch_labels", "depends_on")
_SQL = re.compile(r"\s*(?:select|insert|update|delete|create|alter|drop|with|truncate|comment|pragma)\b", re.IGNORECASE)


def label_python(before: bytes | None, after: bytes | None, *, renamed: bool) -> tuple[Label, str]:
    """Given both versions of a file in a folder of migrations, return its label and how it came about."""
    try:
        old, new = (None if content is None else _read(content) for content in (before, after))
    except (SyntaxError, ValueError, RecursionError):
        return Label.UNREADABLE, "not Python that this interpreter reads"
    was, now = bool(old and old.core), bool(new and new.core)
    if not was and not now:
        return _helper(old, new)
    if not was:
        return Label.ADDED, "a migration that was not there"
    if not now:
        return Label.DELETED, "a migration that is gone"
    if old and new and old.core != new.core:
        return Label.CHANGED, "the trees differ in what the migration reaches"
    return (Label.RENAMED, "same bytes") if renamed and before == after else (Label.FORMATTED, "same trees")


@dataclass(frozen=True)
class _Shape:
    """`core`: what a migration is made of and reaches, "" if the file is none. `directs`: it calls Alembic's `op`."""

    core: str
    whole: str
    directs: bool


def _helper(old: _Shape | None, new: _Shape | None) -> tuple[Label, str]:
    if not any(shape and shape.directs for shape in (old, new)):
        return Label.NONE, "no migration"
    if old and new and old.whole == new.whole:
        return Label.FORMATTED, "same trees"
    return Label.CHANGED, "a helper that calls operations of Alembic"


def _read(content: bytes) -> _Shape:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old histories hold "\d" without an r before it
        tree = ast.parse(content)
    directs = any(
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "op"
        for node in ast.walk(tree)
    )
    tree = _Plain(_imports(tree)).visit(tree)
    return _Shape(_core(tree), ast.dump(tree), directs)


def _imports(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, so that the manner of the import makes no difference."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            found |= {alias.asname or alias.name: f"{package}.{alias.name}" for alias in node.names}
    return found


class _Plain(ast.NodeTransformer):
    """Takes out what is no code: imports, bare constants, annotations; and writes names in one way."""

    def __init__(self, imports: dict[str, str]) -> None:
        self.imports = imports

    def visit_Import(self, _node: ast.Import) -> None:  # noqa: D102, N802
        return None

    def visit_ImportFrom(self, _node: ast.ImportFrom) -> None:  # noqa: D102, N802
        return None

    def visit_Pass(self, _node: ast.Pass) -> None:  # noqa: D102, N802
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:  # noqa: D102, N802
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:  # noqa: D102, N802
        return self.visit(ast.Assign([node.target], node.value)) if node.value else None  # type: ignore[no-any-return]

    def visit_arg(self, node: ast.arg) -> ast.AST:  # noqa: D102
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: D102, N802
        node.returns = None
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:  # noqa: D102, N802
        value = node.value
        return ast.Constant(" ".join(value.split()) if isinstance(value, str) and _SQL.match(value) else value)

    def visit_Name(self, node: ast.Name) -> ast.AST:  # noqa: D102, N802
        return ast.Name(self.imports.get(node.id, node.id))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # noqa: D102, N802
        value = self.visit(node.value)
        return ast.Name(f"{value.id}.{node.attr}") if isinstance(value, ast.Name) else ast.Attribute(value, node.attr)

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: D102, N802
        self.generic_visit(node)
        node.keywords.sort(key=lambda keyword: keyword.arg or "")
        return node


def _core(tree: ast.Module) -> str:
    """The dump of what a migration is made of, and of everything in the file that it reaches by name."""
    named: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in _names(statement):
            named.setdefault(name, []).append(statement)
    roots = [name for name in named if name in _GRAPH or re.match(r"(?:upgrade|downgrade)(?:_|$)", name)]
    if "Migration" in named and any(_is_django(node) for node in named["Migration"]):
        roots = ["Migration"]
    elif "revision" not in named or not any(name.startswith("upgrade") or name == "down_revision" for name in named):
        return ""
    reached: dict[str, str] = {}
    while roots:
        name = roots.pop()
        if name in named and name not in reached:
            reached[name] = "\n".join(map(ast.dump, named[name]))
            roots += {
                node.id.partition(".")[0]
                for statement in named[name]
                for node in ast.walk(statement)
                if isinstance(node, ast.Name)
            }
    return "\n".join(reached[name] for name in sorted(reached))


def _is_django(node: ast.stmt) -> bool:
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return any(isinstance(base, ast.Name) and base.id.endswith("Migration") for base in bases)


def _names(statement: ast.stmt) -> list[str]:
    """The names that a statement of the module gives a meaning to, those in its branches included."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    return [
        node.id
        for part in ast.walk(statement)
        if isinstance(part, ast.Assign | ast.AugAssign)
        for target in (part.targets if isinstance(part, ast.Assign) else [part.target])
        for node in ast.walk(target)
        if isinstance(node, ast.Name)
    ] + [part.name for part in ast.walk(statement) if isinstance(part, ast.FunctionDef)]
