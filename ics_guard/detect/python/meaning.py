"""Syntax trees to their meaning as text, without docstrings, annotations, names and other matters of taste."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from ics_guard.detect.python.loading import annotated
from ics_guard.detect.python.names import Names, bound_names
from ics_guard.detect.python.signatures import named_places
from ics_guard.detect.python.strings import pieces
from ics_guard.detect.python.tree import Module, dotted
from ics_guard.detect.sql.split import split
from ics_guard.detect.text import word_set

_SQL_CALLS = frozenset({"execute", "text", "DDL", "exec_driver_sql", "RunSQL"})
_TALK = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log"})
_TALKERS = frozenset({"logging", "logger", "log", "LOG", "LOGGER", "_logger"})
_TASTE = frozenset({"annotation", "returns", "type_comment", "type_params", "type_ignores", "kind", "ctx", "simple"})
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
_WITHOUT_MEANING = ast.Import | ast.ImportFrom | ast.Pass | ast.If | ast.Try
_TYPES = word_set(
    "String Unicode Text UnicodeText LargeBinary VARCHAR NVARCHAR CHAR NCHAR TEXT Integer SmallInteger BigInteger "
    "INTEGER SMALLINT BIGINT Boolean BOOLEAN Date DATE DateTime DATETIME TIMESTAMP Time TIME Float FLOAT REAL Double "
    "Numeric NUMERIC DECIMAL JSON Uuid UUID Interval"
)
_PLACES = {"Numeric": ("precision", "scale"), "NUMERIC": ("precision", "scale"), "DECIMAL": ("precision", "scale")}
_LENGTH = ("length",)
_MOVED = re.compile(r"sqlalchemy\.(?:types|schema|sql(?:\.\w+)?)\.(\w+)\Z")
"""One thing that SQLAlchemy offers in several places."""
_SPELLINGS = {f"typing.{kind}": kind.lower() for kind in ("List", "Dict", "Set", "FrozenSet", "Tuple", "Type")}
_SPELLINGS["datetime.UTC"] = "datetime.timezone.utc"
"""What later versions of Python let one write in another way."""


def meaning(nodes: Iterable[ast.AST], module: Module, names: Mapping[str, ast.expr] | None = None) -> str:
    """Given trees of a module, return their meaning as text: equal text, equal meaning.

    A name that `names` says stands for an expression is written as that expression.
    """
    writer = _Writer(module, names or {})
    return "\n".join(filter(None, (writer.write(node) for node in nodes)))


def arguments_meaning(call: ast.Call, module: Module, names: Mapping[str, ast.expr]) -> str:
    """Given a call, return the meaning of what it is given, as `meaning` does."""
    writer = _Writer(module, names)
    return writer.arguments(call)


def reached_meaning(nodes: Iterable[ast.AST], module: Module) -> str:
    """Given trees of a module, return their meaning with that of every definition of the module they lead to.

    What these definitions are called, and where they stand, means nothing.
    """
    writer = _Writer(module, {}, follow=True)
    lines = [writer.write(node) for node in nodes]
    lines += [f"{name} = {writer.write(node)}" for name, node in writer.reached()]
    return "\n".join(filter(None, lines))


def loose_statements(module: Module) -> list[ast.stmt]:
    """Given a module, return what runs when it is loaded, apart from definitions, plain assignments and imports."""
    return [
        node
        for node in module.tree.body
        if (not isinstance(node, _DEFINITIONS) or _puts_elsewhere(node))
        and any(isinstance(inner, ast.stmt) and not _means_nothing(inner, module) for inner in ast.walk(node))
    ]


def _puts_elsewhere(node: ast.stmt) -> bool:
    """Whether an assignment changes something that is there already: `Migration.operations = …`."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(inner, ast.Attribute | ast.Subscript) for one in targets for inner in ast.walk(one))


def _means_nothing(node: ast.stmt, module: Module) -> bool:
    return isinstance(node, _WITHOUT_MEANING) or is_idle(node, module)


def is_idle(node: ast.AST, module: Module) -> bool:
    """Given a statement, return whether it is a bare constant (a docstring) or a call that only tells somebody."""
    if not isinstance(node, ast.Expr):
        return False
    if not isinstance(node.value, ast.Call):
        return isinstance(node.value, ast.Constant)
    name = dotted(node.value.func, module)
    root, _, verb = name.rpartition(".")
    return name == "print" or (verb in _TALK and root.rpartition(".")[2] in _TALKERS)


