"""DDL inside program text: found in the strings of every language, not in comments or prose; layout means nothing."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ics_guard.detect import detect
from ics_guard.detect.embedded.literals import literals
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
    ("x.rs", 'let quote = b\'"\'; run("DROP TABLE t")'),
    ("x.rs", 'String::from("DROP TABLE ") + &name'),
    ("x.rs", 'run("DO $$ BEGIN DROP TABLE t; END $$")'),
    ("x.py", "cursor.execute('DROP TABLE ' + name)"),
    ("x.py", "cursor.execute('DROP TABLE ' + quoted(name) + ' CASCADE')"),
    ("x.py", "cursor.execute('DROP TABLE %s' % name)"),
    ("x.go", 'db.Exec("DROP TABLE " + name + ";")'),
    ("x.go", 'db.Exec(fmt.Sprintf("DROP TABLE %s", name))'),
    ("x.ts", "await sql`DROP TABLE ${name}`"),
    ("x.php", "$db->exec('DROP TABLE ' . $name . ' CASCADE');"),
    ("x.php", '$db->exec("DROP TABLE {$this->prefix}t");'),
    ("x.php", "$sql = <<<'SQL'\nDROP TABLE t;\nSQL;\n"),
    ("x.rb", "class << self\n  execute %q{DROP TABLE t}\nend"),
    ("x.ex", "execute ~s(DROP TABLE t)"),
    ("x.ex", 'execute "DROP TABLE " <> name'),
    ("x.kt", 'db.execSQL("""\n  |DROP\n  |TABLE t\n""".trimMargin())'),
    ("x.cs", 'var s = @"DROP TABLE ""t""";'),
    ("x.lua", "db:exec('DROP TABLE ' .. name)"),
    ("x.sh", "psql <<EOF\nDROP TABLE t;\nEOF"),
    ("x.sh", "echo DROP TABLE t | psql"),
    ("x.yml", "sql: |\n  DROP TABLE t;\nmore: 1\n"),
    ("x.yml", "- sql: DROP TABLE t\n"),
    ("x.xml", "<sql>DROP TABLE t</sql>"),
    ("x.json", '{"up": "DROP TABLE t"}'),
    ("schema", "-- all of it\nDROP TABLE t;\n"),
    ("x.txt", "DROP TABLE t;"),
    ("x.tmpl", "{{ if .x }}DROP TABLE {{ .Name }};{{ end }}"),
    ("x.py", r'c.execute("\nDROP TABLE t")'),
    ("x.py", r'c.execute("\tDROP TABLE t")'),
    ("x.ts", r'db.exec("SELECT 1;\nDROP TABLE t")'),
    ("x.rs", r'c.execute("SELECT 1;\r\nDROP TABLE t")'),
    ("x.go", r'db.Exec("PRAGMA foreign_keys = ON;\nDROP TABLE t;\n")'),
    ("x.json", r'{"sql": "BEGIN;\nDROP TABLE t;\nCOMMIT;"}'),
    ("x.yml", r'sql: "BEGIN;\nDROP TABLE t;\nCOMMIT;"'),
    ("x.cs", 'Sql(@"BEGIN TRAN\nDROP TABLE t\nCOMMIT")'),
    ("x.py", r'c.execute("SET NOCOUNT ON\nDROP TABLE t\nPRINT 1")'),
    ("x.py", 'c.execute("""BEGIN\nDROP TABLE t\nEND""")'),
    ("x.xml", "<sql><![CDATA[DROP TABLE t;]]></sql>"),
    ("x.xml", "<sql><![CDATA[DROP TABLE t]]></sql>"),
    ("x.ipynb", r'{"source": ["c.execute(\"DROP TABLE t\")\n"]}'),
    ("x.ipynb", r'{"source": ["found = await c.execute(\n", "    sa.text(\"DROP TABLE t\"))"]}'),
    ("x.json", """{"code": "db.exec('DROP TABLE t')"}"""),
    ("x.json", """{"code": "function () { db.exec('DROP TABLE t') }"}"""),
    ("x.sql", "DROP TABLE t;"),
    ("x.sql.j2", "DROP TABLE {{ t }};"),
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
    ("x.py", "cursor.execute('DELETE FROM ' + name)"),
    ("x.py", 'def f() -> None:\n    """DROP TABLE t"""\n'),
    ("x.py", '"""DROP TABLE t"""\nimport os\n'),
    ("x.rs", '#[doc = "DROP TABLE t"]\nfn f() {}'),
    ("x.tsx", "<p>Drop table users</p>"),
    ("x.ts", "it('should drop table users', () => {})"),
    ("x.txt", "First create a table (any), then drop table users. Alter table foo if you must."),
    ("x.md", "Run `DROP TABLE t` or\n\nDROP TABLE t;\n"),
    ("x.rs", "conn.query(\"SELECT * FROM t WHERE name = 'create table'\")"),
    ("x.rs", "let create = drop(table);"),
    ("x.rs", 'say("DROP ", "TABLE t")'),
    ("x.py", 'say("Use this to drop table users")'),
    ("x.py", 'say("Set a name, select one, then drop table users")'),
    ("x.py", r'say("Set a name\ndrop table users if you must")'),
    ("x.py", 'say("Begin with drop table users and end")'),
    ("x.json", """{"help": "Run db.exec('DROP TABLE t') or 'DROP TABLE u' first"}"""),
    ("x.json", """{"sql": "INSERT INTO notes VALUES ('DROP TABLE t')"}"""),
    ("x.ipynb", r'{"source": ["Then `c.execute(\"DROP TABLE t\")` loses it."]}'),
    ("x.rs", ""),
]

