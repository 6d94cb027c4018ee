"""Types that hold less than the ones before, and types that may not."""

from __future__ import annotations

import ast

import pytest

from ics_guard.detect.python.sqlalchemy_reading import Scope
from ics_guard.detect.python.sqlalchemy_types import narrows
from ics_guard.detect.python.tree import parse

MODULE = b"""
import sqlalchemy as sa
from sqlalchemy import Enum
from sqlalchemy.dialects import mysql, postgresql
import enum
class Mood(enum.Enum):
    glad = 1
    sad = 2
class Fewer(enum.Enum):
    glad = 1
KINDS = ("a", "b")
TEN = 10
"""

NARROWER = [
    ("sa.String(9)", "sa.String(length=8)"),
    ("sa.String", "sa.String(8)"),
    ("sa.Text()", "sa.String(TEN)"),
    ("sa.String(50).with_variant(sa.Text(), 'sqlite')", "sa.String(20)"),
    ("mysql.LONGTEXT()", "mysql.TEXT()"),
    ("sa.Text()", "mysql.TINYTEXT(collation='x')"),
    ("sa.BigInteger()", "sa.Integer()"),
    ("mysql.INTEGER(unsigned=True)", "mysql.INTEGER()"),
    ("sa.Integer", "mysql.INTEGER(unsigned=True)"),
    ("mysql.BIGINT(display_width=20)", "mysql.MEDIUMINT(display_width=9)"),
    ("sa.Numeric(9, 2)", "sa.Numeric(precision=8, scale=2)"),
    ("sa.Numeric(9, 2)", "sa.Integer()"),
    ("sa.Integer()", "sa.Numeric(5, 2)"),
    ("sa.Float()", "sa.SmallInteger()"),
    ("postgresql.DOUBLE_PRECISION()", "sa.REAL()"),
    ("sa.DateTime()", "sa.Date()"),
    ("sa.DateTime(timezone=True)", "sa.DateTime()"),
    ("postgresql.TIMESTAMP(timezone=True)", "sa.DateTime(timezone=False)"),
    ("sa.TIMESTAMP(True)", "sa.TIMESTAMP()"),
    ("mysql.DATETIME(fsp=6)", "mysql.DATETIME(fsp=3)"),
    ("sa.Date()", "sa.Time()"),
    ("sa.Enum('a', 'b', name='e')", "sa.Enum('a', 'c', 'd', name='e')"),
    ("sa.Enum(*KINDS)", "sa.Enum('a')"),
    ("sa.Enum(Mood)", "Enum(Fewer)"),
    ("mysql.ENUM('a', 'b')", "mysql.ENUM('b')"),
    ("sa.Enum('alpha', 'b')", "sa.String(4)"),
    ("sa.String(5)", "sa.Enum('a', 'b')"),
    ("sa.JSON()", "sa.String(255)"),
    ("postgresql.JSONB(astext_type=sa.Text())", "sa.VARCHAR(10)"),
    ("sa.Integer()", "sa.Boolean()"),
    ("sa.String()", "sa.Boolean()"),
    ("sa.Text()", "sa.Integer()"),
    ("sa.String(36)", "postgresql.UUID(as_uuid=True)"),
    ("sa.Uuid()", "sa.String(16)"),
    ("sa.BigInteger()", "sa.String(10)"),
    ("sa.LargeBinary(length=100)", "sa.LargeBinary(50)"),
    ("mysql.LONGBLOB()", "mysql.BLOB()"),
    ("postgresql.ARRAY(sa.String(9))", "postgresql.ARRAY(sa.String(8))"),
    ("sa.ARRAY(sa.Text())", "sa.Text()"),
]

NOT_NARROWER = [
    ("sa.String(8)", "sa.String(9)"),
    ("sa.String()", "sa.Text()"),
    ("sa.Text()", "sa.UnicodeText()"),
    ("sa.Text()", "mysql.LONGTEXT()"),
    ("sa.VARCHAR(length=8)", "sa.Unicode(length=8)"),
    ("sa.Integer()", "sa.BigInteger()"),
    ("mysql.TINYINT(display_width=1)", "sa.Boolean()"),
    ("sa.Boolean()", "sa.Integer()"),
    ("sa.Integer()", "sa.Numeric(12, 2)"),
    ("sa.Integer()", "sa.String(20)"),
    ("sa.Numeric(8, 2)", "sa.Numeric(9, 2)"),
    ("sa.Numeric()", "sa.Float()"),
    ("sa.DateTime()", "sa.DateTime(timezone=True)"),
    ("sa.Date()", "sa.DateTime()"),
    ("sa.Enum('a', name='e')", "sa.Enum('a', 'b', name='e')"),
    ("sa.Enum(Elsewhere)", "sa.Enum('a')"),
    ("sa.Enum('a', 'b')", "sa.String(8)"),
    ("sa.JSON()", "postgresql.JSONB()"),
    ("sa.JSON()", "sa.Text()"),
    ("sa.LargeBinary()", "sa.BLOB()"),
    ("sa.Uuid()", "sa.String(36)"),
    ("sa.String(9)", "sa.String(unknown)"),
    ("app.Custom()", "sa.String(5)"),
    ("sa.String(5)", "app.Custom()"),
    ("sa.ARRAY(sa.String(8))", "sa.ARRAY(sa.String(9))"),
]


def less(old: str, new: str) -> bool:
    module = parse(MODULE)
    assert module
    return narrows(ast.parse(old, mode="eval").body, ast.parse(new, mode="eval").body, Scope(module))


@pytest.mark.parametrize(("old", "new"), NARROWER)
def test_it_holds_less(old: str, new: str) -> None:
    assert less(old, new)


@pytest.mark.parametrize(("old", "new"), NOT_NARROWER)
def test_it_may_hold_as_much(old: str, new: str) -> None:
    assert not less(old, new)


@pytest.mark.parametrize("kind", sorted({name for pair in NARROWER for name in pair}))
def test_no_type_holds_less_than_itself(kind: str) -> None:
    assert not less(kind, kind)
