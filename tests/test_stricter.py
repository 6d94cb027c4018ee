"""Nobody loosens their own gate: the configuration that a change comes from has its say, loosening is a change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.alembic_support import ADD_COLUMN, alembic, make_alembic_repository, write_revision
from tests.gate_support import DROP, REFUSE, codes, configure, judged, rules, stage
from tests.support import CONFIG, git, ics_guard, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo", config=REFUSE)


@pytest.mark.parametrize(
    "looser",
    [
        CONFIG,
        REFUSE + 'require_backup = ["additive"]\n',
        REFUSE + 'rules = { "sql.drop_table" = "notice" }\n',
        REFUSE.replace("migrations/*.sql", "elsewhere/*.sql"),
        REFUSE.replace("[watch]\n", '[watch]\nexclude = ["migrations/**"]\n'),
        REFUSE + "[env.local.sources.db2]\npath = 'x.db'\ngate = false\n",
    ],
)
def test_the_configuration_that_a_change_comes_from_still_holds_it(repository: Path, looser: str) -> None:
    (repository / "migrations" / "0002.sql").write_text(DROP)
    configure(repository, looser)
    code, document = judged(repository)
    assert code == 1
    assert "no-backup" in codes(document)
    assert "sql.drop_table" in rules(document)


def test_taking_the_configuration_away_does_not_open_the_gate(repository: Path) -> None:
    assert ics_guard(repository, "install").returncode == 0
    (repository / "migrations" / "0002.sql").write_text(DROP)
    git(repository, "add", "-A")
    git(repository, "rm", "-q", "--cached", "ics-guard.toml")
    code, document = judged(repository)
    assert (code, "config.loosened" in rules(document)) == (1, True)
    git(repository, "rm", "-q", "--cached", "--ignore-unmatch", "ics-guard.toml")
    done = git(repository, "commit", "-m", "free at last", check=False)
    assert done.returncode == 1
    assert "the file is gone" in done.stderr or "ics-guard.toml" in done.stderr


def test_what_is_staged_counts_and_so_does_what_stands_in_the_work_tree(repository: Path) -> None:
    (repository / "migrations" / "0002.sql").write_text(DROP)
    git(repository, "add", "-A")
    (repository / "ics-guard.toml").write_text(CONFIG)
    code, document = judged(repository)
    assert (code, codes(document)) == (1, ["no-backup"]), "looser in the work tree, but that is not what is committed"
    configure(repository, CONFIG + '[policy]\nrequire_backup = ["additive"]\n')
    git(repository, "commit", "-qm", "looser", "--no-verify")
    (repository / "migrations" / "0003.sql").write_text("DROP INDEX idx_segments_episode;\n")
    git(repository, "add", "-A")
    assert judged(repository)[0] == 0
    (repository / "ics-guard.toml").write_text(REFUSE)
    assert judged(repository)[0] == 1, "stricter in the work tree"


def test_a_range_is_judged_by_its_own_configuration_not_by_what_is_checked_out(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    stage(repository, other__1__sql="", migrations__0002="")
    (repository / "other").mkdir(exist_ok=True)
    (repository / "other" / "1.sql").write_text(DROP)
    configure(repository, REFUSE.replace('"migrations/*.sql"', '"migrations/*.sql", "other/*.sql"'))
    git(repository, "commit", "-qm", "other", "--no-verify")
    git(repository, "switch", "-q", "main")
    code, document = judged(repository, "--range", "main..work")
    assert (code, rules(document)) == (1, ["sql.drop_table"])


def test_a_diff_that_cannot_be_had_is_held_with_the_way_to_have_it(repository: Path, tmp_path: Path) -> None:
    for number in range(3):
        stage(repository, **{f"file{number}": "x"})
        git(repository, "commit", "-qm", "more", "--no-verify")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", repository.as_uri(), str(shallow))
    code, document = judged(shallow, "--range", "HEAD~2..HEAD")
    assert (code, document["verdict"], codes(document)) == (1, "block", ["unknown-ref"])
    assert "fetch-depth: 0" in document["reasons"][0]["fix"]
    code, document = judged(repository, "--range", "nowhere..HEAD")
    assert (code, codes(document)) == (1, ["unknown-ref"])


def test_a_broken_configuration_passes_nothing(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    configure(repository, REFUSE + "[watch.nonsense]\n")
    git(repository, "commit", "-qm", "broken", "--no-verify")
    git(repository, "switch", "-q", "main")
    done = ics_guard(repository, "gate", "--range", "main..work")
    assert done.returncode == 2
    assert "ics-guard.toml" in done.stderr


def test_an_edit_of_a_revision_that_the_database_has_applied_is_a_bad_finding(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "repo")
    path = write_revision(project, "0003", ADD_COLUMN)
    git(project, "commit", "-qm", "third", "--no-verify")
    write_revision(project, "0003", ADD_COLUMN.replace("rating", "stars"))
    assert "alembic.applied_edited" not in rules(judged(project, command="check")[1]), "nobody has run it"
    git(project, "checkout", "-q", "HEAD", "--", ".")
    assert alembic(project, "upgrade", "head").returncode == 0
    write_revision(project, "0003", ADD_COLUMN.replace("rating", "stars"))
    code, document = judged(project, command="check")
    edit = next(change for change in document["changes"] if change["rule"] == "alembic.applied_edited")
    assert (edit["severity"], edit["object"], edit["sources"]) == ("destructive", "0003", ["podcast"])
    assert code == 0
    code, document = judged(project)
    assert code == 0, "the guard in env.py took a backup from before"
    assert "already-applied" in codes(document)
    path.unlink()
    git(project, "add", "-A")
    assert "alembic.applied_edited" in rules(judged(project, command="check")[1])


def test_an_applied_revision_may_be_reformatted(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "repo")
    (path,) = (project / "migrations" / "versions").glob("0002*.py")
    path.write_text("# said better\n" + path.read_text())
    git(project, "add", "-A")
    assert judged(project)[1]["changes"] == []


def test_a_new_signer_does_not_slip_through_the_sieve(repository: Path) -> None:
    assert ics_guard(repository, "install").returncode == 0
    (repository / "README").write_text("unwatched\n")
    git(repository, "add", "-A")
    assert git(repository, "commit", "-qm", "nothing").returncode == 0
    stage(repository, **{".ics-guard/allowed_signers": "mallory@example.org ssh-ed25519 AAAA\n"})
    done = git(repository, "commit", "-m", "trust me", check=False)
    assert done.returncode == 1
    assert "config.signer" in done.stderr


@pytest.mark.parametrize("options", [["--range", ""], ["--range", "..HEAD"], ["--from-ref", "", "--to-ref", ""]])
def test_a_variable_that_is_not_set_passes_nothing(repository: Path, options: list[str]) -> None:
    done = ics_guard(repository, "gate", "--json", *options)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "bad-range")


def test_a_tag_cannot_stand_for_a_branch(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"migrations__0002.sql": DROP})
    git(repository, "commit", "-qm", "drop", "--no-verify")
    git(repository, "tag", "main", "work")
    code, document = judged(repository, "--range", "main..work")
    assert (code, codes(document)) == (1, ["ambiguous-ref"])
    assert judged(repository, "--range", "refs/heads/main..work")[0] == 1


def test_a_line_that_only_ssh_reads_as_a_signer_is_one(repository: Path) -> None:
    (repository / ".ics-guard").mkdir()
    (repository / ".ics-guard" / "allowed_signers").write_bytes(b"\xc2\xa0# ssh-ed25519 AAAA\n\x0bx ssh-ed25519 BBBB\n")
    git(repository, "add", "-A")
    assert rules(judged(repository, command="check")[1]) == ["config.signer"] * 2
