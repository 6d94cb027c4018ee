"""Every example in the table of rules in docs/detection.md is found under the rule it stands for.

A cell is code, `before` → `after`, or `before` → *gone*; a word before it says where the code stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from ics_guard.detect import detect
from ics_guard.detect.alembic.graph import graph_changes
from ics_guard.detect.django.graph import django_graph_changes
from ics_guard.detect.rules import RULES
from ics_guard.model import Change, Kind
from tests.alembic_support import alembic, make_alembic_repository, write_revision
from tests.detect.conftest import PATHS
from tests.support import git, ics_guard, make_repository

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "detection.md").read_text()
CELL = re.compile(r"(?:(?P<where>[a-z]+) )?(?P<codes>`.+`)(?P<gone> → \*gone\*)?")
WAY_DOWN = re.compile(r"up `(?P<up>[^`]+)` down (?P<codes>`.+`)")
COLUMNS = re.compile(r"(?<!\\)\|")
FILE = re.compile(
    r"(?P<name>\w+)(?: after (?P<parents>\w+(?:, \w+)*))?(?: replaces (?P<replaced>\w+))?(?:: (?P<done>.+))?"
)


class Row(NamedTuple):
    """One line of the table."""

    rule: str
    severity: str
    reason: str
    example: str


class Example(NamedTuple):
    """A cell, read: where its code stands, and both versions of it."""

    where: str
    before: str | None
    after: str | None


def rows() -> list[Row]:
    """The table of the page."""
    cells = [COLUMNS.split(line)[1:-1] for line in DOCUMENTED.splitlines() if line.startswith("| `")]
    return [Row(*(cell.strip().replace("\\|", "|") for cell in line)) for line in cells]


def read(cell: str) -> Example:
    """Given a cell, return what it says; the way up is written out again before the way down."""
    down = WAY_DOWN.fullmatch(cell)
    found = down or CELL.fullmatch(cell)
    assert found, cell
    codes = [code.strip("`") for code in found["codes"].split(" → ")]
    if down:
        codes = [f"{down['up']}\0{code}" for code in codes]
        return Example("up", *(codes if len(codes) == 2 else (None, *codes)))
    before, after = codes if len(codes) == 2 else (codes[0], None) if found["gone"] else (None, codes[0])
    return Example(found["where"] or "", before, after)


def sql(text: str) -> str:
    return text


def revision(text: str) -> str:
    """A revision that does this; without a way down in the example, that one is somebody else's function."""
    up, _, down = text.partition("\0")
    return (
        "from alembic import op\nimport sqlalchemy as sa\nimport app\n\nrevision = 'b'\ndown_revision = 'a'\n\n\n"
        f"def upgrade():\n    {up}\n\n\ndef downgrade():\n    {down or 'app.undo()'}\n"
    )


def migration(operation: str) -> str:
    return (
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
        f"    dependencies = [('app', 'a')]\n    operations = [{operation}]\n"
    )


def filling(body: str) -> str:
    """A migration that runs a function with this body."""
    return f"def fill(apps, schema_editor):\n    Show = apps.get_model('app', 'Show')\n    {body}\n\n\n" + migration(
        "migrations.RunPython(fill, fill)"
    )


def model(line: str) -> str:
    return f"class Show(Base):\n    __tablename__ = 'shows'\n    {line}\n"


KINDS: Mapping[str, tuple[Kind, Callable[[str], str]]] = {
    "sql": (Kind.SQL, sql),
    "alembic": (Kind.ALEMBIC, revision),
    "django": (Kind.DJANGO, migration),
    "model": (Kind.MODEL, model),
    "unreadable": (Kind.ALEMBIC, sql),
}
WRAPPED: Mapping[str, Callable[[str], str]] = {"file": sql, "fill": filling}
ELSEWHERE = {"rollback": "migrations/x.down.sql"}


