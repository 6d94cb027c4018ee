"""The main job, shown on a throwaway repository: held, backed up, migrated, broken, restored, with real commands."""

from ics_guard.demo.story import DemoError, tell

__all__ = ["DemoError", "tell"]
