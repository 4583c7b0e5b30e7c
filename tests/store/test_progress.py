"""What the scheduler writes: fences, moves, attempts, ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from reprise.domain.errors import FenceLost, IllegalMove, NotFound
from reprise.domain.run import AttemptRef, Failure, Finish, Progress, TaskRow
from reprise.domain.states import RUN_MOVES, TASK_MOVES, AttemptState, RunState, TaskState
from reprise.store.sql import SqlStore

from .building import CANCELLED, SECOND, T0, Owner, attempt, claim, ended_run, name_of, new_run, task
from .looking import Look, assert_states_moved_legally, attempts_of, changes_of


@pytest.fixture
def owner(store: SqlStore) -> Owner:
    store.create_run(new_run("one"))
    return claim(store, "one")


def state_of(owner: Owner) -> RunState:
    return owner.store.get_run(name_of("one")).state


def task_states(owner: Owner) -> dict[int, TaskState]:
    return {row.task_id: row.state for row in owner.store.get_details(name_of("one")).tasks}


def test_a_run_that_begins_is_running_since_then(owner: Owner) -> None:
    result = owner.begin(1)
    assert (result.state, result.were_starts_refused) == (RunState.RUNNING, False)
    run = owner.store.get_run(name_of("one"))
    assert (run.state, run.started_ns, run.updated_ns) == (RunState.RUNNING, T0 + SECOND, T0 + SECOND)
    assert task_states(owner) == {1: TaskState.RUNNING}


def test_an_owner_whose_run_was_claimed_since_writes_nothing(owner: Owner) -> None:
    owner.store.release_run(owner.run.id, owner.run.fence)
    successor = claim(owner.store, "one", "other server")
    assert successor.run.fence > owner.run.fence
    with pytest.raises(FenceLost):
        owner.begin(1)
    assert state_of(successor) is RunState.PENDING
    assert task_states(successor) == {}
    successor.begin(1)


def test_a_finished_run_is_as_its_last_write_says(owner: Owner) -> None:
    owner.begin(1)
    owner.end_tasks(1, state=TaskState.FAILED)
    result = owner.finish(RunState.FAILED, error=Failure(9, "task-1 failed"), now_ns=T0 + 5 * SECOND)
    assert result.state is RunState.FAILED
    run = owner.store.get_run(name_of("one"))
    assert (run.state, run.error) == (RunState.FAILED, Failure(9, "task-1 failed"))
    assert (run.ended_ns, run.updated_ns, run.owner) == (T0 + 5 * SECOND, T0 + 5 * SECOND, "")


def test_a_run_that_has_ended_never_changes_again(owner: Owner) -> None:
    owner.begin()
    owner.finish()
    before = owner.store.get_details(name_of("one"))
    for change in (
        {"tasks": [task(1, TaskState.PENDING)]},
        {"state": RunState.RUNNING},
        {"starts": [attempt(1)]},
        {"finish": Finish(RunState.FAILED, None, b"", b"")},
        {"error": Failure(2, "late")},
    ):
        with pytest.raises(IllegalMove):
            owner.write(**change)
    owner.store.request_cancel(name_of("one"), T0 + 9 * SECOND)
    assert owner.store.get_details(name_of("one")) == before


def test_saying_the_same_end_twice_changes_nothing(owner: Owner) -> None:
    owner.begin(1)
    owner.end_tasks(1)
    owner.finish()
    before = owner.store.get_details(name_of("one"))
    assert owner.finish(now_ns=T0 + 99 * SECOND).state is RunState.SUCCEEDED
    assert owner.store.get_details(name_of("one")) == before


def test_saying_the_same_progress_twice_is_as_once(owner: Owner, look: Look) -> None:
    for _ in range(2):
        owner.begin(1)
    changes = len(changes_of(look, owner.run.id))
    for _ in range(2):
        owner.end_tasks(1)
    assert len(changes_of(look, owner.run.id)) == changes + 2
    assert [one["state"] for one in attempts_of(look)] == [AttemptState.SUCCEEDED]
    assert_states_moved_legally(look)


@pytest.mark.parametrize("before", list(TaskState), ids=lambda state: state.name)
def test_a_task_moves_only_along_the_table(owner: Owner, before: TaskState) -> None:
    """Each state in turn is reached by the shortest way, and every move from it is tried."""
    ids = itertools.count(1)
    for after in TaskState:
        way = _way(before)
        task_id = next(ids)
        if way is None:
            return  # no task comes to this state
        for state in way:
            owner.write(tasks=[task(task_id, state)])
        if after is before:
            continue
        if after in TASK_MOVES[before]:
            owner.write(tasks=[task(task_id, after)])
            assert task_states(owner)[task_id] is after
        else:
            with pytest.raises(IllegalMove):
                owner.write(tasks=[task(task_id, after)])
            assert task_states(owner)[task_id] is before


def _way(target: TaskState) -> list[TaskState] | None:
    ways = [[TaskState.PENDING]]
    for way in ways:
        if way[-1] is target:
            return way
        ways.extend([*way, state] for state in TASK_MOVES[way[-1]] if state not in way)
    return None


def test_an_illegal_move_undoes_all_that_came_with_it(owner: Owner, look: Look) -> None:
    owner.write(tasks=[task(1, TaskState.SUCCEEDED)])
    before = look.rows("SELECT * FROM runs"), look.rows("SELECT * FROM events")
    with pytest.raises(IllegalMove):
        owner.write(
            state=RunState.RUNNING, tasks=[task(2, TaskState.PENDING), task(1, TaskState.FAILED)], starts=()
        )
    assert (look.rows("SELECT * FROM runs"), look.rows("SELECT * FROM events")) == before
    assert task_states(owner) == {1: TaskState.SUCCEEDED}


def test_the_record_of_a_task_that_has_ended_stays(owner: Owner) -> None:
    owner.write(tasks=[task(1, TaskState.SUCCEEDED, b"first")])
    owner.write(tasks=[task(1, TaskState.SUCCEEDED, b"second")])
    assert owner.store.get_details(name_of("one")).tasks[0].record == b"first"


def test_a_task_may_be_made_and_end_in_one_write(owner: Owner, look: Look) -> None:
    owner.write(tasks=[task(1, TaskState.PENDING), task(1, TaskState.SKIPPED, b"reused")])
    assert owner.store.get_details(name_of("one")).tasks[0].record == b"reused"
    assert_states_moved_legally(look)


def test_many_tasks_in_one_write_move_as_one_does(owner: Owner) -> None:
    ids = range(1, 1001)
    owner.write(tasks=[task(task_id, TaskState.PENDING) for task_id in ids])
    owner.write(tasks=[task(task_id, TaskState.RUNNING) for task_id in ids])
    assert set(task_states(owner).values()) == {TaskState.RUNNING}
    with pytest.raises(IllegalMove):
        owner.write(
            tasks=[task(task_id, TaskState.SUCCEEDED) for task_id in ids] + [task(5, TaskState.RUNNING)]
        )
    assert set(task_states(owner).values()) == {TaskState.RUNNING}


def test_once_a_cancel_is_answered_no_start_is_written(owner: Owner, look: Look) -> None:
    owner.begin(1)
    owner.store.request_cancel(name_of("one"), T0)
    result = owner.write(
        tasks=[task(2, TaskState.PENDING)],
        starting=[task(3, TaskState.RUNNING)],
        starts=[attempt(3)],
    )
    assert (result.state, result.were_starts_refused) == (RunState.CANCELLING, True)
    assert task_states(owner) == {1: TaskState.RUNNING, 2: TaskState.PENDING}
    assert [one["task_id"] for one in attempts_of(look)] == [1]


def test_what_has_ended_is_still_recorded_while_a_run_is_cancelled(owner: Owner) -> None:
    owner.begin(1, 2)
    owner.store.request_cancel(name_of("one"), T0)
    owner.end_tasks(1)
    owner.end_tasks(2, state=TaskState.CANCELLED)
    assert task_states(owner) == {1: TaskState.SUCCEEDED, 2: TaskState.CANCELLED}
    assert owner.finish(RunState.CANCELLED, error=CANCELLED).state is RunState.CANCELLED
    assert owner.store.get_run(name_of("one")).error == CANCELLED


def test_nothing_starts_before_the_run_is_running(owner: Owner) -> None:
    with pytest.raises(IllegalMove):
        owner.write(tasks=[task(1, TaskState.RUNNING)], starts=[attempt(1)])


def test_the_next_attempt_starts_when_the_one_before_has_failed(owner: Owner) -> None:
    owner.begin(1)
    with pytest.raises(IllegalMove, match="attempt 1 is STARTING"):
        owner.write(starts=[attempt(1, 2)])
    owner.write(
        tasks=[task(1, TaskState.PENDING)], attempts=[attempt(1, state=AttemptState.LOST, is_counted=False)]
    )
    owner.write(starting=[task(1, TaskState.RUNNING)], starts=[attempt(1, 2)])
    owner.store.release_run(owner.run.id, owner.run.fence)
    rows = claim(owner.store, "one").claimed.attempts
    assert [(row.number, row.state, row.is_counted) for row in rows] == [
        (1, AttemptState.LOST, False),
        (2, AttemptState.STARTING, True),
    ]


def test_a_task_that_has_succeeded_starts_no_more(owner: Owner) -> None:
    owner.begin(1)
    owner.write(attempts=[attempt(1, state=AttemptState.SUCCEEDED)])
    with pytest.raises(IllegalMove, match="attempt 1 is SUCCEEDED"):
        owner.write(starts=[attempt(1, 2)])


def test_an_attempt_is_started_once(owner: Owner) -> None:
    owner.begin(1)
    owner.store.release_run(owner.run.id, owner.run.fence)
    successor = claim(owner.store, "one")
    with pytest.raises(IllegalMove, match="started before"):
        successor.write(starts=[attempt(1)])
    with pytest.raises(IllegalMove):
        successor.write(starting=[task(2, TaskState.RUNNING)], starts=[attempt(2), attempt(2, 2)])


@pytest.mark.parametrize("ends", list(itertools.permutations(list(AttemptState)[2:], 2)))
def test_an_attempt_has_one_outcome(owner: Owner, ends: tuple[AttemptState, AttemptState]) -> None:
    owner.begin(1, 2)
    owner.write(attempts=[attempt(1, state=ends[0], exit=b"{}")])
    with pytest.raises(IllegalMove):
        owner.write(attempts=[attempt(1, state=ends[1])])
    with pytest.raises(IllegalMove):
        owner.write(attempts=[attempt(2, state=ends[0]), attempt(2, state=ends[1])])


def test_an_attempt_keeps_its_handle_and_its_exit(owner: Owner) -> None:
    owner.begin(1)
    owner.write(attempts=[attempt(1, state=AttemptState.RUNNING, handle=b"pid 7")])
    with pytest.raises(IllegalMove):
        owner.write(attempts=[attempt(1, state=AttemptState.STARTING)])
    end = attempt(1, state=AttemptState.FAILED, handle=b"pid 7", exit=b'{"code":1}', ended_ns=9)
    owner.write(attempts=[end])
    owner.store.release_run(owner.run.id, owner.run.fence)
    (row,) = claim(owner.store, "one").claimed.attempts
    assert (row.handle, row.exit, row.ended_ns, row.state) == (
        b"pid 7",
        b'{"code":1}',
        9,
        AttemptState.FAILED,
    )


def test_an_attempt_that_was_never_started_has_no_outcome(owner: Owner) -> None:
    with pytest.raises(IllegalMove):
        owner.write(attempts=[attempt(1, state=AttemptState.SUCCEEDED)])


def test_a_run_cannot_end_while_an_attempt_lives(owner: Owner) -> None:
    owner.begin(1)
    with pytest.raises(IllegalMove, match="attempt 1 of task 1 has not ended"):
        owner.finish(RunState.FAILED)
    assert state_of(owner) is RunState.RUNNING


@pytest.mark.parametrize("target", list(RunState), ids=lambda state: state.name)
@pytest.mark.parametrize("source", [RunState.PENDING, RunState.RUNNING, RunState.CANCELLING])
def test_a_run_ends_only_along_the_table(owner: Owner, source: RunState, target: RunState) -> None:
    if source is not RunState.PENDING:
        owner.begin()
    if source is RunState.CANCELLING:
        owner.store.request_cancel(name_of("one"), T0)
    passes_running = source is RunState.PENDING and target is RunState.SUCCEEDED
    if target.is_terminal and (target in RUN_MOVES[source] or passes_running):
        assert owner.finish(target).state is target
        assert state_of(owner) is target
    else:
        with pytest.raises(IllegalMove):
            owner.finish(target)
        assert state_of(owner) is source


def test_the_error_of_a_run_that_cannot_end_is_shown_until_it_ends(owner: Owner) -> None:
    owner.begin()
    owner.store.request_cancel(name_of("one"), T0)
    owner.write(error=Failure(9, "pid 7 is alive"))
    owner.write()
    assert owner.store.get_run(name_of("one")).error == Failure(9, "pid 7 is alive")
    owner.finish(RunState.CANCELLED, error=CANCELLED)
    assert owner.store.get_run(name_of("one")).error == CANCELLED


def test_progress_survives_a_restart(reopen: Callable[[], SqlStore]) -> None:
    store = reopen()
    store.create_run(new_run("one"))
    first = claim(store, "one", "server")
    first.begin(1, 2)
    first.end_tasks(1)
    # No waiting for the lease: this store knows that it is alone.
    successor = claim(reopen(), "one", "the next server")
    assert [(row.task_id, row.state) for row in successor.claimed.tasks] == [
        (1, TaskState.SUCCEEDED),
        (2, TaskState.RUNNING),
    ]
    assert successor.run.fence == first.run.fence + 1


def test_the_rows_of_a_finished_run_give_way_to_its_records(store: SqlStore, look: Look) -> None:
    ended_run(store, "zero")
    store.create_run(new_run("one"))
    owner = claim(store, "one")
    owner.begin(1, 2)
    owner.end_tasks(1, 2)
    owner.finish()
    assert look.rows("SELECT count(*) FROM task_entries") == [(0,)]
    assert look.rows("SELECT count(*) FROM task_segments") == [(0,)]
    assert [one["task_id"] for one in attempts_of(look)] == [1, 2]
    assert store.get_original(owner.run.name.parent, owner.run.id).records == b"records"


def test_an_attempt_is_found_by_path_or_id_while_its_run_goes_on_and_after(owner: Owner) -> None:
    owner.begin(1, 2)
    owner.end_tasks(1)
    store, run_id = owner.store, owner.run.id
    for task_name in ("task-1", "1"):
        assert store.find_attempt(name_of("one"), task_name, 0) == AttemptRef(run_id, 1, 1, True)
    assert store.find_attempt(name_of("one"), "task-2", 1) == AttemptRef(run_id, 2, 1, False)
    owner.write(attempts=[attempt(2, state=AttemptState.FAILED)], tasks=[task(2, TaskState.PENDING)])
    owner.write(starting=[task(2, TaskState.RUNNING)], starts=[attempt(2, 2)])
    owner.write(attempts=[attempt(2, 2, AttemptState.FAILED)], tasks=[task(2, TaskState.FAILED)])
    owner.finish(RunState.FAILED)
    assert store.find_attempt(name_of("one"), "task-2", 0) == AttemptRef(run_id, 2, 2, True)
    assert store.find_attempt(name_of("one"), "2", 1) == AttemptRef(run_id, 2, 1, True)


def test_an_attempt_that_is_not_there_is_not_found(owner: Owner) -> None:
    owner.begin(1)
    for job_id, task_name, number in [
        ("two", "task-1", 0),
        ("one", "task-9", 0),
        ("one", "9", 0),
        ("one", "", 0),
        ("one", "task-1", 2),
        ("one", "task-1", -1),
        ("one", "9" * 30, 0),
        ("one", "\u0664", 0),
    ]:
        with pytest.raises(NotFound):
            owner.store.find_attempt(name_of(job_id), task_name, number)


def test_a_task_whose_path_is_a_number_is_found_by_it(owner: Owner) -> None:
    owner.begin(1, 2)
    seven = TaskRow(7, "1", TaskState.RUNNING, b"")
    owner.write(starting=[seven], starts=[attempt(7)])
    assert owner.store.find_attempt(name_of("one"), "1", 0).task_id == 7


def test_a_task_that_was_never_written_cannot_start(owner: Owner) -> None:
    owner.begin()
    with pytest.raises(IllegalMove):
        owner.write(starts=[attempt(1)])


def test_a_fence_that_was_never_given_is_lost(owner: Owner) -> None:
    for fence in (0, owner.run.fence + 1):
        with pytest.raises(FenceLost):
            owner.store.record_progress(Progress(owner.run.id, fence, T0))


def test_the_attempts_of_an_executor_that_have_no_end_yet_are_found_by_their_handles(owner: Owner) -> None:
    owner.begin(1)
    owner.begin(2)
    handles = [row.handle for row in owner.store.claim_runs("b", 1, T0 + 100 * SECOND, 10.0)[0].attempts]
    assert len(handles) == 2
    executor = attempt(1).executor
    assert sorted(owner.store.living_attempts(executor)) == sorted(handles)
    assert owner.store.living_attempts("another") == []


def test_what_is_said_of_an_attempt_before_the_last_is_held_against_its_own_end(owner: Owner) -> None:
    owner.begin(1)
    owner.write(attempts=[attempt(1, state=AttemptState.LOST)], tasks=[task(1, TaskState.PENDING)])
    owner.write(starting=[task(1, TaskState.RUNNING)], starts=[attempt(1, 2)])
    owner.write(attempts=[attempt(1, state=AttemptState.LOST)])
    with pytest.raises(IllegalMove, match="attempt 1 of task 1 cannot go from LOST to SUCCEEDED"):
        owner.write(attempts=[attempt(1, state=AttemptState.SUCCEEDED)])
    with pytest.raises(IllegalMove, match="attempt 3 of task 1 was never started"):
        owner.write(attempts=[attempt(1, 3, AttemptState.FAILED)])
    owner.write(attempts=[attempt(1, 2, AttemptState.SUCCEEDED)])


def test_tasks_far_apart_are_read_by_page_as_the_last_write_of_each_left_them(owner: Owner) -> None:
    ids = [*range(250, 260), 511, 512, 5_000, *range(10_240, 10_244)]
    owner.write(state=RunState.RUNNING, tasks=[task(task_id, TaskState.PENDING) for task_id in ids])
    for task_id in reversed(ids[::2]):
        owner.write(tasks=[task(task_id, TaskState.RUNNING, b"record %d" % task_id)])
    pages, after = [], 0
    while True:
        page = owner.store.get_tasks(name_of("one"), after, 4)
        pages.append([row.task_id for row in page.rows])
        assert [row.record for row in page.rows] == [
            b"record %d" % row.task_id if row.task_id in ids[::2] else b"record" for row in page.rows
        ]
        if not page.next_task_id:
            break
        after = page.next_task_id - 1
    assert list(itertools.chain(*pages)) == ids
    assert {len(page) for page in pages[:-1]} == {4}
