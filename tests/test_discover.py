from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ics_guard import config
from ics_guard.discover import Database, Pattern, Proposal, look, render, unwatched
from ics_guard.model import Kind

REVISION = """
from alembic import op
revision: str = "{revision}"
down_revision = {down!r}
def upgrade():
    op.create_table("{table}")
def downgrade():
    op.drop_table("{table}")
"""
DJANGO = "from django.db import migrations\nclass Migration(migrations.Migration):\n    operations = []\n"
INI = "[alembic]\nscript_location = {}\n"
DDL = "CREATE TABLE episodes (id INTEGER);\n"


def revision(name: str, down: str | None = None, table: str = "episodes") -> str:
    return REVISION.format(revision=name, down=down, table=table)


def write(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return list(files)


def database(path: Path, *statements: str, wal: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def at_revision(path: Path, name: str, **options: bool) -> Path:
    statements = ("CREATE TABLE alembic_version (version_num)", f"INSERT INTO alembic_version VALUES ('{name}')")
    return database(path, *statements, **options)


def texts(patterns: tuple[Pattern, ...]) -> list[str]:
    return [pattern.text for pattern in patterns]


def chosen(proposal: Proposal) -> list[str]:
    return [one.path for one in proposal.chosen]


def named(proposal: Proposal, path: str) -> Database:
    return next(one for one in proposal.databases if one.path == path)


def reload(root: Path, proposal: Proposal) -> config.Config:
    """What is rendered loads, and says what was proposed."""
    found = config.load(root, render(proposal))
    watch = found.watch
    assert watch.alembic == tuple(texts(proposal.alembic))
    assert [watch.django, watch.sql, watch.embedded, watch.models, watch.exclude] == [
        tuple(texts(patterns))
        for patterns in (proposal.django, proposal.sql, proposal.embedded, proposal.models, proposal.exclude)
    ]
    sources = found.environments["local"].sources.values()
    assert [source.path for source in sources] == chosen(proposal)
    assert [source.guards for source in sources] == [one.guards for one in proposal.chosen]
    return found


def test_an_empty_repository_gets_a_configuration_that_loads(tmp_path: Path) -> None:
    proposal = look(tmp_path, [])
    assert proposal.databases == ()
    assert proposal.questions == ("no database is here, and nothing names one; where will it be?",)
    assert reload(tmp_path, proposal).environments["local"].sources == {}


def test_a_database_is_matched_by_its_revision_and_not_by_its_name(tmp_path: Path) -> None:
    tracked = write(
        tmp_path,
        {
            "alembic.ini": INI.format("moves") + "sqlalchemy.url = driver://user:pass@localhost/dbname\n",
            "moves/env.py": "",
            "moves/versions/a1.py": revision("a1"),
            "moves/versions/b2.py": revision("b2", "a1", "segments"),
        },
    )
    at_revision(tmp_path / "var/live", "a1", wal=True)
    at_revision(tmp_path / "app.db", "of-another-project")
    proposal = look(tmp_path, tracked)
    assert texts(proposal.alembic) == ["alembic.ini"]
    assert chosen(proposal) == ["var/live"]
    assert named(proposal, "var/live").revisions == ("a1",)
    assert "a1 of this repository" in named(proposal, "var/live").why
    assert "does not have" in named(proposal, "app.db").why
    assert proposal.questions == ()
    assert reload(tmp_path, proposal).watch.alembic_folders == ("moves/versions",)


def test_a_revision_that_is_not_added_yet_counts(tmp_path: Path) -> None:
    tracked = write(tmp_path, {"moves/versions/a1.py": revision("a1")})
    write(tmp_path, {"moves/versions/b2.py": revision("b2", "a1")})
    at_revision(tmp_path / "app.db", "b2")
    assert chosen(look(tmp_path, tracked)) == ["app.db"]


def test_a_placeholder_in_alembic_ini_is_passed_over_for_the_folder(tmp_path: Path) -> None:
    tracked = write(
        tmp_path,
        {
            "hub/alembic.ini": INI.format("{alembic_dir}"),
            "hub/alembic/versions/a1.py": revision("a1"),
            "hub/alembic/versions/sub/b2.py": revision("b2", "a1"),
        },
    )
    proposal = look(tmp_path, tracked)
    assert texts(proposal.alembic) == ["hub/alembic/versions"]
    assert "hub/alembic.ini cannot say so" in proposal.alembic[0].why
    assert reload(tmp_path, proposal).watch.kind_of("hub/alembic/versions/sub/c3.py") is Kind.ALEMBIC


def test_an_ini_without_any_revisions_in_sight_is_asked_about(tmp_path: Path) -> None:
    proposal = look(tmp_path, write(tmp_path, {"alembic.ini": INI.format("{alembic_dir}")}))
    assert proposal.alembic == ()
    assert any("which folder holds the revisions?" in question for question in proposal.questions)


def test_flask_migrate_and_pyproject_are_resolved(tmp_path: Path) -> None:
    tracked = write(
        tmp_path,
        {
            "app/migrations/alembic.ini": INI.format("."),
            "app/migrations/env.py": "",
            "app/migrations/versions/a1.py": revision("a1"),
            "tool/pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/moves"\n',
            "tool/moves/env.py": "",
            "tool/moves/versions/b2.py": revision("b2"),
        },
    )
    assert texts(look(tmp_path, tracked).alembic) == ["app/migrations/alembic.ini", "tool/pyproject.toml"]


def test_two_environments_with_a_database_each_share_the_guard_duty(tmp_path: Path) -> None:
    tracked = write(
        tmp_path,
        {
            "one/versions/a1.py": revision("a1"),
            "two/versions/b2.py": revision("b2"),
            "schema.sql": DDL,
        },
    )
    at_revision(tmp_path / "one.db", "a1")
    at_revision(tmp_path / "two.db", "b2")
    found = reload(tmp_path, look(tmp_path, tracked))
    sources = found.environments["local"].sources
    guarded = {
        path: [source.path for source in sources.values() if source.guards_path(path)]
        for path in ("one/versions/x.py", "two/versions/x.py", "schema.sql")
    }
    assert guarded == {"one/versions/x.py": ["one.db"], "two/versions/x.py": ["two.db"], "schema.sql": ["one.db"]}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("recipes/migrations/importer.py", "def upgrade(): ...\n"),
        ("recipes/migrations/base.py", "revision = '1'\ndown_revision = None\n"),
        ("recipes/migrations/text.py", '"""Copied from down_revision in upgrade of revision."""\n'),
        ("recipes/migrations/broken.py", "down_revision = ('\n"),
        ("recipes/migrations/null.py", "down_revision = 1\0\n"),
        ("vendor/alembic/versions/a1.py", revision("a1")),
        ("app/_vendor/x/versions/a1.py", revision("a1")),
        ("tests/versions/a1.py", revision("a1")),
        ("examples/shop/migrations/0001_initial.py", DJANGO),
        ("node_modules/x/schema.sql", DDL),
        ("venv/lib/x/schema.sql", DDL),
        ("docs/schema.sql", DDL),
        ("tests/fixtures/schema.sql", DDL),
        ("db/seeds.sql", DDL),
        ("db/data.sql", "-- CREATE TABLE x (a);\nINSERT INTO x VALUES ('a');\n"),
        ("app/notes.py", '"""Run CREATE TABLE x (a) first."""\n# CREATE TABLE y (a)\n'),
        ("app/prose.py", 'say("you should create table and alter table names by hand")\n'),
        ("app/temporary.py", 'run("CREATE TEMP TABLE x (a)")\n'),
        ("app/test_schema.py", f"run({DDL!r})\n"),
        ("src/database/tests.rs", f'let sql = "{DDL}";\n'),
        ("src/lib.rs", f"// {DDL}/* {DDL} */\nfn main() {{}}\n"),
        ("web/db.test.ts", f"run(`{DDL}`)\n"),
    ],
)
def test_what_only_looks_like_schema_code_is_not_proposed(tmp_path: Path, path: str, text: str) -> None:
    proposal = look(tmp_path, write(tmp_path, {path: text, "main.py": ""}))
    found = proposal.alembic + proposal.django + proposal.sql + proposal.embedded + proposal.models
    assert found == ()


