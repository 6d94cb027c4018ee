"""ics-guard.toml: what is watched, which environments there are, and what policy asks of them."""

from __future__ import annotations

from ics_guard.config.comparison import Loosening, loosenings
from ics_guard.config.files import Files, OnDisk
from ics_guard.config.folders import alembic_folders
from ics_guard.config.nouns import (
    Config,
    Environment,
    Policy,
    Rehearse,
    Retention,
    Smoke,
    Source,
    Watch,
)
from ics_guard.config.places import source_path, store_path
from ics_guard.config.reading import LOCAL_NAME, NAME, load
from ics_guard.config.table import line_of

__all__ = [
    "LOCAL_NAME",
    "NAME",
    "Config",
    "Environment",
    "Files",
    "Loosening",
    "OnDisk",
    "Policy",
    "Rehearse",
    "Retention",
    "Smoke",
    "Source",
    "Watch",
    "alembic_folders",
    "line_of",
    "load",
    "loosenings",
    "source_path",
    "store_path",
]
