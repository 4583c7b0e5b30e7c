"""Who owns a run, and until when."""

from __future__ import annotations

from reprise.domain.states import RunState
from reprise.store.sql import SqlStore

from .building import SECOND, T0, claim, ended_run, name_of, new_run
from .looking import Look


def claimed_ids(store: SqlStore, owner: str, now_ns: int, limit: int = 100) -> list[str]:
    return [claimed.run.name.job_id for claimed in store.claim_runs(owner, limit, now_ns, 10.0)]


def test_a_run_is_claimed_by_one_owner_until_its_lease_ends(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    assert claimed_ids(store, "a", T0) == ["one"]
    assert claimed_ids(store, "b", T0 + 9 * SECOND) == []
    assert claimed_ids(store, "a", T0 + 9 * SECOND) == []
    assert claimed_ids(store, "b", T0 + 10 * SECOND) == ["one"]
    assert store.get_run(name_of("one")).owner == "b"


def test_a_lease_that_is_renewed_goes_on(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    store.create_run(new_run("two"))
    claimed_ids(store, "a", T0)
    one, two = store.get_run(name_of("one")), store.get_run(name_of("two"))
    assert store.renew_leases("a", T0 + 9 * SECOND, 10.0) == [
        (one.id, RunState.PENDING),
        (two.id, RunState.PENDING),
    ]
    assert claimed_ids(store, "b", T0 + 18 * SECOND) == []
    assert store.renew_leases("b", T0, 10.0) == []


def test_a_renewal_tells_of_a_cancel_and_of_what_was_lost(store: SqlStore) -> None:
    for job_id in ("running", "pending", "taken"):
        store.create_run(new_run(job_id))
    running = claim(store, "running", "a")
    running.begin()
    claim(store, "pending", "a")
    claim(store, "taken", "b")
    store.request_cancel(name_of("running"), T0)
    store.request_cancel(name_of("pending"), T0)
    assert store.owned_runs("a") == [(running.run.id, RunState.CANCELLING)]
    assert store.renew_leases("a", T0, 10.0) == [(running.run.id, RunState.CANCELLING)]


def test_looking_at_what_is_owned_renews_no_lease(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    claimed_ids(store, "a", T0)
    assert len(store.owned_runs("a")) == 1
    assert claimed_ids(store, "b", T0 + 10 * SECOND) == ["one"]
    assert store.owned_runs("a") == []


def test_runs_that_have_ended_are_not_claimed(store: SqlStore) -> None:
    ended_run(store, "one")
    assert claimed_ids(store, "a", T0 + 1000 * SECOND) == []


def test_no_more_runs_are_claimed_than_asked_for_oldest_first(store: SqlStore) -> None:
    for job_id in ("one", "two", "three"):
        store.create_run(new_run(job_id))
    assert claimed_ids(store, "a", T0, limit=2) == ["one", "two"]
    assert claimed_ids(store, "b", T0, limit=2) == ["three"]


def test_a_released_run_is_claimed_at_once(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    owner = claim(store, "one", "a")
    store.release_run(owner.run.id, owner.run.fence + 1)
    assert claimed_ids(store, "b", T0) == []
    store.release_run(owner.run.id, owner.run.fence)
    assert claimed_ids(store, "b", T0) == ["one"]


def test_looking_for_work_in_vain_writes_nothing(store: SqlStore, look: Look) -> None:
    before = look.rows("PRAGMA data_version")
    assert claimed_ids(store, "a", T0) == []
    assert look.rows("PRAGMA data_version") == before
