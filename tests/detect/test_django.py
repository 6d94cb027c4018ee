"""Django migrations: every operation, edits with and without meaning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ics_guard.detect import detect
from ics_guard.model import Change, Kind

Find = Callable[..., list[Change]]


def migration(operations: str, extra: str = "") -> str:
    """A migration file with these operations."""
    return (
        "from django.db import migrations, models\n\n\ndef fill(apps, editor):\n    pass\n\n\n"
        "def removal(model, field):\n    return migrations.RemoveField(model, field)\n\n\n"
        "def removed(model):\n    steps = []\n    for field in ('a', 'b'):\n"
        "        steps.append(removal(model, field))\n    return steps\n\n\n"
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
    ("migrations.AlterModelOptions('show', options={})", "django.migration ", "django.state show"),
    ("migrations.RunPython(fill, fill)", "django.run_python {fill}"),
    ("migrations.RunPython(fill)", "django.run_python {fill}", "django.irreversible RunPython"),
    ("migrations.RunPython(migrations.RunPython.noop, fill)", "django.migration "),
    ("migrations.RunSQL('DROP TABLE t', migrations.RunSQL.noop)", "sql.drop_table t"),
    ("migrations.RunSQL([('DROP TABLE t', None)])", "sql.drop_table t", "django.irreversible RunSQL"),
    ("migrations.RunSQL(sql='UPDATE t SET a = 1 WHERE b', reverse_sql='')", "django.run_python "),
    ("migrations.RunSQL(open('x').read(), '')", "django.unknown_operation "),
    ("migrations.RunSQL('DROP ' + 'TABLE {}'.format('t'), '')", "sql.drop_table t"),
    ("migrations.SeparateDatabaseAndState(database_operations=[migrations.DeleteModel('Show')])",
     "django.delete_model show"),
    ("migrations.SeparateDatabaseAndState([migrations.RunSQL('DROP TABLE t', '')], [migrations.DeleteModel('Show')])",
     "sql.drop_table t"),
    ("migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel('Show')])",
     "django.migration ", "django.state "),
    ("migrations.CreateModel('Show', [], options={'managed': False})", "django.migration ", "django.state show"),
    ("migrations.CreateModel('Show', [], options={'proxy': True})", "django.migration ", "django.state show"),
    ("migrations.AddField('show', 'tags', TaggableManager(through='x'))", "django.add_field show.tags"),
    ("migrations.AddField('show', 'n', models.IntegerField(default=None))", "django.add_required_field show.n"),
    ("TrigramExtension()", "django.create_object "),
    ("AddIndexConcurrently('show', models.Index(fields=['a'], name='i'))", "django.add_index show"),
    ("RemoveCollation('c', locale='x')", "django.remove_object c"),
    ("migrations.CreateModel('Show', []), migrations.AddField('show', 'n', models.IntegerField())",
     "django.create_model show", "django.on_new_model show.n"),
    ("migrations.AddField('show', 'n', models.IntegerField(null=True)), "
     "migrations.AlterField('show', 'n', models.IntegerField())",
     "django.add_field show.n", "django.set_not_null_filled show.n"),
    ("migrations.AlterField('show', 'n', models.IntegerField(null=True)), "
     "migrations.AlterField('show', 'n', models.IntegerField())",
     "django.alter_field show.n", "django.set_not_null show.n"),
    ("migrations.DeleteModel('A') if settings.X else migrations.DeleteModel('B')",
     "django.delete_model a", "django.delete_model b"),
    ("*[migrations.DeleteModel(name) for name in ('A', 'B')]", "django.delete_model a", "django.delete_model b"),
    ("*removed('Show')", "django.remove_field show.a", "django.remove_field show.b"),
    ("removal('Show', 'a')", "django.remove_field show.a"),
    ("Custom()", "django.unknown_operation "),
    ("*more", "django.unknown_operation "),
    ("", "django.migration "),
]  # fmt: skip

ADD = "migrations.AddField('show', 'title', models.TextField(null=True))"


@pytest.mark.parametrize(("operations", "expected"), [(first, rest) for first, *rest in HITS])
def test_a_new_migration_is_its_operations(find: Find, operations: str, expected: list[str]) -> None:
    changes = find(Kind.DJANGO, None, migration(operations))
    assert [f"{change.rule} {change.object}" for change in changes] == expected


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


ROWS = [
    ("Show.objects.all().delete()", ["django.delete_all show"]),
    ("Show.objects.using(editor.connection.alias).delete()", ["django.delete_all show"]),
    ("Show.objects.filter(old=True).delete()", ["django.change_rows show"]),
    ("Show.objects.update(title='')", ["django.update_all show"]),
    ("shows = Show.objects.all()\n    shows.delete()", ["django.delete_all show"]),
    ("shows = Show.objects.exclude(id=1)\n    shows.update(title='')", ["django.change_rows show"]),
    ("for show in Show.objects.all():\n        show.delete()", ["django.change_rows show"]),
    ("for show in Show.objects.all():\n        show.save()", []),
    ("{}.update(a=1)", []),
    ("editor.delete_model(Show)", ["django.delete_model show"]),
    ("editor.execute('DROP TABLE ' 'app_show')", ["sql.drop_table app_show"]),
    ("cursor.execute('SELECT 1')", []),
    ("clear(Show)", ["django.delete_all model"]),
]


@pytest.mark.parametrize(("body", "expected"), ROWS)
def test_what_the_code_of_a_migration_does_to_rows(find: Find, body: str, expected: list[str]) -> None:
    code = f"    Show = apps.get_model('app', 'Show')\n    {body}\n\n\n"
    code += "def clear(model):\n    model.objects.all().delete()\n"
    text = migration("migrations.RunPython(fill, fill)").replace("    pass\n", code, 1)
    first, *others = find(Kind.DJANGO, None, text)
    assert first.rule == "django.run_python"
    assert [f"{change.rule} {change.object}" for change in others] == expected


def test_operations_made_in_the_class_body(find: Find) -> None:
    body = (
        "    for name in ('A', 'B'):\n        operations.append(migrations.DeleteModel(name))\n"
        "    if True:\n        operations += [migrations.DeleteModel('C')]\n"
    )
    changes = find(Kind.DJANGO, None, migration("", body))
    assert [change.object for change in changes] == ["a", "b", "c"]


def test_a_squash_is_run_by_new_databases_only(find: Find) -> None:
    text = migration("migrations.DeleteModel('Show')", "    replaces = [('app', '0001'), ('app', '0002')]\n")
    (change,) = find(Kind.DJANGO, None, text)
    assert change.rule == "django.squash"
    assert [found.rule for found in find(Kind.DJANGO, text, text.replace("'Show'", "'Play'"))] == [
        "django.delete_model",
        "django.operation_removed",
    ]


def test_the_code_is_part_of_what_cannot_be_read(find: Find) -> None:
    text = migration("migrations.RunPython(fill, fill)")
    digests = {find(Kind.DJANGO, None, one)[0].digest for one in (text, text.replace("    pass\n", "    apps.x()\n"))}
    assert len(digests) == 2


def test_code_beside_the_migrations_that_they_may_run(find: Find) -> None:
    text = "def fill(apps, schema_editor):\n    apps.get_model('a', 'B').objects.all().delete()\n"
    assert [change.rule for change in find(Kind.DJANGO, None, text)] == ["django.helper"]
    assert [change.rule for change in find(Kind.DJANGO, text, text.replace(".all()", ""))] == ["django.helper"]
    assert find(Kind.DJANGO, text, '"""Why."""\n' + text) == []


@pytest.mark.parametrize(
    ("previous", "path", "rules"),
    [
        ("app/migrations/0002_b.py", "app/migrations/0002_c.py", ["django.graph"]),
        ("app/migrations/0002_b.py", "core/migrations/0002_b.py", []),
        ("app/migrations/0002_b.py", "core/migrations/0003_b.py", ["django.graph"]),
    ],
)
def test_django_knows_a_migration_by_the_name_of_its_file(previous: str, path: str, rules: list[str]) -> None:
    content = migration("migrations.DeleteModel('Show')").encode()
    found = detect(Kind.DJANGO, path, content, content, previous_path=previous)
    assert [change.rule for change in found] == rules
    assert detect(Kind.DJANGO, "app/migrations/b.py", b"x = 1", b"x = 1", previous_path="app/migrations/a.py") == []
