"""Changes of the gate itself: where a diff makes ics-guard.toml ask for less, or lets somebody new sign evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ics_guard import config
from ics_guard.detect.rules import RULES
from ics_guard.git import TreeFiles
from ics_guard.model import Change, Kind
from ics_guard.policy import MOVED
from ics_guard.trust import lists_of_keys
from ics_guard.views import View

_SEVERITIES = {name: rule.severity for name, rule in RULES.items()}


def about_the_gate(view: View) -> tuple[Change, ...]:
    """Given diffs that share their configurations, return in what they ask for less than where they come from.

    Nothing where there was no configuration before: to begin with the gate is no loosening of it.
    """
    repository, diff = view.now.repository, view.diffs[0]
    before, after = TreeFiles(repository, diff.base), TreeFiles(repository, diff.head)
    if before.read(config.NAME) is None:
        return ()
    signers, revoked = lists_of_keys(view.now)
    new = (change for path in signers for change in _new_signers(path, before, after))
    return (*_loosened(view, after), *new, *_revocations(revoked, before, after))


def _loosened(view: View, after: TreeFiles) -> Iterator[Change]:
    text = after.read(config.NAME)
    if view.unreadable:
        yield _asking_less("config.loosened", config.NAME, f"what it asked before cannot be read: {view.unreadable}")
    if text is None:
        yield _asking_less("config.loosened", config.NAME, "the file is gone")
    elif view.base and view.base.config != view.head.config:
        for found in config.loosenings(view.base.config, view.head.config, _SEVERITIES):
            line = config.line_of(text.decode("utf-8-sig", "replace"), found.key)
            meaning = f"{found.said}\n{found.meaning}"
            rule = MOVED if found.key[-1] in ("path", "store") else "config.loosened"
            yield _asking_less(rule, ".".join(found.key), found.said, line, meaning=meaning)


def _new_signers(path: str, before: TreeFiles, after: TreeFiles) -> Iterator[Change]:
    """Lines as ssh-keygen tells them apart: whatever else looks like the end of one, or like a blank, is none."""
    was, now = ((files.read(path) or b"").split(b"\n") for files in (before, after))
    for number, line in enumerate(now, 1):
        if line not in was and line.strip(b" \t\r") and not line.lstrip(b" \t").startswith(b"#"):
            who = line.split()[0].decode("utf-8", "backslashreplace")
            meaning = line.decode("utf-8", "backslashreplace")
            yield _asking_less("config.signer", who, f"{who} may sign evidence", number, path=path, meaning=meaning)


def _revocations(path: str, before: TreeFiles, after: TreeFiles) -> Iterator[Change]:
    """A list of revoked keys may be of a kind that only ssh-keygen reads, so that any other one may hold fewer."""
    was, now = (files.read(path) if path else None for files in (before, after))
    if was and was != now:
        meaning = hashlib.sha256(was + b"\0" + (now or b"")).hexdigest()
        yield _asking_less("config.signer", path, "the list of revoked keys is another", path=path, meaning=meaning)


def _asking_less(
    rule: str, thing: str, said: str, line: int = 1, *, path: str = config.NAME, meaning: str = ""
) -> Change:
    told = RULES[rule]
    digest = hashlib.sha256(f"{rule}\n{thing}\n{meaning or said}".encode()).hexdigest()
    reason = f"{told.reason} Here: {said}."
    operation = rule.partition(".")[2]
    return Change(path, max(line, 1), 1, Kind.CONFIG, rule, operation, thing, told.severity, reason, digest)
