"""What a CI job has to judge: base and head from what the vendor tells, or from plain git, and how they were found.

Nothing is guessed quietly: every range comes with words that say where it is from, and where nothing can be found it is
an error that names the option to give. Names are not checked here: a commit that a shallow clone lacks is told where
the diff is taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ics_guard import git
from ics_guard.errors import UsageError
from ics_guard.git import Repository

_SAY = "say what to judge: --range BASE..HEAD   (or --staged)"


@dataclass(frozen=True)
class Range:
    """What to judge: what `head` changes since its merge base with `base`. `found`: in words, how that was found."""

    base: str
    head: str
    found: str


class Vendor(NamedTuple):
    """Names of the environment variables of a vendor: the first is there in all its jobs, the rest where they apply."""

    name: str
    sign: str
    target_commit: str = ""
    target_branch: str = ""
    head: str = ""
    default_branch: str = ""


VENDORS = (
    Vendor(
        "Bitbucket Pipelines",
        "BITBUCKET_BUILD_NUMBER",
        target_commit="BITBUCKET_PR_DESTINATION_COMMIT",
        target_branch="BITBUCKET_PR_DESTINATION_BRANCH",
        head="BITBUCKET_COMMIT",
    ),
    Vendor(
        "Azure Pipelines",
        "TF_BUILD",
        target_branch="SYSTEM_PULLREQUEST_TARGETBRANCH",
        head="SYSTEM_PULLREQUEST_SOURCECOMMITID",
    ),
    Vendor(
        "Buildkite",
        "BUILDKITE",
        target_branch="BUILDKITE_PULL_REQUEST_BASE_BRANCH",
        default_branch="BUILDKITE_PIPELINE_DEFAULT_BRANCH",
    ),
    Vendor("Jenkins", "JENKINS_URL", target_branch="CHANGE_TARGET"),
    Vendor("CircleCI", "CIRCLECI"),
)
"""Vendors that tell of a pull request by its target alone; GitHub and GitLab tell more, and have functions."""


def find_range(repository: Repository, environ: Mapping[str, str]) -> Range | None:
    """Given the environment of a process, return what a CI job has to judge, or None where this is no CI job.

    Raise `UsageError` if it is one and nothing tells what to judge.
    """
    if _is_on(environ, "GITHUB_ACTIONS"):
        return _github(repository, environ)
    if _is_on(environ, "GITLAB_CI"):
        return _gitlab(repository, environ)
    for vendor in VENDORS:
        if _is_on(environ, vendor.sign):
            return _of_vendor(repository, environ, vendor)
    return _without_request(repository, "CI") if _is_on(environ, "CI") else None


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() not in ("", "0", "false", "no")


def _github(repository: Repository, environ: Mapping[str, str]) -> Range:
    """GitHub Actions, and what speaks its language (Gitea, Forgejo): the event's own file says what happened."""
    event = _read_event(environ)
    default = ""
    match event:
        case {"repository": {"default_branch": str(default)}}:
            pass
    match event:
        case {"pull_request": {"base": {"sha": str(base), "ref": str(into)}, "head": {"sha": str(head)}} as request}:
            number = request.get("number") or "(without a number)"
            if environ.get("GITHUB_EVENT_NAME") == "pull_request_target" and not git.exists(repository, head):
                message = f"the head of pull request {number} is not in this clone: its commit is {head}"
                raise UsageError("unknown-ref", message, f"git fetch origin pull/{number}/head")
            # The event may be older than the merge that was checked out, and its base with it.
            merged = _merged_onto(repository, head)
            return Range(merged or base, head, f"GitHub: pull request {number} into {into}")
        case {"merge_group": {"base_sha": str(base), "head_sha": str(head)}}:
            return Range(base, head, "GitHub: the merge queue's base and head")
        case {"ref": str(ref), "before": str(before), "after": str(after)} if ref.startswith("refs/heads/"):
            branch = ref.removeprefix("refs/heads/")
            if not git.is_zero(after):
                forced = bool(event.get("forced"))
                return _pushed(repository, "GitHub", branch, default, before, after, forced=forced)
    return _without_request(repository, f"GitHub: {environ.get('GITHUB_EVENT_NAME') or 'an event'}", default)


def _read_event(environ: Mapping[str, str]) -> dict[str, Any]:
    path = environ.get("GITHUB_EVENT_PATH", "")
    try:
        event = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        said = f"GITHUB_EVENT_PATH ({path or 'not set'}) cannot be read: {error}"
        raise UsageError("no-range", said, _SAY) from error
    if not isinstance(event, dict):
        raise UsageError("no-range", f"GITHUB_EVENT_PATH ({path}) holds no event", _SAY)
    return event


def _merged_onto(repository: Repository, head: str) -> str | None:
    """The first parent of HEAD where HEAD is the merge of `head` that the vendor made, else None."""
    _, *parents = (git.answer(repository, "rev-list", "--parents", "-n1", "HEAD") or "").split() or ("",)
    return parents[0] if parents[1:] == [head] else None


