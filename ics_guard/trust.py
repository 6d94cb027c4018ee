"""What the evidence in a commit is worth: whose signatures count is read where the change cannot have written it."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

from ics_guard import evidence, git, signing
from ics_guard.git import Diff, TreeFiles
from ics_guard.model import Change, Evidence, Reason
from ics_guard.project import Project, utc_now
from ics_guard.signing import Trust

SIGNERS = ".ics-guard/allowed_signers"
"""The allowed signers of a repository, in the format of ssh-keygen(1)."""


def evidence_for(project: Project, diffs: Collection[Diff], changes: Collection[Change]) -> Evidence:
    """Given diffs and what they change, return what the evidence at their heads says of these changes."""
    waived: dict[str, str] = {}
    attested: dict[str, dict[str, str]] = {}
    flaws: dict[str, dict[Reason, None]] = {}
    ends = dict.fromkeys((diff.base, diff.head) for diff in diffs) if changes else {}
    folders = git.read_folder(project.repository, evidence.FOLDER, [head for _, head in ends])
    for base, head in ends:
        files = folders[head]
        if not files:
            continue
        trust = trusted(project, base, head)
        found = evidence.weigh(
            files,
            changes,
            env=project.environment.name,
            now=utc_now(),
            waivers=project.environment.policy.waivers,
            signer=partial(signing.signer, trust=trust),
        )
        waived |= found.waived
        for digest, ways in found.attested.items():
            attested.setdefault(digest, {}).update(ways)
        for digest, reasons in found.flaws.items():
            flaws.setdefault(digest, {}).update(dict.fromkeys(reasons))
    return Evidence(waived, attested, {digest: tuple(reasons) for digest, reasons in flaws.items()})


def trusted(project: Project, base: str, head: str | None) -> Trust:
    """Given the trees of a diff, return whose signatures count: whom base trusts, or head where nothing was.

    A file that git's own `gpg.ssh.allowedSignersFile` names counts too; one that is in the repository is read at base
    as well, for a change must not bring its own judges.
    """
    repository = project.repository
    tree = head if base == repository.empty_tree else base
    files = TreeFiles(repository, tree)
    texts = [files.read(SIGNERS) or b""]
    named = config_value(project, "gpg.ssh.allowedSignersFile", path=True)
    if named:
        path = (repository.root / named).resolve()
        inside = path.is_relative_to(repository.root.resolve())
        relative = path.relative_to(repository.root.resolve()).as_posix() if inside else ""
        if inside and relative != SIGNERS and git.is_tracked(repository, path):
            texts.append(files.read(relative) or b"")
        elif not inside and path.is_file():
            texts.append(path.read_bytes())
    revoked = config_value(project, "gpg.ssh.revocationFile", path=True)
    program = config_value(project, "gpg.ssh.program", path=True) or signing.PROGRAM
    return Trust(b"\n".join(texts), str(Path(repository.root, revoked)) if revoked else "", program)


def config_value(project: Project, name: str, *, path: bool = False) -> str:
    """Given a name, return what git's configuration says of it, "" for nothing; as a path with `~` replaced."""
    typed = ["--type=path"] if path else []
    return git.answer(project.repository, "config", *typed, "--get", name) or ""
