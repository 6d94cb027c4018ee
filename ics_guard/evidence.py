"""Evidence in commits, for places that have no database: attestations and waivers under `.ics-guard/evidence/`.

One small JSON file for each change. It names the digest of the change's normalised operation, so that it survives a
rebase, a squash and reformatting, and the environment that it is about. An attestation says which verified backup is
the way back, as a machine with the data saw it; a waiver says who accepts that there is none, and why. `signature` is
an SSH signature (see `signing`) over the canonical JSON (sorted keys, no spaces, ASCII) of all other fields.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from ics_guard.model import SCHEMA_VERSION, Change, Evidence, Reason, Way
from ics_guard.signing import SignatureError
from ics_guard.words import moment

FOLDER = ".ics-guard/evidence"
_CLOCK_SLACK = timedelta(minutes=5)
_SIGN_ANEW = "let an allowed signer write it anew: ics-guard attest"


@dataclass(frozen=True)
class Seen:
    """The way back of one source, as it was seen: a backup, the hash of its stored bytes, and its drill.

    `standing` is that of `model.Way`.
    """

    source: str
    backup: str
    standing: Literal["fresh", "before", "after"]
    sha256: str
    imaged_at: datetime
    verified_at: datetime
    drill_seconds: float


@dataclass(frozen=True)
class Document:
    """One file of evidence. `change` is the digest it is about; path, operation and object are for people."""

    schema_version: int
    kind: Literal["attestation", "waiver"]
    env: str
    change: str
    path: str
    operation: str
    object: str
    severity: str
    author: str
    at: datetime
    until: datetime | None
    reason: str = ""
    ways: tuple[Seen, ...] = ()
    signature: str = ""


def waiver(change: Change, *, env: str, author: str, reason: str, at: datetime, until: datetime | None) -> Document:
    """Given a change, return the waiver for exactly it, not signed yet."""
    about = (str(change.path), change.operation, change.object, str(change.severity))
    return Document(SCHEMA_VERSION, "waiver", env, change.digest, *about, author, at, until, reason)


def attestation(
    change: Change, ways: Mapping[str, Way], *, env: str, author: str, at: datetime, until: datetime
) -> Document:
    """Given a change and, by source, its way back, return the attestation, not signed yet."""
    about = (str(change.path), change.operation, change.object, str(change.severity))
    seen = tuple(_seen(source, way) for source, way in sorted(ways.items()))
    return Document(SCHEMA_VERSION, "attestation", env, change.digest, *about, author, at, until, "", seen)


def _seen(source: str, way: Way) -> Seen:
    backup, drilled, seconds = way.record.backup, way.record.verified_at, way.record.drill_seconds or 0.0
    if drilled is None:
        raise ValueError(f"backup {backup.id} is not verified")
    return Seen(source, backup.id, way.standing, backup.image.sha256, backup.imaged_at, drilled, seconds)


def payload(fields: Mapping[str, Any]) -> bytes:
    """Given a document's fields, return what is signed: the canonical JSON of all but the signature."""
    body = {name: value for name, value in fields.items() if name != "signature"}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


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
    """Given the top of a work tree, write the document and return the path of its file. Raise OSError."""
    path = root / file_name(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(encode(document), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def weigh(
    files: Mapping[str, bytes],
    changes: Iterable[Change],
    *,
    env: str,
    now: datetime,
    waivers: Literal["accept", "signed", "refuse"],
    signer: Callable[[bytes, str], str],
) -> Evidence:
    """Given the evidence files of a commit by path, return what they say of these changes in this environment.

    `signer` returns whose signature a payload bears, or raises `SignatureError`. Nothing raises here: a file that does
    not count says why, for every change that it seems to be meant for.
    """
    asked = {change.digest: change for change in changes}
    places: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
    for change in asked.values():
        places[change.path, change.operation, change.object].append(change)
    waived: dict[str, str] = {}
    attested: dict[str, dict[str, str]] = defaultdict(dict)
    flaws: dict[str, list[Reason]] = defaultdict(list)
    for path, raw in sorted(files.items()):
        document = _read(raw)
        if document is None:
            meant = list(asked.values())
        elif document.change in asked:
            meant = [asked[document.change]]
        else:
            meant = places.get((document.path, document.operation, document.object), [])
        if not meant:
            continue
        flaw, who = _weighed(raw, document, meant[0], env=env, now=now, waivers=waivers, signer=signer)
        if flaw or document is None:
            for change in meant:
                flaws[change.digest].append(_flaw(path, *(flaw or _UNREADABLE)))
        elif document.kind == "waiver":
            waived[document.change] = f"waived by {who}: {document.reason}{_until(document)}"
        else:
            attested[document.change].update({way.source: _in_words(way, who) for way in document.ways})
    return Evidence(waived, attested, {digest: tuple(found) for digest, found in flaws.items()})


_Flaw = tuple[str, str, str]
"""Code, what is wrong, what to do."""

_UNREADABLE: _Flaw = ("unreadable", "it cannot be read", "take it out, and write it anew: ics-guard attest")


def _read(raw: bytes) -> Document | None:
    try:
        document = msgspec.convert(json.loads(raw), Document)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None
    return document if document.schema_version == SCHEMA_VERSION else None


def _weighed(
    raw: bytes,
    document: Document | None,
    change: Change,
    *,
    env: str,
    now: datetime,
    waivers: str,
    signer: Callable[[bytes, str], str],
) -> tuple[_Flaw | None, str]:
    """Why a document does not count, None if it does; and who answers for it."""
    if document is None:
        return _UNREADABLE, ""
    if document.env != env:
        said = f"it is for the environment {document.env}, not for {env}"
        return ("other-environment", said, f"ics-guard {_verb(document)} --env {env}"), ""
    if document.change != change.digest:
        said = f"it is for another content: {document.operation} {document.object} was changed since".rstrip()
        return ("other-content", said, f"ics-guard {_verb(document)} --env {env}   (for what is there now)"), ""
    if document.until and now >= document.until:
        return (
            "expired",
            f"it was good until {moment(document.until)}",
            f"ics-guard {_verb(document)} --env {env}",
        ), ""
    if document.at > now + _CLOCK_SLACK:
        return (
            "from-the-future",
            f"it says that it was written at {moment(document.at)}: a clock is wrong",
            "date",
        ), ""
    if document.kind == "attestation" and not document.until:
        return ("no-expiry", "it never expires, which no attestation may", _SIGN_ANEW), ""
    if document.kind == "waiver" and (waivers == "refuse" or not document.reason.strip()):
        said = "policy accepts no waivers here" if waivers == "refuse" else "it gives no reason"
        return (
            "waiver-refused",
            said,
            f"ics-guard backup   (the way back itself), or ics-guard attest --env {env}",
        ), ""
    return _signed(raw, document, waivers, signer)


def _signed(
    raw: bytes, document: Document, waivers: str, signer: Callable[[bytes, str], str]
) -> tuple[_Flaw | None, str]:
    must = document.kind == "attestation" or waivers == "signed"
    if not document.signature:
        return (("unsigned", "it bears no signature", _SIGN_ANEW) if must else None), document.author
    try:
        return None, signer(payload(json.loads(raw)), document.signature)
    except SignatureError as error:
        if error.code != "forged" and not must:  # no worse than a waiver that nobody signed
            return None, document.author
        return (error.code, error.message, _FIXES.get(error.code, _SIGN_ANEW)), ""


_FIXES = {
    "unknown-signer": "add the key to .ics-guard/allowed_signers in a change of its own, reviewed and merged first",
    "unverifiable": "install OpenSSH, which brings ssh-keygen",
}


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