@pytest.mark.parametrize(
    ("files", "kind", "patterns"),
    [
        (
            {"shop/migrations/0001_initial.py": DJANGO, "shop/migrations/__init__.py": ""},
            "django",
            ["*/migrations/*.py"],
        ),
        ({f"src/apps/{app}/migrations/0001.py": DJANGO for app in "ab"}, "django", ["src/apps/*/migrations/*.py"]),
        ({f"src/{app}/migrations/0001.py": DJANGO for app in ("a", "x/b")}, "django", ["src/**/migrations/*.py"]),
        ({f"{app}/migrations/0001.py": DJANGO for app in ("a", "src/b")}, "django", ["**/migrations/*.py"]),
        ({"migrations/0001.py": DJANGO}, "django", ["migrations/*.py"]),
        (
            {"db/moves/0001.py": DJANGO, "a/migrations/0001.py": DJANGO},
            "django",
            ["*/migrations/*.py", "db/moves/*.py"],
        ),
        ({"sql/001_init.sql": DDL}, "sql", ["sql/*.sql"]),
        ({"sql/V1__init.sql": DDL}, "sql", ["sql/*.sql"]),
        ({"schema/2024_01_01_init.sql": DDL}, "sql", ["schema/*.sql"]),
        ({"sql/init/01.sql": DDL}, "sql", ["sql/init/*.sql"]),
        ({"sql/R__views.sql": "CREATE VIEW v AS SELECT 1;"}, "sql", ["sql/*.sql"]),
        ({"sql/views.sql": DDL, "sql/seeds.sql": DDL}, "sql", ["sql/views.sql"]),
        (
            {"web/supabase/migrations/001.sql": DDL, "web/supabase/migrations/002.sql": "select 1;"},
            "sql",
            ["web/supabase/migrations/*.sql"],
        ),
        ({"db/migrate/1/up.sql": DDL, "db/migrate/2/up.sql": DDL}, "sql", ["db/migrate/**/*.sql"]),
        ({"db/schema.sql": "\ufeffcreate table x (a);"}, "sql", ["db/schema.sql"]),
        ({"db/a.sql": DDL, "db/b.sql": "DROP VIEW x;"}, "sql", ["db/*.sql"]),
        ({"a.sql": DDL, "b.sql": DDL}, "sql", ["/*.sql"]),
        ({"src/database/mod.rs": f'let a: &\'a str = r#"{DDL}"#;'}, "embedded", ["src/database/*.rs"]),
        ({"scripts/load.py": "run(f'ALTER TABLE {name} ADD COLUMN x')\n"}, "embedded", ["scripts/load.py"]),
        ({"web/store.ts": "run(`CREATE TABLE IF NOT EXISTS x (\n a)`)"}, "embedded", ["web/store.ts"]),
        ({"main.go": 'db.Exec("ALTER TABLE x DROP COLUMN y")'}, "embedded", ["main.go"]),
        ({"app/orm.py": 'class A(Base):\n    __tablename__ = "a"\n'}, "models", ["app/orm.py"]),
    ],
)
def test_schema_code_is_proposed_by_what_is_in_it(
    tmp_path: Path, files: dict[str, str], kind: str, patterns: list[str]
) -> None:
    proposal = look(tmp_path, write(tmp_path, files))
    assert texts(getattr(proposal, kind)) == patterns
    watch = reload(tmp_path, proposal).watch
    assert watch.kind_of(next(iter(files))) == {"models": "model"}.get(kind, kind)


