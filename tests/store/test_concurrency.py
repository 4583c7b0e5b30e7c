"""Many threads on one store: what each was told holds, and no two were told what excludes each other."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from reprise.domain.errors import FenceLost, IllegalMove, RepriseError
from reprise.domain.run import (
    ClaimedRun,
    ListQuery,
    Operation,
    OperationKind,
    OriginalRef,
    Party,
    Run,
)
from reprise.domain.states import AttemptState, RunState, TaskState
from reprise.store.sql import SqlStore

from .building import (
    CANCELLED,
    PARENT,
    T0,
    Owner,
    attempt,
    claim,
    ended_run,
    name_of,
    new_run,
    original_spec,
    task,
)
from .looking import Look, assert_blobs_are_counted, assert_states_moved_legally, changes_of

ROUNDS = 30


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Begin all acts in one moment; gives their results, or the errors of the domain that they raised."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except RepriseError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_no_start_follows_a_cancel_that_was_answered(store: SqlStore, look: Look) -> None:
    for index in range(ROUNDS):
        job_id = f"run-{index}"
        store.create_run(new_run(job_id))
        owner = claim(store, job_id)
        owner.begin(1)

        start = partial(owner.write, starting=[task(2, TaskState.RUNNING)], starts=[attempt(2)])
        started, cancelled = at_once(start, partial(store.request_cancel, name_of(job_id), T0))
        assert isinstance(cancelled, Run)
        assert cancelled.state is RunState.CANCELLING
        changes = changes_of(look, owner.run.id)
        cancel_at = changes.index((0, 0, RunState.RUNNING, RunState.CANCELLING))
        starts = [at for at, (task_id, number, _, _) in enumerate(changes) if (task_id, number) == (2, 1)]
        assert getattr(started, "were_starts_refused", None) is (starts == [])
        assert all(at < cancel_at for at in starts)
    assert_states_moved_legally(look)


def test_a_cancel_and_the_begin_of_a_run_do_not_both_win(store: SqlStore, look: Look) -> None:
    for index in range(ROUNDS):
        job_id = f"run-{index}"
        store.create_run(new_run(job_id))
        owner = claim(store, job_id)
        cancel = partial(store.request_cancel, name_of(job_id), T0)
        begun, cancelled = at_once(partial(owner.begin, 1), cancel)
        assert isinstance(cancelled, Run)
        if cancelled.state is RunState.CANCELLED:
            assert isinstance(begun, FenceLost)
        else:
            assert cancelled.state is RunState.CANCELLING
            assert not isinstance(begun, RepriseError)
    assert_states_moved_legally(look)


def test_a_cancel_and_the_end_of_a_run_leave_one_end(store: SqlStore, look: Look) -> None:
    for index in range(ROUNDS):
        job_id = f"run-{index}"
        store.create_run(new_run(job_id))
        owner = claim(store, job_id)
        owner.begin()
        batch = partial(store.begin_batch_cancel, PARENT, [name_of(job_id)], Party.REPRISE, T0)
        _, operation = at_once(owner.finish, batch)
        assert isinstance(operation, Operation)
        run = store.get_run(name_of(job_id))
        assert run.state is RunState.SUCCEEDED
        done = store.get_operation(operation.name)
        assert (done.is_done, done.runs) == (True, ())
        assert done.targets[0].outcome == "already_ended"
    assert_states_moved_legally(look)


def test_two_servers_never_claim_one_run(store: SqlStore) -> None:
    for index in range(ROUNDS):
        store.create_run(new_run(f"run-{index}"))
    claims = at_once(*(partial(store.claim_runs, name, 20, T0, 60.0) for name in "abcd"))
    ids = [claimed.run.id for some in claims for claimed in cast("list[ClaimedRun]", some)]
    assert len(ids) == len(set(ids)) == ROUNDS


def test_one_request_sent_many_times_at_once_makes_one_run(store: SqlStore) -> None:
    for index in range(10):
        create = partial(store.create_run, new_run(f"run-{index}"), f"request-{index}", b"print")
        results = cast("list[tuple[Run, bool]]", at_once(*[create] * 6))
        assert sorted(is_new for _, is_new in results) == [False] * 5 + [True]
        assert len({run.id for run, _ in results}) == 1


def test_an_outcome_is_recorded_once_whoever_comes_first(store: SqlStore, look: Look) -> None:
    ends = (AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.CANCELLED)
    store.create_run(new_run("one"))
    owner = claim(store, "one")
    owner.begin(*range(1, ROUNDS))
    for task_id in range(1, ROUNDS):
        results = at_once(*(partial(owner.write, attempts=[attempt(task_id, state=end)]) for end in ends))
        assert sum(isinstance(result, IllegalMove) for result in results) == 2
    assert_states_moved_legally(look)


def test_deleting_an_original_while_it_is_rerun_breaks_no_rerun(store: SqlStore, look: Look) -> None:
    for index in range(ROUNDS):
        original = ended_run(store, f"run-{index}", spec=b"spec %d" % index)
        rerun = new_run(
            f"rerun-{index}", spec=b"other", original=OriginalRef(original.id, str(original.name))
        )
        made, _ = at_once(
            partial(store.create_run, rerun),
            partial(store.delete_runs, PARENT, [original.name], OperationKind.DELETE, Party.REPRISE, T0),
        )
        garbage = {path for _, path in store.take_garbage(1000)}
        if isinstance(made, RepriseError):
            assert f"runs/{original.id}" in garbage
        else:
            claimed = claim(store, f"rerun-{index}").claimed
            assert original_spec(store, f"rerun-{index}") == b"spec %d" % index
            assert claimed.original_records == b"records of run-%d" % index
            assert f"runs/{original.id}" not in garbage
    assert_blobs_are_counted(look)


def test_a_storm_of_calls_leaves_the_tables_whole(store: SqlStore, look: Look) -> None:
    """Random calls from several threads; then every oracle looks."""
    stop_after = 120

    def work(seed: int) -> None:
        generator = random.Random(seed)
        for number in range(stop_after):
            job_id = f"run-{generator.randrange(25)}"
            try:
                match generator.randrange(8):
                    case 0 | 1:
                        ended = [run for run in store.list_runs(ListQuery(PARENT)).runs if run.ended_ns]
                        original = generator.choice(ended) if ended and generator.random() < 0.5 else None
                        store.create_run(
                            new_run(
                                job_id,
                                spec=b"spec %d" % generator.randrange(3),
                                original=None if original is None else OriginalRef(original.id, ""),
                            )
                        )
                    case 2 | 3:
                        for claimed in store.claim_runs(f"server-{seed}", 2, T0 + number, 0.0):
                            owner = Owner(store, claimed)
                            owner.begin(1)
                            owner.end_tasks(1)
                            owner.finish(generator.choice([RunState.SUCCEEDED, RunState.FAILED]))
                    case 4:
                        store.request_cancel(name_of(job_id), T0)
                    case 5:
                        store.delete_runs(PARENT, [name_of(job_id)], OperationKind.DELETE, Party.REPRISE, T0)
                    case 6:
                        store.begin_batch_cancel(PARENT, [name_of(job_id)], Party.REPRISE, T0)
                    case _:
                        store.get_details(name_of(job_id))
            except RepriseError:
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert_blobs_are_counted(look)
    assert_states_moved_legally(look)
    pending = look.rows(
        "SELECT count(*) FROM operation_targets t JOIN runs r ON r.id = t.run_id"
        " WHERE t.outcome = 'pending' AND r.state NOT IN (1, 2, 3, 6)"
    )
    assert pending == [(0,)]
    referred = {path for (path,) in look.rows("SELECT path FROM file_references")}
    assert referred.isdisjoint(path for _, path in store.take_garbage(10_000))
    own = {f"runs/{run_id}" for (run_id,) in look.rows("SELECT id FROM runs")}
    assert own <= referred


def test_a_read_beside_writes_sees_one_moment(store: SqlStore) -> None:
    """All tasks of a run move in one write, so no reader may see two states among them."""
    store.create_run(new_run("one"))
    owner = claim(store, "one")
    ids = range(1, 40)
    owner.write(tasks=[task(task_id, TaskState.PENDING) for task_id in ids])
    is_done = threading.Event()
    seen: list[set[TaskState]] = []

    def read() -> None:
        while not is_done.is_set():
            seen.append({row.state for row in store.get_details(name_of("one")).tasks})

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(ROUNDS):
            for state in (TaskState.RUNNING, TaskState.PENDING):
                owner.write(tasks=[task(task_id, state) for task_id in ids])
        is_done.set()
        for reader in readers:
            reader.result()
    assert all(len(states) == 1 for states in seen)


def test_what_was_acknowledged_is_read_at_once(store: SqlStore) -> None:
    def work(seed: int) -> None:
        for index in range(40):
            run, _ = store.create_run(new_run(f"run-{seed}-{index}"))
            assert store.get_run(run.name) == run
            assert store.request_cancel(run.name, T0).error == CANCELLED
            assert store.get_run(run.name).state is RunState.CANCELLED

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
