"""Which diff a command is about: the options that say so, and what a CI job tells where nobody says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ics_guard import ci, git, views
from ics_guard.cli.voice import Voice, err
from ics_guard.errors import UsageError
from ics_guard.git import Diff, Repository
from ics_guard.model import Silence
from ics_guard.project import Project
from ics_guard.report import texts

StagedOption = Annotated[bool, typer.Option("--staged", help="What the next commit holds (outside CI the default).")]
RangeOption = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="A..B",
        help="What B changes since its merge base with A; of one commit, what it changes itself.",
    ),
]
FromOption = Annotated[str | None, typer.Option("--from-ref", help="With --to-ref: the same as --range FROM..TO.")]
ToOption = Annotated[str | None, typer.Option("--to-ref", help="See --from-ref.")]


@dataclass(frozen=True)
class Asked:
    """Which diff the options say, all of them as they were given, None if not; `every` is --all."""

    staged: bool = False
    span: str | None = None
    from_ref: str | None = None
    to_ref: str | None = None
    every: bool = False


@dataclass(frozen=True)
class Judged:
    """What was judged: a diff, and in words how its range was found; no words for what is no range.

    `joined` is what its target gets from it, where that has moved on since.
    """

    diff: Diff
    found: str = ""
    joined: Diff | None = None

    @property
    def diffs(self) -> tuple[Diff, ...]:
        """All that is to be judged. The diff itself comes last: its lines are those that people see."""
        return (self.joined, self.diff) if self.joined else (self.diff,)

    @property
    def document(self) -> dict[str, str]:
        """The range as documents show it; empty where there is none."""
        return {"base": self.diff.base, "head": self.diff.head or "", "found": self.found} if self.found else {}

    @property
    def words(self) -> str:
        """The range as people read it; empty where there is none."""
        return f"{self.diff.base[:12]}..{(self.diff.head or '')[:12]} ({self.found})" if self.found else ""

    @property
    def fields(self) -> dict[str, Any]:
        """What the JSON document of a command has more where a range was judged."""
        return {"range": self.document} if self.found else {}


NOTHING = Judged(Diff("", None, ()))
"""Where the diff could not be had."""


def opened(asked: Asked, env: str, voice: Voice | None = None) -> tuple[Project, Judged]:
    """Given what the options say, return the project around the current folder, and the diff.

    Raise `UsageError` for a diff that cannot be had, `ConfigError` for a configuration that is missing or wrong.
    """
    repository = git.open_repository(Path.cwd())
    judged = _judged(repository, asked)
    return views.opened_for(repository, judged.diff, env, voice or Silence()), judged


def _judged(repository: Repository, asked: Asked) -> Judged:
    """The diff asked for; where nothing is said what a CI job is about, or else what is staged."""
    given = (asked.span, asked.from_ref, asked.to_ref)
    if "" in given:
        raise UsageError("bad-range", "an empty name was given (is a variable not set?)", "write both ends: BASE..HEAD")
    by_refs = asked.from_ref is not None
    said = sum((asked.staged, asked.span is not None, asked.every, by_refs))
    if said > 1 or by_refs != (asked.to_ref is not None):
        raise UsageError(
            "which-diff",
            "say one of --staged, --range A..B, --from-ref A --to-ref B; check knows --all as well",
            "ics-guard check --range main..HEAD",
        )
    if asked.every:
        return Judged(git.everything(repository))
    if span := f"{asked.from_ref}..{asked.to_ref}" if by_refs else asked.span:
        return _of_range(repository, *git.commit_range(repository, span), "as asked for")
    found = None if asked.staged else ci.find_range(repository, os.environ)
    if not found:
        return Judged(git.staged(repository))
    judged = _of_range(repository, found.base, found.head, found.found)
    err.print(f"ics-guard: judging {texts.printable(judged.words)}", markup=False)
    return judged


def _of_range(repository: Repository, base: str, head: str, found: str) -> Judged:
    diff = git.between(repository, base, head)
    return Judged(diff, found, git.joined(repository, diff))
