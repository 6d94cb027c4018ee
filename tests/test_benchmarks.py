"""The scoring of detection: it sees a miss and a false alarm when there is one, and the labels mean what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import speed
from benchmarks.replay import engine, run
from benchmarks.replay.__main__ import main
from benchmarks.replay.embedded_labels import label_embedded
from benchmarks.replay.nouns import Commit, Found, Label
from benchmarks.replay.pages import as_markdown, as_text
from benchmarks.replay.python_labels import PLAINLY_OTHER, label_python
from benchmarks.replay.sql_text import is_structure, statements
from ics_guard.project import Project
from tests.support import git

WHERE = """
[watch]
alembic = ["migrations/versions"]
django = ["*/migrations/*.py"]
sql = ["db/*.sql"]
embedded = ["src/*.rs"]

[[sql]]
files = ["db/*.sql"]
engine = "sqlite"
"""
REVISION = '''"""add a column"""
from alembic import op
import sqlalchemy as sa

revision = "a1"
down_revision = None


def upgrade():
    op.add_column("users", sa.Column("age", sa.Integer(), nullable=True))
'''
DJANGO = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.AddField("user", "age", models.IntegerField(null=True))]
"""
RUST = 'fn make(c: &C) {\n    c.run("CREATE TABLE t (a INT)");\n}\n'


def commit(folder: Path, **files: str | None) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if content is None else path.write_text(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a commit")


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, Path]:
    """A history with a commit of each kind, a merge among them, and the file that says where its migrations are."""
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q", ".")
    commit(folder, README="nothing of a schema")
    commit(folder, migrations__versions__a1_dot_py=REVISION)
    commit(
        folder, migrations__versions__a1_dot_py=REVISION.replace("import sqlalchemy as sa", "import sqlalchemy as  sa")
    )
    commit(folder, migrations__versions__a1_dot_py=REVISION.replace("Integer", "Text"))
    git(folder, "checkout", "-qb", "side")
    commit(folder, app__migrations__0001_first_dot_py=DJANGO, db__1_dot_sql="CREATE TABLE t (a INT);")
    git(folder, "checkout", "-q", "main")
    commit(folder, src__db_dot_rs=RUST)
    git(folder, "merge", "-q", "--no-ff", "-m", "a merge", "side")
    commit(folder, src__db_dot_rs=RUST.replace("    ", "\t"))
    commit(folder, db__1_dot_sql="create table t(a int) -- a word\n;", docs="CREATE TABLE in a text")
    commit(folder, db__1_dot_sql="CREATE TABLE t (a INT, b INT);")
    git(folder, "mv", "db/1.sql", "db/2.sql")
    commit(folder, README="and moved")
    commit(folder, app__migrations__0001_first_dot_py=None)
    where = tmp_path / "where.toml"
    where.write_text(WHERE)
    return folder, where


