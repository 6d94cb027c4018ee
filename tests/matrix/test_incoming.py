"""Every way for a migration to come in: it is told once, or nothing is, and the git command never fails."""

from __future__ import annotations

import pytest

from tests.matrix.conftest import Guarded, Situation

_SIDE = "quiet switch -qc side; sql 2; slip; quiet switch -q main"
_THEIRS = "quiet clone -q ../remote.git ../other 2>&1; (cd ../other; sql 2; slip; quiet push -q origin HEAD:main)"
_NEITHER = (
    "quiet clone -q ../remote.git ../other 2>&1; (cd ../other; echo x > theirs; slip; quiet push -q origin HEAD:main)"
)

WAYS = [
    Situation("switch to it", _SIDE, "git switch -q side", "told"),
    Situation("switch back", f"{_SIDE}; quiet switch -q side", "git switch -q main", "silent"),
    Situation(
        "switch to nothing watched",
        "quiet switch -qc side; words x; slip; quiet switch -q main",
        "git switch -q side",
        "silent",
    ),
    Situation("a new branch", "", "git switch -qc side", "silent"),
    Situation("one file from it", _SIDE, "git checkout -q side -- migrations/2.sql", "silent"),
    Situation("pull, fast-forward", _THEIRS, "git pull -q --ff", "told"),
    Situation("pull of nothing watched", _NEITHER, "git pull -q --ff", "silent"),
    Situation("pull --rebase", f"{_THEIRS}; words x; slip", "git pull -q --rebase", "told"),
    Situation("pull --rebase, fast-forward", _THEIRS, "git pull -q --rebase", "told"),
    Situation("rebase", f"{_SIDE}; words x; slip", "git rebase -q side", "told"),
    Situation("rebase, one's own", f"{_SIDE}; words x; slip; quiet switch -q side", "git rebase -q main", "silent"),
    Situation("squash", _SIDE, "git merge -q --squash side", "told"),
    Situation("amend", "sql 2; slip", "git commit -q --amend -m other", "silent"),
]

MORE = [
    Situation("merge, unasked", f"{_SIDE}; words x; slip", "git merge -q --no-verify side -m x", "told"),
    Situation("merge, held", f"{_SIDE}; words x; slip", "git merge -q side -m x", "held"),
    Situation("merge --ff-only", _SIDE, "git merge -q --ff-only side", "told"),
    Situation("merge of what is there", f"{_SIDE}; quiet merge -q side", "git merge -q side", "silent"),
    Situation(
        "made and undone in the branch",
        f"{_SIDE}; quiet switch -q side; git rm -q migrations/2.sql; words x; slip; quiet switch -q main",
        "git switch -q side",
        "silent",
    ),
    Situation(
        "both have grown",
        f"sql 3; slip; quiet switch -qc side HEAD~1; sql 2; slip; quiet switch -q main",
        "git switch -q side",
        "told",
    ),
    Situation("the same by another way", f"{_SIDE}; sql 2; words x; slip", "git switch -q side", "silent"),
    Situation(
        "nothing in common",
        "git checkout -q --orphan other; sql 2; slip; quiet switch -q main",
        "git switch -q other",
        "told",
    ),
    Situation(
        "a deletion comes in",
        "quiet switch -qc side; git rm -q migrations/1.sql; slip; quiet switch -q main",
        "git switch -q side",
        "told",
    ),
    Situation("checkout of a file", "rm migrations/1.sql", "git checkout -q migrations/1.sql", "silent"),
    Situation("detached", _SIDE, "git checkout -q --detach side", "told"),
    Situation("worktree add", _SIDE, "git worktree add -q ../linked side", "silent"),
    Situation(
        "clone",
        f"{_SIDE}; mkdir ../made; cp -r .git/hooks ../made",
        "git clone -q --template=../made . ../copy",
        "silent",
    ),
    Situation("stash", "sql 2; git add -A", "git stash -q; git stash pop -q", "silent"),
    Situation(
        "bisect, back",
        "sql 2; slip; words x; slip; words y; slip; git bisect start -q >/dev/null; git bisect bad",
        "git bisect good HEAD~3 >/dev/null",
        "silent",
    ),
    Situation(
        "bisect, forward",
        "words x; slip; sql 2; slip; words y; slip; git bisect start >/dev/null; git bisect bad; quiet switch -q --detach HEAD~3",
        "git bisect good >/dev/null",
        "told",
    ),
    Situation("reset --hard", _SIDE, "git reset -q --hard side", "silent"),
    Situation("cherry-pick", _SIDE, "git cherry-pick side >/dev/null", "silent"),
    Situation("pull with a merge, held", f"{_THEIRS}; words x; slip", "git pull -q --no-rebase --no-edit", "held"),
    Situation("pull --rebase, autostash", f"{_THEIRS}; words x", "git pull -q --rebase --autostash", "told"),
    Situation(
        "pull --rebase by configuration",
        f"{_THEIRS}; words x; slip; git config pull.rebase true; git config rebase.autoStash true; echo y > README",
        "git pull -q",
        "told",
    ),
    Situation("rebase --apply", f"{_SIDE}; words x; slip", "git rebase -q --apply side", "told"),
    Situation(
        "rebase, all of it upstream",
        f"{_SIDE}; sql 2; slip; sql 4; quiet switch -q side; slip; quiet switch -q main",
        "git rebase -q side",
        "told",
    ),
    Situation(
        "rebase onto", f"{_SIDE}; words x; slip; echo y > other; slip", "git rebase -q --onto side HEAD~1", "told"
    ),
    Situation("rebase, fast-forward", _SIDE, "git rebase -q side", "told"),
    Situation(
        "rebase, the hook at its end alone",
        f"{_SIDE}; words x; slip; rm .git/hooks/post-checkout",
        "git rebase -q side",
        "told",
    ),
    Situation(
        "amend after an old merge",
        f"{_SIDE}; quiet merge -q side; words x; slip; rm .git/hooks/post-checkout",
        "git commit -q --amend -m x",
        "silent",
    ),
    Situation(
        "merge, an old ORIG_HEAD and no log",
        f"{_SIDE}; git update-ref ORIG_HEAD side; git config core.logAllRefUpdates false; rm -r .git/logs",
        "git merge -q side",
        "told",
    ),
    Situation("policy says off", f"sed -i s/warn/off/ ics-guard.toml; slip; {_SIDE}", "git switch -q side", "silent"),
]


@pytest.mark.parametrize("situation", WAYS, ids=lambda row: row.name)
def test_ways(guarded: Guarded, situation: Situation) -> None:
    assert guarded.verdict(situation) == situation.expected(guarded.style)


@pytest.mark.parametrize("situation", MORE, ids=lambda row: row.name)
@pytest.mark.parametrize("style", ["native"], indirect=True)
def test_more(guarded: Guarded, situation: Situation) -> None:
    assert guarded.verdict(situation) == situation.expected(guarded.style)


@pytest.mark.parametrize("style", ["pre-commit", "prek"], indirect=True)
def test_a_rebase_where_only_the_hook_at_its_end_is_installed(guarded: Guarded) -> None:
    """The framework swallows git's lines: the log of HEAD knows, and an old ORIG_HEAD is not asked."""
    row = Situation("", f"{_SIDE}; words x; slip; rm .git/hooks/post-checkout", "git rebase -q side", "told")
    assert guarded.verdict(row) == "told"
