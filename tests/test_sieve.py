"""The sieve may only ever say "surely nothing": every case is asked twice, in Python and in the sh shim."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ics_guard import config, git, sieve
from ics_guard.config import Watch
from ics_guard.install import refresh_sieve, render
from tests.checkout import Checkout

CONFIGURATION = """version = 1
[watch]
alembic = ["alembic.ini"]
sql = ["db/*.sql", "one.sql"]
[env.local]
store = "backups"
[env.local.sources.db]
kind = "sqlite"
path = "data/app.db"
"""
ALEMBIC = "[alembic]\nscript_location = migrations\n"

Asks = Callable[[Checkout], bool]


def in_python(checkout: Checkout) -> bool:
    program = "import sys; from ics_guard import sieve; sys.exit(not sieve.surely_nothing('pre-commit', []))"
    done = checkout.run(sys.executable, "-c", program, check=False, PYTHONPATH=os.pathsep.join(sys.path))
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


def in_sh(checkout: Checkout) -> bool:
    """Run the shim with an interpreter that only says it was started."""
    stand_in = checkout.root / ".git" if (checkout.root / ".git").is_dir() else checkout.root
    asked = stand_in / "asked"
    asked.write_text("#!/bin/sh\nexit 7\n")
    asked.chmod(0o755)
    shim = checkout.root.parent / "shim"
    shim.write_bytes(render("pre-commit").replace(f"python={sys.executable}".encode(), f"python='{asked}'".encode()))
    shim.chmod(0o755)
    done = checkout.run(str(shim), check=False)
    assert done.returncode in (0, 7), done.stderr
    assert done.stderr == ""
    return done.returncode == 0


@pytest.fixture(params=[in_python, in_sh])
def asks(request: pytest.FixtureRequest) -> Asks:
    found: Asks = request.param
    return found


def prepare(checkout: Checkout) -> Checkout:
    checkout.write("ics-guard.toml", CONFIGURATION)
    checkout.write("alembic.ini", ALEMBIC)
    checkout.write("migrations/versions/a.py", "a = 1\n")
    checkout.write("db/a.sql", "SELECT 1;\n")
    checkout.commit("other.txt")
    compile_again(checkout)
    return checkout


def compile_again(checkout: Checkout) -> None:
    refresh_sieve(git.open_repository(checkout.root), config.load(checkout.root))


@pytest.fixture(params=["sha1", "sha256", "worktree", "submodule"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    """A repository with a compiled sieve, of each kind in which git's own folder is somewhere else."""
    if request.param in ("sha1", "sha256"):
        return prepare(Checkout.create(tmp_path / "wörk tree", str(request.param)))
    first = prepare(Checkout.create(tmp_path / "first"))
    if request.param == "worktree":
        first.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked tree"))
        return Checkout(tmp_path / "linked tree")
    outer = Checkout.create(tmp_path / "outer")
    outer.git("submodule", "add", "-q", first.root.as_uri(), "sub")
    compile_again(Checkout(outer.root / "sub"))
    return Checkout(outer.root / "sub")


def stage(checkout: Checkout, name: str, content: str = "x") -> None:
    checkout.write(name, content)
    checkout.git("add", "--", name)


def test_nothing_staged_or_nothing_watched(guarded: Checkout, asks: Asks) -> None:
    assert asks(guarded)
    stage(guarded, "other.txt")
    stage(guarded, "src/new file.py")
    stage(guarded, "deeper/db/a.sql")
    guarded.write("db/a.sql", "edited and not staged")
    guarded.write("db/untracked.sql", "DROP TABLE t;")
    assert asks(guarded)


@pytest.mark.parametrize(
    "name",
    [
        "db/new.sql",
        "db/two\nlines.sql",
        "one.sql",
        "deep/one.sql",
        "one.sql/inside.txt",
        os.fsdecode(b"db/caf\xe9.sql"),
        "migrations/versions/b.py",
        "migrations/versions/deeper/b.py",
        "ics-guard.toml",
        "alembic.ini",
    ],
)
def test_a_watched_path_is_staged(guarded: Checkout, asks: Asks, name: str) -> None:
    if (guarded.root / name).exists():
        before = (guarded.root / name).read_text()
        stage(guarded, name, before + "# edited\n")
        guarded.write(name, before)
    else:
        stage(guarded, name)
    assert not asks(guarded)


