"""The local store keeps the contract, and is private, durable and tidy besides."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ics_guard.errors import StoreError
from ics_guard.stores.local import LocalStore
from tests.contracts.store_contract import StoreContract
from tests.support import on_a_disk


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "backups", readme="by hand\n")


def test_it_is_private_and_ignores_itself(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "backups", readme="by hand\n")
    store.create("sqlite/a", b"1")
    root = tmp_path / "backups"
    assert (root / ".gitignore").read_text() == "*\n"
    assert (root / "README.txt").read_text() == "by hand\n"
    for path in [root, *root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "backups")
    assert list(store.keys("ledger/")) == []
    assert store.size("a") is None
    assert not (tmp_path / "backups").exists()


def test_what_a_file_manager_leaves_is_no_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "backups")
    store.create("ledger/00000001.json", b"{}")
    (tmp_path / "backups" / "ledger" / ".DS_Store").write_bytes(b"x")
    assert list(store.keys("")) == ["ledger/00000001.json"]


def test_what_a_killed_writer_leaves_is_removed_by_the_next_command(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from ics_guard.stores.local import LocalStore
with LocalStore(Path(sys.argv[1])).writing("sqlite/x") as incoming:
    incoming.stream.write(b"half" * 100000)
    incoming.stream.flush()
    print("ready", flush=True)
    time.sleep(60)
"""
    root = tmp_path / "backups"
    with subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        store = LocalStore(root)
        store.create("other", b"")
        assert len(list((root / ".incoming").iterdir())) == 1, "a living writer's file must stay"
        process.send_signal(signal.SIGKILL)
        process.wait()
    store.create("third", b"")
    assert list((root / ".incoming").iterdir()) == []
    assert store.size("sqlite/x") is None


FULL = """
import os, sys
from pathlib import Path
from ics_guard.errors import StoreError
from ics_guard.stores.local import LocalStore
store = LocalStore(Path(sys.argv[1]))
store.create("a", b"fits")
try:
    store.create("b", os.urandom(2 << 20))
except StoreError as error:
    print(error.code, error.message)
assert store.size("b") is None
assert store.create("c", b"still works")
"""


def test_a_full_store_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    done = on_a_disk(tmp_path / "small", "size=1m", sys.executable, "-c", FULL, str(tmp_path / "small"))
    assert done.returncode == 0, done.stderr
    assert "store-full" in done.stdout
    assert "MiB free" in done.stdout
    assert done.stdout.endswith(".incoming:\n"), done.stdout


def test_a_store_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        LocalStore(tmp_path / "file" / "backups").create("a", b"")
    assert caught.value.fix
