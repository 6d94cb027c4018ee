"""Every way for a migration to come in: it is told once, or nothing is, and the git command never fails."""

from __future__ import annotations

import pytest

from tests.matrix.conftest import Guarded, Situation

WAYS = [
    Situation("switch to it", "on side 'sql 2'", "git switch -q side", "told"),
    Situation("switch back", "on side 'sql 2'; quiet switch -q side", "git switch -q main", "silent"),
    Situation("switch to nothing watched", "on side 'words x'", "git switch -q side", "silent"),
    Situation("a new branch", "", "git switch -qc side", "silent"),
    Situation("one file from it", "on side 'sql 2'", "git checkout -q side -- migrations/2.sql", "silent"),
    Situation("pull, fast-forward", "theirs 'sql 2'", "git pull -q --ff", "told"),
    Situation("pull of nothing watched", "theirs 'echo x > other'", "git pull -q --ff", "silent"),
    Situation("pull --rebase", "theirs 'sql 2'; words x; slip", "git pull -q --rebase", "told"),
    Situation("pull --rebase, fast-forward", "theirs 'sql 2'", "git pull -q --rebase", "told"),
    Situation("rebase", "on side 'sql 2'; words x; slip", "git rebase -q side", "told"),
    Situation(
        "rebase, one's own", "on side 'sql 2'; words x; slip; quiet switch -q side", "git rebase -q main", "silent"
    ),
    Situation("squash", "on side 'sql 2'", "git merge -q --squash side", "told"),
    Situation("amend", "sql 2; slip", "git commit -q --amend -m other", "silent"),
]

MORE = [
    Situation("merge, unasked", "on side 'sql 2'; words x; slip", "git merge -q --no-verify side -m x", "told"),
    Situation("merge, held", "on side 'sql 2'; words x; slip", "git merge -q side -m x", "held"),
    Situation("merge --ff-only", "on side 'sql 2'", "git merge -q --ff-only side", "told"),
    Situation("merge of what is there", "on side 'sql 2'; quiet merge -q side", "git merge -q side", "silent"),
    Situation(
        "made and undone in the branch",
        "on side 'sql 2'; on side 'git rm -q migrations/2.sql; words x'",
        "git switch -q side",
        "silent",
    ),
    Situation(
        "both have grown",
        "sql 3; slip; quiet switch -qc side HEAD~1; sql 2; slip; quiet switch -q main",
        "git switch -q side",
        "told",
    ),
    Situation("the same by another way", "on side 'sql 2'; sql 2; sql 3; slip", "git switch -q side", "silent"),
    Situation(
        "nothing in common",
        "git checkout -q --orphan other; sql 2; slip; quiet switch -q main",
        "git switch -q other",
        "told",
    ),
    Situation("a deletion comes in", "on side 'git rm -q migrations/1.sql'", "git switch -q side", "told"),
    Situation("checkout of a file", "rm migrations/1.sql", "git checkout -q migrations/1.sql", "silent"),
    Situation("detached", "on side 'sql 2'", "git checkout -q --detach side", "told"),
    Situation("worktree add", "on side 'sql 2'", "git worktree add -q ../linked side", "silent"),
    Situation(
        "clone",
        "on side 'sql 2'; mkdir ../made; cp -r .git/hooks ../made",
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
        "words x; slip; sql 2; slip; words y; slip; git bisect start >/dev/null; "
        "git bisect bad; quiet switch -q --detach HEAD~3",
        "git bisect good >/dev/null",
        "told",
    ),
    Situation("reset --hard", "on side 'sql 2'", "git reset -q --hard side", "silent"),
    Situation("cherry-pick", "on side 'sql 2'", "git cherry-pick side >/dev/null", "silent"),
    Situation("pull with a merge, held", "theirs 'sql 2'; words x; slip", "git pull -q --no-rebase --no-edit", "held"),
    Situation("pull --rebase, autostash", "theirs 'sql 2'; words x", "git pull -q --rebase --autostash", "told"),
    Situation(
        "pull --rebase by configuration",
        "theirs 'sql 2'; words x; slip; git config pull.rebase true; git config rebase.autoStash true; echo y > README",
        "git pull -q",
        "told",
    ),
    Situation("rebase --apply", "on side 'sql 2'; words x; slip", "git rebase -q --apply side", "told"),
    Situation(
        "rebase, all of it upstream",
        "on side 'sql 2'; sql 2; slip; sql 4; quiet switch -q side; slip; quiet switch -q main",
        "git rebase -q side",
        "told",
    ),
    Situation(
        "rebase onto",
        "on side 'sql 2'; words x; slip; echo y > other; slip",
        "git rebase -q --onto side HEAD~1",
        "told",
    ),
    Situation("rebase, fast-forward", "on side 'sql 2'", "git rebase -q side", "told"),
    Situation(
        "rebase, the hook at its end alone",
        "on side 'sql 2'; words x; slip; rm .git/hooks/post-checkout",
        "git rebase -q side",
        "told",
    ),
    Situation(
        "amend after an old merge",
        "on side 'sql 2'; quiet merge -q side; words x; slip; rm .git/hooks/post-checkout",
        "git commit -q --amend -m x",
        "silent",
    ),
    Situation(
        "merge, an old ORIG_HEAD and no log",
        "on side 'sql 2'; git update-ref ORIG_HEAD side; git config core.logAllRefUpdates false; rm -r .git/logs",
        "git merge -q side",
        "told",
    ),
    Situation(
        "policy says off", "sed -i s/warn/off/ ics-guard.toml; slip; on side 'sql 2'", "git switch -q side", "silent"
    ),
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
    row = Situation("", "on side 'sql 2'; words x; slip; rm .git/hooks/post-checkout", "git rebase -q side", "told")
    assert guarded.verdict(row) == "told"
