"""Types as SQLAlchemy spells them: does a column that changes from one to another certainly hold less than before?"""

from __future__ import annotations

import ast
from typing import NamedTuple

from ics_guard.detect.python.sqlalchemy_reading import Scope, is_constant, keyword
from ics_guard.detect.python.tree import assignments, dotted
from ics_guard.detect.text import word_set

_BITS = {
    "tinyint": 8, "smallinteger": 16, "smallint": 16, "int2": 16, "mediumint": 24, "integer": 32, "int": 32, "int4": 32,
    "biginteger": 64, "bigint": 64, "int8": 64,
}  # fmt: skip
_UNLIMITED = 2**40
_TEXTS = {
    "tinytext": 2**8, "text": _UNLIMITED, "unicodetext": _UNLIMITED, "clob": _UNLIMITED, "ntext": _UNLIMITED,
    "citext": _UNLIMITED, "mediumtext": 2**41, "longtext": 2**42,
}  # fmt: skip
_STRINGS = word_set("string varchar varchar2 unicode nvarchar char nchar autostring") | _TEXTS.keys()
_BLOBS = {"tinyblob": 2**8, "blob": _UNLIMITED, "bytea": _UNLIMITED, "mediumblob": 2**41, "longblob": 2**42}
_BINARIES = word_set("largebinary binary varbinary") | _BLOBS.keys()
_FRACTIONS = word_set("float double double_precision real numeric decimal")
_INSTANTS = word_set("datetime datetime2 timestamp")
_MOMENTS = _INSTANTS | word_set("date time")
_TRUTHS = word_set("boolean bool")
_DOCUMENTS = word_set("json jsonb hstore")
_IDENTIFIERS = word_set("uuid uniqueidentifier guid")
_WIDTHS = {"date": 10, "datetime": 19, "timestamp": 19, "boolean": 1, "uuid": 32, "time": 8}
"""How many characters a value takes as text, at least."""
_REFUSING = (*(_BITS.keys(), _FRACTIONS, _MOMENTS, _TRUTHS, _IDENTIFIERS, _DOCUMENTS),)
"""Types that refuse most of what a string can hold."""


class Type(NamedTuple):
    """A type by its last name in lower case, its sizes, what it enumerates (None if that is not known), its element."""

    name: str
    sizes: tuple[int, ...] = ()
    members: frozenset[str] | None = None
    element: Type | None = None
    zoned: bool = False
    unsigned: bool = False

    @property
    def length(self) -> int:
        """Characters or bytes that it holds."""
        fixed = _TEXTS.get(self.name) or _BLOBS.get(self.name)
        return fixed or (self.sizes[0] if self.sizes else _UNLIMITED)

    @property
    def span(self) -> tuple[int, int]:
        """The smallest and the largest whole number that it holds."""
        bits = _BITS[self.name]
        return (0, 2**bits - 1) if self.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def narrows(old: ast.expr | None, new: ast.expr | None, scope: Scope) -> bool:
    """Given the type a column has and the one it gets, return whether the new one certainly holds less."""
    if old is None or new is None:
        return False
    return holds_less(read_type(old, scope), read_type(new, scope))


def holds_less(old: Type, new: Type) -> bool:
    """Given two types, return whether the second certainly holds less than the first."""
    if old.element or new.element:
        inner = old.element or old
        return new.element is None or holds_less(inner, new.element)
    if new.name == "enum":
        if old.name == "enum":
            return None not in (old.members, new.members) and not (old.members or set()) <= (new.members or set())
        return old.name in _STRINGS or old.name in _BITS
    if new.name in _STRINGS:
        return _least_length(old) > new.length
    if old.name in _STRINGS:
        return any(new.name in names for names in _REFUSING)
    if old.name in _BINARIES and new.name in _BINARIES:
        return new.length < old.length
    if new.name in _TRUTHS:
        return (old.name in _BITS and old.name != "tinyint") or old.name in _FRACTIONS
    return _fewer_numbers(old, new) or _fewer_moments(old, new)