class _Writer:
    def __init__(self, module: Module, known: Mapping[str, ast.expr], *, follow: bool = False) -> None:
        self.module = module
        self.known = known
        self.follow = follow
        self.local = Names()
        self.globals = dict[str, str]()
        self._writing = set[str]()

    def reached(self) -> Iterator[tuple[str, ast.AST]]:
        """The definitions met so far and those that they lead to in turn, under the names they were written as."""
        done = 0
        while done < len(self.globals):
            name, written = list(self.globals.items())[done]
            for node in self._definitions(name):
                yield written, node
            done += 1

    def _definitions(self, name: str) -> list[ast.AST]:
        """What a name stands for, and whatever else it is given; none for what is only imported."""
        module = self.module
        found = module.functions.get(name) or module.classes.get(name) or module.constants.get(name)
        ever = module.bindings.ever.get(name, ())
        if found is None and all(given.source for given in ever):
            return []
        others = [ast.Name(given.source) if given.source else given.node for given in ever if given.node is not found]
        return [*([] if found is None else [found]), *others]

    def write(self, node: object) -> str:
        """The meaning of a node, of a list of nodes, or of a bare value; "" for what means nothing."""
        if isinstance(node, list):
            return "[" + ", ".join(filter(None, map(self.write, node))) + "]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, ast.expr):
            return self._expression(node)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or is_idle(node, self.module):
            return ""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return self._function(node)
        if isinstance(node, ast.ClassDef):
            return self._class(node)
        if isinstance(node, ast.AnnAssign):
            return f"Assign([{self.write(node.target)}], {self.write(node.value)})" if node.value else ""
        if isinstance(node, ast.ExceptHandler) and node.name:
            return f"ExceptHandler({self.write(node.type)}, {self._name(node.name)}, {self.write(node.body)})"
        if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            pattern = self.write(getattr(node, "pattern", None))
            return f"{type(node).__name__}({pattern}, {self._name(node.name)})"
        if isinstance(node, ast.Global | ast.Nonlocal):
            return f"{type(node).__name__}({', '.join(map(self._name, node.names))})"
        return self._plainly(node)

    def _plainly(self, node: ast.AST) -> str:
        fields = (self.write(getattr(node, name, None)) for name in node._fields if name not in _TASTE)
        return f"{type(node).__name__}({', '.join(fields)})"

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """A function by what it does: not its name, and not those of its parameters and variables."""
        called = [one for one in annotated(node) if any(isinstance(it, ast.Call) for it in ast.walk(one))]
        outside = [self.write(one) for one in (*node.decorator_list, *_defaults(node.args), *called)]
        name = self._given_name(node)
        with self.local.scope(bound_names(node)):
            parameters, body = self._parameters(node.args), list(node.body)
            while body and isinstance(body[-1], ast.Return) and _is_none(body[-1].value):
                body.pop()
            written = self.write(body)
        return f"{type(node).__name__}({name}, {', '.join(filter(None, outside))}, {parameters}, {written})"

    def _given_name(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
        """Only a method, and what else is an attribute of a class, is called by its name from anywhere."""
        if node.name in self.local:
            return self.local[node.name]
        return "" if self.follow and node in self.module.tree.body else node.name

    def _class(self, node: ast.ClassDef) -> str:
        bases = [base for base in node.bases if not (isinstance(base, ast.Name) and base.id == "object")]
        parts = (bases, node.keywords, node.body, node.decorator_list)
        return f"ClassDef({self._given_name(node)}, {', '.join(map(self.write, parts))})"

    def _parameters(self, node: ast.arguments) -> str:
        names = [self._name(item.arg) for item in (*node.posonlyargs, *node.args, *node.kwonlyargs)]
        stars = [f"*{self._name(item.arg)}" for item in (node.vararg, node.kwarg) if item]
        return f"{len(node.posonlyargs)} {' '.join([*names, *stars])}"

    def _expression(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call):
            parts = pieces(node)
            if parts is not None:
                written = [repr(part) if isinstance(part, str) else "{" + self.write(part) + "}" for part in parts]
                return written[0] if len(written) == 1 and isinstance(parts[0], str) else f"f{written}"
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return self._scoped(node)
        return self._call(node) if isinstance(node, ast.Call) else self._plainly(node)

    def _scoped(self, node: ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> str:
        with self.local.scope(bound_names(node)):
            if isinstance(node, ast.Lambda):
                defaults = ", ".join(map(self.write, _defaults(node.args)))
                return f"Lambda({self._parameters(node.args)}, {defaults}, {self.write(node.body)})"
            generators = self.write(node.generators)
            made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            return f"{type(node).__name__}({generators}, {self.write(made)})"

    def _name(self, name: str) -> str:
        if name in self.local:
            return self.local[name]
        if name in self.known and name not in self._writing:
            self._writing.add(name)
            written = self.write(self.known[name])
            self._writing.discard(name)
            return written
        definitions = self._definitions(name) if self.follow else []
        if not definitions:
            return self._moved(self.module.imports.get(name, name))
        if len(definitions) == 1 and _is_literal(definitions[0]):
            return self.write(definitions[0])
        return self.globals.setdefault(name, f"@{len(self.globals)}")

    def _attribute(self, node: ast.Attribute) -> str:
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        imported = isinstance(root, ast.Name) and root.id in self.module.imports and root.id not in self.local
        return self._moved(dotted(node, self.module)) if imported else f"{self.write(node.value)}.{node.attr}"

    def _moved(self, name: str) -> str:
        found = _MOVED.match(name)
        return f"sqlalchemy.{found[1]}" if found else _SPELLINGS.get(name, name)

    def _call(self, node: ast.Call) -> str:
        name = dotted(node.func, self.module)
        last = name.rpartition(".")[2]
        if name.endswith(".op.f") and len(node.args) == 1:
            return self.write(node.args[0])  # op.f() only marks a name as final
        if name == "typing.cast" and len(node.args) == 2:
            return self.write(node.args[1])
        called = self.write(node.func)
        if name.startswith("sqlalchemy.") and last == "select" and len(node.args) == 1:
            columns = node.args[0]  # `select([a, b])` is the old spelling of `select(a, b)`
            node = ast.Call(node.func, columns.elts if isinstance(columns, ast.List) else node.args, node.keywords)
        if name.startswith("sqlalchemy.") and last in _TYPES:
            return self._type(node, called, _PLACES.get(last, _LENGTH))
        return f"{called}({self.arguments(node)})"

    def _type(self, node: ast.Call, called: str, places: tuple[str, ...]) -> str:
        """`String(length=5)` is `String(5)`, and `Integer()` is `Integer`."""
        named = {item.arg: self.write(item.value) for item in node.keywords}
        given = list(map(self.write, node.args))
        for place in places[len(given) :]:
            if place not in named:
                break
            given.append(named.pop(place))
        given += sorted(f"{name}={value}" for name, value in named.items())
        return f"{called}({', '.join(given)})" if given else called

    def arguments(self, node: ast.Call) -> str:
        """What a call is given; for a function of the module by the places of its parameters."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func, self.module)
        is_sql = called.rpartition(".")[2] in _SQL_CALLS
        given = [self._sql(argument) if is_sql else self.write(argument) for argument in node.args]
        places = self._places(node)
        if places and not any(isinstance(argument, ast.Starred) for argument in node.args):
            given = [f"#{place}={value}" for place, value in enumerate(given)]
        return ", ".join(
            [
                *given,
                *sorted(
                    f"#{places[item.arg]}={self._sql(item.value) if is_sql else self.write(item.value)}"
                    if item.arg in places
                    else f"{item.arg}={self.write(item.value)}"
                    for item in node.keywords
                ),
            ]
        )

    def _places(self, node: ast.Call) -> Mapping[str | None, int]:
        known = named_places(dotted(node.func, self.module))
        if known:
            return {name: place for place, name in enumerate(known)}
        if not self.follow or not isinstance(node.func, ast.Name) or node.func.id in self.module.imports:
            return {}
        function = self.module.functions.get(node.func.id)
        if function is None:
            return {}
        parameters = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        return {item.arg: place for place, item in enumerate(parameters)}

    def _sql(self, node: ast.expr) -> str:
        parts = pieces(node)
        if parts is None or not isinstance(parts[0], str):
            return self.write(node)
        text = "".join(part if isinstance(part, str) else "{" + self.write(part) + "}" for part in parts)
        return "sql " + " ; ".join(statement.canonical for statement in split(text))


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _defaults(node: ast.arguments) -> list[ast.expr]:
    return [*node.defaults, *(default or ast.Constant(None) for default in node.kw_defaults)]


def _is_literal(node: ast.AST) -> bool:
    """Whether an expression can stand wherever its name does: a constant, or text put together from constants."""
    if isinstance(node, ast.Tuple | ast.List):
        return all(map(_is_literal, node.elts))
    if isinstance(node, ast.Dict):
        return all(key is not None and _is_literal(key) for key in node.keys) and all(map(_is_literal, node.values))
    if isinstance(node, ast.Constant):
        return True
    parts = pieces(node) if isinstance(node, ast.expr) else None
    return parts is not None and all(isinstance(part, str) for part in parts)
