"""What a CI job has to judge, in real clones, with the events and variables that the vendors send."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ics_guard import ci, git
from ics_guard.errors import UsageError
from tests.checkout import Checkout

ZERO = "0" * 40


@dataclass(frozen=True)
class Server:
    """A repository as the vendor has it: `main`, a branch `topic` that left it, and the merge that the vendor made."""

    there: Checkout
    folder: Path
    root: str
    main: str
    topic: str
    merge: str

    def clone(self, at: str) -> Checkout:
        """The work tree of a job: cloned whole, and checked out at a commit, detached, as CI does it."""
        here = self.there.clone(self.folder / "job", "--no-checkout")
        here.git("fetch", "-q", "origin", "+refs/pull/*:refs/remotes/pull/*")
        here.git("checkout", "-q", "--detach", at)
        return here

    def shallow(self, ref: str) -> Checkout:
        """The same with one commit alone, which is what vendors do where nothing is said."""
        here = self.there.clone(self.folder / "job", "--no-checkout", "--depth=1")
        here.git("fetch", "-q", "--depth=1", "origin", f"+{ref}:refs/remotes/job")
        here.git("checkout", "-q", "--detach", "refs/remotes/job")
        return here

    def event(self, name: str, **event: Any) -> dict[str, str]:
        """What GitHub gives a job: its own variables, and the event in a file."""
        path = self.folder / "event.json"
        path.write_text(json.dumps({"repository": {"default_branch": "main"}, **event}))
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_SHA": self.merge,
        }

    def pull_request(self, name: str = "pull_request", base: str = "") -> dict[str, str]:
        return self.event(
            name,
            action="synchronize",
            number=7,
            before=self.main,
            after=self.topic,
            pull_request={
                "number": 7,
                "base": {"ref": "main", "sha": base or self.main},
                "head": {"ref": "topic", "sha": self.topic},
            },
        )

    def push(self, branch: str, before: str, after: str, **more: Any) -> dict[str, str]:
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        return self.event("push", ref=ref, before=before, after=after, forced=False, deleted=False, **more)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """main: root, main.sql; topic: topic.sql, more.sql, from root; refs/pull/7/merge: the merge of both."""
    there = Checkout.create(tmp_path / "server")
    root = there.commit("start")
    there.git("checkout", "-q", "-b", "topic")
    there.commit("topic.sql")
    topic = there.commit("more.sql")
    there.git("checkout", "-q", "main")
    main = there.commit("main.sql")
    there.git("checkout", "-q", "--detach")
    there.git("merge", "-q", "--no-ff", "-m", "merge", topic)
    merge = there.git("rev-parse", "HEAD")
    there.git("update-ref", "refs/pull/7/merge", merge)
    there.git("checkout", "-q", "main")
    return Server(there, tmp_path, root, main, topic, merge)


def judged(here: Checkout, environ: dict[str, str]) -> tuple[list[str], str]:
    """The files that would be judged, and how the range was found."""
    repository = git.open_repository(here.root)
    found = ci.find_range(repository, environ)
    assert found is not None
    return sorted(file.path for file in git.between(repository, found.base, found.head).files), found.found


def refused(here: Checkout, environ: dict[str, str]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        judged(here, environ)
    assert caught.value.fix
    return caught.value


TOPIC = ["more.sql", "topic.sql"]


@pytest.mark.parametrize("environ", [{}, {"CI": ""}, {"CI": "false"}, {"GITHUB_ACTIONS": "false"}, {"TF_BUILD": "0"}])
def test_where_nothing_says_ci_nothing_is_found(server: Server, environ: dict[str, str]) -> None:
    assert ci.find_range(git.open_repository(server.there.root), environ) is None


# GitHub


def test_a_pull_request_is_judged_by_its_head_though_the_merge_is_checked_out(server: Server) -> None:
    paths, found = judged(server.clone(server.merge), server.pull_request())
    assert paths == TOPIC
    assert "pull request 7 into main" in found


def test_a_pull_request_that_took_main_in_is_not_judged_by_what_main_has_though_the_event_is_older(
    server: Server,
) -> None:
    there = server.there
    there.git("checkout", "-q", "topic")
    there.git("merge", "-q", "--no-ff", "-m", "update", "main")
    topic = there.git("rev-parse", "HEAD")
    there.git("checkout", "-q", "--detach", "main")
    there.git("merge", "-q", "--no-ff", "-m", "merge", topic)
    newer = Server(there, server.folder, server.root, server.main, topic, there.git("rev-parse", "HEAD"))
    there.git("update-ref", "refs/pull/7/merge", newer.merge)
    assert judged(newer.clone(newer.merge), newer.pull_request(base=server.root))[0] == TOPIC


def test_of_pull_request_target_main_is_checked_out_and_the_head_is_judged(server: Server) -> None:
    paths, _ = judged(server.clone(server.main), server.pull_request("pull_request_target"))
    assert paths == TOPIC


def test_of_pull_request_target_a_head_from_a_fork_is_asked_for_by_its_number(server: Server) -> None:
    here = server.there.clone(server.folder / "job", "--single-branch", "--branch", "main")
    error = refused(here, server.pull_request("pull_request_target"))
    assert (error.code, error.fix) == ("unknown-ref", "git fetch origin pull/7/head")


def test_a_shallow_clone_is_refused_with_the_fix(server: Server) -> None:
    error = refused(server.shallow("refs/pull/7/merge"), server.pull_request())
    assert error.code == "unknown-ref"
    assert "fetch-depth: 0" in error.fix


def test_a_merge_queue_names_its_own_base_and_head(server: Server) -> None:
    group = {"base_sha": server.main, "head_sha": server.merge, "base_ref": "refs/heads/main"}
    paths, found = judged(server.clone(server.merge), server.event("merge_group", merge_group=group))
    assert paths == TOPIC
    assert "merge queue" in found


def test_a_push_is_judged_from_where_the_branch_stood(server: Server) -> None:
    before = server.there.git("rev-parse", f"{server.topic}^")
    paths, found = judged(server.clone(server.topic), server.push("topic", before, server.topic))
    assert paths == ["more.sql"]
    assert found == "GitHub: push to topic"


def test_a_new_branch_is_judged_since_it_left_the_default_branch(server: Server) -> None:
    paths, found = judged(server.clone(server.topic), server.push("topic", ZERO, server.topic, created=True))
    assert paths == TOPIC
    assert "new branch topic" in found
    assert "origin/main" in found


def test_the_first_push_of_the_default_branch_is_judged_whole(server: Server) -> None:
    paths, found = judged(server.clone(server.main), server.push("main", ZERO, server.main, created=True))
    assert paths == ["main.sql", "start"]
    assert "first push" in found


def test_a_forced_push_whose_old_tip_is_gone_is_judged_since_it_left_the_default_branch(server: Server) -> None:
    paths, found = judged(server.clone(server.topic), server.push("topic", "1" * 40, server.topic))
    assert paths == TOPIC
    assert "forced push to topic" in found
    assert "111111111111" in found


def test_a_forced_push_to_the_default_branch_whose_old_tip_is_gone_is_refused(server: Server) -> None:
    error = refused(server.clone(server.main), server.push("main", "1" * 40, server.main))
    assert error.code == "unknown-ref"
    assert error.fix.startswith(f"git fetch origin {'1' * 40}")


def test_an_old_tip_that_a_shallow_clone_lacks_is_no_forced_push(server: Server) -> None:
    before = server.there.git("rev-parse", f"{server.topic}^")
    here = server.shallow("refs/heads/topic")
    assert refused(here, server.push("topic", before, server.topic)).code == "unknown-ref"


@pytest.mark.parametrize("name", ["workflow_dispatch", "schedule", "release"])
def test_what_no_change_started_is_judged_since_it_left_the_default_branch(server: Server, name: str) -> None:
    paths, found = judged(server.clone(server.topic), server.event(name))
    assert paths == TOPIC
    assert found == f"GitHub: {name}: since it left origin/main"


def test_on_the_default_branch_it_is_the_last_commit_and_that_is_said(server: Server) -> None:
    paths, found = judged(server.clone(server.main), server.event("workflow_dispatch"))
    assert paths == ["main.sql"]
    assert "the last commit alone" in found


def test_a_tag_is_judged_like_what_no_change_started(server: Server) -> None:
    server.there.git("tag", "v1", server.main)
    paths, found = judged(server.clone(server.main), server.push("refs/tags/v1", ZERO, server.main))
    assert paths == ["main.sql"]
    assert "the last commit alone" in found


def test_a_tag_cannot_stand_for_the_default_branch(server: Server) -> None:
    here = server.clone(server.topic)
    here.git("tag", "origin/main", server.topic)
    assert judged(here, server.event("workflow_dispatch"))[0] == TOPIC
    assert judged(here, server.push("topic", ZERO, server.topic))[0] == TOPIC


def test_without_the_default_branch_it_is_refused(server: Server) -> None:
    here = server.there.clone(server.folder / "job", "--single-branch", "--branch", "topic")
    error = refused(here, server.push("topic", ZERO, server.topic))
    assert error.code == "unknown-ref"
    assert "git fetch origin main" in error.fix


@pytest.mark.parametrize("content", [None, "", "[]", "{", '"text"'])
def test_an_event_that_cannot_be_read_is_refused(server: Server, content: str | None) -> None:
    path = server.folder / "event.json"
    if content is not None:
        path.write_text(content)
    error = refused(server.there, {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path)})
    assert (error.code, "--range" in error.fix) == ("no-range", True)
    assert refused(server.there, {"GITHUB_ACTIONS": "true"}).code == "no-range"


# GitLab


def gitlab(server: Server, **variables: str) -> dict[str, str]:
    told = {"CI_DEFAULT_BRANCH": "main", "CI_COMMIT_SHA": server.topic, "CI_COMMIT_BEFORE_SHA": ZERO, **variables}
    return {"CI": "true", "GITLAB_CI": "true", **told}


REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "3",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
}


def test_a_merge_request_is_judged_from_where_its_diff_begins(server: Server) -> None:
    environ = gitlab(server, **REQUEST, CI_MERGE_REQUEST_DIFF_BASE_SHA=server.root)
    paths, found = judged(server.clone(server.topic), environ)
    assert paths == TOPIC
    assert found == "GitLab: merge request 3 into main"


def test_of_a_merged_result_the_two_sides_are_judged_and_not_the_merge(server: Server) -> None:
    environ = gitlab(
        server,
        **REQUEST,
        CI_COMMIT_SHA=server.merge,
        CI_MERGE_REQUEST_EVENT_TYPE="merged_result",
        CI_MERGE_REQUEST_DIFF_BASE_SHA=server.root,
        CI_MERGE_REQUEST_TARGET_BRANCH_SHA=server.main,
        CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=server.topic,
    )
    found = ci.find_range(git.open_repository(server.there.root), environ)
    assert found == ci.Range(server.main, server.topic, "GitLab: merge request 3 into main")


def test_an_empty_variable_is_none(server: Server) -> None:
    empty = {"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": ""}
    environ = gitlab(server, **REQUEST, **empty, CI_MERGE_REQUEST_DIFF_BASE_SHA=server.root)
    assert judged(server.clone(server.topic), environ)[0] == TOPIC


def test_a_pull_request_of_another_host_is_judged_by_its_two_sides(server: Server) -> None:
    environ = gitlab(
        server,
        CI_PIPELINE_SOURCE="external_pull_request_event",
        CI_EXTERNAL_PULL_REQUEST_IID="9",
        CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME="main",
        CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA=server.main,
        CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA=server.topic,
    )
    assert judged(server.clone(server.topic), environ) == (TOPIC, "GitLab: external pull request 9 into main")


def test_a_branch_pipeline_is_judged_from_where_the_branch_stood(server: Server) -> None:
    before = server.there.git("rev-parse", f"{server.topic}^")
    environ = gitlab(server, CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="topic", CI_COMMIT_BEFORE_SHA=before)
    assert judged(server.clone(server.topic), environ) == (["more.sql"], "GitLab: push to topic")


def test_a_new_branch_has_no_before(server: Server) -> None:
    environ = gitlab(server, CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="topic")
    paths, found = judged(server.clone(server.topic), environ)
    assert paths == TOPIC
    assert "new branch topic" in found


def test_a_branch_that_was_pushed_by_force(server: Server) -> None:
    environ = gitlab(server, CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="topic", CI_COMMIT_BEFORE_SHA="2" * 40)
    paths, found = judged(server.clone(server.topic), environ)
    assert paths == TOPIC
    assert "forced push" in found


@pytest.mark.parametrize("cause", ["schedule", "web", "api"])
def test_a_pipeline_that_no_change_started_has_no_before(server: Server, cause: str) -> None:
    environ = gitlab(server, CI_PIPELINE_SOURCE=cause, CI_COMMIT_BRANCH="main", CI_COMMIT_SHA=server.main)
    paths, found = judged(server.clone(server.main), environ)
    assert paths == ["main.sql"]
    assert found.startswith(f"GitLab: {cause}")


def test_a_tag_pipeline(server: Server) -> None:
    environ = gitlab(server, CI_PIPELINE_SOURCE="push", CI_COMMIT_TAG="v1", CI_COMMIT_SHA=server.topic)
    paths, found = judged(server.clone(server.topic), environ)
    assert paths == TOPIC
    assert found == "GitLab: a tag: since it left origin/main"


# others

REQUESTS: dict[str, Callable[[Server], dict[str, str]]] = {
    "Bitbucket Pipelines": lambda server: {
        "BITBUCKET_BUILD_NUMBER": "12",
        "BITBUCKET_PR_DESTINATION_BRANCH": "main",
        "BITBUCKET_PR_DESTINATION_COMMIT": server.main[:12],
        "BITBUCKET_COMMIT": server.topic,
    },
    "Azure Pipelines": lambda server: {
        "TF_BUILD": "True",
        "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
        "SYSTEM_PULLREQUEST_SOURCECOMMITID": server.topic,
    },
    "Buildkite": lambda server: {"BUILDKITE": "true", "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main"},
    "Jenkins": lambda server: {"JENKINS_URL": "https://ci.example.org/", "CHANGE_TARGET": "main"},
}


@pytest.mark.parametrize("vendor", [vendor for vendor in ci.VENDORS if vendor.target_branch], ids=lambda v: v.name)
@pytest.mark.parametrize("merged", [False, True])
def test_a_pull_request_elsewhere(server: Server, vendor: ci.Vendor, merged: bool) -> None:
    here = server.clone(server.merge if merged else server.topic)
    paths, found = judged(here, {"CI": "true", **REQUESTS[vendor.name](server)})
    assert paths == TOPIC
    assert found.startswith(f"{vendor.name}: pull request into main")


@pytest.mark.parametrize("vendor", ci.VENDORS, ids=lambda vendor: vendor.name)
def test_a_branch_elsewhere_is_judged_since_it_left_the_default_branch(server: Server, vendor: ci.Vendor) -> None:
    here = server.clone(server.topic)
    paths, found = judged(here, {"CI": "true", vendor.sign: "true"})
    assert paths == TOPIC
    assert found == f"{vendor.name}: since it left origin/main"
    here.git("checkout", "-q", "--detach", server.main)
    paths, found = judged(here, {"CI": "true", vendor.sign: "true"})
    assert paths == ["main.sql"]
    assert "the last commit alone" in found


def test_a_vendor_that_tells_the_default_branch_is_believed(server: Server) -> None:
    server.there.git("branch", "trunk", server.root)
    environ = {"BUILDKITE": "true", "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "trunk"}
    assert judged(server.clone(server.main), environ) == (["main.sql"], "Buildkite: since it left origin/trunk")


# plain git


def test_any_other_ci_counts_from_an_upstream_that_is_another_branch(server: Server) -> None:
    here = server.there.clone(server.folder / "job", "--branch", "topic")
    here.git("switch", "-q", "-c", "mine", "--track", "origin/topic")
    here.commit("mine.sql")
    assert judged(here, {"CI": "true"}) == (["mine.sql"], "CI: since it left origin/topic")


def test_where_a_branch_was_pushed_to_is_not_where_it_goes(server: Server) -> None:
    here = server.there.clone(server.folder / "job", "--branch", "topic")
    here.commit("mine.sql")
    assert judged(here, {"CI": "true"}) == (["mine.sql", *TOPIC], "CI: since it left origin/main")


def test_a_branch_that_its_upstream_has_whole_counts_from_the_default_branch(server: Server) -> None:
    here = server.there.clone(server.folder / "job", "--branch", "topic")
    assert judged(here, {"CI": "1"}) == (TOPIC, "CI: since it left origin/main")


@pytest.mark.parametrize("name", ["main", "master", "trunk"])
def test_the_default_branch_is_found_by_git_alone(server: Server, name: str) -> None:
    server.there.git("branch", "-m", "main", name)
    here = server.clone(server.topic)
    if name != "trunk":
        here.git("remote", "set-head", "origin", "--delete")
    assert judged(here, {"CI": "true"}) == (TOPIC, f"CI: since it left origin/{name}")


def test_where_nothing_is_found_the_option_is_named(tmp_path: Path) -> None:
    here = Checkout.create(tmp_path / "alone")
    here.commit("start")
    error = refused(here, {"CI": "true"})
    assert error.code == "no-range"
    assert "--range" in error.fix


def test_the_first_commit_of_all_is_judged_whole(tmp_path: Path) -> None:
    there = Checkout.create(tmp_path / "there")
    there.commit("start")
    assert judged(there.clone(tmp_path / "job"), {"CI": "true"})[0] == ["start"]
