"""SQL nobody wrote for a reader: conditions that hold for every row, lists, random text, and how long it all takes."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ics_guard.detect import detect
from ics_guard.model import Change, Kind, Severity

Find = Callable[..., list[Change]]

ALWAYS = [
    "true",
    "1",
    "1=1",
    "(((1)))",
    "id = id",
    "t.id = t.id",
    "NOT false",
    "'a' = 'a'",
    "true OR x",
    "1=1 AND true",
]
SOMETIMES = ["id = 1", "id = other", "NOT true", "true AND x", "id IS NOT NULL", "x BETWEEN 1 AND 1", "id IN (1, 1)"]
LISTS = [
    ("DROP TABLE a, b CASCADE", ["a", "b"]),
    ("TRUNCATE ONLY a *, public.b CASCADE", ["a", "b"]),
    ("DROP FUNCTION f(int), g(text, int)", ["f", "g"]),
    ("ALTER TABLE ONLY t DROP a, DROP COLUMN IF EXISTS b", ["t.a", "t.b"]),
    ("CREATE TABLE t AS WITH gone AS (DELETE FROM u RETURNING *) SELECT * FROM gone", ["t", "u"]),
]
PIECES = [
    "(",
    "'",
    '"',
    "/*",
    "$a$",
    "{{",
    "{%",
    "<%",
    "[",
    "[a",
    "'\\",
    "create ",
    "drop table a\n",
    "go\n",
    ";",
    "%(",
    "a.",
    "select 1\ndrop table a ",
    "with a\ndelete from t ",
    "explain drop table a\n",
    "insert into t\nexec a ",
    "alter table t {% x %}\ndrop index i ",
    "if 1\nexec('a')\n",
]
FRAGMENTS = [
    "CREATE TABLE t (a int)", "DROP TABLE t", "ALTER TABLE t ADD c int", "DO $$ BEGIN", "END $$", "'", '"', "$x$", "/*",
    "*/", "--", "\n", ";", "GO", "BEGIN", "END", "IF", "EXECUTE", "(", ")", "{{ x }}", "E'\\", "\\i x", "DELIMITER //",
    "//",    "--rollback", "-- +goose Down", "COPY t FROM stdin;", "\\.", "WITH a AS (", "UPDATE t SET",
    "INSERT INTO t VALUES (1);",
]  # fmt: skip


@pytest.mark.parametrize("condition", ALWAYS)
def test_a_condition_that_holds_for_every_row_is_none(find: Find, condition: str) -> None:
    assert [change.rule for change in find(Kind.SQL, None, f"DELETE FROM t WHERE {condition};")] == ["sql.delete_all"]


@pytest.mark.parametrize("condition", SOMETIMES)
def test_a_condition_that_may_not_hold_is_one(find: Find, condition: str) -> None:
    assert find(Kind.SQL, None, f"DELETE FROM t WHERE {condition} RETURNING a;") == []


@pytest.mark.parametrize(("text", "things"), LISTS)
def test_every_thing_of_a_list_is_named(find: Find, text: str, things: list[str]) -> None:
    assert [change.object for change in find(Kind.SQL, None, text)] == things


@pytest.mark.parametrize(
    "text", ["SELECT (1", "CREATE TABLE t (a int\nCREATE TABLE u (b int);", "SELECT ('\\''); DROP TABLE t; -- '"]
)
def test_what_has_no_end_or_two_readings_is_doubted(find: Find, text: str) -> None:
    assert Severity.UNKNOWN in {change.severity for change in find(Kind.SQL, None, text)}


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    spent = []
    for times in (4_000, 16_000):
        start = process_time()
        detect(Kind.SQL, "x.sql", None, (piece * times).encode())
        spent.append(process_time() - start)
    assert spent[1] < 10 * spent[0] + 0.2


@pytest.mark.parametrize(
    "rows",
    [
        "INSERT INTO t (a, b) VALUES (%d, 'it''s; DROP TABLE t', now(), -1);\n" * 40_000,
        "INSERT INTO t VALUES " + "(1, 'a', NULL),\n" * 300_000 + "(2);\n",
        "COPY t FROM stdin;\n" + "1\tDROP TABLE t;\n" * 300_000 + "\\.\n",
    ],
)
def test_a_dump_is_read_at_once(rows: str) -> None:
    start = process_time()
    changes = detect(Kind.SQL, "x.sql", rows.encode(), f"{rows}DROP TABLE u;\n".encode())
    assert [(change.rule, change.object) for change in changes] == [("sql.drop_table", "u")]
    assert process_time() - start < 6


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12))
def test_fragments_never_crash_and_a_statement_after_them_is_never_lost(pieces: list[str]) -> None:
    text = " ".join(pieces)
    detect(Kind.SQL, "x.sql", None, text.encode())
    detect(Kind.EMBEDDED, "x.py", None, f'q = """{text}"""'.encode())
    changes = detect(Kind.SQL, "x.sql", text.encode(), f"{text}\n;\nDROP TABLE never_seen;\n".encode())
    hidden = any(piece in ("--", "/*", "COPY t FROM stdin;", "--rollback") for piece in pieces)
    assert changes or hidden


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("/* /* */ DROP TABLE t; -- */", ["sql.drop_table", "sql.unread"]),
        ("SELECT $$; DROP TABLE t; SELECT $$;", ["sql.drop_table", "sql.unread"]),
        ("INSERT INTO a VALUES ($$x); DELETE FROM t; SELECT ($$);", ["sql.delete_all", "sql.unread"]),
        ("/* /* x */ y */ CREATE VIEW v AS SELECT 1;", ["sql.create_object", "sql.unread"]),
        ("CREATE FUNCTION f() RETURNS int AS $$ SELECT 1; DELETE FROM t; $$ LANGUAGE sql;", ["sql.create_object"]),
        ("COMMENT ON TABLE t IS $$once; drop it$$;", ["sql.privilege"]),
        ("/* DROP TABLE t; /* nested */ DROP TABLE t; */", ["sql.drop_table", "sql.unread"]),
        ("INSERT INTO a VALUES ($$one; two$$);", []),
    ],
)
def test_what_engines_read_differently_is_read_as_the_one_that_runs_more(
    find: Find, text: str, rules: list[str]
) -> None:
    assert sorted(change.rule for change in find(Kind.SQL, None, text)) == rules


@pytest.mark.parametrize(
    ("then", "rules"),
    [
        ("DROP TABLE t;", []),
        ("DROP TABLE temp.t;", []),
        ("DROP TABLE main.t;", ["sql.drop_table"]),
        ("DELETE FROM main.t;", ["sql.delete_all"]),
        ("DROP TABLE t; DROP TABLE t;", ["sql.drop_table"]),
    ],
)
def test_a_temporary_table_hides_no_other_of_its_name(find: Find, then: str, rules: list[str]) -> None:
    assert [change.rule for change in find(Kind.SQL, None, f"CREATE TEMP TABLE t (a int); {then}")] == rules
