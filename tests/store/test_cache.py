"""What the cache keeps, for whom, and who makes an outcome just now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from reprise.domain.cache import CacheQuery, CacheRow, CacheScope, Lead, Leader
from reprise.domain.errors import InvalidArgument
from reprise.domain.run import OperationKind, Party
from reprise.domain.states import AttemptState, RunState, TaskState
from reprise.store.sql import SqlStore

from .building import PARENT, SECOND, T0, Owner, attempt, claim, name_of, new_run, task
from .looking import Look

SCOPE = CacheScope("acme", "pipeline")
WAITS = Lead(b"key", may_wait=True)


def running(store: SqlStore, job_id: str, **values: str) -> Owner:
    store.create_run(new_run(job_id, **values))
    return claim(store, job_id)


def row(owner: Owner, key: bytes = b"key", created_ns: int = T0, **values: str) -> CacheRow:
    given = {"task": "train", "component": "comp-train", **values}
    return CacheRow(key, owner.run.id, 4, b"of " + owner.run.name.job_id.encode(), created_ns, **given)


def start(owner: Owner, task_id: int = 1, lead: Lead = WAITS, now_ns: int = T0 + SECOND) -> bool:
    """Whether the start was made."""
    result = owner.write(
        now_ns=now_ns,
        state=RunState.RUNNING,
        tasks=[task(task_id, TaskState.PENDING)],
        starting=[task(task_id, TaskState.RUNNING)],
        starts=[attempt(task_id)],
        leads={task_id: lead},
    )
    assert result.held_back <= {task_id}
    return not result.held_back


def end(owner: Owner, state: TaskState = TaskState.SUCCEEDED, task_id: int = 1) -> None:
    is_well = state is TaskState.SUCCEEDED
    owner.write(
        tasks=[task(task_id, state)],
        attempts=[attempt(task_id, state=AttemptState.SUCCEEDED if is_well else AttemptState.FAILED)],
        cache=[row(owner)] if is_well else [],
        ended_leads=[task_id],
    )


def leader(store: SqlStore, now_ns: int = T0 + SECOND) -> Leader | None:
    return store.look_up_cache(SCOPE, [b"key"], now_ns)[0].leader


def test_a_key_has_the_outcome_that_was_written_last_within_its_project_and_pipeline(store: SqlStore) -> None:
    one, two = running(store, "one"), running(store, "two")
    for owner in (one, one, two):
        owner.write(cache=[row(owner)])
    found = store.look_up_cache(SCOPE, [b"key"], T0)[0].row
    assert found == row(two)
    assert store.find_cached(SCOPE, [b"key", b"other"]) == {b"key": row(two)}
    for elsewhere in (CacheScope("acme", "other"), CacheScope("other", "pipeline")):
        assert store.look_up_cache(elsewhere, [b"key"], T0)[0].row is None
        assert not store.find_cached(elsewhere, [b"key"])


def test_an_outcome_goes_with_the_run_that_made_it(store: SqlStore) -> None:
    owner = running(store, "one")
    owner.begin()
    owner.write(cache=[row(owner)])
    owner.finish()
    store.delete_runs(PARENT, [name_of("one")], OperationKind.DELETE, Party.REPRISE, T0)
    assert store.look_up_cache(SCOPE, [b"key"], T0)[0].row is None


def test_many_keys_are_found_as_few_are(store: SqlStore) -> None:
    owner = running(store, "one")
    owner.write(cache=[row(owner, b"%d" % number) for number in range(3)])
    found = store.find_cached(SCOPE, [b"%d" % number for number in range(2, 3000)])
    assert list(found) == [b"2"]


def test_the_newest_outcomes_of_a_component_are_found_first(store: SqlStore) -> None:
    owner = running(store, "one")
    rows = [row(owner, b"%d" % number, T0 + number) for number in range(4)]
    owner.write(cache=[*rows, row(owner, b"other", T0 + 9, component="comp-other")])
    assert [found.key for found in store.find_cached_of(SCOPE, "comp-train", 3)] == [b"3", b"2", b"1"]


def fill(store: SqlStore) -> Owner:
    owner = running(store, "one")
    owner.write(
        cache=[
            row(owner, b"%d" % number, T0 + number * SECOND, task=name)
            for number, name in enumerate(("b", "a", "loop.work", "loop.work", "c"))
        ]
    )
    other = running(store, "two", pipeline_name="another")
    other.write(cache=[row(other, b"9", T0)])
    return owner


def listed(store: SqlStore, query: CacheQuery, size: int = 2) -> list[str]:
    keys, token = [], ""
    while True:
        page = store.list_cache(query, size, token, T0 + 10 * SECOND)
        assert len(page.entries) <= size
        keys += [entry.row.key.decode() for entry in page.entries]
        token = page.next_token
        if not token:
            return keys


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        (CacheQuery("acme"), ["9", "1", "0", "4", "2", "3"]),
        (CacheQuery("acme", "pipeline"), ["1", "0", "4", "2", "3"]),
        (CacheQuery("acme", "pipeline", task="loop[7].work"), ["2", "3"]),
        (CacheQuery("acme", "pipeline", older_than_s=8.5), ["1", "0"]),
        (CacheQuery("acme", "nothing"), []),
        (CacheQuery("other"), []),
    ],
)
def test_what_is_listed_is_what_is_dropped(store: SqlStore, query: CacheQuery, keys: list[str]) -> None:
    fill(store)
    assert listed(store, query) == keys
    everything = listed(store, CacheQuery("acme"))
    assert store.drop_cache(query, T0 + 10 * SECOND) == len(keys)
    assert listed(store, CacheQuery("acme")) == [key for key in everything if key not in keys]


def test_a_drop_is_still_so_after_a_restart(reopen: Callable[[], SqlStore]) -> None:
    store = reopen()
    fill(store)
    store.drop_cache(CacheQuery("acme", "pipeline"), T0)
    assert listed(reopen(), CacheQuery("acme")) == ["9"]


@pytest.mark.parametrize("token", ["x", "YQ==", "YQ==.YQ==.YQ==.YQ==", "YQ==.¹.YQ=="])
def test_a_page_token_that_is_none_is_refused(store: SqlStore, token: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        store.list_cache(CacheQuery("acme"), 2, token, T0)


def test_an_equal_task_of_another_run_does_not_start_while_one_runs(store: SqlStore) -> None:
    one, two = running(store, "one"), running(store, "two")
    assert start(one)
    assert leader(store) == Leader(one.run.id, 1)
    assert not start(two)
    assert store.get_details(two.run.name).tasks[0].state is TaskState.PENDING
    end(one, TaskState.FAILED)
    assert leader(store) is None
    assert start(two)
    assert leader(store) == Leader(two.run.id, 1)


def test_an_outcome_that_came_since_the_look_holds_a_start_back_once(store: SqlStore) -> None:
    one, two = running(store, "one"), running(store, "two")
    start(one)
    end(one)
    assert not start(two)
    seen = store.look_up_cache(SCOPE, [b"key"], T0)[0].row
    assert seen is not None
    assert start(two, lead=replace(WAITS, seen=seen.mark)), "it has seen it, and it is of no use"


def test_equal_tasks_of_one_run_hold_nobody_of_it_back(store: SqlStore) -> None:
    one = running(store, "one")
    assert start(one, 1) and start(one, 2)
    end(one, task_id=1)
    assert leader(store) is None, "the second never led"
    assert start(one, 3), "an outcome of its own run is no answer"


def test_a_start_that_may_not_wait_is_made_whoever_leads(store: SqlStore) -> None:
    one, two, three = running(store, "one"), running(store, "two"), running(store, "three")
    start(one)
    assert start(two, lead=replace(WAITS, may_wait=False))
    assert leader(store) == Leader(one.run.id, 1)
    end(two)
    assert leader(store) == Leader(one.run.id, 1), "who does not lead cannot end a lead"
    assert not start(three)


def test_nobody_waits_for_a_run_without_an_owner_or_one_that_is_being_cancelled(store: SqlStore) -> None:
    one, two = running(store, "one"), running(store, "two")
    start(one)
    after_the_lease = T0 + 61 * SECOND
    assert leader(store, after_the_lease) is None
    assert start(two, now_ns=after_the_lease)
    store.renew_leases("server", after_the_lease, 60.0)
    assert leader(store, after_the_lease) == Leader(two.run.id, 1), "taken over"
    end(one, TaskState.FAILED)
    assert leader(store, after_the_lease) == Leader(two.run.id, 1), "whom nobody follows ends no other's lead"
    store.request_cancel(two.run.name, after_the_lease)
    assert leader(store, after_the_lease) is None


def test_a_leader_whose_run_is_claimed_anew_leads_on(reopen: Callable[[], SqlStore]) -> None:
    store = reopen()
    one = running(store, "one")
    start(one)
    store = reopen()
    assert leader(store) is None, "nobody has it"
    claim(store, "one", "second server")
    assert leader(store) == Leader(one.run.id, 1)


def test_a_run_that_ends_leads_nowhere(store: SqlStore, look: Look) -> None:
    one = running(store, "one")
    start(one)
    one.write(
        tasks=[task(1, TaskState.FAILED)], attempts=[attempt(1, state=AttemptState.FAILED, ended_ns=T0)]
    )
    one.finish(RunState.FAILED)
    assert look.rows("SELECT * FROM cache_leaders") == []


def test_no_lead_is_written_by_a_server_that_has_lost_the_run(store: SqlStore, look: Look) -> None:
    from reprise.domain.errors import FenceLost

    one = running(store, "one")
    store.release_run(one.run.id, one.run.fence)
    claim(store, "one", "second server")
    with pytest.raises(FenceLost):
        start(one)
    assert look.rows("SELECT * FROM cache_leaders") == []
