"""SSH signatures as git makes them (`ssh-keygen -Y`): sign what a person vouches for, and tell offline who signed it.

The format is OpenSSH's PROTOCOL.sshsig. The namespace keeps a signature made for a git commit from being passed off as
one of ours, and the reverse.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ics_guard.errors import UsageError

NAMESPACE = "ics-guard"
PROGRAM = "ssh-keygen"
_ANSWERS_WITHIN = 20  # seconds
_PERSON_ANSWERS_WITHIN = 300  # a passphrase, or a touch
_LITERAL = ("key::", "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")


class SignatureError(Exception):
    """A signature that does not count. `code` says why: forged, unknown-signer, not-allowed or unverifiable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: the text of an allowed signers file, and of a file of revoked keys, if there is one.

    `lacking` says what could not be read of them, "" if nothing; without the revoked keys (`revocable`) none counts.
    """

    signers: bytes = b""
    revoked: bytes | None = None
    program: str = PROGRAM
    lacking: str = ""
    revocable: bool = True


def sign(payloads: Sequence[bytes], key: str, program: str = PROGRAM) -> list[str]:
    """Given texts and a key as `user.signingkey` names it (a file, or a public key that an agent holds), sign each.

    Raise `UsageError` with ssh-keygen's own words if it cannot be done.
    """
    with tempfile.TemporaryDirectory(prefix="ics-guard-") as folder:
        held = Path(folder) / "key.pub"
        literal = key.startswith(_LITERAL)
        if literal:
            held.write_text(key.removeprefix("key::") + "\n")
        named = str(held if literal else Path(key).expanduser())
        files = [Path(folder) / f"{number}" for number in range(len(payloads))]
        for file, payload in zip(files, payloads, strict=True):
            file.write_bytes(payload)
        command = [program, "-Y", "sign", "-n", NAMESPACE, "-f", named, *(["-U"] if literal else [])]
        # ssh-keygen takes many files and asks for a passphrase once; what others put in its place may take one
        for some in [files] if program == PROGRAM else [[file] for file in files]:
            try:
                done = _run([*command, *map(str, some)], seconds=_PERSON_ANSWERS_WITHIN)
            except SignatureError as error:
                raise UsageError(
                    "cannot-sign", error.message, "name another key with --key, or sign on another machine"
                ) from error
            if done.returncode:
                said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
                raise UsageError(
                    "cannot-sign",
                    f"{program} cannot sign with {key.partition(' ')[0]}: {said[-1]}",
                    "check the key: ssh-keygen -y -f KEY; or name another with --key",
                )
        return [file.with_name(f"{file.name}.sig").read_text() for file in files]


def default_key(command: str) -> str:
    """Given `gpg.ssh.defaultKeyCommand` (`ssh-add -L`, say), return the first public key it prints, or ""."""
    try:
        lines = _run(shlex.split(command)).stdout.decode(errors="replace").splitlines()
    except (SignatureError, ValueError):
        return ""
    return next((line for line in lines if line.startswith(_LITERAL)), "")


def signer(payload: bytes, signature: str, trust: Trust) -> str:
    """Given a text and its signature, return whose it is. Raise `SignatureError` if it does not count."""
    if not trust.revocable:
        raise SignatureError("unverifiable", trust.lacking)
    with tempfile.TemporaryDirectory(prefix="ics-guard-") as folder:
        signed, allowed, revoked = (Path(folder) / name for name in ("signature", "allowed_signers", "revoked"))
        signed.write_bytes(signature.encode(errors="surrogatepass"))
        allowed.write_bytes(trust.signers)
        revoked.write_bytes(trust.revoked or b"")
        verify = [trust.program, "-Y"]
        named = ["-n", NAMESPACE, "-s", str(signed)]
        good = _run([*verify, "check-novalidate", *named], payload)
        if good.returncode:
            raise SignatureError("forged", "its signature is not of this content")
        key = next(iter(re.findall(rb"SHA256:[A-Za-z0-9+/]+", good.stdout + good.stderr)), b"").decode()
        found = _run([*verify, "find-principals", "-f", str(allowed), "-s", str(signed)])
        told = found.stdout.decode(errors="replace").splitlines() if not found.returncode else []
        # ssh-keygen tells of the first line that is good now; the key may stand in others, for other namespaces
        principals = list(dict.fromkeys((*told, *_principals(trust.signers, key))))
        if not principals:
            lacking = f" ({trust.lacking})" if trust.lacking else ""
            raise SignatureError("unknown-signer", f"{_key_of(found, key)} is no allowed signer{lacking}")
        for principal in principals:
            asked = ["verify", "-f", str(allowed), "-I", principal, *named]
            if not _run([*verify, *asked, *(["-r", str(revoked)] if trust.revoked else [])], payload).returncode:
                return f"{principal} ({key})" if set("*?") & set(principal) else principal
        said = f"the key of {principals[0]} is revoked, expired, or not allowed for the namespace {NAMESPACE}"
        raise SignatureError("not-allowed", said)


def _principals(signers: bytes, fingerprint: str) -> Iterator[str]:
    """Whom an allowed signers file names beside a key, whether or not that line is good now."""
    for line in signers.decode(errors="replace").splitlines():
        words = line.split()
        if fingerprint and not line.startswith("#") and any(_fingerprint(word) == fingerprint for word in words):
            first = line.split('"')[1] if line.startswith('"') else words[0]
            yield from (name for name in first.split(",") if name and not name.startswith("!"))


def _fingerprint(word: str) -> str:
    """Of a public key as files hold it; "" for any other word."""
    try:
        key = base64.b64decode(word, validate=True)
    except ValueError:
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _key_of(found: subprocess.CompletedProcess[bytes], fingerprint: str) -> str:
    """What ssh-keygen says about a broken allowed signers file is worth telling."""
    said = found.stderr.decode(errors="replace").strip().splitlines()
    key = f"the key that signed it, {fingerprint}," if fingerprint else "the key that signed it"
    return f"{key} ({said[-1]})" if said else key


def _run(command: list[str], stdin: bytes = b"", *, seconds: float = 0) -> subprocess.CompletedProcess[bytes]:
    seconds = seconds or _ANSWERS_WITHIN
    try:
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise SignatureError("unverifiable", f"{command[0]} did not answer within {seconds:g} seconds") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in what a file names
        said = f"{command[0]} cannot be run: {getattr(error, 'strerror', error)}"
        raise SignatureError("unverifiable", f"{said}; install OpenSSH (8.2 or newer)") from error
