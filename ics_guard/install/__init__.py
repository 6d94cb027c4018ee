"""The git hooks without the pre-commit framework: put in, looked at, taken out; what was there before is kept."""

from __future__ import annotations

from ics_guard.install.shims import BLOCKING, HOOKS, render
from ics_guard.install.verbs import Installation, hooks_folder, install, installed, refresh_sieve, uninstall

__all__ = [
    "BLOCKING",
    "HOOKS",
    "Installation",
    "hooks_folder",
    "install",
    "installed",
    "refresh_sieve",
    "render",
    "uninstall",
]
