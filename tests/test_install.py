"""The hooks as git runs them: installed, chained, broken, moved, killed and taken out again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from pre_commit.clientlib import load_manifest  # type: ignore[import-untyped]

import ics_guard
from ics_guard import config, git
from ics_guard.errors import UsageError
from ics_guard.install import BLOCKING, HOOKS, Installation, install, installed, uninstall
from tests.checkout import Checkout

CONFIGURATION = """version = 1
[watch]
sql = ["*.sql"]
[env.local]
store = "backups"
[env.local.sources.db]
kind = "sqlite"
path = "data/app.db"
"""
GUARD = """
import json, os, signal, sys, time
with open(os.environ["SEEN"], "a") as stream:
    said = "" if sys.argv[2] not in ("pre-push", "post-rewrite") else sys.stdin.read()
    print(json.dumps([sys.argv[1:], said]), file=stream)
answer = os.environ.get("ANSWER", "0")
if answer == "sleep":
    time.sleep(60)
if answer == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(answer))
"""


@dataclass(frozen=True)
class Guarded:
    """A repository with hooks, behind which stands a guard that writes down how it was called and answers as told."""

    checkout: Checkout
    seen: Path

    def install(self) -> Installation:
        return install(git.open_repository(self.checkout.root), config.load(self.checkout.root))

    def uninstall(self) -> tuple[str, ...]:
        return uninstall(git.open_repository(self.checkout.root))

    def installed(self) -> Installation:
        return installed(git.open_repository(self.checkout.root))

    def calls(self) -> list[tuple[list[str], str]]:
        """How the guard was called since the last time of asking."""
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        self.seen.unlink(missing_ok=True)
        return [(arguments, said) for arguments, said in map(json.loads, lines)]

    def commit(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        self.checkout.write(name, os.urandom(8).hex())
        self.checkout.git("add", "-A")
        return self.checkout.run("git", "commit", "-qm", "x", check=False, **variables)


@pytest.fixture
def guarded(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    checkout.write(".gitignore", "__pycache__\n")
    checkout.commit("ics-guard.toml", CONFIGURATION)
    package = tmp_path / "stand in" / "ics_guard"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(GUARD)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    return Guarded(checkout, tmp_path / "seen")


def hook_path(guarded: Guarded, name: str) -> Path:
    return guarded.checkout.root / ".git" / "hooks" / name


# The hooks stand, and do what they are for


def test_all_hooks_stand_and_a_second_time_changes_nothing(guarded: Guarded) -> None:
    done = guarded.install()
    assert (done.style, done.hooks, done.chained, done.missing) == ("native", HOOKS, (), ())
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in done.folder.iterdir()}
    assert guarded.install() == done == guarded.installed()
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in done.folder.iterdir()} == before


def test_a_commit_of_nothing_watched_never_starts_python(guarded: Guarded) -> None:
    guarded.install()
    assert guarded.commit("plain.txt").returncode == 0
    assert guarded.calls() == []


@pytest.mark.parametrize("answer", ["1", "2", "3", "70", "130", "killed"])
def test_a_watched_commit_passes_only_if_the_guard_says_so(guarded: Guarded, answer: str) -> None:
    guarded.install()
    head = guarded.checkout.git("rev-parse", "HEAD")
    assert guarded.commit("a.sql", ANSWER=answer).returncode != 0
    assert guarded.checkout.git("rev-parse", "HEAD") == head
    assert guarded.calls() == [(["hook", "pre-commit"], "")]
    assert guarded.commit("a.sql", ANSWER="0").returncode == 0


def test_an_interrupt_leaves_the_commit_undone(guarded: Guarded) -> None:
    guarded.install()
    guarded.checkout.write("a.sql")
    guarded.checkout.git("add", "-A")
    process = subprocess.Popen(
        ["git", "commit", "-qm", "x"],
        cwd=guarded.checkout.root,
        env={**os.environ, "ANSWER": "sleep"},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    with process:
        for _ in range(600):
            if guarded.seen.exists() and guarded.seen.read_text():
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) != 0
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert guarded.checkout.git("rev-list", "--count", "HEAD") == "1"
    assert guarded.checkout.git("status", "--porcelain") == "A  a.sql"


def test_merges_clean_and_conflicted(guarded: Guarded) -> None:
    checkout = guarded.checkout
    checkout.commit("a.sql", "0")
    checkout.git("checkout", "-qb", "side")
    checkout.commit("b.sql")
    checkout.git("checkout", "-qb", "conflicting")
    checkout.commit("a.sql", "1")
    checkout.git("checkout", "-q", "main")
    checkout.commit("a.sql", "2")
    guarded.install()
    assert checkout.run("git", "merge", "-q", "--no-edit", "side", check=False, ANSWER="1").returncode != 0
    assert guarded.calls() == [(["hook", "pre-merge-commit"], "")]
    checkout.git("merge", "--abort")
    checkout.git("merge", "-q", "--no-edit", "side")
    assert guarded.calls() == [(["hook", "pre-merge-commit"], ""), (["hook", "post-merge", "0"], "")]
    checkout.git("merge", "-q", "conflicting", check=False)
    checkout.write("a.sql", "3")
    checkout.git("add", "-A")
    assert checkout.run("git", "commit", "-q", "--no-edit", check=False, ANSWER="1").returncode != 0
    assert guarded.calls() == [(["hook", "pre-commit"], "")]


def test_incoming_hooks_see_switches_and_rewrites_and_fail_nothing(guarded: Guarded) -> None:
    guarded.install()
    checkout = guarded.checkout
    checkout.git("checkout", "-q", "-b", "side")
    checkout.git("checkout", "-q", "--", "ics-guard.toml")
    assert guarded.calls() == []
    checkout.commit("plain.txt")
    checkout.git("checkout", "-q", "main")
    checkout.git("commit", "-q", "--amend", "--allow-empty", "-m", "other", ANSWER="1")
    main = checkout.git("rev-parse", "HEAD")
    assert guarded.calls() == [], "nothing watched came in, and git alone can tell"
    checkout.git("checkout", "-q", "side")
    checkout.write("a.sql", "x")
    checkout.git("add", "-A")
    checkout.git("commit", "-qnm", "x")
    side = checkout.git("rev-parse", "HEAD")
    done = checkout.run("git", "checkout", "-q", "main", ANSWER="1")
    assert "incoming migrations were not looked at" in done.stderr
    assert guarded.calls() == [(["hook", "post-checkout", side, main, "1"], "")]
    checkout.commit("more.txt")
    ours = checkout.git("rev-parse", "HEAD")
    assert checkout.run("git", "rebase", "-q", "side", ANSWER="1").returncode == 0
    rebased = checkout.git("rev-parse", "HEAD")
    started, ended = guarded.calls()
    assert started == (["hook", "post-checkout", ours, side, "1"], "")
    assert ended[0] == ["hook", "post-rewrite", "rebase"]
    assert ended[1].endswith(f"{ours} {rebased}\n")


@pytest.mark.parametrize("chain", [False, True])
def test_a_push_is_told_in_full(guarded: Guarded, tmp_path: Path, chain: bool) -> None:
    checkout = guarded.checkout
    remote = checkout.clone(tmp_path / "remote.git", "--bare")
    checkout.git("remote", "add", "origin", str(remote.root))
    if chain:
        checkout.hook("pre-push", 'echo "$@" > told && cat >> told')
    guarded.install()
    old, new = checkout.git("rev-parse", "HEAD"), checkout.commit("plain.txt")
    line = f"refs/heads/main {new} refs/heads/main {old}\n"
    assert checkout.run("git", "push", "-q", "origin", "main", check=False, ANSWER="1").returncode != 0
    assert guarded.calls() == [(["hook", "pre-push", "origin", str(remote.root)], line)]
    assert remote.git("rev-parse", "main") == old
    checkout.git("push", "-q", "origin", "main")
    assert remote.git("rev-parse", "main") == new
    if chain:
        assert (checkout.root / "told").read_text() == f"origin {remote.root}\n{line}"


def test_worktrees_share_the_hooks(guarded: Guarded, tmp_path: Path) -> None:
    guarded.checkout.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked tree"))
    linked = Guarded(Checkout(tmp_path / "linked tree"), guarded.seen)
    assert linked.install().folder == guarded.checkout.root / ".git" / "hooks"
    for place in (linked, guarded):
        assert place.commit("plain.txt").returncode == 0
        assert place.calls() == []
        assert place.commit("a.sql", ANSWER="1").returncode != 0
        assert place.calls() == [(["hook", "pre-commit"], "")]


def test_a_submodule_has_hooks_of_its_own(guarded: Guarded, tmp_path: Path) -> None:
    outer = Checkout.create(tmp_path / "outer")
    outer.git("submodule", "add", "-q", guarded.checkout.root.as_uri(), "sub")
    sub = Guarded(Checkout(outer.root / "sub"), guarded.seen)
    assert sub.install().folder == outer.root / ".git" / "modules" / "sub" / "hooks"
    assert sub.commit("plain.txt").returncode == 0
    assert sub.calls() == []
    assert sub.commit("a.sql", ANSWER="1").returncode != 0
    assert outer.run("git", "commit", "-qm", "x").returncode == 0


def test_a_repository_that_moved(guarded: Guarded, tmp_path: Path) -> None:
    guarded.install()
    moved = guarded.checkout.root.rename(tmp_path / 'it\'s "moved"')
    there = Guarded(Checkout(moved), guarded.seen)
    assert there.commit("plain.txt").returncode == 0
    assert there.calls() == []
    assert there.commit("a.sql", ANSWER="1").returncode != 0


# Hooks that were there before


def test_a_hook_that_was_there_runs_first_and_comes_back_byte_for_byte(guarded: Guarded) -> None:
    before = guarded.checkout.hook("pre-commit", 'printf "%s" "mine\xe9" >> ran')
    before.chmod(0o750)
    content = before.read_bytes()
    assert guarded.install().chained == ("pre-commit",)
    assert guarded.install().chained == ("pre-commit",)
    assert guarded.commit("plain.txt").returncode == 0
    assert guarded.commit("a.sql").returncode == 0
    assert (guarded.checkout.root / "ran").read_text() == "mine\xe9mine\xe9"
    assert set(guarded.uninstall()) == set(HOOKS)
    assert before.read_bytes() == content
    assert stat.S_IMODE(before.stat().st_mode) == 0o750
    assert [path.name for path in before.parent.iterdir() if not path.name.endswith(".sample")] == ["pre-commit"]
    assert guarded.uninstall() == ()


def test_its_failure_is_respected(guarded: Guarded) -> None:
    guarded.checkout.hook("pre-commit", "exit 9")
    guarded.checkout.hook("post-checkout", "exit 9")
    guarded.install()
    assert guarded.commit("plain.txt").returncode != 0
    assert guarded.commit("a.sql").returncode != 0
    assert guarded.calls() == []
    guarded.checkout.git("commit", "-qnm", "x")
    assert guarded.checkout.run("git", "checkout", "-q", "HEAD~1", check=False).returncode != 0
    assert [arguments[1] for arguments, _ in guarded.calls()] == ["post-checkout"]


def test_links_stay_links_and_hooks_that_never_ran_still_do_not(guarded: Guarded) -> None:
    folder = hook_path(guarded, "x").parent
    guarded.checkout.write("team/pre-commit", "#!/bin/sh\ntouch linked\n").chmod(0o755)
    (folder / "pre-commit").symlink_to("../../team/pre-commit")
    (folder / "pre-merge-commit").symlink_to("nowhere")
    idle = guarded.checkout.hook("pre-push", "touch idle")
    idle.chmod(0o644)
    guarded.install()
    assert guarded.commit("plain.txt").returncode == 0
    assert (guarded.checkout.root / "linked").exists()
    guarded.checkout.run(str(folder / "pre-push"), "origin", "url")
    assert not (guarded.checkout.root / "idle").exists()
    guarded.uninstall()
    assert (folder / "pre-commit").readlink() == Path("../../team/pre-commit")
    assert (folder / "pre-merge-commit").readlink() == Path("nowhere")
    assert stat.S_IMODE(idle.stat().st_mode) == 0o644


def test_a_hook_of_ours_that_somebody_edited_is_left_alone(guarded: Guarded) -> None:
    guarded.install()
    path = hook_path(guarded, "pre-push")
    path.write_text(path.read_text() + "# my own line\n")
    before = {p: p.read_bytes() for p in path.parent.iterdir()}
    assert guarded.installed().edited == ("pre-push",)
    for verb in (guarded.install, guarded.uninstall):
        with pytest.raises(UsageError, match="somebody edited") as caught:
            verb()
        assert caught.value.code == "hook-edited"
        assert str(path) in caught.value.fix
    assert {p: p.read_bytes() for p in path.parent.iterdir()} == before
    path.unlink()
    assert guarded.install().edited == ()


def test_two_foreign_hooks_are_one_too_many(guarded: Guarded) -> None:
    guarded.checkout.hook("pre-commit", "exit 0")
    guarded.install()
    mine = guarded.checkout.hook("pre-commit", "exit 1")
    with pytest.raises(UsageError) as caught:
        guarded.install()
    assert caught.value.code == "two-hooks"
    assert mine.read_text() == "#!/bin/sh\nexit 1\n"
    assert guarded.installed().missing == ("pre-commit",)


def test_an_install_that_was_killed_half_way_is_finished_by_the_next(guarded: Guarded) -> None:
    before = guarded.checkout.hook("pre-commit", "touch ran")
    os.link(before, before.with_name("pre-commit.ics-guard-chained"))
    before.with_name(".ics-guard-new").write_text("half")
    assert guarded.install().chained == ("pre-commit",)
    assert guarded.commit("plain.txt").returncode == 0
    assert (guarded.checkout.root / "ran").exists()


def test_a_folder_that_cannot_be_written(guarded: Guarded) -> None:
    folder = hook_path(guarded, "x").parent
    shutil.rmtree(folder)
    folder.write_text("a file")
    with pytest.raises(UsageError) as caught:
        guarded.install()
    assert caught.value.code == "hooks-unwritable"
    assert str(folder) in caught.value.message


# Other people's hooks folders


@pytest.mark.parametrize("absolute", [False, True])
def test_core_hooks_path_is_where_the_hooks_go(guarded: Guarded, tmp_path: Path, absolute: bool) -> None:
    folder = tmp_path / "my hooks" if absolute else guarded.checkout.root / "my hooks"
    guarded.checkout.git("config", "core.hooksPath", str(folder) if absolute else "my hooks")
    folder.mkdir()
    (folder / "pre-commit").write_text("#!/bin/sh\ntouch ran\n")
    (folder / "pre-commit").chmod(0o755)
    done = guarded.install()
    assert (done.folder, done.style, done.chained) == (folder, "native", ("pre-commit",))
    assert guarded.commit("plain.txt").returncode == 0
    assert (guarded.checkout.root / "ran").exists()
    assert guarded.commit("a.sql", ANSWER="1").returncode != 0
    guarded.uninstall()
    assert [path.name for path in folder.iterdir()] == ["pre-commit"]


@pytest.mark.parametrize("kind", ["tracked", "husky", "global"])
def test_hooks_that_are_not_ours_to_write_get_a_line_instead(guarded: Guarded, home: Path, kind: str) -> None:
    checkout = guarded.checkout
    places = {"tracked": checkout.root / ".githooks", "husky": checkout.root / ".husky", "global": home / "hooks"}
    folder = places[kind]
    folder.mkdir()
    checkout.git("config", *(["--global"] if kind == "global" else []), "core.hooksPath", str(folder))
    for name in BLOCKING:
        (folder / name).write_text("#!/bin/sh\necho own >> .git/own\n")
        (folder / name).chmod(0o755)
    if kind == "husky":  # what `husky` generates: a git-ignored folder of stubs that run the tracked hooks
        (folder / "_").mkdir()
        checkout.write(".husky/_/.gitignore", "*")
        checkout.git("config", "core.hooksPath", ".husky/_")
        for name in HOOKS:
            stub = checkout.write(
                f".husky/_/{name}", f'#!/bin/sh\n[ ! -f .husky/{name} ] || sh -e .husky/{name} "$@"\n'
            )
            stub.chmod(0o755)
    checkout.git("add", "-A")
    checkout.git("commit", "-qnm", "x", "--allow-empty")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UsageError) as caught:
        guarded.install()
    assert caught.value.code == "hooks-managed"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert guarded.installed().style == "none"
    line = caught.value.fix.splitlines()[-1]
    for name in BLOCKING:
        assert str(folder / name) in caught.value.fix
        (folder / name).write_text(f"#!/bin/sh\n{line}\necho own >> .git/own\n")
    checkout.git("add", "-A")
    checkout.git("commit", "-qnm", "the line", "--allow-empty")
    done = guarded.install()
    assert (done.style, done.hooks, done.missing) == ("managed", BLOCKING, ())
    assert guarded.commit("plain.txt").returncode == 0
    assert (checkout.root / ".git" / "own").read_text() == "own\n"
    assert guarded.calls() == []
    assert guarded.commit("a.sql", ANSWER="1").returncode != 0
    assert guarded.calls() == [(["hook", "pre-commit"], "")]
    assert set(guarded.uninstall()) == set(HOOKS)
    assert guarded.commit("a.sql", ANSWER="1").returncode == 0, "the line does nothing where ics-guard is not installed"


def test_lefthook_moves_foreign_hooks_aside_so_it_calls_ours(guarded: Guarded) -> None:
    checkout = guarded.checkout
    checkout.commit("lefthook.yml", "pre-commit:\n  commands:\n    own:\n      run: 'true'\n")
    theirs = checkout.hook("pre-commit", "lefthook run pre-commit")
    before = theirs.read_bytes()
    with pytest.raises(UsageError, match="kept by lefthook") as caught:
        guarded.install()
    assert theirs.read_bytes() == before
    told, _, addition = caught.value.fix.partition("\n")
    assert str(checkout.root / "lefthook.yml") in told
    checkout.write("lefthook-local.yml", addition)
    done = guarded.install()
    assert (done.style, done.hooks, done.missing) == ("managed", BLOCKING, ())
    checkout.write("a.sql")
    checkout.git("add", "-A")
    commands = [line.partition("run: ")[2].strip("'") for line in addition.splitlines() if "run: " in line]
    assert len(commands) == len(BLOCKING)
    for command in commands:  # what lefthook does with them: {0} are git's arguments
        told = command.replace("{0}", "origin url")
        assert checkout.run("sh", "-c", told, check=False, ANSWER="1").returncode != 0
    assert [arguments for arguments, _ in guarded.calls()] == [["hook", name, "origin", "url"] for name in BLOCKING]
    guarded.uninstall()
    assert checkout.run("sh", "-c", commands[0], check=False, ANSWER="1").returncode == 0
    assert theirs.read_bytes() == before


FRAMEWORK = """
repos:
- repo: local
  hooks:
  - {id: other, name: other, language: system, entry: touch framework-ran, always_run: true, pass_filenames: false}
