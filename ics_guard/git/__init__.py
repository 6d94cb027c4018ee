"""Every question to git outside the hot path: where the repository is, what a diff holds, what a push carries.

Diffs are git's own raw output, read as bytes: GitPython loses a whole diff to one undecodable file name, and cannot
read objects of SHA-256 repositories. It is asked about configuration only, where it is needed at all.
"""

from __future__ import annotations

from ics_guard.git.arrivals import arrived, stood_since
from ics_guard.git.attributes import EXPORT_SUBST, converted
from ics_guard.git.attributes import NAME as ATTRIBUTES
from ics_guard.git.contents import is_tracked, read_blobs, read_contents, submodules, tracked_above, tracked_files
from ics_guard.git.diffs import (
    SUBMODULE,
    SYMLINK,
    Diff,
    FileChange,
    between,
    difference,
    differences,
    everything,
    joined,
    staged,
)
from ics_guard.git.folders import read_folders
from ics_guard.git.names import commit, commit_range, exists, head_commit, identity, is_shallow, is_zero, merge_base
from ics_guard.git.process import LOCAL_VARIABLES, answer, output
from ics_guard.git.pushes import framework_pushes, framework_stage, pushes
from ics_guard.git.repository import Repository, open_repository
from ics_guard.git.trees import TreeFiles, read_folder, versions

__all__ = [
    "ATTRIBUTES",
    "EXPORT_SUBST",
    "LOCAL_VARIABLES",
    "SUBMODULE",
    "SYMLINK",
    "Diff",
    "FileChange",
    "Repository",
    "TreeFiles",
    "answer",
    "arrived",
    "between",
    "commit",
    "commit_range",
    "converted",
    "difference",
    "differences",
    "everything",
    "exists",
    "framework_pushes",
    "framework_stage",
    "head_commit",
    "identity",
    "is_shallow",
    "is_tracked",
    "is_zero",
    "joined",
    "merge_base",
    "open_repository",
    "output",
    "pushes",
    "read_blobs",
    "read_contents",
    "read_folder",
    "read_folders",
    "staged",
    "stood_since",
    "submodules",
    "tracked_above",
    "tracked_files",
    "versions",
]
