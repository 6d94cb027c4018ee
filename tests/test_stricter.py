"""Nobody loosens their own gate: the configuration that a change comes from has its say, loosening is a change."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ics_guard import config
from ics_guard import git as git_questions
from ics_guard.detect.rules import RULES
from ics_guard.errors import ConfigError
from ics_guard.model import Silence
from ics_guard.project import in_environment
from ics_guard.views import views
from tests.alembic_support import ADD_COLUMN, alembic, make_alembic_repository, write_revision
from tests.alembic_support import CONFIG as ALEMBIC_CONFIG
from tests.support import CONFIG, git, ics_guard, make_database, make_repository

REFUSE = CONFIG + '[policy]\non_missing = "refuse"\n'
DROP = "DROP TABLE segments;\n"


def judged(folder: Path, *options: str, command: str = "gate") -> tuple[int, dict[str, Any]]:
    done = ics_guard(folder, command, "--json", *options)
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document


def codes(document: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in document["reasons"]]


def rules(document: dict[str, Any]) -> list[str]:
    return [change["rule"] for change in document["changes"]]


def stage(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "-A")


def configure(folder: Path, text: str) -> None:
    (folder / "ics-guard.toml").write_text(text)
    git(folder, "add", "-A")


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


@pytest.mark.parametrize("committed", [False, True])
def test_a_loosening_is_a_risky_change_of_its_own(repository: Path, committed: bool) -> None:
    configure(repository, REFUSE.replace('"refuse"\n', '"refuse"\nrpo = "48h"\n'))
    options = ["--staged"]
    if committed:
        git(repository, "commit", "-qm", "looser", "--no-verify")
        options = ["--range", "HEAD^..HEAD"]
    code, document = judged(repository, *options)
    (change,) = document["changes"]
    assert (code, change["rule"], change["severity"], change["kind"]) == (1, "config.loosened", "risky", "config")
    assert (change["object"], change["path"], change["sources"]) == ("env.local.policy.rpo", "ics-guard.toml", ["db"])
    assert "rpo is 2d, it was 1d" in change["reason"]
    line = (repository / "ics-guard.toml").read_text().splitlines()[change["line"] - 1]
    assert line == "[env.local]" or line.startswith("rpo")
    assert ics_guard(repository, "check", *options, "--exit-code").returncode == 1
    assert ics_guard(repository, "backup").returncode == 0
    assert judged(repository, *options)[0] == 0


def test_a_stricter_or_rewritten_configuration_is_no_change(repository: Path) -> None:
    stricter = REFUSE.replace('"refuse"\n', '"refuse"\nrpo = "1h"\nwaivers = "refuse"\n')
    configure(repository, "# why\n" + stricter.replace("migrations/*.sql", "migrations/**/*.sql"))
    assert judged(repository) == (
        0,
        {"schema_version": 1, "verdict": "allow", "reasons": [], "changes": [], "backups": []},
    )


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


def test_moving_the_revisions_away_in_alembic_ini_is_seen(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "repo", config=ALEMBIC_CONFIG)
    text = (project / "alembic.ini").read_text()
    (project / "elsewhere" / "versions").mkdir(parents=True)
    (project / "elsewhere" / "versions" / "keep").write_text("")
    (project / "alembic.ini").write_text(text.replace("/migrations", "/elsewhere"))
    assert text != (project / "alembic.ini").read_text()
    write_revision(project, "0003", "op.drop_table('segments')")
    git(project, "commit", "-qm", "moved", "--no-verify")
    _, document = judged(project, "--range", "HEAD^..HEAD", command="check")
    assert "config.loosened" in rules(document)
    _, document = judged(project, "--range", "HEAD^..HEAD")
    assert {"config.loosened"} <= set(rules(document))


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


SEVERITIES = {name: rule.severity for name, rule in RULES.items()}


def loosened(tmp_path: Path, before: str, after: str) -> list[str]:
    names = ("before", "after")
    for name in names:
        (tmp_path / name / "db" / "versions").mkdir(parents=True)
    loaded = []
    for name, text in zip(names, (before, after), strict=True):
        (tmp_path / name / "ics-guard.toml").write_text(text)
        loaded.append(config.load(tmp_path / name))
    before_config, after_config = loaded
    return [".".join(found.key) for found in config.loosenings(before_config, after_config, SEVERITIES)]


BASE = """\
version = 1
[watch]
alembic = ["db/versions"]
sql = ["db/*.sql", "deep/**/x?.sql"]
models = ["app/"]
[env.local]
mirror = "m"
[env.local.policy]
rpo = "24h"
require_backup = ["destructive", "risky"]
rules = { "sql.drop_index" = "risky" }
retention = { daily = 7 }
[env.local.sources.db]
path = "a.db"
guards = ["db/**"]
smoke = [{ sql = "SELECT 1" }]
[env.prod]
required = true
[env.prod.sources.db]
path = "p.db"
"""


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("", "", []),
        ('"24h"', '"1440m"', []),
        ('"24h"', '"12h"', []),
        ('"24h"', '"25h"', ["env.local.policy.rpo"]),
        ('"risky"]', '"risky", "additive"]', []),
        ('"destructive", "risky"]', '"destructive"]', ["env.local.policy.require_backup"]),
        ('"db/*.sql"', '"db/**/*.sql"', []),
        ('"db/*.sql"', '"db/1*.sql"', ["watch.sql"]),
        ('"db/*.sql"', '"db/*.sql", "!db/9.sql"', ["watch.sql"]),
        ('alembic = ["db/versions"]', "", ["watch.alembic"]),
        ('alembic = ["db/versions"]', 'alembic = ["db"]', []),
        ('models = ["app/"]', 'models = ["/app/**"]', ["watch.models"]),
        ('models = ["app/"]', 'models = ["**/app/**"]', []),
        ('"deep/**/x?.sql"', '"deep/**/any/x?.sql"', ["watch.sql"]),
        ('"deep/**/x?.sql"', '"deep/"', []),
        ('"deep/**/x?.sql"', '"deep/*/x?.sql"', ["watch.sql"]),
        ('"deep/**/x?.sql"', '"**/x?.sql"', []),
        ('"deep/**/x?.sql"', '"*.sql"', []),
        ('"db/*.sql"', '"/db/*.sql"', []),
        ('"db/*.sql"', '"*.sql"', []),
        ('"db/*.sql"', '"db/*.py"', ["watch.sql"]),
        ('"db/*.sql", "deep/**/x?.sql"', '"*.sql", "!deep/**"', ["watch.sql"]),
        ("[watch]", '[watch]\ndjango = ["db/migrate*.sql"]', ["watch.sql"]),
        ("[watch]", '[watch]\ndjango = ["*/migrations/*.py"]', []),
        ("[watch]", '[watch]\nembedded = ["db/*"]', []),
        ('models = ["app/"]', 'exclude = ["db/1.sql"]', ["watch.models", "watch.exclude"]),
        ('"sql.drop_index" = "risky"', '"sql.drop_index" = "destructive"', []),
        ('"sql.drop_index" = "risky"', '"sql.drop_index" = "additive"', ["env.local.policy.rules.sql.drop_index"]),
        ('"sql.drop_index" = "risky"', "", []),
        ('"sql.drop_index" = "risky"', '"sql.create_table" = "destructive"', []),
        ("daily = 7", "daily = 6", ["env.local.policy.retention"]),
        ('mirror = "m"', "", ["env.local.mirror"]),
        ('guards = ["db/**"]', 'guards = ["db/**", "x/**"]', []),
        ('guards = ["db/**"]', 'guards = ["db/*"]', ["env.local.sources.db.guards"]),
        ('guards = ["db/**"]', 'guards = ["db/**", "!db/1"]', ["env.local.sources.db.guards"]),
        ('smoke = [{ sql = "SELECT 1" }]', "", ["env.local.sources.db.smoke"]),
        ('smoke = [{ sql = "SELECT 1" }]', "gate = false", ["env.local.sources.db.gate", "env.local.sources.db.smoke"]),
        ('path = "a.db"', 'path = "b.db"', ["env.local.sources.db.path"]),
        ('path = "a.db"', 'path = "a.db"\nunchecked = ["t"]', ["env.local.sources.db.unchecked"]),
        ('sources.db]\npath = "a.db"', 'sources.other]\npath = "a.db"', ["env.local.sources.db"]),
        ("required = true", "", ["env.prod.required"]),
        ("required = true", 'required = true\npolicy = { on_missing = "create" }', ["env.prod.policy.on_missing"]),
        ("required = true", "required = true\npolicy = { current = false }", ["env.prod.policy.current"]),
        ("required = true", 'required = true\npolicy = { on_incoming = "off" }', ["env.prod.policy.on_incoming"]),
        ('[env.prod]\nrequired = true\n[env.prod.sources.db]\npath = "p.db"\n', "", ["env.prod"]),
    ],
)
def test_what_is_a_loosening_and_what_is_not(tmp_path: Path, old: str, new: str, keys: list[str]) -> None:
    assert old in BASE
    assert loosened(tmp_path, BASE, BASE.replace(old, new, 1)) == keys


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


def test_no_policy_speaks_for_its_own_loosening(tmp_path: Path) -> None:
    """Each of these, in the very change that it is to let through, and where the data cannot be seen."""
    base = CONFIG + "[policy]\n"
    repository = make_repository(tmp_path / "repo", config=base, rows=0)
    (repository / "migrations" / "0002.sql").write_text(DROP)
    for more in (
        "require_backup = []\n",
        'require_backup = ["additive"]\n',
        'rules = { "config.loosened" = "notice", "sql.drop_table" = "notice" }\n',
    ):
        configure(repository, base + more)
        code, document = judged(repository)
        assert (code, "never-seen" in codes(document)) == (1, True), more
        assert "sql.drop_table" in rules(document)


NARROW = """\
version = 1
[watch]
sql = ["migrations/*.sql"]
exclude = ["migrations/*", "!migrations/0*.sql"]
embedded = ["scripts/*.py"]
[env.local.sources.db]
path = "data/app.db"
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('sql = ["migrations/*.sql"]', 'sql = ["migrations/any.sql"]'),
        ('sql = ["migrations/*.sql"]', 'sql = ["migrations/a*", "migrations/b*"]'),
        ('sql = ["migrations/*.sql"]', 'sql = ["migrations/[!d]*.sql"]'),
        (', "!migrations/0*.sql"]', "]"),
        ('["migrations/*", "!migrations/0*.sql"]', '["!migrations/0*.sql", "migrations/*"]'),
        ('embedded = ["scripts/*.py"]', 'embedded = ["scripts/*.py"]\ndjango = ["scripts/*.py"]'),
        ('path = "data/app.db"', 'path = "data/app.db"\n[env.x.sources.db]\npath = "x.db"\n'),
        ('path = "data/app.db"', 'path = "data/app.db"\n[env.local]\nstore = "elsewhere"'),
    ],
)
def test_what_is_watched_cannot_be_talked_away(tmp_path: Path, old: str, new: str) -> None:
    assert old in NARROW
    after = NARROW.replace(old, new, 1)
    if "[env.x" in new:
        after = after.replace("version = 1", 'version = 1\ndefault_env = "x"')
    repository = make_repository(tmp_path / "repo", config=NARROW, rows=0)
    (repository / "migrations" / "0002.sql").write_text(DROP)
    (repository / "scripts").mkdir()
    (repository / "scripts" / "a.py").write_text(f"db.execute({DROP!r})\n")
    configure(repository, after)
    code, document = judged(repository)
    assert (code, {"config.loosened", "config.moved"} & {*rules(document)} != set()) == (1, True)
    assert "sql.drop_table" in rules(document)