def test_the_next_app_of_django_is_watched_and_what_only_has_the_name_is_not(tmp_path: Path) -> None:
    importer = "class Importer(Recipe):\n    pass\n"
    tracked = write(
        tmp_path,
        {
            "manage.py": "",
            "shows/migrations/0001_initial.py": DJANGO,
            "shows/migrations/0002_more.py": DJANGO,
            "plays/deep/migrations/0001_initial.py": DJANGO,
            "actors/migrations/__init__.py": "",
            "recipes/migrations/importer.py": importer,
            "recipes/migrations/sub/importer.py": importer,
            "tests/app/migrations/0001_initial.py": DJANGO,
            "shows/tests/plugin/migrations/0001_initial.py": DJANGO,
            "vendor/lib/migrations/0001_initial.py": DJANGO,
            "store/migrations/v2.py": f"run({DDL!r})\n",
            "web/migrations/env.py": "",
            "web/alembic.ini": INI.format("migrations"),
            "web/migrations/versions/a1.py": revision("a1"),
        },
    )
    proposal = look(tmp_path, tracked)
    assert texts(proposal.django) == ["**/migrations/*.py", "!store/migrations/*.py"]
    assert texts(proposal.exclude) == [
        "recipes/migrations/*.py",
        "shows/tests/**/migrations/*.py",
        "tests/**/migrations/*.py",
        "vendor/**/migrations/*.py",
        "web/migrations/*.py",
    ]
    watch = reload(tmp_path, proposal).watch
    expected = {
        "actors/migrations/0001_initial.py": Kind.DJANGO,
        "new/app/migrations/0001_initial.py": Kind.DJANGO,
        "recipes/migrations/other.py": None,
        "vendor/lib/migrations/0002.py": None,
        "shows/tests/plugin/migrations/0002.py": None,
        "store/migrations/v2.py": Kind.EMBEDDED,
        "web/migrations/versions/b2.py": Kind.ALEMBIC,
    }
    assert {path: watch.kind_of(path) for path in expected} == expected


