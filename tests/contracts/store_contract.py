"""What every store must do. A test module of a store subclasses `StoreContract` and makes `store`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ics_guard.errors import StoreError
from ics_guard.model import Store


class StoreContract:
    """Write-once objects, whole or absent, listed in order."""

    def test_an_object_comes_back_as_it_was_put(self, store: Store) -> None:
        assert store.create("ledger/00000001.json", b"one")
        with store.open("ledger/00000001.json") as stream:
            assert stream.read() == b"one"
        assert store.size("ledger/00000001.json") == 3

    def test_a_key_is_written_once(self, store: Store) -> None:
        assert store.create("a", b"first")
        assert not store.create("a", b"second")
        with store.open("a") as stream:
            assert stream.read() == b"first"

    def test_of_many_writers_of_one_key_exactly_one_wins(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n: store.create("a", str(n).encode()), range(24)))
        assert won.count(True) == 1
        with store.open("a") as stream:
            assert stream.read() == str(won.index(True)).encode()

    def test_nothing_is_visible_before_publication(self, store: Store) -> None:
        with store.writing("sqlite/x") as incoming:
            incoming.stream.write(b"part")
            assert store.size("sqlite/x") is None
            assert list(store.keys("")) == []
            with incoming.reread() as stream:
                assert stream.read() == b"part"
            assert incoming.publish()
        assert list(store.keys("sqlite/")) == ["sqlite/x"]

    def test_what_is_given_up_leaves_nothing(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.writing("sqlite/x") as incoming:
            incoming.stream.write(b"part")
            raise ZeroDivisionError
        assert store.size("sqlite/x") is None
        assert list(store.keys("")) == []

    def test_publishing_over_an_object_is_refused(self, store: Store) -> None:
        store.create("x", b"old")
        with store.writing("x") as incoming:
            incoming.stream.write(b"new")
            assert not incoming.publish()
        with store.open("x") as stream:
            assert stream.read() == b"old"

    def test_keys_are_sorted_and_chosen_by_prefix(self, store: Store) -> None:
        for key in ("b/2", "a/1", "b/10", "b/1"):
            store.create(key, b"")
        assert list(store.keys("b/")) == ["b/1", "b/10", "b/2"]
        assert list(store.keys("b/1")) == ["b/1", "b/10"]
        assert list(store.keys("c/")) == []

    def test_an_absent_object_is_an_error_to_open_and_none_to_measure(self, store: Store) -> None:
        assert store.size("a") is None
        with pytest.raises(StoreError) as caught, store.open("a"):
            pass
        assert caught.value.fix
        store.delete("a")

    def test_a_deleted_object_is_gone(self, store: Store) -> None:
        store.create("a", b"1")
        store.delete("a")
        assert store.size("a") is None
        assert store.create("a", b"2")

    @pytest.mark.parametrize("key", ["../outside", "/etc/x", "a/../../b", ""])
    def test_a_key_cannot_leave_the_store(self, store: Store, key: str) -> None:
        with pytest.raises(StoreError):
            store.create(key, b"")