def replayed(history: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    folder, where = history
    code = main([str(folder), "--where", str(where), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_history_is_scored_commit_by_commit(history: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = replayed(history, capsys)
    counts = {label: cell["commits"] for label, cell in found["by_label"].items()}
    assert counts == {
        "added": 4,  # a revision, Rust, a side branch, and the merge of it
        "deleted": 1,
        "changed": 2,
        "unreadable": 0,
        "other": 0,
        "formatted": 3,
        "renamed": 1,
        "none": 1,
    }
    assert (code, found["disagreements"], found["recall"], found["commits"]) == (0, [], 1.0, 12)
    assert "100.00 %" in as_text(found)
    assert as_markdown([found, found]).count("| 12 |") == 2


def test_a_miss_fails_and_is_named(
    history: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(project: Project, commit: Commit) -> list[Found]:
        return [one for one in engine.find(project, commit) if not one.path.endswith(".rs")]

    monkeypatch.setattr(run, "find", deaf)
    code, found = replayed(history, capsys)
    assert code == 1
    (miss,) = found["disagreements"]
    assert (miss["what"], miss["path"], miss["label"]) == ("missed", "src/db.rs", "added")
    assert found["recall_of_additions_and_deletions"] == 0.8


def test_a_false_alarm_fails_and_is_named(
    history: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def jumpy(project: Project, commit: Commit) -> list[Found]:
        edits = commit.edits or ()
        return engine.find(project, commit) + [Found(edit.path, "noise", False) for edit in edits]

    monkeypatch.setattr(run, "find", jumpy)
    code, found = replayed(history, capsys)
    assert code == 1
    assert found["recall"] == 1.0
    assert found["false_alarms_on_formatting_and_renaming"] == 1.0
    assert found["false_alarms_without_schema_content"] == 1.0


def test_a_history_can_be_found_by_options_or_by_looking(
    history: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = history
    assert main([str(folder), "--watch", "sql=db/*.sql", "--engine", "sqlite", "--json"]) == 0
    by_option = json.loads(capsys.readouterr().out)
    assert by_option["by_label"]["changed"]["commits"] == 1
    assert main([str(folder), "--auto", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["by_label"]["added"]["commits"] >= 2


DRESSED = REVISION.replace('"""add a column"""', '"""Other words."""').replace(
    "def upgrade():", "def upgrade() -> None:  # said\n    '''Doc.'''"
)
ROWS = """from django.db import migrations


def fill(apps, schema_editor):
    M = apps.get_model("app", "M")
    M.objects.update(age=1)


class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.RunPython(fill)]
"""
SAME = [
    (REVISION, DRESSED),
    (
        REVISION,
        REVISION.replace("import sqlalchemy as sa\n", "").replace(
            "from alembic", "import sqlalchemy as sa\nfrom alembic"
        ),
    ),
    (
        REVISION,
        REVISION.replace("import sqlalchemy as sa", "from sqlalchemy import Column")
        .replace("sa.Column", "Column")
        .replace("sa.Integer", "sqlalchemy.Integer")
        .replace("from alembic", "import sqlalchemy\nfrom alembic"),
    ),
    (REVISION, REVISION.replace('revision = "a1"', 'revision: str = "a1"', 1)),
    (REVISION, REVISION + "\n\ndef unused():\n    return 3\n"),
    (DJANGO, DJANGO.replace("operations = [", "operations = [\n        # one\n        ")),
    (ROWS, ROWS.replace("import migrations", "import migrations\nfrom django.apps import apps\nfrom x import M")),
]
OTHER = [
    (REVISION, REVISION.replace('"users"', '"people"')),
    (REVISION, REVISION.replace("down_revision = None", 'down_revision = "a0"')),
    (REVISION, REVISION + "    helper()\n\n\ndef helper():\n    return 3\n"),
    (DJANGO, DJANGO.replace("null=True", "null=False")),
    (DJANGO, DJANGO.replace("dependencies = []", 'dependencies = [("app", "0000")]')),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_python_that_says_the_same(old: str, new: str) -> None:
    assert label_python(old.encode(), new.encode()) == (Label.FORMATTED, "same trees")


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_python_that_says_something_else(old: str, new: str) -> None:
    assert label_python(old.encode(), new.encode())[0] is Label.CHANGED


def test_what_is_only_printed_or_put_differently_is_told_apart() -> None:
    old = REVISION + '    op.execute("UPDATE t SET a = \'%s\'" % (now,))\n    op.execute("DELETE FROM {}".format(t))\n'
    new = (
        REVISION
        + "    op.execute(f\"UPDATE t\\n SET a = '{now}'\")\n    print('done')\n    op.execute(f'DELETE FROM {t}')\n"
    )
    assert label_python(old.encode(), new.encode()) == (Label.OTHER, PLAINLY_OTHER)


def test_names_of_locals_and_only_they_mean_nothing() -> None:
    old = REVISION + "    bind = op.get_bind()\n    for row in bind.execute(rows):\n        bind.execute(other, row)\n"
    renamed = old.replace("bind", "connection").replace("row ", "line ").replace(", row)", ", line)")
    assert label_python(old.encode(), renamed.encode().replace(b"get_connection", b"get_bind"))[1] == PLAINLY_OTHER
    assert label_python(old.encode(), old.replace("rows", "people").encode())[0] is Label.CHANGED
    assert label_python(old.encode(), old.replace("other, row", "row, other").encode())[0] is Label.CHANGED


def test_python_that_is_no_migration_or_no_python() -> None:
    assert label_python(None, b"import os\n")[0] is Label.NONE
    assert label_python(b"print 'old'\n", REVISION.encode())[0] is Label.UNREADABLE
    assert label_python(DJANGO.encode(), DJANGO.encode(), moved="name")[0] is Label.OTHER
    assert label_python(REVISION.encode(), REVISION.encode(), moved="name")[0] is Label.RENAMED


def test_statements_are_told_apart_from_their_spelling() -> None:
    text = (
        'CREATE  TABLE "t" (a INT); -- x\n'
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; INSERT INTO t VALUES ('A;b')"
    )
    assert statements(text) == [
        "create table t ( a int )",
        "create trigger g after insert on t begin select 1 ; end",
        "insert into t values ( 'A;b' )",
    ]
    assert [is_structure(one) for one in statements(text)] == [True, True, False]
    assert statements("select $f$ A;  B $f$;") == ["select $$ a ; b $$"]


@pytest.mark.parametrize(
    ("path", "old", "new", "label"),
    [
        ("a.rs", RUST, RUST.replace("(a INT)", "(\\\n        a   INT)"), Label.NONE),
        ("a.rs", RUST, RUST + '// "CREATE TABLE u (a INT)"\n', Label.NONE),
        ("a.rs", RUST, RUST + 'fn f(c: &C) { c.run(r#"ALTER TABLE t ADD COLUMN "b" INT"#) }\n', Label.ADDED),
        ("a.go", "var a = `DROP TABLE t`", "var a = ``", Label.DELETED),
        ("a.py", "x = 'CREATE INDEX i ON t (a)'", 'x = ("CREATE INDEX i "\n     "ON t (a)")', Label.NONE),
        ("a.py", "x = f'ALTER TABLE {t} ADD COLUMN a'", "x = f'ALTER TABLE {t} ADD COLUMN b'", Label.CHANGED),
        ("a.ts", "log('Create table failed')", "log('Drop table failed: ask')", Label.NONE),
    ],
)
def test_ddl_in_program_text(path: str, old: str, new: str, label: Label) -> None:
    assert label_embedded([(path, old.encode(), new.encode())])[0][0] is label


def test_ddl_that_moves_between_files_of_code_is_moved_and_a_second_copy_is_added() -> None:
    full, empty = RUST.encode(), b"fn make() {}"
    there, here = label_embedded([("a.rs", full, empty), ("b.rs", None, full)])
    assert (there[0], here[0]) == (Label.RENAMED, Label.RENAMED)
    labels = label_embedded([("a.rs", full, empty), ("b.rs", None, full), ("c.rs", None, full)])
    assert [label for label, _ in labels] == [Label.RENAMED, Label.RENAMED, Label.ADDED]


def test_speed_is_measured_on_repositories_of_the_asked_size(tmp_path: Path) -> None:
    assert speed.commit_of_many_files(tmp_path, 3).seconds > 0
    assert speed.range_of_commits(tmp_path, 12).seconds > 0
    assert speed.push_of_refs(tmp_path, 12).processor > 0