def test_a_watched_path_is_deleted_moved_away_or_of_another_mode(guarded: Checkout, asks: Asks) -> None:
    guarded.git("rm", "-q", "--cached", "db/a.sql")
    assert not asks(guarded)
    guarded.git("reset", "-q")
    guarded.git("mv", "migrations/versions/a.py", "elsewhere.py")
    assert not asks(guarded)
    guarded.git("reset", "-q", "--hard")
    guarded.git("update-index", "--chmod=+x", "db/a.sql")
    assert not asks(guarded)


@pytest.mark.parametrize(
    "variable",
    ["GIT_LITERAL_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_EXTERNAL_DIFF"],
)
def test_no_variable_blinds_it(guarded: Checkout, asks: Asks, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    assert asks(guarded)
    stage(guarded, "db/new.sql")
    assert not asks(guarded)


def test_no_configuration_of_git_blinds_it(guarded: Checkout, asks: Asks) -> None:
    guarded.write(".gitattributes", "*.sql diff=blind -text\n")
    for key, value in {"diff.blind.textconv": "true", "diff.external": "true", "diff.orderFile": os.devnull}.items():
        guarded.git("config", key, value)
    stage(guarded, "db/a.sql", "DROP TABLE t;")
    assert not asks(guarded)


@pytest.mark.parametrize("name", ["ics-guard.toml", "alembic.ini"])
def test_inputs_that_changed_void_the_sieve_whatever_their_times_say(guarded: Checkout, asks: Asks, name: str) -> None:
    path = guarded.root / name
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"s", b"z", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not asks(guarded)
    path.unlink()
    assert not asks(guarded)


def test_an_input_that_was_absent_voids_the_sieve_when_it_appears(checkout: Checkout, asks: Asks) -> None:
    prepare(checkout)
    made = sieve.compiled(("*.sql",), ("ics-guard.toml", "late.ini"), str(checkout.root))
    assert made
    (checkout.root / ".git" / sieve.FILE).write_bytes(made)
    assert asks(checkout)
    checkout.write("late.ini")
    assert not asks(checkout)


def test_no_sieve_or_no_commit_yet(checkout: Checkout, asks: Asks) -> None:
    checkout.write("ics-guard.toml", CONFIGURATION.replace('alembic = ["alembic.ini"]\n', ""))
    assert not asks(checkout)
    compile_again(checkout)
    stage(checkout, "other.txt")
    assert not asks(checkout)


def test_a_sieve_cut_off_anywhere_or_of_another_version_is_not_believed(checkout: Checkout, asks: Asks) -> None:
    prepare(checkout)
    stage(checkout, "db/new.sql")
    path = checkout.root / ".git" / sieve.FILE
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    damaged = [b"".join(lines[:count]) for count in range(len(lines))]
    damaged += [b"".join(lines[:1] + lines[count:]) for count in range(2, len(lines))]
    damaged += [whole.replace(b"sieve 1", b"sieve 2"), b"\n\n", b"\0" * 100]
    for content in damaged:
        path.write_bytes(content)
        assert not asks(checkout)


def test_an_index_of_its_own_is_honoured(
    guarded: Checkout, asks: Asks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage(guarded, "db/new.sql")
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    guarded.git("read-tree", "HEAD")
    assert asks(guarded)
    stage(guarded, "db/other.sql")
    assert not asks(guarded)


# Content that git does not have: submodules, and links to folders


@pytest.mark.parametrize(
    ("name", "mode"),
    [("db", "160000"), ("migrations", "120000"), ("migrations/versions", "160000"), ("deep/one.sql", "160000")],
)
def test_something_opaque_in_the_place_of_a_watched_folder(guarded: Checkout, asks: Asks, name: str, mode: str) -> None:
    oid = guarded.git("rev-parse", "HEAD" if mode == "160000" else "HEAD:other.txt")
    guarded.git("rm", "-rq", "--cached", "--ignore-unmatch", name)
    guarded.git("commit", "-qm", "gone", "--allow-empty")
    assert asks(guarded)
    guarded.git("update-index", "--add", "--cacheinfo", f"{mode},{oid},{name}")
    assert not asks(guarded)
    guarded.git("commit", "-qm", "there")
    assert asks(guarded)
    guarded.git("rm", "-rq", "--cached", name)
    assert not asks(guarded)


@pytest.fixture
def floating(tmp_path: Path) -> Checkout:
    """A repository whose pattern any folder could satisfy, with one submodule that is watched and one that is not."""
    made = Checkout.create(tmp_path / "floating")
    made.write("ics-guard.toml", FLOATING)
    inner = Checkout.create(tmp_path / "inner")
    inner.commit("a")
    for name in ("libs/inner", "vendor/inner"):
        made.git("submodule", "add", "-q", inner.root.as_uri(), name)
    made.commit("other.txt")
    compile_again(made)
    return made


FLOATING = CONFIGURATION.replace(
    'alembic = ["alembic.ini"]\nsql = ["db/*.sql", "one.sql"]', 'sql = ["libs/**/migrations/*.sql"]'
)
FLOATING = FLOATING.replace("[env.local]\n", 'exclude = ["vendor/"]\n[env.local]\n', 1)


def test_a_submodule_that_any_pattern_reaches(floating: Checkout, asks: Asks) -> None:
    assert asks(floating)
    Checkout(floating.root / "vendor/inner").commit("b")
    floating.git("add", "-A")
    assert asks(floating), "nothing below vendor is watched"
    Checkout(floating.root / "libs/inner").commit("b")
    floating.git("add", "-A")
    assert not asks(floating)
    floating.git("reset", "-q", "--hard")
    floating.git("submodule", "add", "-q", (floating.root.parent / "inner").as_uri(), "libs/more")
    assert not asks(floating), ".gitmodules decides, too"
    floating.git("commit", "-qm", "x")
    assert not asks(floating)
    compile_again(floating)
    assert asks(floating)
    floating.git("mv", "libs/more", "libs/elsewhere")
    assert not asks(floating)


def test_a_folder_of_ordinary_files_is_no_such_thing(guarded: Checkout, asks: Asks) -> None:
    for name in ("db/sub/a.txt", "migrations/env.py", "migrations/versions/README", "dbx", "xdb/a"):
        stage(guarded, name)
    assert asks(guarded)


# The incoming hooks, and the framework's


def nothing(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, hook: str, *arguments: str) -> bool:
    monkeypatch.chdir(checkout.root)
    return sieve.surely_nothing(hook, list(arguments))


def test_a_switch_of_branches(guarded: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    old = guarded.git("rev-parse", "HEAD")
    plain = guarded.commit("other.txt", "2")
    watched = guarded.commit("db/new.sql")
    assert nothing(guarded, monkeypatch, "post-checkout", old, plain, "1")
    assert not nothing(guarded, monkeypatch, "post-checkout", plain, watched, "1")
    assert not nothing(guarded, monkeypatch, "post-checkout", watched, plain, "1")
    assert nothing(guarded, monkeypatch, "post-checkout", watched, watched, "1")
    assert nothing(guarded, monkeypatch, "post-checkout", old, watched, "0")
    assert nothing(guarded, monkeypatch, "post-checkout", "0" * len(old), watched, "1")
    assert not nothing(guarded, monkeypatch, "post-checkout")


def test_a_merge(guarded: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    start = guarded.git("rev-parse", "HEAD")
    guarded.git("checkout", "-q", "-b", "plain")
    guarded.commit("other.txt", "2")
    guarded.git("checkout", "-q", "-b", "watched")
    guarded.commit("db/new.sql")
    guarded.git("checkout", "-q", "-b", "here", start)
    guarded.git("merge", "-q", "plain")
    assert nothing(guarded, monkeypatch, "post-merge", "0")
    guarded.git("merge", "-q", "watched")
    assert not nothing(guarded, monkeypatch, "post-merge", "0")
    guarded.git("reset", "-q", "--hard", start)
    guarded.git("merge", "-q", "--squash", "watched")
    assert not nothing(guarded, monkeypatch, "post-merge", "1")


def test_a_rewritten_commit_brings_nothing_and_a_rebase_may(guarded: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nothing(guarded, monkeypatch, "post-rewrite", "amend")
    assert not nothing(guarded, monkeypatch, "post-rewrite", "rebase")


def test_what_came_in_through_the_framework(guarded: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    old = guarded.git("rev-parse", "HEAD")
    plain = guarded.commit("other.txt", "2")
    watched = guarded.commit("db/new.sql")

    def told(**variables: str) -> bool:
        with monkeypatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(f"PRE_COMMIT_{name}", value)
            return nothing(guarded, environment, "framework-incoming")

    assert told(CHECKOUT_TYPE="1", FROM_REF=old, TO_REF=plain)
    assert told(CHECKOUT_TYPE="0", FROM_REF=old, TO_REF=watched)
    assert told(REWRITE_COMMAND="amend")
    assert not told(CHECKOUT_TYPE="1", FROM_REF=old, TO_REF=watched)
    assert not told(REWRITE_COMMAND="rebase")
    assert not told(IS_SQUASH_MERGE="1")
    assert not told()
    guarded.git("reset", "-q", "--hard", old)
    guarded.git("merge", "-q", plain)
    assert told(IS_SQUASH_MERGE="0")
    guarded.git("merge", "-q", watched)
    assert not told(IS_SQUASH_MERGE="0")


def test_hooks_that_only_a_closer_look_can_answer(guarded: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    for hook in ("pre-push", "post-rewrite", "framework", "framework-incoming", "unheard-of"):
        assert not nothing(guarded, monkeypatch, hook, "origin", "url")


def test_a_commit_through_the_framework(guarded: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRE_COMMIT", "1")
    assert nothing(guarded, monkeypatch, "framework")
    with monkeypatch.context() as push:
        push.setenv("PRE_COMMIT_TO_REF", "HEAD")
        assert not nothing(guarded, push, "framework")
    stage(guarded, "db/new.sql")
    assert not nothing(guarded, monkeypatch, "framework")


# From gitignore patterns to pathspecs


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository whose index the examples fill anew."""
    return Checkout.create(tmp_path_factory.mktemp("patterns") / "repository")


def matched(checkout: Checkout, specs: list[str], paths: set[str]) -> tuple[set[str], set[str]]:
    """What git can hold of the paths, and what of it both of git's readers, of the index and of trees, match."""
    blob = checkout.run("git", "hash-object", "-w", "--stdin", stdin="x").stdout.strip()
    checkout.git("read-tree", "--empty")
    entries = b"".join(b"100644 %s 0\t%s\0" % (blob.encode(), os.fsencode(path)) for path in sorted(paths))
    subprocess.run(["git", "update-index", "-z", "--index-info"], cwd=checkout.root, input=entries, check=True)
    tree = checkout.git("write-tree")
    empty = git.open_repository(checkout.root).empty_tree

    def names(*arguments: str) -> set[str]:
        return set(checkout.run("git", *arguments).stdout.split("\0")[:-1])

    held = names("ls-files", "-z")
    index = names("diff-index", "--cached", "--name-only", "-z", empty, "--", *specs)
    trees = names("diff-tree", "-r", "--name-only", "-z", empty, tree, "--", *specs)
    return held, index & trees


_PART = st.lists(
    st.sampled_from(
        ["a", "b", "é", "_", ".", "-", "*", "?", "**", "[ab]", "[!a]", "\\*", "\\a", "\\", " ", "#", "!", ":"]
    ),
    min_size=1,
    max_size=4,
).map("".join)
_PATTERN = st.builds(
    lambda lead, parts, trail: lead + "/".join(parts) + trail,
    st.sampled_from(["", "/"]),
    st.lists(_PART | st.just("**"), min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)
_NAME = st.text(st.sampled_from("ab_é*.-\n#! :\\[?"), min_size=1, max_size=4).filter(lambda n: n not in (".", ".."))
_PATH = st.lists(_NAME, min_size=1, max_size=4).map("/".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns=st.lists(_PATTERN, min_size=1, max_size=2), paths=st.sets(_PATH, min_size=1, max_size=12))
@example(patterns=["a-/", "b/c/"], paths={"a-", "b/c", "b"})
def test_pathspecs_match_at_least_what_the_patterns_match(
    scratch: Checkout, patterns: list[str], paths: set[str]
) -> None:
    watch = Watch(sql=tuple(patterns))
    try:
        wanted = {path for path in paths if watch.kind_of(path) or watch.kind_below(path, named=True)}
    except ValueError:
        assume(False)
    specs = sieve.pathspecs(tuple(patterns))
    held, found = matched(scratch, specs, paths) if specs else (paths, set())
    assert wanted & held <= found


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("*.sql", {"a.sql", "x/y/a.sql", "d.sql/inside"}, {"a.sqlx", "sql"}),
        ("/*.sql", {"a.sql"}, {"x/a.sql"}),
        (
            "db/migrations/*.sql",
            {"db/migrations/a.sql"},
            {"db/migrations/x/a.sql", "x/db/migrations/a.sql", "db/a.sql"},
        ),
        (
            "migrations/",
            {"migrations/a", "x/migrations/y/a", "y/migrations"},
            {"migrationsx/a"},
        ),  # it may be a submodule
        ("migrations", {"migrations/a", "x/migrations"}, {"migrationsx/a"}),
        ("src/**/x.rs", {"src/x.rs", "src/a/b/x.rs"}, {"x.rs", "src/y.rs"}),
        ("**/migrations/*.py", {"migrations/a.py", "x/y/migrations/a.py"}, {"migrations/x/a.py"}),
        ("vendor/**", {"vendor/a", "vendor/x/b"}, {"x/vendor/a"}),
        ("alembic/versions/**/*.py", {"alembic/versions/a.py", "alembic/versions/x/a.py"}, {"alembic/env.py"}),
        ("a\\*b/*.sql", {"a*b/x.sql"}, {"axb/x.sql"}),
        ("db/[0-9]*.sql", {"db/1.sql"}, {"x/1.sql"}),
        ("über/*.sql", {"über/é.sql"}, {"uber/e.sql"}),
    ],
)
def test_and_little_more(scratch: Checkout, pattern: str, hits: set[str], misses: set[str]) -> None:
    held, found = matched(scratch, sieve.pathspecs((pattern,)), hits | misses)
    assert held == hits | misses
    assert found == hits


def test_patterns_nobody_agrees_on_match_everything() -> None:
    for pattern in (" lead", "trail\\ ", "tab\t", "[ab].sql", "/", "//a", "../a", "**"):
        assert sieve.pathspecs((pattern, "*.sql")) == [":/"]
    assert sieve.pathspecs(("!a.sql", "#a.sql", "")) == []


def test_inputs_that_cannot_be_written_down_give_no_sieve(tmp_path: Path) -> None:
    assert sieve.compiled(("*.sql",), (), str(tmp_path)) is None
    assert sieve.compiled(("*.sql",), ("absent",), str(tmp_path)) is None
    assert sieve.compiled(("*.sql",), ("two\nlines",), str(tmp_path)) is None


def test_compiling_again_writes_nothing_new_and_follows_the_configuration(checkout: Checkout, asks: Asks) -> None:
    prepare(checkout)
    path = checkout.root / ".git" / sieve.FILE
    before = path.stat().st_ino
    compile_again(checkout)
    assert path.stat().st_ino == before
    stale = config.load(checkout.root)
    checkout.write("ics-guard.toml", CONFIGURATION.replace("db/*.sql", "schema/*.sql"))
    checkout.git("add", "-A")
    checkout.git("commit", "-qm", "x")
    refresh_sieve(git.open_repository(checkout.root), stale)
    stage(checkout, "schema/a.sql")
    assert not asks(checkout)
    compile_again(checkout)
    assert not asks(checkout)
    checkout.git("reset", "-q")
    assert asks(checkout)


def test_the_hot_path_imports_os_alone() -> None:
    program = (
        "import sys, os, __future__; sys.path.insert(0, sys.argv[1]); before = set(sys.modules);"
        "import ics_guard.sieve; print(sorted(set(sys.modules) - before))"
    )
    root = str(Path(sieve.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, root], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['ics_guard', 'ics_guard.sieve']"
