"""Python's four ways to put a string together, read as one: a sequence of literal text and expressions."""

from __future__ import annotations

import ast
import re
from itertools import groupby

Piece = str | ast.expr

_PERCENT = re.compile(r"%(?:\((?P<name>\w+)\))?(?P<kind>[sdr%])")
_BRACES = re.compile(r"\{\{|\}\}|\{(?P<name>\w*)\}")


def pieces(node: ast.expr) -> list[Piece] | None:
    """Given an expression, return what its string is made of: text, and expressions put in as they are.

    Return None if it is none of: a literal, an f-string, `+` with one of these, `%` or `.format()` on a literal.
    """
    found = _pieces(node)
    return None if found is None else _merged(found)


def _pieces(node: ast.expr) -> list[Piece] | None:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return [part for value in node.values for part in _f_piece(value)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _pieces(node.left), _pieces(node.right)
        if left is None and right is None:
            return None
        return [*([node.left] if left is None else left), *([node.right] if right is None else right)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        template = _literal(node.left)
        return None if template is None else _filled(_PERCENT, template, *_percent_arguments(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        template = _literal(node.func.value)
        named: dict[str, ast.expr] = {item.arg: item.value for item in node.keywords if item.arg}
        return None if template is None else _filled(_BRACES, template, list(node.args), named)
    return None


def _f_piece(node: ast.expr) -> list[Piece]:
    if isinstance(node, ast.FormattedValue) and node.conversion in (-1, 115) and node.format_spec is None:
        return [node.value]
    return _pieces(node) or [node]


def _literal(node: ast.expr) -> str | None:
    found = pieces(node)
    return found[0] if found and len(found) == 1 and isinstance(found[0], str) else None


def _percent_arguments(node: ast.expr) -> tuple[list[ast.expr], dict[str, ast.expr]]:
    if isinstance(node, ast.Tuple):
        return node.elts, {}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return [], {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}
    return [node], {}


def _filled(
    pattern: re.Pattern[str], template: str, given: list[ast.expr], named: dict[str, ast.expr]
) -> list[Piece] | None:
    result, end, index = list[Piece](), 0, 0
    for match in pattern.finditer(template):
        result.append(template[end : match.start()])
        end, name = match.end(), match["name"]
        if match.group() in ("%%", "{{", "}}"):
            result.append(match.group()[0])
        elif name and name in named:
            result.append(named[name])
        else:
            place = int(name) if name and name.isdecimal() else index
            if place >= len(given) or (name and not name.isdecimal()):
                return None
            result.append(given[place])
            index += 1
    return [*result, template[end:]]


def _merged(parts: list[Piece]) -> list[Piece]:
    result = list[Piece]()
    for literal, run in groupby(parts, key=lambda part: isinstance(part, str)):
        if literal:
            text = "".join(part for part in run if isinstance(part, str))
            result += [text] if text else []
        else:
            result += run
    return result or [""]