def test_seeds_beside_numbered_sql_are_left_out_unless_they_are_migrations(tmp_path: Path) -> None:
    names = ("sql/001_init.sql", "sql/seeds.sql", "sql/002_seeds.sql", "db/migrate/a.sql", "db/migrate/seeds.sql")
    proposal = look(tmp_path, write(tmp_path, dict.fromkeys(names, DDL)))
    assert texts(proposal.sql) == ["db/migrate/*.sql", "sql/*.sql"]
    assert texts(proposal.exclude) == ["sql/seeds.sql"]
    assert reload(tmp_path, proposal).watch.kind_of("sql/002_drop.sql") is Kind.SQL


def test_revisions_in_a_folder_called_migrations_stay_watched(tmp_path: Path) -> None:
    tracked = write(
        tmp_path,
        {"shows/migrations/0001_initial.py": DJANGO, "web/migrations/a1.py": revision("a1"), "web/migrations/x.py": ""},
    )
    watch = reload(tmp_path, look(tmp_path, tracked)).watch
    assert watch.kind_of("web/migrations/b2.py") is Kind.ALEMBIC


def test_what_came_after_the_configuration_and_is_not_watched_is_found(tmp_path: Path) -> None:
    old = write(tmp_path, {"src/shows/migrations/0001_initial.py": DJANGO, "sql/001_init.sql": DDL})
    watch = reload(tmp_path, look(tmp_path, old)).watch
    assert unwatched(tmp_path, old, watch) == ()
    new = {
        "actors/migrations/0001_initial.py": DJANGO,
        "src/plays/migrations/0001_initial.py": DJANGO,
        "sql/002_drop.sql": DDL,
        "more/V2__drop.sql": DDL,
        "db/migrate/any.sql": DDL,
        "moves/a1.py": revision("a1"),
        "tests/migrations/0001_initial.py": DJANGO,
        "vendor/alembic/a1.py": revision("a1"),
        "db/seeds/001_seeds.sql": DDL,
        "docs/001_example.sql": DDL,
        "recipes/migrations/importer.py": "class Importer(Recipe):\n    pass\n",
    }
    tracked = [*old, *write(tmp_path, new)]
    expected = ("actors/migrations/0001_initial.py", "db/migrate/any.sql", "moves/a1.py", "more/V2__drop.sql")
    assert unwatched(tmp_path, tracked, watch) == tuple(sorted(expected))
    on_purpose = replace(watch, exclude=("actors/", "db/", "mo*/"))
    assert unwatched(tmp_path, tracked, on_purpose) == ()


