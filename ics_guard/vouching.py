"""How a person writes evidence: an attestation where the data is at hand, or a waiver that says why none is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ics_guard import evidence, git, signing, stricter
from ics_guard.errors import StoreError, UsageError
from ics_guard.evidence import Document
from ics_guard.git import Diff
from ics_guard.model import Change, Decision, Reason, Severity
from ics_guard.project import Project, utc_now
from ics_guard.signing import SignatureError
from ics_guard.trust import SIGNERS, config_value, first_commits, signing_program, trusted


def attest(
    project: Project, diffs: Sequence[Diff], *, key: str = "", until: datetime | None = None
) -> tuple[Decision, tuple[Path, ...]]:
    """Given diffs, judge it here, where the data is, and write down for each change which backup is its way back.

    Return the decision and the files: none where the gate holds, unless all that it asks for is evidence of sources
    whose data is on other machines. The evidence is good for as long as the drills that it rests on
    (`policy.redrill`), or until an earlier moment. Raise `UsageError` where nothing can be attested.
    """
    signing_key = _signing_key(project, key)
    decision = stricter.pass_or_block(project, diffs, via="attest")
    if not all(_is_for_another_place(reason) for reason in decision.reasons if reason.blocking):
        return decision, ()
    changes = [change for change in decision.changes if change.digest in decision.ways]
    if not changes and not decision.allowed:
        return decision, ()
    if not changes:
        raise UsageError(
            "nothing-to-attest",
            "there is no change here for which a backup on this machine is the way back",
            "stage the change, or name it with --range, on a machine that has the data",
        )
    here = _repository(project, diffs)
    documents = [_attestation(project, change, decision, until, here) for change in changes]
    documents = _signed(project, documents, signing_key)
    _warn_of_unknown_signer(project, diffs[-1], documents[0])
    return decision, _write(project, "attest", documents)


def _is_for_another_place(reason: Reason) -> bool:
    """Whether only a machine that has a source's data can mend this. Flaws are told of only where more is amiss."""
    return reason.code == "never-seen" or reason.code.startswith("evidence-")


def waive(
    project: Project, diffs: Sequence[Diff], *, reason: str, key: str = "", until: datetime | None = None
) -> tuple[Path, ...]:
    """Given diffs, write down that its changes may pass without a way back, and return the files.

    Signed where a key is at hand, which policy may demand. Raise `UsageError` where policy refuses waivers.
    """
    rules, name = project.environment.policy, project.environment.name
    if rules.waivers == "refuse":
        said = f"the policy of {name} accepts no waivers"
        raise UsageError("waivers-refused", said, f"make the way back itself: ics-guard backup --env {name}")
    found = stricter.changes_of(project, diffs)
    changes = [change for change in found if change.severity is not Severity.NOTICE]
    if not changes:
        raise UsageError("nothing-to-waive", "there is no schema-impacting change to waive", "stage the change first")
    now, who = utc_now(), project.operator
    here = _repository(project, diffs)
    documents = [
        evidence.waiver(change, env=name, author=who, reason=reason, at=now, until=until, repository=here)
        for change in changes
    ]
    signing_key = _signing_key(project, key) if key or rules.waivers == "signed" else _own_key(project)
    return _write(project, "waive", _signed(project, documents, signing_key) if signing_key else documents)


def _attestation(
    project: Project, change: Change, decision: Decision, until: datetime | None, repository: str
) -> Document:
    ways = decision.ways[change.digest]
    drilled = [way.record.verified_at for way in ways.values() if way.record.verified_at]
    good_until = min(drilled) + project.environment.policy.redrill
    return evidence.attestation(
        change,
        ways,
        env=project.environment.name,
        author=project.operator,
        at=utc_now(),
        until=min(until, good_until) if until else good_until,
        repository=repository,
    )


def _signed(project: Project, documents: Sequence[Document], key: str) -> list[Document]:
    payloads = [evidence.payload(evidence.encode(document)) for document in documents]
    project.progress.note(f"signing with {key.partition(' ')[0]}; a passphrase may be asked for")
    signatures = signing.sign(payloads, key, signing_program(project))
    return [replace(one, signature=text) for one, text in zip(documents, signatures, strict=True)]


def _warn_of_unknown_signer(project: Project, diff: Diff, document: Document) -> None:
    try:
        signing.signer(
            evidence.payload(evidence.encode(document)),
            document.signature,
            trusted(project, diff.target, diff.head),
        )
    except SignatureError as error:
        project.progress.note(f"where this is going nobody would believe it yet: {error.message} (see {SIGNERS})")


def _write(project: Project, event: str, documents: Sequence[Document]) -> tuple[Path, ...]:
    first = evidence.encode(documents[0])
    about = {name: first[name] for name in ("reason", "until")} if event == "waive" else {"until": first["until"]}
    signed = bool(documents[0].signature)
    try:
        project.record(
            event,
            "",
            {**about, "changes": sorted(one.change for one in documents), "signed": signed},
        )
    except StoreError as error:
        if error.code != "store-kind":
            raise
        project.progress.note(f"this is not in the ledger, which cannot be reached from here: {error.message}")
    return tuple(evidence.write(project.repository.root, document) for document in documents)


def _repository(project: Project, diffs: Sequence[Diff]) -> str:
    """What ties evidence to this repository: a commit that is in it without the change."""
    if git.is_shallow(project.repository):
        said = "evidence names the first commit of the repository, which a shallow clone does not have"
        raise UsageError("shallow-clone", said, "git fetch --unshallow")
    tip = "HEAD" if diffs[-1].target == project.repository.empty_tree else diffs[-1].target
    return next(iter(first_commits(project.repository, tip)), "")


def _signing_key(project: Project, given: str) -> str:
    key = given or _own_key(project)
    if not key:
        raise UsageError(
            "no-signing-key",
            "evidence is signed with an SSH key, as git signs commits, and git's configuration names none",
            "git config gpg.format ssh && git config user.signingkey ~/.ssh/id_ed25519.pub   (or: --key FILE), "
            f"and list it in {SIGNERS}",
        )
    return key


def _own_key(project: Project) -> str:
    """The key that git would sign commits with, "" if it is none of SSH."""
    if config_value(project, "gpg.format") != "ssh":
        return ""
    if named := config_value(project, "user.signingkey"):
        return named
    command = config_value(project, "gpg.ssh.defaultKeyCommand")
    return signing.default_key(command) if command else ""
