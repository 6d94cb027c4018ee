"""What a commit brings, or points at, is not believed: data, stores, links, and files that a checkout converts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ics_guard import config
from ics_guard import git as git_questions
from ics_guard.errors import ConfigError
from ics_guard.model import Silence
from ics_guard.project import in_environment
from ics_guard.views import views
from tests.alembic_support import alembic, make_alembic_repository
from tests.gate_support import DROP, REFUSE, REVISION, checked, codes, configure, judged, rules, stage
from tests.support import CONFIG, git, ics_guard, make_database, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo", config=REFUSE)


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
    assert "ics-guard.local.toml" in document["reasons"][0]["fix"]
    if kind == "link":  # what this machine says of its own places no commit can change
        places = f'[env.local.sources.db]\npath = "{tmp_path}/brought/app.db"\n'
        (repository / "ics-guard.local.toml").write_text(places)
        (repository / ".git" / "info" / "exclude").write_text("ics-guard.local.toml\n")
        assert ics_guard(repository, "backup").returncode == 0
        assert judged(repository)[0] == 0


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
    ["*.sql working-tree-encoding=IBM037", "*.sql filter=rewrite"],
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


def test_what_an_archive_writes_into_a_file_counts_where_somebody_can_choose_it(repository: Path) -> None:
    """A checkout has the bytes that git has: that a file may be filled in elsewhere is no reason to hold each edit."""
    git(repository, "switch", "-qc", "work")
    plain = "-- of $Format:%H %cI$\nSELECT 1;\n"
    stage(repository, **{".gitattributes": "*.sql export-subst\n", "migrations/0002.sql": plain})
    git(repository, "commit", "-qm", "both", "--no-verify")
    stage(repository, **{"migrations/0002.sql": plain + "SELECT 2;\n"})
    git(repository, "commit", "-qm", "more", "--no-verify")
    assert checked(repository, "main..work") == []
    stage(repository, **{"migrations/0002.sql": plain + "-- $Format:%nDROP TABLE t;%n--$\n"})
    git(repository, "commit", "-qm", "drop", "--no-verify")
    (change,) = checked(repository, "main..work")
    assert (change["path"], change["rule"]) == ("migrations/0002.sql", "unreadable")
    git(repository, "branch", "-qf", "main", "work")
    stage(repository, **{".gitattributes": ""})
    git(repository, "commit", "-qm", "no longer", "--no-verify")
    assert [change["path"] for change in checked(repository, "main..work")] == ["migrations/0002.sql"]


def test_an_attribute_that_was_harmless_hides_none_that_is_not(repository: Path) -> None:
    stage(repository, **{".gitattributes": "*.sql export-subst\n", "migrations/0002.sql": "SELECT 1;\n"})
    git(repository, "commit", "-qm", "for archives", "--no-verify")
    git(repository, "switch", "-qc", "work")
    stage(repository, **{".gitattributes": "*.sql filter=rewrite\n", "migrations/0002.sql": "SELECT 2;\n"})
    git(repository, "commit", "-qm", "for checkouts", "--no-verify")
    found = {(change["path"], change["rule"]) for change in checked(repository, "main..work")}
    assert found == {("migrations/0001.sql", "unreadable"), ("migrations/0002.sql", "unreadable")}


def test_attributes_that_change_no_bytes_are_silent(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    text = "*.sql text eol=lf diff=sql working-tree-encoding=ISO-8859-1\n*.bin filter=rewrite\n"
    text += "*.big filter=lfs diff=lfs merge=lfs -text\n"
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


def test_a_folder_that_alembic_is_told_of_brings_what_stands_in_it(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "project")
    stage(project, **{"extra/b3.py": REVISION.replace("b2", "b3").replace("None", '"0002"')})
    git(project, "commit", "-qm", "nothing looks here", "--no-verify")
    git(project, "switch", "-qc", "work")
    ini = (project / "alembic.ini").read_text()
    named = "version_locations = migrations/versions extra"
    stage(project, **{"alembic.ini": ini.replace("script_location =", f"{named}\nscript_location =")})
    git(project, "commit", "-qm", "it does now", "--no-verify")
    found = {(change["path"], change["rule"]) for change in checked(project, "main..work")}
    assert ("extra/b3.py", "alembic.drop_table") in found
    assert "b3" in alembic(project, "heads").stdout, "Alembic itself loads it"


def test_what_git_tracks_in_a_cache_is_read(repository: Path) -> None:
    configure(repository, REFUSE.replace("migrations/*.sql", "migrations/**"))
    git(repository, "commit", "-qm", "all below", "--no-verify")
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"migrations/__pycache__/0002.sql": DROP})
    git(repository, "commit", "-qm", "cached", "--no-verify")
    assert [change["rule"] for change in checked(repository, "main..work")] == ["sql.drop_table"]


def test_what_is_no_python_in_a_folder_of_django_is_read_as_text(repository: Path) -> None:
    configure(repository, REFUSE.replace('sql = ["migrations/*.sql"]', 'django = ["*/migrations/*"]'))
    git(repository, "commit", "-qm", "all of it", "--no-verify")
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"shows/migrations/0002.ddl": DROP, "shows/migrations/README.md": DROP})
    git(repository, "commit", "-qm", "ddl", "--no-verify")
    assert [change["rule"] for change in checked(repository, "main..work")] == ["sql.drop_table"]
