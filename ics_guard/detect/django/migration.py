"""Which class is the migration of a file, however it gets its name: what it says itself, and what it gets elsewhere."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ics_guard.detect.python.tree import Module, assignments, dotted, top_level
from ics_guard.detect.text import word_set

NAME = "Migration"
"""What Django takes from a module of migrations, whatever it is."""

_SAYS = word_set("operations dependencies replaces")
_TAKES_OVER = word_set("operations __init__ __new__ __getattribute__ __getattr__ apply mutate_state")
"""Methods of a migration that decide what it does; any other, as the code of `RunPython`, is called by operations."""
_NUMBERED = re.compile(r"\d{4}_")
_BY_NAME = word_set("globals vars setattr exec eval")


@dataclass(frozen=True)
class Migration:
    """The migration of a file: where it gets its name, and `classes`, it and what it inherits from within the file.

    `whole`: nothing that decides what it does comes from anywhere else.
    """

    node: ast.stmt | ast.expr
    classes: tuple[ast.ClassDef, ...]
    whole: bool
    module: Module

    @property
    def names(self) -> frozenset[str]:
        """What it is called in the file, the classes included that it inherits from."""
        return frozenset({NAME, *(one.name for one in self.classes)})

    def said(self, name: str) -> ast.expr | None:
        """What an attribute is, by the nearest class that says so or by what is assigned to it below."""
        wanted = {f"{owner}.{name}" for owner in self.names}
        for node in self.module.tree.body:
            if isinstance(node, ast.Assign) and any(ast.unparse(target) in wanted for target in node.targets):
                return node.value
        return next((found for one in self.classes if (found := assignments(one.body).get(name))), None)

    def holder(self) -> ast.ClassDef | None:
        """The class whose body makes the list of operations."""
        return next((one for one in self.classes if _binds(one, "operations")), None)


def migration_of(module: Module, path: str = "") -> Migration | None:
    """Given a parsed file, and where it stands, return its migration, None if it has none.

    What has the name `Migration` and comes from elsewhere is one, but not in a file that Django does not load as such.
    """
    found = [one for node in _named(module) if (one := _read(node, module))]
    if found:  # of several, which one it is depends on something
        return replace(found[0], whole=found[0].whole and len(found) == 1 and not brought(module))
    numbered = bool(_NUMBERED.match(PurePosixPath(path).name))
    if PurePosixPath(path).name.startswith("_") or _is_used(module, numbered=numbered):
        return None
    for node in (given.node for given in (*module.bindings.last.get(NAME, ()), *module.bindings.everything)):
        if isinstance(node, ast.ImportFrom) and (place := _imported(node)) is not None:
            return Migration(place, (), False, module)
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    by_name = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in _BY_NAME]
    if by_name and numbered and NAME in ast.unparse(module.tree):
        return Migration(by_name[0], (), False, module)
    return None


def brought(module: Module) -> list[str]:
    """Given a parsed file, return from where it gets, or may get, another `Migration` than the one that it defines."""
    return [given.source for given in module.bindings.last.get(NAME, ()) if given.source]


def _named(module: Module) -> Iterator[ast.stmt]:
    """What is called `Migration` in the end comes first."""
    loaded = list(top_level(module.tree.body))
    for node in reversed(loaded):
        if (isinstance(node, ast.ClassDef) and node.name == NAME) or _assigned(node) is not None:
            yield node
    if NAME in module.classes and module.classes[NAME] not in loaded:
        yield module.classes[NAME]


def _assigned(node: ast.stmt) -> ast.expr | None:
    """What `Migration = …` assigns."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    named = any(isinstance(target, ast.Name) and target.id == NAME for target in targets)
    return node.value if named and isinstance(node, ast.Assign | ast.AnnAssign) else None


def _read(node: ast.stmt, module: Module) -> Migration | None:
    if isinstance(node, ast.ClassDef):
        return _of_class(node, node, module)
    value, followed = _assigned(node), 0
    while isinstance(value, ast.Name) and value.id in module.constants and followed < len(module.constants):
        value, followed = module.constants[value.id], followed + 1
    if isinstance(value, ast.Name) and value.id in module.classes:
        return _of_class(node, module.classes[value.id], module)
    if isinstance(value, ast.Call) and (made := _made(value, module)) is not None:
        return _of_class(node, made, module)
    root = dotted(value.func if isinstance(value, ast.Call) else value, module).partition(".")[0] if value else ""
    foreign = isinstance(value, ast.Call | ast.Name | ast.Attribute | ast.IfExp) and root != "django"
    return Migration(node, (), False, module) if foreign and root not in sys.stdlib_module_names else None


def _made(call: ast.Call, module: Module) -> ast.ClassDef | None:
    """`type("Migration", (migrations.Migration,), {…})` as the class that it makes."""
    if dotted(call.func, module) != "type" or len(call.args) != 3:
        return None
    bases, said = call.args[1:]
    if not isinstance(bases, ast.Tuple) or not isinstance(said, ast.Dict):
        return None
    body = list[ast.stmt]()
    for key, value in zip(said.keys, said.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return None
        body.append(ast.copy_location(ast.Assign([ast.Name(key.value, ast.Store())], value), value))
    return ast.copy_location(ast.ClassDef(NAME, bases.elts, [], body, []), call)


def _of_class(node: ast.stmt, found: ast.ClassDef, module: Module) -> Migration | None:
    """The migration that a class is: one of Django's, or one that has what these have and gets more from elsewhere."""
    classes, roots, foreign = [found], list[str](), False
    for one in classes:
        for base in one.bases:
            own = module.classes.get(base.id) if isinstance(base, ast.Name) and base.id not in module.imports else None
            if own is not None:
                classes += [] if own in classes else [own]
                continue
            name = dotted(base, module)
            roots += [name] if name.endswith(NAME) else []
            foreign = foreign or not (name.startswith("django.") or name == "object")
    says = any(_binds(one, name) for one in classes for name in _SAYS)
    if not roots and not (foreign and says and found.name == NAME):
        return None
    own_list = _binds(found, "operations")
    strange = any(one.decorator_list or one.keywords or _takes_over(one) for one in classes)
    return Migration(node, tuple(classes), not strange and (own_list or not foreign), module)


def _takes_over(node: ast.ClassDef) -> bool:
    functions = (item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(function.name in _TAKES_OVER for function in functions)


def _binds(node: ast.ClassDef, name: str) -> bool:
    """Whether the body of a class gives a name something, in whatever way."""
    return any(
        (isinstance(inner, ast.Name) and inner.id == name and isinstance(inner.ctx, ast.Store))
        or (isinstance(inner, ast.alias) and (inner.asname or inner.name) == name)
        for item in node.body
        if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for inner in ast.walk(item)
    )


def _is_used(module: Module, *, numbered: bool) -> bool:
    """Whether the file makes something of `Migration`, as no migration of Django's does: it has one of another kind."""
    called = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    owners = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    uses = [
        node
        for node in (called if numbered else ast.walk(module.tree))
        if isinstance(node, ast.Name) and node.id == NAME and isinstance(node.ctx, ast.Load) and id(node) not in owners
    ]
    return bool(uses)


def _imported(node: ast.ImportFrom) -> ast.expr | None:
    """The name `Migration` where a file takes it from another that is not Django's, or may do so by `*`."""
    source = "." * node.level + (node.module or "")
    if source.partition(".")[0] == "django":
        return None
    for alias in node.names:
        everything = alias.name == "*"
        if (alias.asname or alias.name) == NAME or everything:
            return ast.copy_location(ast.Name(NAME if not everything else source, ast.Load()), node)
    return None
