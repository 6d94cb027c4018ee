"""Evidence in commits, for places that have no database: attestations and waivers under `.ics-guard/evidence/`.

One small JSON file for each change. It names the digest of the change's normalised operation, so that it survives a
rebase, a squash and reformatting, and the environment that it is about. An attestation says which verified backup is
the way back, as a machine with the data saw it; a waiver says who accepts that there is none, and why. `signature` is
an SSH signature (see `signing`) over the canonical JSON (sorted keys, no spaces, ASCII) of all other fields.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from ics_guard.config import Policy
from ics_guard.errors import UsageError
from ics_guard.model import SCHEMA_VERSION, Change, Evidence, Reason, Way
from ics_guard.signing import SignatureError
from ics_guard.words import moment

FOLDER = ".ics-guard/evidence"
_CLOCK_SLACK = timedelta(minutes=5)
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True)
class Seen:
    """The way back of one source, as it was seen: a backup, the hash of its stored bytes, and its drill.

    `standing` is that of `model.Way`.
    """

    source: str
    backup: str
    standing: Literal["fresh", "before", "after"]
    sha256: str
    imaged_at: _Moment
    verified_at: _Moment
    drill_seconds: float


@dataclass(frozen=True)
class Document:
    """One file of evidence. `change` is the digest it is about; path, operation and object are for people.

    `repository` is the id of its first commit, "" before there is one: evidence is not to be carried elsewhere.
    """

    schema_version: int
    kind: Literal["attestation", "waiver"]
    env: str
    change: str
    path: str
    operation: str
    object: str
    severity: str
    author: str
    at: _Moment
    until: _Moment | None
    reason: str = ""
    ways: tuple[Seen, ...] = ()
    repository: str = ""
    signature: str = ""


def waiver(
    change: Change,
    *,
    env: str,
    author: str,
    reason: str,
    at: datetime,
    until: datetime | None,
    repository: str,
) -> Document:
    """Given a change, return the waiver for exactly it, not signed yet."""
    about = (str(change.path), change.operation, change.object, str(change.severity))
    return Document(SCHEMA_VERSION, "waiver", env, change.digest, *about, author, at, until, reason, (), repository)


def attestation(
    change: Change,
    ways: Mapping[str, Way],
    *,
    env: str,
    author: str,
    at: datetime,
    until: datetime,
    repository: str,
) -> Document:
    """Given a change and, by source, its way back, return the attestation, not signed yet."""
    about = (str(change.path), change.operation, change.object, str(change.severity))
    seen = tuple(_seen(source, way) for source, way in sorted(ways.items()))
    return Document(SCHEMA_VERSION, "attestation", env, change.digest, *about, author, at, until, "", seen, repository)


def _seen(source: str, way: Way) -> Seen:
    backup, drilled, seconds = way.record.backup, way.record.verified_at, way.record.drill_seconds or 0.0
    if drilled is None:
        raise ValueError(f"backup {backup.id} is not verified")
    return Seen(source, backup.id, way.standing, backup.image.sha256, backup.imaged_at, drilled, seconds)


def payload(fields: Mapping[str, Any]) -> bytes:
    """Given a document's fields, return what is signed: the canonical JSON of all but the signature."""
    body = {name: value for name, value in fields.items() if name != "signature"}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def payloads(files: Iterable[bytes]) -> frozenset[bytes]:
    """Given evidence files, return what each that can be read says, in whatever way it is written down."""
    return frozenset(read[1] for raw in files if (read := _read(raw)))


def encode(document: Document) -> dict[str, Any]:
    """Given a document, return its fields as plain JSON values."""
    fields: dict[str, Any] = msgspec.to_builtins(document)
    return fields


def file_name(document: Document) -> str:
    """Given a document, return the path of its file: a digest of what it is about, so that a second one replaces it."""
    sources = [way.source for way in document.ways]
    about = json.dumps([document.kind, document.env, document.change, sources]).encode()
    return f"{FOLDER}/{hashlib.sha256(about).hexdigest()}.json"


def write(root: Path, document: Document) -> Path:
    """Given the top of a work tree, write the document and return the path of its file.

    Raise `UsageError` if that cannot be done, or if a link is on the way: a branch must not say what is overwritten.
    """
    path = root / file_name(document)
    for place in (path.parent.parent, path.parent, path):
        if place.is_symlink():
            raise UsageError("evidence-link", f"{place} is a link, and evidence goes through none", f"rm {place}")
    text = json.dumps(encode(document), indent=1, sort_keys=True) + "\n"
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("x", encoding="utf-8") as file:
                file.write(text)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        said = f"evidence cannot be written to {path}: {error.strerror}"
        raise UsageError("cannot-write", said, f"make {path.parent} a folder that you can write to") from error
    return path