def _gitlab(repository: Repository, environ: Mapping[str, str]) -> Range:
    told = {name.removeprefix("CI_"): value for name, value in environ.items() if name.startswith("CI_") and value}
    head = told.get("COMMIT_SHA", "HEAD")
    default = told.get("DEFAULT_BRANCH", "")
    for request in ("MERGE_REQUEST", "EXTERNAL_PULL_REQUEST"):
        number = told.get(f"{request}_IID")
        if number and (base := told.get(f"{request}_TARGET_BRANCH_SHA") or told.get(f"{request}_DIFF_BASE_SHA")):
            into = told.get(f"{request}_TARGET_BRANCH_NAME", "its target")
            source = told.get(f"{request}_SOURCE_BRANCH_SHA", head)
            return Range(base, source, f"GitLab: {request.replace('_', ' ').lower()} {number} into {into}")
    branch, before = told.get("COMMIT_BRANCH", ""), told.get("COMMIT_BEFORE_SHA", "")
    cause = told.get("PIPELINE_SOURCE", "push")
    if branch and before and cause == "push":
        return _pushed(repository, "GitLab", branch, default, before, head, forced=False)
    return _without_request(repository, f"GitLab: {'a tag' if told.get('COMMIT_TAG') else cause}", default)


def _of_vendor(repository: Repository, environ: Mapping[str, str], vendor: Vendor) -> Range:
    def told(name: str) -> str:
        return environ.get(name, "") if name else ""

    branch = told(vendor.target_branch).removeprefix("refs/heads/")
    if target := told(vendor.target_commit) or (branch and _branch(repository, branch)):
        return Range(target, told(vendor.head) or "HEAD", f"{vendor.name}: pull request into {branch or target}")
    return _without_request(repository, vendor.name, told(vendor.default_branch))


def _pushed(
    repository: Repository, vendor: str, branch: str, default: str, before: str, after: str, *, forced: bool
) -> Range:
    """A push to a branch: what it added. A new branch, or one whose old tip is gone, counts from the default one."""
    if git.is_zero(before):
        if branch == default:
            return Range(repository.empty_tree, after, f"{vendor}: the first push of {branch}, so all that it holds")
        return _since_default(repository, default, after, f"{vendor}: push of the new branch {branch}")
    if git.exists(repository, before) or not (forced or not git.is_shallow(repository)):
        return Range(before, after, f"{vendor}: push to {branch}")
    if branch == default:
        said = f"{branch} was pushed by force, and its old tip {before} is not in this clone"
        raise UsageError("unknown-ref", said, f"git fetch origin {before}   (or {_SAY})")
    about = f"{vendor}: forced push to {branch}, whose old tip {before[:12]} is not in this clone"
    return _since_default(repository, default, after, about)


def _without_request(repository: Repository, about: str, default: str = "") -> Range:
    """A job that no change started: what HEAD has beyond where it is going, or else the last commit alone."""
    head = git.commit(repository, "HEAD")
    others = [_branch(repository, default)] if default else _candidates(repository)
    for other in others:
        if git.merge_base(repository, head, git.commit(repository, other)) != head:
            return Range(other, head, f"{about}: since it left {_short(other)}")
    base, _ = git.commit_range(repository, head)
    return Range(base, head, f"{about}: all of it is in {_short(others[-1])}, so the last commit alone")


def _since_default(repository: Repository, default: str, head: str, about: str) -> Range:
    other = _branch(repository, default) if default else _candidates(repository)[-1]
    return Range(other, head, f"{about}: since it left {_short(other)}")


def _branch(repository: Repository, name: str) -> str:
    """The branch as the remote has it, or else as this clone has it; by its full name, which no tag can stand for."""
    for full in (f"refs/remotes/origin/{name}", f"refs/heads/{name}"):
        if git.exists(repository, full):
            return full
    said = f"this clone has no branch {name} to compare with"
    fix = f"git fetch origin {name}:refs/remotes/origin/{name}   (in CI: check out the whole history)"
    raise UsageError("unknown-ref", said, fix)


def _candidates(repository: Repository) -> list[str]:
    """Where HEAD is going, by git alone: an upstream that is another branch, then the default branch."""
    upstream = git.answer(repository, "rev-parse", "--symbolic-full-name", "--verify", "--quiet", "@{upstream}")
    default = git.answer(repository, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
    usual = (default, "refs/remotes/origin/main", "refs/remotes/origin/master")
    main = next((name for name in usual if name and git.exists(repository, name)), None)
    branch = git.answer(repository, "symbolic-ref", "--quiet", "--short", "HEAD")
    if main and upstream and branch and upstream.endswith(f"/{branch}"):  # where it was pushed to, not where it goes
        upstream = None
    if found := list(dict.fromkeys(name for name in (upstream, main) if name)):
        return found
    said = "this is a CI job, and neither an upstream branch nor origin/HEAD, origin/main or origin/master is here"
    raise UsageError("no-range", said, _SAY)


def _short(name: str) -> str:
    return name.removeprefix("refs/remotes/").removeprefix("refs/heads/")
