"""The history of one app: second ends, missing migrations, and what a squash has replaced."""

from __future__ import annotations

import pytest

from ics_guard.detect import detect
from ics_guard.detect.django.graph import django_graph_changes
from ics_guard.model import Kind, Severity


def file(*parents: str, replaces: tuple[str, ...] = ()) -> bytes:
    """A migration that depends on these of its app, and on one of another."""
    return (
        "from django.db import migrations\nfrom django.conf import settings\n\n\n"
        "class Migration(migrations.Migration):\n"
        f"    replaces = {[('shows', name) for name in replaces]}\n"
        "    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL), ('auth', '0001_initial'), "
        f"{', '.join(repr(('shows', name)) for name in parents)}]\n    operations = []\n"
    ).encode()


def folder(**files: bytes) -> dict[str, bytes]:
    return {f"app/shows/migrations/{name[1:]}.py": content for name, content in files.items()}


CHAIN = folder(x0001=file(), x0002=file("0001"), x0003=file("0002"))
SQUASH = folder(x0001_squashed=file(replaces=("0001", "0002")))
ELSEWHERE = b"from app.base import Migration\n"
MADE = (
    b"import django.db.migrations as m\n"
    b"Migration = type('Migration', (m.Migration,), {'dependencies': [('shows', '0003')]})\n"
)

FACTS = [
    (CHAIN, CHAIN | folder(x0004=file("0003")), []),
    (CHAIN, CHAIN | folder(x0004=file("0002")), ["django.second_leaf 0004"]),
    (CHAIN, CHAIN | folder(x0004=file("0002"), x0005_merge=file("0003", "0004")), []),
    (CHAIN, CHAIN | folder(x0004=file("0033")), ["django.parent_missing 0004"]),
    (CHAIN, CHAIN | SQUASH, []),
    (CHAIN | SQUASH, SQUASH | folder(x0003=file("0002")), []),
    (CHAIN | SQUASH, SQUASH | folder(x0003=file("0001_squashed")), []),
    (CHAIN, folder(x0001=file(), x0003=file("0002")), ["django.parent_missing 0003"]),
    (CHAIN | folder(x0004=file("0002")), CHAIN | folder(x0004=file("0002")) | folder(x0005=file("0003")), []),
    (CHAIN, CHAIN | folder(x__init__=b"", xbroken=b"class Migration("), []),
    (CHAIN, CHAIN | folder(x0004=ELSEWHERE), []),
    (CHAIN, CHAIN | folder(x0004=ELSEWHERE, x0005=file("0004")), []),
    (CHAIN, CHAIN | folder(x0004=ELSEWHERE, x0005=file("0033")), ["django.parent_missing 0005"]),
    (CHAIN, CHAIN | folder(x0004=MADE), []),
    ({}, CHAIN, []),
    (CHAIN, {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "expected"), FACTS)
def test_facts_of_the_graph(before: dict[str, bytes], after: dict[str, bytes], expected: list[str]) -> None:
    changes = django_graph_changes(before, after)
    assert [f"{change.rule} {change.object}" for change in changes] == expected
    assert all(change.path in after and change.line == 5 and change.kind is Kind.DJANGO for change in changes)


def test_what_a_squash_replaced_may_go() -> None:
    path = "app/shows/migrations/0001.py"
    gone = detect(Kind.DJANGO, path, CHAIN[path], None)
    after = {name: content for name, content in CHAIN.items() if name != path}
    (kept, _) = django_graph_changes(CHAIN, after, gone)
    assert (kept.rule, kept.severity) == ("django.migration_deleted", Severity.RISKY)
    (told,) = django_graph_changes(CHAIN | SQUASH, after | SQUASH, gone)
    assert (told.rule, told.severity) == ("django.replaced_deleted", Severity.ADDITIVE)
    assert told.digest != kept.digest