PLACES = [
    ("x.php", "$sql = <<<SQL\n  SELECT 1;\n  DROP TABLE t;\nSQL;\n"),
    ("x.php", "$sql = <<<SQL\nDROP TABLE t;\nSQL;\n"),
    ("x.rb", "execute <<~SQL\n  DROP TABLE t\nSQL\n"),
    ("x.sh", "psql <<EOF\nDROP TABLE t;\nEOF"),
    ("x.pl", "my $q = <<SQL;\nDROP TABLE t;\nSQL\n"),
    ("x.tf", "sql = <<-EOT\n  DROP TABLE t;\nEOT\n"),
    ("x.py", "\n" * 37 + r'run("USE db\nDROP TABLE t")'),
    ("x.py", 'run("SELECT 1;" "\\n"\n    "DROP TABLE t")'),
    ("x.py", 'run(a + "SELECT \\"x\\";\\n" + b + ";DROP TABLE t")'),
    ("x.py", 'run("""SELECT 1;\n\n  DROP TABLE t""")'),
    ("x.java", r'x("\n" + "DROP TABLE t");'),
    ("x.rs", 'run("SELECT 1; \\\n    DROP TABLE t")'),
    ("x.cs", 'var s = @"SELECT ""a"";\nSELECT ""b""; DROP TABLE t";'),
    ("x.kt", 'db.execSQL("""\n  |SELECT 1;\n  |DROP TABLE t\n""".trimMargin())'),
    ("x.cpp", 'auto s = R"q(SELECT 1;\nDROP TABLE t)q";'),
    ("x.lua", "db:exec([[\nDROP TABLE t]])"),
    ("x.json", r'{"sql": "BEGIN;\nDROP TABLE t;\nCOMMIT;"}'),
    ("x.json", """{"code": "a.b();\\ndb.exec('SELECT 1; DROP TABLE t')"}"""),
    ("x.xml", "<sql>\n<![CDATA[DROP TABLE t]]></sql>"),
    ("x.yml", "sql: |\n  DROP TABLE t;\n"),
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


@pytest.mark.parametrize(("path", "text"), PLACES)
def test_a_finding_is_where_its_statement_is_written(find: Find, path: str, text: str) -> None:
    (change,) = find(Kind.EMBEDDED, None, text, path)
    assert text.split("\n")[change.line - 1][change.column - 1 :].startswith("DROP")


@pytest.mark.parametrize("suffix", ["json", "py", "kt"])
def test_a_long_string_of_many_statements_is_placed_in_linear_time(suffix: str) -> None:
    spent = []
    for times in (1_000, 4_000):
        start = process_time()
        found = detect(Kind.EMBEDDED, f"x.{suffix}", None, b'x("' + rb"DROP TABLE t;\n" * times + b'")')
        assert len(found) == times
        spent.append(process_time() - start)
    assert spent[1] < 10 * spent[0] + 0.2


def test_writing_the_schema_table_is_found(find: Find) -> None:
    (change,) = find(Kind.EMBEDDED, None, 'conn.execute_batch("PRAGMA writable_schema=ON; SELECT 1")?;', "x.rs")
    assert change.rule == "sql.writable_schema"
    assert find(Kind.EMBEDDED, None, 'conn.execute("PRAGMA writable_schema=OFF", [])?;', "x.rs") == []


@pytest.mark.parametrize(("path", "text"), QUIET)
def test_comments_prose_and_rows_are_no_ddl(find: Find, path: str, text: str) -> None:
    assert find(Kind.EMBEDDED, None, text, path) == []


def test_what_is_put_in_is_a_hole(find: Find) -> None:
    for text in ("'ALTER TABLE ' + t + ' DROP COLUMN c'", "f'ALTER TABLE {t} DROP COLUMN c'"):
        (change,) = find(Kind.EMBEDDED, None, f"run({text})", "x.py")
        assert (change.rule, change.effects) == ("sql.drop_column", ())
        assert change.object.endswith("}.c")


def test_rows_count_beside_ddl_in_one_string_alone(find: Find) -> None:
    text = 'run("DELETE FROM u");\nrun("DELETE FROM t; ALTER TABLE t ADD COLUMN c int;");'
    assert [(change.rule, change.object) for change in find(Kind.EMBEDDED, None, text)] == [
        ("sql.delete_all", "t"),
        ("sql.add_column", "t.c"),
    ]


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("x.py", "q = 'CREATE TABLE t (a int, b int)'", 'q = (\n    "CREATE TABLE t "\n    "(a int, b int)"\n)'),
        ("x.ts", 'q("CREATE TABLE t (" +\n"a int)")', "q(\n  `CREATE TABLE t (\n    a int\n  )`\n)"),
        ("x.ts", "q(['CREATE TABLE t (', 'a int', ')'])", "q([\n  'CREATE TABLE t (',\n  'a int',\n  ')',\n])"),
        ("x.go", 'q("DROP TABLE t")', "q(`\n\tDROP TABLE t;\n`)"),
        ("x.rs", 'q("ALTER TABLE t \\\n    ADD c int")', 'q(\n    r#"ALTER TABLE t ADD c int"#,\n)'),
        ("x.php", '$q = "DROP TABLE t";', "$q = <<<SQL\n  DROP TABLE t;\nSQL;\n"),
        ("x.rb", 'execute("DROP TABLE t")', "execute <<~SQL\n  DROP TABLE t\nSQL\n"),
        ("x.yml", "sql: DROP TABLE t\n", "sql: |\n  DROP\n    TABLE t;\n"),
    ],
)
def test_another_way_to_write_the_string_is_silent(find: Find, path: str, before: str, after: str) -> None:
    assert find(Kind.EMBEDDED, None, before, path)
    assert find(Kind.EMBEDDED, before, after, path) == []
    assert find(Kind.EMBEDDED, after, before, path) == []


