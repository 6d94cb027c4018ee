"""DDL inside program text: found in the strings of every language, not in comments or prose; layout means nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ics_guard.detect import detect
from ics_guard.detect.literals import literals
from ics_guard.model import Change, Effect, Kind, Severity

Find = Callable[..., list[Change]]

HITS = [
    ("x.rs", 'conn.execute("DROP TABLE t", [])?;'),
    ("x.rs", 'conn.execute_batch(r#"SELECT "a"; DROP TABLE t;"#)?;'),
    ("x.rs", "fn f<'a>(x: &'a str) -> char { let q = '\"'; run(\"DROP TABLE t\") }"),
    ("x.rs", 'run("DROP \\\n     TABLE t")'),
    ("x.rs", 'format!("DROP TABLE {}_old", t)'),
    ("x.rs", 'conn.execute(concat!("DROP ", "TABLE ", "t"), [])?;'),
    ("x.rs", 'concat!(\n    "DROP ",\n    "TABLE t",\n)'),
    ("x.go", "db.Exec(`\nDROP TABLE t\n`)"),
    ("x.go", 'db.Exec("DROP TABLE " + "t")'),
    ("x.py", 'cursor.execute("""\n  DROP TABLE t\n""")'),
    ("x.py", "cursor.execute('DROP '\n  'TABLE t')"),
    ("x.py", "cursor.execute(f'DROP TABLE {t}')"),
    ("x.ts", "await db.exec(`DROP TABLE ${name}`)"),
    ("x.js", "const a = /['\"]/;\ndb.run('DROP TABLE t')"),
    ("x.php", "$db->exec('DROP TABLE ' . 't');"),
    ("x.php", "$sql = <<<SQL\nDROP TABLE t;\nSQL;\n"),
    ("x.rb", "execute <<~SQL\n  DROP TABLE t\nSQL\n"),
    ("x.sh", 'sqlite3 a.db "DROP TABLE t;"'),
    ("x.java", 'var s = """\n  DROP TABLE t\n""";'),
    ("x.cs", 'var s = @"DROP TABLE t";'),
    ("x.cpp", 'auto s = R"(DROP TABLE t)";'),
    ("x.lua", "db:exec([[DROP TABLE t]])"),
    ("x.unknown", "run('TRUNCATE TABLE t')"),
]

QUIET = [
    ("x.rs", '// run("DROP TABLE t")'),
    ("x.rs", '/* "DROP TABLE t" */ let x = 1;'),
    ("x.py", "# 'DROP TABLE t'"),
    ("x.rs", 'error!("Failed to create table for users")'),
    ("x.rs", 'bail!("create table failed: {}", e)'),
    ("x.py", 'raise ValueError("ALTER TABLE failed")'),
    ("x.ts", "toast('Drop the file here to create a new index')"),
    ("x.ts", "t('Alter table settings and drop columns you do not need')"),
    ("x.rs", 'conn.execute("DELETE FROM t")'),
    ("x.rs", "conn.query(\"SELECT * FROM t WHERE name = 'create table'\")"),
    ("x.rs", "let create = drop(table);"),
    ("x.rs", 'say("DROP ", "TABLE t")'),
    ("x.rs", ""),
]

TABLE = "CREATE TABLE IF NOT EXISTS t (\n    id INTEGER PRIMARY KEY,\n    name TEXT DEFAULT 'a b'\n);"
ADD = 'conn.execute("ALTER TABLE t ADD COLUMN c TEXT", [])'
WRAPPED_ADD = 'conn.execute(\n        "ALTER TABLE t\n  ADD COLUMN c TEXT",\n        [],\n    )'
BEFORE = f'fn setup() {{\n    conn.execute_batch("\n{TABLE}")?;\n    {ADD}?;\n}}\n'
WRAPPED = BEFORE.replace(ADD, WRAPPED_ADD).replace("    id INTEGER", "  id  INTEGER")


@pytest.mark.parametrize(("path", "text"), HITS)
def test_ddl_is_found_in_the_strings_of_every_language(find: Find, path: str, text: str) -> None:
    (change,) = find(Kind.EMBEDDED, None, text, path)
    assert change.rule in ("sql.drop_table", "sql.truncate")


def test_writing_the_schema_table_is_found(find: Find) -> None:
    (change,) = find(Kind.EMBEDDED, None, 'conn.execute_batch("PRAGMA writable_schema=ON; SELECT 1")?;', "x.rs")
    assert change.rule == "sql.writable_schema"
    assert find(Kind.EMBEDDED, None, 'conn.execute("PRAGMA writable_schema=OFF", [])?;', "x.rs") == []


@pytest.mark.parametrize(("path", "text"), QUIET)
def test_comments_prose_and_rows_are_no_ddl(find: Find, path: str, text: str) -> None:
    assert find(Kind.EMBEDDED, None, text, path) == []


def test_a_new_layout_is_silent(find: Find) -> None:
    assert BEFORE != WRAPPED
    assert find(Kind.EMBEDDED, BEFORE, WRAPPED) == []


def test_one_added_statement_is_one_change_with_its_line(find: Find) -> None:
    after = WRAPPED.replace("}\n", '    conn.execute("ALTER TABLE t ADD COLUMN d TEXT", [])?;\n}\n')
    (change,) = find(Kind.EMBEDDED, BEFORE, after)
    assert (change.rule, change.object, change.effects) == ("sql.add_column", "t.d", (Effect("column:t.d", True),))
    assert "ADD COLUMN d" in after.splitlines()[change.line - 1]


def test_an_edited_table_does_not_promise_its_columns(find: Find) -> None:
    (change,) = find(Kind.EMBEDDED, BEFORE, BEFORE.replace("'a b'\n", "'a b',\n    more TEXT\n"))
    assert (change.rule, change.effects) == ("sql.statement_changed", ())
    assert change.reason.endswith("Columns added more.")


def test_removed_statements_and_files(find: Find) -> None:
    assert [change.rule for change in find(Kind.EMBEDDED, BEFORE, "")] == ["sql.statement_removed"] * 2
    assert [change.rule for change in find(Kind.EMBEDDED, BEFORE, None)] == ["sql.file_deleted"]
    assert find(Kind.EMBEDDED, "fn main() {}", None) == []


def test_a_statement_that_was_there_already_promises_nothing_new(find: Find) -> None:
    twice = 'run("CREATE INDEX i ON t (a)");\n'
    (change,) = find(Kind.EMBEDDED, twice, twice * 2)
    assert (change.rule, change.effects) == ("sql.create_index", ())


def test_what_is_no_text_is_unknown() -> None:
    (change,) = detect(Kind.EMBEDDED, "x.rs", None, b"\x00\x01\xff")
    assert change.severity is Severity.UNKNOWN


@given(st.text(max_size=80), st.sampled_from(["rs", "py", "go", "ts", "php", "sh", "lua", "cs", "cpp", "txt"]))
def test_any_text_can_be_looked_through(text: str, suffix: str) -> None:
    assert all(text[literal.start : literal.start + 1] for literal in literals(text, f"x.{suffix}"))
    detect(Kind.EMBEDDED, f"x.{suffix}", None, text.encode("utf-8", "surrogatepass"))
