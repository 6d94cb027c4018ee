"""Evidence in commits: made where the data is, believed where it is not, and worth nothing once it moved."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ics_guard import evidence, signing
from ics_guard.config import Policy
from ics_guard.errors import UsageError
from ics_guard.evidence import FOLDER
from ics_guard.model import Change, Kind, Severity
from ics_guard.signing import SignatureError
from tests.support import CONFIG, git, ics_guard, make_repository

SIGNERS = ".ics-guard/allowed_signers"
ADD = "ALTER TABLE episodes ADD COLUMN rating INTEGER;\n"
DROP = "ALTER TABLE episodes DROP COLUMN duration;\n"


def make_key(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


def allowed(*keys: Path, options: str = "") -> str:
    return "".join(f"{key.name}@example.org {options}{key.with_suffix('.pub').read_text()}" for key in keys)


@dataclass(frozen=True)
class Team:
    """A laptop with data and a key that main trusts, and a place without data that clones from it."""

    laptop: Path
    key: Path
    folder: Path

    def change(self, name: str = "0002.sql", text: str = ADD) -> None:
        (self.laptop / "migrations" / name).write_text(text)
        self.commit()

    def commit(self) -> None:
        git(self.laptop, "add", "-A")
        git(self.laptop, "commit", "-qm", "work", "--no-verify")

    def attest(self, *options: str) -> None:
        done = ics_guard(self.laptop, "attest", "--range", "main..HEAD", "--key", str(self.key), *options)
        assert done.returncode == 0, done.stdout + done.stderr
        self.commit()

    def files(self) -> list[Path]:
        return sorted((self.laptop / FOLDER).iterdir())

    def edit(self, **fields: Any) -> None:
        """Change fields of every evidence file, as somebody would who hopes that nobody looks."""
        for path in self.files():
            path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
        self.commit()

    def judged(self, *options: str) -> tuple[int, dict[str, Any]]:
        """The verdict in a fresh clone, as CI sees it."""
        clone = self.folder / f"ci-{len(list(self.folder.iterdir()))}"
        git(self.folder, "clone", "-q", "-b", "work", str(self.laptop), str(clone))
        done = ics_guard(clone, "gate", "--range", "origin/main..HEAD", "--json", *options)
        assert git(clone, "status", "--porcelain", "--ignored").stdout == "", "the gate writes nothing here"
        document: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, document


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


def make_team(folder: Path, config: str = CONFIG) -> Team:
    laptop = make_repository(folder / "laptop", config=config)
    key = make_key(folder, "ada")
    (laptop / ".ics-guard").mkdir()
    (laptop / SIGNERS).write_text(allowed(key))
    git(laptop, "add", "-A")
    git(laptop, "commit", "-qm", "signers", "--no-verify")
    git(laptop, "switch", "-qc", "work")
    return Team(laptop, key, folder)


def codes(document: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in document["reasons"]]


def test_a_change_attested_on_the_laptop_passes_where_there_is_no_data(team: Team) -> None:
    team.change()
    code, document = team.judged()
    assert (code, codes(document)) == (1, ["never-seen"])
    assert "attest" in document["reasons"][0]["fix"]
    team.attest()
    code, document = team.judged()
    assert (code, codes(document)) == (0, ["attested"])
    (path,) = team.files()
    written = json.loads(path.read_text())
    (way,) = written["ways"]
    assert written["change"] == document["changes"][0]["digest"]
    assert way["backup"] in document["reasons"][0]["message"]
    assert "ada@example.org" in document["reasons"][0]["message"]
    stored = team.laptop / "backups" / "sqlite" / f"{way['backup']}.db.zst"
    assert (
        subprocess.run(["sha256sum", stored], capture_output=True, text=True, check=True).stdout[:64] == way["sha256"]
    )
    until = datetime.fromisoformat(written["until"])
    assert timedelta(days=29) < until - datetime.now(UTC) <= timedelta(days=30), "as long as the drill is good"
    assert ics_guard(team.laptop, "ledger", "verify").returncode == 0


def test_evidence_survives_rebase_squash_reformatting_and_a_neighbour(team: Team) -> None:
    team.change("0002.sql", ADD)
    team.attest()
    git(team.laptop, "switch", "-q", "main")
    (team.laptop / "README").write_text("another pull request\n")
    (team.laptop / "migrations" / "0002.sql").write_text("CREATE INDEX i ON episodes (title);\n")
    team.commit()
    git(team.laptop, "switch", "-q", "work")
    merged = subprocess.run(["git", "rebase", "-q", "main"], cwd=team.laptop, capture_output=True, check=False)
    assert merged.returncode, "both edit one file"
    text = "-- both\nCREATE INDEX i ON episodes (title);\n\nalter table  episodes\n  add column RATING integer;\n"
    (team.laptop / "migrations" / "0002.sql").write_text(text)
    git(team.laptop, "add", "-A")
    git(team.laptop, "-c", "core.editor=true", "rebase", "--continue")
    git(team.laptop, "reset", "-q", "--soft", "main")
    team.commit()
    assert team.judged()[0] == 0


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda team: team.edit(until="2099-01-01T00:00:00Z"), "evidence-forged"),
        (lambda team: team.edit(signature=""), "evidence-unsigned"),
        (lambda team: team.edit(env="prod"), "evidence-other-environment"),
        (lambda team: team.edit(change="0" * 64), "evidence-other-content"),
        (lambda team: team.edit(repository="0" * 40), "evidence-other-repository"),
        (lambda team: team.edit(schema_version=9), "evidence-unreadable"),
        (lambda team: team.edit(ways="all"), "evidence-unreadable"),
        (lambda team: team.edit(until=None), "evidence-no-expiry"),
        (lambda team: team.edit(until="2099-01-01T00:00:00"), "evidence-unreadable"),
        (lambda team: team.edit(at="2020-01-01T00:00:00"), "evidence-unreadable"),
        (lambda team: team.edit(signature="\ud800"), "evidence-forged"),
        (lambda team: team.edit(until="2020-01-01T00:00:00Z"), "evidence-expired"),
        (lambda team: team.edit(at="2099-01-01T00:00:00Z"), "evidence-from-the-future"),
        (lambda team: team.change("0002.sql", ADD.replace("INTEGER", "TEXT")), "evidence-other-content"),
        (lambda team: team.change("0002.sql", "DROP TABLE segments;"), "evidence-other-content"),
        (lambda team: [path.write_text("{") for path in team.files()] and team.commit(), "evidence-unreadable"),
    ],
)
def test_evidence_that_moved_counts_for_nothing_and_says_why(
    team: Team, spoil: Callable[[Team], object], code: str
) -> None:
    team.change()
    team.attest()
    spoil(team)
    exit_code, document = team.judged()
    assert (exit_code, codes(document)) == (1, ["never-seen", code])
    assert document["reasons"][1]["fix"]


def test_a_change_does_not_bring_its_own_judges(team: Team) -> None:
    mallory = make_key(team.folder, "mallory")
    team.change()
    (team.laptop / SIGNERS).write_text(allowed(team.key, mallory))
    team.commit()
    done = ics_guard(team.laptop, "attest", "--range", "main..HEAD", "--key", str(mallory))
    assert "nobody would believe it yet" in done.stderr
    team.commit()
    code, document = team.judged()
    assert code == 1
    assert "evidence-unknown-signer" in codes(document)
    signer = next(change for change in document["changes"] if change["rule"] == "config.signer")
    assert (signer["object"], signer["path"], signer["kind"]) == ("mallory@example.org", SIGNERS, "config")
    git(team.laptop, "branch", "-q", "-f", "main", "work~2")
    git(team.laptop, "switch", "-q", "main")
    (team.laptop / SIGNERS).write_text(allowed(team.key, mallory))
    team.commit()
    git(team.laptop, "switch", "-q", "work")
    git(team.laptop, "rebase", "-q", "main")
    assert team.judged()[0] == 0, "merged first, the key counts"


@pytest.mark.parametrize(
    "options", ['valid-before="20200101" ', 'namespaces="git" '], ids=["expired", "another namespace"]
)
def test_a_signer_is_allowed_only_as_the_file_says(team: Team, options: str) -> None:
    git(team.laptop, "switch", "-q", "main")
    (team.laptop / SIGNERS).write_text(allowed(team.key, options=options))
    team.commit()
    git(team.laptop, "rebase", "-q", "main", "work")
    team.change()
    team.attest()
    code, document = team.judged()
    assert code == 1
    assert "evidence-not-allowed" in codes(document)


def test_a_key_counts_by_any_of_its_lines(team: Team) -> None:
    git(team.laptop, "switch", "-q", "main")
    line = allowed(team.key, options='namespaces="git" ').replace("ada@", "commits@")
    (team.laptop / SIGNERS).write_text(line + allowed(team.key, options='namespaces="ics-guard" '))
    team.commit()
    git(team.laptop, "rebase", "-q", "main", "work")
    team.change()
    team.attest()
    code, document = team.judged()
    assert code == 0, document
    assert "attested by ada@example.org" in document["reasons"][0]["message"]


@pytest.mark.parametrize("name", ["tools/signers", "tools/link"])
def test_the_signers_that_git_names_in_the_repository_are_those_of_base(team: Team, home: Path, name: str) -> None:
    mallory = make_key(team.folder, "mallory")
    (team.folder / "evil").write_text(allowed(mallory))
    (team.laptop / "tools").mkdir()
    (team.laptop / "tools" / "signers").write_text(allowed(mallory))
    (team.laptop / "tools" / "link").symlink_to(team.folder / "evil")
    (team.laptop / "tools" / "revoked").write_text("")
    git(home, "config", "--global", "gpg.ssh.allowedSignersFile", name)
    team.change()
    team.attest("--key", str(mallory))
    document = team.judged()[1]
    assert "evidence-unknown-signer" in codes(document)
    told = [(one["object"], one["path"]) for one in document["changes"] if one["rule"] == "config.signer"]
    assert told == ([("mallory@example.org", name)] if name == "tools/signers" else [])
    git(team.laptop, "switch", "-q", "main")
    (team.laptop / "revoked").write_text(team.key.with_suffix(".pub").read_text())
    team.commit()
    git(team.laptop, "rebase", "-q", "main", "work")
    git(home, "config", "--global", "gpg.ssh.revocationFile", "revoked")
    git(team.laptop, "rm", "-q", "revoked", "-r", FOLDER)
    team.commit()
    team.attest()
    document = team.judged()[1]
    assert "evidence-not-allowed" in codes(document), "a change does not take a revocation back"
    assert ("config.signer", "revoked") in {(one["rule"], one["object"]) for one in document["changes"]}
    git(home, "config", "--global", "gpg.ssh.revocationFile", "/nowhere/revoked")
    assert "evidence-unverifiable" in codes(team.judged()[1])


def test_where_there_is_no_base_head_is_believed_only_if_there_is_nothing_else(tmp_path: Path) -> None:
    team = make_team(tmp_path)
    git(team.laptop, "checkout", "-q", "--orphan", "alone")
    mallory = make_key(tmp_path, "mallory")
    (team.laptop / SIGNERS).write_text(allowed(mallory))
    (team.laptop / "migrations" / "0002.sql").write_text(ADD)
    git(team.laptop, "add", "-A")
    done = ics_guard(team.laptop, "attest", "--key", str(mallory))
    assert done.returncode == 0, done.stdout + done.stderr
    team.commit()
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--single-branch", "-b", "alone", str(team.laptop), str(clone))
    done = ics_guard(clone, "gate", "--range", "HEAD", "--json")
    reasons = {reason["code"]: reason["message"] for reason in json.loads(done.stdout)["reasons"]}
    assert "there is no base" in reasons["evidence-unknown-signer"]
    git(clone, "remote", "remove", "origin")
    assert ics_guard(clone, "gate", "--range", "HEAD").returncode == 0, "the first commit of all"
    git(clone, "commit", "-q", "--allow-empty", "-m", "another", "--no-verify")
    assert ics_guard(clone, "gate", "--range", "HEAD~1").returncode == 1


def test_a_program_that_never_answers_is_an_error_not_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setattr(signing, "_ANSWERS_WITHIN", 0.2)
    monkeypatch.setattr(signing, "_PERSON_ANSWERS_WITHIN", 0.2)
    with pytest.raises(SignatureError, match="did not answer") as verifying:
        signing.signer(b"x", "y", signing.Trust(program=str(slow)))
    assert verifying.value.code == "unverifiable"
    with pytest.raises(UsageError, match="did not answer"):
        signing.sign([b"x"], "key", str(slow))


def test_a_waiver_that_is_signed_must_be_signed_well(team: Team) -> None:
    team.change(text=DROP)
    waive = ("waive", "--reason", "gone", "--range", "main..HEAD")
    assert ics_guard(team.laptop, *waive, "--key", str(make_key(team.folder, "mallory"))).returncode == 0
    team.commit()
    code, document = team.judged()
    assert (code, codes(document)) == (1, ["never-seen", "evidence-unknown-signer"])
    assert ics_guard(team.laptop, *waive).returncode == 0
    team.commit()
    code, document = team.judged()
    assert code == 0
    assert "(unsigned)" in document["reasons"][0]["message"]


def test_a_revoked_key_and_the_signers_that_git_knows(team: Team, home: Path) -> None:
    git(team.laptop, "switch", "-q", "main")
    git(team.laptop, "rm", "-q", SIGNERS)
    team.commit()
    git(team.laptop, "rebase", "-q", "main", "work")
    team.change()
    team.attest()
    assert "evidence-unknown-signer" in codes(team.judged()[1])
    (home / "signers").write_text(allowed(team.key))
    git(home, "config", "--global", "gpg.ssh.allowedSignersFile", "~/signers")
    assert team.judged()[0] == 0
    (home / "revoked").write_text(team.key.with_suffix(".pub").read_text())
    git(home, "config", "--global", "gpg.ssh.revocationFile", "~/revoked")
    code, document = team.judged()
    assert (code, codes(document)) == (1, ["never-seen", "evidence-not-allowed"])


def test_a_signer_who_was_taken_out_since_counts_no_more(team: Team) -> None:
    team.change()
    team.attest()
    git(team.laptop, "switch", "-q", "main")
    (team.laptop / SIGNERS).write_text("# nobody\n")
    team.commit()
    git(team.laptop, "switch", "-q", "work")
    code, document = team.judged()
    assert (code, "evidence-unknown-signer" in codes(document)) == (1, True)


def test_the_key_of_git_is_used_and_without_one_it_says_what_to_do(team: Team) -> None:
    team.change()
    done = ics_guard(team.laptop, "attest", "--range", "main..HEAD")
    assert done.returncode == 2
    assert "user.signingkey" in done.stderr
    assert not (team.laptop / FOLDER).exists()
    git(team.laptop, "config", "gpg.format", "ssh")
    git(team.laptop, "config", "user.signingkey", str(team.key.with_suffix(".pub")))
    assert ics_guard(team.laptop, "attest", "--range", "main..HEAD").returncode == 0
    team.commit()
    assert team.judged()[0] == 0
    done = ics_guard(team.laptop, "attest", "--range", "main..HEAD", "--key", "/nowhere/key")
    assert done.returncode == 2
    assert "/nowhere/key" in done.stderr


def test_nothing_is_attested_where_the_gate_holds(tmp_path: Path) -> None:
    team = make_team(tmp_path, CONFIG + '[policy]\non_missing = "refuse"\n')
    team.change()
    attest = ("attest", "--range", "main..HEAD", "--key", str(team.key), "--json")
    done = ics_guard(team.laptop, *attest)
    assert (done.returncode, codes(json.loads(done.stdout))) == (1, ["no-backup"])
    assert not (team.laptop / FOLDER).exists()
    assert ics_guard(team.laptop, "backup").returncode == 0
    assert ics_guard(team.laptop, *attest).returncode == 0
    assert len(team.files()) == 1


def test_nothing_is_attested_where_there_is_no_data_or_no_change(team: Team) -> None:
    team.change()
    clone = team.folder / "elsewhere"
    git(team.folder, "clone", "-q", "-b", "work", str(team.laptop), str(clone))
    done = ics_guard(clone, "attest", "--range", "origin/main..HEAD", "--key", str(team.key), "--json")
    assert (done.returncode, codes(json.loads(done.stdout))) == (1, ["never-seen"])
    assert not (clone / FOLDER).exists()
    done = ics_guard(team.laptop, "attest", "--range", "HEAD..HEAD", "--key", str(team.key), "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "nothing-to-attest")


def test_evidence_never_stands_in_for_data_that_was_here_and_is_gone(team: Team) -> None:
    team.change()
    team.attest()
    (team.laptop / "data" / "app.db").unlink()
    done = ics_guard(team.laptop, "gate", "--range", "main..HEAD", "--json")
    assert done.returncode == 1
    assert codes(json.loads(done.stdout)) == ["source-lost"]


def test_a_waiver_is_shown_with_its_author_and_reason_in_ci(team: Team) -> None:
    team.change(text=DROP)
    done = ics_guard(team.laptop, "waive", "--reason", "nobody used it", "--range", "main..HEAD")
    assert done.returncode == 0, done.stderr
    team.commit()
    code, document = team.judged()
    assert (code, codes(document)) == (0, ["waived"])
    message = document["reasons"][0]["message"]
    assert "Ada Example <ada@example.org>" in message
    assert "nobody used it" in message
    listed = json.loads(ics_guard(team.laptop, "ledger", "list", "--json").stdout)["entries"]
    assert [(e["event"], e["data"]["reason"]) for e in listed if e["event"] == "waive"] == [("waive", "nobody used it")]


def test_policy_may_ask_for_signed_waivers_or_refuse_them(tmp_path: Path) -> None:
    team = make_team(tmp_path, CONFIG + '[policy]\nwaivers = "signed"\n')
    team.change(text=DROP)
    waive = ("waive", "--reason", "gone", "--range", "main..HEAD", "--key")
    done = ics_guard(team.laptop, *waive[:-1], "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "no-signing-key")
    assert ics_guard(team.laptop, *waive, str(team.key)).returncode == 0
    team.commit()
    code, document = team.judged()
    assert (code, codes(document)) == (0, ["waived"])
    assert "ada@example.org" in document["reasons"][0]["message"]
    team.edit(signature="")
    assert codes(team.judged()[1]) == ["never-seen", "evidence-unsigned"]
    assert ics_guard(team.laptop, *waive, str(make_key(tmp_path, "mallory"))).returncode == 0
    team.commit()
    assert "evidence-unknown-signer" in codes(team.judged()[1])


def test_a_refused_waiver_is_not_written_and_not_believed(tmp_path: Path) -> None:
    team = make_team(tmp_path)
    team.change(text=DROP)
    assert ics_guard(team.laptop, "waive", "--reason", "x", "--range", "main..HEAD").returncode == 0
    team.commit()
    git(team.laptop, "switch", "-q", "main")
    (team.laptop / "ics-guard.toml").write_text(CONFIG + '[policy]\nwaivers = "refuse"\n')
    team.commit()
    git(team.laptop, "rebase", "-q", "main", "work")
    code, document = team.judged()
    assert (code, codes(document)) == (1, ["never-seen", "evidence-waiver-refused"])
    done = ics_guard(team.laptop, "waive", "--reason", "x", "--range", "main..HEAD", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "waivers-refused")


def test_two_changes_of_one_object_in_one_file_are_told_apart(team: Team) -> None:
    team.change(text="UPDATE episodes SET title = 'a';\nUPDATE episodes SET duration = 1;\n")
    team.attest()
    assert len(team.files()) == 2
    code, document = team.judged()
    assert (code, codes(document)) == (0, ["attested"])
    first = json.loads(team.files()[0].read_text())
    team.files()[0].write_text(json.dumps({**first, "change": "0" * 64}))
    team.commit()
    assert codes(team.judged()[1]) == ["never-seen", "evidence-other-content"]


@pytest.mark.parametrize("command", [("attest",), ("waive", "--reason", "x")], ids=lambda words: words[0])
def test_evidence_is_written_through_no_link_and_over_no_file(team: Team, command: tuple[str, ...]) -> None:
    team.change()
    (team.folder / "elsewhere").mkdir()
    write = (*command, "--range", "main..HEAD", "--key", str(team.key), "--json")
    folder = team.laptop / FOLDER
    folder.symlink_to(team.folder / "elsewhere")
    done = ics_guard(team.laptop, *write)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "evidence-link")
    assert not list((team.folder / "elsewhere").iterdir())
    folder.unlink()
    folder.write_text("a file\n")
    done = ics_guard(team.laptop, *write)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "cannot-write")
    folder.unlink()
    assert ics_guard(team.laptop, *write).returncode == 0
    (path,) = team.files()
    precious = team.folder / "precious"
    precious.write_text("mine\n")
    path.unlink()
    path.symlink_to(precious)
    done = ics_guard(team.laptop, *write)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "evidence-link")
    assert precious.read_text() == "mine\n"
    assert team.files() == [path], "nothing half-written is left"


def test_a_change_of_two_sources_is_attested_where_each_is(tmp_path: Path) -> None:
    other = '\n[env.local.sources.other]\nkind = "sqlite"\npath = "data/other.db"\nguards = ["migrations/**"]\n'
    team = make_team(tmp_path, CONFIG + other)
    team.change()
    done = ics_guard(team.laptop, "attest", "--range", "main..HEAD", "--key", str(team.key), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(done.stdout)
    assert written["needed"] == ["other"]
    assert [way["source"] for way in written["evidence"][0]["ways"]] != ["other"]
    team.commit()
    code, document = team.judged()
    assert (code, {reason["source"] for reason in document["reasons"] if reason["blocking"]}) == (1, {"other"})


def test_a_waiver_for_a_store_that_is_of_no_use_from_here_is_written_all_the_same(tmp_path: Path) -> None:
    prod = '\n[env.prod]\nstore = "s3://bucket/backups"\n[env.prod.sources.sqlite]\n'
    prod += 'kind = "sqlite"\npath = "/srv/app.db"\n'
    team = make_team(tmp_path, CONFIG + prod)
    team.change(text=DROP)
    done = ics_guard(team.laptop, "waive", "--env", "prod", "--reason", "gone", "--range", "main..HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not in the ledger" in done.stderr
    assert len(team.files()) == 1


CHANGE = Change("a.sql", 1, 1, Kind.SQL, "sql.drop_table", "drop_table", "t", Severity.DESTRUCTIVE, "x", "d" * 64)
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def nobody(payload: bytes, signature: str) -> str:
    raise SignatureError("forged", "never signed")


@given(
    raw=st.binary()
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_lies_in_the_folder_answers_for_nothing(raw: bytes) -> None:
    found = evidence.weigh(
        {"x": raw}, [CHANGE], before=(), env="local", now=NOW, policy=Policy(), repositories=[""], signer=nobody
    )
    assert (found.waived, found.attested) == ({}, {})
    assert found.flaws[CHANGE.digest][0].code == "evidence-unreadable"


WAIVER = evidence.waiver(
    CHANGE, env="local", author="Ada", reason="because", at=NOW, until=NOW + timedelta(days=1), repository=""
)


@given(
    field=st.sampled_from(sorted(evidence.encode(WAIVER))),
    value=st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=9), max_size=2),
)
def test_a_waiver_with_one_field_changed_answers_for_this_change_or_nothing(field: str, value: object) -> None:
    raw = json.dumps({**evidence.encode(WAIVER), field: value}).encode()
    found = evidence.weigh(
        {"x": raw}, [CHANGE], before=(), env="local", now=NOW, policy=Policy(), repositories=[""], signer=nobody
    )
    assert not found.attested
    assert set(found.waived) <= {CHANGE.digest}
    if field in ("change", "env", "kind", "signature") and value not in ("", "waiver", None):
        assert not found.waived


def test_evidence_is_good_no_longer_than_the_policy_that_judges_it_says(team: Team) -> None:
    git(team.laptop, "switch", "-q", "main")
    (team.laptop / "ics-guard.toml").write_text(CONFIG + '[policy]\nredrill = "1s"\n')
    team.commit()
    git(team.laptop, "switch", "-q", "work")
    team.change()
    team.attest()
    time.sleep(1.1)
    git(team.laptop, "rebase", "-q", "main", "work")
    assert "evidence-expired" in codes(team.judged()[1])


def test_a_shallow_clone_cannot_tell_which_repository_it_is(team: Team) -> None:
    team.change()
    team.attest()
    clone = team.folder / "shallow"
    git(team.folder, "clone", "-q", "--depth=3", "-b", "work", f"file://{team.laptop}", str(clone))
    done = ics_guard(clone, "gate", "--range", "HEAD~2..HEAD", "--json")
    reasons = {reason["code"]: reason["fix"] for reason in json.loads(done.stdout)["reasons"]}
    assert "unshallow" in reasons["evidence-other-repository"]
    done = ics_guard(clone, "waive", "--reason", "x", "--range", "HEAD~2..HEAD", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "shallow-clone")


def test_many_files_that_cannot_be_read_make_one_reason() -> None:
    changes = [replace(CHANGE, digest=f"{number:064}") for number in range(500)]
    files = {f"{number}.json": b"{" for number in range(500)}
    found = evidence.weigh(
        files, changes, before=(), env="prod", now=NOW, policy=Policy(), repositories=[""], signer=nobody
    )
    assert len({reason for reasons in found.flaws.values() for reason in reasons}) == 1
    (reason,) = found.flaws[changes[0].digest]
    assert "0.json, 1.json, 10.json and 497 more" in reason.message
    assert "attest --env prod" in reason.fix


@pytest.mark.parametrize("depth", [100, 900, 1500, 5000, 100_000])
def test_a_document_as_deep_as_anybody_likes_raises_nothing(depth: int) -> None:
    raw = (
        json.dumps({**evidence.encode(WAIVER), "signature": "x"})[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
    )
    found = evidence.weigh(
        {"x": raw.encode()},
        [CHANGE],
        before=(),
        env="local",
        now=NOW,
        policy=Policy(),
        repositories=[""],
        signer=nobody,
    )
    assert not found.waived
    assert found.flaws[CHANGE.digest]


def copied(team: Team) -> None:
    (path,) = team.files()
    path.with_name("copy.json").write_bytes(path.read_bytes())
    team.commit()


def rewritten(team: Team) -> None:
    (path,) = team.files()
    path.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    team.commit()


def taken_out_and_brought_back(team: Team) -> None:
    (path,) = team.files()
    raw = path.read_bytes()
    path.unlink()
    team.commit()
    git(team.laptop, "branch", "-qf", "main", "work")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    team.commit()


def from_before_it(team: Team) -> None:
    git(team.laptop, "switch", "-qC", "work", "main~2")
    git(team.laptop, "checkout", "-q", "main", "--", FOLDER)
    team.change("0003.sql", "DELETE FROM segments;\n")


@pytest.mark.parametrize("again", [copied, rewritten, taken_out_and_brought_back, from_before_it])
def test_evidence_is_used_once_however_it_comes_again(team: Team, again: Callable[[Team], None]) -> None:
    team.change("0002.sql", "DELETE FROM segments;\n")
    team.attest()
    git(team.laptop, "branch", "-qf", "main", "work")
    again(team)
    team.change("0003.sql", "DELETE FROM segments;\n") if again is not from_before_it else None
    code, document = team.judged()
    assert (code, "evidence-used" in codes(document)) == (1, True)


@pytest.mark.parametrize("command", [("attest",), ("waive", "--reason", "only test rows")])
def test_evidence_that_was_there_before_answers_for_no_later_change(team: Team, command: tuple[str, ...]) -> None:
    """A second DELETE of the same words is another loss, whatever was said of the first."""
    for name in ("0002.sql", "0003.sql"):
        team.change(name, "DELETE FROM segments;\n")
        if name == "0002.sql":
            done = ics_guard(team.laptop, *command, "--range", "main..HEAD", "--key", str(team.key))
            assert done.returncode == 0, done.stderr
            team.commit()
            assert team.judged()[0] == 0
            git(team.laptop, "branch", "-qf", "main", "work")
    code, document = team.judged()
    assert (code, "evidence-used" in codes(document)) == (1, True)
    assert command[0] in next(one for one in document["reasons"] if one["code"] == "evidence-used")["fix"]


def test_evidence_from_another_repository_counts_in_no_history_that_took_it_in(team: Team) -> None:
    team.change()
    team.attest()
    other = make_team(team.folder / "other", config=CONFIG + "# another repository\n")
    git(other.laptop, "switch", "-q", "main")
    (other.laptop / SIGNERS).write_text(allowed(team.key))
    other.commit()
    git(other.laptop, "switch", "-qC", "work")
    other.change()
    git(other.laptop, "fetch", "-q", str(team.laptop), "work")
    git(other.laptop, "merge", "-q", "-s", "ours", "--allow-unrelated-histories", "-m", "in", "FETCH_HEAD")
    git(other.laptop, "checkout", "-q", "FETCH_HEAD", "--", FOLDER)
    other.commit()
    code, document = other.judged()
    assert (code, "evidence-other-repository" in codes(document)) == (1, True)


def test_what_a_narrower_scope_leaves_out_is_attested_with_it(team: Team) -> None:
    """The gate asks what both ends ask: so does everything that answers it."""
    team.change("0009.sql", DROP)
    (team.laptop / "ics-guard.toml").write_text(
        CONFIG.replace("[watch]\n", '[watch]\nexclude = ["migrations/0009.sql"]\n')
    )
    team.commit()
    listed = json.loads(ics_guard(team.laptop, "check", "--json", "--range", "main..HEAD").stdout)["changes"]
    assert {change["rule"] for change in listed} == {"config.loosened", "sql.drop_column"}
    assert team.judged()[0] == 1
    team.attest()
    assert len(team.files()) == 2
    assert team.judged()[0] == 0


def test_a_branch_on_top_of_one_that_was_squashed_needs_no_new_evidence(team: Team) -> None:
    """What its target has already is no change of the target, so the evidence that came with it still answers."""
    team.change()
    team.attest()
    git(team.laptop, "switch", "-qc", "below")
    git(team.laptop, "switch", "-q", "main")
    git(team.laptop, "merge", "-q", "--squash", "below")
    team.commit()
    git(team.laptop, "switch", "-q", "work")
    (team.laptop / "notes").write_text("more")
    team.commit()
    assert team.judged()[0] == 0
