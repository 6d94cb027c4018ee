"""Evidence in the repository: waivers, one small file each under `.ics-guard/evidence/`, committed on purpose.

A waiver answers for exactly the changes whose digests it names, in one environment, until it expires.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ics_guard.model import SCHEMA_VERSION, Change

FOLDER = ".ics-guard/evidence"


def make_waiver(
    changes: Iterable[Change], *, env: str, author: str, reason: str, at: datetime, until: datetime | None
) -> dict[str, Any]:
    """Given changes, return the waiver for exactly these as a document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "waiver",
        "env": env,
        "author": author,
        "reason": reason,
        "at": msgspec.to_builtins(at),
        "until": msgspec.to_builtins(until),
        "changes": sorted({change.digest for change in changes}),
    }


def write(root: Path, document: dict[str, Any]) -> Path:
    """Given the top of a work tree, write the document under its digest and return the path. Raise OSError."""
    about = json.dumps([document["kind"], document["env"], document["changes"]], sort_keys=True).encode()
    path = root / FOLDER / f"{hashlib.sha256(about).hexdigest()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def waived(documents: Iterable[bytes], env: str, now: datetime) -> frozenset[str]:
    """Given the evidence files of a commit, return the digests that valid waivers for `env` answer for.

    A file that cannot be read, or that lacks a reason, answers for nothing.
    """
    found: set[str] = set()
    for raw in documents:
        try:
            document = json.loads(raw)
            until = document["until"] and datetime.fromisoformat(document["until"])
            valid = document["kind"] == "waiver" and document["env"] == env and str(document["reason"]).strip()
            if valid and (not until or now < until):
                found |= {str(digest) for digest in document["changes"]}
        except (ValueError, KeyError, TypeError):
            continue
    return frozenset(found)
