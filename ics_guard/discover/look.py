"""From a work tree to a proposal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ics_guard.config import Watch
from ics_guard.config.patterns import compiled, matches
from ics_guard.discover.artifacts import find_artifacts
from ics_guard.discover.matching import match_databases
from ics_guard.discover.nouns import Pattern, Proposal
from ics_guard.discover.schema_code import find_schema_code, migration_files
from ics_guard.discover.worktree import walk


def look(root: Path, tracked: Iterable[str]) -> Proposal:
    """Given the root of a work tree and the paths git tracks in it, return what a configuration should say.

    Nothing of the user's is run; nothing in the work tree is changed or created.
    """
    tree = walk(root, tracked)
    schema = find_schema_code(tree)
    databases, questions = match_databases(tree, schema)
    found = Proposal(
        alembic=tuple(setup.pattern for setup in schema.setups),
        django=schema.django,
        sql=schema.sql,
        embedded=schema.embedded,
        models=schema.models,
        exclude=schema.exclude,
        databases=databases,
        artifacts=find_artifacts(tree),
        questions=(*schema.questions, *questions),
    )
    return _writable(found)


def unwatched(root: Path, tracked: Iterable[str], watch: Watch) -> tuple[str, ...]:
    """Given a work tree and what is watched in it, return what looks like a migration, is not watched, and was not
    left out on purpose.
    """
    excluded = compiled(watch.exclude)
    found = migration_files(walk(root, tracked))
    return tuple(path for path in found if watch.kind_of(path) is None and not matches(excluded, path))


def _writable(proposal: Proposal) -> Proposal:
    """Leave out names that are no text: TOML cannot hold them."""
    paths = [database.path for database in proposal.databases] + [artifact.path for artifact in proposal.artifacts]
    unwritable = [path for path in paths if not _is_text(path)]

    def kept(patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        unwritable.extend(pattern.text for pattern in patterns if not _is_text(pattern.text))
        return tuple(pattern for pattern in patterns if _is_text(pattern.text))

    return replace(
        proposal,
        alembic=kept(proposal.alembic),
        django=kept(proposal.django),
        sql=kept(proposal.sql),
        embedded=kept(proposal.embedded),
        models=kept(proposal.models),
        exclude=kept(proposal.exclude),
        databases=tuple(one for one in proposal.databases if _is_text(one.path)),
        artifacts=tuple(one for one in proposal.artifacts if _is_text(one.path)),
        questions=proposal.questions + tuple(f"the name of {path!a} is not UTF-8; rename it?" for path in unwritable),
    )


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return path.isprintable()
