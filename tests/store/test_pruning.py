"""What is forgotten in time, and what is not."""

from __future__ import annotations

import pytest
from reprise.domain.errors import AlreadyExists, NotFound
from reprise.domain.run import Party
from reprise.store.sql import SqlStore

from .building import PARENT, SECOND, T0, claim, ended_run, name_of, new_run

DAY = 86_400 * SECOND


def test_operations_that_are_done_are_forgotten_in_time_and_those_that_wait_are_kept(store: SqlStore) -> None:
    ended_run(store, "ended")
    store.create_run(new_run("running"))
    claim(store, "running").begin()
    done = store.begin_batch_cancel(PARENT, [name_of("ended")], Party.REPRISE, T0)
    waiting = store.begin_batch_cancel(PARENT, [name_of("running")], Party.REPRISE, T0)
    young = store.begin_batch_cancel(PARENT, [name_of("ended")], Party.REPRISE, T0 + 5 * DAY)
    assert store.prune(T0 + DAY, 100) == 1
    with pytest.raises(NotFound):
        store.get_operation(done.name)
    assert not store.get_operation(waiting.name).is_done
    assert store.get_operation(young.name) == young
    assert store.prune(T0 + DAY, 100) == 0


def test_a_request_id_is_known_until_it_is_forgotten(store: SqlStore) -> None:
    for index in range(5):
        store.create_run(new_run(f"run-{index}", created_ns=T0 + index * DAY), f"id-{index}", b"print")
    assert store.prune(T0 + 2 * DAY, 1) == 1
    assert store.prune(T0 + 2 * DAY, 1) == 1
    assert store.prune(T0 + 2 * DAY, 1) == 0
    assert store.find_request(PARENT, "id-0", b"print") is None
    assert store.find_request(PARENT, "id-1", b"print") is None
    assert store.find_request(PARENT, "id-2", b"print") is not None
    with pytest.raises(AlreadyExists):
        store.create_run(new_run("run-0"), "id-0", b"print")
