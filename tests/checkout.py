"""A real git repository to try things in."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """A work tree; every verb runs real git in it."""

    root: Path

    @classmethod
    def create(cls, root: Path, object_format: str = "sha1") -> Checkout:
        root.mkdir(parents=True)
        made = cls(root)
        made.git("init", "-q", f"--object-format={object_format}", ".")
        return made

    def run(
        self, *command: str, check: bool = True, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the root; undecodable bytes of its output become surrogates."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**os.environ, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done

    def git(self, *arguments: str, check: bool = True, **variables: str) -> str:
        return self.run("git", *arguments, check=check, **variables).stdout.rstrip("\n")

    def write(self, name: str, content: str | bytes = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def commit(self, name: str, content: str | bytes | None = None, message: str = "change") -> str:
        """Commit one file, by default with its name as content, and return the id of the commit."""
        self.write(name, f"{name}\n" if content is None else content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def hook(self, name: str, body: str) -> Path:
        """Write an executable hook in sh."""
        path = self.root / self.git("rev-parse", "--git-path", "hooks") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def clone(self, into: Path, *options: str) -> Checkout:
        self.git("clone", "-q", *options, self.root.as_uri(), str(into))
        return Checkout(into)
