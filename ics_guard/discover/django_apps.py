"""Where the migrations of a Django project are, and where those of its next app will be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from os.path import commonpath
from pathlib import PurePosixPath

from ics_guard.config.patterns import compiled, literal, matches
from ics_guard.discover.nouns import Pattern
from ics_guard.discover.revisions import Migration
from ics_guard.discover.worktree import WorkTree, not_the_products

_ROOM = "migrations"


def django_patterns(migrations: Iterable[Migration]) -> tuple[Pattern, ...]:
    """Given the migrations of a work tree, return the patterns that they match, and those of an app to come."""
    counts = Counter(PurePosixPath(one.path).parent.as_posix() for one in migrations if not one.revision)
    apps = sorted(folder for folder in counts if folder.endswith(f"/{_ROOM}"))
    total = sum(counts[folder] for folder in apps)
    shared = [Pattern(_any_app(apps), f"{total} Django migrations, and those of the next app")] if apps else []
    covered = compiled(pattern.text for pattern in shared)
    alone = sorted(folder for folder in counts if not matches(covered, f"{folder}/0001.py"))
    return (
        *shared,
        *(Pattern(f"{literal(folder)}/*.py", f"{counts[folder]} Django migrations") for folder in alone),
    )


def _any_app(folders: Iterable[str]) -> str:
    """The pattern for the folders of migrations of these apps and of any that is made beside them."""
    rooms = sorted({PurePosixPath(folder).parent.parent.as_posix() for folder in folders})
    root = "." if "." in rooms else commonpath(rooms)
    within = f"{literal(root)}/" if root not in (".", "") else ""
    return f"{within}{'*' if len(rooms) == 1 else '**'}/{_ROOM}/*.py"


def only_named_so(
    tree: WorkTree,
    migrations: Iterable[Migration],
    django: Iterable[Pattern],
    others: Iterable[Pattern],
    alembic: frozenset[str],
) -> tuple[tuple[Pattern, ...], tuple[Pattern, ...]]:
    """Given the patterns for Django and for other code, and the folders of Alembic, return what Django leaves out, and
    what is to be left out altogether.

    That is what Django's patterns match and what holds no migration of the project: a fixture's, another package's, or
    importers that have the name of migrations.
    """
    specs = compiled(pattern.text for pattern in django), compiled(pattern.text for pattern in others)
    own = alembic | {PurePosixPath(one.path).parent.as_posix() for one in migrations}
    mine, apart, excluded = set(tree.code) | tree.tracked, dict[str, Pattern](), dict[str, Pattern]()
    for path in sorted(mine & tree.sizes.keys()):
        folder, name = PurePosixPath(path).parent.as_posix(), PurePosixPath(path).name
        if name == "__init__.py" or folder in own or not path.endswith(".py") or not matches(specs[0], path):
            continue  # an empty folder of migrations is that of an app which has none yet
        outer = not_the_products(path)
        text = f"{literal(outer)}/**/{_ROOM}/*.py" if outer else f"{literal(folder)}/*.py"
        why = "not the product's own" if outer else f"no Django migrations, though it is called {_ROOM}"
        if matches(specs[1], path):
            apart[f"!{text}"] = Pattern(f"!{text}", why)
        else:
            excluded[text] = Pattern(text, why)
    return tuple(apart.values()), tuple(excluded.values())
