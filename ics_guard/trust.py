"""What the evidence in a commit is worth: whose signatures count is read where the change cannot have written it."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from pathlib import Path

from ics_guard import evidence, git, signing
from ics_guard.git import Diff, Repository, TreeFiles
from ics_guard.model import Change, Evidence, Reason
from ics_guard.project import Project, utc_now
from ics_guard.signing import Trust

SIGNERS = ".ics-guard/allowed_signers"
"""The allowed signers of a repository, in the format of ssh-keygen(1)."""
_LINKS = 40  # more of them are a circle


def evidence_for(project: Project, diffs: Collection[Diff], changes: Collection[Change]) -> Evidence:
    """Given diffs and what they change, return what the evidence at their heads says of these changes."""
    waived: dict[str, str] = {}
    attested: dict[str, dict[str, str]] = {}
    flaws: dict[str, dict[Reason, None]] = {}
    ends = dict.fromkeys((diff.base, diff.target, diff.head) for diff in diffs) if changes else {}
    folders = git.read_folder(project.repository, evidence.FOLDER, [head for _, _, head in ends])
    for parted, base, head in ends:
        files = folders[head]
        if not files:
            continue
        trust, nothing = trusted(project, base, head), base == project.repository.empty_tree
        first = first_commits(project.repository, (head or "HEAD") if nothing else base)
        found = evidence.weigh(
            files,
            changes,
            before=_ever_before(project.repository, parted),
            env=project.environment.name,
            now=utc_now(),
            policy=project.environment.policy,
            repositories=(*first, "") if nothing else first,
            signer=partial(signing.signer, trust=trust),
        )
        waived |= found.waived
        for digest, ways in found.attested.items():
            attested.setdefault(digest, {}).update(ways)
        for digest, reasons in found.flaws.items():
            flaws.setdefault(digest, {}).update(dict.fromkeys(reasons))
    return Evidence(waived, attested, {digest: tuple(reasons) for digest, reasons in flaws.items()})


def _ever_before(repository: Repository, tip: str) -> frozenset[bytes]:
    """What evidence the history of a commit has ever held: that it was taken out makes none of it new."""
    if not git.exists(repository, f"{tip}^{{commit}}"):
        return frozenset()
    listed = git.output(repository, "rev-list", "--objects", "--full-history", tip, "--", evidence.FOLDER).split(b"\n")
    named = (line.partition(b" ") for line in listed)
    oids = [oid.decode() for oid, _, name in named if name.startswith(evidence.FOLDER.encode() + b"/")]
    return evidence.payloads(git.read_blobs(repository, oids).values())


def first_commits(repository: Repository, tip: str) -> tuple[str, ...]:
    """Return the ids of the commits that the history of `tip` begins with, sorted: they tell repositories apart.

    There are none before the first commit, and of a bare tree; in a shallow clone nobody can tell, so none there, too.
    """
    if git.is_shallow(repository) or not git.exists(repository, f"{tip}^{{commit}}"):
        return ()
    return tuple(sorted(git.output(repository, "rev-list", "--max-parents=0", tip).decode().split()))


def trusted(project: Project, base: str, head: str | None) -> Trust:
    """Given the trees of a diff, return whose signatures count: whom base trusts.

    Before there is any base, in a repository that holds nothing but `head`, it is whom head trusts. The files that
    git's own `gpg.ssh.allowedSignersFile` and `gpg.ssh.revocationFile` name count too; one that is in the repository
    is read at base as well, for a change must not bring its own judges.
    """
    repository = project.repository
    tree, lacking = base, ""
    if base == repository.empty_tree:
        if _is_all_there_is(repository, head):
            tree = head or ""
        else:
            lacking = "there is no base to read the signers from"
    files = TreeFiles(repository, tree or None)
    texts = [files.read(SIGNERS) or b""]
    named = config_value(project, "gpg.ssh.allowedSignersFile", path=True)
    if named and _inside(repository.root, named) != SIGNERS:
        texts.append(_configured(files, named) or b"")
    revoked, revocable = None, True
    if name := config_value(project, "gpg.ssh.revocationFile", path=True):
        revoked = _configured(files, name)
        revocable = revoked is not None
        lacking = lacking if revocable else f"the revoked keys cannot be read: {name} (gpg.ssh.revocationFile)"
    return Trust(b"\n".join(texts), revoked, signing_program(project), lacking, revocable)


def lists_of_keys(project: Project) -> tuple[tuple[str, ...], str]:
    """Return the files of the repository that say whose signatures count, and that of the revoked keys, "" for none."""
    named = (config_value(project, f"gpg.ssh.{kind}File", path=True) for kind in ("allowedSigners", "revocation"))
    allowed, revoked = ((_inside(project.repository.root, name) or "") if name else "" for name in named)
    return tuple(dict.fromkeys(filter(None, (SIGNERS, allowed)))), revoked


def signing_program(project: Project) -> str:
    """Return the program that git itself would sign with and ask about signatures."""
    return config_value(project, "gpg.ssh.program", path=True) or signing.PROGRAM


def _is_all_there_is(repository: Repository, head: str | None) -> bool:
    """Whether a repository has no history but that of `head`, and never met another one: the first commits of all."""
    if git.output(repository, "for-each-ref", "--count=1", "refs/remotes/"):
        return False
    tip = [head] if head else []
    return not git.output(repository, "rev-list", "-n1", "--all", *(["--not", *tip] if tip else []))


def _configured(files: TreeFiles, named: str) -> bytes | None:
    """What is in a file that git's configuration names: at the tree if it is in the repository (b"" for nothing)."""
    relative = _inside(files.root, named)
    if relative is not None:
        return files.read(relative) or b""
    try:
        return (files.root / named).read_bytes()
    except OSError:
        return None


def _inside(root: Path, named: str) -> str | None:
    """The path below the root that a name leads to, as it is written from there on; None if it leads elsewhere.

    Links are followed on the way to the root alone: below it a change may have put them.
    """
    top, path = root.resolve(), os.path.normpath(root / named)
    for _ in range(_LINKS):
        place, parts = Path("/"), Path(path).parts[1:]
        for number, part in enumerate(parts):
            place /= part
            if place == top:
                return "/".join(parts[number + 1 :])
            if place.is_symlink():
                path = os.path.normpath(place.parent / place.readlink() / Path(*parts[number + 1 :]))
                break
        else:
            return None
    return None


def config_value(project: Project, name: str, *, path: bool = False) -> str:
    """Given a name, return what git's configuration says of it, "" for nothing; as a path with `~` replaced."""
    typed = ["--type=path"] if path else []
    return git.answer(project.repository, "config", *typed, "--get", name) or ""
