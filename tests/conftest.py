"""What every test stands on: a home of its own, git as if freshly installed, and a repository to try things in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ics_guard.ci import VENDORS
from tests.checkout import Checkout

_OF_CI = {"CI", "GITLAB_CI", *(vendor.sign for vendor in VENDORS)}  # else this run's own job would be what is judged

_CONFIGURATION = """
[user]
    name = Ada Example
    email = ada@example.org
[init]
    defaultBranch = main
[protocol "file"]
    allow = always
[gc]
    auto = 0
[maintenance]
    auto = false
[advice]
    detachedHead = false
"""


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a git configuration in it; nothing of this machine's reaches a test."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".gitconfig").write_text(_CONFIGURATION)
    for name in list(os.environ):
        if name in _OF_CI or name.startswith(("GIT_", "PRE_COMMIT", "CI_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / ".cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """An empty repository, in a folder whose name is not easy."""
    return Checkout.create(tmp_path / "wörk tree")
