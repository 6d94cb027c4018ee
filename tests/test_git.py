"""Real git, every situation in which a change could hide."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ics_guard import git
from ics_guard.errors import UsageError
from ics_guard.git import FileChange, Repository
from tests.checkout import Checkout


def opened(checkout: Checkout) -> Repository:
    return git.open_repository(checkout.root)


def summary(changes: tuple[FileChange, ...]) -> set[tuple[str, str, str | None]]:
    return {(change.status, change.path, change.previous_path) for change in changes}


@pytest.fixture(params=["sha1", "sha256"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    return Checkout.create(tmp_path / str(request.param), str(request.param))


# Where the repository is


def test_a_folder_inside_finds_the_root(checkout: Checkout) -> None:
    checkout.write("a/b/c")
    found = git.open_repository(checkout.root / "a" / "b")
    assert (found.root, found.git_dir, found.main_worktree) == (checkout.root, checkout.root / ".git", checkout.root)
    assert found.common_dir == found.git_dir


def test_a_linked_worktree_knows_the_main_one(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit("a")
    checkout.git("worktree", "add", "-q", str(tmp_path / "linked"))
    found = git.open_repository(tmp_path / "linked")
    assert (found.root, found.main_worktree) == (tmp_path / "linked", checkout.root)
    assert found.common_dir == checkout.root / ".git"
    assert found.git_dir != found.common_dir


def test_a_submodule_and_its_worktree_are_repositories_of_their_own(checkout: Checkout, tmp_path: Path) -> None:
    inner = Checkout.create(tmp_path / "inner")
    inner.commit("a")
    checkout.git("submodule", "add", "-q", inner.root.as_uri(), "sub")
    sub = Checkout(checkout.root / "sub")
    assert git.open_repository(sub.root).main_worktree == sub.root
    sub.git("worktree", "add", "-q", str(tmp_path / "linked"))
    assert git.open_repository(tmp_path / "linked").main_worktree == sub.root


def test_worktrees_of_a_bare_repository_share_its_folder(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit("a")
    bare = checkout.clone(tmp_path / "bare.git", "--bare")
    with pytest.raises(UsageError, match="bare") as caught:
        opened(bare)
    assert caught.value.code == "bare-repository"
    bare.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    assert git.open_repository(tmp_path / "linked").main_worktree == bare.root


@pytest.mark.parametrize(("name", "code"), [("", "no-repository"), ("missing", "no-folder"), ("file", "no-folder")])
def test_no_repository(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        git.open_repository(tmp_path / name)
    assert caught.value.code == code
    assert caught.value.fix


def test_without_git_on_path(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout.root))
    with pytest.raises(UsageError) as caught:
        opened(checkout)
    assert caught.value.code == "no-git"


def test_what_a_hook_of_another_repository_inherited_does_not_count(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Checkout.create(tmp_path / "other")
    other.write("theirs")
    other.git("add", "-A")
    checkout.write("ours")
    checkout.git("add", "-A")
    monkeypatch.chdir(other.root)
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git" / "index"))
    assert summary(git.staged(opened(checkout)).files) == {("A", "ours", None)}
    assert summary(git.staged(opened(other)).files) == {("A", "theirs", None)}


def test_a_work_tree_that_only_the_environment_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Checkout.create(tmp_path / "kept")
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("GIT_DIR", "../kept/.git")
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "home"))
    Checkout(tmp_path / "home").write(".profile")
    Checkout(tmp_path / "home").git("add", ".profile")
    found = git.open_repository(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    assert found.root == tmp_path / "home"
    assert found.git_dir == made.root / ".git"
    assert summary(git.staged(found).files) == {("A", ".profile", None)}


# What a commit holds


def test_the_first_commit(either: Checkout) -> None:
    either.write("new.sql", "CREATE TABLE t (id int);\n")
    either.git("add", "-A")
    repository = opened(either)
    (change,) = git.staged(repository).files
    assert summary((change,)) == {("A", "new.sql", None)}
    assert change.before is None
    assert change.after == either.git("rev-parse", ":new.sql")
    assert repository.empty_tree == either.git("hash-object", "-t", "tree", "/dev/null")


def test_added_edited_deleted_renamed(either: Checkout) -> None:
    for name in ("edited", "deleted", "moved", "still"):
        either.write(name, f"{name}\n" * 20)
    either.commit("untouched")
    old = either.git("rev-parse", "HEAD:edited")
    either.write("edited", "other")
    (either.root / "deleted").unlink()
    (either.root / "moved").rename(either.root / "moved2")
    either.write("moved2", "moved\n" * 20 + "and edited\n")
    either.write("added")
    either.git("add", "-A")
    changes = git.staged(opened(either)).files
    assert summary(changes) == {
        ("M", "edited", None),
        ("D", "deleted", None),
        ("R", "moved2", "moved"),
        ("A", "added", None),
    }
    edited = next(change for change in changes if change.path == "edited")
    assert (edited.before, edited.after) == (old, either.git("rev-parse", ":edited"))
    deleted = next(change for change in changes if change.path == "deleted")
    assert deleted.after is None


def test_names_that_are_no_text_or_hold_line_breaks(either: Checkout) -> None:
    names = [os.fsdecode(b"caf\xe9.sql"), "two\nlines.sql", "ümlaut.sql", 'quo"te\t.sql']
    for name in names:
        either.write(name, "x")
    either.git("add", "-A")
    repository = opened(either)
    assert {change.path for change in git.staged(repository).files} == set(names)
    assert set(git.tracked_files(repository)) == set(names)
    either.git("commit", "-qm", "x")
    assert {change.path for change in git.everything(repository).files} == set(names)
    assert {change.path for change in git.between(repository, *git.commit_range(repository, "HEAD")).files} == set(
        names
    )


def test_links_are_opaque_and_a_change_of_type_is_two_changes(checkout: Checkout) -> None:
    checkout.commit("one.sql", "DROP TABLE t;")
    (checkout.root / "one.sql").unlink()
    (checkout.root / "one.sql").symlink_to("elsewhere.sql")
    (checkout.root / "two.sql").symlink_to("elsewhere.sql")
    checkout.git("add", "-A")
    changes = git.staged(opened(checkout)).files
    assert [(c.status, c.path, c.opaque) for c in changes] == [
        ("D", "one.sql", ""),
        ("A", "one.sql", git.SYMLINK),
        ("A", "two.sql", git.SYMLINK),
    ]
    blobs = git.read_contents(opened(checkout), changes)
    assert {blobs[c.after] for c in changes if c.after} == {b"elsewhere.sql"}
    checkout.git("commit", "-qm", "x")
    checkout.git("mv", "two.sql", "three.sql")
    assert [(c.status, c.path, c.opaque) for c in git.staged(opened(checkout)).files] == [
        ("D", "two.sql", git.SYMLINK),
        ("A", "three.sql", git.SYMLINK),
    ]


def test_submodules_are_opaque_added_moved_on_moved_away_and_gone(either: Checkout, tmp_path: Path) -> None:
    inner = Checkout.create(tmp_path / "inner", either.git("rev-parse", "--show-object-format"))
    first = inner.commit("a")
    either.commit("sub", "first a file")
    either.git("rm", "-q", "sub")
    either.git("submodule", "add", "-q", inner.root.as_uri(), "sub")

    def told() -> set[tuple[str, str, str]]:
        files = git.staged(opened(either)).files
        return {(c.status, c.path, c.opaque) for c in files if c.path != ".gitmodules"}

    assert told() == {("D", "sub", ""), ("A", "sub", git.SUBMODULE)}
    either.git("commit", "-qm", "x")
    assert ("A", "sub", None) in summary(git.everything(opened(either)).files)
    second = Checkout(either.root / "sub").commit("b")
    either.git("add", "-A")
    assert told() == {("M", "sub", git.SUBMODULE)}
    contents = git.read_contents(opened(either), git.staged(opened(either)).files)
    assert contents == {oid: f"Subproject commit {oid}\n".encode() for oid in (first, second)}
    either.git("commit", "-qm", "x")
    either.git("mv", "sub", "elsewhere")
    assert told() == {("D", "sub", git.SUBMODULE), ("A", "elsewhere", git.SUBMODULE)}
    either.git("rm", "-qf", "elsewhere")
    assert told() == {("D", "sub", git.SUBMODULE)}


def test_an_unresolved_conflict_is_no_diff(checkout: Checkout) -> None:
    checkout.commit("a.sql", "1")
    checkout.git("checkout", "-qb", "side")
    checkout.commit("a.sql", "2")
    checkout.git("checkout", "-q", "main")
    checkout.commit("a.sql", "3")
    checkout.git("merge", "-q", "side", check=False)
    for ask in (git.staged, git.everything):
        with pytest.raises(UsageError, match=r"a\.sql has an unresolved conflict") as caught:
            ask(opened(checkout))
        assert caught.value.fix.endswith("git add -- a.sql")
    checkout.write("a.sql", "4")
    checkout.git("add", "-A")
    assert summary(git.staged(opened(checkout)).files) == {("M", "a.sql", None)}


def test_no_program_of_the_users_is_run_and_nothing_is_hidden(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.commit("sub/a.sql", "1")
    checkout.write(".gitattributes", "*.sql diff=own\n")
    trap = checkout.write(".git/trap", f"#!/bin/sh\ntouch '{checkout.root}/sprung'\n")
    trap.chmod(0o755)
    checkout.git("config", "diff.own.textconv", str(trap))
    checkout.git("config", "diff.own.command", str(trap))
    checkout.git("config", "diff.external", str(trap))
    checkout.git("config", "core.fsmonitor", str(trap))
    checkout.git("config", "diff.relative", "true")
    checkout.git("config", "diff.renames", "false")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    checkout.git("mv", "sub/a.sql", "sub/b.sql")
    (checkout.root / "sprung").unlink(missing_ok=True)
    changes = git.staged(git.open_repository(checkout.root / "sub")).files
    assert summary(changes) == {("R", "sub/b.sql", "sub/a.sql")}
    assert git.is_tracked(opened(checkout), Path("sub/b.sql"))
    assert not (checkout.root / "sprung").exists()


ASK = "import json, os; from pathlib import Path; from ics_guard import git; "
STAGED = ASK + (
    "found = git.staged(git.open_repository(Path.cwd())).files;"
    "Path(os.environ['SEEN']).write_text(json.dumps(sorted(f'{c.status} {c.path}' for c in found)))"
)


@pytest.mark.parametrize("place", ["main", "worktree", "submodule"])
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("commit", "-qm", "x"), ["A indexed"]),
        (("commit", "-qam", "x"), ["A indexed", "M edited"]),
        (("commit", "-qm", "x", "--only", "edited"), ["M edited"]),
        (("commit", "-qm", "x", "--include", "edited"), ["A indexed", "M edited"]),
        (("commit", "-q", "--amend", "--no-edit"), ["A indexed"]),
        (("--literal-pathspecs", "commit", "-qam", "x"), ["A indexed", "M edited"]),
    ],
)
def test_a_hook_sees_exactly_what_will_be_committed(
    checkout: Checkout, tmp_path: Path, place: str, command: tuple[str, ...], expected: list[str]
) -> None:
    checkout.commit("edited", "1")
    here = checkout
    if place == "worktree":
        checkout.git("worktree", "add", "-q", str(tmp_path / "linked"))
        here = Checkout(tmp_path / "linked")
    elif place == "submodule":
        outer = Checkout.create(tmp_path / "outer")
        outer.git("submodule", "add", "-q", checkout.root.as_uri(), "sub")
        here = Checkout(outer.root / "sub")
    here.hook("pre-commit", f'exec "{sys.executable}" -c "{STAGED}"')
    here.write("edited", "2")
    here.write("indexed", "1")
    here.git("add", "indexed")
    seen = tmp_path / "seen.json"
    here.git(*command, SEEN=str(seen), PYTHONPATH=os.pathsep.join(sys.path))
    assert json.loads(seen.read_text()) == expected


# What a range holds


def test_the_net_diff_from_the_merge_base_counts(either: Checkout) -> None:
    base = either.commit("old.sql")
    either.git("checkout", "-qb", "side")
    either.commit("gone-again.sql")
    either.git("rm", "-q", "gone-again.sql")
    side = either.commit("side.sql")
    either.git("checkout", "-q", "main")
    main = either.commit("main.sql")
    repository = opened(either)
    assert git.commit_range(repository, "main..side") == git.commit_range(repository, "main...side") == (main, side)
    assert git.commit_range(repository, "side..") == (side, main)
    assert summary(git.between(repository, main, side).files) == {("A", "side.sql", None)}
    assert summary(git.between(repository, "main", "side").files) == {("A", "side.sql", None)}
    assert summary(git.difference(repository, main, side).files) == {("A", "side.sql", None), ("D", "main.sql", None)}
    assert git.between(repository, side, base).files == ()
    assert summary(git.difference(repository, "0" * len(base), base).files) == {("A", "old.sql", None)}


def test_a_history_grafted_on_this_machine_is_not_believed(checkout: Checkout) -> None:
    first = checkout.commit("first")
    checkout.git("checkout", "-qb", "side")
    checkout.commit("a.sql")
    side = checkout.commit("b.sql")
    checkout.git("checkout", "-q", "main")
    main = checkout.commit("c.sql")
    checkout.write(".git/info/grafts", f"{side} {main}\n")
    assert git.merge_base(opened(checkout), side, main) == first
    (checkout.root / ".git/info/grafts").unlink()
    checkout.git("replace", "--graft", side, main)
    assert git.merge_base(opened(checkout), side, main) == first


def test_where_a_merge_began_is_not_asked_of_an_old_orig_head(checkout: Checkout) -> None:
    start = checkout.commit("first")
    checkout.git("checkout", "-qb", "side")
    checkout.commit("a.sql")
    checkout.commit("b.sql")
    checkout.git("checkout", "-q", "main")
    checkout.git("merge", "-q", "side")
    for stale in ("HEAD", "HEAD~1", start):
        checkout.git("update-ref", "ORIG_HEAD", stale)
        came = git.arrived(opened(checkout), "post-merge", ["0"], b"")
        assert came
        assert summary(came.files) == {("A", "a.sql", None), ("A", "b.sql", None)}


def test_one_commit_is_taken_against_its_first_parent(either: Checkout) -> None:
    first = either.commit("first")
    second = either.commit("second")
    either.git("tag", "-a", "v1", "-m", "x")
    repository = opened(either)
    assert git.commit_range(repository, "v1") == (first, second)
    assert git.commit_range(repository, first) == (repository.empty_tree, first)
    assert summary(git.between(repository, *git.commit_range(repository, first)).files) == {("A", "first", None)}


@pytest.mark.parametrize("name", ["nothing", "-h", "HEAD~9", "", "main:a", "f" * 40])
def test_an_unknown_name_is_named(checkout: Checkout, name: str) -> None:
    checkout.commit("a")
    with pytest.raises(UsageError) as caught:
        git.between(opened(checkout), name, "HEAD")
    assert caught.value.code == "unknown-ref"
    assert repr(name) in caught.value.message
    assert not git.exists(opened(checkout), name) or name == "main:a"


def test_a_shallow_clone_blocks_and_names_the_fix(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit("a")
    checkout.git("checkout", "-qb", "side")
    checkout.commit("b")
    checkout.git("checkout", "-q", "main")
    checkout.commit("c")
    shallow = opened(checkout.clone(tmp_path / "shallow", "--depth=1", "--no-single-branch"))
    for ask in (
        lambda: git.between(shallow, "origin/main", "origin/side"),
        lambda: git.commit_range(shallow, "origin/side"),
    ):
        with pytest.raises(UsageError, match="shallow") as caught:
            ask()
        assert caught.value.code == "no-merge-base"
        assert "git fetch --unshallow" in caught.value.fix
        assert "fetch-depth: 0" in caught.value.fix


def test_unrelated_histories_have_no_merge_base(checkout: Checkout) -> None:
    checkout.commit("a")
    checkout.git("checkout", "-q", "--orphan", "other")
    checkout.commit("b")
    with pytest.raises(UsageError, match="no commit in common") as caught:
        git.between(opened(checkout), "main", "other")
    assert caught.value.code == "no-merge-base"


# What is in files


def test_blobs_come_back_byte_for_byte(either: Checkout) -> None:
    contents = {b"", b"\n", b"no line break", b"\0\xff\n\nblob 3\nabc", b"x" * 100_000}
    for number, content in enumerate(contents):
        either.write(f"file{number}", content)
    either.git("add", "-A")
    repository = opened(either)
    oids = [change.after for change in git.staged(repository).files if change.after]
    found = git.read_blobs(repository, oids + oids)
    assert set(found.values()) == contents
    assert git.read_blobs(repository, []) == {}
    with pytest.raises(UsageError) as caught:
        git.read_blobs(repository, [*oids, oids[0][::-1]])
    assert caught.value.code == "missing-object"


def test_a_folder_is_read_from_the_index_or_a_commit(checkout: Checkout) -> None:
    a, b = (".ics-guard/evidence/a.json", ".ics-guard/evidence/b.json")
    checkout.write(a, "a")
    checkout.write(b, "b")
    first = checkout.commit("other", "c")
    checkout.write(b, "edited")
    (checkout.root / ".ics-guard/evidence/link.json").symlink_to("a.json")
    checkout.git("add", "-A")
    checkout.write(".ics-guard/evidence/untracked.json", "d")
    checkout.git("checkout", "-q", "--", ".")
    repository = opened(checkout)
    assert git.read_folder(repository, ".ics-guard/evidence", [None, first]) == {
        None: {a: b"a", b: b"edited"},
        first: {a: b"a", b: b"b"},
    }
    assert git.read_folder(repository, "nothing/here", [first]) == {first: {}}


def test_a_folder_at_many_commits_is_read_at_once(either: Checkout) -> None:
    places = (f"evidence/{'deep/' * (number % 2)}{number}.json" for number in range(4))
    commits = [either.commit("first"), *(either.commit(place, str(number)) for number, place in enumerate(places))]
    (either.root / "evidence/link.json").symlink_to("0.json")
    commits.append(either.commit("evidence file", "no folder"))
    repository = opened(either)
    found = git.read_folders(repository, "evidence", [*commits, *commits])
    assert found[commits[0]] == {}
    assert found[commits[3]] == {"evidence/0.json": b"0", "evidence/2.json": b"2", "evidence/deep/1.json": b"1"}
    assert found[commits[5]] == found[commits[4]] == {**found[commits[3]], "evidence/deep/3.json": b"3"}
    assert git.read_folders(repository, "evidence", []) == {}
    assert git.read_folders(repository, "first", commits) == {key: {} for key in commits}


def test_differences_of_many_pairs_are_those_of_each(either: Checkout) -> None:
    commits = [either.commit("a.sql", "1" * 200)]
    commits.append(either.commit("two\nlines.sql", "x"))
    either.git("mv", "a.sql", "moved.sql")
    commits.append(either.commit("b.sql"))
    repository = opened(either)
    pairs = [(old, new) for old in (repository.empty_tree, *commits) for new in commits]
    found = git.differences(repository, pairs)
    assert found == [git.difference(repository, old, new) for old, new in pairs]
    assert git.differences(repository, []) == []
    with pytest.raises(UsageError) as caught:
        git.differences(repository, [(commits[0], "f" * len(commits[0]))])
    assert caught.value.code == "missing-object"


def test_tracked_or_not(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit("data/app.db")
    checkout.write("data/[a]*.db")
    (checkout.root / "link.db").symlink_to("data/app.db")
    (checkout.root / "folder").symlink_to("data")
    (tmp_path / "outside.db").touch()
    repository = opened(checkout)
    tracked = {name: git.is_tracked(repository, Path(name)) for name in ("data/app.db", "link.db", "folder/app.db")}
    assert all(tracked.values())
    for name in ("data/[a]*.db", "data/none.db", str(tmp_path / "outside.db")):
        assert not git.is_tracked(repository, Path(name))
    assert git.is_tracked(repository, checkout.root / "data/app.db")
    assert git.tracked_files(repository, "data") == ["data/app.db"]
    assert git.tracked_files(repository, "dat") == []


# Who and where


def test_head_and_its_description(either: Checkout) -> None:
    assert git.head_commit(opened(either)) == ("", "")
    first = either.commit("a")
    either.git("tag", "v1")
    second = either.commit("b")
    assert git.head_commit(opened(either)) == (second, f"v1-1-g{either.git('rev-parse', '--short', 'HEAD')}")
    either.git("checkout", "-q", first)
    assert git.head_commit(opened(either)) == (first, "v1")


def test_who_is_asking(checkout: Checkout, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git.identity(opened(checkout)) == "Ada Example <ada@example.org>"
    checkout.git("config", "user.name", "Grace O. Hopper")
    assert git.identity(opened(checkout)) == "Grace O. Hopper <ada@example.org>"
    checkout.git("config", "--unset", "user.name")
    (home / ".gitconfig").write_text("[user]\n    useConfigOnly = true\n")
    monkeypatch.setenv("LOGNAME", "operator")
    assert git.identity(opened(checkout)) == "operator"


def test_branches_that_merged_each_other_hide_nothing(checkout: Checkout) -> None:
    """Two best common ancestors: by one of them alone, what the other brought would be no news."""
    checkout.commit("root")
    checkout.git("switch", "-qc", "side")
    side = checkout.commit("side.sql")
    checkout.git("switch", "-q", "main")
    main = checkout.commit("main.sql")
    checkout.git("merge", "-q", "-m", "one way", side)
    checkout.git("switch", "-q", "side")
    checkout.git("merge", "-q", "-s", "ours", "-m", "the other way", main)
    changed = {change.path for change in git.between(opened(checkout), "main", "side").files}
    assert changed == {"main.sql", "side.sql"}