def test_a_configuration_that_could_not_be_read_opens_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", config=CONFIG + "[bogus]\nx = 1\n", rows=0)
    (repository / "migrations" / "0002.sql").write_text(DROP)
    configure(repository, CONFIG.replace("migrations/*.sql", "elsewhere/*.sql"))
    code, document = judged(repository)
    assert (code, rules(document)) == (1, ["config.loosened"])
    assert "cannot be read" in document["changes"][0]["reason"]


@pytest.mark.parametrize("is_link", [False, True])
def test_committed_places_of_one_machine_are_refused(repository: Path, is_link: bool) -> None:
    places = repository / ("places.toml" if is_link else "ics-guard.local.toml")
    places.write_text('[env.local]\nstore = "/tmp/elsewhere"\n')
    if is_link:
        (repository / "ics-guard.local.toml").symlink_to("places.toml")
    git(repository, "switch", "-qc", "work")
    git(repository, "add", "-f", "ics-guard.local.toml")
    (repository / "migrations" / "0002.sql").write_text(DROP)
    git(repository, "add", "-A")
    done = ics_guard(repository, "gate", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "local-committed")
    git(repository, "commit", "-qm", "drop", "--no-verify")
    done = ics_guard(repository, "gate", "--json", "--range", "main..work")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "local-committed")


