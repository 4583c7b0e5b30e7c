"""Storing and reading runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reprise.domain.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    RequestIdReused,
)
from reprise.domain.names import Parent
from reprise.domain.run import ListQuery, OperationKind, OriginalRef, Party, Progress
from reprise.domain.states import RunState, TaskState
from reprise.store.sql import SqlStore

from .building import (
    PARENT,
    T0,
    claim,
    ended_run,
    name_of,
    new_run,
    original_spec,
    task,
)
from .looking import Look, assert_blobs_are_counted, assert_states_moved_legally


def test_a_created_run_is_read_back_as_it_was_given(store: SqlStore) -> None:
    new = new_run(
        "one",
        labels={"team": "süd", "empty": ""},
        warnings=("network does nothing",),
        template_uri="https://host/x",
        schedule_name="nightly",
    )
    run, is_new = store.create_run(new)
    assert is_new
    assert run.state is RunState.PENDING
    assert run.name == name_of("one")
    assert (run.display_name, run.pipeline_name) == ("display one", "pipeline")
    assert run.labels == {"team": "süd", "empty": ""}
    assert run.warnings == ("network does nothing",)
    assert (run.template_uri, run.schedule_name) == ("https://host/x", "nightly")
    assert run.header_wire == b"header of one"
    assert (run.created_ns, run.started_ns, run.ended_ns) == (T0, 0, 0)
    assert store.get_run(run.name) == run
    assert store.get_run_by_id(PARENT, run.id) == run
    assert store.get_spec(run.spec_digest) == b"spec"


def test_a_created_run_is_there_after_a_restart(reopen: Callable[[], SqlStore]) -> None:
    run, _ = reopen().create_run(new_run("one"))
    assert reopen().get_run(run.name) == run


def test_ids_rise_and_are_never_given_again(reopen: Callable[[], SqlStore]) -> None:
    store = reopen()
    ids = [ended_run(store, f"run-{index}").id for index in range(3)]
    assert ids == sorted(set(ids))
    assert all(0 < run_id < 2**53 for run_id in ids)
    store.delete_runs(PARENT, [name_of("run-2")], OperationKind.DELETE, Party.REPRISE, T0)
    store = reopen()
    # The clock has gone back meanwhile.
    later, _ = store.create_run(new_run("later", created_ns=1))
    assert later.id > ids[-1]


def test_a_name_is_taken_once(store: SqlStore) -> None:
    store.create_run(new_run("one"), fingerprint=b"same")
    with pytest.raises(AlreadyExists) as same:
        store.create_run(new_run("one"), fingerprint=b"same")
    assert same.value.metadata["same_request"] == "true"
    assert same.value.metadata["resource_name"] == str(name_of("one"))
    with pytest.raises(AlreadyExists) as other:
        store.create_run(new_run("one"), fingerprint=b"other")
    assert other.value.metadata["same_request"] == "false"
    store.create_run(new_run("one", Parent("acme", "there")))


def test_a_request_id_makes_one_run(store: SqlStore, look: Look) -> None:
    run, is_new = store.create_run(new_run("one"), "r1", b"print")
    again, is_new_again = store.create_run(new_run("made-up-later"), "r1", b"print")
    assert (is_new, is_new_again) == (True, False)
    assert again == run
    assert look.rows("SELECT count(*) FROM runs") == [(1,)]


def test_the_run_of_a_request_is_found_before_it_is_made_again(store: SqlStore) -> None:
    assert store.find_request(PARENT, "r1", b"print") is None
    run, _ = store.create_run(new_run("one"), "r1", b"print")
    assert store.find_request(PARENT, "r1", b"print") == run
    assert store.find_request(Parent("other", "here"), "r1", b"print") is None
    with pytest.raises(RequestIdReused):
        store.find_request(PARENT, "r1", b"other")


def test_a_request_id_with_another_body_is_refused(store: SqlStore) -> None:
    store.create_run(new_run("one"), "r1", b"print")
    with pytest.raises(RequestIdReused) as refused:
        store.create_run(new_run("two"), "r1", b"other")
    assert refused.value.problems[0].field == "request_id"


def test_a_request_id_counts_for_one_parent_only(store: SqlStore) -> None:
    store.create_run(new_run("one"), "r1", b"print")
    _, is_new = store.create_run(new_run("one", Parent("other", "here")), "r1", b"else")
    assert is_new


def test_a_request_id_does_not_make_a_deleted_run_again(store: SqlStore) -> None:
    run, _ = store.create_run(new_run("one"), "r1", b"print")
    store.request_cancel(run.name, T0)
    store.delete_runs(PARENT, [run.name], OperationKind.DELETE, Party.REPRISE, T0)
    with pytest.raises(FailedPrecondition):
        store.create_run(new_run("one"), "r1", b"print")


def test_what_is_not_there_is_not_found_by_its_name(store: SqlStore) -> None:
    for read in (store.get_run, store.get_details, lambda name: store.request_cancel(name, T0)):
        with pytest.raises(NotFound) as missing:
            read(name_of("none"))
        assert missing.value.metadata["resource_name"] == str(name_of("none"))


def test_a_run_of_another_parent_is_not_found_by_its_id(store: SqlStore) -> None:
    run = ended_run(store, "one")
    other = Parent("other", "here")
    for read in (store.get_run_by_id, store.get_original):
        with pytest.raises(NotFound):
            read(other, run.id)
        with pytest.raises(NotFound):
            read(PARENT, run.id + 1)
        with pytest.raises(NotFound):
            read(PARENT, 2**63)


def test_details_of_an_active_run_are_its_tasks(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    owner = claim(store, "one")
    owner.write(tasks=[task(2, TaskState.PENDING, b"r2"), task(1, TaskState.PENDING, b"r1")])
    details = store.get_details(name_of("one"))
    assert details.spec == b"spec"
    assert details.details_wire is None
    assert [(row.task_id, row.record) for row in details.tasks] == [(1, b"r1"), (2, b"r2")]


def test_details_of_a_finished_run_are_the_stored_bytes(store: SqlStore) -> None:
    ended_run(store, "one")
    details = store.get_details(name_of("one"))
    assert details.run.state is RunState.SUCCEEDED
    assert (details.spec, details.tasks, details.details_wire) == (b"spec", (), b"details")


def test_an_original_is_given_with_what_a_rerun_needs(store: SqlStore) -> None:
    run = ended_run(store, "one", RunState.FAILED)
    original = store.get_original(PARENT, run.id)
    assert original.run == run
    assert (original.spec, original.request, original.records) == (
        b"spec",
        b"request of one",
        b"records of one",
    )


def test_an_original_must_have_ended(store: SqlStore) -> None:
    run, _ = store.create_run(new_run("one"))
    with pytest.raises(FailedPrecondition) as refused:
        store.get_original(PARENT, run.id)
    assert refused.value.metadata["state"] == "PENDING"
    with pytest.raises(FailedPrecondition):
        store.create_run(new_run("two", original=OriginalRef(run.id, str(run.name))))


def test_an_original_of_another_parent_is_not_found(store: SqlStore) -> None:
    run = ended_run(store, "one")
    with pytest.raises(NotFound):
        store.create_run(new_run("two", Parent("other", "here"), original=OriginalRef(run.id, str(run.name))))


def test_a_refused_create_leaves_nothing(store: SqlStore, look: Look) -> None:
    with pytest.raises(NotFound):
        store.create_run(
            new_run("two", labels={"a": "b"}, original=OriginalRef(7, "gone")), "request", b"print"
        )
    for table in ("runs", "run_payloads", "run_labels", "blobs", "request_ids", "file_references", "events"):
        assert look.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


def test_a_rerun_outlives_its_original(store: SqlStore, look: Look) -> None:
    original = ended_run(store, "one", spec=b"old spec")
    rerun, _ = store.create_run(
        new_run("two", spec=b"new spec", original=OriginalRef(original.id, str(original.name)))
    )
    assert (rerun.original_id, rerun.original_name) == (original.id, str(original.name))
    assert_blobs_are_counted(look)
    store.delete_runs(PARENT, [original.name], OperationKind.DELETE, Party.REPRISE, T0)
    assert_blobs_are_counted(look)
    claimed = claim(store, "two").claimed
    assert claimed.spec == b"new spec"
    assert (original_spec(store, "two"), claimed.original_records) == (b"old spec", b"records of one")
    assert claimed.request == b"request of two"


def test_bytes_that_runs_share_are_kept_once(store: SqlStore, look: Look) -> None:
    first = ended_run(store, "one")
    ended_run(store, "two", original=OriginalRef(first.id, str(first.name)))
    # One spec and two different records.
    assert look.rows("SELECT count(*) FROM blob_bytes") == [(3,)]
    assert_blobs_are_counted(look)


def test_bytes_go_with_the_last_run_that_names_them(store: SqlStore, look: Look) -> None:
    first = ended_run(store, "one")
    second = ended_run(store, "two", original=OriginalRef(first.id, str(first.name)))
    third = ended_run(store, "three", original=OriginalRef(second.id, str(second.name)))
    for run in (second, first, third):
        store.delete_runs(PARENT, [run.name], OperationKind.DELETE, Party.REPRISE, T0)
        assert_blobs_are_counted(look)
    assert look.rows("SELECT count(*) FROM blobs") == [(0,)]


def test_files_go_with_the_last_run_that_refers_to_them(store: SqlStore) -> None:
    first = ended_run(store, "one", files=("runs/{run_id}", "artifacts/{run_id}"))
    second = ended_run(store, "two", original=OriginalRef(first.id, str(first.name)))
    third = ended_run(store, "three", original=OriginalRef(second.id, str(second.name)))
    store.delete_runs(PARENT, [first.name, third.name], OperationKind.BATCH_DELETE, Party.REPRISE, T0)
    taken = store.take_garbage(10)
    assert [path for _, path in taken] == [f"runs/{third.id}"]
    store.drop_garbage([taken[0][0]])
    assert store.take_garbage(10) == []
    store.delete_runs(PARENT, [second.name], OperationKind.DELETE, Party.REPRISE, T0)
    assert sorted(path for _, path in store.take_garbage(10)) == sorted(
        [f"artifacts/{first.id}", f"runs/{first.id}", f"runs/{second.id}"]
    )
    assert len(store.take_garbage(2)) == 2


def test_a_run_that_reuses_cached_outcomes_keeps_their_files(store: SqlStore) -> None:
    source = ended_run(store, "source")
    store.create_run(new_run("one", reuses=(source.id,)))
    store.create_run(new_run("two"))
    claim(store, "two").write(reuses=(source.id,))
    store.delete_runs(PARENT, [source.name], OperationKind.DELETE, Party.REPRISE, T0)
    assert store.take_garbage(10) == []


def test_an_outcome_that_is_gone_cannot_be_reused(store: SqlStore) -> None:
    source = ended_run(store, "source")
    store.create_run(new_run("two"))
    owner = claim(store, "two")
    store.delete_runs(PARENT, [source.name], OperationKind.DELETE, Party.REPRISE, T0)
    with pytest.raises(Aborted):
        store.create_run(new_run("one", reuses=(source.id,)))
    with pytest.raises(NotFound):
        owner.write(tasks=[task(1, TaskState.PENDING)], reuses=(source.id,))
    assert store.get_details(name_of("two")).tasks == ()


def test_a_run_passes_on_the_files_that_it_reuses(store: SqlStore) -> None:
    source = ended_run(store, "source")
    middle = ended_run(store, "middle", reuses=(source.id,))
    store.create_run(new_run("last", original=OriginalRef(middle.id, "")))
    store.delete_runs(PARENT, [source.name, middle.name], OperationKind.BATCH_DELETE, Party.REPRISE, T0)
    assert store.take_garbage(10) == []


def test_listeners_hear_of_what_was_committed_and_only_of_that(store: SqlStore) -> None:
    heard: list[int] = []
    remove = store.add_listener(heard.append)
    run, _ = store.create_run(new_run("one"))
    with pytest.raises(AlreadyExists):
        store.create_run(new_run("one"))
    store.request_cancel(run.name, T0)
    remove()
    store.create_run(new_run("two"))
    store.close()
    assert heard == [run.id, run.id]


def test_a_listener_that_fails_harms_nobody(store: SqlStore) -> None:
    def fail(run_id: int) -> None:
        raise RuntimeError(f"no interest in {run_id}")

    store.add_listener(fail)
    store.create_run(new_run("one"))
    store.create_run(new_run("two"))


def test_the_log_tells_how_a_run_came_to_its_state(store: SqlStore, look: Look) -> None:
    ended_run(store, "one")
    ended_run(store, "two", RunState.CANCELLED)
    store.create_run(new_run("three"))
    owner = claim(store, "three")
    owner.begin(1, 2)
    owner.end_tasks(1)
    assert_states_moved_legally(look)


def test_a_progress_for_a_run_that_is_gone_loses_its_fence(store: SqlStore) -> None:
    from reprise.domain.errors import FenceLost

    with pytest.raises(FenceLost):
        store.record_progress(Progress(7, 1, T0))


def test_bytes_that_are_many_are_read_back_whole(store: SqlStore, look: Look) -> None:
    from reprise.domain.run import Finish

    large = bytes(range(256)) * 1000
    original = ended_run(store, "one", spec=large)
    store.create_run(new_run("two", spec=large, original=OriginalRef(original.id, str(original.name))))
    owner = claim(store, "two")
    assert owner.claimed.spec == original_spec(store, "two") == large
    owner.begin(1)
    assert store.get_details(name_of("two")).spec == large
    assert [row.task_id for row in store.get_details(name_of("two")).tasks] == [1]
    owner.end_tasks(1)
    owner.write(finish=Finish(RunState.SUCCEEDED, None, large + b"records", large + b"details"))
    details = store.get_details(name_of("two"))
    assert (details.spec, details.details_wire, details.tasks) == (large, large + b"details", ())
    assert store.get_original(PARENT, owner.run.id).records == large + b"records"
    assert store.get_spec(details.run.spec_digest) == large
    assert_blobs_are_counted(look)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    display_name=texts,
    template_uri=texts,
    labels=st.dictionaries(texts, texts, max_size=3),
    warnings=st.lists(texts, max_size=3),
    content=st.binary(),
)
def test_whatever_is_stored_is_read_back(
    store: SqlStore,
    *,
    display_name: str,
    template_uri: str,
    labels: dict[str, str],
    warnings: list[str],
    content: bytes,
) -> None:
    made = store.list_runs(ListQuery(PARENT, page_size=1)).runs
    new = new_run(
        f"run-{made[0].id if made else 0}",
        display_name=display_name,
        template_uri=template_uri,
        labels=labels,
        warnings=tuple(warnings),
        spec=content,
        header_wire=content,
        request=content,
    )
    run, _ = store.create_run(new)
    details = store.get_details(run.name)
    assert details.run == run
    assert (run.display_name, run.template_uri, run.labels) == (display_name, template_uri, labels)
    assert (run.warnings, details.spec, run.header_wire) == (tuple(warnings), content, content)
    frozen = store.begin_batch_cancel(PARENT, [run.name], Party.REPRISE, T0).runs
    assert frozen == (store.get_run(run.name),)


def test_a_spec_that_no_run_has_is_not_found(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        store.get_spec(b"digest")


def test_a_run_that_has_ended_and_was_read_is_gone_once_it_is_deleted_also_under_a_name_that_is_taken_again(
    store: SqlStore,
) -> None:
    first = ended_run(store, "one")
    shown = [store.get_details(first.name) for _ in range(2)]
    assert [each.run for each in shown] == [first, first]
    assert [(each.spec, each.details_wire) for each in shown] == [(b"spec", b"details")] * 2
    store.delete_runs(PARENT, [first.name], OperationKind.DELETE, Party.REPRISE, T0)
    with pytest.raises(NotFound):
        store.get_details(first.name)
    second, _ = store.create_run(new_run("one"))
    assert store.get_details(first.name).run == second
    owner = claim(store, "one")
    owner.begin()
    owner.finish(RunState.FAILED)
    assert store.get_details(first.name).run == store.get_run(first.name)
    assert store.get_details(first.name).run.state is RunState.FAILED


def test_more_ended_runs_than_are_remembered_are_read_as_they_are(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprise.store.inside._MOST_KNOWN", 2)
    ended = [ended_run(store, f"run-{index}") for index in range(5)]
    for _ in range(2):
        assert [store.get_details(run.name).run for run in ended] == ended
