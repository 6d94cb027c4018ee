"""The definition that counts is the last one, wherever it comes from; what runs when a file is loaded is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ics_guard.model import Change, Kind, Severity

Find = Callable[..., list[Change]]

REVISION = (
    "import sqlalchemy as sa\nfrom alembic import op\n\nrevision = 'b2'\ndown_revision = 'a1'\n\n"
    "def made(name):\n    op.create_table(name)\n\n\n"
    "def upgrade():\n    made('t')\n\n\ndef downgrade():\n    op.drop_table('t')\n"
)
MIGRATION = (
    "from django.db import migrations, models\n\n\ndef fill(apps, schema_editor):\n    pass\n\n\n"
    "class Migration(migrations.Migration):\n    dependencies = [('app', '0001')]\n"
    "    operations = [migrations.RunPython(fill, fill)]\n"
)
DROP = "op.drop_table('episodes')"

ANOTHER_REVISION = [
    (f"def upgrade():\n    {DROP}", "alembic.drop_table"),
    (f"def made(name):\n    {DROP}", "alembic.drop_table"),
    (f"if sa:\n    def upgrade():\n        {DROP}", "alembic.foreign_code"),
    (f"class upgrade:\n    def __init__(self):\n        {DROP}", "alembic.foreign_code"),
    ("class upgrade:\n    pass", "alembic.foreign_code"),
    ("from app import drop_everything as upgrade", "alembic.foreign_code"),
    ("import app.drop as upgrade", "alembic.foreign_code"),
    ("try:\n    from app import upgrade\nexcept ImportError:\n    pass", "alembic.foreign_code"),
    ("from app import *", "alembic.foreign_code"),
    ("from app import op", "alembic.upgrade_changed"),
    ("from app import made", "alembic.foreign_code"),
    ("from app import revision", "alembic.foreign_code"),
    ("import app\nupgrade, other = app.ways()", "alembic.foreign_code"),
    ("import app\nupgrade = app.drop", "alembic.foreign_code"),
    ("x = (upgrade := sa.drop)", "alembic.foreign_code"),
    ("for upgrade in sa.ways:\n    pass", "alembic.foreign_code"),
    ("del upgrade", "alembic.foreign_code"),
    (f"def other() -> {DROP}:\n    pass", "alembic.drop_table"),
    (f"def other(name: {DROP}):\n    pass", "alembic.drop_table"),
    (f"def other(name={DROP}):\n    pass", "alembic.drop_table"),
    (f"other = lambda name={DROP}: name", "alembic.foreign_code"),
    (f"other: {DROP} = 1", "alembic.foreign_code"),
    (f"class A(metaclass={DROP}):\n    pass", "alembic.drop_table"),
    (f"class A({DROP}):\n    pass", "alembic.drop_table"),
    (f"class A:\n    {DROP}", "alembic.drop_table"),
    (f"class A:\n    x = {DROP}", "alembic.drop_table"),
    (f"class A:\n    def go(self, x={DROP}):\n        pass", "alembic.drop_table"),
    (f"@{DROP}\ndef other():\n    pass", "alembic.foreign_code"),
    ("import os\n@os.system\ndef other():\n    pass", "alembic.foreign_code"),
    ("import os\nx = os.system('rm data/app.db')", "alembic.foreign_code"),
    ("import app\nx = app.drop_everything()", "alembic.upgrade_changed"),
    ("import sqlite3\nx = sqlite3.connect('a').executescript('DROP TABLE t')", "sql.drop_table"),
]
"""What stands below the rest of a revision that is there already, and a rule that must come out."""


@pytest.mark.parametrize(("line", "rule"), ANOTHER_REVISION)
def test_what_is_put_below_a_revision_is_found(find: Find, line: str, rule: str) -> None:
    assert rule in [change.rule for change in find(Kind.ALEMBIC, REVISION, f"{REVISION}\n\n{line}\n")]


def test_what_a_nested_definition_runs_is_found(find: Find) -> None:
    for line in (
        f"def inner() -> {DROP}:\n        pass",
        f"def inner(x={DROP}):\n        pass",
        f"class A:\n        {DROP}",
    ):
        edited = REVISION.replace("    made('t')", f"    {line}\n    made('t')")
        assert "alembic.drop_table" in [change.rule for change in find(Kind.ALEMBIC, REVISION, edited)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from app import one as upgrade", "from app import two as upgrade"),
        ("upgrade = app.one", "upgrade = app.two"),
        ("from app import *", "from app.other import *"),
        ("class upgrade: a = 1", "class upgrade: a = 2"),
        (
            "sql = 'a'\nsql = sql + 'b'\ndef upgrade():\n    op.execute(sql)",
            "sql = 'c'\nsql = sql + 'b'\ndef upgrade():\n    op.execute(sql)",
        ),
    ],
)
def test_another_thing_under_the_name_is_found(find: Find, before: str, after: str) -> None:
    assert find(Kind.ALEMBIC, REVISION + before, REVISION + after)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("from app.hidden import *", "alembic.foreign_code"),
        ("from .hidden import *", "alembic.foreign_code"),
        ("from app.hidden import revision, down_revision, upgrade", "alembic.foreign_code"),
        ("if True:\n    from app.hidden import revision, down_revision, upgrade", "alembic.foreign_code"),
        ("def __getattr__(name):\n    return 1", "alembic.foreign_code"),
        ("globals().update(revision='a', down_revision=None)", "alembic.foreign_code"),
        ("import sqlite3\nsqlite3.connect('data/app.db').executescript('DROP TABLE t')", "alembic.helper"),
        ("import os\nos.system('sqlite3 data/app.db < x.sql')", "alembic.helper"),
        ("from os import system as s\nx = s('rm data/app.db')", "alembic.helper"),
        ("import subprocess\nlist(map(subprocess.run, [['rm']]))", "alembic.helper"),
        ("def go():\n    conn.execute(x)\ngo()", "alembic.helper"),
        ("class A:\n    def go(self):\n        conn.execute(x)\nA().go()", "alembic.helper"),
        ("class A:\n    conn.execute(x)", "alembic.helper"),
        ("exec(x)", "alembic.helper"),
    ],
)
def test_a_new_file_of_the_folder_is_not_nothing(find: Find, text: str, rule: str) -> None:
    found = find(Kind.ALEMBIC, None, text)
    assert rule in [change.rule for change in found]
    assert Severity.UNKNOWN in [change.severity for change in found]
    assert find(Kind.ALEMBIC, "X = 1", text)


def test_a_decorator_from_elsewhere_makes_another_way_up(find: Find) -> None:
    text = REVISION.replace("def upgrade", "from app import wrapped\n@wrapped\ndef upgrade")
    assert "alembic.foreign_code" in [change.rule for change in find(Kind.ALEMBIC, None, text)]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("from app import Migration", "django.foreign_code"),
        ("from app import Other as Migration", "django.foreign_code"),
        ("from app import *", "django.foreign_code"),
        ("try:\n    from app import Migration\nexcept ImportError:\n    pass", "django.foreign_code"),
        ("from app import fill", "django.operation_changed"),
        ("def fill(apps, schema_editor):\n    apps.get_model('a', 'B').objects.all().delete()", "django.delete_all"),
        ("from django.db import connection\nx = connection.cursor().execute('DROP TABLE m')", "django.foreign_code"),
        ("from django.db import connection\nconnection.cursor().execute('DROP TABLE m')", "django.foreign_code"),
        ("from app import Show\nShow.objects.all().delete()", "django.foreign_code"),
        ("def other() -> connection.cursor().execute('DROP TABLE m'):\n    pass", "django.foreign_code"),
    ],
)
def test_what_is_put_below_a_migration_is_found(find: Find, line: str, rule: str) -> None:
    assert rule in [change.rule for change in find(Kind.DJANGO, MIGRATION, f"{MIGRATION}\n\n{line}\n")]


def test_what_another_file_of_the_folder_runs_is_found(find: Find) -> None:
    text = "from django.db import connection\nconnection.cursor().execute('DROP TABLE m')\n"
    for path in ("app/migrations/helpers.py", "app/migrations/__init__.py", "app/migrations/0002_x.py"):
        assert [change.rule for change in find(Kind.DJANGO, None, text, path)] == ["django.helper"]
        assert [change.rule for change in find(Kind.DJANGO, "", text, path)] == ["django.helper"]


def test_a_file_that_may_get_its_migration_from_elsewhere_is_not_nothing(find: Find) -> None:
    for path in ("app/migrations/0002_x.py", "app/migrations/hidden.py"):
        for text in ("from app.hidden import *\n", "from app.hidden import Migration\n"):
            assert "django.foreign_code" in [change.rule for change in find(Kind.DJANGO, None, text, path)]
            assert find(Kind.DJANGO, text, text.replace("hidden", "other"), path)


SILENT = [
    "",
    "from .x import y",
    "def helper(name):\n    return name.lower()",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app import *\n    from app import upgrade, revision",
    "import typing\nif typing.TYPE_CHECKING:\n    from app import Migration",
    "import logging\nlogger = logging.getLogger(__name__)\nlogging.basicConfig(level=logging.INFO)",
    "import sqlalchemy as sa\nX = sa.table('x', sa.column('a'))\nY = sa.MetaData()",
    "from typing import overload\n@overload\ndef f(a: int) -> int: ...\n@overload\n"
    "def f(a: str) -> str: ...\ndef f(a): return a",
    "try:\n    from app import f\nexcept ImportError:\n    def f(a):\n        return a",
    "try:\n    def f(a):\n        return a\nexcept Exception:\n    def f(a):\n        return 1",
    "class A:\n    @property\n    def x(self): return 1\n    @x.setter\n    def x(self, value): self.y = value",
    "import logging\nlog = logging.getLogger(__name__)",
    "import re\nPATTERN = re.compile('x')\nNAMES = [name.lower() for name in ('A', 'B')]",
    "class Importer:\n    def __init__(self, path):\n        self.path = path\n"
    "    def run(self):\n        self.cursor.executescript(self.path)\nDEFAULT = Importer('x')",
    "import os\nHERE = os.path.dirname(__file__)\nLEVEL = os.environ.get('LEVEL', 'x')",
    "if __name__ == '__main__':\n    import os\n    os.system('x')",
    "from sqlalchemy import *\nfrom django.db.models import *",
    "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    x: int = 0",
]
"""What changes nothing, below whatever it stands."""


@pytest.mark.parametrize("text", SILENT)
def test_what_binds_and_runs_nothing_is_silent(find: Find, text: str) -> None:
    assert find(Kind.ALEMBIC, None, text) == []
    assert find(Kind.ALEMBIC, "X = 1", text) == []
    assert find(Kind.DJANGO, None, text, "app/migrations/helpers.py") == []


@pytest.mark.parametrize(
    "text", [text for text in SILENT if "basicConfig" not in text and "__main__" not in text and "try" not in text]
)
def test_what_binds_and_runs_nothing_is_silent_below_a_migration(find: Find, text: str) -> None:
    assert find(Kind.ALEMBIC, REVISION, f"{REVISION}\n{text}\n") == []
    assert find(Kind.DJANGO, MIGRATION, f"{MIGRATION}\n{text}\n") == []


def test_a_package_is_no_migration(find: Find) -> None:
    for text in ("from .x import *\n", "from .x import upgrade, y\n", "from app import *\n"):
        assert find(Kind.ALEMBIC, None, text, "versions/__init__.py") == []
        assert find(Kind.DJANGO, None, text, "app/migrations/__init__.py") == []


def test_the_order_of_imports_is_no_change(find: Find) -> None:
    first = "from app.models import *\nfrom app.types import Code\n"
    second = "from app.types import Code\nfrom app.models import *\n"
    assert find(Kind.ALEMBIC, first + REVISION, second + REVISION) == []
    assert find(Kind.DJANGO, first + MIGRATION, second + MIGRATION) == []
