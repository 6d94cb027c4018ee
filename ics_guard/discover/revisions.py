"""Files that define Alembic revisions or Django migrations, told by their syntax tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ics_guard.discover.literals import parse_python


@dataclass(frozen=True)
class Migration:
    """A migration file: `revision` is its Alembic id, "" for Django's; `tables` are those it makes."""

    path: str
    revision: str
    tables: tuple[str, ...]


def read_migration(path: str, text: str) -> Migration | None:
    """Given a Python file, return the migration it defines, or None: what merely has the name of one is none."""
    if "down_revision" not in text and "class Migration(" not in text:
        return None
    tree = parse_python(text)
    if tree is None:
        return None
    if any(_is_django(node) for node in tree.body):
        return Migration(path, "", ())
    values = dict(pair for node in tree.body for pair in _assigned(node))
    upgrades = any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("upgrade")
        for node in tree.body
    )
    revision = values.get("revision")
    if not upgrades or "down_revision" not in values or not isinstance(revision, str) or not revision:
        return None
    return Migration(path, revision, tuple(_tables(tree)))


def _assigned(node: ast.stmt) -> list[tuple[str, object]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    value = (
        node.value.value
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        else None
    )
    return [(target.id, value) for target in targets if isinstance(target, ast.Name)]


def _is_django(node: ast.stmt) -> bool:
    if not isinstance(node, ast.ClassDef) or node.name != "Migration":
        return False
    names = (base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases)
    return "Migration" in names


def _tables(tree: ast.Module) -> list[str]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    return [
        str(call.args[0].value).lower()
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "create_table"
        and isinstance(call.args[0], ast.Constant)
    ]
