"""SSH signatures as git makes them (`ssh-keygen -Y`): sign what a person vouches for, and tell offline who signed it.

The format is OpenSSH's PROTOCOL.sshsig. The namespace keeps a signature made for a git commit from being passed off as
one of ours, and the reverse.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ics_guard.errors import UsageError

NAMESPACE = "ics-guard"
PROGRAM = "ssh-keygen"
_LITERAL = ("key::", "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")


class SignatureError(Exception):
    """A signature that does not count. `code` says why: forged, unknown-signer, not-allowed or unverifiable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: the text of an allowed signers file, and a file of revoked keys, if there is one."""

    signers: bytes = b""
    revoked: str = ""
    program: str = PROGRAM


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
                done = _run([*command, *map(str, some)])
            except SignatureError as error:
                raise UsageError("cannot-sign", error.message, "install OpenSSH, or sign on another machine") from error
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
    with tempfile.TemporaryDirectory(prefix="ics-guard-") as folder:
        signed, allowed = Path(folder) / "signature", Path(folder) / "allowed_signers"
        signed.write_bytes(signature.encode(errors="surrogatepass"))
        allowed.write_bytes(trust.signers)
        verify = [trust.program, "-Y"]
        named = ["-n", NAMESPACE, "-s", str(signed)]
        if _run([*verify, "check-novalidate", *named], payload).returncode:
            raise SignatureError("forged", "its signature is not of this content")
        found = _run([*verify, "find-principals", "-f", str(allowed), "-s", str(signed)])
        principals = found.stdout.decode(errors="replace").splitlines() if not found.returncode else []
        if not principals:
            raise SignatureError("unknown-signer", f"{_key_of(found)} is no allowed signer")
        revoked = ["-r", trust.revoked] if trust.revoked else []
        for principal in principals:
            asked = ["verify", "-f", str(allowed), "-I", principal, *named, *revoked]
            if not _run([*verify, *asked], payload).returncode:
                return principal
        said = f"the key of {principals[0]} is revoked, expired, or not allowed for the namespace {NAMESPACE}"
        raise SignatureError("not-allowed", said)


def _key_of(found: subprocess.CompletedProcess[bytes]) -> str:
    """ssh-keygen does not say which key it was; what it says about a broken allowed signers file is worth telling."""
    said = found.stderr.decode(errors="replace").strip().splitlines()
    return f"the key that signed it ({said[-1]})" if said else "the key that signed it"


def _run(command: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, input=stdin, capture_output=True, check=False)
    except OSError as error:
        said = f"{command[0]} cannot be run: {error.strerror}"
        raise SignatureError("unverifiable", f"{said}; install OpenSSH (8.2 or newer)") from error
