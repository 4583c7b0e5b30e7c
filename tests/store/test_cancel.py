"""Cancelling one run and many, and the operations that tell of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reprise.domain.errors import FailedPrecondition, FenceLost, InvalidArgument, NotFound
from reprise.domain.names import OperationName, Parent
from reprise.domain.run import OperationKind, OriginalRef, Party
from reprise.domain.states import RunState
from reprise.store.sql import SqlStore

from .building import (
    CANCELLED,
    PARENT,
    SECOND,
    T0,
    claim,
    ended_run,
    job_ids,
    name_of,
    new_run,
    original_spec,
    task,
)
from .looking import Look, assert_blobs_are_counted, assert_states_moved_legally


def test_a_run_in_which_nothing_started_is_cancelled_at_once(store: SqlStore, look: Look) -> None:
    store.create_run(new_run("one"))
    run = store.request_cancel(name_of("one"), T0 + SECOND)
    assert (run.state, run.error, run.ended_ns) == (RunState.CANCELLED, CANCELLED, T0 + SECOND)
    details = store.get_details(name_of("one"))
    assert (details.run, details.tasks, details.details_wire) == (run, (), b"")
    assert store.get_original(PARENT, run.id).records == b""
    assert_states_moved_legally(look)


def test_a_claimed_run_in_which_nothing_started_is_lost_to_its_owner(store: SqlStore) -> None:
    from reprise.domain.states import TaskState

    store.create_run(new_run("one"))
    owner = claim(store, "one")
    owner.write(tasks=[task(1, TaskState.PENDING)])
    assert store.request_cancel(name_of("one"), T0).state is RunState.CANCELLED
    with pytest.raises(FenceLost):
        owner.begin(1)
    assert store.get_details(name_of("one")).tasks == ()


def test_a_running_run_is_cancelling_until_its_owner_ends_it(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    owner = claim(store, "one")
    owner.begin(1)
    assert store.request_cancel(name_of("one"), T0).state is RunState.CANCELLING
    again = store.request_cancel(name_of("one"), T0 + 5 * SECOND)
    assert (again.state, again.updated_ns) == (RunState.CANCELLING, T0)
    owner.end_tasks(1)
    assert owner.finish(RunState.SUCCEEDED).state is RunState.SUCCEEDED


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED])
def test_cancelling_what_has_ended_changes_nothing(store: SqlStore, state: RunState) -> None:
    run = ended_run(store, "one", state)
    assert store.request_cancel(run.name, T0 + 99 * SECOND) == run


def test_a_rerun_of_a_run_that_never_started_can_be_made(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    original = store.request_cancel(name_of("one"), T0)
    store.create_run(new_run("two", original=OriginalRef(original.id, str(original.name))))
    assert original_spec(store, "two") == b"spec"
    assert claim(store, "two").claimed.original_records == b""


def test_a_rerun_that_never_started_passes_on_the_records_it_was_to_begin_with(
    store: SqlStore, look: Look
) -> None:
    first = ended_run(store, "first")
    names = ["first"]
    for job_id in ("second", "third"):
        earlier = store.get_run(name_of(names[-1]))
        store.create_run(new_run(job_id, original=OriginalRef(earlier.id, str(earlier.name))))
        run = store.request_cancel(name_of(job_id), T0)
        original = store.get_original(PARENT, run.id)
        assert original.records == b"records of first"
        assert (original.records_run_id, original.records_run_name) == (first.id, str(first.name))
        names.append(job_id)
    store.delete_runs(
        PARENT, [name_of("first"), name_of("second")], OperationKind.BATCH_DELETE, Party.REPRISE, T0
    )
    last = store.get_run(name_of("third"))
    store.create_run(new_run("fourth", original=OriginalRef(last.id, str(last.name))))
    assert claim(store, "fourth").claimed.original_records == b"records of first"
    assert_blobs_are_counted(look)
    assert f"runs/{first.id}" not in {path for _, path in store.take_garbage(10)}


def test_the_records_of_a_run_that_started_are_its_own(store: SqlStore) -> None:
    first = ended_run(store, "first")
    second = ended_run(store, "second", original=OriginalRef(first.id, str(first.name)))
    original = store.get_original(PARENT, second.id)
    assert original.records == b"records of second"
    assert (original.records_run_id, original.records_run_name) == (second.id, str(second.name))


def test_a_batch_with_a_missing_name_cancels_nothing(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    names = [name_of("one"), name_of("gone"), name_of("lost")]
    with pytest.raises(NotFound) as missing:
        store.begin_batch_cancel(PARENT, names, Party.REPRISE, T0)
    assert missing.value.metadata["missing"] == f"{name_of('gone')},{name_of('lost')}"
    assert store.get_run(name_of("one")).state is RunState.PENDING
    assert store.list_operations(PARENT, 10, "") == ([], "")


def test_a_batch_is_done_when_each_of_its_runs_has_ended(store: SqlStore) -> None:
    ended_run(store, "ended")
    owners = {}
    for job_id in ("winner", "stopped"):
        store.create_run(new_run(job_id))
        owners[job_id] = claim(store, job_id)
        owners[job_id].begin()
    store.create_run(new_run("waiting"))
    names = [name_of(job_id) for job_id in ("stopped", "waiting", "ended", "winner", "stopped")]
    operation = store.begin_batch_cancel(PARENT, names, Party.VERTEX_V1, T0)
    assert (operation.kind, operation.party) == (OperationKind.BATCH_CANCEL, Party.VERTEX_V1)
    assert (operation.is_done, operation.runs) == (False, ())
    assert [(target.name, target.outcome) for target in operation.targets] == [
        (str(name_of("stopped")), "pending"),
        (str(name_of("waiting")), "cancelled"),
        (str(name_of("ended")), "already_ended"),
        (str(name_of("winner")), "pending"),
    ]
    owners["winner"].finish(RunState.SUCCEEDED)
    assert not store.get_operation(operation.name).is_done
    owners["stopped"].finish(RunState.CANCELLED, error=CANCELLED, now_ns=T0 + 7 * SECOND)
    done = store.get_operation(operation.name)
    assert (done.is_done, done.updated_ns) == (True, T0 + 7 * SECOND)
    assert [(target.outcome, target.state) for target in done.targets] == [
        ("cancelled", RunState.CANCELLED),
        ("cancelled", RunState.CANCELLED),
        ("already_ended", RunState.SUCCEEDED),
        ("already_ended", RunState.SUCCEEDED),
    ]
    assert job_ids(done.runs) == ["stopped", "waiting"]
    assert done.runs[0] == store.get_run(name_of("stopped"))


def test_a_batch_of_what_had_not_started_is_done_at_once(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    operation = store.begin_batch_cancel(PARENT, [name_of("one")], Party.REPRISE, T0)
    assert operation.is_done
    assert operation.runs == (store.get_run(name_of("one")),)


def test_two_batches_that_wait_for_one_run_are_both_told(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    owner = claim(store, "one")
    owner.begin()
    batches = [
        store.begin_batch_cancel(PARENT, [name_of("one")], Party.REPRISE, T0 + index) for index in range(2)
    ]
    owner.finish(RunState.CANCELLED)
    assert all(store.get_operation(batch.name).is_done for batch in batches)


def test_the_answer_of_an_operation_outlives_its_runs(reopen: Callable[[], SqlStore]) -> None:
    store = reopen()
    store.create_run(new_run("one", labels={"a": "b"}, warnings=("w",)))
    run_before = store.begin_batch_cancel(PARENT, [name_of("one")], Party.REPRISE, T0).runs[0]
    store.delete_runs(PARENT, [name_of("one")], OperationKind.DELETE, Party.REPRISE, T0)
    operation = reopen().list_operations(PARENT, 10, "")[0][1]
    assert operation.runs == (run_before,)
    assert operation.targets[0].outcome == "cancelled"


def test_deletion_is_an_operation_that_is_done(store: SqlStore) -> None:
    for job_id in ("one", "two"):
        ended_run(store, job_id)
    names = [name_of("two"), name_of("one"), name_of("two")]
    operation = store.delete_runs(PARENT, names, OperationKind.BATCH_DELETE, Party.VERTEX_V1BETA1, T0)
    assert operation.is_done
    assert (operation.kind, operation.party) == (OperationKind.BATCH_DELETE, Party.VERTEX_V1BETA1)
    assert [(target.name, target.outcome) for target in operation.targets] == [
        (str(name_of("two")), "deleted"),
        (str(name_of("one")), "deleted"),
    ]
    assert store.get_operation(operation.name) == operation
    with pytest.raises(NotFound):
        store.get_run(name_of("one"))


def test_a_run_that_has_not_ended_is_not_deleted_nor_what_is_named_with_it(store: SqlStore) -> None:
    ended_run(store, "ended")
    store.create_run(new_run("pending"))
    store.create_run(new_run("running"))
    claim(store, "running").begin()
    with pytest.raises(FailedPrecondition) as refused:
        store.delete_runs(
            PARENT,
            [name_of("ended"), name_of("pending"), name_of("running")],
            OperationKind.BATCH_DELETE,
            Party.REPRISE,
            T0,
        )
    assert "pending is PENDING" in refused.value.message
    assert "running is RUNNING" in refused.value.message
    store.get_run(name_of("ended"))


def test_a_deletion_with_a_missing_name_deletes_nothing(store: SqlStore) -> None:
    ended_run(store, "ended")
    with pytest.raises(NotFound):
        store.delete_runs(
            PARENT, [name_of("ended"), name_of("gone")], OperationKind.BATCH_DELETE, Party.REPRISE, T0
        )
    store.get_run(name_of("ended"))


def test_nothing_of_a_deleted_run_is_left(store: SqlStore, look: Look) -> None:
    ended_run(store, "one", labels={"a": "b"})
    store.delete_runs(PARENT, [name_of("one")], OperationKind.DELETE, Party.REPRISE, T0)
    for table in ("runs", "run_payloads", "run_details", "run_labels", "blobs", "blob_bytes", "events"):
        assert look.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    for table in ("task_segments", "task_entries", "attempt_entries", "cache_entries", "file_references"):
        assert look.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    ended_run(store, "one")


def test_operations_are_listed_newest_first_page_by_page(store: SqlStore) -> None:
    made = []
    for index in range(5):
        store.create_run(new_run(f"run-{index}"))
        made.append(
            store.begin_batch_cancel(PARENT, [name_of(f"run-{index}")], Party.REPRISE, T0 + index).name
        )
    listed: list[OperationName] = []
    token = ""
    while True:
        page, token = store.list_operations(PARENT, 2, token)
        listed.extend(operation.name for operation in page)
        if not token:
            break
    assert listed == made[::-1]
    assert store.list_operations(Parent("other", "here"), 10, "") == ([], "")


@pytest.mark.parametrize("token", ["!", "AAAA", "é", "LTE=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ=="])
def test_a_wrong_token_is_refused(store: SqlStore, token: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        store.list_operations(PARENT, 10, token)
    assert refused.value.problems[0].field == "page_token"


def test_a_deleted_operation_is_gone_and_what_it_does_goes_on(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    owner = claim(store, "one")
    owner.begin()
    operation = store.begin_batch_cancel(PARENT, [name_of("one")], Party.REPRISE, T0)
    store.delete_operation(operation.name)
    for act in (store.get_operation, store.delete_operation):
        with pytest.raises(NotFound) as missing:
            act(operation.name)
        assert missing.value.metadata["resource_name"] == str(operation.name)
    assert owner.finish(RunState.CANCELLED).state is RunState.CANCELLED


def test_an_operation_of_another_parent_is_not_found(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    operation = store.begin_batch_cancel(PARENT, [name_of("one")], Party.REPRISE, T0)
    other = OperationName(Parent("other", "here"), operation.name.operation_id)
    for act in (store.get_operation, store.delete_operation):
        with pytest.raises(NotFound):
            act(other)
        with pytest.raises(NotFound):
            act(OperationName(PARENT, 10**19 - 1))
    store.get_operation(operation.name)