"""
OURS = """
- repo: https://example.org/ics-guard
  rev: v1
  hooks:
  - id: ics-guard
"""


def test_never_both_native_and_framework(guarded: Guarded) -> None:
    guarded.checkout.commit(".pre-commit-config.yaml", FRAMEWORK + OURS)
    with pytest.raises(UsageError, match="already runs ics-guard") as caught:
        guarded.install()
    assert caught.value.code == "framework"
    assert "pre-commit install" in caught.value.fix
    assert (guarded.installed().style, guarded.installed().hooks) == ("none", ())
    guarded.checkout.run(sys.executable, "-m", "pre_commit", "install", "-t", "pre-commit", "-t", "pre-push")
    assert (guarded.installed().style, guarded.installed().hooks) == ("framework", ("pre-commit", "pre-push"))
    with pytest.raises(UsageError):
        guarded.install()


@pytest.mark.parametrize(
    ("name", "content", "runner"),
    [
        (".pre-commit-config.yaml", FRAMEWORK + OURS, "pre-commit install"),
        (".pre-commit-config.yml", "repos: [{repo: x, rev: v1, hooks: [{id: ics-guard}]}]\n", "pre-commit install"),
        ("prek.toml", '[[repos]]\nrepo = "x"\nrev = "v1"\nhooks = [{ id = "ics-guard" }]\n', "prek install"),
        ("prek.toml", '[[repos]]\nrepo = "x"\nrev = "v1"\n[[repos.hooks]]\nid = "ics-guard"\n', "prek install"),
    ],
)
def test_never_both_native_and_prek(guarded: Guarded, name: str, content: str, runner: str) -> None:
    guarded.checkout.commit(name, content)
    with pytest.raises(UsageError, match=f"{name} already runs ics-guard") as caught:
        guarded.install()
    assert caught.value.fix.startswith(runner)
    prek = Path(sys.executable).with_name("prek")
    guarded.checkout.run(str(prek), "install", "-t", "pre-commit", "-t", "post-merge")
    assert (guarded.installed().style, guarded.installed().hooks) == ("framework", ("pre-commit", "post-merge"))


@pytest.mark.parametrize("ours_first", [False, True])
def test_a_framework_without_us_is_chained_whoever_came_first(guarded: Guarded, ours_first: bool) -> None:
    checkout = guarded.checkout
    checkout.commit(".pre-commit-config.yaml", FRAMEWORK + "# id: ics-guard\n")
    if ours_first:
        guarded.install()
    checkout.run(sys.executable, "-m", "pre_commit", "install", PYTHONPATH="")
    done = guarded.install()
    assert (done.style, done.missing) == ("native", ())
    assert guarded.commit("plain.txt").returncode == 0
    assert (checkout.root / "framework-ran").exists()
    assert guarded.commit("a.sql", ANSWER="1").returncode != 0
    assert [arguments[1] for arguments, _ in guarded.calls()] == ["pre-commit"]
    guarded.uninstall()
    assert guarded.commit("a.sql", ANSWER="1").returncode == 0
    left = [path.name for path in hook_path(guarded, "x").parent.iterdir() if not path.name.endswith(".sample")]
    assert left == ["pre-commit"]


def test_the_manifest_for_the_framework() -> None:
    blocking, incoming = load_manifest(Path(__file__).parent.parent / ".pre-commit-hooks.yaml")
    for hook in (blocking, incoming):
        assert hook["always_run"] is True
        assert hook["pass_filenames"] is False
        assert hook["require_serial"] is True
    assert tuple(blocking["stages"]) == (*BLOCKING, "manual")
    assert tuple(incoming["stages"]) == tuple(name for name in HOOKS if name not in BLOCKING)


# ics-guard is missing or broken


@dataclass(frozen=True)
class Elsewhere:
    """An installation of its own, under paths with spaces, that can be broken."""

    guarded: Guarded
    python: Path
    package: Path


@pytest.fixture
def elsewhere(guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    package = tmp_path / "site päckages" / "ics_guard"
    shutil.copytree(Path(ics_guard.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    shipped = Path(__file__).parent.parent / "hooks"
    shutil.copytree(shipped, package / "_hooks")
    python = tmp_path / "the interpreter's" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    program = (
        "import sys; sys.executable = sys.argv[1]; from pathlib import Path; from ics_guard import config, git;"
        "from ics_guard.install import install; install(git.open_repository(Path.cwd()), config.load(Path.cwd()))"
    )
    paths = os.pathsep.join([str(package.parent), *sys.path])
    guarded.checkout.run(sys.executable, "-c", program, str(python), PYTHONPATH=paths)
    monkeypatch.setenv("PYTHONPATH", paths)
    return Elsewhere(guarded, python, package)


def without_us_on_path(tmp_path: Path) -> str:
    """A PATH on which there is git and all that, and no ics-guard."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "git", "cat", "cmp", "touch"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return str(folder)


