"""Statements without a semicolon, as T-SQL writes them: told apart everywhere, and nowhere that grammar goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ics_guard.model import Change, Kind

Find = Callable[..., list[Change]]

FIRST = [
    "BEGIN TRAN",
    "BEGIN TRANSACTION",
    "BEGIN TRANSACTION\n",
    "BEGIN DISTRIBUTED TRAN",
    "SET NOCOUNT ON",
    "SET XACT_ABORT ON",
    "SET IDENTITY_INSERT u ON",
    "COMMIT",
    "COMMIT TRAN",
    "ROLLBACK",
    "RETURN",
    "CHECKPOINT",
    "THROW",
    "USE db",
    "PRINT 'x'",
    "SELECT 1",
    "SELECT a FROM u FOR UPDATE",
    "INSERT INTO u SELECT 1",
    "INSERT INTO u VALUES (1)",
    "INSERT INTO u DEFAULT VALUES",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "DELETE FROM u WHERE a = 1",
    "SET XACT_ABORT ON\nBEGIN TRY\nBEGIN TRAN",
    "SET NOCOUNT ON\nPRINT 'y'",
]
NOTED = [
    "GRANT SELECT ON u TO x",
    "REVOKE SELECT ON u FROM x",
    "DENY SELECT ON u TO x",
    "COMMENT ON TABLE u IS 'x'",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO x",
]
ADDITIVE = [
    ("CREATE TABLE u (a int)", "sql.create_table"),
    ("CREATE INDEX i ON u (a)", "sql.create_index"),
    ("ALTER TABLE u ADD a int", "sql.add_column"),
    ("ALTER TABLE u ADD a int IDENTITY PRIMARY KEY", "sql.add_column"),
    ("ALTER DATABASE d SET ANSI_NULLS ON", "sql.alter_object"),
    ("CREATE VIEW v AS SELECT 1", "sql.create_object"),
]
SECOND = [
    ("DROP TABLE t", "sql.drop_table"),
    ("ALTER TABLE t DROP COLUMN a", "sql.drop_column"),
    ("TRUNCATE TABLE t", "sql.truncate"),
    ("DROP INDEX i ON t", "sql.drop_index"),
    ("CREATE TABLE t (a int)", "sql.create_table"),
]
ROWS = [
    ("DELETE FROM t", "sql.delete_all"),
    ("DELETE TOP (10) FROM t", "sql.delete_all"),
    ("UPDATE dbo.t SET a = 1", "sql.update_all"),
    ("EXEC sp_rename 'a', 'b'", "sql.rename_table"),
    ("EXEC('DROP TABLE t')", "sql.drop_table"),
    ("EXEC p", "sql.call"),
]
ON_A_LINE_OF_ITS_OWN = [
    ("DELETE t", "sql.delete_all"),
    ("MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED BY SOURCE THEN DELETE;", "sql.delete_all"),
]
OVER = [
    ("DELETE FROM t\nSELECT * FROM u WHERE a = 1", "sql.delete_all"),
    ("DELETE FROM t\nINSERT INTO u SELECT a FROM x WHERE a = 1", "sql.delete_all"),
    ("UPDATE t SET a = 1\nDELETE FROM u WHERE a = 1", "sql.update_all"),
    ("DROP TYPE t CASCADE\nCOMMIT", "sql.drop_cascade"),
    ("DROP TYPE t CASCADE\nSET NOCOUNT OFF", "sql.drop_cascade"),
    ("DROP TYPE t CASCADE\nPRINT 'gone'", "sql.drop_cascade"),
]
ONE = [
    ("CREATE TRIGGER g AFTER INSERT ON t\nBEGIN\nDELETE FROM x;\nEND", ["sql.create_object"]),
    ("CREATE PROCEDURE p AS\nSELECT 1\nDROP TABLE t", ["sql.create_object"]),
    ("CREATE OR\nALTER PROCEDURE p AS SELECT 1", ["sql.replace_object"]),
    ("CREATE FUNCTION f() RETURNS int AS $$\nDROP TABLE t\n$$ LANGUAGE sql", ["sql.create_object"]),
    ("CREATE EVENT TRIGGER e ON ddl_command_end\nEXECUTE FUNCTION f()", ["sql.create_object"]),
    ("CREATE RULE r AS ON DELETE TO t DO INSTEAD\nDELETE FROM u", ["sql.replace_object"]),
    ("CREATE POLICY p ON t FOR\nDELETE\nTO x USING (true)", ["sql.create_policy"]),
    ("CREATE TEMP TABLE t (a int) ON\nCOMMIT DROP", []),
    ("CREATE TABLE t (a int REFERENCES u\nON DELETE CASCADE\nON UPDATE SET NULL,\ndrop int)", ["sql.create_table"]),
    ("GRANT CREATE, DROP ON x TO y", ["sql.privilege"]),
    ("GRANT ALTER\nON TABLE t TO y", ["sql.privilege"]),
    ("GRANT SELECT,\nUPDATE,\nDELETE ON t TO x", ["sql.privilege"]),
    ("GRANT\nCREATE TABLE,\nCREATE VIEW\nTO x", ["sql.privilege"]),
    ("GRANT SELECT, EXECUTE\nON f TO x", ["sql.privilege"]),
    ("REVOKE\nDELETE ON t FROM x", ["sql.privilege"]),
    ("ALTER DEFAULT PRIVILEGES IN SCHEMA s\nGRANT SELECT,\nDELETE ON TABLES TO x", ["sql.privilege"]),
    ("COMMENT ON COLUMN t.drop IS\n'DROP TABLE t'", ["sql.privilege"]),
    ("ALTER TABLE t\nDROP COLUMN a", ["sql.drop_column"]),
    ("ALTER TABLE t\nDROP a,\nDROP COLUMN b", ["sql.drop_column", "sql.drop_column"]),
    ("ALTER TABLE t\nALTER COLUMN a SET NOT NULL,\nDROP COLUMN b", ["sql.set_not_null", "sql.drop_column"]),
    ("ALTER TABLE t\nALTER type TYPE int,\nALTER schema DROP DEFAULT", ["sql.alter_type", "sql.relax_column"]),
    ("ALTER TABLE t\nDROP INDEX i,\nDROP INDEX j", ["sql.drop_index", "sql.drop_index"]),
    ("ALTER TABLE t ON CLUSTER c\nDROP INDEX i", ["sql.alter_table"]),
    ("ALTER TABLE t\nRENAME TO u", ["sql.rename_table"]),
    ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u\nON DELETE CASCADE\nON\nUPDATE SET NULL", ["sql.add_constraint"]),
    ("ALTER PUBLICATION p\nDROP TABLE t", ["sql.alter_object"]),
    ("ALTER EXTENSION e\nDROP FUNCTION f()", ["sql.alter_object"]),
    ("INSERT INTO t VALUES (now()) ON CONFLICT (a) DO\nUPDATE SET a = 1", []),
    ("INSERT INTO t SELECT 1 ON DUPLICATE KEY\nUPDATE a = 1", []),
    ("INSERT INTO t\nEXEC p", []),
    ("SELECT a,\ndrop,\nset\nFROM t", []),
    ("SELECT a FROM t FOR\nUPDATE", []),
    ("SHOW\nCREATE TABLE t", []),
    ("EXPLAIN\nDELETE FROM t", []),
    ("EXPLAIN\nCREATE TABLE t AS SELECT 1", []),
    ("WITH a AS (SELECT 1)\nDELETE FROM t WHERE a", []),
    ("WITH a AS (SELECT 1)\nUPDATE t SET a = 1 WHERE b", []),
    ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN\nUPDATE SET a = 1", []),
    ("PREPARE p AS\nDELETE FROM t", []),
    ("DO $$ BEGIN FOR r IN SELECT 1 FOR UPDATE LOOP UPDATE t SET a = 1 WHERE b; END LOOP; END $$", ["sql.do_block"]),
]  # fmt: skip


def rules(changes: list[Change]) -> list[str]:
    return [change.rule for change in changes]


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize(("second", "rule"), [*SECOND, *ROWS, *ON_A_LINE_OF_ITS_OWN])
def test_a_line_that_opens_a_statement_does_so_after_any_other(find: Find, first: str, second: str, rule: str) -> None:
    (change,) = find(Kind.SQL, None, f"{first}\n{second}\n")
    assert (change.rule, change.line) == (rule, first.count("\n") + 2)


@pytest.mark.parametrize("first", NOTED)
@pytest.mark.parametrize(("second", "rule"), [*SECOND, *ROWS, *ON_A_LINE_OF_ITS_OWN])
def test_a_notice_hides_nothing_behind_it(find: Find, first: str, second: str, rule: str) -> None:
    assert rules(find(Kind.SQL, None, f"{first}\n{second}\n")) == ["sql.privilege", rule]


@pytest.mark.parametrize(("first", "harmless"), ADDITIVE)
@pytest.mark.parametrize(("second", "rule"), SECOND)
@pytest.mark.parametrize("gap", ["\n", " "])
def test_what_only_adds_hides_nothing_behind_it(
    find: Find, first: str, harmless: str, second: str, rule: str, gap: str
) -> None:
    assert rules(find(Kind.SQL, None, f"{first}{gap}{second}")) == [harmless, rule]


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize(("second", "rule"), SECOND)
def test_a_statement_on_the_schema_is_seen_within_a_line(find: Find, first: str, second: str, rule: str) -> None:
    assert rules(find(Kind.SQL, None, f"{first} {second}")) == [rule]


@pytest.mark.parametrize("first", ["SET NOCOUNT ON", "USE db", "PRINT 'x'"])
@pytest.mark.parametrize(("second", "rule"), ROWS)
def test_after_a_setting_rows_are_seen_within_a_line(find: Find, first: str, second: str, rule: str) -> None:
    assert rules(find(Kind.SQL, None, f"{first} {second}")) == [rule]


@pytest.mark.parametrize(("text", "rule"), OVER)
def test_what_comes_behind_a_loss_is_no_part_of_it(find: Find, text: str, rule: str) -> None:
    assert rules(find(Kind.SQL, None, text)) == [rule]


@pytest.mark.parametrize(("text", "expected"), ONE)
def test_a_statement_that_goes_on_stays_one_however_it_is_laid_out(find: Find, text: str, expected: list[str]) -> None:
    assert rules(find(Kind.SQL, None, text)) == expected
    assert rules(find(Kind.SQL, None, text.replace("\n", " "))) == expected


def test_alembic_reads_batches_too(find: Find) -> None:
    text = (
        "from alembic import op\n\nrevision = 'b'\ndown_revision = 'a'\n\n\n"
        "def upgrade():\n    op.execute('SET NOCOUNT ON\\nDROP TABLE t')\n\n\ndef downgrade():\n    raise ValueError\n"
    )
    assert "sql.drop_table" in rules(find(Kind.ALEMBIC, None, text))


def test_a_trigger_made_in_a_block_keeps_its_function(find: Find) -> None:
    text = "DO $$ BEGIN DROP VIEW v; CREATE TRIGGER g AFTER INSERT ON t\nEXECUTE FUNCTION {}(); END $$"
    (_, one), (_, two) = (find(Kind.SQL, None, text.format(name)) for name in "fg")
    assert one.rule == two.rule == "sql.create_object"
    assert one.digest != two.digest


def test_what_a_block_runs_as_text_is_read_on_its_own_line(find: Find) -> None:
    changes = find(Kind.SQL, None, "IF 1 = 1 DROP TABLE a\nEXEC('DROP TABLE t')\nEXEC('DROP TABLE ' +\n@u)")
    assert [(change.rule, change.object) for change in changes] == [
        ("sql.drop_table", name) for name in ("a", "t", "{}")
    ]
