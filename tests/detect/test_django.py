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
    ("migrations.RunSQL(open('x').read(), '')", "django.dynamic "),
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
    ("migrations.AlterUniqueTogether('show', {('a', 'b')})", "django.add_constraint show"),
    ("migrations.AlterUniqueTogether('show', set())", "django.remove_constraint show"),
    ("migrations.AlterUniqueTogether(name='show', unique_together=None)", "django.remove_constraint show"),
    ("migrations.AlterIndexTogether('show', index_together=[])", "django.remove_index show"),
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
        migration("migrations.AddField(name='title', model_name='show', field=models.TextField(null=True))"),
        migration("migrations.AddField('show', 'title', field=models.TextField(null=True))"),
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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RunSQL('DROP TABLE t', 'SELECT 1')", "RunSQL(reverse_sql='SELECT 1', sql='drop  table t')"),
        ("RenameField('show', 'a', 'b')", "RenameField(model_name='show', old_name='a', new_name='b')"),
        ("RunPython(fill, fill)", "RunPython(code=fill, reverse_code=fill)"),
        (
            "CreateModel('Show', [('id', models.AutoField())])",
            "CreateModel(fields=[('id', models.AutoField())], name='Show')",
        ),
    ],
)
def test_arguments_by_place_or_by_name_are_one_thing(find: Find, before: str, after: str) -> None:
    old, new = (migration(f"migrations.{text}") for text in (before, after))
    assert find(Kind.DJANGO, old, new) == find(Kind.DJANGO, new, old) == []


HEAD = "from django.db import migrations as m\nfrom django.db.models import *\n"
BASE = "class Base(m.Migration):\n    operations = [m.DeleteModel('Show')]\n\n\n"
OWN = "class Migration(m.Migration):\n    dependencies = [('app', '0001')]\n    operations = [m.DeleteModel('A')]\n\n\n"

