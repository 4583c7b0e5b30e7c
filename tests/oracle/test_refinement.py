"""What a run does refines what its plan showed, and a replay of a run is the run.

The guide: REUSE, EXECUTE and SKIP stay what they are; RE_EVALUATE becomes one of its endings.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from cases import compare_step, steps_of
from execution import Run, World, execute, request_for
from generate import ALL
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, RunMachine, plan

_CASES = 100
_LEAVES = (engine.CONTAINER, engine.IMPORTER)


def runs(first: int) -> Iterator[tuple[engine.PlanResult, Run, bool]]:
    """Every run of some chains, with the plan that was shown and whether the run was cancelled."""
    for seed in range(first, first + _CASES):
        for step, before in steps_of(seed, ALL):
            chance = random.Random(step.world_seed)
            original = before[-1] if before else None
            request = request_for(len(before) + 1, step.spec, step.given, original, step.configs)
            shown = plan(request)
            if shown.problems:
                break
            cancel_after = chance.randint(0, 6) if chance.random() < 0.1 else None
            world = World(chance, step.failure_rate, cancel_after, step.noise)
            past = original.past if original else None
            given = {**(past.parameters if past else {}), **step.given}
            run = execute(len(before) + 1, request, step.spec, world, given, {}, past)
            yield shown, run, cancel_after is not None
            if cancel_after is not None:
                break
            before.append(run)


def test_the_execution_refines_the_plan_that_was_shown() -> None:
    checked = 0
    for shown, run, was_cancelled in runs(50_000):
        ended = {record.path: record for record in run.records.tasks}
        for planned in shown.tasks:
            if planned.verdict == engine.DROPPED or planned.kind not in _LEAVES:
                continue
            became = ended[planned.path]
            fault = _fault(planned, became, ended, was_cancelled)
            assert not fault, f"run {run.run_id}, {planned.path}: {fault}\nshown {planned}\nbecame {became}"
            checked += 1
    assert checked > 1000


def _fault(
    planned: engine.TaskRecord,
    became: engine.TaskRecord,
    ended: dict[str, engine.TaskRecord],
    was_cancelled: bool,
) -> str:
    """What is wrong with the ending of a task, or nothing."""
    is_run = became.attempts > 0
    is_reused = became.state == engine.SKIPPED and not became.is_left_out
    is_stopped = became.state == engine.NOT_TRIGGERED and _has_failed_upstream(became, ended)
    if was_cancelled and became.state == engine.CANCELLED:
        return ""
    match planned.verdict:
        case engine.REUSE:
            if not is_reused or is_run:
                return "shown as reused, and was not"
            if became.outputs != planned.outputs or became.source != planned.source:
                return "another outcome was reused than was shown"
        case engine.EXECUTE:
            if not is_run and not is_stopped:
                return "shown to execute, and did not"
        case engine.SKIP:
            if became.state != engine.SKIPPED or not became.is_left_out:
                return "shown as left out, and was not"
        case engine.VERDICT_NOT_TRIGGERED:
            if became.state != engine.NOT_TRIGGERED:
                return "shown as not triggered, and was"
        case engine.RE_EVALUATE:
            if not (is_run or is_reused or became.state in (engine.NOT_TRIGGERED, engine.SKIPPED)):
                return "ended in no way that is open to it"
    return ""


def _has_failed_upstream(record: engine.TaskRecord, ended: dict[str, engine.TaskRecord]) -> bool:
    """Whether the task that is named as the cause, or a cause of that, failed or was not triggered."""
    cause = ended.get(record.caused_by)
    return cause is not None and cause.state in (engine.FAILED, engine.NOT_TRIGGERED)


def test_no_task_is_launched_that_the_plan_showed_as_reused_or_left_out() -> None:
    for shown, run, _ in runs(60_000):
        quiet = {
            planned.path
            for planned in shown.tasks
            if planned.verdict in (engine.REUSE, engine.SKIP, engine.VERDICT_NOT_TRIGGERED)
        }
        launched = {decision.launch.path for decision in run.decisions if decision.HasField("launch")}
        assert not quiet & launched


def test_a_replay_of_the_recorded_ends_gives_the_same_tasks_ids_and_decisions() -> None:
    for _, run, was_cancelled in runs(70_000):
        if was_cancelled:
            continue
        if not run.ended:
            continue
        machine = RunMachine(Pieces(run.request))
        again = list(machine.advance(engine.Events()).decisions)
        last = machine.advance(engine.Events(ended=run.ended))
        again.extend(last.decisions)
        assert sorted(map(_bytes, again)) == sorted(map(_bytes, run.decisions))
        assert engine.State.Name(last.run_ended.state) == run.state


def test_a_replay_one_end_at_a_time_is_the_first_execution_word_for_word() -> None:
    for _, run, was_cancelled in runs(80_000):
        if was_cancelled:
            continue
        machine = RunMachine(Pieces(run.request))
        again = list(machine.advance(engine.Events()).decisions)
        for event in run.ended:
            again.extend(machine.advance(engine.Events(ended=[event])).decisions)
        assert list(map(_bytes, again)) == list(map(_bytes, run.decisions))


def test_an_end_that_is_told_twice_changes_nothing() -> None:
    for _, run, was_cancelled in runs(90_000):
        if was_cancelled or not run.ended:
            continue
        machine = RunMachine(Pieces(run.request))
        machine.advance(engine.Events())
        machine.advance(engine.Events(ended=[run.ended[0]]))
        assert not machine.advance(engine.Events(ended=[run.ended[0]])).decisions


def test_a_rerun_of_a_succeeded_run_with_the_filler_of_the_sdk_executes_nothing_but_exit_tasks() -> None:
    checked = 0
    for _, run, _ in runs(100_000):
        if run.state != "SUCCEEDED":
            continue
        if any(task.is_left_out for task in run.past.tasks.values()):
            continue
        request = request_for(99, run.spec, {}, run)
        for task in run.past.tasks.values():
            request.configs.add(
                task_id=task.task_id, task_name=task.path, skip_task=task.state == "SUCCEEDED"
            )
        shown = plan(request)
        assert not shown.problems
        has_exit_task = any(planned.is_exit_task for planned in shown.tasks)
        for planned in shown.tasks:
            if planned.kind in _LEAVES and not planned.is_exit_task:
                assert planned.verdict != engine.EXECUTE, planned
                assert has_exit_task or planned.verdict != engine.RE_EVALUATE, planned
                checked += planned.verdict == engine.REUSE
    assert checked > 100


def _bytes(decision: engine.Decision) -> bytes:
    return decision.SerializeToString(deterministic=True)


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_equal_seeds_give_equal_cases(seed: int) -> None:
    def decisions() -> list[bytes]:
        made: list[bytes] = []
        steps = []
        for step, before in steps_of(seed, ALL):
            steps.append(step)
            _, run = compare_step(steps, before, ALL)
            if run is None:
                break
            before.append(run)
            made.extend(map(_bytes, run.decisions))
        return made

    assert decisions() == decisions()
