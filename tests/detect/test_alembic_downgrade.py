"""The way back down: missing, refusing, leaving something, or losing rows; and silent where it undoes the way up."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from ics_guard.model import Change, Kind, Severity

Find = Callable[..., list[Change]]


def revision(upgrade: str, downgrade: str | None, extra: str = "") -> str:
    """A revision with these ways up and down; None: no function for the way down."""
    functions = [("upgrade", upgrade)] + ([("downgrade", downgrade)] if downgrade is not None else [])
    text = "from alembic import op\nimport sqlalchemy as sa\nrevision = 'b2'\ndown_revision = 'a1'\n" + textwrap.dedent(
        extra
    )
    return text + "".join(
        f"\n\ndef {name}():\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n" for name, body in functions
    )


ADD = "op.add_column('t', sa.Column('c', sa.Text()))"

FINDINGS = [
    (ADD, None, ["alembic.downgrade_missing "]),
    (ADD, "pass", ["alembic.downgrade_missing "]),
    (ADD, "'''No way back.'''\nprint('no')\nreturn None", ["alembic.downgrade_missing "]),
    ("op.execute('UPDATE t SET a = 1')", "...", ["alembic.downgrade_missing "]),
    ("pass", "pass", []),
    (ADD, "raise NotImplementedError('irreversible')", ["alembic.irreversible "]),
    (ADD, "op.drop_column('t', 'd')",
     ["alembic.downgrade_drops drop_column t.d", "alembic.downgrade_incomplete add_column t.c"]),
    ("op.drop_table('t')\nop.drop_index('i', 'u')", "op.create_table('t')",
     ["alembic.downgrade_incomplete drop_index i"]),
    ("op.alter_column('t', 'c', nullable=True)", "op.alter_column('t', 'd', nullable=False)",
     ["alembic.downgrade_incomplete alter_column t.c"]),
    ("op.create_index('i', 't', ['c'])", "op.drop_index('j', 't')", ["alembic.downgrade_incomplete create_index i"]),
    ("op.create_unique_constraint('k', 't', ['c'])", "op.drop_constraint('l', 't')",
     ["alembic.downgrade_incomplete add_constraint t.k"]),
    ("op.rename_table('t', 'u')", "op.rename_table('x', 'y')", ["alembic.downgrade_incomplete rename_table t"]),
    ("sa.Enum('a', name='mood').create(op.get_bind())", "op.drop_index('i')",
     ["alembic.downgrade_incomplete create_type mood"]),
    ("op.drop_index('i')", "op.execute('DELETE FROM t WHERE a')\nop.create_index('i', 't', [])",
     ["alembic.downgrade_drops delete"]),
    ("op.drop_index('i')", "op.execute('TRUNCATE t')\nop.create_index('i', 't', [])",
     ["alembic.downgrade_drops truncate t"]),
    ("op.create_table('t')\nop.create_table('u')", "for t in ('u', 't'):\n    op.drop_table(t)",
     ["alembic.downgrade_drops drop_table t, drop_table u"]),
]  # fmt: skip

UNDONE = [
    ("op.drop_index('i', table_name='t')", "op.create_index('i', 't', ['c'])"),
    ("op.drop_table('t')\nop.drop_constraint('k', 't')", "op.create_table('t', sa.Column('c'))"),
    ("op.drop_column('t', 'c')", "with op.batch_alter_table('t') as b:\n    b.add_column(sa.Column('c', sa.Text()))"),
    ("op.alter_column('t', 'a', new_column_name='b')", "op.alter_column('t', 'b', new_column_name='a')"),
    ("op.rename_table('t', 'u')\nop.alter_column('u', 'a', new_column_name='b')",
     "op.rename_table('u', 't')\nop.alter_column('t', 'b', new_column_name='a')"),
    ("op.alter_column('t', 'c', type_=sa.Text())", "op.alter_column('t', 'c', type_=sa.String())"),
    ("op.create_foreign_key(None, 't', 'u', ['c'], ['id'])", "op.drop_constraint('t_c_fkey', 't')"),
    ("op.create_unique_constraint('k', 't', ['c'])", "op.drop_constraint('k', 't')"),
    ("op.create_index('i', 't', ['c'])", "op.execute('DROP INDEX i')"),
    ("op.drop_index('i', 't')", "unknown_helper()"),
    ("op.drop_index('i', 't')", "op.execute(unknown)"),
    ("op.execute('CREATE INDEX i ON t (c)')", "op.create_index('j', 't', [])"),
    ("op.drop_index('i', 't')\nop.create_index('i', 't', ['c', 'd'])", "op.execute('SELECT 1')"),
    ("mood = sa.Enum('a', name='mood')\nmood.drop(op.get_bind())",
     "mood = sa.Enum('a', name='mood')\nmood.create(op.get_bind())"),
]  # fmt: skip


def way_down(changes: list[Change]) -> list[str]:
    return [f"{change.rule} {change.object}" for change in changes if change.operation == "downgrade"]


@pytest.mark.parametrize(("up", "down", "expected"), FINDINGS)
def test_what_is_said_of_the_way_down(find: Find, up: str, down: str | None, expected: list[str]) -> None:
    changes = find(Kind.ALEMBIC, None, revision(up, down))
    assert way_down(changes) == expected
    for change in changes:
        if change.operation == "downgrade":
            drops = change.rule == "alembic.downgrade_drops"
            assert change.severity is (Severity.DESTRUCTIVE if drops else Severity.NOTICE)
            assert (change.effects, change.revision) == ((), None)
            assert change.object in change.reason


@pytest.mark.parametrize(("up", "down"), UNDONE)
def test_a_way_down_that_undoes_the_way_up_is_silent(find: Find, up: str, down: str) -> None:
    assert way_down(find(Kind.ALEMBIC, None, revision(up, down))) == []


@pytest.mark.parametrize(("up", "down"), UNDONE[:7])
def test_the_other_way_round_it_undoes_as_well(find: Find, up: str, down: str) -> None:
    found = way_down(find(Kind.ALEMBIC, None, revision(down, up)))
    assert [name for name in found if not name.startswith("alembic.downgrade_drops")] == []


def test_each_database_of_several_has_its_own_way_down(find: Find) -> None:
    text = (
        "from alembic import op\nrevision = 'b2'\ndown_revision = 'a1'\n\n"
        "def upgrade(engine_name):\n    globals()['upgrade_%s' % engine_name]()\n\n"
        "def downgrade(engine_name):\n    globals()['downgrade_%s' % engine_name]()\n\n"
        "def upgrade_a():\n    op.create_table('t')\n\ndef downgrade_a():\n    op.drop_table('t')\n\n"
        "def upgrade_b():\n    op.create_table('u')\n\ndef downgrade_b():\n    pass\n"
    )
    assert way_down(find(Kind.ALEMBIC, None, text)) == [
        "alembic.downgrade_drops drop_table t",
        "alembic.downgrade_missing ",
    ]


def test_equal_ways_down_of_two_revisions_have_two_digests(find: Find) -> None:
    text = revision(ADD, "op.drop_column('t', 'c')")
    digests = [{change.digest for change in find(Kind.ALEMBIC, None, one)} for one in (text, text.replace("b2", "c3"))]
    assert not digests[0] & digests[1]


def test_a_way_down_from_elsewhere_is_not_missed(find: Find) -> None:
    assert way_down(find(Kind.ALEMBIC, None, revision(ADD, None, "from app import downgrade\n"))) == []


def test_only_what_an_edit_brings_is_said(find: Find) -> None:
    undone, empty = revision(ADD, "op.drop_column('t', 'c')"), revision(ADD, "pass")
    assert way_down(find(Kind.ALEMBIC, undone, undone + "\n# note\n")) == []
    assert way_down(find(Kind.ALEMBIC, undone, undone.replace("'a1'", "'a0'"))) == []
    assert [change.rule for change in find(Kind.ALEMBIC, undone, empty)] == [
        "alembic.downgrade_changed",
        "alembic.downgrade_missing",
    ]
    assert [change.rule for change in find(Kind.ALEMBIC, empty, undone)] == [
        "alembic.downgrade_changed",
        "alembic.downgrade_drops",
    ]
