"""What a push carries: from the lines of the pre-push hook, or from what the pre-commit framework tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ics_guard.errors import UsageError
from ics_guard.git.names import commit_or_tree, is_zero, merge_base, peel, refs
from ics_guard.git.repository import Repository


def pushes(repository: Repository, stdin: bytes, remote: str) -> list[tuple[str, str]]:
    """Given what git tells the pre-push hook, return base and head of each range that the remote does not have yet.

    The base is the empty tree where the remote has nothing in common. Deletions carry nothing. Raise `UsageError` for
    lines that git never writes, or when a shallow clone does not hold the merge base.
    """
    wanted: list[tuple[str, str]] = []
    for line in stdin.decode("utf-8", "surrogateescape").splitlines():
        words = line.rsplit(" ", 3)
        if len(words) != 4:
            message = f"this is no line of a pre-push hook: {line!r}"
            raise UsageError("pre-push-line", message, "let git call the hook, or use `ics-guard gate --range A..B`")
        if not is_zero(words[1]):
            wanted.append((words[1], words[3]))
    peeled = peel(repository, (oid for pair in wanted for oid in pair if not is_zero(oid)))
    theirs: list[str] | None = None
    found = []
    for local, there in wanted:
        if local not in peeled:  # a tag on a blob: no path, no file
            continue
        if there in peeled:  # else a new ref, or one that somebody else moved on and that is now forced over
            has = [peeled[there]]
        else:
            theirs = _known_of(repository, remote) if theirs is None else theirs
            has = theirs
        found += _lacking(repository, peeled[local], has)
    return list(dict.fromkeys(found))


def framework_stage(environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Given the environment of a pre-commit hook, return the git hook it stands for, with git's arguments.

    pre-merge-commit cannot be told from pre-commit, and asks the same. A run over a range counts as a push of it.
    """

    def told(name: str) -> str:
        return environ.get(f"PRE_COMMIT_{name}", "")

    if told("CHECKOUT_TYPE"):
        return "post-checkout", [told("FROM_REF"), told("TO_REF"), told("CHECKOUT_TYPE")]
    if told("IS_SQUASH_MERGE"):
        return "post-merge", [told("IS_SQUASH_MERGE")]
    if told("REWRITE_COMMAND"):
        return "post-rewrite", [told("REWRITE_COMMAND")]
    if told("REMOTE_NAME") or told("TO_REF"):
        return "pre-push", [told("REMOTE_NAME"), told("REMOTE_URL")]
    return "pre-commit", []


def framework_pushes(repository: Repository, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Given the environment of a pre-commit hook at pre-push, return base and head of each range it may carry.

    pre-commit tells of the first ref only, and gives no standard input: every other branch and tag that the remote
    lacks may be in the same push, so it counts.
    """
    base, head = environ.get("PRE_COMMIT_FROM_REF", ""), environ.get("PRE_COMMIT_TO_REF", "")
    remote = environ.get("PRE_COMMIT_REMOTE_NAME", "")
    pushed = commit_or_tree(repository, head or environ.get("PRE_COMMIT_LOCAL_BRANCH", "") or "HEAD")
    if not remote:
        return _lacking(repository, pushed, [commit_or_tree(repository, base)] if base else [])
    theirs = _known_of(repository, remote)
    found = _lacking(repository, pushed, [commit_or_tree(repository, base)] if base else theirs)
    for other in refs(repository, "refs/heads", "refs/tags", beyond=pushed):
        found += _lacking(repository, other, theirs)
    return list(dict.fromkeys(found))


def _lacking(repository: Repository, head: str, has: Iterable[str]) -> list[tuple[str, str]]:
    """The range that leads to `head` from what the remote has of it: none if it has all."""
    known = list(has)
    base = merge_base(repository, head, *known) if known else None
    return [] if base == head else [(base or repository.empty_tree, head)]


def _known_of(repository: Repository, remote: str) -> list[str]:
    """The commits that this clone saw at a remote, given its name or the URL that is pushed to."""
    from git import Repo  # noqa: PLC0415 - 130 ms, which only a push of something new has to pay

    with Repo(repository.root) as opened:
        names = [known.name for known in opened.remotes if remote == known.name or remote in known.urls]
    return refs(repository, *(f"refs/remotes/{name}" for name in names)) if names else []