def test_a_configuration_behind_a_link_is_refused_before_and_after_it_is_committed(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    git(repository, "mv", "ics-guard.toml", "real.toml")
    (repository / "ics-guard.toml").symlink_to("real.toml")
    (repository / "migrations" / "0002.sql").write_text(DROP)
    git(repository, "add", "-A")
    done = ics_guard(repository, "gate", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "config-link")
    git(repository, "commit", "-qm", "drop", "--no-verify")
    git(repository, "switch", "-q", "main")
    done = ics_guard(repository, "gate", "--json", "--range", "main..work")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "config-link")


def test_committed_places_are_refused_in_whatever_commit_of_several_they_are(repository: Path) -> None:
    for branch, names in {"first": ["migrations/0002.sql"], "second": ["ics-guard.local.toml"]}.items():
        git(repository, "switch", "-qc", branch, "main")
        for name in names:
            (repository / name).write_text(DROP if name.endswith(".sql") else '[env.local]\nstore = "/elsewhere"\n')
            git(repository, "add", "-f", name)
        git(repository, "commit", "-qm", branch, "--no-verify")
    git(repository, "switch", "-q", "main")
    opened = git_questions.open_repository(repository)
    diffs = [git_questions.between(opened, "main", branch) for branch in ("first", "second")]
    with pytest.raises(ConfigError, match="is committed"):
        views(in_environment(opened, config.load(opened.root), "", Silence()), diffs)


