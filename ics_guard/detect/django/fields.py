"""What a field was before an `AlterField`, as the earlier migrations of its app say: does it hold less from now on?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from ics_guard.detect.django.migration import migration_of
from ics_guard.detect.operations import Operation, to_change
from ics_guard.detect.python.meaning import meaning
from ics_guard.detect.python.sqlalchemy_reading import Scope, argument, is_constant, keyword
from ics_guard.detect.python.sqlalchemy_types import Type, holds_less
from ics_guard.detect.python.tree import Module, assignments, dotted, parse, reachable
from ics_guard.detect.rules import RULES
from ics_guard.detect.text import word_set
from ics_guard.model import Change, Kind, Severity

_JUDGED = ("django.alter_field", "django.operation_changed")
_LENGTHS = {
    "CharField": 0, "EmailField": 254, "SlugField": 50, "URLField": 200, "FileField": 100, "ImageField": 100,
    "FilePathField": 100,
}  # fmt: skip
"""The `max_length` of a field where none is given; 0: there is no telling."""
_TYPES = {
    "TextField": "text", "SmallIntegerField": "smallint", "IntegerField": "integer", "BigIntegerField": "bigint",
    "PositiveSmallIntegerField": "smallint", "PositiveIntegerField": "integer", "PositiveBigIntegerField": "bigint",
    "SmallAutoField": "smallint", "AutoField": "integer", "BigAutoField": "bigint", "FloatField": "double",
    "BooleanField": "boolean", "NullBooleanField": "boolean", "DateField": "date", "DateTimeField": "datetime",
    "TimeField": "time", "UUIDField": "uuid", "JSONField": "json",
}  # fmt: skip
_HOLDS = word_set("null max_length max_digits decimal_places")
_NOT_IN_COLUMN = word_set(
    "blank choices editable error_messages help_text limit_choices_to on_delete related_name related_query_name "
    "validators verbose_name"
)
"""What Django changes without a word to the database (`non_database_attrs` of its schema editor)."""
_RELATED = ("ForeignKey", "OneToOneField")
_NO_COLUMN = ("ManyToManyField", "GeneratedField")
_OTHER = word_set(
    "RunPython DeleteModel AlterModelTable AlterModelOptions AlterModelManagers AlterModelTableComment AddIndex "
    "RemoveIndex RenameIndex AlterIndexTogether AddConstraint RemoveConstraint AlterConstraint AlterUniqueTogether "
    "AlterOrderWithRespectTo AddIndexConcurrently RemoveIndexConcurrently AddConstraintNotValid ValidateConstraint"
)
"""Operations after which every field is what it was, or is asked for no more."""
_CODE = word_set("RunPython RunSQL")


class _Field(NamedTuple):
    """A field as a migration defines it."""

    call: ast.Call
    scope: Scope
    migration: str


class _Step(NamedTuple):
    """One operation, by its last name, and the call that makes it."""

    name: str
    call: ast.Call
    scope: Scope

    def text(self, place: int, name: str) -> str:
        """An argument in lower case, "" if it is no plain string."""
        return (self.scope.text(argument(self.call, place, name)) or "").lower()


_Fields = dict[tuple[str, str], _Field]


def judged_by_history(
    changes: Iterable[Change], contents: Mapping[str, bytes], parents: Mapping[str, Sequence[str]]
) -> list[Change]:
    """Given changes, the files of one app's migrations by path, and for each migration those it builds on.

    Return the changes; one that alters a field is told as what it is if an earlier migration defines it in plain words.
    """
    history = _History(contents, parents)
    return [
        (history.judged(change) or change)
        if change.operation == "AlterField" and change.rule in _JUDGED and change.path in contents
        else change
        for change in changes
    ]


class _History:
    """The migrations of one app, each read once."""

    def __init__(self, contents: Mapping[str, bytes], parents: Mapping[str, Sequence[str]]) -> None:
        self._contents = {PurePosixPath(path).stem: content for path, content in contents.items()}
        self._parents = parents
        self._read = dict[str, list[_Step] | None]()

    def judged(self, change: Change) -> Change | None:
        """The change under another rule, None if it stays as it is."""
        stem, fields = PurePosixPath(change.path).stem, _Fields()
        for earlier in self._before(stem):
            _run(self._steps(earlier), fields, earlier)
        steps = self._steps(stem) or []
        place = (change.line, change.column)
        at = next((number for number, one in enumerate(steps) if _place(one.call) == place), None)
        if at is None:
            return None
        _run(steps[:at], fields, stem)
        step = steps[at]
        old, made = fields.get((step.text(0, "model_name"), step.text(1, "name"))), argument(step.call, 2, "field")
        if old is None or not isinstance(made, ast.Call):
            return None
        new = _Field(made, step.scope, stem)
        rule = _verdict(old, new, filled=_is_filled(steps[:at], step.text(1, "name")))
        if rule is None or (RULES[rule].severity is not Severity.DESTRUCTIVE and change.rule != _JUDGED[0]):
            return None
        found = Operation(
            rule,
            change.operation,
            change.object,
            f"{rule} {change.digest}",
            change.line,
            change.column,
            detail=f"(It was {_told(old)}, in {old.migration}.)",
        )
        return to_change(found, change.path, Kind.DJANGO)

    def _before(self, stem: str) -> Iterator[str]:
        """The migrations that one builds on, each after all that it builds on itself."""
        done, queue = {stem}, [iter(self._parents.get(stem, ()))]
        names = [stem]
        while queue:
            parent = next(queue[-1], None)
            if parent is None:
                queue.pop()
                finished = names.pop()
                if finished != stem:
                    yield finished
            elif parent not in done:
                done.add(parent)
                names.append(parent)
                queue.append(iter(self._parents.get(parent, ())))

    def _steps(self, stem: str) -> list[_Step] | None:
        if stem not in self._read:
            module = parse(self._contents.get(stem, b""))
            self._read[stem] = _listed(module) if module else None
        return self._read[stem]


def _listed(module: Module) -> list[_Step] | None:
    """The operations of a migration if they are one plain list, else None."""
    migration = migration_of(module)
    holder = migration.holder() if migration and migration.whole else None
    listed = assignments(holder.body).get("operations") if holder else None
    if not isinstance(listed, ast.List | ast.Tuple):
        return None
    scope = Scope(module)
    calls = [(item, dotted(item.func, module)) for item in listed.elts if isinstance(item, ast.Call)]
    plain = len(calls) == len(listed.elts) and all(name.startswith("django.") for _, name in calls)
    return [_Step(name.rpartition(".")[2], call, scope) for call, name in calls] if plain else None


def _run(steps: Sequence[_Step] | None, fields: _Fields, migration: str) -> None:
    """Bring what is known of fields to where these operations lead; what cannot be read may have changed any."""
    if steps is None:
        fields.clear()
    for step in steps or ():
        model = step.text(0, "name" if step.name == "CreateModel" else "model_name")
        if step.name == "CreateModel":
            fields |= {(model, name): _Field(made, step.scope, migration) for name, made in _defined(step)}
        elif step.name in ("AddField", "AlterField", "RemoveField"):
            made = argument(step.call, 2, "field")
            fields.pop((model, step.text(1, "name")), None)
            if isinstance(made, ast.Call):
                fields[model, step.text(1, "name")] = _Field(made, step.scope, migration)
        elif step.name == "RenameField":
            old = fields.pop((model, step.text(1, "old_name")), None)
            if old is not None:
                fields[model, step.text(2, "new_name")] = old
        elif step.name == "RenameModel":
            old_name, new_name = step.text(0, "old_name"), step.text(1, "new_name")
            for key in [key for key in fields if key[0] == old_name]:
                fields[new_name, key[1]] = fields.pop(key)
        elif step.name not in _OTHER and (step.name != "RunSQL" or argument(step.call, 2, "state_operations")):
            fields.clear()


def _defined(step: _Step) -> Iterator[tuple[str, ast.Call]]:
    listed = argument(step.call, 1, "fields")
    for item in listed.elts if isinstance(listed, ast.List | ast.Tuple) else ():
        if isinstance(item, ast.Tuple) and len(item.elts) == 2 and isinstance(item.elts[1], ast.Call):
            yield (step.scope.text(item.elts[0]) or "").lower(), item.elts[1]


def _verdict(old: _Field, new: _Field, *, filled: bool) -> str | None:
    """The rule for a field that becomes another one, None where both are not in plain words."""
    names = [dotted(one.call.func, one.scope.module) for one in (old, new)]
    spread = any(item.arg is None for one in (old, new) for item in one.call.keywords)
    if spread or not names[1].startswith("django.") or any(name.endswith(_NO_COLUMN) for name in names):
        return None
    was, now = (_type(one, name) for one, name in zip((old, new), names, strict=True))
    if was is not None and now is not None and holds_less(was, now):
        return "django.narrow_type"
    null = [keyword(one.call, "null") for one in (old, new)]
    if is_constant(null[0], True) and (null[1] is None or is_constant(null[1], False)):
        given = [keyword(new.call, name) for name in ("default", "db_default")]
        has_default = any(value is not None and not is_constant(value, None) for value in given)
        return "django.set_not_null_filled" if filled or has_default else "django.set_not_null"
    return "django.field_state" if names[0] == names[1] and _column(old) == _column(new) else None


def _column(field: _Field) -> tuple[str, ...]:
    """What a field says of its column, in an order of its own; the first argument is mostly a name for people."""
    call, module = field.call, field.scope.module
    placed = call.args if dotted(call.func, module).endswith(_RELATED) else call.args[1:]
    named = [item for item in call.keywords if item.arg not in _NOT_IN_COLUMN]
    said = sorted(f"{item.arg}={meaning([item.value], module)}" for item in named)
    return (*(meaning([value], module) for value in placed), *said)


def _type(field: _Field, name: str) -> Type | None:
    """The type of a column by the words of SQL, None where it is not one of Django's or its size is not a number."""
    last = name.rpartition(".")[2]
    if not name.startswith("django."):
        return None
    if last in _TYPES:
        return Type(_TYPES[last])
    if last == "DecimalField":
        sizes = [_number(field, keyword(field.call, word)) for word in ("max_digits", "decimal_places")]
        known = tuple(size for size in sizes if size is not None)
        return Type("numeric", known) if len(known) == len(sizes) else None
    if last not in _LENGTHS:
        return None
    given = keyword(field.call, "max_length")
    length = _LENGTHS[last] if given is None else _number(field, given)
    return Type("varchar", (length,)) if length else None


def _number(field: _Field, node: ast.expr | None) -> int | None:
    found = field.scope.resolve(node) if node else None
    return found.value if isinstance(found, ast.Constant) and type(found.value) is int else None


def _is_filled(steps: Iterable[_Step], field: str) -> bool:
    """Whether code or SQL that runs before in the same migration says anything of the field."""
    for step in (one for one in steps if one.name in _CODE):
        names = sorted({node.id for node in ast.walk(step.call) if isinstance(node, ast.Name)})
        code = [step.call, *reachable(step.scope.module, names)]
        if any(re.search(rf"\b{re.escape(field)}\b", ast.unparse(node)) for node in code):
            return True
    return False


def _told(field: _Field) -> str:
    """A field by what decides what it holds: choices and words for people can be long."""
    given = [ast.unparse(item) for item in field.call.keywords if item.arg in _HOLDS]
    return f"{ast.unparse(field.call.func)}({', '.join(given)})"


def _place(call: ast.Call) -> tuple[int, int]:
    return call.lineno, call.col_offset + 1
