"""Following Python without running it: what a call leads to, what its parameters stand for, what a loop repeats."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from ics_guard.detect.python.sqlalchemy_reading import Scope, keyword
from ics_guard.detect.python.tree import Function, Module, dotted
from ics_guard.detect.text import word_set

_MOST_REPEATS = 64
_SAME_ITEMS = word_set("list tuple set frozenset sorted reversed iter")
_OF_PROPERTIES = word_set("setter deleter getter")
_ITEMS_OF = word_set("items keys values split splitlines")


def full_name(node: ast.expr, scope: Scope) -> str:
    """Given an expression, return its dotted name, imports and what variables stand for resolved; "" if it has none."""
    resolved = attribute(scope.resolve(node))
    if isinstance(resolved, ast.Attribute):
        root = full_name(resolved.value, scope)
        return f"{root}.{resolved.attr}" if root else ""
    return dotted(resolved, scope.module)


def attribute(node: ast.expr) -> ast.expr:
    """Given an expression, return `x.y` for `getattr(x, "y")`, `f` for `globals()["f"]`, anything else as it is."""
    if isinstance(node, ast.Subscript) and is_globals(node.value) and isinstance(node.slice, ast.Constant):
        return ast.copy_location(ast.Name(str(node.slice.value), ast.Load()), node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        name = node.args[1] if len(node.args) > 1 else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return ast.copy_location(ast.Attribute(node.args[0], name.value, ast.Load()), node)
    return node


def is_globals(node: ast.expr) -> bool:
    """Given an expression, return whether it is `globals()` or the like: all names of the file."""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("globals", "vars", "locals")
    )


def called(node: ast.expr, scope: Scope) -> tuple[Function | ast.Lambda, ast.expr | None] | None:
    """Given what is called, return the function or lambda of the file that it is, and for a method its object."""
    target, module = attribute(scope.resolve(node)), scope.module
    if isinstance(target, ast.Lambda):
        return target, None
    if isinstance(target, ast.Name) and target.id not in module.imports:
        if target.id in module.functions:
            return module.functions[target.id], None
        made = _method(module, target.id, "__init__")
        return (made, target) if made else None
    if isinstance(target, ast.Attribute):
        receiver = scope.resolve(target.value)
        owner = scope.resolve(receiver.func) if isinstance(receiver, ast.Call) else receiver
        if isinstance(owner, ast.Name) and owner.id in module.classes:
            method = _method(module, owner.id, target.attr)
            return (method, target.value) if method else None
    return None


def _method(module: Module, owner: str, name: str) -> Function | None:
    """A method of a class of the file, its own or one that it inherits from another class of the file."""
    seen, queue = set[str](), [owner]
    while queue:
        found = module.classes.get(queue.pop(0))
        if found is None or found.name in seen:
            continue
        seen.add(found.name)
        for item in reversed(found.body):  # Python takes the last; a property has its getter first
            if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) or item.name != name:
                continue
            if not any(isinstance(one, ast.Attribute) and one.attr in _OF_PROPERTIES for one in item.decorator_list):
                return item
        queue += [base.id for base in found.bases if isinstance(base, ast.Name)]
    return None


def bound(
    function: Function | ast.Lambda, receiver: ast.expr | None, call: ast.Call, scope: Scope
) -> dict[str, ast.expr]:
    """Given a function and how it is called, return what each parameter stands for, as far as that is known."""
    given, parameters = list(call.args), function.args
    names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
    decorators = (
        [] if isinstance(function, ast.Lambda) else [dotted(it, scope.module) for it in function.decorator_list]
    )
    if receiver is not None and "staticmethod" not in decorators:
        owner = receiver if isinstance(receiver, ast.Call | ast.Name) else ast.Name("object", ast.Load())
        given.insert(0, call if isinstance(receiver, ast.Name) and function_name(function) == "__init__" else owner)
    defaults = dict(zip(names[len(names) - len(parameters.defaults) :], parameters.defaults, strict=True))
    for parameter, default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True):
        names.append(parameter.arg)
        if default is not None:
            defaults[parameter.arg] = default
    named = {item.arg: item.value for item in call.keywords if item.arg}
    result = {name: known(value, scope) for name, value in defaults.items()}
    positional = names[: len(names) - len(parameters.kwonlyargs)]
    result |= {name: known(value, scope) for name, value in zip(positional, given, strict=False)}
    result |= {name: known(value, scope) for name, value in named.items() if name in names}
    if parameters.vararg:
        rest = [known(value, scope) for value in given[len(positional) :]]
        result[parameters.vararg.arg] = ast.Tuple(rest, ast.Load())
    if parameters.kwarg:
        extra = {name: known(value, scope) for name, value in named.items() if name not in names}
        keys: list[ast.expr | None] = [ast.Constant(name) for name in extra]
        result[parameters.kwarg.arg] = ast.Dict(keys, list(extra.values()))
    return result


def function_name(function: Function | ast.Lambda) -> str:
    """Given a function or lambda, return its name, "" for a lambda."""
    return "" if isinstance(function, ast.Lambda) else function.name


def known(value: ast.expr, scope: Scope) -> ast.expr:
    """Given an argument, return it as the function called sees it: names of the caller mean nothing there."""
    resolved, text = scope.resolve(value), scope.text(value)
    if isinstance(resolved, ast.IfExp):
        return resolved
    if text is None or "{" in text or isinstance(resolved, ast.Constant):
        return _settled(resolved, scope)
    return ast.copy_location(ast.Constant(text), value)


def _settled(node: ast.expr, scope: Scope) -> ast.expr:
    """Lists of things that are themselves given by name."""
    if isinstance(node, ast.Tuple | ast.List) and any(isinstance(item, ast.Name) for item in node.elts):
        return ast.copy_location(type(node)([scope.resolve(item) for item in node.elts], ast.Load()), node)
    return node


def expanded(call: ast.Call, scope: Scope) -> ast.Call:
    """Given a call, return it with `*items` and `**named` written out, as far as they are known."""
    if not any(isinstance(item, ast.Starred) for item in call.args) and all(item.arg for item in call.keywords):
        return call
    args, keywords = list[ast.expr](), list[ast.keyword]()
    for item in call.args:
        items = scope.resolve(item.value) if isinstance(item, ast.Starred) else None
        args += items.elts if isinstance(items, ast.Tuple | ast.List) else [item]
    for given in call.keywords:
        pairs = scope.resolve(given.value) if given.arg is None else None
        if isinstance(pairs, ast.Dict) and all(isinstance(key, ast.Constant) for key in pairs.keys):
            keywords += [
                ast.keyword(str(key.value), value)
                for key, value in zip(pairs.keys, pairs.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
        else:
            keywords.append(given)
    return ast.copy_location(ast.Call(call.func, args, keywords), call)


def bind(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    """Given what is assigned, let the names of the target stand for it from now on."""
    if isinstance(target, ast.Name | ast.Attribute):
        table = scope.batches.get(ast.unparse(value)) if isinstance(value, ast.Name | ast.Attribute) else None
        if table is not None:
            scope.batches[ast.unparse(target)] = table
    if isinstance(target, ast.Name):
        uses = [node for node in ast.walk(value) if isinstance(node, ast.Name) and node.id == target.id]
        before = scope.names.get(target.id)
        if len(uses) == 1 and before is not None and not isinstance(before, ast.Name):
            value = known(_Put(target.id, before).visit(copy.deepcopy(value)), scope)
            scope.names[target.id] = value
        elif uses:
            found = known(value, scope)
            scope.names[target.id] = found if isinstance(found, ast.Constant) else ast.Name(target.id, ast.Load())
        else:
            scope.names[target.id] = scope.resolve(value)
    elif isinstance(target, ast.Tuple | ast.List):
        items = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        for inner, item in zip_longest(target.elts, items[: len(target.elts)]):
            bind(inner, inner if item is None else item, scope)


class _Put(ast.NodeTransformer):
    """Puts an expression where a name stands."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self.name = name
        self.value = value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.value if node.id == self.name else node


