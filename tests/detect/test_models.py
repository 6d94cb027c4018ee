"""SQLAlchemy models: a notice when what a class says of its table changed, and only then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ics_guard.model import Change, Kind, Severity

Find = Callable[..., list[Change]]

MODEL = '''from sqlalchemy import Column, Integer, Table
from sqlalchemy.orm import Mapped, mapped_column

class Show(Base):
    """A show."""

    __tablename__ = "shows"
    id = Column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column()
    note: Mapped[str | None]

    def shout(self) -> str:
        return self.title.upper()

links = Table("links", Base.metadata, Column("a", Integer))

class Episode(SQLModel, table=True):
    number: int
'''

NEUTRAL = [
    ("upper()", "lower()"),
    ('"""A show."""', '"""Another."""'),
    (
        "id = Column(Integer, primary_key=True)",
        "id = Column(\n        Integer,  # key\n        primary_key=True,\n    )",
    ),
    ("from sqlalchemy import Column, Integer, Table", "from sqlalchemy import Table, Integer, Column"),
]
EDITS = [
    ("primary_key=True", "primary_key=False", "Show"),
    ("Mapped[str] =", "Mapped[int] =", "Show"),
    ("note: Mapped", "remark: Mapped", "Show"),
    ('"shows"', '"plays"', "Show"),
    ('Column("a"', 'Column("b"', "links"),
    ("number: int", "number: str", "Episode"),
    ("class Show", "class Play", "Show, Play"),
]


@pytest.mark.parametrize(("old", "new"), NEUTRAL)
def test_an_edit_without_meaning_is_no_change(find: Find, old: str, new: str) -> None:
    assert old in MODEL
    assert find(Kind.MODEL, MODEL, MODEL.replace(old, new)) == []


@pytest.mark.parametrize(("old", "new", "thing"), EDITS)
def test_an_edit_of_a_table_is_one_notice(find: Find, old: str, new: str, thing: str) -> None:
    (change,) = find(Kind.MODEL, MODEL, MODEL.replace(old, new))
    assert (change.rule, change.severity, change.object) == ("model.changed", Severity.NOTICE, thing)


def test_new_and_deleted_files(find: Find) -> None:
    assert [change.line for change in find(Kind.MODEL, None, MODEL)] == [4]
    assert [change.rule for change in find(Kind.MODEL, MODEL, None)] == ["model.changed"]
    assert find(Kind.MODEL, None, "class Tool:\n    size = 3\n") == []


def test_what_cannot_be_parsed_is_unknown(find: Find) -> None:
    (change,) = find(Kind.MODEL, MODEL, "class (")
    assert change.severity is Severity.UNKNOWN
