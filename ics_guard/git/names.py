"""From names to commits: refs, ranges, merge bases, HEAD, and who is asking."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterable
from typing import NoReturn

from ics_guard.errors import UsageError
from ics_guard.git.process import answer, output
from ics_guard.git.repository import Repository

_ENDING = re.compile(r"[~^@:]")
_PLAIN = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})|HEAD|(?:ORIG|MERGE|FETCH)_HEAD|refs/.*|")


def exists(repository: Repository, name: str) -> bool:
    """Given the name of a ref or object, return whether the repository has that object."""
    return _resolve(repository, name, "object") is not None


def commit(repository: Repository, name: str) -> str:
    """Given a name, return the id of its commit, tags peeled. Raise `UsageError` if there is none."""
    return _resolve(repository, name, "commit") or unknown(name)


def commit_or_tree(repository: Repository, name: str) -> str:
    """Given a name, return the id of its commit, or of a bare tree. Raise `UsageError` if there is neither."""
    return _resolve(repository, name, "commit") or _resolve(repository, name, "tree") or unknown(name)


def commit_range(repository: Repository, text: str) -> tuple[str, str]:
    """Given `A..B`, `A...B` (an empty B is HEAD) or one commit, return the ids of base and head.

    One commit is taken against its first parent, or the empty tree; a zero id, which CI gives for a new branch, is the
    empty tree too. Raise `UsageError` for a name that is unknown, and for an A that is empty.
    """
    left, dots, right = text.partition("...") if "..." in text else text.partition("..")
    if dots and not left:
        said = f"the range {text!r} does not say where it begins (is a variable not set?)"
        raise UsageError("bad-range", said, "write both ends: BASE..HEAD")
    if dots and (is_zero(left) or left == repository.empty_tree):
        return repository.empty_tree, commit(repository, right or "HEAD")
    if dots:
        return commit(repository, left), commit(repository, right or "HEAD")
    head = commit(repository, text)
    if parent := _resolve(repository, f"{head}^", "commit"):
        return parent, head
    if b"\nparent " in output(repository, "cat-file", "commit", head).partition(b"\n\n")[0]:
        no_merge_base(repository, f"{text}^", text)
    return repository.empty_tree, head


def merge_base(repository: Repository, head: str, *others: str) -> str | None:
    """Given commits, return the best common ancestor of `head` and all that the others contain; None without one.

    Raise `UsageError` if there is none and history is missing, so that there might be one.
    """
    found = answer(repository, "merge-base", head, *others)
    if not found and is_shallow(repository):
        no_merge_base(repository, others[0], head)
    return found


def refs(repository: Repository, *patterns: str, beyond: str = "", without: tuple[str, ...] = ()) -> list[str]:
    """Given prefixes of refs, return the ids of the commits they lead to, tags peeled.

    `beyond` leaves out what that commit contains, `without` the refs with one of these prefixes.
    """
    reach = [f"--no-merged={beyond}"] if beyond else []
    lines = output(repository, "for-each-ref", "--format=%(objectname) %(refname)", *reach, *patterns).splitlines()
    named = (os.fsdecode(line).partition(" ") for line in lines)
    commits, _ = peel(repository, (oid for oid, _, name in named if not name.startswith(without)))
    return list(dict.fromkeys(commits.values()))


def peel(repository: Repository, oids: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Given ids, return the commits that they lead to, and the trees of those that lead to no commit."""
    wanted = list(dict.fromkeys(oids))
    commits = _peeled(repository, wanted, "commit")
    return commits, _peeled(repository, (oid for oid in wanted if oid not in commits), "tree")


def trees(repository: Repository, oids: Iterable[str]) -> dict[str, str]:
    """Given ids of commits and trees, return the id of the tree of each that is in this clone."""
    return _peeled(repository, oids, "tree")


def _peeled(repository: Repository, oids: Iterable[str], kind: str) -> dict[str, str]:
    wanted = list(dict.fromkeys(oids))
    if not wanted:
        return {}
    asked = "".join(f"{oid}^{{{kind}}}\n" for oid in wanted).encode()
    answers = output(repository, "cat-file", "--batch-check=%(objectname)", stdin=asked).decode().splitlines()
    return {oid: found for oid, found in zip(wanted, answers, strict=True) if " " not in found}


def is_shallow(repository: Repository) -> bool:
    """Return whether this clone lacks history that it knows of."""
    return answer(repository, "rev-parse", "--is-shallow-repository") == "true"


def head_commit(repository: Repository) -> tuple[str, str]:
    """Return the id of HEAD's commit and its `git describe`, both empty before the first commit."""
    oid = _resolve(repository, "HEAD", "commit")
    return (oid, answer(repository, "describe", "--tags", "--always", oid) or "") if oid else ("", "")


def identity(repository: Repository) -> str:
    """Return who git would say commits here, as `Name <mail>`, or else the name of the operating system's user."""
    if committer := answer(repository, "var", "GIT_COMMITTER_IDENT"):
        return committer.rsplit(" ", 2)[0]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, common in containers
        return f"user {os.getuid()}"


def is_zero(oid: str) -> bool:
    """Given an id, return whether it is git's way to say "nothing", of whatever length."""
    return bool(oid) and not oid.strip("0")


def unknown(name: str) -> NoReturn:
    """Raise the `UsageError` for a name that leads nowhere."""
    raise UsageError(
        "unknown-ref",
        f"{name!r} is no commit in this clone",
        "check the spelling, or get it: git fetch --all --tags   (in CI: fetch-depth: 0, on GitLab GIT_DEPTH: 0)",
    )


def no_merge_base(repository: Repository, base: str, head: str) -> NoReturn:
    """Raise the `UsageError` for two commits that have nothing in common here."""
    if is_shallow(repository):
        message = f"this clone is shallow and does not hold the commit that {base} and {head} have in common"
        fix = "git fetch --unshallow   (in CI: fetch-depth: 0, on GitLab GIT_DEPTH: 0)"
    else:
        message = f"{base} and {head} have no commit in common"
        fix = f"compare with a commit that {head} grew from   (in CI: fetch-depth: 0, on GitLab GIT_DEPTH: 0)"
    raise UsageError("no-merge-base", message, fix)


def _resolve(repository: Repository, name: str, kind: str) -> str | None:
    if not name or name.startswith("-") or "\0" in name:
        return None
    found = answer(repository, "rev-parse", "--verify", "--quiet", f"{name}^{{{kind}}}")
    base = _ENDING.split(name)[0]
    if found and not _PLAIN.fullmatch(base):
        _refuse_ambiguous(repository, base)
    return found


def _refuse_ambiguous(repository: Repository, name: str) -> None:
    """A tag can be pushed under the name of a branch, and git would take the tag."""
    places = (f"refs/{name}", f"refs/tags/{name}", f"refs/heads/{name}", f"refs/remotes/{name}")
    listed = output(repository, "for-each-ref", "--format=%(refname)", *places).decode(errors="replace").split("\n")
    there = [place for place in places if place in listed]
    short = re.fullmatch("[0-9a-f]{4,63}", name)
    whole = answer(repository, "rev-parse", f"--disambiguate={name}") if short else None
    if whole:
        there.insert(0, f"the object {name}")  # which git passes over for a ref
    if len(there) > 1:
        message = f"{name!r} names more than one thing in this clone: {', '.join(there)}"
        meant = [place for place in there if place.startswith("refs/") and not place.startswith("refs/tags/")]
        fix = f"write it in full: {whole or (meant or there)[-1]}"  # anybody who may push a tag can have it stand there
        raise UsageError("ambiguous-ref", message, fix)
