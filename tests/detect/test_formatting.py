"""What a formatter, a renaming or a tidy hand does to a migration changes nothing, however it is done."""

from __future__ import annotations

import ast
import random
import re
import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ics_guard.detect import detect
from ics_guard.model import Kind, Severity

ALEMBIC = '''"""Shows get a title

Revision ID: b2
Revises: a1
Create Date: 2026-01-02 03:04:05
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "b2"
down_revision: Union[str, None] = "a1"
branch_labels: Union[str, Sequence[str], None] = None
depends_on = None

TABLES = ("shows", "plays")
SIZE = 20


def has_column(table, column):
    names = [found["name"] for found in sa.inspect(op.get_bind()).get_columns(table)]
    return column in names


def add_title(table, size=SIZE, *, required=False):
    if not has_column(table, "title"):
        op.add_column(table, sa.Column("title", sa.String(length=size), nullable=not required))


def upgrade() -> None:
    """Titles."""
    connection = op.get_bind()
    for name in TABLES:
        add_title(name, required=False)
        connection.execute(sa.text(f"UPDATE {name} SET title = '' WHERE title IS NULL"))
    with op.batch_alter_table("shows", schema=None) as batch_op:
        batch_op.alter_column("title", existing_type=sa.String(length=20), nullable=False, server_default="")
        batch_op.create_index(batch_op.f("ix_shows_title"), ["title"], unique=False)
    op.execute("DELETE FROM old_shows " "WHERE id IN (1, 2)")
    rows = [{"id": index} for index in range(3)]
    op.bulk_insert(sa.table("shows", sa.column("id", sa.Integer())), rows)


def downgrade() -> None:
    with op.batch_alter_table("shows") as batch_op:
        batch_op.drop_index("ix_shows_title")
    for table in TABLES:
        op.drop_column(table, "title")
'''

DJANGO = '''"""Shows get a title."""
from django.db import migrations, models
import django.db.models.deletion

SIZE = 20


def fill(apps, schema_editor):
    """Titles."""
    Show = apps.get_model("app", "Show")
    for show in Show.objects.all():
        show.title = make(show.name)
        show.save()


def make(text):
    parts = text.split()
    return " ".join(part.title() for part in parts)


class Migration(migrations.Migration):
    dependencies = [("app", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="show",
            name="title",
            field=models.CharField(max_length=SIZE, null=True, verbose_name="Title"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL("DELETE FROM app_old " "WHERE id = 1", reverse_sql=migrations.RunSQL.noop),
        migrations.AlterModelOptions(name="show", options={"ordering": ["title"]}),
    ]
'''

LOCAL = {
    "connection": "bind", "name": "each", "batch_op": "batch", "names": "columns", "found": "one_found",
    "rows": "new", "index": "i", "table": "t", "required": "needed", "size": "length", "show": "one", "Show": "Model",
    "parts": "words", "part": "word", "text": "value", "apps": "registry", "schema_editor": "editor",
}  # fmt: skip
HELPERS = {"has_column": "column_exists", "add_title": "_add", "fill": "fill_titles", "make": "titled"}
CONSTANTS = {"TABLES": "_NAMES", "SIZE": "LENGTH"}


class Renamed(ast.NodeTransformer):
    """Renames what a file calls its own things. Keywords that are arguments of its own helpers follow."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in {*HELPERS, *HELPERS.values()}:
            for keyword in node.keywords:
                keyword.arg = self.names.get(keyword.arg or "", keyword.arg)
        return self.generic_visit(node)


class Tidied(ast.NodeTransformer):
    """Takes docstrings and annotations away, and gives keywords another order."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        if isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        assert node.value
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords.reverse()
        return self.generic_visit(node)


