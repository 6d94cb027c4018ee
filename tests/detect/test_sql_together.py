"""What a SQL statement means beside the others of its file: rebuilds, narrowed types, NOT NULL, the way back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ics_guard.model import Change, Kind, Severity

Find = Callable[..., list[Change]]

NEW = "CREATE TABLE n (id int, a text);"
COPY = "INSERT INTO n (id, a) SELECT id, a FROM t;"
SWAP = "DROP TABLE t; ALTER TABLE n RENAME TO t;"

REBUILDS = [
    f"{NEW} {COPY} {SWAP}",
    f'CREATE TABLE "n" AS SELECT * FROM "t"; {SWAP}',
    f"{NEW} INSERT INTO n (id, a) SELECT id, a FROM t ORDER BY id; {SWAP}",
    f"{NEW} INSERT INTO n (id, a) SELECT id, a FROM t AS x ORDER BY id, a DESC; {SWAP}",
    "ALTER TABLE t RENAME TO old; CREATE TABLE t (id int); INSERT INTO t SELECT id FROM old; DROP TABLE old;",
    "CREATE TEMP TABLE b (a); INSERT INTO b SELECT a FROM t; DROP TABLE t; CREATE TABLE t (a); INSERT INTO t "
    "SELECT a FROM b; DROP TABLE b;",
]
LOSSES = [
    f"{NEW} {SWAP}",
    f"{NEW} DROP TABLE t; INSERT INTO n (id, a) SELECT id, a FROM t; ALTER TABLE n RENAME TO t;",
    f"{NEW} {COPY} DROP TABLE t;",
    f"{NEW} INSERT INTO n SELECT id, a FROM t WHERE id > 3; {SWAP}",
    f"{NEW} INSERT INTO n SELECT id, a FROM t LIMIT 3; {SWAP}",
    f"{NEW} INSERT INTO n SELECT id, a FROM t ORDER BY id LIMIT 3; {SWAP}",
    f"{NEW} INSERT OR IGNORE INTO n SELECT id, a FROM t; {SWAP}",
    f"{NEW} INSERT INTO n SELECT t.id, u.a FROM t, u; {SWAP}",
    f"{NEW} INSERT INTO n SELECT id, a FROM other; {SWAP}",
    f"CREATE TABLE t (id int, a text, b text); {NEW} {COPY} {SWAP}",
]

TYPES = [
    ("varchar(20)", "varchar(10)", True),
    ("text", "varchar(10)", True),
    ("bigint", "int", True),
    ("numeric(10, 2)", "numeric(8, 2)", True),
    ("numeric", "int", True),
    ("double precision", "real", True),
    ("timestamp", "date", True),
    ("varchar(10)", "varchar(20)", False),
    ("varchar(10)", "text", False),
    ("int", "bigint", False),
    ("numeric(8, 2)", "numeric(10, 2)", False),
    ("text", "jsonb", False),
    ("date", "timestamp", False),
]

FILLED = [
    "UPDATE t SET c = 1 WHERE c IS NULL;",
    "UPDATE ONLY t SET a = 1, c = 2;",
    "ALTER TABLE t ALTER COLUMN c SET DEFAULT 0;",
    "ALTER TABLE t ADD COLUMN c int DEFAULT 0;",
]

DOWNS = [
    ("x.down.sql", "DROP TABLE t; ALTER TABLE u DROP COLUMN c;", "t, u.c"),
    ("proj/revert/x.sql", "DELETE FROM t;", "t"),
    ("U1__x.sql", "TRUNCATE t;", "t"),
    ("x.sql", "-- +goose Up\nSELECT 1;\n-- +goose Down\nDROP TABLE t;", "t"),
    ("x.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\nDROP TABLE t;", "t"),
    ("x.sql", "-- +migrate Up\nSELECT 1;\n-- +migrate Down\nDROP TABLE t;", "t"),
    ("x.sql", "SELECT 1;\n---- create above / drop below ----\nDROP TABLE t;", "t"),
    ("x.sql", "# --- !Ups\nSELECT 1;\n# --- !Downs\nDROP TABLE t;", "t"),
    ("x.sql", "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n--rollback DROP TABLE\n--rollback t;\n", "t"),
]


@pytest.mark.parametrize("text", REBUILDS)
def test_a_table_that_is_copied_whole_and_replaced_is_rebuilt(find: Find, text: str) -> None:
    dropped = [change for change in find(Kind.SQL, None, text) if change.operation == "drop_table"]
    assert [(change.rule, change.severity) for change in dropped] == [("sql.rebuild_table", Severity.RISKY)]


@pytest.mark.parametrize("text", LOSSES)
def test_a_drop_whose_rows_are_not_all_copied_stays_a_drop(find: Find, text: str) -> None:
    dropped = [change for change in find(Kind.SQL, None, text) if change.operation == "drop_table"]
    assert [(change.rule, change.severity) for change in dropped] == [("sql.drop_table", Severity.DESTRUCTIVE)]


def test_a_copy_that_is_taken_out_later_is_found(find: Find) -> None:
    whole, bare = f"{NEW} {COPY} {SWAP}", f"{NEW} {SWAP}"
    assert [change.rule for change in find(Kind.SQL, whole, bare)] == ["sql.drop_table"]
    assert [change.rule for change in find(Kind.SQL, bare, whole)] == ["sql.statement_changed"]
    left_out = find(Kind.SQL, None, f"CREATE TABLE t (id int, a int, b int); {whole}")
    assert any(change.reason.endswith("leaves out b.") for change in left_out)


@pytest.mark.parametrize("form", ["MODIFY c int NOT NULL", "CHANGE c d int NOT NULL", "ALTER COLUMN c int NOT NULL"])
def test_not_null_said_with_a_type_is_told_beside_it(find: Find, form: str) -> None:
    text = f"ALTER TABLE t {form};"
    assert [change.rule for change in find(Kind.SQL, None, text)] == ["sql.alter_type", "sql.set_not_null"]
    filled = find(Kind.SQL, None, f"UPDATE t SET c = 1 WHERE c IS NULL; {text}")
    assert [change.rule for change in filled] == ["sql.alter_type", "sql.set_not_null_filled"]


def test_not_null_said_again_is_nothing_new(find: Find) -> None:
    before, after = (
        "CREATE TABLE o (c text NOT NULL); ALTER TABLE o RENAME TO t;",
        "ALTER TABLE t MODIFY c text NOT NULL;",
    )
    assert [change.rule for change in find(Kind.SQL, before, before + after)] == ["sql.alter_type"]
    relaxed = f"{before} ALTER TABLE t ALTER c DROP NOT NULL;"
    found = find(Kind.SQL, relaxed, relaxed + after)
    assert [change.rule for change in found] == ["sql.alter_type", "sql.set_not_null"]


@pytest.mark.parametrize(("old", "new", "narrow"), TYPES)
@pytest.mark.parametrize("form", ["ALTER COLUMN c TYPE {}", "MODIFY c {}", "ALTER COLUMN c {} NOT NULL"])
def test_a_type_is_narrow_beside_the_one_the_file_shows(
    find: Find, form: str, old: str, new: str, *, narrow: bool
) -> None:
    before = f"CREATE TABLE t (id int PRIMARY KEY, c {old} NOT NULL);"
    (change,) = find(Kind.SQL, before, f"{before} ALTER TABLE t {form.format(new)};")
    assert change.rule == ("sql.narrow_type" if narrow else "sql.alter_type")


def test_a_type_that_the_file_does_not_show_is_risky(find: Find) -> None:
    (change,) = find(Kind.SQL, None, "ALTER TABLE t ALTER c TYPE varchar(10)")
    assert change.severity is Severity.RISKY


@pytest.mark.parametrize("first", FILLED)
def test_not_null_is_risky_where_the_file_fills_the_column_and_destructive_elsewhere(find: Find, first: str) -> None:
    statement = "ALTER TABLE t ALTER COLUMN c SET NOT NULL;"
    assert find(Kind.SQL, None, first + statement)[-1].rule == "sql.set_not_null_filled"
    assert find(Kind.SQL, None, statement + first)[0].severity is Severity.DESTRUCTIVE
    assert find(Kind.SQL, first + statement, statement)[-1].rule in ("sql.set_not_null", "sql.statement_removed")


def test_a_new_column_that_is_filled_loses_nothing(find: Find) -> None:
    text = "ALTER TABLE t ADD c int; UPDATE t SET c = a;"
    assert [change.rule for change in find(Kind.SQL, None, text)] == ["sql.add_column", "sql.fill_column"]
    assert find(Kind.SQL, None, f"{text} UPDATE t SET a = c, c = 1;")[-1].rule == "sql.update_all"


@pytest.mark.parametrize(("path", "text", "lost"), DOWNS)
def test_a_way_back_that_drops_says_what(find: Find, path: str, text: str, lost: str) -> None:
    (change,) = find(Kind.SQL, None, text, path)
    assert (change.rule, change.operation, change.object, change.effects) == (
        "sql.rollback_drops",
        "rollback",
        lost,
        (),
    )
    assert change.severity is Severity.DESTRUCTIVE
    assert find(Kind.SQL, text, text.replace("DROP", "drop ").replace("DELETE", "delete"), path) == []


@pytest.mark.parametrize(
    ("update", "rule"),
    [
        ("WITH s AS (SELECT id, x FROM u) UPDATE t SET m = s.x FROM s", "sql.fill_column"),
        ("UPDATE t AS a SET (m, n) = (SELECT 1, 2 FROM u WHERE u.id = a.id)", "sql.fill_column"),
        ("UPDATE t SET m = (SELECT x FROM u), n = 2", "sql.fill_column"),
        ("UPDATE t SET (m, old) = (SELECT 1, 2)", "sql.update_all"),
        ("WITH s AS (SELECT 1) UPDATE t SET m = 1, old = 2", "sql.update_all"),
    ],
)
def test_what_fills_new_columns_alone_overwrites_nothing(find: Find, update: str, rule: str) -> None:
    text = f"ALTER TABLE t ADD m int; ALTER TABLE t ADD n int; {update};"
    assert [change.rule for change in find(Kind.SQL, None, text)][2:] == [rule]