def test_the_branch_that_a_change_is_to_join_has_its_say_though_it_moved_on(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", config=CONFIG, rows=0)
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"migrations__0002.sql": DROP})
    assert ics_guard(repository, "waive", "--reason", "x").returncode == 0
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "drop", "--no-verify")
    assert judged(repository, "--range", "main..work")[0] == 0
    git(repository, "switch", "-q", "main")
    configure(repository, CONFIG + '[policy]\nwaivers = "refuse"\n')
    git(repository, "commit", "-qm", "no waivers", "--no-verify")
    git(repository, "switch", "-q", "work")
    code, document = judged(repository, "--range", "main..work")
    assert (code, rules(document)) == (1, ["sql.drop_table"]), "held, and an older branch loosens nothing"


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


def test_two_branches_that_are_fine_alone_and_not_together_are_told(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "project")
    for branch, revision in (("mine", "0003a"), ("theirs", "0003b")):
        git(project, "switch", "-qc", branch, "main")
        write_revision(project, revision, ADD_COLUMN)
        git(project, "add", "-A")
        git(project, "commit", "-qm", branch, "--no-verify")
    found = [change["rule"] for change in checked(project, "main..mine")]
    assert "alembic.second_head" not in found
    git(project, "switch", "-q", "main")
    git(project, "merge", "-q", "theirs", "--no-verify")
    (head,) = [change for change in checked(project, "main..mine") if change["rule"] == "alembic.second_head"]
    assert (head["object"], "stands beside 0003b" in head["reason"]) == ("0003a", True)


