"""What a push carries, from the lines that real pushes write and the variables that the real framework sets."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ics_guard import git
from ics_guard.errors import UsageError
from ics_guard.git import Diff, Repository, news
from tests.checkout import Checkout


@dataclass(frozen=True)
class Pushing:
    """A clone whose pre-push hook keeps what git tells it, and its remote."""

    local: Checkout
    remote: Checkout

    @property
    def repository(self) -> Repository:
        return git.open_repository(self.local.root)

    def told(self, *arguments: str) -> list[Diff]:
        """Push for real as far as the hook, and return what it would judge in that instant."""
        kept = self.local.root / ".git" / "told"
        kept.unlink(missing_ok=True)
        self.local.hook("pre-push", 'printf "%s\\n" "$1" "$2" > .git/told && cat >> .git/told && exit 1')
        self.local.git("push", "-q", *arguments, check=False)
        remote, url, lines = kept.read_bytes().split(b"\n", 2)
        return git.pushes(self.repository, lines, remote.decode(), url.decode())

    def push(self, *arguments: str) -> list[tuple[str, str]]:
        """Push, and return the ranges that the hook would have judged."""
        found = self.told(*arguments)
        self.local.git("push", "-q", "--no-verify", *arguments)
        return ranges(found)

    def changed(self, *arguments: str) -> list[str]:
        """Push, and return the changes of files that the hook would have judged."""
        found = self.told(*arguments)
        self.local.git("push", "-q", "--no-verify", *arguments)
        return changes(found)


def ranges(diffs: list[Diff]) -> list[tuple[str, str]]:
    return [(diff.base, str(diff.head)) for diff in diffs]


def changes(diffs: list[Diff]) -> list[str]:
    return sorted(f"{file.status} {file.path}" for diff in diffs for file in diff.files)


@pytest.fixture(params=["sha1", "sha256"])
def pushing(request: pytest.FixtureRequest, tmp_path: Path) -> Pushing:
    first = Checkout.create(tmp_path / "first", str(request.param))
    first.commit("start")
    remote = first.clone(tmp_path / "remote.git", "--bare")
    return Pushing(remote.clone(tmp_path / "local"), remote)


def test_an_update_carries_what_is_new(pushing: Pushing) -> None:
    old = pushing.local.git("rev-parse", "HEAD")
    pushing.local.commit("a.sql")
    new = pushing.local.commit("b.sql")
    found = pushing.told("origin", "main")
    assert ranges(found) == [(old, new)]
    assert changes(found) == ["A a.sql", "A b.sql"]


def test_a_new_branch_counts_from_what_the_remote_has(pushing: Pushing) -> None:
    start = pushing.local.git("rev-parse", "HEAD")
    pushing.local.git("checkout", "-qb", "side")
    head = pushing.local.commit("a.sql")
    assert pushing.push("origin", "side") == [(start, head)]
    pushing.local.git("branch", "same")
    assert pushing.push("origin", "same") == []


def test_several_refs_and_a_deletion_in_one_push(pushing: Pushing) -> None:
    start = pushing.local.git("rev-parse", "HEAD")
    pushing.local.git("push", "-q", "origin", "main:doomed")
    ours = {}
    for name in ("one", "two"):
        pushing.local.git("checkout", "-qb", name, start)
        ours[name] = pushing.local.commit(f"{name}.sql")
    found = pushing.told("origin", "one", "two", ":doomed")
    assert sorted(ranges(found)) == sorted((start, head) for head in ours.values())
    assert changes(found) == ["A one.sql", "A two.sql"]
    assert pushing.push("origin", "one", "two", ":doomed") == ranges(found)
    assert pushing.push("origin", ":one") == []


def test_annotated_tags_are_peeled_and_tags_on_blobs_carry_nothing(pushing: Pushing) -> None:
    start = pushing.local.git("rev-parse", "HEAD")
    head = pushing.local.commit("a.sql")
    pushing.local.git("tag", "-a", "v1", "-m", "x")
    pushing.local.git("tag", "-a", "v1-again", "-m", "x", "v1")
    pushing.local.git("tag", "blob", "HEAD:a.sql")
    pushing.local.git("tag", "tree", "HEAD^{tree}")
    assert pushing.push("origin", "v1") == [(start, head)]
    assert pushing.push("origin", "v1-again", "blob") == [(start, head)]
    tree = pushing.local.git("rev-parse", "HEAD^{tree}")
    assert pushing.push("origin", "tree") == [(pushing.repository.empty_tree, tree)]


def test_an_expression_as_the_local_side(pushing: Pushing) -> None:
    start = pushing.local.git("rev-parse", "HEAD")
    middle = pushing.local.commit("a.sql")
    pushing.local.commit("b.sql")
    assert pushing.push("origin", "HEAD~1:refs/heads/x") == [(start, middle)]


def test_a_push_over_what_somebody_else_pushed_cannot_be_told(pushing: Pushing, tmp_path: Path) -> None:
    other = pushing.remote.clone(tmp_path / "other")
    theirs = other.commit("theirs.sql")
    other.git("push", "-q", "origin", "main")
    pushing.local.commit("ours.sql")
    for flags in ([], ["-f"]):
        with pytest.raises(UsageError, match=theirs) as caught:
            pushing.told(*flags, "origin", "main")
        assert "git fetch" in caught.value.fix
    pushing.local.git("fetch", "-q")
    assert pushing.changed("-f", "origin", "main") == ["A ours.sql", "D theirs.sql"]


def test_a_rewind_takes_away_what_came_since(pushing: Pushing) -> None:
    start = pushing.local.git("rev-parse", "HEAD")
    pushing.local.commit("a.sql")
    pushing.local.commit("start", "other")
    pushing.local.git("push", "-q", "origin", "main")
    pushing.local.git("reset", "-q", "--hard", start)
    assert pushing.changed("-f", "origin", "main") == ["D a.sql", "M start"]


def test_a_rebased_branch_brings_its_own_and_not_what_the_remote_has(pushing: Pushing) -> None:
    local = pushing.local
    local.git("checkout", "-qb", "side")
    local.commit("side.sql")
    local.git("push", "-q", "origin", "side")
    local.git("checkout", "-q", "main")
    local.commit("main.sql")
    local.git("push", "-q", "origin", "main")
    local.git("checkout", "-q", "side")
    local.git("rebase", "-q", "main")
    assert pushing.changed("-f", "origin", "side") == ["A side.sql"]
    local.commit("side.sql", "edited")
    local.git("push", "-q", "--no-verify", "origin", "side")
    local.git("reset", "-q", "--hard", "HEAD~1")
    local.commit("more.sql")
    assert pushing.changed("-f", "origin", "side") == ["A more.sql", "M side.sql"]


def test_a_rewritten_history_counts_whole(pushing: Pushing) -> None:
    pushing.local.git("checkout", "-q", "--orphan", "new")
    pushing.local.git("rm", "-rfq", ".")
    head = pushing.local.commit("a.sql")
    found = pushing.told("-f", "origin", "new:main")
    assert (pushing.repository.empty_tree, head) in ranges(found)
    assert changes(found) == ["A a.sql", "D start"]


def test_a_push_by_url_knows_the_remote_if_it_is_configured(pushing: Pushing, tmp_path: Path) -> None:
    start = pushing.local.git("rev-parse", "HEAD")
    head = pushing.local.commit("a.sql")
    url = pushing.local.git("remote", "get-url", "origin")
    assert pushing.push(url, "main:refs/heads/by-url") == [(start, head)]
    fresh = Checkout(tmp_path / "fresh.git")
    pushing.local.git("init", "-q", "--bare", f"--object-format={pushing.repository.object_format}", str(fresh.root))
    assert pushing.push(str(fresh.root), "main") == [(pushing.repository.empty_tree, head)]


def test_nothing_to_push(pushing: Pushing) -> None:
    assert git.pushes(pushing.repository, b"", "origin") == []


def test_lines_that_git_never_writes_are_refused(pushing: Pushing) -> None:
    with pytest.raises(UsageError, match="no line of a pre-push hook"):
        git.pushes(pushing.repository, b"refs/heads/main\n", "origin")


def test_a_shallow_clone_cannot_tell(pushing: Pushing, tmp_path: Path) -> None:
    other = pushing.remote.clone(tmp_path / "other")
    for number in range(4):
        other.commit(f"{number}.sql")
    other.git("push", "-q", "origin", "main", "HEAD~3:refs/heads/old")
    shallow = pushing.remote.clone(tmp_path / "shallow", "--depth=1", "--no-single-branch")
    line = f"refs/heads/x {shallow.git('rev-parse', 'origin/main')} refs/heads/old {other.git('rev-parse', 'HEAD~3')}\n"
    shallow.git("update-ref", "-d", "refs/remotes/origin/main")
    shallow.git("update-ref", "-d", "refs/remotes/origin/HEAD")
    with pytest.raises(UsageError, match="shallow"):
        git.pushes(git.open_repository(shallow.root), line.encode(), "origin")


def test_a_shallow_clone_with_a_commit_of_its_own(pushing: Pushing, tmp_path: Path) -> None:
    other = pushing.remote.clone(tmp_path / "other")
    tip = other.commit("a.sql")
    other.git("push", "-q", "origin", "main")
    shallow = Pushing(pushing.remote.clone(tmp_path / "shallow", "--depth=1"), pushing.remote)
    head = shallow.local.commit("b.sql")
    assert shallow.push("origin", "main") == [(tip, head)]
    shallow.local.git("checkout", "-q", "--orphan", "new")
    shallow.local.commit("c.sql")
    with pytest.raises(UsageError, match="shallow"):
        shallow.told("origin", "new")


def test_objects_in_another_repository_are_here(pushing: Pushing, tmp_path: Path) -> None:
    shared = Pushing(pushing.local.clone(tmp_path / "shared", "--shared"), pushing.remote)
    shared.local.git("remote", "set-url", "origin", pushing.remote.root.as_uri())
    pushing.local.commit("a.sql")
    shared.local.git("fetch", "-q", pushing.local.root.as_uri(), "main")
    shared.local.git("merge", "-q", "FETCH_HEAD")
    assert shared.changed("origin", "main") == ["A a.sql"]


def test_two_remotes_each_by_what_it_has(pushing: Pushing, tmp_path: Path) -> None:
    pushing.remote.clone(tmp_path / "second.git", "--bare")
    pushing.local.git("remote", "add", "second", str(tmp_path / "second.git"))
    pushing.local.git("fetch", "-q", "second")
    pushing.local.commit("a.sql")
    assert pushing.changed("origin", "main") == ["A a.sql"]
    pushing.local.commit("b.sql")
    assert pushing.changed("second", "main:new") == ["A a.sql", "A b.sql"]
    assert pushing.changed("origin", "main:new") == ["A b.sql"]


def test_a_partial_clone_fetches_nothing_and_says_how_to(pushing: Pushing, tmp_path: Path) -> None:
    pushing.remote.git("config", "uploadpack.allowFilter", "true")
    pushing.local.commit("a.sql", "1")
    pushing.local.commit("a.sql", "2")
    pushing.local.git("push", "-q", "--no-verify", "origin", "main")
    partial = Pushing(pushing.remote.clone(tmp_path / "partial", "--filter=blob:none"), pushing.remote)
    partial.local.git("reset", "-q", "--soft", "HEAD~1")
    found = partial.told("-f", "origin", "HEAD:main")
    assert changes(found) == ["M a.sql"]
    with pytest.raises(UsageError) as caught:
        git.read_contents(partial.repository, found[0].files)
    assert caught.value.code == "missing-object"
    command, _, _ = caught.value.fix.partition("   ")
    partial.local.git(*command.split()[1:])
    assert set(git.read_contents(partial.repository, found[0].files).values()) == {b"1", b"2"}


# Thousands of refs


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """1,000 commits on main, half of which `origin` has, and 1,000 branches from them with a commit or merge each."""
    made = Checkout.create(tmp_path_factory.mktemp("crowd") / "repository")
    made.git("remote", "add", "origin", "nowhere:x")
    stream = ["commit refs/heads/main\nmark :1\ncommitter a <a@b> 1 +0000\ndata 0\nM 100644 inline same\ndata 1\nx\n"]
    on_main = "commit refs/heads/main\nmark :{0}\ncommitter a <a@b> {0} +0000\ndata 0\nfrom :{1}\n\n"
    stream += [on_main.format(n, n - 1) for n in range(2, 1001)]
    for n in range(1, 1001):
        merged = f"merge :{min(1000, n + 100)}\n" if n % 3 == 0 else ""
        path = f"{n}.sql" if n % 2 else f"{n}.md"
        about = f"commit refs/heads/b{n}\nmark :{1000 + n}\ncommitter a <a@b> {2000 + n} +0000\ndata 0\nfrom :{n}\n"
        stream.append(f"{about}{merged}M 100644 inline {path}\ndata 1\nx\n")
        stream.append(f"reset refs/tags/t{n}\nfrom :{n}\n\n")
    made.run("git", "fast-import", "--quiet", stdin="".join(stream))
    made.git("update-ref", "refs/remotes/origin/main", "main~500")
    return made


def pushed(checkout: Checkout, pattern: str, there: str = "") -> list[Diff]:
    listed = [
        line.split() for line in checkout.git("for-each-ref", "--format=%(refname) %(objectname)", pattern).split("\n")
    ]
    theirs = there or "0" * len(listed[0][1])
    lines = "".join(f"{name} {oid} {name} {theirs}\n" for name, oid in listed)
    return git.pushes(git.open_repository(checkout.root), lines.encode(), "origin")


def test_every_base_is_the_one_that_git_finds(crowd: Checkout) -> None:
    for diff in pushed(crowd, "refs/heads/b*")[::50]:
        base, head = diff.base, str(diff.head)
        assert base == crowd.git("merge-base", head, "origin/main")


def test_a_walk_over_the_history_finds_what_git_finds(crowd: Checkout) -> None:
    repository = git.open_repository(crowd.root)
    names = [(f"b{n}", f"b{1000 - n // 2}") for n in range(1, 1000, 20)]
    pairs = [(crowd.git("rev-parse", one), crowd.git("rev-parse", other)) for one, other in names]
    assert news.merge_bases(repository, pairs) == {pair: crowd.git("merge-base", *pair) for pair in pairs}


@pytest.mark.parametrize(
    ("pattern", "there", "count"),
    [
        ("refs/tags", "", 0),
        ("refs/heads/b*", "", 1000),
        ("refs/heads/b*", "main~300", 1000),
    ],
)
def test_a_thousand_refs_are_answered_in_seconds(crowd: Checkout, pattern: str, there: str, count: int) -> None:
    began = time.monotonic()
    old = crowd.git("rev-parse", there) if there else ""
    crowd.git("update-ref", "refs/remotes/origin/main", "main")
    found = pushed(crowd, pattern, old)
    crowd.git("update-ref", "refs/remotes/origin/main", "main~500")
    assert len({file.path for diff in found for file in diff.files}) == count
    assert time.monotonic() - began < 15


def test_into_an_empty_remote_each_file_comes_once(crowd: Checkout) -> None:
    lines = crowd.git("for-each-ref", "--format=%(refname) %(objectname) %(refname)", "refs/heads", "refs/tags")
    zero = "0" * len(crowd.git("rev-parse", "main"))
    told = "".join(f"{line} {zero}\n" for line in lines.split("\n")).encode()
    repository = git.open_repository(crowd.root)
    found = git.pushes(repository, told, "elsewhere")
    assert len([file.path for diff in found for file in diff.files]) == 1001
    apart = git.pushes(repository, told, "elsewhere", apart=("7.sql",))
    assert len([file.path for diff in apart for file in diff.files if file.path == "same"]) == 3


# Through the pre-commit framework

_STAGES = ["pre-commit", "pre-merge-commit", "pre-push", "post-merge", "post-checkout", "post-rewrite"]
_FRAMEWORK = f"""
default_install_hook_types: {json.dumps(_STAGES)}
repos:
- repo: local
  hooks:
  - id: ask
    name: ask
    language: system
    entry: "{sys.executable} ask.py"
    always_run: true
    pass_filenames: false
    stages: {json.dumps(_STAGES)}