def weigh(
    files: Mapping[str, bytes],
    changes: Iterable[Change],
    *,
    before: Collection[bytes],
    env: str,
    now: datetime,
    policy: Policy,
    repositories: Collection[str],
    signer: Callable[[bytes, str], str],
) -> Evidence:
    """Given the evidence files of a commit by path, return what they say of these changes in this environment.

    What a document said (`payloads`) that was there `before` answered for an earlier change, however alike.
    `repositories` are the first commits of this repository (see `Document`). `signer` returns whose signature a payload
    bears, or raises `SignatureError`. Nothing raises here: a file that does not count says why, for every change that
    it seems to be meant for.
    """
    asked = {change.digest: change for change in changes}
    places: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
    for change in asked.values():
        places[change.path, change.operation, change.object].append(change)
    waived: dict[str, str] = {}
    attested: dict[str, dict[str, str]] = defaultdict(dict)
    flaws: dict[str, list[Reason]] = defaultdict(list)
    unreadable = []
    for path, raw in sorted(files.items()):
        if (read := _read(raw)) is None:
            unreadable.append(path)
            continue
        document, signed = read
        place = (document.path, document.operation, document.object)
        meant = [asked[document.change]] if document.change in asked else places.get(place, [])
        if not meant and signed not in before:  # it came with the change, and was meant for something in it
            meant = [change for change in asked.values() if change.path == document.path]
        if not meant:
            continue
        flaw = _standing(document, asked, env=env, now=now, policy=policy, repositories=repositories)
        if not flaw and signed in before:
            said = "it was there before this change, and answered for an earlier one"
            flaw = ("used", said, f"ics-guard {_verb(document)} --env {env}   (and commit it with the change)")
        who, flaw = ("", flaw) if flaw else _signed(document, signed, env, policy.waivers, signer)
        if flaw:
            reason = _flaw(path, *flaw)
            for change in meant:
                flaws[change.digest].append(reason)
        elif document.kind == "waiver":
            waived[document.change] = f"waived by {who}: {document.reason}{_until(document)}"
        else:
            attested[document.change].update({way.source: _in_words(way, who) for way in document.ways})
    if unreadable:  # what they were meant for nobody can tell: one reason, for whatever is asked
        for digest in asked:
            flaws[digest].append(_unreadable(unreadable, env))
    return Evidence(waived, attested, {digest: tuple(found) for digest, found in flaws.items()})


_Flaw = tuple[str, str, str]
"""Code, what is wrong, what to do."""


def _read(raw: bytes) -> tuple[Document, bytes] | None:
    """A document and what its signature is of; None for what is none, however odd: a pull request may bring it."""
    try:
        fields = json.loads(raw)
        document = msgspec.convert(fields, Document)
        for at in (document.at, document.until, *(way.verified_at for way in document.ways)):
            moment(at or document.at)  # an hour that UTC does not have is none
        return (document, payload(fields)) if document.schema_version == SCHEMA_VERSION else None
    except (ValueError, OverflowError, RecursionError, msgspec.ValidationError):
        return None


def _standing(
    document: Document,
    asked: Collection[str],
    *,
    env: str,
    now: datetime,
    policy: Policy,
    repositories: Collection[str],
) -> _Flaw | None:
    """Why a document does not count, whoever signed it; None if it may."""
    anew = f"ics-guard {_verb(document)} --env {env}"
    if document.env != env:
        return "other-environment", f"it is for the environment {document.env}, not for {env}", anew
    if document.change not in asked:
        said = f"it is for another content: {document.operation} {document.object} was changed since".rstrip()
        return "other-content", said, f"{anew}   (for what is there now)"
    if document.repository not in repositories:
        fix = anew if repositories else "git fetch --unshallow   (in CI: fetch-depth: 0, on GitLab GIT_DEPTH: 0)"
        said = (
            "it is for another repository" if repositories else "which repository this is a shallow clone cannot tell"
        )
        return "other-repository", said, fix
    if drilled := [way.verified_at for way in document.ways if now - way.verified_at >= policy.redrill]:
        return (
            "expired",
            f"the drill that it rests on is of {moment(min(drilled))}, too long ago by policy.redrill",
            anew,
        )
    if document.until and now >= document.until:
        return "expired", f"it was good until {moment(document.until)}", anew
    if document.at > now + _CLOCK_SLACK:
        return "from-the-future", f"it says that it was written at {moment(document.at)}: a clock is wrong", "date"
    if document.kind == "attestation" and not document.until:
        return "no-expiry", "it never expires, which no attestation may", anew
    if document.kind == "waiver" and (policy.waivers == "refuse" or not document.reason.strip()):
        said = "policy accepts no waivers here" if policy.waivers == "refuse" else "it gives no reason"
        fix = f"ics-guard backup --env {env}   (the way back itself), or ics-guard attest --env {env}"
        return "waiver-refused", said, fix
    return None


def _signed(
    document: Document, signed: bytes, env: str, waivers: str, signer: Callable[[bytes, str], str]
) -> tuple[str, _Flaw | None]:
    """Who answers for a document, and why that does not count, None if it does."""
    anew = f"let an allowed signer write it anew: ics-guard {_verb(document)} --env {env}"
    if not document.signature:
        must = document.kind == "attestation" or waivers == "signed"
        return f"{document.author} (unsigned)", ("unsigned", "it bears no signature", anew) if must else None
    try:
        return signer(signed, document.signature), None
    except SignatureError as error:
        return "", (error.code, error.message, _FIXES.get(error.code, anew))


_FIXES = {
    "unknown-signer": "add the key to .ics-guard/allowed_signers in a change of its own, reviewed and merged first",
    "unverifiable": "ssh-keygen -Y check-novalidate   (of OpenSSH 8.2 or newer; it must be here and answer)",
}


def _unreadable(paths: list[str], env: str) -> Reason:
    some = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    fix = f"take it out, and write it anew: ics-guard attest --env {env}"
    return _flaw(some, "unreadable", "it cannot be read" if len(paths) == 1 else "they cannot be read", fix)


def _flaw(path: str, code: str, said: str, fix: str) -> Reason:
    return Reason(f"evidence-{code}", "", f"{path} does not count: {said}", fix)


def _verb(document: Document) -> str:
    return "attest" if document.kind == "attestation" else 'waive --reason "…"'


def _until(document: Document) -> str:
    return f" (until {moment(document.until)})" if document.until else ""


def _in_words(way: Seen, who: str) -> str:
    when = f"imaged {moment(way.imaged_at)}, drilled {moment(way.verified_at)}"
    late = ", though it was applied before and nothing from before exists" if way.standing == "after" else ""
    return f"{way.backup} ({when}), attested by {who}{late}"