class Sized(ast.NodeTransformer):
    """`sa.String(length=x)` as `sa.String(x)`, `sa.Integer()` as `sa.Integer`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = ast.unparse(node.func)
        if called == "sa.String" and node.keywords:
            node.args, node.keywords = [item.value for item in node.keywords], []
        return node.func if called == "sa.Integer" else node


def unparsed(text: str, _: random.Random) -> str:
    return ast.unparse(ast.parse(text))


def transformed(*transformers: ast.NodeTransformer) -> Callable[[str, random.Random], str]:
    def apply(text: str, _: random.Random) -> str:
        tree = ast.parse(text)
        for transformer in transformers:
            tree = transformer.visit(tree)
        return ast.unparse(ast.fix_missing_locations(tree))

    return apply


def commented(text: str, chance: random.Random) -> str:
    """Comments and blank lines after lines on which no string goes on."""
    fresh = {node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)}
    lines = text.splitlines()
    result = []
    for number, line in enumerate(lines, 1):
        if number in fresh and chance.random() < 0.5 and number > 1:
            result += ["", "    # op.drop_table('shows')  " + "x" * chance.randrange(9)]
        result.append(line)
    return "\n".join(result) + "\n# end"


def quoted(text: str, _: random.Random) -> str:
    return re.sub(r'"([\w.]+)"', r"'\1'", text)


def split_strings(text: str, chance: random.Random) -> str:
    def halves(found: re.Match[str]) -> str:
        cut = chance.randrange(1, len(found[1]))
        return f"('{found[1][:cut]}' '{found[1][cut:]}')"

    return re.sub(r"(?<=[(\[ =])'(\w{3,})'(?=[,)\]])", halves, ast.unparse(ast.parse(text)))


def shuffled(text: str, chance: random.Random) -> str:
    """Imports and definitions in another order; what runs when the file is loaded stays above them."""
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    others = [node for node in tree.body if node not in imports and node not in definitions]
    chance.shuffle(imports)
    functions = [node for node in definitions if isinstance(node, ast.FunctionDef)]
    chance.shuffle(functions)
    classes = [node for node in definitions if isinstance(node, ast.ClassDef)]
    tree.body = [*imports, *others, *functions, *classes]
    return ast.unparse(tree)


def redated(text: str, _: random.Random) -> str:
    return text.replace("2026-01-02", "2027-12-31").replace("get a title", "have titles").replace("Revises: a1", "")


def crlf(text: str, _: random.Random) -> str:
    return text.replace("\n", "\r\n")


Edit = Callable[[str, random.Random], str]
LAYOUT: list[Edit] = [unparsed, transformed(Tidied()), commented, quoted, split_strings, shuffled, redated, crlf]
WORDING: list[Edit] = [transformed(Renamed(names)) for names in (LOCAL, HELPERS, CONSTANTS)] + [transformed(Sized())]
BOTH = [(Kind.ALEMBIC, ALEMBIC), (Kind.DJANGO, DJANGO)]


def found_after(kind: Kind, text: str, edits: list[Edit], chance: random.Random) -> list[set[str]]:
    """The rules that some edits break, and those that taking them back does."""
    after = text
    for edit in edits:
        after = edit(after.replace("\r\n", "\n"), chance)
    pair = (text.encode(), after.encode())
    both = (detect(kind, "x.py", *pair, previous_path="old/x.py"), detect(kind, "x.py", *pair[::-1]))
    return [{change.rule.partition(".")[2] for change in found} for found in both]


@pytest.mark.parametrize(("kind", "text"), BOTH)
@settings(deadline=None)
@given(st.lists(st.sampled_from(LAYOUT), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_no_layout_is_a_change(kind: Kind, text: str, edits: list[Edit], chance: random.Random) -> None:
    assert found_after(kind, text, edits, chance) == [set(), set()]


@pytest.mark.parametrize(("kind", "text"), BOTH)
@settings(deadline=None)
@given(st.lists(st.sampled_from(LAYOUT + WORDING), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_other_words_for_the_same_are_no_worse_than_that(
    kind: Kind, text: str, edits: list[Edit], chance: random.Random
) -> None:
    assert all(rules <= {"reworded"} for rules in found_after(kind, text, edits, chance))


@pytest.mark.parametrize(("kind", "text"), BOTH)
def test_other_words_are_said_once_and_hurt_nothing(kind: Kind, text: str) -> None:
    after = transformed(Renamed(LOCAL))(text, random.Random(1))
    (change,) = detect(kind, "x.py", text.encode(), after.encode())
    assert (change.rule, change.severity) == (f"{kind}.reworded", Severity.ADDITIVE)


MEANT = [
    (Kind.ALEMBIC, '"title", sa.String', '"headline", sa.String'),
    (Kind.ALEMBIC, "not required", "required"),
    (Kind.ALEMBIC, "SIZE = 20", "SIZE = 10"),
    (Kind.ALEMBIC, '("shows", "plays")', '("shows",)'),
    (Kind.ALEMBIC, "return column in names", "return column not in names"),
    (Kind.ALEMBIC, "range(3)", "range(4)"),
    (Kind.ALEMBIC, "add_title(name, required=False)", "add_title(name, required=True)"),
    (Kind.ALEMBIC, "(1, 2)", "(1, 3)"),
    (Kind.ALEMBIC, 'op.drop_column(table, "title")', 'op.drop_column("title", table)'),
    (Kind.ALEMBIC, "def add_title(table, size=SIZE", "def add_title(size, table=SIZE"),
    (Kind.DJANGO, "max_length=SIZE", "max_length=10"),
    (Kind.DJANGO, "SIZE = 20", "SIZE = 10"),
    (Kind.DJANGO, "show.title = make(show.name)", "show.name = make(show.title)"),
    (Kind.DJANGO, "part.title()", "part.upper()"),
    (Kind.DJANGO, "WHERE id = 1", "WHERE id = 2"),
    (Kind.DJANGO, "0001_initial", "0002_other"),
    (Kind.DJANGO, "RunPython(fill, ", "RunPython(make, "),
]


@pytest.mark.parametrize(("kind", "old", "new"), MEANT)
def test_an_edit_of_one_meaning_is_a_change(kind: Kind, old: str, new: str) -> None:
    text = ALEMBIC if kind is Kind.ALEMBIC else DJANGO
    after = text.replace(old, new)
    assert after != text
    assert detect(kind, "x.py", text.encode(), after.encode())


@settings(deadline=None)
@given(st.sampled_from([Kind.ALEMBIC, Kind.DJANGO]), st.binary(max_size=40), st.integers(0, 2000))
def test_bytes_put_anywhere_never_crash_and_never_hide_what_cannot_be_read(kind: Kind, noise: bytes, at: int) -> None:
    text = (ALEMBIC if kind is Kind.ALEMBIC else DJANGO).encode()
    after = text[:at] + noise + text[at:]
    found = detect(kind, "x.py", text, after)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(after)
    except (SyntaxError, ValueError):
        assert Severity.UNKNOWN in {change.severity for change in found}