@pytest.mark.parametrize("suffix", ["rs", "py", "go", "ts", "php", "rb", "ex", "sh", "yml", "txt", "cs", "cpp", "kt"])
@pytest.mark.parametrize("piece", ['"""', "<<A\n", 'r#"', "/*", '@"', "%{", "create table t ", "'a", '"a"+x+', "[["])
def test_hostile_text_takes_linear_time(suffix: str, piece: str) -> None:
    spent = []
    for times in (2_000, 8_000):
        start = process_time()
        detect(Kind.EMBEDDED, f"x.{suffix}", None, ("DROP TABLE\n" + piece * times).encode())
        spent.append(process_time() - start)
    assert spent[1] < 10 * spent[0] + 0.2


def test_a_long_file_is_read_at_once() -> None:
    line = 'fn f{0}() -> &\'static str {{ let quote = \'"\'; log("it is fine, {0}"); "SELECT a FROM t{0}" }}\n'
    text = "".join(line.format(number) for number in range(10_000))
    start = process_time()
    (change,) = detect(Kind.EMBEDDED, "x.rs", text.encode(), (text + 'run("DROP TABLE t");\n').encode())
    assert change.line == 10_001
    assert process_time() - start < 5


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


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=80), st.sampled_from(["rs", "py", "go", "ts", "php", "sh", "lua", "cs", "cpp", "txt"]))
def test_any_text_can_be_looked_through(text: str, suffix: str) -> None:
    assert all(text[literal.start : literal.start + 1] for literal in literals(text, f"x.{suffix}"))
    detect(Kind.EMBEDDED, f"x.{suffix}", None, text.encode("utf-8", "surrogatepass"))