def checked(project: Path, span: str) -> list[dict[str, str]]:
    changes: list[dict[str, str]] = json.loads(ics_guard(project, "check", "--json", "--range", span).stdout)["changes"]
    return changes


def test_what_only_the_merge_brings_is_judged(tmp_path: Path) -> None:
    """A branch that undid something is merged; another one from before that says it again, which is no diff of it."""
    repository = make_repository(tmp_path / "repo", rows=0)
    between = "".join(f"-- line {number}\n" for number in range(9))

    def commit(text: str) -> None:
        (repository / "migrations" / "0002.sql").write_text(text)
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "step", "--no-verify")

    commit(between)
    git(repository, "switch", "-qc", "first")
    commit(DROP + between)
    commit(between)
    assert checked(repository, "main..first") == []
    git(repository, "switch", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "first", "first", "--no-verify")
    git(repository, "switch", "-qc", "second", "first^")
    commit(between + DROP)
    found = checked(repository, "main..second")
    assert [(change["path"], change["rule"]) for change in found] == [("migrations/0002.sql", "sql.drop_table")]


def test_nobody_comes_to_sign_by_the_merge_alone(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", rows=0)
    signers = repository / ".ics-guard" / "allowed_signers"
    signers.parent.mkdir()
    signers.write_text("# who may sign\n" * 9)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "signers", "--no-verify")
    git(repository, "switch", "-qc", "first")
    signers.write_text(MALLORY + "# who may sign\n" * 9)
    git(repository, "commit", "-qam", "done", "--no-verify")
    middle = git(repository, "rev-parse", "HEAD").stdout.strip()
    git(repository, "checkout", "-q", "main", "--", ".ics-guard")
    git(repository, "commit", "-qm", "undone", "--no-verify")
    git(repository, "switch", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "first", "first", "--no-verify")
    git(repository, "switch", "-qc", "second", middle)
    signers.write_text(MALLORY + "# who may sign\n" * 9 + MALLORY)
    git(repository, "commit", "-qam", "again", "--no-verify")
    assert [change["rule"] for change in checked(repository, "main..second")] == ["config.signer"]


MALLORY = "mallory@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmRwAx4Gm1dQWvYBf9rJdY0Yq5eZ0r0xkQe8sYq1W2x\n"


def test_an_environment_that_is_new_does_not_hide_what_is_no_longer_watched(repository: Path) -> None:
    (repository / "migrations" / "0007.sql").write_text(DROP)
    more = CONFIG.replace("[env.local]", 'exclude = ["migrations/0007*"]\n[env.local]', 1)
    more += '[env.staging]\nstore = "other"\n[env.staging.sources.db]\nkind = "sqlite"\npath = "data/app.db"\n'
    configure(repository, more)
    done = ics_guard(repository, "gate", "--json", "--env", "staging")
    assert "config.loosened" in rules(json.loads(done.stdout))


def test_a_target_that_cannot_be_read_is_no_target_that_asks_nothing(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    (repository / "notes.txt").write_text("x")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "work", "--no-verify")
    git(repository, "switch", "-q", "main")
    (repository / "ics-guard.toml").write_text(CONFIG + "[bogus]\nx = 1\n")
    git(repository, "commit", "-qam", "odd", "--no-verify")
    git(repository, "switch", "-q", "work")
    done = ics_guard(repository, "check", "--json", "--range", "main..work")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "config-unknown-key")