def by_file(rule: str, example: Example) -> list[Change]:
    """What is found in one file."""
    kind, wrap = KINDS[rule.partition(".")[0]]
    wrap = WRAPPED.get(example.where, wrap)
    before, after = (None if text is None else wrap(text).encode() for text in (example.before, example.after))
    return detect(kind, ELSEWHERE.get(example.where, PATHS[kind]), before, after)


def history(rule: str, text: str) -> dict[str, bytes]:
    """The files of `a; b after a`, by their paths."""
    make = alembic_file if rule.startswith("alembic.") else django_file
    return dict(make(number, one) for number, one in enumerate(text.split("; ")))


def alembic_file(number: int, text: str) -> tuple[str, bytes]:
    found = FILE.fullmatch(text)
    assert found, text
    parents = tuple(found["parents"].split(", ")) if found["parents"] else None
    return f"versions/{number}.py", (
        f"revision = {found['name']!r}\ndown_revision = {parents!r}\n\n\ndef upgrade():\n    pass\n".encode()
    )


def django_file(_: int, text: str) -> tuple[str, bytes]:
    found = FILE.fullmatch(text)
    assert found, text
    parents = [("app", name) for name in (found["parents"] or "").split(", ") if name]
    replaced = [("app", found["replaced"])] if found["replaced"] else []
    return f"app/migrations/{found['name']}.py", (
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
        f"    replaces = {replaced}\n    dependencies = {parents}\n    operations = [{found['done'] or ''}]\n"
    ).encode()


def by_history(rule: str, example: Example) -> list[Change]:
    """What is found in a whole folder, file by file and in its graph."""
    before, after = (history(rule, text or "") if text else {} for text in (example.before, example.after))
    kind, graph = (Kind.ALEMBIC, graph_changes) if rule.startswith("alembic.") else (Kind.DJANGO, django_graph_changes)
    single = [
        change for path in sorted(before | after) for change in detect(kind, path, before.get(path), after.get(path))
    ]
    return graph(before, after, single)


def checked(folder: Path) -> list[str]:
    """The rules that `ics-guard check` names in a repository."""
    return [change["rule"] for change in json.loads(ics_guard(folder, "check", "--json").stdout)["changes"]]


def by_repository(folder: Path, example: Example) -> list[str]:
    """What is found where a database has applied the text before, or where the configuration is edited."""
    if example.where == "applied":
        project = make_alembic_repository(folder)
        write_revision(project, "0003", example.before or "")
        git(project, "add", "-A")
        git(project, "commit", "-qm", "third", "--no-verify")
        assert alembic(project, "upgrade", "head").returncode == 0
        write_revision(project, "0003", example.after or "")
        return checked(project)
    project, path = make_repository(folder), folder / "ics-guard.toml"
    base = path.read_text()
    if example.where == "signers":
        path = project / ".ics-guard" / "allowed_signers"
        path.parent.mkdir()
        path.write_text(f"{example.after}\n")
    elif example.where == "store":
        assert f"store = {example.before}" in base
        path.write_text(base.replace(f"store = {example.before}", f"store = {example.after}"))
    else:
        path.write_text(f"{base}[policy]\n{example.before}\n")
        git(project, "commit", "-qam", "policy", "--no-verify")
        path.write_text(f"{base}[policy]\n{example.after}\n")
    git(project, "add", "-A")
    return checked(project)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.rule)
def test_an_example_is_found_under_its_rule(row: Row, tmp_path: Path) -> None:
    rule, example = row.rule.strip("`"), read(row.example)
    if example.where in ("applied", "signers", "policy", "store"):
        found = by_repository(tmp_path / "repository", example)
    elif example.where == "history":
        found = [change.rule for change in by_history(rule, example)]
    else:
        found = [change.rule for change in by_file(rule, example)]
    assert rule in found


def test_every_rule_has_one_row_with_its_severity_and_reason() -> None:
    assert [(row.rule, row.severity, row.reason) for row in rows()] == [
        (f"`{name}`", rule.severity, rule.reason) for name, rule in RULES.items()
    ]