@pytest.mark.parametrize("gone", ["interpreter", "package", "module", "dependency"])
def test_promise_10(elsewhere: Elsewhere, tmp_path: Path, gone: str) -> None:
    checkout, path = elsewhere.guarded.checkout, without_us_on_path(tmp_path)
    assert elsewhere.guarded.commit("plain.txt", PATH=path).stderr == ""
    told = gone in ("interpreter", "package")
    if gone == "interpreter":
        elsewhere.python.unlink()
    elif gone == "package":
        shutil.rmtree(elsewhere.package)
    elif gone == "module":
        (elsewhere.package / "__main__.py").write_text("import this_is_no_module\n")
    else:
        (elsewhere.package / "cli" / "gating.py").write_text("import this_is_no_module\n")
    passed = elsewhere.guarded.commit("plain.txt", PATH=path)
    assert passed.returncode == 0
    assert ("nothing watched is touched, so this passes" in passed.stderr) == told
    held = elsewhere.guarded.commit("a.sql", PATH=path)
    assert held.returncode != 0
    assert "may change a schema: blocked" in held.stderr
    assert "python3 -m pip install ics-guard && ics-guard install" in held.stderr
    assert "rm '.git/hooks/pre-commit'" in held.stderr
    checkout.git("reset", "-q", "--hard")
    assert checkout.run("git", "checkout", "-q", "HEAD~1", PATH=path).stderr == "", "surely nothing came in"
    checkout.write("a.sql", "x")
    checkout.git("add", "-A")
    checkout.git("commit", "-qnm", "x")
    checkout.run("git", "checkout", "-q", "main", PATH=path)
    assert "ics-guard: " in checkout.run("git", "checkout", "-q", "-", PATH=path).stderr
    pushed = checkout.run(".git/hooks/pre-push", "origin", "url", check=False, PATH=path)
    assert pushed.returncode != 0
    (checkout.root / ".git" / "ics-guard" / "sieve").unlink()
    assert elsewhere.guarded.commit("plain.txt", PATH=path).returncode != 0, "without a sieve nothing is sure"