def test_a_folder_that_is_new_cannot_take_the_place_of_the_watched_one(tmp_path: Path) -> None:
    watched = CONFIG.replace("[watch]\n", '[watch]\nalembic = ["revisions"]\n')
    repository = make_repository(tmp_path / "repo", config=CONFIG, rows=0)
    stage(repository, **{"revisions/README": "", "ics-guard.toml": watched})
    git(repository, "commit", "-qm", "revisions", "--no-verify")
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"revisions/versions/keep": "", "revisions/b2.py": REVISION})
    git(repository, "commit", "-qm", "another folder", "--no-verify")
    assert ("config.loosened", "watch.alembic") in {(c["rule"], c["object"]) for c in checked(repository, "main..work")}
    assert "alembic.drop_table" in rules(judged(repository, "--range", "main..work")[1])


REVISION = """
from alembic import op
revision = "b2"
down_revision = None
def upgrade():
    op.drop_table("episodes")
"""


def test_a_folder_of_revisions_behind_a_link_is_refused(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "project")
    git(project, "mv", "migrations", "backend")
    (project / "migrations").symlink_to("backend")
    git(project, "add", "-A")
    done = ics_guard(project, "gate", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "config-link")


def test_another_place_is_believed_once_this_clone_has_kept_a_backup_from_there(repository: Path) -> None:
    (repository / "elsewhere").mkdir()
    make_database(repository / "elsewhere" / "app.db", rows=3)
    (repository / ".git" / "info" / "exclude").write_text("elsewhere/\n")
    configure(repository, CONFIG.replace('"data/app.db"', '"elsewhere/app.db"'))
    code, document = judged(repository)
    assert (code, "place-unknown" in codes(document)) == (1, True)
    assert "config.moved" in rules(document)
    assert "ics-guard backup" in next(one for one in document["reasons"] if one["code"] == "place-unknown")["fix"]
    assert ics_guard(repository, "backup").returncode == 0
    assert judged(repository)[0] == 0


@pytest.mark.parametrize("kind", ["submodule", "link"])
def test_data_that_a_commit_brings_is_tracked_data(repository: Path, tmp_path: Path, kind: str) -> None:
    shutil.move(repository / "data", tmp_path / "brought")
    if kind == "link":
        (repository / "data").symlink_to(tmp_path / "brought")
    else:
        git(tmp_path / "brought", "init", "-q", ".")
        git(tmp_path / "brought", "add", "-f", "-A")
        git(tmp_path / "brought", "commit", "-qm", "data")
        git(
            repository,
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            "-f",
            str(tmp_path / "brought"),
            "data",
        )
    stage(repository, **{"migrations/0002.sql": DROP})
    git(repository, "add", "-f", "data")
    code, document = judged(repository)
    assert (code, codes(document)) == (1, ["source-tracked"])


def test_a_store_that_git_tracks_is_no_store(repository: Path) -> None:
    assert ics_guard(repository, "backup").returncode == 0
    stage(repository, **{"migrations/0002.sql": DROP})
    assert judged(repository)[0] == 0
    git(repository, "add", "-f", "backups")
    code, document = judged(repository)
    assert (code, codes(document)) == (1, ["store-tracked"])


def test_a_change_that_no_source_answers_for_is_held_whatever_policy_asks(tmp_path: Path) -> None:
    config = CONFIG.replace('path = "data/app.db"\n', 'path = "data/app.db"\nguards = ["elsewhere/**"]\n')
    repository = make_repository(tmp_path / "repo", config=config + '[policy]\nrequire_backup = ["destructive"]\n')
    stage(repository, **{"migrations/0002.sql": "CREATE TABLE z (a INTEGER);\n"})
    code, document = judged(repository)
    assert (code, codes(document)) == (1, ["unguarded-path"])


