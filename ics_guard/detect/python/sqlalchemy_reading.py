"""What a migration says in SQLAlchemy's words: columns, types, names, and SQL put together from pieces."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ics_guard.detect.python.strings import pieces
from ics_guard.detect.python.tree import Module, assignments, dotted
from ics_guard.detect.text import word_set

_WRAPPERS = word_set(
    "text DDL dedent cleandoc bindparams strip lstrip rstrip columns quoted_name f upper lower replace str"
)
_FILLERS = word_set("Computed Identity")
_UNSAFE = re.compile(r"[{}'\"\n]")

LONGEST_CHAIN = 100
"""How far a chain of calls is followed: a name may stand for what is made with it, `table` for `table("t")`."""


@dataclass
class Scope:
    """What names stand for at one point of a function: expressions, and for batch operations their table."""

    module: Module
    names: dict[str, ast.expr] = field(default_factory=dict)
    batches: dict[str, str] = field(default_factory=dict)
    results: dict[int, tuple[ast.expr, ast.expr]] = field(default_factory=dict)

    def inner(self, names: Mapping[str, ast.expr], batches: Mapping[str, str]) -> Scope:
        """The scope inside a function that is called from here with these arguments."""
        return Scope(self.module, dict(names), dict(batches), self.results)

    def resolve(self, node: ast.expr) -> ast.expr:
        """The expression that a name stands for, or the node itself."""
        for _ in range(20):
            found = self._stands_for(node)
            if found is None or found is node:
                break
            node = found
        return node

    def _stands_for(self, node: ast.expr) -> ast.expr | None:
        if isinstance(node, ast.Name):
            return self.names.get(node.id, self.module.constants.get(node.id))
        if isinstance(node, ast.Call):
            return self.results.get(id(node), (node, None))[1]
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            owner = owner.func if isinstance(owner, ast.Call) else owner
            found = self.module.classes.get(owner.id) if isinstance(owner, ast.Name) else None
            return assignments(found.body).get(node.attr) if found else None
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            items, key = self.resolve(node.value), node.slice.value
            if isinstance(items, ast.Dict):
                pairs = zip(items.keys, items.values, strict=True)
                return next(
                    (value for name, value in pairs if isinstance(name, ast.Constant) and name.value == key), None
                )
            if (
                isinstance(items, ast.Tuple | ast.List)
                and isinstance(key, int)
                and -len(items.elts) <= key < len(items.elts)
            ):
                return items.elts[key]
        return None

    def text(self, node: ast.expr | None) -> str | None:
        """The string an expression makes, with `{…}` for the parts that cannot be known; None if it is no string."""
        if node is None:
            return None
        node = self.resolve(node)
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        parts = pieces(node)
        if parts is not None:
            return "".join(part if isinstance(part, str) else self._piece(part) for part in parts)
        if isinstance(node, ast.IfExp):
            body, otherwise = self.text(node.body), self.text(node.orelse)
            return None if body is None or otherwise is None else f"{body};\n{otherwise}"
        return self._called_text(node) if isinstance(node, ast.Call) else None

    def _piece(self, part: ast.expr) -> str:
        known = None if isinstance(self.resolve(part), ast.IfExp) else self.text(part)
        return _hole(part) if known is None else known

    def _called_text(self, node: ast.Call) -> str | None:
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = method or dotted(node.func, self.module).rpartition(".")[2]
        if method == "join" and len(node.args) == 1 and isinstance(node.func, ast.Attribute):
            items, glue = self.resolve(node.args[0]), self.text(node.func.value)
            if glue is not None and isinstance(items, ast.List | ast.Tuple):
                return glue.join(map(self._piece, items.elts))
            return None
        if name not in _WRAPPERS:
            return None
        if isinstance(node.func, ast.Attribute):
            receiver = self.text(node.func.value)
            if receiver is not None:
                return self._changed_text(receiver, node, method)
        return self.text(node.args[0]) if node.args else None

    def _changed_text(self, text: str, node: ast.Call, method: str) -> str | None:
        if method in ("upper", "lower"):
            return text.upper() if method == "upper" else text.lower()
        if method == "replace":
            given = [self.text(item) for item in node.args]
            known = [item for item in given if item is not None]
            return text.replace(known[0], known[1]) if len(known) == len(given) == 2 else None
        return text

    def name(self, node: ast.expr | None) -> str:
        """The name of an object as a migration gives it: a string, or the source of what could not be known."""
        if node is None:
            return ""
        resolved = self.resolve(node)
        text = None if isinstance(resolved, ast.IfExp) else self.text(node)
        if text is not None or is_constant(resolved, None):
            return (text or "").lower()
        if isinstance(resolved, ast.Call):
            last = _last(resolved, self.module)
            named = resolved.args[0] if resolved.args and last in ("Column", "Table", "table") else None
            named = keyword(resolved, "name") if last.lower() in ("column", "enum") and named is None else named
            if named is not None:
                return self.name(named)
        if isinstance(resolved, ast.Name) and resolved.id in self.module.classes:
            table = self.text(ast.Attribute(resolved, "__tablename__", ast.Load()))
            return _hole(node) if table is None else table.lower()
        return _hole(node)


def _hole(node: ast.expr) -> str:
    return "{" + _UNSAFE.sub("_", ast.unparse(node))[:60] + "}"


def _last(call: ast.Call, module: Module) -> str:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func, module)
    return called.rpartition(".")[2]


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Given a call, return the expression given for a keyword, if any."""
    return next((item.value for item in call.keywords if item.arg == name), None)


def argument(call: ast.Call, index: int, name: str) -> ast.expr | None:
    """Given a call, return the expression given for an argument by place or by name, if any."""
    return call.args[index] if index < len(call.args) else keyword(call, name)


def is_constant(node: ast.expr | None, value: object) -> bool:
    """Given an expression, return whether it is exactly this constant."""
    return isinstance(node, ast.Constant) and node.value is value


def is_always(node: ast.expr) -> bool:
    """Given a condition, return whether it surely holds for every row: `True`, `sa.true()`, `text("1=1")`."""
    if isinstance(node, ast.Call) and not isinstance(node.func, ast.Lambda):
        name = ast.unparse(node.func).rpartition(".")[2]
        return name == "true" or (name == "text" and len(node.args) == 1 and is_always(node.args[0]))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "".join(node.value.split()).lower() in ("1=1", "true", "1")
    return is_constant(node, True)


def column_is_required(node: ast.expr | None, scope: Scope) -> bool:
    """Given the Column of an added column, return whether existing rows would lack a value for it."""
    column = scope.resolve(node) if node else None
    if not isinstance(column, ast.Call) or _last(column, scope.module) != "Column":
        return True
    for filler in column.args:
        if isinstance(filler, ast.Call) and _last(filler, scope.module) in _FILLERS:
            return False
    default = keyword(column, "server_default")
    if default is not None and not is_constant(default, None):
        return False
    nullable = keyword(column, "nullable")
    if nullable is None:
        return is_constant(keyword(column, "primary_key"), True)
    return not is_constant(nullable, True)
