"""Alembic and Django files labelled by comparing what their syntax trees say, shape by shape."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from string import Formatter

from benchmarks.replay.nouns import Label
from benchmarks.replay.sql_text import statements

_GRAPH = ("revision", "down_revision", "branch_labels", "depends_on")
_TALKERS = re.compile(
    r"(?:.*\.)?_?(?:log|logger|logging|LOG|LOGGER)\.(?:debug|info|warning|warn|error|exception|critical)|print"
)
_SQL = re.compile(
    r"\s*(?:select|insert|update|delete|create|alter|drop|with|truncate|comment|pragma|declare|do|exec)\b",
    re.IGNORECASE,
)


PLAINLY_OTHER = (
    "the same trees but for what is printed or logged, how a string is put together, or what a local is called"
)


def label_python(before: bytes | None, after: bytes | None, *, moved: str = "") -> tuple[Label, str]:
    """Given both versions of a file in a folder of migrations, return its label and how it came about.

    `moved` says what a rename changes, "" if there is none.
    """
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
    if moved == "name" and old and old.django:
        return Label.OTHER, "the same trees under another name, and Django knows a migration by its name"
    if moved and before == after:
        return Label.RENAMED, "same bytes"
    same = old and new and old.strict == new.strict
    return (Label.FORMATTED, "same trees") if same else (Label.OTHER, PLAINLY_OTHER)


@dataclass(frozen=True)
class _Shape:
    """`core`: what a migration is made of and reaches, "" if the file is none; `strict`: with what it only prints.

    `directs`: the file calls Alembic's `op`.
    """

    core: str
    strict: str
    whole: str
    directs: bool
    django: bool


def _helper(old: _Shape | None, new: _Shape | None) -> tuple[Label, str]:
    if not any(shape and shape.directs for shape in (old, new)):
        return Label.NONE, "no migration"
    if old and new and old.whole == new.whole:
        return Label.FORMATTED, "same trees"
    return Label.CHANGED, "a helper that calls operations of Alembic"


def _read(content: bytes) -> _Shape:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old histories hold "\d" without an r before it
        strict, tree = ast.parse(content), ast.parse(content)
    strict = _Plain(_imports(strict), strict=True).visit(strict)
    tree = _Plain(_imports(tree), strict=False).visit(tree)
    directs = any(isinstance(node, ast.Name) and node.id.startswith("alembic.op.") for node in ast.walk(tree))
    return _Shape(_core(tree), _core(strict), ast.dump(tree), directs, any(map(_is_django, tree.body)))


def _imports(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, so that the manner of the import makes no difference."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            found |= {alias.asname or alias.name: f"{package}.{alias.name}" for alias in node.names}
    return found


class _Plain(ast.NodeTransformer):
    """Takes out what is no code: imports, bare constants, annotations; and writes names in one way."""

    def __init__(self, imports: dict[str, str], *, strict: bool) -> None:
        self.imports = imports
        self.strict = strict

    def visit_Import(self, _node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, _node: ast.ImportFrom) -> None:
        return None

    def visit_Pass(self, _node: ast.Pass) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        self.generic_visit(node)
        value = node.value
        told = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and _TALKERS.fullmatch(value.func.id)
        return None if isinstance(value, ast.Constant) or (told and not self.strict) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        texts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        if self.strict or len(texts) < len(node.values):
            return node
        return self.visit_Constant(ast.Constant("".join(map(str, texts))))  # an `f` before a string without holes

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        filled = node if self.strict else _filled(node)
        return self.generic_visit(node) if filled is node else self.visit(filled)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self.visit(ast.Assign([node.target], node.value)) if node.value else None

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        names, outside = _locals(node), self.imports
        self.imports = {name: meant for name, meant in outside.items() if name not in names}
        self.generic_visit(node)
        self.imports = outside
        if not self.strict:
            _number(names, node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        return ast.Constant(" ; ".join(statements(value)) if isinstance(value, str) and _SQL.match(value) else value)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.imports.get(node.id, node.id))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        value = self.visit(node.value)
        return ast.Name(f"{value.id}.{node.attr}") if isinstance(value, ast.Name) else ast.Attribute(value, node.attr)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        filled = node if self.strict else _filled(node)
        if filled is not node:
            return self.visit(filled)  # type: ignore[no-any-return]
        self.generic_visit(node)
        node.keywords.sort(key=lambda keyword: keyword.arg or "")
        return node


def _locals(function: ast.FunctionDef) -> list[str]:
    """The variables of a function in the order in which they come."""
    parts = list(ast.walk(function))
    elsewhere = {name for part in parts if isinstance(part, ast.Global | ast.Nonlocal) for name in part.names}
    given = [part.arg for part in parts if isinstance(part, ast.arg)]
    roots = (root for part in parts for root in _targets(part))
    stored = [name.id for root in roots for name in ast.walk(root) if isinstance(name, ast.Name) and _is_stored(name)]
    return [name for name in dict.fromkeys(given + stored) if name not in elsewhere]


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _number(names: list[str], function: ast.FunctionDef) -> None:
    """Call the variables of a function by their numbers: what they are called means nothing."""
    called = {name: f"local {number}" for number, name in enumerate(names)}
    for part in ast.walk(function):
        if isinstance(part, ast.arg):
            part.arg = called.get(part.arg, part.arg)
        elif isinstance(part, ast.Name):
            root, dot, rest = part.id.partition(".")
            part.id = called.get(root, root) + dot + rest


def _targets(part: ast.AST) -> list[ast.expr]:
    match part:
        case ast.Assign():
            return part.targets
        case ast.AugAssign() | ast.For() | ast.comprehension():
            return [part.target]
        case ast.withitem():
            return [part.optional_vars] if part.optional_vars else []
    return []


def _filled(node: ast.BinOp | ast.Call) -> ast.AST:
    """A text with `%s` or `{}` in it and what fills it, as the f-string that means the same; else the node as it is."""
    if isinstance(node, ast.BinOp):
        given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        text = node.left.value if isinstance(node.left, ast.Constant) and isinstance(node.op, ast.Mod) else None
        texts = text.split("%s") if isinstance(text, str) else []
        if len(texts) != len(given) + 1 or any("%" in text for text in texts):
            return node
        return _joined(list(zip(texts, [*given, None], strict=True)))
    function = node.func
    text = (
        function.value.value if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant) else 0
    )
    if not isinstance(text, str) or not isinstance(function, ast.Attribute) or function.attr != "format":
        return node
    holes: dict[str, ast.expr] = {str(number): value for number, value in enumerate(node.args)}
    holes |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    try:
        fields = list(Formatter().parse(text))
        names = [None if field[1] is None else field[1] or str(number) for number, field in enumerate(fields)]
        if any(field[2] or field[3] for field in fields):
            return node
        return _joined([(field[0], holes[name] if name else None) for field, name in zip(fields, names, strict=True)])
    except (ValueError, KeyError):
        return node


def _joined(parts: list[tuple[str, ast.expr | None]]) -> ast.JoinedStr:
    values: list[ast.expr] = []
    for text, hole in parts:
        values += [ast.Constant(text)] if text else []
        values += [ast.FormattedValue(hole, -1)] if hole else []
    return ast.JoinedStr(values)


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