def test_tests_in_a_folder_that_is_watched_as_a_whole_are_excluded(tmp_path: Path) -> None:
    proposal = look(tmp_path, write(tmp_path, {f"db/{name}.rs": f'"{DDL}"' for name in ("mod", "tests")}))
    assert (texts(proposal.embedded), texts(proposal.exclude)) == (["db/*.rs"], ["db/tests.rs"])
    watch = reload(tmp_path, proposal).watch
    assert (watch.kind_of("db/next.rs"), watch.kind_of("db/tests.rs")) == (Kind.EMBEDDED, None)


def test_without_alembic_a_database_is_matched_by_its_tables(tmp_path: Path) -> None:
    tracked = write(
        tmp_path, {"src/db/mod.rs": '"CREATE TABLE episodes (id)"; "CREATE VIRTUAL TABLE words USING fts5(t)"'}
    )
    database(tmp_path / "cache/other.db", "CREATE TABLE thumbnails (a)")
    database(
        tmp_path / "data/app.db", "CREATE TABLE episodes (id)", "CREATE VIRTUAL TABLE words USING fts5(t)", wal=True
    )
    proposal = look(tmp_path, tracked)
    assert chosen(proposal) == ["data/app.db"]
    assert "2 of its 2 tables" in named(proposal, "data/app.db").why
    assert "not this repository's schema" in named(proposal, "cache/other.db").why


def test_two_databases_that_match_are_asked_about(tmp_path: Path) -> None:
    tracked = write(tmp_path, {"versions/a1.py": revision("a1"), "settings.toml": 'url = "sqlite:///b.db"\n'})
    for name in ("a.db", "b.db", "b.backup-2024.db"):
        at_revision(tmp_path / name, "a1")
    proposal = look(tmp_path, tracked)
    assert chosen(proposal) == ["b.db"]
    assert proposal.questions == ("b.db, a.db match equally well; is b.db the one to guard?",)


def test_fixtures_come_last_and_are_never_chosen(tmp_path: Path) -> None:
    tracked = write(tmp_path, {"versions/a1.py": revision("a1")})
    at_revision(tmp_path / "tests/fixtures/app.db", "a1")
    database(tmp_path / "stray.db", "CREATE TABLE x (a)")
    database(tmp_path / "stray2.db", "CREATE TABLE x (a)")
    proposal = look(tmp_path, tracked)
    assert chosen(proposal) == []
    assert [one.path for one in proposal.databases][-1] == "tests/fixtures/app.db"
    assert any("which one is to be guarded?" in question for question in proposal.questions)
    reload(tmp_path, proposal)


def test_a_tracked_database_is_proposed_with_the_way_to_untrack_it(tmp_path: Path) -> None:
    tracked = write(tmp_path, {"versions/a1.py": revision("a1")})
    at_revision(tmp_path / "app.db", "a1")
    proposal = look(tmp_path, [*tracked, "app.db"])
    assert chosen(proposal) == ["app.db"]
    assert named(proposal, "app.db").tracked
    assert any("git rm --cached" in question for question in proposal.questions)
    reload(tmp_path, proposal)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "empty (0 bytes)"), (os.urandom(4096), "encrypted"), (b"SQLite format 3\0" + os.urandom(4080), "cannot")],
)
def test_what_cannot_be_read_is_said_and_not_guessed(tmp_path: Path, content: bytes, problem: str) -> None:
    tracked = write(tmp_path, {"config.yaml": "database: 'app.db'\n"})
    (tmp_path / "app.db").write_bytes(content)
    proposal = look(tmp_path, tracked)
    assert problem in named(proposal, "app.db").problem
    assert any(problem in question for question in proposal.questions)
    reload(tmp_path, proposal)