ELSEWHERE = [
    (BASE + "class Migration(Base):\n    dependencies = []\n", "django.delete_model show"),
    (BASE + "class Mixin:\n    pass\n\n\nclass Migration(Mixin, Base):\n    pass\n", "django.delete_model show"),
    (BASE + "class Migration(Base):\n    operations = [*Base.operations, m.DeleteModel('B')]\n",
     "django.delete_model show", "django.delete_model b"),
    (BASE + "class Migration(Base):\n    operations = []\n", "django.migration "),
    (BASE + "Migration = Base\n", "django.delete_model show"),
    (BASE + "if x:\n    Migration = Base\n", "django.delete_model show"),
    ("Migration = type('Migration', (m.Migration,), {'operations': [m.DeleteModel('X')]})", "django.delete_model x"),
    ("Migration = type('Migration', (m.Migration,), made)", "django.foreign_code "),
    ("Migration = make(m.Migration)", "django.foreign_code "),
    ("from app.migrations.base import Migration", "django.foreign_code "),
    ("from .base import *", "django.foreign_code "),
    ("try:\n    from .base import Migration\nexcept ImportError:\n    pass", "django.foreign_code "),
    ("from .base import Migration as M\n\n\nclass Migration(M):\n    dependencies = []\n", "django.foreign_code "),
    ("from .base import Foo\n\n\nclass Migration(Foo):\n    dependencies = []\n", "django.foreign_code "),
    ("from .base import Foo\n\n\nclass Migration(Foo):\n    operations = [m.DeleteModel('A')]\n",
     "django.delete_model a"),
    ("from .base import Migration\nMigration.operations = [m.DeleteModel('A')]", "django.foreign_code "),
    ("globals()['Migration'] = make()", "django.foreign_code "),
    ("if x:\n    class Migration(m.Migration):\n        operations = []\nelse:\n    class Migration(m.Migration):\n"
     "        operations = [m.DeleteModel('A')]\n", "django.delete_model a", "django.foreign_code "),
    (OWN + "Migration.operations = [m.DeleteModel('after')]", "django.delete_model a", "django.delete_model after"),
    (OWN + "Migration.operations += [m.DeleteModel('after')]", "django.delete_model a", "django.delete_model after"),
    (OWN + "Migration.operations.append(m.DeleteModel('after'))", "django.delete_model a", "django.delete_model after"),
    (OWN + "for n in ('b', 'c'):\n    Migration.operations.insert(0, m.DeleteModel(n))",
     "django.delete_model a", "django.delete_model b", "django.delete_model c"),
    (OWN + "Migration.operations.clear()", "django.delete_model a", "django.unknown_operation "),
    (OWN + "setattr(Migration, 'operations', more)", "django.delete_model a", "django.unknown_operation "),
    (OWN + "def grow():\n    Migration.operations.append(1)\n\n\ngrow()",
     "django.delete_model a", "django.unknown_operation "),
    (BASE + "class Migration(Base):\n    pass\n\n\nBase.operations += [m.DeleteModel('B')]",
     "django.delete_model show", "django.delete_model b"),
    (OWN + "Migration.atomic = False", "django.delete_model a"),
    ("@wrapped\n" + OWN, "django.delete_model a", "django.foreign_code "),
    (OWN + "    @property\n    def operations(self):\n        return []\n".replace("\n\n\n", ""),
     "django.delete_model a", "django.foreign_code "),
    ("class Migration(m.Migration):\n    dependencies, operations = [], [m.DeleteModel('A')]\n",
     "django.unknown_operation "),
    ("class Migration(m.Migration):\n    try:\n        operations = []\n    except E:\n"
     "        operations = [m.DeleteModel('A')]\n", "django.delete_model a"),
    ("class Migration(m.Migration):\n    operations = []\n    operations[0:0] = more\n", "django.unknown_operation "),
    ("class Migration(m.Migration):\n    operations = []\n    fill(operations)\n", "django.unknown_operation "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [(first, rest) for first, *rest in ELSEWHERE])
def test_operations_that_a_migration_gets_another_way(find: Find, text: str, expected: list[str]) -> None:
    text = text.replace("\n\n\n    @", "\n    @")
    assert [f"{change.rule} {change.object}" for change in find(Kind.DJANGO, None, HEAD + text)] == expected


def test_operations_put_into_a_class_from_below_are_part_of_it(find: Find) -> None:
    text = HEAD + OWN + "Migration.operations = [m.DeleteModel('after')]\n"
    changes = find(Kind.DJANGO, text, text.replace("after", "other"))
    assert [change.rule for change in changes] == ["django.delete_model", "django.operation_removed"]
    assert find(Kind.DJANGO, text, text.replace("[m.Del", "[\n    m.Del")) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("recipes/migrations/__init__.py", "from .base import Migration\n"),
        ("recipes/migrations/importer.py", "class Importer(Recipe):\n    pass\n\n\nMigration = 'x'\n"),
        ("recipes/migrations/importer.py", "from .base import Importer\nsetattr(Importer, 'a', 1)\n"),
        (
            "store/migrations/m0001_v1.py",
            "from store.migrations import Migration\nFIRST = Migration(1, 'DROP TABLE t')\n",
        ),
        ("store/migrations/types.py", "from .base import Migration\n\n\ndef run(one: Migration):\n    one.go()\n"),
        ("recipes/migrations/nextcloud.py", "from ._base import Base\n\n\nclass Nextcloud(Base):\n    x = 1\n"),
        ("app/migrations/0002_b.py", "from django.db.migrations import Migration\n"),
        (
            "recipes/migrations/types.py",
            "from collections import namedtuple\nMigration = namedtuple('Migration', 'a')\n",
        ),
    ],
)
def test_what_only_looks_like_a_migration_that_comes_from_elsewhere(find: Find, path: str, text: str) -> None:
    assert find(Kind.DJANGO, None, text, path) == find(Kind.DJANGO, text, None, path) == []


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("models.CharField(max_length=9, blank=True)", "django.add_field"),
        ("models.TextField(blank=True)", "django.add_field"),
        ("models.IntegerField(blank=True)", "django.add_required_field"),
        ("models.CharField(max_length=9)", "django.add_required_field"),
    ],
)
def test_text_that_may_be_blank_is_filled_with_nothing(find: Find, field: str, rule: str) -> None:
    text = (
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
        f"    operations = [migrations.AddField('show', 'n', {field})]\n"
    )
    assert find(Kind.DJANGO, None, text)[0].rule == rule


def test_the_way_in_which_a_name_is_imported_is_no_change(find: Find) -> None:
    text = (
        "import datetime\nfrom django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
        "    operations = [migrations.AddField('m', 'f', models.DurationField(default=datetime.timedelta(0, 3600)))]\n"
    )
    other = text.replace("import datetime\n", "from datetime import timedelta as td\n")
    other = other.replace("datetime.timedelta(", "td(")
    assert find(Kind.DJANGO, text, other) == []
    assert find(Kind.DJANGO, text, other.replace("timedelta as td", "time as td"))
