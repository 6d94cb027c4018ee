"""The graph of revisions: second heads, missing parents, double identities, circles; and reading it quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ics_guard.detect import detect
from ics_guard.detect.alembic.graph import graph_changes
from ics_guard.detect.alembic.identity import plain_identity
from ics_guard.detect.alembic.revision import read_revision, revision_of
from ics_guard.detect.python.tree import parse
from ics_guard.model import Change, Kind, Severity


def file(name: str, *down: str, depends: str = "", labels: str = "") -> bytes:
    """A revision file without operations."""
    parents = repr(down) if len(down) > 1 else repr(down[0]) if down else "None"
    return (
        f'"""{name}"""\nfrom alembic import op\n\nrevision = {name!r}\ndown_revision = {parents}\n'
        f"depends_on = {depends or None!r}\nbranch_labels = {labels or None!r}\n\n\ndef upgrade():\n    pass\n"
    ).encode()


def folder(**files: bytes) -> dict[str, bytes]:
    return {f"versions/{name}.py": content for name, content in files.items()}


CHAIN = folder(a=file("a"), b=file("b", "a"), c=file("c", "b"))

FACTS = [
    (CHAIN, CHAIN | folder(d=file("d", "c")), []),
    (CHAIN, CHAIN | folder(d=file("d", "b")), ["alembic.second_head d: (d stands beside c.)"]),
    (CHAIN, CHAIN | folder(d=file("d", "b", labels="mysql")), []),
    (CHAIN, CHAIN | folder(d=file("d", "b", labels="mysql"), e=file("e", "d")), []),
    (CHAIN, CHAIN | folder(d=file("d")), []),
    (CHAIN, CHAIN | folder(d=file("d", depends="c")), []),
    (CHAIN, CHAIN | folder(d=file("d", "b"), e=file("e", "c", "d")), []),
    (CHAIN | folder(d=file("d", "b")), CHAIN | folder(d=file("d", "b"), e=file("e", "d")), []),
    (CHAIN | folder(d=file("d", "b")), CHAIN | folder(d=file("d", "b"), e=file("e", "a")),
     ["alembic.second_head e: (e stands beside c, d.)"]),
    (CHAIN | folder(d=file("d", "b"), e=file("e", "c", "d")), CHAIN | folder(d=file("d", "b")),
     ["alembic.second_head c: (c stands beside d.)"]),
    (CHAIN, folder(a=file("a"), c=file("c", "b")), ["alembic.parent_missing c: (b is missing.)"]),
    (CHAIN, CHAIN | folder(d=file("d", "c", depends="x")), ["alembic.parent_missing d: (x is missing.)"]),
    (CHAIN, CHAIN | folder(d=file("d", labels="lib"), e=file("e", "c", depends="lib")), []),
    (folder(c=file("c", "b")), folder(c=file("c", "b"), d=file("d", "c")), []),
    (CHAIN, CHAIN | folder(copy=file("b", "a")),
     ["alembic.duplicate_revision b: (versions/b.py, versions/copy.py)"]),
    (CHAIN, folder(a=file("a"), renamed=file("b", "a"), c=file("c", "b")), []),
    (CHAIN, CHAIN | folder(a=file("a", "c")), ["alembic.cycle a: (a, b, c)"]),
    (CHAIN, CHAIN | folder(a=file("a", depends="c")), ["alembic.cycle a: (a, b, c)"]),
    (CHAIN, CHAIN | folder(env=b"from alembic import context\n", broken=b"def ("), []),
    ({}, CHAIN, []),
    (CHAIN, {}, []),
]  # fmt: skip


def told(changes: list[Change]) -> list[str]:
    return [f"{change.rule} {change.object}: {change.reason.partition('. ')[2]}" for change in changes]


@pytest.mark.parametrize(("before", "after", "expected"), FACTS)
def test_facts_of_the_graph(before: dict[str, bytes], after: dict[str, bytes], expected: list[str]) -> None:
    changes = graph_changes(before, after)
    assert told(changes) == expected
    assert all(change.severity is Severity.RISKY and change.kind is Kind.ALEMBIC for change in changes)
    assert all(change.revision and change.path in after and not change.effects for change in changes)
    assert graph_changes(after, after) == []


def test_a_fact_stands_where_the_parent_is_named() -> None:
    (change,) = graph_changes(CHAIN, CHAIN | folder(d=file("d", "b")))
    assert (change.path, change.line) == ("versions/d.py", 5)


def test_what_single_files_show_is_completed_and_not_said_twice() -> None:
    after = CHAIN | folder(b=file("b"), d=file("d", "c"))
    single = [
        change for path in after for change in detect(Kind.ALEMBIC, path, CHAIN.get(path), after[path])
    ]  # fmt: skip
    moved, added = graph_changes(CHAIN, after, single)
    assert moved.rule == "alembic.graph"
    assert moved.reason.endswith(" c builds on it.")
    assert added.reason.endswith(" (d is the new head.)")
    assert [change.digest for change in single] == [moved.digest, added.digest]


def test_a_merge_is_told_by_its_own_file() -> None:
    (change,) = detect(Kind.ALEMBIC, "versions/m.py", None, file("m", "a", "b"))
    assert (change.rule, change.severity) == ("alembic.merge", Severity.ADDITIVE)


def test_a_long_history_is_read_quickly() -> None:
    body = b"\n\ndef upgrade():\n" + b"    op.add_column('t', sa.Column('c', sa.Text(), nullable=True))\n" * 80
    names = [f"r{index:04}" for index in range(400)]
    files = {name: file(name, *names[index - 1 : index]) + body for index, name in enumerate(names) if index}
    files |= {names[0]: file(names[0]) + body}
    began = time.process_time()
    assert graph_changes(files, files | {"x": file("x", "r0398")})[0].rule == "alembic.second_head"
    quick = time.process_time() - began
    began = time.process_time()
    assert all(parse(content) for content in files.values())
    assert quick < (time.process_time() - began) / 3


LINES = st.sampled_from([
    '"""Doc."""', "'''Two\nlines\n'''", '"""\nrevision = "no"\n"""', "# revision = 'no'", "", "import sqlalchemy as sa",
    "from alembic import op", "from x import (\n    a,\n    b,\n)", "revision = 'a1'", 'revision: str = "b2"  # why',
    "revision = 'a' 'b'", "revision = 'a\\x62'", "revision = x", "down_revision = None", "down_revision = ('a', 'b')",
    "down_revision = ['a', 'b',]", "down_revision = ('a')", "down_revision: str | None = 'z'", "down_revision = ()",
    "depends_on = 'd'", "branch_labels = ('x',)", "if sa:\n    revision = 'c3'", "x = revision = 'd4'",
    "x = 1; revision = 'e5'",
    "f(\nrevision='f6'\n)", "x = '''\nrevision = 'g7'\n'''", "x = \\\n  3", "def upgrade():\n    revision = 'h8'",
    "class A:\n    revision = 'i9'", "revision += 'x'", "x == 1", "if revision == 'a':\n    pass",
    "x = 'a' if x else 'b'",
    "revision = ''", "a, revision = 'x', 'y'", "revision, a = 'x', 'y'", "[revision] = ['x']",
    "down_revision = 'a', 'b'", "(revision) = 'j'", "revision = 'k' #\\", "x: 'revision = 1'",
    "revision = 'l'\r", "\x0crevision = 'm'", "# -*- coding: latin-1 -*-", "revision = f'n'", "del revision",
    "from x import revision", "from x import (\n    a,\n    down_revision,\n)", "from x import *",
    "import x as revision", "def revision():\n    pass", "class down_revision:\n    pass",
    "for revision in x:\n    pass",
])  # fmt: skip


@settings(deadline=None)
@given(st.lists(LINES, max_size=8))
def test_reading_plainly_agrees_with_the_parser(lines: list[str]) -> None:
    content = "\n".join(lines).encode()
    module = parse(content)
    if module is not None:
        assert read_revision(content) == revision_of(module)


@settings(deadline=None)
@given(
    st.text(alphabet="revision_down =:'\"\\\n#(),[]abN;\r\t", max_size=80).map(lambda text: f"revision = 'a'\n{text}")
)
def test_no_spelling_fools_it(text: str) -> None:
    module = parse(text.encode())
    if module is not None:
        assert read_revision(text.encode()) == revision_of(module)


@pytest.mark.parametrize(
    "text", ["x = 1", "revision = find()", "revision = 'a'\nif x:\n    revision = 'b'", "\0", "\xff"]
)
def test_what_is_not_plain_is_left_to_the_parser(text: str) -> None:
    assert plain_identity(text.encode("latin-1")) is None


def test_a_file_that_cannot_be_parsed_is_the_revision_its_head_says() -> None:
    assert read_revision(file("a") + b"\nprint 'python 2'\n") == read_revision(file("a"))
