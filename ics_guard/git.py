"""Every git call outside the hot path: the repository, its diffs and its blobs, as bytes and through plumbing.

GitPython finds the repository and reads its configuration; diffs are git's own plumbing, since GitPython loses whole
diffs over one file name that is no UTF-8 and cannot read SHA-256 repositories.
"""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ics_guard.errors import UsageError

_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-c", "core.hooksPath=/dev/null")
_DIFF = ("--raw", "-z", "--no-abbrev", "-M", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
_FILE_MODES = {b"100644", b"100755"}


@dataclass(frozen=True)
class Repository:
    """A work tree and where its git directories are; `main_worktree` is where linked work trees look for data."""

    root: Path
    git_dir: Path
    common_dir: Path
    main_worktree: Path


@dataclass(frozen=True)
class FileChange:
    """One file of a diff: git's status letter, path, and the blobs before and after (None where there is none).

    Only regular files have blobs: a symbolic link or a submodule counts as absent on its side.
    """

    status: str
    path: str
    previous_path: str | None
    before: str | None
    after: str | None


def open_repository(start: Path) -> Repository:
    """Given a folder, return the repository around it. Raise `UsageError` where there is none, or a bare one."""
    done = _run(
        start, "rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir", check=False
    )
    lines = [os.fsdecode(line) for line in done.stdout.split(b"\n")]
    if done.returncode or len(lines) < 3:
        raise UsageError(
            "no-repository", f"{start} is in no git work tree", "run it inside a repository, or `git init`"
        )
    root, git_dir, common_dir = (Path(line) for line in lines[:3])
    first = _run(root, "worktree", "list", "--porcelain", "-z").stdout.split(b"\0", 1)[0]
    main = Path(os.fsdecode(first.removeprefix(b"worktree ")))
    if git_dir == common_dir:  # a submodule's first entry is its git directory
        main = root
    return Repository(root, git_dir, common_dir, main)


def staged(repository: Repository) -> list[FileChange]:
    """Return what the next commit changes: the index (`GIT_INDEX_FILE` honoured) against HEAD or the empty tree."""
    tree = "HEAD" if exists(repository, "HEAD") else empty_tree(repository)
    return _parse(_run(repository.root, "diff-index", "--cached", *_DIFF, tree, "--").stdout)


def difference(repository: Repository, old: str, new: str) -> list[FileChange]:
    """Given two commits or trees, return what differs between them. Raise `UsageError` for one that is unknown."""
    trees = [_resolve(repository, name, "tree") for name in (old, new)]
    return _parse(_run(repository.root, "diff-tree", "-r", *_DIFF, *trees, "--").stdout)


def between(repository: Repository, base: str, head: str) -> list[FileChange]:
    """Given two commits, return what `head` changes since its merge base with `base`; `base` may be the empty tree.

    Raise `UsageError` where there is no merge base: in a shallow clone, or between unrelated histories.
    """
    if base == empty_tree(repository):
        return difference(repository, base, head)
    found = _run(repository.root, "merge-base", base, head, check=False).stdout.strip().decode()
    if not found:
        shallow = _run(repository.root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        why = "this clone is shallow" if shallow else "their histories are unrelated"
        fix = "git fetch --unshallow   (in CI: fetch-depth: 0)" if shallow else "name a base that both descend from"
        raise UsageError("no-merge-base", f"{base[:12]} and {head[:12]} have no merge base here: {why}", fix)
    return difference(repository, found, head)


def everything(repository: Repository) -> list[FileChange]:
    """Return every tracked file as if it were new."""
    return _parse(_run(repository.root, "diff-index", "--cached", *_DIFF, empty_tree(repository), "--").stdout)


def commit_range(repository: Repository, span: str) -> tuple[str, str]:
    """Given `A..B` or `A...B` (a missing side is HEAD), return the two commits. Raise `UsageError` if unknown."""
    old, dots, new = span.partition("...") if "..." in span else span.partition("..")
    if not dots:
        raise UsageError("bad-range", f"{span!r} is no range", "write it like main..HEAD")
    base = old if old == empty_tree(repository) else _resolve(repository, old or "HEAD", "commit")
    return base, _resolve(repository, new or "HEAD", "commit")


def read_blobs(repository: Repository, oids: Collection[str]) -> dict[str, bytes]:
    """Given blob ids, return their contents, all through one process. Raise `UsageError` for one that is missing."""
    if not oids:
        return {}
    wanted = sorted(oids)
    raw = _run(repository.root, "cat-file", "--batch", stdin="\n".join(wanted).encode() + b"\n").stdout
    blobs: dict[str, bytes] = {}
    position = 0
    for oid in wanted:
        end = raw.index(b"\n", position)
        header = raw[position:end].split()
        if len(header) != 3:
            raise UsageError("missing-object", f"git object {oid} is not in this clone", "git fetch --refetch")
        size = int(header[2])
        blobs[oid] = raw[end + 1 : end + 1 + size]
        position = end + 2 + size
    return blobs


def read_folder(repository: Repository, folder: str, tree: str | None) -> list[bytes]:
    """Given a folder, return its files' contents in a commit, or in the index for None."""
    if tree is None:
        listed = _run(repository.root, "ls-files", "-s", "-z", "--", f":(top,literal){folder}").stdout
        oids = [line.split()[1].decode() for line in listed.split(b"\0") if line]
    else:
        listed = _run(repository.root, "ls-tree", "-r", "-z", "--full-tree", tree, "--", f"{folder}/").stdout
        oids = [line.split()[2].decode() for line in listed.split(b"\0") if line]
    return list(read_blobs(repository, set(oids)).values())


def pushes(repository: Repository, stdin: bytes, remote: str) -> list[tuple[str, str]]:
    """Given what git tells a pre-push hook, return base and head of each push that adds commits.

    Deletions add nothing. A new ref is compared with what the remote is known to have, and so is one whose remote
    commit this clone lacks (a force push); with the empty tree where nothing is known. Tags are peeled.
    """
    ranges = []
    for line in stdin.splitlines():
        fields = os.fsdecode(line).rsplit(" ", 3)
        if len(fields) != 4:
            raise UsageError("bad-push", f"git said something unexpected to pre-push: {line!r}", "please report it")
        _, local, _, theirs = fields
        if set(local) == {"0"}:
            continue
        kind = _run(repository.root, "cat-file", "-t", f"{local}^{{}}", check=False).stdout.strip()
        if kind != b"commit":  # a tag of a blob or tree carries no history
            continue
        head = _resolve(repository, local, "commit")
        known = set(theirs) != {"0"} and exists(repository, theirs)
        ranges.append(
            (_resolve(repository, theirs, "commit") if known else _known_base(repository, head, remote), head)
        )
    return list(dict.fromkeys(ranges))


def framework_stage(environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Given the variables that the pre-commit framework sets, return the git hook it stands for and its arguments."""
    if environ.get("PRE_COMMIT_CHECKOUT_TYPE") is not None:
        arguments = [environ.get(f"PRE_COMMIT_{name}", "") for name in ("FROM_REF", "TO_REF", "CHECKOUT_TYPE")]
        return "post-checkout", arguments
    if environ.get("PRE_COMMIT_REWRITE_COMMAND"):
        return "post-rewrite", [environ["PRE_COMMIT_REWRITE_COMMAND"]]
    if environ.get("PRE_COMMIT_IS_SQUASH_MERGE") is not None:
        return "post-merge", [environ["PRE_COMMIT_IS_SQUASH_MERGE"]]
    if environ.get("PRE_COMMIT_REMOTE_NAME"):
        return "pre-push", [environ["PRE_COMMIT_REMOTE_NAME"], environ.get("PRE_COMMIT_REMOTE_URL", "")]
    return "pre-commit", []


def framework_pushes(repository: Repository, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Given the framework's variables at pre-push, return the ranges to look at.

    The framework tells of the first pushed ref only, so every local branch and tag is compared with what the remote
    is known to have: what is judged is at least what is pushed.
    """
    remote = environ.get("PRE_COMMIT_REMOTE_NAME", "")
    ranges = []
    old, new = environ.get("PRE_COMMIT_FROM_REF", ""), environ.get("PRE_COMMIT_TO_REF", "")
    if new and exists(repository, new):
        head = _resolve(repository, new, "commit")
        known = old and set(old) != {"0"} and exists(repository, old)
        ranges.append((_resolve(repository, old, "commit") if known else _known_base(repository, head, remote), head))
    listed = _run(repository.root, "for-each-ref", "--format=%(objectname)", "refs/heads", "refs/tags").stdout
    for oid in dict.fromkeys(listed.decode().split()):
        if exists(repository, f"{oid}^{{commit}}"):
            head = _resolve(repository, oid, "commit")
            if _lacking(repository, head, remote):
                ranges.append((_known_base(repository, head, remote), head))
    return list(dict.fromkeys(ranges))


def exists(repository: Repository, name: str) -> bool:
    """Given a revision, return whether this clone has it."""
    done = _run(repository.root, "rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{object}}", check=False)
    return done.returncode == 0


def empty_tree(repository: Repository) -> str:
    """Return the id of the empty tree, which differs between SHA-1 and SHA-256 repositories."""
    return _empty_tree(repository.root)


def head_commit(repository: Repository) -> tuple[str, str]:
    """Return the commit checked out and its `git describe`, both empty before the first commit."""
    if not exists(repository, "HEAD"):
        return "", ""
    described = _run(repository.root, "describe", "--always", "--dirty", "--tags", check=False).stdout
    return _resolve(repository, "HEAD", "commit"), described.strip().decode(errors="replace")


def identity(repository: Repository) -> str:
    """Return who is at work, as git knows them (`Name <mail>`), or the name of the operating system's user."""
    import git  # noqa: PLC0415 - GitPython takes an eighth of a second to import

    with git.Repo(repository.root) as found, found.config_reader() as settings:
        name = os.environ.get("GIT_AUTHOR_NAME") or str(settings.get_value("user", "name", ""))
        mail = os.environ.get("GIT_AUTHOR_EMAIL") or str(settings.get_value("user", "email", ""))
    return f"{name} <{mail}>" if name and mail else name or getpass.getuser()


def is_tracked(repository: Repository, path: Path) -> bool:
    """Given a file, return whether git tracks it (or what it is a link to) in this work tree."""
    for candidate in {path.absolute(), path.resolve()}:
        if candidate.is_relative_to(repository.root):
            listed = _run(
                repository.root, "ls-files", "-z", "--", f":(top,literal){candidate.relative_to(repository.root)}"
            )
            if listed.stdout:
                return True
    return False


def tracked_files(repository: Repository) -> list[str]:
    """Return the paths of every file in the index."""
    return [os.fsdecode(path) for path in _run(repository.root, "ls-files", "-z").stdout.split(b"\0") if path]


def _known_base(repository: Repository, head: str, remote: str) -> str:
    """The newest commit of `head`'s history that some ref of the remote has, or the empty tree."""
    if not remote or not _run(repository.root, "for-each-ref", f"refs/remotes/{remote}/").stdout:
        return empty_tree(repository)
    lacking = _lacking(repository, head, remote)
    if not lacking:
        return head
    edge = _run(repository.root, "rev-list", "--boundary", head, "--not", f"--remotes={remote}").stdout.decode()
    boundary = [line[1:] for line in edge.split() if line.startswith("-")]
    return boundary[0] if boundary else empty_tree(repository)


def _lacking(repository: Repository, head: str, remote: str) -> bool:
    listed = _run(repository.root, "rev-list", "-n1", head, "--not", f"--remotes={remote}" if remote else "--remotes")
    return bool(listed.stdout.strip())


def _resolve(repository: Repository, name: str, kind: str) -> str:
    done = _run(repository.root, "rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{{kind}}}", check=False)
    if done.returncode:
        raise UsageError(
            "unknown-revision",
            f"{name!r} is no {kind} that this clone has",
            "fetch it (git fetch --all; in CI: fetch-depth: 0), or correct its name",
        )
    return done.stdout.strip().decode()


def _parse(raw: bytes) -> list[FileChange]:
    """Read `--raw -z`: `:mode mode oid oid status\\0path\\0[path\\0]` (git-diff(1), raw output format)."""
    fields = iter(raw.split(b"\0"))
    changes = []
    for meta in fields:
        if not meta:
            continue
        old_mode, new_mode, old, new, status = meta[1:].split(b" ")
        letter = status[:1].decode()
        path = os.fsdecode(next(fields))
        previous = path if letter in "RC" else None
        if previous is not None:
            path = os.fsdecode(next(fields))
        before = old.decode() if old_mode in _FILE_MODES else None
        after = new.decode() if new_mode in _FILE_MODES else None
        if letter == "C":
            previous, before = None, None
        if before or after:
            changes.append(FileChange(letter, path, previous, before, after))
    return changes


@lru_cache(maxsize=8)
def _empty_tree(root: Path) -> str:
    return _run(root, "hash-object", "-t", "tree", "--stdin", stdin=b"").stdout.strip().decode()


def _run(
    folder: Path, *arguments: str, stdin: bytes | None = None, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        ["git", *_SAFE, *arguments],
        cwd=folder,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if check and done.returncode:
        said = os.fsdecode(done.stderr).strip()
        raise UsageError(
            "git-failed", f"git {arguments[0]} failed: {said}", "mend the repository (git fsck), try again"
        )
    return done
