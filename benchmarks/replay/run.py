"""One history, replayed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.replay.engine import find, open_engine
from benchmarks.replay.history import Contents, commits
from benchmarks.replay.labels import Labeller
from benchmarks.replay.nouns import Scored, score
from benchmarks.replay.places import Places


@dataclass(frozen=True)
class Replay:
    """What came of a history: its commits scored, those that the clone lacks objects of, and the seconds it took."""

    name: str
    head: str
    scored: tuple[Scored, ...]
    absent: tuple[str, ...]
    engine_seconds: float
    label_seconds: float


def replay(
    folder: Path,
    places: Places,
    *,
    name: str,
    revision: str = "HEAD",
    first_parent: bool = False,
    most: int = 0,
    touching: bool = False,
    progress: Callable[[str], object] | None = None,
) -> Replay:
    """Given a work tree and the places of its migrations, return how the engine does on each of its commits.

    With `touching`, on those alone that touch a watched file: quick, to look into disagreements, and no score.
    """
    engine = open_engine(folder, places.config)
    scored: list[Scored] = []
    in_engine = in_labels = 0.0
    head = ""
    absent: list[str] = []
    with ExitStack() as stack:
        contents = stack.enter_context(closing(Contents(folder)))
        labeller = Labeller(contents, places, stack)
        for commit in commits(folder, revision, first_parent=first_parent, most=most):
            head = head or commit.oid
            if commit.edits is None:
                absent.append(commit.oid)
                continue
            if touching and not labeller.touches(commit):
                continue
            began = time.perf_counter()
            found = find(engine, commit)
            between = time.perf_counter()
            scored.append(score(commit, labeller.label(commit), found))
            in_engine += between - began
            in_labels += time.perf_counter() - between
            if progress and len(scored) % 500 == 0:
                progress(f"{name}: {len(scored)} commits, {in_engine:.0f} s engine, {in_labels:.0f} s labels\n")
    return Replay(name, head, tuple(scored), tuple(absent), in_engine, in_labels)
