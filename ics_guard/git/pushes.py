"""What a push carries: from the lines of the pre-push hook, or from what the pre-commit framework tells of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NoReturn

from ics_guard.errors import UsageError
from ics_guard.git.diffs import Diff, differences
from ics_guard.git.names import commit_or_tree, is_shallow, is_zero, no_merge_base, peel, refs
from ics_guard.git.news import edges, merge_bases, newest
from ics_guard.git.remotes import seen_at
from ics_guard.git.repository import Repository


@dataclass(frozen=True)
class _Update:
    """A ref of the remote is to lead to `head`; `there` is what it leads to now, "" for nothing that is known."""

    head: str
    there: str


def pushes(repository: Repository, stdin: bytes, remote: str, url: str = "", apart: Collection[str] = ()) -> list[Diff]:
    """Given what git tells the pre-push hook, return what the remote does not have yet, and what a ref of it loses.

    The base is the empty tree where the remote has nothing in common. Deletions of refs carry nothing. Of many heads
    that begin with nothing, a file that two of them share comes once; but heads that differ in a file `apart` (one
    that decides how others are read) are told each by itself. Raise `UsageError` for
    lines that git never writes, for a ref that is at a commit which this clone has not got, or when a shallow clone
    does not hold the merge base.
    """
    wanted: list[tuple[str, str]] = []
    for line in stdin.decode("utf-8", "surrogateescape").splitlines():
        words = line.rsplit(" ", 3)
        if len(words) != 4:
            message = f"this is no line of a pre-push hook: {line!r}"
            raise UsageError("pre-push-line", message, "let git call the hook, or use `ics-guard gate --range A..B`")
        if not is_zero(words[1]):
            wanted.append((words[1], words[3]))
    commits, trees = peel(repository, (oid for pair in wanted for oid in pair if not is_zero(oid)))
    updates, bare = [], []
    for local, there in wanted:
        if not is_zero(there) and there not in commits and there not in trees:
            _unknown_there(there, url or remote)
        if local in commits:
            updates.append(_Update(commits[local], commits.get(there, "")))
        elif local in trees:  # a tag on a tree; one on a blob has no path
            bare.append((trees.get(there, repository.empty_tree), trees[local]))
    return _carried(repository, updates, seen_at(repository, remote, url), bare, apart)


def framework_stage(environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Given the environment of a pre-commit hook, return the git hook it stands for, with git's arguments.

    pre-merge-commit cannot be told from pre-commit, and asks the same. A run over a range counts as a push of it.
    prek says the stage, and of a merge only whether it is squashed.
    """

    def told(name: str) -> str:
        return environ.get(f"PRE_COMMIT_{name}", "")

    if told("CHECKOUT_TYPE"):
        return "post-checkout", [told("FROM_REF"), told("TO_REF"), told("CHECKOUT_TYPE")]
    if told("IS_SQUASH_MERGE") or environ.get("PREK_HOOK_STAGE") == "post-merge":
        return "post-merge", [told("IS_SQUASH_MERGE") or told("SQUASH_MERGE") or "0"]
    if told("REWRITE_COMMAND"):
        return "post-rewrite", [told("REWRITE_COMMAND")]
    if told("REMOTE_NAME") or told("TO_REF"):
        return "pre-push", [told("REMOTE_NAME"), told("REMOTE_URL")]
    return "pre-commit", []


def _unknown_there(oid: str, remote: str) -> NoReturn:
    raise UsageError(
        "unknown-ref",
        f"{remote} is at commit {oid}, which is not in this clone, so what a push takes from there cannot be told",
        f"git fetch {remote}, then push again",
    )