@pytest.mark.parametrize(
    ("files", "path", "where"),
    [
        ({".env.example": "DATABASE_URL=sqlite:///data/app.db\n"}, "data/app.db", ".env.example:1"),
        ({"app.py": "URL = 'sqlite+aiosqlite:///./app.sqlite3'\n"}, "app.sqlite3", "app.py:1"),
        ({"alembic.ini": "[x]\nsqlalchemy.url = sqlite:////srv/app.db\n"}, "/srv/app.db", "alembic.ini:2"),
        ({"src/lib.rs": 'dir.join("data").join("app.db")'}, "data/app.db", "src/lib.rs:1"),
        ({"scripts/run.py": "ROOT / 'data' / 'app.db'\n"}, "data/app.db", "scripts/run.py:1"),
        ({"scripts/run.py": "Path('../data/app.db')\n"}, "data/app.db", "scripts/run.py:1"),
        ({"README.md": "sqlite3 data/app.db .schema\n", "x.py": "open('app.db')\n"}, "data/app.db", "x.py:1"),
        ({"README.md": "`docs.db`\n`docs.db`", "config.yaml": 'db: "app.db"\n'}, "app.db", "config.yaml:1"),
    ],
)
def test_a_clone_without_data_gets_the_path_that_the_code_names(
    tmp_path: Path, files: dict[str, str], path: str, where: str
) -> None:
    proposal = look(tmp_path, write(tmp_path, files))
    assert chosen(proposal) == [path]
    assert not named(proposal, path).exists
    assert "no data here" in named(proposal, path).why
    reload(tmp_path, proposal)
    if "README.md" not in files:
        assert where in named(proposal, path).why


@pytest.mark.parametrize(
    "text",
    [
        "'sqlite:///:memory:'",
        "f'sqlite:///{path}'",
        "'sqlite:///%(here)s/x.db'",
        "self.db = app.db",
        "'https://example.org/x.db'",
        "'/etc/passwd.db'",
    ],
)
def test_what_names_no_database_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    assert chosen(look(tmp_path, write(tmp_path, {"app.py": f"x = {text}\n"}))) == []


def test_a_database_outside_of_the_repository_is_read_where_the_code_says(tmp_path: Path) -> None:
    live = at_revision(tmp_path / "srv/live.db", "a1")
    root = tmp_path / "app"
    tracked = write(root, {"versions/a1.py": revision("a1"), "settings.py": f"URL = 'sqlite:///{live}'\n"})
    assert chosen(look(root, tracked)) == [str(live)]


def test_looking_leaves_nothing_beside_a_database(tmp_path: Path) -> None:
    at_revision(tmp_path / "wal/app.db", "a1", wal=True)
    at_revision(tmp_path / "plain/app.db", "a1")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    look(tmp_path, write(tmp_path, {}))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_database_that_a_crash_left_in_a_transaction_is_still_told(tmp_path: Path) -> None:
    path = at_revision(tmp_path / "app.db", "a1")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE filler (a)")
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.executemany("INSERT INTO filler VALUES (?)", [("x" * 2000,)] * 200)
        for name in ("app.db", "app.db-journal"):
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    before = {file: file.read_bytes() for file in crashed.iterdir()}
    proposal = look(crashed, write(crashed, {"versions/a1.py": revision("a1")}))
    assert chosen(proposal) == ["app.db"]
    assert {file: file.read_bytes() for file in before} == before


