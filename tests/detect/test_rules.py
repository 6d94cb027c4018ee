"""The table of rules: whole, short to read, and used: every rule is met by the tables of the other tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from ics_guard.detect import detect
from ics_guard.detect.rules import RULES
from ics_guard.model import Kind

HERE = Path(__file__).parent
ROOM = HERE.parents[1] / "ics_guard" / "detect"

STATEMENTS = [
    "CREATE TABLE a.t (x int)",
    "CREATE INDEX i ON t (x)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE SCHEMA s",
    "DROP TABLE t",
    "DROP INDEX i",
    "DROP VIEW v",
    "TRUNCATE TABLE t",
    "DELETE FROM t",
    "ALTER TABLE t ADD COLUMN x int NOT NULL",
    "ALTER TABLE t ADD CONSTRAINT c UNIQUE (x)",
    "ALTER TABLE t DROP COLUMN x",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t RENAME COLUMN x TO y",
    "ALTER TABLE t ALTER COLUMN x TYPE text",
    "ALTER TABLE t ALTER COLUMN x SET NOT NULL",
]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_one_sentence_and_tested(rule: str) -> None:
    reason = RULES[rule].reason
    assert re.fullmatch(r"[A-Z].{10,110}\.", reason)
    tests = "".join(path.read_text() for path in HERE.parent.rglob("test_*.py"))
    assert rule in tests or rule.removeprefix("django.") in tests


def test_no_rule_is_used_that_is_not_in_the_table() -> None:
    source = "".join(path.read_text() for path in ROOM.glob("*.py"))
    used = set(re.findall(r'"((?:sql|alembic|model)\.[a-z_]+)"', source))
    assert used - {"alembic.command"} <= set(RULES)


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_full_parser_agrees_on_what_changes_a_schema(text: str) -> None:
    tree = sqlglot.parse_one(text, dialect="postgres")
    assert isinstance(tree, exp.Create | exp.Drop | exp.Alter | exp.TruncateTable | exp.Delete)
    (change,) = detect(Kind.SQL, "x.sql", None, text.encode())
    table = tree.find(exp.Table)
    assert table is None or (table.name or table.db) in change.object or f"{change.object}" == "i"