def repeats(iterated: ast.expr, scope: Scope) -> Iterator[ast.expr | None]:
    """Given what a loop goes through, yield what its target stands for in each turn; once None if that is not known."""
    items = _items(scope.resolve(iterated), scope)
    if items is None or len(items) > _MOST_REPEATS:
        yield None
    else:
        yield from items


def _items(node: ast.expr, scope: Scope) -> Sequence[ast.expr] | None:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return None if any(isinstance(item, ast.Starred) for item in node.elts) else node.elts
    if isinstance(node, ast.IfExp):
        either = [_items(scope.resolve(one), scope) for one in (node.body, node.orelse)]
        return None if None in either else [item for items in either for item in items or ()]
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key is not None]
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute):
        return _items_of(node, node.func, scope)
    name, given = dotted(node.func, scope.module), [_items(scope.resolve(item), scope) for item in node.args]
    inner = [items for items in given if items is not None]
    if not inner or len(inner) < len(given) or keyword(node, "key"):
        return None
    if name in _SAME_ITEMS:
        return inner[0]
    if name == "enumerate":
        return [_pair(ast.Constant(place), item) for place, item in enumerate(inner[0])]
    return [_pair(*items) for items in zip(*inner, strict=False)] if name == "zip" else None


def _items_of(node: ast.Call, function: ast.Attribute, scope: Scope) -> Sequence[ast.expr] | None:
    receiver, method = scope.resolve(function.value), function.attr
    text = scope.text(receiver) if method in _ITEMS_OF else None
    if text is not None and method in ("split", "splitlines"):
        mark = scope.text(node.args[0]) if node.args else None
        parts = text.splitlines() if method == "splitlines" else text.split(mark or None)
        place = receiver if hasattr(receiver, "lineno") else node
        return [ast.copy_location(ast.Constant(part), place) for part in parts]
    if not isinstance(receiver, ast.Dict) or method not in _ITEMS_OF:
        return None
    pairs = [(key, value) for key, value in zip(receiver.keys, receiver.values, strict=True) if key is not None]
    return [key if method == "keys" else value if method == "values" else _pair(key, value) for key, value in pairs]


def _pair(*items: ast.expr) -> ast.expr:
    return ast.Tuple(list(items), ast.Load())
