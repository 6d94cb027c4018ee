"""Django migrations: every operation, edits with and without meaning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ics_guard.model import Change, Kind

Find = Callable[..., list[Change]]


def migration(operations: str, extra: str = "") -> str:
    """A migration file with these operations."""
    return (
        "from django.db import migrations, models\n\n\ndef fill(apps, editor):\n    pass\n\n\n"
        "class Migration(migrations.Migration):\n    dependencies = [('app', '0001')]\n"
        f"    operations = [{operations}]\n{extra}"
    )


HITS = [
    ("migrations.CreateModel(name='Show', fields=[])", "django.create_model show"),
    ("migrations.DeleteModel('Show')", "django.delete_model show"),
    ("migrations.RenameModel('Show', 'Play')", "django.rename show"),
    ("migrations.AddField('show', 'title', models.TextField(default=''))", "django.add_field show.title"),
    ("migrations.AddField('show', 'title', models.TextField(null=True))", "django.add_field show.title"),
    ("migrations.AddField('show', 'tags', models.ManyToManyField('app.Tag'))", "django.add_field show.tags"),
    ("migrations.AddField('show', 'title', models.TextField())", "django.add_required_field show.title"),
    ("migrations.RemoveField(model_name='show', name='title')", "django.remove_field show.title"),
    ("migrations.AlterField('show', 'title', models.CharField(max_length=9))", "django.alter_field show.title"),
    ("migrations.AddIndex('show', models.Index(fields=['a'], name='i'))", "django.add_index show"),
    ("migrations.RemoveIndex('show', 'i')", "django.remove_index show"),
    ("migrations.AddConstraint('show', c)", "django.add_constraint show"),
    ("migrations.RemoveConstraint('show', 'c')", "django.remove_constraint show"),
    ("migrations.AlterModelOptions('show', options={})", "django.state show"),
    ("migrations.RunPython(fill)", "django.run_python {fill}"),
    ("migrations.RunSQL('DROP TABLE t', migrations.RunSQL.noop)", "sql.drop_table t"),
    ("migrations.RunSQL([('DROP TABLE t', None)])", "sql.drop_table t"),
    ("migrations.RunSQL('UPDATE t SET a = 1 WHERE b')", "django.run_python "),
    ("migrations.RunSQL(open('x').read())", "django.unknown_operation "),
    ("migrations.SeparateDatabaseAndState(database_operations=[migrations.DeleteModel('Show')])",
     "django.delete_model show"),
    ("migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel('Show')])",
     "django.state "),
    ("Custom()", "django.unknown_operation "),
    ("*more", "django.unknown_operation "),
    ("", "django.migration "),
]  # fmt: skip

ADD = "migrations.AddField('show', 'title', models.TextField(null=True))"


@pytest.mark.parametrize(("operations", "expected"), HITS)
def test_a_new_migration_is_its_operations(find: Find, operations: str, expected: str) -> None:
    changes = find(Kind.DJANGO, None, migration(operations))
    assert [f"{change.rule} {change.object}" for change in changes] == [expected]


@pytest.mark.parametrize(
    "after",
    [
        migration(ADD) + "\n# note\n",
        migration("\n        migrations.AddField(\n 'show',\n \"title\", models.TextField(null=True),\n),"),
        migration(ADD).replace("class Migration", "class  Migration").replace("operations =", "operations: list ="),
        migration(ADD).replace("import migrations, models", "import migrations as migrations, models"),
        migration(ADD).replace("    dependencies", "    '''Why.'''\n    dependencies"),
    ],
)
def test_an_edit_without_meaning_is_no_change(find: Find, after: str) -> None:
    assert find(Kind.DJANGO, migration(ADD), after) == []


@pytest.mark.parametrize(
    ("after", "rules"),
    [
        (migration(ADD.replace("null=True", "default=1")), ["django.operation_changed"]),
        (migration(""), ["django.operation_removed"]),
        (migration(f"{ADD}, migrations.DeleteModel('x')"), ["django.delete_model"]),
        (migration(ADD).replace("0001", "0002"), ["django.graph"]),
        (migration(ADD, "    atomic = False\n"), ["django.graph"]),
        (migration(ADD, "    operations += more\n"), ["django.unknown_operation"]),
        (migration(ADD).replace("class Migration", "class Other"), ["django.migration_deleted"]),
        (None, ["django.migration_deleted"]),
        ("class Migration(", ["unreadable"]),
    ],
)
def test_an_edit_with_meaning_is_reported(find: Find, after: str | None, rules: list[str]) -> None:
    assert [change.rule for change in find(Kind.DJANGO, migration(ADD), after)] == rules


def test_the_code_that_a_migration_runs_is_part_of_it(find: Find) -> None:
    text = migration("migrations.RunPython(fill)")
    changes = find(Kind.DJANGO, text, text.replace("    pass", "    apps.clear()"))
    assert [change.rule for change in changes] == ["django.code_changed"]


@pytest.mark.parametrize(
    "text", ["", "class Migration:\n    operations = [1]\n", "class Importer(Recipe):\n    pass\n"]
)
def test_files_that_are_no_migration(find: Find, text: str) -> None:
    assert find(Kind.DJANGO, None, text) == []
    assert find(Kind.DJANGO, text, None) == []
