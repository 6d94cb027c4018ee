"""Alembic revisions: every directive, every way to run SQL, edits with and without meaning, and the graph."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ics_guard.detect import detect
from ics_guard.detect.alembic.revision import Revision, ancestors, read_revision
from ics_guard.model import Change, Effect, Kind, Severity

Find = Callable[..., list[Change]]

HEAD = '''"""Title

Revision ID: b2
"""
from alembic import op
import sqlalchemy as sa

revision = "b2"
down_revision = "a1"
branch_labels = None
depends_on = None
'''


WAY_DOWN = {
    f"alembic.{name}" for name in ("downgrade_missing", "downgrade_incomplete", "downgrade_drops", "irreversible")
}


@pytest.fixture
def find(find: Find) -> Find:
    """The changes of the way up: what is said of the way down has tests of its own."""
    return lambda *given: [change for change in find(*given) if change.rule not in WAY_DOWN]


def revision(upgrade: str, downgrade: str = "pass", extra: str = "") -> str:
    """A revision file with these bodies."""
    bodies = (textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") for body in (upgrade, downgrade))
    up, down = bodies
    return f"{HEAD}\n{textwrap.dedent(extra)}\n\ndef upgrade():\n{up}\n\n\ndef downgrade():\n{down}\n"


HITS = [
    ("op.create_table('T', sa.Column('a', sa.Integer()), schema='public')", ["alembic.create_table t"]),
    ("op.drop_table('t')", ["alembic.drop_table t"]),
    ("op.rename_table('t', 'u')", ["alembic.rename_table t"]),
    ("op.add_column('t', sa.Column('c', sa.Text()))", ["alembic.add_column t.c"]),
    ("op.add_column('t', sa.Column('c', sa.Text(), nullable=False))", ["alembic.add_required_column t.c"]),
    ("op.add_column('t', sa.Column('c', sa.Text(), nullable=False, server_default=''))", ["alembic.add_column t.c"]),
    ("op.add_column('t', make())", ["alembic.add_required_column t.{make()}"]),
    ("op.drop_column('t', 'c')", ["alembic.drop_column t.c"]),
    ("op.drop_column('t', sa.Column('c'))", ["alembic.drop_column t.c"]),
    ("op.alter_column('t', 'c', new_column_name='d')", ["alembic.rename_column t.c"]),
    ("op.alter_column('t', 'c', type_=sa.Text())", ["alembic.alter_type t.c"]),
    ("op.alter_column('t', 'c', existing_type=sa.String(length=9), type_=sa.String(8))", ["alembic.narrow_type t.c"]),
    ("op.alter_column('t', 'c', existing_type=sa.Text(), type_=sa.VARCHAR(80))", ["alembic.narrow_type t.c"]),
    ("op.alter_column('t', 'c', existing_type=sa.BigInteger(), type_=sa.Integer)", ["alembic.narrow_type t.c"]),
    ("op.alter_column('t', 'c', existing_type=sa.Numeric(9, 2), type_=sa.Numeric(9, 1))", ["alembic.narrow_type t.c"]),
    ("op.alter_column('t', 'c', existing_type=sa.DateTime(), type_=sa.Date())", ["alembic.narrow_type t.c"]),
    ("op.alter_column('t', 'c', existing_type=sa.String(8), type_=sa.String(9))", ["alembic.alter_type t.c"]),
    ("op.alter_column('t', 'c', nullable=False)", ["alembic.set_not_null t.c"]),
    ("op.alter_column('t', 'c', nullable=False, server_default='x')", ["alembic.set_not_null_filled t.c"]),
    ("op.alter_column('t', 'c', nullable=False, existing_server_default=sa.text('1'))",
     ["alembic.set_not_null_filled t.c"]),
    ("op.alter_column('t', 'c', nullable=False, server_default=None)", ["alembic.set_not_null t.c"]),
    ("op.alter_column('t', 'c', nullable=False, existing_nullable=False)", ["alembic.relax_column t.c"]),
    ("op.execute('UPDATE t SET c = 1 WHERE c IS NULL')\nop.alter_column('t', 'c', nullable=False)",
     ["alembic.change_rows ", "alembic.set_not_null_filled t.c"]),
    ("op.add_column('t', sa.Column('c', sa.Text()))\nop.alter_column('t', 'c', nullable=False)",
     ["alembic.add_column t.c", "alembic.set_not_null_filled t.c"]),
    ("op.alter_column('t', 'c', type_=sa.Integer(), postgresql_using='c::integer')", ["alembic.alter_type t.c"]),
    ("op.alter_column('t', 'c', type_=sa.Integer(), postgresql_using='NULL')", ["alembic.narrow_type t.c"]),
    ("op.alter_column('t', 'c', server_default='1')", ["alembic.relax_column t.c"]),
    ("op.create_index(op.f('i'), 't', ['c'], unique=False)", ["alembic.create_index i"]),
    ("op.create_index('i', 't', ['c'], unique=True)", ["alembic.create_unique_index i"]),
    ("op.drop_index('i', table_name='t')", ["alembic.drop_index i"]),
    ("op.create_unique_constraint('k', 't', ['c'])", ["alembic.add_constraint t.k"]),
    ("op.create_foreign_key(None, 't', 'u', ['c'], ['id'])", ["alembic.add_constraint t"]),
    ("op.drop_constraint('k', 't', type_='unique')", ["alembic.drop_constraint t.k"]),
    ("op.create_table_comment('t', 'x')", ["sql.privilege t"]),
    ("op.bulk_insert(sa.table('t'), [])", ["alembic.insert_rows t"]),
    ("with op.batch_alter_table('t') as b:\n    b.drop_column('c')\n    b.add_column(sa.Column('d', sa.Text()))",
     ["alembic.drop_column t.c", "alembic.add_column t.d"]),
    ("with op.batch_alter_table('t', recreate='always') as b:\n    pass", ["alembic.rebuild_table t"]),
    ("for b in [op.batch_alter_table('t')]:\n    with b:\n        pass", ["alembic.rebuild_table t"]),
    ("op.execute('DROP TABLE t')", ["sql.drop_table t"]),
    ("op.execute('DROP TABLE t; ALTER TABLE u ' 'ADD c int')", ["sql.drop_table t", "sql.add_column u.c"]),
    ("op.execute(f'DROP TABLE {1 + 1}')", ["sql.drop_table {1 + 1}"]),
    ("op.execute('DROP TABLE ' + 't')", ["sql.drop_table t"]),
    ("op.execute('DROP TABLE %s' % 't')", ["sql.drop_table t"]),
    ("op.execute('DROP TABLE {}'.format('t'))", ["sql.drop_table t"]),
    ("op.execute(sa.text('DROP TABLE t'))", ["sql.drop_table t"]),
    ("sql = 'DROP TABLE'\nsql += ' t'\nop.execute(sa.text(sql))", ["sql.drop_table t"]),
    ("op.get_bind().execute(sa.DDL('DROP TABLE t'))", ["sql.drop_table t"]),
    ("conn = op.get_bind()\nconn.exec_driver_sql('DROP TABLE t')", ["sql.drop_table t"]),
    ("op.get_context().execute('DROP TABLE t')", ["sql.drop_table t"]),
    ("for s in ['DROP TABLE t', 'DROP TABLE u']:\n    op.execute(s)", ["sql.drop_table t", "sql.drop_table u"]),
    ("for s in 'DROP TABLE t; DROP TABLE u'.split(';'):\n    op.execute(s)", ["sql.drop_table t", "sql.drop_table u"]),
    ("for t, c in [('t', 'a'), ('u', 'b')]:\n    op.drop_column(t, c)",
     ["alembic.drop_column t.a", "alembic.drop_column u.b"]),
    ("for t in {'t': 1}.items():\n    op.drop_table(t[0])", ["alembic.drop_table t"]),
    ("op.execute('UPDATE t SET a = 1')", ["sql.update_all t"]),
    ("op.execute('UPDATE t SET a = 1 WHERE b')", ["alembic.change_rows "]),
    ("op.execute('INSERT INTO t VALUES (1)')", ["alembic.insert_rows "]),
    ("t = sa.table('t')\nop.execute(t.delete())", ["alembic.delete_all t"]),
    ("t = sa.table('t')\nop.execute(t.update().values(a=1))", ["alembic.update_all t"]),
    ("t = sa.table('t')\nop.execute(sa.update(t).where(t.c.a == 1).values(a=2))", ["alembic.change_rows t"]),
    ("op.execute(unknown)", ["alembic.dynamic "]),
    ("op.execute(open('x.sql').read())", ["alembic.dynamic x.sql"]),
    ("sa.Enum('a', name='mood').create(op.get_bind())", ["alembic.create_object mood"]),
    ("Base.metadata.drop_all(op.get_bind())", ["alembic.drop_schema base.metadata.drop_all"]),
    ("import app\napp.migrate(op.get_bind())", ["alembic.foreign_code app.migrate"]),
    ("from sqlalchemy.orm import Session\ns = Session(op.get_bind())\ns.query(A).delete()",
     ["alembic.foreign_code sqlalchemy.orm.session", "alembic.delete_all a"]),
    ("exec('op.drop_table(1)')", ["alembic.foreign_code exec"]),
    ("op.create_view('v')", ["alembic.create_object v"]),
    ("op.replace_view('v')", ["alembic.replace_object v"]),
    ("op.drop_view('v')", ["alembic.drop_object v"]),
    ("op.frobnicate('v')", ["alembic.unknown_operation v"]),
    ("pass", ["alembic.revision b2"]),
    ("bind = op.get_bind()\nnames = sa.inspect(bind).get_table_names()\nprint(len(names))", ["alembic.revision b2"]),
    ("bind = op.get_bind()\nbind.execute(sa.select(1)).fetchall()", ["alembic.revision b2"]),
]  # fmt: skip

NEUTRAL = [
    ("op.drop_table('t')", "'''Docstring: op.drop_table('u')'''\nop.drop_table(\n    \"t\",  # gone\n)"),
    ("op.create_index(op.f('i'), 't', ['c'])", "op.create_index('i', 't', ['c'])"),
    ("op.execute('DROP TABLE t')", "op.execute('''\n  drop table T; -- gone\n''')"),
    ("op.create_table('t', schema='s', comment='c')", "op.create_table('t', comment='c', schema='s')"),
]

REWORDED = [
    ("op.execute('DROP TABLE %s' % sa.x)", "op.execute(f'DROP TABLE {sa.x}')"),
    ("op.execute('DROP TABLE {}'.format(sa.x))", "op.execute('DROP ' f'TABLE {sa.x}')"),
    ("x = 't'\nop.drop_table(x)", "x: str = 't'\nprint('dropping')\nop.drop_table(x)"),
    ("op.drop_table('t')", "name = 't'\nop.drop_table(name)"),
    (
        "from typing import List\nop.add_column('t', sa.Column('c', sa.x(List[sa.y])))",
        "op.add_column('t', sa.Column('c', sa.x(list[sa.y])))",
    ),
    (
        "op.add_column('t', sa.Column('c', sa.types.String(length=5)))",
        "op.add_column(table_name='t', column=sa.Column('c', sa.String(5)))",
    ),
    ("op.drop_table('t')\nop.drop_table('u')", "for table in ('t', 'u'):\n    op.drop_table(table)"),
    ("op.execute('DROP  TABLE t')", "sql = ' DROP TABLE  t '\nop.execute(sql)"),
]

EDITS = [
    ("op.drop_table('t')\nop.drop_table('u')", "op.drop_table('u')\nop.drop_table('t')", ["alembic.upgrade_changed"]),
    ("op.drop_table('t')", "raise ValueError\nop.drop_table('t')", ["alembic.operation_removed"]),
    ("op.drop_table('t')", "op.get_bind().begin()\nop.drop_table('t')", ["alembic.upgrade_changed"]),
    ("op.execute('DROP TABLE t')", "op.get_bind().execute('DROP TABLE t', x)", ["alembic.upgrade_changed"]),
    ("op.drop_index('i')", "with op.get_context().autocommit_block():\n    op.drop_index('i')",
     ["alembic.upgrade_changed"]),
    ("op.drop_table('t')", "op.drop_table('u')", ["alembic.drop_table", "alembic.operation_removed"]),
    ("pass", "op.drop_table('t')", ["alembic.drop_table"]),
    ("op.drop_index('i')\nop.drop_index('j')", "op.drop_index('i')", ["alembic.operation_removed"]),
    ("op.add_column('t', sa.Column('c', sa.Text()))", "op.add_column('t', sa.Column('c', sa.Integer()))",
     ["alembic.operation_changed"]),
    ("op.drop_index('i')", "if sa.x:\n    op.drop_index('i')", ["alembic.upgrade_changed"]),
]  # fmt: skip


def found(changes: list[Change]) -> list[str]:
    """Rule and object of each change."""
    return [f"{change.rule} {change.object}" for change in changes]


@pytest.mark.parametrize(("body", "expected"), HITS)
def test_a_new_revision_is_what_its_upgrade_does(find: Find, body: str, expected: list[str]) -> None:
    changes = find(Kind.ALEMBIC, None, revision(body))
    assert found(changes) == expected
    assert {change.revision for change in changes} == {"b2"}


@pytest.mark.parametrize(("before", "after"), NEUTRAL)
def test_an_edit_without_meaning_is_no_change(find: Find, before: str, after: str) -> None:
    assert find(Kind.ALEMBIC, revision(before), revision(after)) == []
    assert find(Kind.ALEMBIC, revision(after), revision(before)) == []


@pytest.mark.parametrize(("before", "after"), REWORDED)
def test_other_words_for_the_same_are_told_and_no_more(find: Find, before: str, after: str) -> None:
    assert [change.rule for change in find(Kind.ALEMBIC, revision(before), revision(after))] == ["alembic.reworded"]
    assert [change.rule for change in find(Kind.ALEMBIC, revision(after), revision(before))] == ["alembic.reworded"]


@pytest.mark.parametrize(("before", "after", "rules"), EDITS)
def test_an_edit_with_meaning_is_reported(find: Find, before: str, after: str, rules: list[str]) -> None:
    assert [change.rule for change in find(Kind.ALEMBIC, revision(before), revision(after))] == rules


def test_imports_aliases_and_annotations_are_matters_of_taste(find: Find) -> None:
    before = revision("op.add_column('t', sa.Column('c', sa.Text()))")
    after = (
        'import logging\nfrom sqlalchemy import Column as C, Text\nfrom alembic import op as o\nrevision: str = "b2"\n'
        "down_revision: str | None = 'a1'\nbranch_labels = depends_on = None\n"
        "def upgrade() -> None:\n    o.add_column('t', C('c', Text()))\n    return\n"
        "def downgrade() -> None:\n    pass\n"
    ).replace("    return\n", "")
    assert find(Kind.ALEMBIC, before, after) == []


def test_helpers_of_the_file_are_followed_with_their_arguments(find: Find) -> None:
    helper = """
    TABLES = ("t", "u")

    def add(table, column, batch=None):
        if table in sa.inspect(op.get_bind()).get_table_names():
            op.add_column(table, column)

    def drop(batch_op):
        batch_op.drop_column("old")
    """
    body = """
    for table in TABLES:
        add(f"{table}_x", sa.Column("c", sa.Text()))
    with op.batch_alter_table("w") as batch:
        drop(batch)
    """
    changes = find(Kind.ALEMBIC, None, revision(body, extra=helper))
    assert found(changes) == ["alembic.add_column t_x.c", "alembic.add_column u_x.c", "alembic.drop_column w.old"]
    assert [change.effects for change in changes] == [(), (), (Effect("column:w.old", False),)]
    edited = helper.replace("op.add_column(table, column)", "op.drop_table(table)")
    assert "alembic.drop_table" in {
        change.rule for change in find(Kind.ALEMBIC, revision(body, extra=helper), revision(body, extra=edited))
    }


COLUMN = "op.add_column('t', sa.Column('c', {}))"


@pytest.mark.parametrize(
    ("beside", "kind", "edited"),
    [
        ("KIND = sa.String(5)", "KIND", "KIND = sa.String(9)"),
        ("def kind():\n    return sa.String(5)", "kind()", "def kind():\n    return sa.String(9)"),
        ("def kind(x):\n    return x", "kind(5)", "def kind(x):\n    return -x"),
        ("class Kind(sa.String):\n    impl = 1", "Kind()", "class Kind(sa.String):\n    impl = 2"),
        ("from sqlalchemy import JSON\nJSON = JSON(5)", "JSON", "from sqlalchemy import JSON"),
        ("from a import Kind", "Kind", "try:\n    from b import Kind\nexcept ImportError:\n    from a import Kind"),
    ],
)
def test_what_an_operation_is_made_with_is_part_of_it(find: Find, beside: str, kind: str, edited: str) -> None:
    before, after = (revision(COLUMN.format(kind), extra=text) for text in (beside, edited))
    assert [change.rule for change in find(Kind.ALEMBIC, before, after)] in (
        ["alembic.operation_changed"],
        ["alembic.upgrade_changed"],
    )


def test_operations_that_cannot_be_followed_are_unknown(find: Find) -> None:
    hidden = """
    class Tool:
        def run(self):
            op.drop_table("t")

    TOOLS = [Tool() for _ in range(3)]
    """
    (change,) = find(Kind.ALEMBIC, None, revision("TOOLS[sa.x].run()", extra=hidden))
    assert change.severity is Severity.UNKNOWN


def test_named_and_asynchronous_upgrades_count(find: Find) -> None:
    text = (
        HEAD
        + "async def upgrade_engine1():\n    op.drop_table('t')\n\ndef upgrade_engine2():\n    op.drop_table('u')\n"
    )
    assert found(find(Kind.ALEMBIC, None, text)) == ["alembic.drop_table t", "alembic.drop_table u"]


@pytest.mark.parametrize(
    ("ways", "rules"),
    [
        ("def up2():\n    op.drop_table('t')\n\nupgrade = up2\n", ["alembic.drop_table t"]),
        ("def up3():\n    op.drop_table('t')\n\nup2 = up3\nupgrade = up2\n", ["alembic.drop_table t"]),
        ("upgrade = lambda: op.drop_table('t')\n", ["alembic.drop_table t"]),
        ("from app import up2\nupgrade = up2\n", ["alembic.foreign_code b2"]),
        ("upgrade = made()\n", ["alembic.foreign_code b2"]),
        ("def up2():\n    op.drop_table('t')\n\nupgrade_one = upgrade_two = up2\n", ["alembic.drop_table t"]),
    ],
)
def test_a_way_up_under_another_name_is_followed(find: Find, ways: str, rules: list[str]) -> None:
    assert found(find(Kind.ALEMBIC, None, HEAD + ways)) == rules
    edited = [
        change.rule for change in find(Kind.ALEMBIC, HEAD + ways, HEAD + ways.replace("table('t')", "table('u')"))
    ]
    assert edited == (["alembic.drop_table", "alembic.operation_removed"] if "op." in ways else [])


def test_a_way_down_under_another_name_is_followed(find: Find) -> None:
    text = HEAD + "def make():\n    op.create_table('t')\n\ndef drop():\n    op.drop_table('t')\n\n"
    changes = detect(Kind.ALEMBIC, "x.py", None, f"{text}upgrade = make\ndowngrade = drop\n".encode())
    assert [change.rule for change in changes] == ["alembic.create_table", "alembic.downgrade_drops"]
    assert changes[-1].line == text[: text.index("def drop")].count("\n") + 1


PLACES = [
    (r"""op.execute("\n\nDROP TABLE t")""", [(1, 12)]),
    (r"""op.execute("\n\nDROP TABLE t;\nDROP TABLE u")""", [(1, 12), (1, 12)]),
    (r"""op.execute(f"\n\n\n\nDROP TABLE {x}")""", [(1, 12)]),
    ('''op.execute("""\n  DROP TABLE t;\n\n    DROP TABLE u\n""")''', [(2, 3), (4, 5)]),
    ('''op.execute(f"""\n  DROP TABLE {t};\n\n    DROP TABLE u\n""")''', [(2, 3), (4, 5)]),
    ('''op.execute("""\n-- DROP TABLE t\n  DROP TABLE t\n""")''', [(3, 3)]),
    ('''op.execute("""\n\n  DROP TABLE t;\n  DROP TABLE u\n""".strip())''', [(3, 3), (4, 3)]),
    ('''op.execute(sa.text("""\\\n\n\n  DROP TABLE t;\n  DROP TABLE u\n"""))''', [(4, 3), (5, 3)]),
    ("""op.execute(\n    "DROP TABLE t;\\n"\n    "DROP TABLE u"\n)""", [(2, 5), (3, 6)]),
    ("""op.execute("DROP TABLE {}".format(TBL))""", [(1, 12)]),
    ("""op.execute("DROP TABLE %s" % TBL)""", [(1, 12)]),
    ("""op.execute("drop table t".upper())""", [(1, 12)]),
    ("""for t in ("a", "b"):\n    op.execute("\\n\\n\\n\\nDROP TABLE " + t)""", [(2, 16), (2, 16)]),
    ("""x = 1\nop.execute("; ".join(["DROP TABLE t", "DROP TABLE u"]))""", [(2, 1), (2, 1)]),
    ("""x = 1\nop.execute(SQL)""", [(-4, 7)]),
]


@pytest.mark.parametrize(("body", "places"), PLACES)
def test_a_statement_is_where_it_is_written(find: Find, body: str, places: list[tuple[int, int]]) -> None:
    text = f"{HEAD}TBL = 't'\nSQL = 'DROP TABLE x'\n\n\ndef upgrade():\n    if 1:\n{textwrap.indent(body, ' ' * 8)}"
    start = text[: text.index("    if 1:")].count("\n") + 1
    lines = text.splitlines()
    for path in (text, text.replace("\n", "\r\n")):
        changes = [change for change in find(Kind.ALEMBIC, None, path) if change.rule != "alembic.downgrade_missing"]
        at = [(change.line - start, change.column - (8 if change.line > start else 0)) for change in changes]
        assert at == places
        assert all(change.line <= len(lines) for change in changes)


def test_recursion_and_repetition_come_to_an_end(find: Find) -> None:
    extra = "def a():\n    b()\n    b()\n\ndef b():\n    a()\n    op.drop_table('t')\n"
    assert "alembic.drop_table t" in found(find(Kind.ALEMBIC, None, revision("a()", extra=extra)))
    loops = "".join("    " * depth + f"for x{depth} in {list(range(60))}:\n" for depth in range(6))
    assert find(Kind.ALEMBIC, None, revision(loops + "    " * 6 + "op.drop_table('t')"))


def test_a_table_that_is_new_too_has_no_rows_to_break_a_constraint(find: Find) -> None:
    body = "op.create_table('t')\nop.create_unique_constraint('k', 't', ['c'])"
    assert found(find(Kind.ALEMBIC, None, revision(body))) == ["alembic.create_table t", "alembic.on_new_table t.k"]


def test_only_downgrade_edited(find: Find) -> None:
    (change,) = find(Kind.ALEMBIC, revision("op.drop_table('t')"), revision("op.drop_table('t')", "op.drop_table('u')"))
    assert (change.rule, change.severity) == ("alembic.downgrade_changed", Severity.RISKY)


@pytest.mark.parametrize("line", ["down_revision = 'other'", "depends_on = 'c3'", "branch_labels = ('x',)"])
def test_another_place_in_the_history(find: Find, line: str) -> None:
    changes = find(Kind.ALEMBIC, revision("pass"), revision("pass").replace("\n\n\n\ndef", f"\n{line}\n\ndef"))
    assert [change.rule for change in changes] == ["alembic.graph"]


def test_deleted_replaced_and_renamed_revisions(find: Find) -> None:
    old = revision("op.drop_table('t')")
    (change,) = find(Kind.ALEMBIC, old, None)
    assert (change.rule, change.revision) == ("alembic.revision_deleted", "b2")
    renewed = find(Kind.ALEMBIC, old, old.replace('revision = "b2"', 'revision = "c3"'))
    assert [change.rule for change in renewed] == ["alembic.revision_deleted", "alembic.drop_table"]
    assert detect(Kind.ALEMBIC, "new.py", old.encode(), (old + "\n# moved\n").encode(), previous_path="old.py") == []


@pytest.mark.parametrize(
    ("update", "rule"), [("UPDATE t SET e = a", "sql.fill_column"), ("UPDATE t SET a = e", "sql.update_all")]
)
def test_a_new_column_is_filled_not_overwritten(find: Find, update: str, rule: str) -> None:
    body = f"op.add_column('t', sa.Column('e', sa.Text())); op.execute('{update}')"
    found = [change.rule for change in find(Kind.ALEMBIC, None, revision(body))]
    assert found[:2] == ["alembic.add_column", rule]


def test_a_name_that_stands_for_what_is_made_with_it_ends(find: Find) -> None:
    helper = "from sqlalchemy import table\n\n\ndef emptied(table):\n    op.execute(table.delete())\n"
    for made in ("table('t')", "table.x('t')", "table('t').x", "table.delete('t')('u')"):
        assert find(Kind.ALEMBIC, None, revision(f"emptied({made})", extra=helper))


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        ("'''op.drop_table('t')'''\nfrom alembic import context\ncontext.run_migrations()", []),
        ("import json\ndef recipe(x):\n    return x.create(1)", []),
        ("from alembic import op\ndef helper(t):\n    op.drop_table(t)", ["alembic.helper"]),
        ("def audited(op, table):\n    op.add_column(table, made_column())", ["alembic.helper"]),
        ("def view(conn, name):\n    conn.execute(text(f'CREATE VIEW {name} AS SELECT 1'))", ["alembic.helper"]),
        ("def rows(conn, query):\n    return conn.execute(query).all()", []),
        ("def broken(:", ["unreadable"]),
        ("print 'python 2'", ["unreadable"]),
        ("x = '\0'", ["unreadable"]),
    ],
)
def test_files_that_are_no_revision(find: Find, text: str, rules: list[str]) -> None:
    assert [change.rule for change in find(Kind.ALEMBIC, None, text)] == rules


def test_other_files_of_the_folder(find: Find) -> None:
    assert find(Kind.ALEMBIC, None, "Generic single-database configuration.", "alembic/README") == []
    changes = find(Kind.ALEMBIC, None, "DROP TABLE t;", "alembic/versions/b2.sql")
    assert [change.rule for change in changes] == ["sql.drop_table"]


def test_positions_are_those_of_the_statement(find: Find) -> None:
    text = revision("op.execute('''\nSELECT 1;\nDROP TABLE t;\n''')\nop.drop_index('i')")
    lines = text.splitlines()
    sql, index = find(Kind.ALEMBIC, None, text)
    assert "DROP TABLE" in lines[sql.line - 1]
    assert lines[index.line - 1][index.column - 1 :] == "op.drop_index('i')"


def test_equal_operations_of_two_revisions_have_two_digests(find: Find) -> None:
    text = revision("op.drop_table('t')")
    other = text.replace('revision = "b2"', 'revision = "c3"')
    assert find(Kind.ALEMBIC, None, text)[0].digest != find(Kind.ALEMBIC, None, other)[0].digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("revision: str = 'b'\ndown_revision: str | None = 'a'", Revision("b", ("a",), ())),
        ("revision = 'c'\ndown_revision = ('b', 'a')\ndepends_on = ['z']", Revision("c", ("a", "b"), ("z",))),
        ("revision = 'a'\ndown_revision = None", Revision("a", (), ())),
        ("BASE = 'a'\nrevision = 'b'\ndown_revision = BASE", Revision("b", ("a",), ())),
        ("revision = 'b'\ndown_revision = find()", None),
        ("x = 1", None),
        ("def (", None),
        ("\0", None),
    ],
)
def test_the_identity_of_a_revision(text: str, expected: Revision | None) -> None:
    assert read_revision(text.encode()) == expected


def test_what_is_applied_at_a_head() -> None:
    graph = {
        "base1": Revision("base1", (), ()),
        "left1": Revision("left1", ("base1",), ()),
        "right1": Revision("right1", ("base1",), ("other1",)),
        "other1": Revision("other1", (), ()),
        "merge1": Revision("merge1", ("left1", "right"), ()),
        "lost1": Revision("lost1", ("gone1",), ()),
    }
    assert ancestors(graph, ["left1"]) == frozenset({"left1", "base1"})
    assert ancestors(graph, ["merge1"]) == frozenset({"merge1", "left1", "right1", "base1", "other1"})
    assert ancestors(graph, []) == frozenset()
    assert ancestors(graph, ["unknown"]) is None
    assert ancestors(graph, ["lost1"]) is None


@settings(deadline=None)
@given(st.sampled_from([body for body, _ in HITS] + [after for _, after in NEUTRAL]))
def test_formatting_never_changes_the_result(body: str) -> None:
    text = revision(body)
    formatted = ast.unparse(ast.parse(text)) + "\n# formatted\n"
    assert detect(Kind.ALEMBIC, "x.py", text.encode(), formatted.encode()) == []
    digests = [
        {change.digest for change in detect(Kind.ALEMBIC, "x.py", None, new.encode())} for new in (text, formatted)
    ]
    assert digests[0] == digests[1]


@settings(deadline=None)
@given(st.binary())
def test_random_bytes_never_crash_and_never_pass_for_nothing(content: bytes) -> None:
    detect(Kind.ALEMBIC, "x.py", None, content)
    known, unreadable = revision("pass").encode(), b"def (" + content
    for before, after in ((None, unreadable), (known, unreadable), (unreadable, None), (unreadable, known)):
        assert Severity.UNKNOWN in {change.severity for change in detect(Kind.ALEMBIC, "x.py", before, after)}


def test_nesting_deeper_than_any_reader_goes_is_unknown() -> None:
    text = revision("op.execute(" + "-" * 900 + "1)").encode() + b"x = " + b"1 + " * 3000 + b"1\n"
    changes = detect(Kind.ALEMBIC, "x.py", revision("pass").encode(), text)
    assert Severity.UNKNOWN in {change.severity for change in changes}


def test_the_code_is_part_of_what_cannot_be_read(find: Find) -> None:
    texts = [revision("op.execute(make())", extra=f"def make():\n    return {sql}") for sql in ("sa.x", "sa.y")]
    assert len({find(Kind.ALEMBIC, None, text)[0].digest for text in texts}) == 2