"""
_ASK = """
import json, os, sys
from pathlib import Path
from ics_guard import git
stage = git.framework_stage(os.environ)
diffs = git.framework_pushes(git.open_repository(Path.cwd()), os.environ) if stage[0] == "pre-push" else []
with open(".git/asked", "a") as stream:
    print(json.dumps([*stage, [(diff.base, diff.head) for diff in diffs]]), file=stream)
"""


@pytest.fixture
def framework(pushing: Pushing, monkeypatch: pytest.MonkeyPatch) -> Pushing:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    pushing.local.write("ask.py", _ASK)
    pushing.local.commit(".pre-commit-config.yaml", _FRAMEWORK)
    pushing.local.git("push", "-q", "origin", "main")
    pushing.local.run(sys.executable, "-m", "pre_commit", "install")
    return pushing


def asked(pushing: Pushing) -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    path = pushing.local.root / ".git" / "asked"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    return [(hook, arguments, [(base, head) for base, head in pairs]) for hook, arguments, pairs in lines]


def test_the_stages_of_the_framework(framework: Pushing) -> None:
    local = framework.local
    start = local.git("rev-parse", "HEAD")
    local.git("checkout", "-q", "-b", "side")
    assert asked(framework) == [("post-checkout", [start, start, "1"], [])]
    side = local.commit("a.sql")
    assert asked(framework) == [("pre-commit", [], [])]
    local.git("checkout", "-q", "main")
    local.commit("b.sql")
    assert asked(framework) == [("post-checkout", [side, start, "1"], []), ("pre-commit", [], [])]
    local.git("merge", "-q", "--no-edit", "side")
    assert asked(framework) == [("pre-commit", [], []), ("post-merge", ["0"], [])]
    local.git("commit", "-q", "--amend", "-m", "other")
    assert asked(framework) == [("pre-commit", [], []), ("post-rewrite", ["amend"], [])]


def test_the_framework_tells_of_one_ref_and_all_that_the_remote_lacks_counts(framework: Pushing) -> None:
    local = framework.local
    start = local.git("rev-parse", "HEAD")
    head = local.commit("a.sql")
    local.git("checkout", "-q", "-b", "side", start)
    side = local.commit("b.sql")
    local.git("tag", "-a", "v1", "-m", "x", start)
    local.git("checkout", "-q", "--detach")
    tagged = local.commit("c.sql")
    local.git("tag", "-a", "v2", "-m", "x")
    local.git("tag", "-a", "v3", "-m", "x", "v2")
    local.git("tag", "-d", "v2")
    asked(framework)
    local.git("push", "-q", "origin", "main", "side", "v1")
    ((hook, arguments, pairs),) = asked(framework)
    assert (hook, arguments[0]) == ("pre-push", "origin")
    assert sorted(pairs) == sorted([(start, head), (start, side), (start, tagged)])


def test_a_whole_tree_through_the_framework(framework: Pushing, tmp_path: Path) -> None:
    local = framework.local
    head = local.git("rev-parse", "HEAD")
    form = framework.repository.object_format
    local.git("init", "-q", "--bare", f"--object-format={form}", str(tmp_path / "fresh.git"))
    local.git("remote", "add", "fresh", str(tmp_path / "fresh.git"))
    local.git("push", "-q", "fresh", "main")
    assert asked(framework) == [
        ("pre-push", ["fresh", str(tmp_path / "fresh.git")], [(framework.repository.empty_tree, head)])
    ]


def test_a_run_over_a_range_in_ci(framework: Pushing) -> None:
    local = framework.local
    start = local.git("rev-parse", "HEAD")
    head = local.commit("a.sql")
    asked(framework)
    command = ("-m", "pre_commit", "run", "--from-ref", start, "--to-ref", head)
    local.run(sys.executable, *command)
    assert asked(framework) == [("pre-push", ["", ""], [(start, head)])]