def _least_length(old: Type) -> int:
    """How long text must be to hold every value of a type; 0 where that is not known."""
    if old.name in _STRINGS:
        return old.length
    if old.name == "enum":
        return max(map(len, old.members or ()), default=0)
    if old.name in _BITS:
        return len(str(old.span[0]))
    return _UNLIMITED if old.name in _DOCUMENTS else _WIDTHS.get(old.name, 0)


def _fewer_numbers(old: Type, new: Type) -> bool:
    if new.name in _BITS:
        (low, high), known = new.span, old.name in _BITS
        return (old.span[0] < low or high < old.span[1]) if known else old.name in _FRACTIONS
    if old.name in _BITS and new.name in ("numeric", "decimal") and new.sizes:
        digits, places = (*new.sizes, 0)[:2]
        return int(10 ** (digits - places)) <= old.span[1]
    if old.name in ("double", "double_precision") and new.name == "real":
        return True
    if old.name in _FRACTIONS and new.name in _FRACTIONS and old.sizes and new.sizes:
        digits, places = (*old.sizes, 0)[:2]
        new_digits, new_places = (*new.sizes, 0)[:2]
        return new_places < places or new_digits - new_places < digits - places
    return False


def _fewer_moments(old: Type, new: Type) -> bool:
    if old.name not in _MOMENTS or new.name not in _MOMENTS:
        return False
    kinds = [name if name in ("date", "time") else "instant" for name in (old.name, new.name)]
    if kinds[0] != kinds[1]:
        return kinds[1] != "instant"
    return (old.zoned and not new.zoned) or (bool(old.sizes) and bool(new.sizes) and new.sizes[0] < old.sizes[0])


def read_type(node: ast.expr, scope: Scope) -> Type:
    """Given the expression of a type, return what is known of it."""
    node = scope.resolve(node)
    if not isinstance(node, ast.Call):
        return Type(dotted(node, scope.module).rpartition(".")[2].lower())
    if isinstance(node.func, ast.Attribute) and node.func.attr == "with_variant":
        return read_type(node.func.value, scope)
    name = (dotted(node.func, scope.module) or ast.unparse(node.func)).rpartition(".")[2].lower()
    if name == "array" and node.args:
        return Type(name, element=read_type(node.args[0], scope))
    if name in ("enum", "set"):
        return Type("enum", members=_members(node, scope))
    named = [keyword(node, word) for word in ("length", "precision", "scale", "fsp")]
    sizes = [scope.resolve(size) for size in (*node.args, *named) if size is not None]
    values = [size.value for size in sizes if isinstance(size, ast.Constant)]
    numbers = tuple(value for value in values if isinstance(value, int) and not isinstance(value, bool))
    zoned = is_constant(scope.resolve(keyword(node, "timezone") or ast.Constant(None)), True)
    positional = name in _INSTANTS and bool(node.args) and is_constant(node.args[0], True)
    return Type(
        name,
        () if name in _BITS else numbers,
        zoned=zoned or positional,
        unsigned=is_constant(keyword(node, "unsigned"), True),
    )


def _members(node: ast.Call, scope: Scope) -> frozenset[str] | None:
    """What an Enum may hold: its strings, or the names of a class of the same file."""
    if len(node.args) == 1 and isinstance(node.args[0], ast.Name) and node.args[0].id in scope.module.classes:
        return frozenset(name for name in assignments(scope.module.classes[node.args[0].id].body) if name[0] != "_")
    given = list[ast.expr]()
    for item in node.args:
        starred = scope.resolve(item.value) if isinstance(item, ast.Starred) else item
        given += starred.elts if isinstance(starred, ast.Tuple | ast.List | ast.Set) else [starred]
    texts = [scope.text(item) for item in given]
    known = [text for text in texts if text is not None]
    return frozenset(known) if known and len(known) == len(texts) else None
