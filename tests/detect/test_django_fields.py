"""A field that is altered, judged by what earlier migrations of its app say of it; in doubt it stays a risk."""

from __future__ import annotations

import pytest

from ics_guard.detect import detect
from ics_guard.detect.django.graph import django_graph_changes
from ics_guard.model import Change, Kind, Severity


def folder(*migrations: str, head: str = "") -> dict[str, bytes]:
    """A chain of migrations that do these things."""
    return {
        f"shows/migrations/{number:04}.py": (
            f"from django.db import migrations, models\nfrom app import custom\n{head}\n\n"
            "class Migration(migrations.Migration):\n"
            f"    dependencies = {[('shows', f'{number - 1:04}')] if number > 1 else []}\n"
            f"    operations = [{done.replace('m.', 'models.').replace('op.', 'migrations.')}]\n"
        ).encode()
        for number, done in enumerate(migrations, 1)
    }


def last(*migrations: str, head: str = "") -> Change:
    """What the last operation of the last one is told as, new in this edit."""
    after = folder(*migrations, head=head)
    path = max(after)
    found = detect(Kind.DJANGO, path, None, after[path])
    before = {name: content for name, content in after.items() if name != path}
    judged = django_graph_changes(before, after, found)
    assert len(judged) == len(found)
    return [change for change in judged if change.operation != "downgrade"][-1]


CREATE = "op.CreateModel('Show', [('n', m.TextField(null=True)), ('c', m.CharField(max_length=100))])"
REQUIRED = "op.AlterField('show', 'n', m.TextField())"
LINK = "op.AddField('show', 'k', m.ForeignKey(on_delete=m.CASCADE, to='a.B'))"
SHORT = "op.AlterField('show', 'c', m.CharField(max_length=3))"

JUDGED = [
    ([CREATE, REQUIRED], "django.set_not_null"),
    ([CREATE, "op.AlterField(field=m.TextField(null=False), name='n', model_name='Show')"], "django.set_not_null"),
    ([CREATE, "op.AlterField('show', 'n', m.ForeignKey('x.Y', m.CASCADE))"], "django.set_not_null"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField(default=''))"], "django.set_not_null_filled"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField(default=None))"], "django.set_not_null"),
    ([CREATE, f"op.RunSQL(\"UPDATE s SET n = '' WHERE n IS NULL\", ''), {REQUIRED}"], "django.set_not_null_filled"),
    ([CREATE, f"op.RunSQL('UPDATE s SET x = 1 WHERE y', ''), {REQUIRED}"], "django.set_not_null"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField(null=True, help_text='x'))"], "django.field_state"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField('words', blank=True, null=True))"], "django.field_state"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField(null=True, unique=True))"], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField(null=True, default='x'))"], "django.alter_field"),
    ([LINK, "op.AlterField('show', 'k', m.ForeignKey(on_delete=m.CASCADE, to='a.C'))"], "django.alter_field"),
    ([LINK, "op.AlterField('show', 'k', m.ForeignKey(on_delete=m.PROTECT, to='a.B', related_name='x'))"],
     "django.field_state"),
    ([CREATE, "op.AddIndex('show', m.Index(fields=['n'], name='i'))", REQUIRED], "django.set_not_null"),
    ([CREATE, REQUIRED, "op.AlterField('show', 'n', m.TextField(help_text='x'))"], "django.field_state"),
    ([CREATE, "op.RenameField('show', 'n', 'o')", "op.AlterField('show', 'o', m.TextField())"], "django.set_not_null"),
    ([CREATE, "op.RenameModel('Show', 'Play')", "op.AlterField('play', 'n', m.TextField())"], "django.set_not_null"),
    (["", "op.AddField('show', 'n', m.TextField(null=True))", "", REQUIRED], "django.set_not_null"),
    ([CREATE, SHORT], "django.narrow_type"),
    ([CREATE, SHORT, SHORT.replace("3", "4")], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'c', m.TextField())"], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'c', m.IntegerField())"], "django.narrow_type"),
    ([CREATE, "op.AlterField('show', 'c', m.SlugField())"], "django.narrow_type"),
    (["op.AddField('show', 'n', m.BigIntegerField())", "op.AlterField('show', 'n', m.IntegerField())"],
     "django.narrow_type"),
    (["op.AddField('show', 'n', m.IntegerField())", "op.AlterField('show', 'n', m.PositiveIntegerField())"],
     "django.alter_field"),
    (["op.AddField('show', 'n', m.DecimalField(max_digits=9, decimal_places=2))",
      "op.AlterField('show', 'n', m.DecimalField(max_digits=9, decimal_places=1))"], "django.narrow_type"),
    (["op.AddField('show', 'n', m.DateTimeField())", "op.AlterField('show', 'n', m.DateField())"],
     "django.narrow_type"),
    # in doubt
    ([REQUIRED], "django.alter_field"),
    ([CREATE, "Custom()", REQUIRED], "django.alter_field"),
    ([CREATE, "*more", REQUIRED], "django.alter_field"),
    ([CREATE, "op.SeparateDatabaseAndState([], [op.RemoveField('show', 'n')])", REQUIRED], "django.alter_field"),
    ([CREATE, "op.RunSQL('DROP VIEW v', state_operations=[])", REQUIRED], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'n', custom.TextField())"], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField(**given))"], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'n', m.TextField(null=maybe()))"], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'c', m.CharField(max_length=size()))"], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'c', m.CharField(max_length=SIZE))"], "django.narrow_type"),
    ([CREATE.replace("100", "settings.X"), SHORT], "django.alter_field"),
    ([CREATE, "op.AlterField('show', 'n', m.ManyToManyField('x.Y'))"], "django.alter_field"),
]  # fmt: skip


