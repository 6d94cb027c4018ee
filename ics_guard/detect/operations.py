"""What a reader finds in a file before it is a change: operations, how two lists of them differ, what they leave."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ics_guard.detect.rules import RULES
from ics_guard.detect.text import word_set
from ics_guard.model import Change, Effect, Kind, Severity

_ON_NEW_TABLE = word_set(
    "create_unique_index add_constraint set_not_null set_not_null_filled add_required_column alter_table create_policy "
    "add_unique_column"
)


@dataclass(frozen=True)
class Operation:
    """One thing done to a schema. `canonical` is its meaning as text: equal text, equal operation.

    `table` is the table it works on, where that is another thing than `object`. `detail` is added to the reason.
    `before` is the meaning of the operation that this one took the place of, `undoes` are those that are gone.
    """

    rule: str
    operation: str
    object: str
    canonical: str
    line: int
    column: int
    effects: tuple[Effect, ...] = ()
    table: str = ""
    detail: str = ""
    before: str = ""
    undoes: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """What the rule says."""
        return RULES[self.rule].severity


def compare(before: Sequence[Operation], after: Sequence[Operation], *, removed: str, changed: str) -> list[Operation]:
    """Given the operations of two versions of a file, return what the edit means, in the order of the file.

    Order and repetition of equal operations in another place mean nothing. An operation that is gone comes out under
    the rule `removed`; one that went and came back in another form under `changed`, unless the new form is worse.
    What is only worth a notice is not missed when it is gone.
    """
    known = {operation.canonical for operation in before}
    added = [
        replace(operation, effects=()) if operation.canonical in known else operation
        for operation in _surplus(after, before)
    ]
    gone = defaultdict(list)
    for operation in _surplus(before, after):
        gone[operation.operation, operation.object].append(operation)
    result = []
    for operation in added:
        old = gone[operation.operation, operation.object]
        if old:
            result.append(_edited(old.pop(0), operation, changed))
        else:
            result.append(operation)
    missed = [old for rest in gone.values() for old in rest if old.severity is not Severity.NOTICE]
    result += [
        replace(
            old,
            rule=removed,
            canonical=f"removed: {old.canonical}",
            effects=(),
            detail="",
            undoes=(old.canonical,),
        )
        for old in missed
    ]
    return result


def _surplus(these: Sequence[Operation], those: Sequence[Operation]) -> list[Operation]:
    spare = Counter(operation.canonical for operation in those)
    result = []
    for operation in these:
        if spare[operation.canonical]:
            spare[operation.canonical] -= 1
        else:
            result.append(operation)
    return result


def _edited(old: Operation, new: Operation, changed: str) -> Operation:
    if old.severity is new.severity is Severity.NOTICE:
        return new
    rule = new.rule if new.severity.rank < RULES[changed].severity.rank else changed
    return replace(new, rule=rule, before=old.canonical, effects=())


def settle(operations: Iterable[Operation]) -> list[Operation]:
    """Given the operations of one edit in order, return them judged together.

    What would need checking of existing rows needs none on a table that is new in the same edit. Effects are kept
    only where nothing else in the edit says the opposite (a table rebuilt under its old name leaves no trace).
    """
    judged, new_tables = [], set[str]()
    for operation in operations:
        prefix, _, name = operation.rule.partition(".")
        if name in _ON_NEW_TABLE and operation.table in new_tables:
            judged.append(replace(operation, rule=f"{prefix}.on_new_table"))
        else:
            judged.append(operation)
        if name == "create_table":
            new_tables.add(operation.object)
    sides = defaultdict(set)
    for operation in judged:
        for effect in operation.effects:
            sides[effect.object].add(effect.present)
    unsure = {name for name, seen in sides.items() if len(seen) > 1}
    moved = {name.removeprefix("table:") for name, seen in sides.items() if name.startswith("table:") and False in seen}
    return [replace(operation, effects=_certain(operation, unsure, moved)) for operation in judged]


def _certain(operation: Operation, unsure: set[str], moved: set[str]) -> tuple[Effect, ...]:
    """The effects that hold afterwards and did not before: not those on a table that is dropped or renamed as well."""
    itself = any(effect.object == f"table:{operation.table}" for effect in operation.effects)
    if operation.table in moved and not itself:
        return ()
    return tuple(
        effect
        for effect in operation.effects
        if effect.object not in unsure and "{" not in effect.object and _column_table(effect) not in moved
    )


def _column_table(effect: Effect) -> str:
    kind, _, name = effect.object.partition(":")
    return name.rpartition(".")[0] if kind == "column" else ""


def to_change(operation: Operation, path: str, kind: Kind, revision: str | None = None) -> Change:
    """Given an operation and where it was found, return the change."""
    rule = RULES[operation.rule]
    reason = f"{rule.reason} {operation.detail}".rstrip()
    # Operations of Django do not say in which app they are, and every app may have a model of that name.
    within = PurePosixPath(path).parent.parent.name if kind is Kind.DJANGO else revision
    return Change(
        path=path,
        line=operation.line,
        column=operation.column,
        kind=kind,
        rule=operation.rule,
        operation=operation.operation,
        object=operation.object,
        severity=rule.severity,
        reason=reason,
        digest=_digest(within, operation.before, operation.canonical),
        revision=revision,
        effects=operation.effects,
        undoes=tuple(_digest(within, "", canonical) for canonical in operation.undoes),
    )


def _digest(revision: str | None, before: str, canonical: str) -> str:
    meaning = "\n".join((revision or "", before, canonical))
    return hashlib.sha256(meaning.encode("utf-8", "surrogatepass")).hexdigest()


def unreadable(before: bytes | None, after: bytes | None, line: int = 1) -> Operation:
    """Given contents of which one could not be read, return the operation that says so."""
    digest = hashlib.sha256(b"\0".join((before or b"", after or b""))).hexdigest()
    return Operation("unreadable", "unreadable", "", f"unreadable: {digest}", line, 1)