def test_a_database_in_use_is_read_through_its_wal(tmp_path: Path) -> None:
    tracked = write(tmp_path, {"versions/a1.py": revision("a1"), "versions/b2.py": revision("b2", "a1")})
    path = at_revision(tmp_path / "app.db", "a1", wal=True)
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("UPDATE alembic_version SET version_num = 'b2'")
        holder.commit()
        assert named(look(tmp_path, tracked), "app.db").revisions == ("b2",)
        holder.execute("UPDATE alembic_version SET version_num = 'a1'")
        holder.commit()
    assert named(look(tmp_path, tracked), "app.db").revisions == ("a1",)


def test_folders_that_are_not_the_projects_own_stay_closed(tmp_path: Path) -> None:
    for folder in ("backups/sqlite", ".git/x", "node_modules/x", ".venv/x", "env/x", "cache/x", "other/x"):
        database(tmp_path / folder / "a.db", "CREATE TABLE x (a)")
    write(tmp_path, {"env/pyvenv.cfg": "", "cache/CACHEDIR.TAG": "", "other/.git": "gitdir: elsewhere"})
    outside = database(tmp_path.parent / f"{tmp_path.name}-outside/a.db", "CREATE TABLE x (a)")
    (tmp_path / "linked").symlink_to(outside.parent)
    assert look(tmp_path, []).databases == ()
    (tmp_path / "live.db").symlink_to(outside)
    assert [one.path for one in look(tmp_path, []).databases] == ["live.db"]


def test_artifacts_are_listed_by_size_or_by_runbook(tmp_path: Path) -> None:
    transcripts = {f"scripts/transcripts/{number}.json": "{}" for number in range(50)}
    tracked = write(
        tmp_path,
        {
            **transcripts,
            "scripts/main.py": "",
            "scripts/voices/one.wav": "x",
            "docs/BACKUP_RUNBOOK.md": "- Voices under `scripts/voices/` and `scripts/gone/`\n",
            **{f"static/{number}.png": "x" for number in range(60)},
            **{f"tests/data/{number}.json": "x" for number in range(60)},
            **{f"src/{number}.py": "" for number in range(60)},
        },
    )
    (tmp_path / "audio").mkdir()
    with (tmp_path / "audio/a.mp3").open("wb") as file:
        file.truncate(20 << 20)
    proposal = look(tmp_path, tracked)
    assert [(one.path, one.files, one.tracked) for one in proposal.artifacts] == [
        ("audio", 1, False),
        ("scripts/transcripts", 50, True),
        ("scripts/voices", 1, True),
    ]
    text = render(proposal)
    assert '# path = "scripts/transcripts"  # 50 files, 100 bytes' in text
    assert "guards databases only" in text
    uncommented = text.replace('# kind = "directory"', 'kind = "directory"').replace("# [env.local", "[env.local")
    loaded = config.load(tmp_path, uncommented.replace("# path", "path"))
    assert set(loaded.environments["local"].sources) >= {"transcripts", "voices", "audio"}


def test_names_with_quotes_and_odd_letters_survive_the_rendering(tmp_path: Path) -> None:
    name = "da\"ta\\ #é [1]/a'b.db"
    tracked = write(tmp_path, {'sql "x"/[a]*/s.sql': DDL})
    database(tmp_path / name, "CREATE TABLE episodes (id)")
    proposal = look(tmp_path, tracked)
    assert chosen(proposal) == [name]
    assert reload(tmp_path, proposal).watch.kind_of('sql "x"/[a]*/s.sql') is Kind.SQL


def test_a_name_that_toml_cannot_hold_is_asked_about(tmp_path: Path) -> None:
    database(tmp_path / os.fsdecode(b"a\xff.db"), "CREATE TABLE x (a)")
    database(tmp_path / "a\nb.db", "CREATE TABLE x (a)")
    proposal = look(tmp_path, [])
    assert chosen(proposal) == []
    assert sum("rename it?" in question for question in proposal.questions) == 2
    reload(tmp_path, proposal)
