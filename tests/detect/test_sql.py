"""SQL files: what each statement is taken for, which edits mean nothing, and what no reader can read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ics_guard.detect import detect
from ics_guard.detect.rules import RULES
from ics_guard.model import Change, Effect, Kind, Severity

Find = Callable[..., list[Change]]

HITS = [
    ("CREATE TABLE t (a int)", "sql.create_table", "t"),
    ('CREATE TABLE IF NOT EXISTS public."T" (a int)', "sql.create_table", "t"),
    ("CREATE TABLE [dbo].[My Table] (a int)", "sql.create_table", "my table"),
    ("CREATE VIRTUAL TABLE f USING fts5(a, b)", "sql.create_table", "f"),
    ("CREATE TABLE t AS SELECT 1", "sql.create_table", "t"),
    ("SELECT * INTO t FROM old", "sql.create_table", "t"),
    ("CREATE OR REPLACE TABLE t (a int)", "sql.replace_table", "t"),
    ("CREATE VIEW v AS SELECT 1", "sql.create_object", "v"),
    ("CREATE MATERIALIZED VIEW v AS SELECT 1", "sql.create_object", "v"),
    ("CREATE OR REPLACE VIEW v AS SELECT 1", "sql.replace_object", "v"),
    ("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END", "sql.create_object", "g"),
    ("CREATE FUNCTION f() RETURNS int AS $$ SELECT 1; DROP TABLE t $$ LANGUAGE sql", "sql.create_object", "f"),
    ("CREATE TYPE mood AS ENUM ('a')", "sql.create_object", "mood"),
    ("CREATE DEFINER=`root`@`localhost` PROCEDURE `p`() BEGIN DELETE FROM t; END", "sql.create_object", "p"),
    ("CREATE DEFINER=root@localhost PROCEDURE p() BEGIN SELECT 1; END", "sql.create_object", "p"),
    ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY public.t USING btree (a)", "sql.create_index", "i"),
    ("CREATE INDEX ON t (a)", "sql.create_index", "t"),
    ("CREATE UNIQUE INDEX i ON t (a)", "sql.create_unique_index", "i"),
    ("CREATE POLICY p ON t USING (true)", "sql.create_policy", "p"),
    ("DROP TABLE IF EXISTS main.t CASCADE", "sql.drop_table", "t"),
    ("DROP SCHEMA s", "sql.drop_schema", "s"),
    ("DROP TYPE mood", "sql.drop_object", "mood"),
    ("DROP TYPE mood CASCADE", "sql.drop_cascade", "mood"),
    ("DROP VIEW v", "sql.drop_object", "v"),
    ("DROP INDEX CONCURRENTLY i", "sql.drop_index", "i"),
    ("TRUNCATE TABLE t RESTART IDENTITY", "sql.truncate", "t"),
    ("DELETE FROM t", "sql.delete_all", "t"),
    ("DELETE FROM t WHERE 1 = 1", "sql.delete_all", "t"),
    ("WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d WHERE a", "sql.delete_all", "t"),
    ("UPDATE t SET a = (SELECT b FROM u WHERE c)", "sql.update_all", "t"),
    ("ALTER TABLE t ADD COLUMN IF NOT EXISTS c text", "sql.add_column", "t.c"),
    ("ALTER TABLE t ADD c int NOT NULL DEFAULT 1", "sql.add_column", "t.c"),
    ("ALTER TABLE t ADD COLUMN c bigserial PRIMARY KEY", "sql.add_column", "t.c"),
    ("ALTER TABLE t ADD c int NOT NULL", "sql.add_required_column", "t.c"),
    ("ALTER TABLE t ADD key text", "sql.add_column", "t.key"),
    ("ALTER TABLE t DROP COLUMN IF EXISTS c", "sql.drop_column", "t.c"),
    ('ALTER TABLE t DROP "index"', "sql.drop_column", "t.index"),
    ("ALTER TABLE t DROP c", "sql.drop_column", "t.c"),
    ("ALTER TABLE t DROP PARTITION p", "sql.drop_partition", "t"),
    ("ALTER TABLE t TRUNCATE PARTITION p", "sql.drop_partition", "t"),
    ("ALTER TABLE t DISCARD PARTITION p TABLESPACE", "sql.drop_partition", "t"),
    ("ALTER TABLE t DISCARD TABLESPACE", "sql.truncate", "t"),
    ("DROP TABLES IF EXISTS t", "sql.drop_table", "t"),
    ("ALTER TABLE $(Schema).t DROP COLUMN a", "sql.drop_column", "$(schema).t.a"),
    ("ALTER TABLE [$(Schema)].[t] DROP COLUMN a", "sql.drop_column", "$(schema).t.a"),
    ("DROP TABLE $(Prefix)t", "sql.drop_table", "$(prefix)t"),
    ("ALTER TABLE t ADD c int UNIQUE", "sql.add_unique_column", "t.c"),
    ("ALTER TABLE t ADD c int NOT NULL DEFAULT NULL", "sql.add_required_column", "t.c"),
    ("ALTER TABLE t ALTER COLUMN c TYPE varchar(10)", "sql.alter_type", "t.c"),
    ("ALTER TABLE t ALTER COLUMN c SET DATA TYPE int USING c::int", "sql.alter_type", "t.c"),
    ("ALTER TABLE t ALTER COLUMN c varchar(10) NULL", "sql.alter_type", "t.c"),
    ("ALTER TABLE t ALTER COLUMN c TYPE boolean USING (c IS NOT NULL)", "sql.alter_type", "t.c"),
    ("ALTER TABLE t MODIFY COLUMN c int", "sql.alter_type", "t.c"),
    ("ALTER TABLE t CHANGE c d int", "sql.alter_type", "t.c"),
    ("ALTER TABLE t ALTER c SET NOT NULL", "sql.set_not_null", "t.c"),
    ("ALTER TABLE t ALTER c DROP NOT NULL", "sql.relax_column", "t.c"),
    ("ALTER TABLE t RENAME TO u", "sql.rename_table", "t"),
    ("RENAME TABLE t TO u", "sql.rename_table", "t"),
    ("EXEC sp_rename 't', 'u'", "sql.rename_table", "sp_rename"),
    ("ALTER TABLE t RENAME COLUMN c TO d", "sql.rename_column", "t.c"),
    ("ALTER TABLE t ADD CONSTRAINT k CHECK (c > 0)", "sql.add_constraint", "t.k"),
    ("ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i", "sql.add_constraint", "t.k"),
    ("ALTER TABLE t ADD UNIQUE USING INDEX i", "sql.add_constraint", "t"),
    ("ALTER TABLE t WITH CHECK ADD FOREIGN KEY (c) REFERENCES u (id)", "sql.add_constraint", "t"),
    ("ALTER TABLE t DROP CONSTRAINT k", "sql.drop_constraint", "t.k"),
    ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "sql.alter_table", "t"),
    ("ALTER TABLE t OWNER TO bob", "sql.privilege", "t"),
    ("GRANT SELECT ON t TO bob", "sql.privilege", ""),
    ("ALTER INDEX i RENAME TO j", "sql.alter_object", "i"),
    ("ALTER TYPE mood ADD VALUE 'b'", "sql.add_value", "mood"),
    ("DO $$ BEGIN RAISE NOTICE 'x'; END $$", "sql.do_block", ""),
    ("DO $$ BEGIN IF true THEN DROP TABLE t; END IF; END $$", "sql.drop_table", "t"),
    ("DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$", "sql.drop_table", "t"),
    ("DO $$ BEGIN EXECUTE format('DROP TABLE %I', x); END $$", "sql.drop_table", "%i"),
    ("DO $$ BEGIN EXECUTE 'DROP TABLE ' || quote_ident(x) || ' CASCADE'; END $$", "sql.drop_table", "{}"),
    ("DO $$ BEGIN EXECUTE x; END $$", "sql.dynamic", ""),
    ("DO 'BEGIN DROP TABLE t; END'", "sql.drop_table", "t"),
    ("BEGIN\nDROP TABLE t;\nEND;", "sql.drop_table", "t"),
    ("BEGIN TRY DROP TABLE t END TRY BEGIN CATCH SELECT 1 END CATCH", "sql.drop_table", "t"),
    ("IF OBJECT_ID('t') IS NOT NULL DROP TABLE t", "sql.drop_table", "t"),
    ("EXPLAIN ANALYZE DELETE FROM t", "sql.delete_all", "t"),
    ("COPY (DELETE FROM t RETURNING *) TO STDOUT", "sql.delete_all", "t"),
    ("MERGE INTO t USING s ON a = b WHEN NOT MATCHED BY SOURCE THEN DELETE", "sql.delete_all", "t"),
    ("MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE", "sql.merge_delete", "t"),
    ("MERGE INTO t USING s ON (1 = 1) WHEN MATCHED THEN DELETE", "sql.delete_all", "t"),
    ("EXEC('DROP TABLE t')", "sql.drop_table", "t"),
    ("DELETE TOP (10) FROM t", "sql.delete_all", "t"),
    ("UPDATE OR IGNORE t SET a = 1", "sql.update_all", "t"),
    ("SELECT * FROM drop_chunks('t')", "sql.call", "drop_chunks"),
    ("SELECT lo_unlink(o) FROM t", "sql.call", "lo_unlink"),
    ("DROP CAST (a AS b)", "sql.drop_object", ""),
    ("DROP AGGREGATE a (int)", "sql.drop_object", "a"),
    ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()", "sql.create_object", "e"),
    ("CREATE TEXT SEARCH CONFIGURATION c (COPY = english)", "sql.create_object", "c"),
    ("CREATE RULE r AS ON INSERT TO t DO (DELETE FROM x; DROP TABLE y)", "sql.replace_object", "r"),
    ("ALTER FUNCTION f(int) OWNER TO bob", "sql.privilege", "f"),
    ("DROP TABLE :name", "sql.drop_table", ":name"),
    ("DROP TABLE <%= name %>", "sql.drop_table", "<%= name %>"),
    ("DROP TABLE $name", "sql.drop_table", "$name"),
    ("CALL p()", "sql.call", "p"),
    ("SELECT create_hypertable('t', 'at')", "sql.call", "create_hypertable"),
    ("EXEC (@sql)", "sql.dynamic", ""),
    ("{{ template \"tables\" }}", "sql.dynamic", '{{ template "tables" }}'),
    ("\\i other.sql", "sql.include", "\\i other.sql"),
    ("\\! psql -c 'drop table x'", "sql.include", "\\! psql -c 'drop table x'"),
    ("PRAGMA writable_schema = 1", "sql.writable_schema", "sqlite_schema"),
    ("FROBNICATE t", "sql.unread", "FROBNICATE"),
]  # fmt: skip

QUIET = [
    "",
    ";;",
    "-- DROP TABLE t;",
    "/* SQLite does not nest /* so this ends here */ SELECT 1",
    "INSERT INTO t VALUES ('DROP TABLE t; DELETE FROM t');",
    "INSERT INTO t VALUES ($tag$ ; no table t; $tag$), (E'it\\'s; DROP TABLE t');",
    "INSERT INTO t SELECT 1 ON CONFLICT (a) DO UPDATE SET a = 1",
    "SELECT * FROM t FOR UPDATE",
    "SELECT setval('s', 1)",
    "UPDATE t SET a = 1 WHERE b = 2",
    "DELETE FROM t USING u WHERE t.a = u.a",
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED AND u.gone THEN DELETE",
    "WITH d AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT * FROM d)",
    "SET search_path = x; BEGIN; COMMIT; PRAGMA foreign_keys = OFF; PRAGMA user_version = 3",
    "CREATE TEMP TABLE t (a int)",
    "SELECT * INTO #t FROM u; DROP TABLE #t",
    "\\set x 1\n\\echo DROP TABLE t;\n",
    "COPY t FROM stdin;\n1\tit's; DROP TABLE t;\n\\.\n",
    "{% if x %} SELECT 1; {% endif %}",
    "{# DROP TABLE t; #}",
    "CREATE TEMP TABLE t (a int); CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t ADD b int; DELETE FROM t; DROP TABLE t",
    "DELETE FROM t WHERE a = b AND 1 = 1; DELETE FROM t WHERE a = a AND b; DELETE FROM t WHERE x BETWEEN 1 AND 1",
    "BEGIN TRANSACTION; COMMIT; BEGIN; END",
    "/*!40101 SET NAMES utf8 */;",
]

SAME = [
    ("create table t(a int,b text);", "CREATE TABLE T (\n  A  INT, -- the first\n  b TEXT\n)\n"),
    ("CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "CREATE INDEX i ON t (a); CREATE TABLE t (a int);"),
    ("DROP TABLE t;", "\ufeffDROP TABLE t;\r\n"),
    ("INSERT INTO t VALUES (1); DROP TABLE t;", "INSERT INTO t VALUES (2); DROP TABLE t;"),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$\n-- one\nBEGIN\n  RETURN 1;\nEND $body$",
    ),
    ('ALTER TABLE "t" ADD COLUMN "a_b" int', "ALTER TABLE t ADD COLUMN a_b int;"),
    ("CREATE TABLE [t] ([a] int)", "CREATE TABLE t (a int)"),
    ("CREATE TABLE `t` (`a` int)", "CREATE TABLE t (\n\ta int\n)"),
]

EDITS = [
    ("CREATE TABLE t (a int)", "CREATE TABLE t (a int, b int)", "sql.statement_changed"),
    ("CREATE TABLE t (a text DEFAULT 'x')", "CREATE TABLE t (a text DEFAULT 'X')", "sql.statement_changed"),
    ("ALTER TABLE t ADD c int", "ALTER TABLE t ADD c text", "sql.statement_changed"),
    ('CREATE TABLE t ("user" int)', "CREATE TABLE t (user int)", "sql.statement_changed"),
    ('CREATE TABLE t ("A" int)', "CREATE TABLE t (a int)", "sql.statement_changed"),
    ("DO $$ BEGIN IF a THEN DROP TABLE t; END IF; END $$", "DO $$ BEGIN IF b THEN DROP TABLE t; END IF; END $$",
     "sql.drop_table"),
    ("CREATE TABLE t (a int)", "", "sql.statement_removed"),
    ("CREATE TABLE t (a int)", "CREATE TABLE t (a int); DROP TABLE u", "sql.drop_table"),
    ("CREATE TABLE t (a int)", None, "sql.file_deleted"),
    ("-- +goose Up\nDROP VIEW v;\n-- +goose Down\nDROP VIEW w;", "-- +goose Up\nDROP VIEW v;", "sql.rollback_changed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rule", "thing"), HITS)
def test_a_statement_is_one_change_under_its_rule(find: Find, text: str, rule: str, thing: str) -> None:
    changes = find(Kind.SQL, None, text)
    assert [(change.rule, change.object) for change in changes] == [(rule, thing)]
    assert changes[0].severity is RULES[rule].severity


@pytest.mark.parametrize("text", QUIET)
def test_what_leaves_the_schema_alone_is_no_change(find: Find, text: str) -> None:
    assert find(Kind.SQL, None, text) == []
    assert find(Kind.SQL, text, None) == []


@pytest.mark.parametrize(("before", "after"), SAME)
def test_an_edit_without_meaning_is_no_change(find: Find, before: str, after: str) -> None:
    assert find(Kind.SQL, before, after) == []
    assert find(Kind.SQL, after, before) == []
    assert find(Kind.SQL, None, before)


@pytest.mark.parametrize(("before", "after", "rule"), EDITS)
def test_an_edit_with_meaning_is_one_change(find: Find, before: str, after: str | None, rule: str) -> None:
    assert [change.rule for change in find(Kind.SQL, before, after)] == [rule]


def test_an_edited_table_names_its_columns(find: Find) -> None:
    changes = find(Kind.SQL, "CREATE TABLE t (a int, b int)", "CREATE TABLE t (b text, c int)")
    assert changes[0].reason.endswith("Columns added c; removed a; altered b.")
    assert changes[0].effects == ()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("CREATE TABLE a (x)\nCREATE TABLE b (y int)\nGO\nALTER TABLE b\nDROP COLUMN y\nDELETE FROM c", [1, 2, 4, 6]),
        ("DELIMITER //\nCREATE PROCEDURE p() BEGIN DROP TABLE x; END//\nDELIMITER ;\nDROP TABLE t;", [2, 4]),
        ("CREATE TRIGGER g AFTER UPDATE ON t BEGIN\nSELECT CASE WHEN 1 THEN 2 END;\nEND;\n\nDROP TABLE t", [1, 5]),
        ("INSERT INTO t VALUES ('it\\'s');\nDROP TABLE t;\nINSERT INTO t VALUES ('it\\'s');", [2]),
        ("COPY t FROM stdin;\n'\n\\.\nDROP TABLE t;", [4]),
        ("BEGIN;\nDROP TABLE t;\nEND;", [2]),
        ("SELECT 1 # 2; DROP TABLE t;\n# DROP TABLE u;", [1]),
        ("/* note /* odd */ DROP TABLE t; /* x */", [1]),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC\nSELECT CASE 1 WHEN 1 THEN 2 END;\nEND;\nDROP TABLE t;", [1, 4]),
        ("/*!50003 CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET new.a = 1 */;\nDROP TABLE t;", [1, 2]),
    ],
)  # fmt: skip
def test_statements_are_told_apart_in_every_dialect(find: Find, text: str, lines: list[int]) -> None:
    assert [change.line for change in find(Kind.SQL, None, text)] == lines


def test_positions_count_from_one(find: Find) -> None:
    (change,) = find(Kind.SQL, None, "SELECT 1;\n  DROP TABLE t;")
    assert (change.line, change.column) == (2, 3)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_every_encoding_is_read(encoding: str) -> None:
    changes = detect(Kind.SQL, "x.sql", None, "-- caf\u00e9\nDROP TABLE caf\u00e9;".encode(encoding))
    assert [(change.rule, change.object) for change in changes] == [("sql.drop_table", "caf\u00e9")]


def test_rebuilding_a_table_leaves_no_trace_to_look_for(find: Find) -> None:
    text = "CREATE TABLE n (a int); DROP TABLE t; ALTER TABLE n RENAME TO t; CREATE INDEX i ON t (a);"
    changes = find(Kind.SQL, None, text)
    assert [change.effects for change in changes] == [(), (), (), ()]
    assert changes[1].severity is Severity.DESTRUCTIVE


def test_effects_say_what_is_visible_afterwards(find: Find) -> None:
    (change,) = find(Kind.SQL, None, "ALTER TABLE public.T RENAME TO U")
    assert change.effects == (Effect("table:t", False), Effect("table:u", True))


def test_privileges_and_comments_stay_a_notice(find: Find) -> None:
    changes = find(Kind.SQL, "COMMENT ON TABLE t IS 'a'; GRANT SELECT ON t TO bob;", "COMMENT ON TABLE t IS 'b';")
    assert {change.severity for change in changes} == {Severity.NOTICE}


def test_a_table_that_is_new_too_has_no_rows_to_break_a_constraint(find: Find) -> None:
    changes = find(Kind.SQL, None, "CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a)")
    assert [change.rule for change in changes] == ["sql.create_table", "sql.on_new_table"]


def test_a_rollback_section_or_file_does_not_run_now(find: Find) -> None:
    both = "-- migrate:up\nCREATE VIEW v AS SELECT 1;\n-- migrate:down\nDROP VIEW v;"
    assert [change.rule for change in find(Kind.SQL, None, both)] == ["sql.create_object"]
    changes = find(Kind.SQL, None, "DROP VIEW v;", "migrations/1_x.down.sql")
    assert [change.rule for change in changes] == ["sql.rollback_added"]


def test_a_file_that_turns_from_the_way_up_into_the_way_down_is_gone(find: Find) -> None:
    text = b"CREATE TABLE t (a int);"
    turned = detect(Kind.SQL, "db/1_t.down.sql", text, text, previous_path="db/1_t.up.sql")
    assert [change.rule for change in turned] == ["sql.file_deleted", "sql.rollback_added"]
    back = detect(Kind.SQL, "db/1_t.up.sql", text, text, previous_path="db/1_t.down.sql")
    assert [change.rule for change in back] == ["sql.file_deleted", "sql.create_table"]
    assert detect(Kind.SQL, "db/2_t.up.sql", text, text, previous_path="db/1_t.up.sql") == []


def test_the_layout_of_a_body_within_a_body_is_none_of_its_meaning(find: Find) -> None:
    inner = "UPDATE a SET b = 1 WHERE c"
    text = f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE $b${inner}$b$; END $$;"
    assert find(Kind.SQL, text, text.replace(inner, inner.replace(" ", "\n      "))) == []
    assert find(Kind.SQL, text, text.replace("b = 1", "b = 2"))
    call = "CALL triggers('a', $$ BEGIN UPDATE a SET b = 1 WHERE c; END $$);"
    assert find(Kind.SQL, call, call.replace("SET", "\n    SET")) == []


def test_the_same_in_more_or_fewer_statements_is_said_in_other_words(find: Find) -> None:
    one, two = "ALTER TABLE t ADD a int, DROP b;", "ALTER TABLE t ADD a int;\nALTER TABLE t DROP b;"
    for before, after in ((one, two), (two, one), ("DROP TABLE a, b;", "DROP TABLE a; DROP TABLE b;")):
        (change,) = find(Kind.SQL, before, after)
        assert (change.rule, change.severity) == ("sql.reworded", Severity.ADDITIVE)
    assert find(Kind.SQL, two, two.replace("\n", "\n\n-- again\n")) == []


def test_a_digest_is_of_the_operation_alone(find: Find) -> None:
    one = find(Kind.SQL, None, "ALTER TABLE t ADD a int, DROP b", "one.sql")
    two = find(Kind.SQL, None, "-- more\nALTER TABLE t\n ADD a INT;\nALTER TABLE t DROP b;", "two.sql")
    assert [change.digest for change in one] == [change.digest for change in two]
    assert len({change.digest for change in one}) == 2


def test_what_is_left_open_is_unknown(find: Find) -> None:
    for text in ("SELECT 'DROP TABLE t;", "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; DROP TABLE t;"):
        assert Severity.UNKNOWN in {change.severity for change in find(Kind.SQL, None, text)}


_SQL = "CREATE TABLE t (a int DEFAULT 'x;y'); ALTER TABLE t DROP COLUMN b; DELETE FROM u; CREATE INDEX i ON t (a);"


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from([" ", "\n", "\t", "\r\n", " -- note\n", " /* a ; b */ "]), min_size=60, max_size=60))
def test_layout_never_changes_the_result(gaps: list[str]) -> None:
    words = _SQL.split(" ")
    laid_out = "".join(word + gap for word, gap in zip(words, gaps, strict=False))
    assert detect(Kind.SQL, "x.sql", _SQL.encode(), laid_out.encode()) == []
    digests = [
        [change.digest for change in detect(Kind.SQL, "x.sql", None, text.encode())] for text in (_SQL, laid_out)
    ]
    assert digests[0] == digests[1]


@settings(deadline=None)  # the machine may be busy
@given(st.binary())
def test_random_bytes_never_crash_and_never_pass_for_nothing(content: bytes) -> None:
    detect(Kind.SQL, "x.sql", None, content)
    unreadable = b"\x01\x02" + content
    for before, after in ((None, unreadable), (unreadable, None), (b"SELECT 1", unreadable), (unreadable, b"SELECT 1")):
        assert Severity.UNKNOWN in {change.severity for change in detect(Kind.SQL, "x.sql", before, after)}


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="abc();'\"$`[]{}-/*\\ \nDROP TABLE", max_size=40))
def test_any_text_beside_a_statement_never_hides_it(noise: str) -> None:
    assert detect(Kind.SQL, "x.sql", None, f"{noise}\nDROP TABLE t;".encode()) or "--" in noise or "/*" in noise


def test_nothing_imports_sqlglot_before_it_is_needed() -> None:
    code = (
        "import sys; from ics_guard.detect import detect; from ics_guard.model import Kind;"
        "assert detect(Kind.SQL, 'x.sql', None, b'DROP TABLE t'); assert 'sqlglot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