@pytest.mark.parametrize(("migrations", "rule"), JUDGED)
def test_a_field_is_judged_by_what_it_was(migrations: list[str], rule: str) -> None:
    assert last(*migrations, head="SIZE = 9").rule == rule


def test_what_it_was_is_said() -> None:
    found = last(CREATE.replace("100)", '100, help_text="x")'), SHORT)
    assert "CharField(max_length=100), in 0001" in found.reason
    assert found.severity is Severity.DESTRUCTIVE


def test_a_fill_in_the_code_of_the_same_migration() -> None:
    fill = "def fill(apps, schema_editor):\n    apps.get_model('shows', 'Show').objects.filter(x=1).update(n='')\n"
    assert last(CREATE, f"op.RunPython(fill), {REQUIRED}", head=fill).rule == "django.set_not_null_filled"
    assert last(CREATE, f"op.RunPython(fill), {REQUIRED}", head=fill.replace("n=", "z=")).rule == "django.set_not_null"


def test_an_edit_that_makes_it_worse() -> None:
    old, new = folder(CREATE, SHORT.replace("3", "200")), folder(CREATE, SHORT)
    path = max(old)
    found = detect(Kind.DJANGO, path, old[path], new[path])
    assert [change.rule for change in found] == ["django.operation_changed"]
    assert [change.rule for change in django_graph_changes(old, new, found)] == ["django.narrow_type"]


def test_a_migration_of_another_branch_says_nothing() -> None:
    after = folder(CREATE, REQUIRED, "", REQUIRED)
    path = max(after)
    after[path] = after[path].replace(b"'0003'", b"'0001'")
    found = detect(Kind.DJANGO, path, None, after[path])
    (judged, *_) = django_graph_changes(after, after, found)
    assert judged.rule == "django.set_not_null"


def test_a_squash_stands_for_what_it_replaced() -> None:
    after = folder(CREATE, REQUIRED)
    squash = after.pop(min(after)).replace(b"    operations", b"    replaces = [('shows', '0001')]\n    operations")
    after["shows/migrations/0001_squashed.py"] = squash
    path = max(after)
    (judged,) = django_graph_changes({}, after, detect(Kind.DJANGO, path, None, after[path]))
    assert judged.rule == "django.set_not_null"
