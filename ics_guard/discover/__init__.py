"""What `init` proposes, from what is really in a work tree. Nothing of the user's is run, nothing is written."""

from __future__ import annotations

from ics_guard.discover.look import look, unwatched
from ics_guard.discover.nouns import Artifact, Database, Pattern, Proposal
from ics_guard.discover.rendering import render

__all__ = ["Artifact", "Database", "Pattern", "Proposal", "look", "render", "unwatched"]