@pytest.mark.parametrize(
    "attributes",
    ["*.sql working-tree-encoding=ISO-8859-1", "migrations/*.sql export-subst", "*.sql filter=rewrite"],
)
def test_what_a_checkout_makes_another_file_of_cannot_be_read(repository: Path, attributes: str) -> None:
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"migrations/0002.sql": "-- nothing\n", ".gitattributes": attributes + "\n"})
    git(repository, "commit", "-qm", "both", "--no-verify")
    found = {(change["path"], change["rule"]) for change in checked(repository, "main..work")}
    assert found == {("migrations/0001.sql", "unreadable"), ("migrations/0002.sql", "unreadable")}
    git(repository, "branch", "-qf", "main", "work")
    stage(repository, **{"migrations/0002.sql": "-- nothing at all\n"})
    git(repository, "commit", "-qm", "one", "--no-verify")
    (change,) = checked(repository, "main..work")
    assert (change["path"], change["rule"]) == ("migrations/0002.sql", "unreadable")
    assert attributes.split()[1] in change["reason"]


def test_attributes_that_change_no_bytes_are_silent(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    text = "*.sql text eol=lf diff=sql\n*.bin filter=rewrite\n*.big filter=lfs diff=lfs merge=lfs -text\n"
    stage(repository, **{".gitattributes": text, "a\nb/.gitattributes": "x filter=y\n", "a\nb/0.sql": "SELECT 1;"})
    git(repository, "commit", "-qm", "attributes", "--no-verify")
    assert checked(repository, "main..work") == []


@pytest.mark.parametrize("line", ["\n", "version https://hawser.github.com/spec/v1\n"])
def test_a_pointer_of_lfs_is_one_however_it_begins(repository: Path, line: str) -> None:
    git(repository, "switch", "-qc", "work")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n"
    stage(repository, **{"migrations/0002.sql": line + pointer})
    git(repository, "commit", "-qm", "pointer", "--no-verify")
    assert [change["rule"] for change in checked(repository, "main..work")] == ["unreadable"]


def test_what_alembic_also_loads_is_watched(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "project")
    git(project, "switch", "-qc", "work")
    stage(project, **{"migrations/versions/b2.pyc": "\0"})
    git(project, "commit", "-qm", "compiled", "--no-verify")
    assert [change["rule"] for change in checked(project, "main..work")] == ["unreadable"]
    more = '[tool.alembic]\nversion_locations = ["%(here)s/migrations/versions", "%(here)s/extra"]\n'
    stage(project, **{"pyproject.toml": more, "extra/b3.py": REVISION.replace("b2", "b3").replace("None", '"0002"')})
    git(project, "commit", "-qm", "another place", "--no-verify")
    assert "alembic.drop_table" in [change["rule"] for change in checked(project, "HEAD^..HEAD")]
    listed = alembic(project, "heads")
    assert "b3" in listed.stdout, "Alembic itself loads it"


def test_a_git_that_cannot_merge_by_itself_passes_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git before 2.38, of which there is none here: one that knows merge-tree as they do stands before the real one."""
    git(repository, "switch", "-qc", "work")
    stage(repository, notes="x")
    git(repository, "commit", "-qm", "work", "--no-verify")
    git(repository, "switch", "-q", "main")
    stage(repository, other="x")
    git(repository, "commit", "-qm", "moved on", "--no-verify")
    assert judged(repository, "--range", "main..work")[0] == 0
    older = tmp_path / "bin" / "git"
    older.parent.mkdir()
    older.write_text(
        f'#!/bin/sh\nfor word; do [ "$word" = merge-tree ] && exit 129; done\nexec {shutil.which("git")} "$@"\n'
    )
    older.chmod(0o755)
    monkeypatch.setenv("PATH", f"{older.parent}:{os.environ['PATH']}")
    code, document = judged(repository, "--range", "main..work")
    assert (code, codes(document)) == (1, ["cannot-merge"])
    assert "2.38" in document["reasons"][0]["fix"]