def framework_pushes(repository: Repository, environ: Mapping[str, str], apart: Collection[str] = ()) -> list[Diff]:
    """Given the environment of a pre-commit hook at pre-push, return what it may carry, as `pushes` does.

    pre-commit tells of the first ref only, and gives no standard input: every other branch and tag that the remote
    lacks may be in the same push, so it counts.
    """
    base, head = environ.get("PRE_COMMIT_FROM_REF", ""), environ.get("PRE_COMMIT_TO_REF", "")
    remote = environ.get("PRE_COMMIT_REMOTE_NAME", "")
    pushed = commit_or_tree(repository, head or environ.get("PRE_COMMIT_LOCAL_BRANCH", "") or "HEAD")
    there = commit_or_tree(repository, base) if base else ""
    if not remote:
        return _carried(repository, [_Update(pushed, there)], [], (), apart)
    theirs = seen_at(repository, remote, environ.get("PRE_COMMIT_REMOTE_URL", ""))
    # For a new branch pre-commit names some commit before it, where the remote has a better one.
    first = _Update(pushed, "" if theirs and there not in theirs else there)
    others = [_Update(other, "") for other in refs(repository, "refs/heads", "refs/tags", beyond=pushed)]
    return _carried(repository, [first, *others], theirs, (), apart)


def _carried(
    repository: Repository,
    updates: Iterable[_Update],
    theirs: list[str],
    bare: Sequence[tuple[str, str]] = (),
    apart: Collection[str] = (),
) -> list[Diff]:
    """What all the updates bring, given what the remote has elsewhere, and what those that are no fast-forward take."""
    moved = [one for one in dict.fromkeys(updates) if one.head != one.there]
    known = [*theirs, *(one.there for one in moved if one.there)]
    news = edges(repository, (one.head for one in moved), known)
    ahead = {one for one in moved if one.there in news.get(one.head, ())}
    doubtful = [one for one in moved if one.there and one not in ahead]
    met = merge_bases(repository, [(one.head, one.there) for one in doubtful])
    ahead |= {one for one in doubtful if met[one.head, one.there] == one.there}
    forced = [(one, met[one.head, one.there] or repository.empty_tree) for one in doubtful if one not in ahead]
    new = [one.head for one in moved if one.head in news and one not in ahead]
    bases = newest(repository, (news[head] for head in new))
    if known and not all(news[head] for head in new) and is_shallow(repository):
        no_merge_base(repository, known[0], next(head for head in new if not news[head]))
    pairs = [*bare, *((one.there, one.head) for one in moved if one in ahead)]
    pairs += [(bases.get(news[head], repository.empty_tree), head) for head in new]
    whole = [head for base, head in pairs if base == repository.empty_tree]
    grown = differences(repository, [pair for pair in pairs if pair[0] != repository.empty_tree])
    found = (*_from_nothing(repository, whole, apart), *grown, *_lost(repository, forced))
    return [diff for diff in found if diff.files]


def _from_nothing(repository: Repository, heads: Sequence[str], apart: Collection[str]) -> Iterator[Diff]:
    """Each head as if all of it were new, without what the head before it has too: thousands share most files.

    A head that differs from the one before in a file `apart` comes whole.
    """
    nothing = repository.empty_tree
    steps = differences(repository, pairwise((nothing, *heads)))
    whole = [step.head for step in steps[1:] if {path for file in step.files for path in file.paths} & set(apart)]
    listed = {diff.head: diff for diff in differences(repository, [(nothing, str(head)) for head in whole])}
    for step in steps:
        files = (replace(f, status="A", previous_path=None, before=None) for f in step.files if f.after)
        yield listed.get(step.head) or Diff(nothing, step.head, tuple(files))


def _lost(repository: Repository, forced: Sequence[tuple[_Update, str]]) -> Iterator[Diff]:
    """What a ref had since it parted from where it is led now, and has no more, or otherwise."""
    gone = differences(repository, [(one.there, one.head) for one, _ in forced])
    had = differences(repository, [(base, one.there) for one, base in forced])
    for diff, theirs in zip(gone, had, strict=True):
        touched = {path for file in theirs.files for path in file.paths}
        yield replace(diff, files=tuple(file for file in diff.files if touched & {*file.paths}))