def test_another_installation_on_path_steps_in(elsewhere: Elsewhere, tmp_path: Path) -> None:
    path = without_us_on_path(tmp_path)
    elsewhere.python.unlink()
    other = tmp_path / "bin" / "ics-guard"
    other.write_text('#!/bin/sh\necho "$@" >> "$SEEN"\nexit "$ANSWER"\n')
    other.chmod(0o755)
    assert elsewhere.guarded.commit("a.sql", PATH=path, ANSWER="1").returncode != 0
    done = elsewhere.guarded.commit("a.sql", PATH=path, ANSWER="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert elsewhere.guarded.seen.read_text() == "hook pre-commit\n" * 2
    other.write_text("#!/nonexistent/python\n")
    held = elsewhere.guarded.commit("a.sql", PATH=path)
    assert held.returncode != 0
    assert "python3 -m pip install ics-guard" in held.stderr


def test_files_of_the_repository_are_never_imported_by_the_hook(elsewhere: Elsewhere) -> None:
    checkout = elsewhere.guarded.checkout
    for name in ("ics_guard/__init__.py", "ics_guard/__main__.py", "logging.py", "select.py"):
        checkout.write(name, "open('imported', 'w').close()\nraise SystemExit(0)\n")
    elsewhere.guarded.commit("a.sql")
    assert not (checkout.root / "imported").exists()
