"""The states of runs and tasks, and the one table of moves between them.

Invariant: a state changes only along an edge of these tables; terminal states have no edge out.
The numbers are those of the wire (PipelineState and PipelineTaskDetail.State).
"""

from __future__ import annotations

from enum import IntEnum

from reprise.domain.errors import IllegalMove


class RunState(IntEnum):
    QUEUED = 1
    PENDING = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    CANCELLING = 6
    CANCELLED = 7

    @property
    def is_terminal(self) -> bool:
        return not RUN_MOVES[self]


class TaskState(IntEnum):
    PENDING = 1
    RUNNING = 2
    SUCCEEDED = 3
    CANCEL_PENDING = 4
    CANCELLING = 5
    CANCELLED = 6
    FAILED = 7
    SKIPPED = 8
    NOT_TRIGGERED = 9

    @property
    def is_terminal(self) -> bool:
        return not TASK_MOVES[self]


class AttemptState(IntEnum):
    """One execution of a task. LOST: neither alive nor spooled, so nothing is known of its end."""

    STARTING = 1
    RUNNING = 2
    SUCCEEDED = 3
    FAILED = 4
    CANCELLED = 5
    LOST = 6

    @property
    def is_terminal(self) -> bool:
        return self > AttemptState.RUNNING


RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.PENDING, RunState.RUNNING, RunState.CANCELLED, RunState.FAILED}),
    RunState.PENDING: frozenset({RunState.RUNNING, RunState.CANCELLED, RunState.FAILED}),
    RunState.RUNNING: frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLING}),
    # The last task may have succeeded (or failed) before the cancel reached it.
    RunState.CANCELLING: frozenset({RunState.CANCELLED, RunState.SUCCEEDED, RunState.FAILED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

TASK_MOVES: dict[TaskState, frozenset[TaskState]] = {
    TaskState.PENDING: frozenset(
        {
            TaskState.RUNNING,
            TaskState.SUCCEEDED,
            TaskState.FAILED,
            TaskState.CANCELLED,
            TaskState.SKIPPED,
            TaskState.NOT_TRIGGERED,
        }
    ),
    TaskState.RUNNING: frozenset(
        {
            # Back to PENDING: a failed attempt waits for its retry.
            TaskState.PENDING,
            TaskState.SUCCEEDED,
            TaskState.FAILED,
            TaskState.CANCELLED,
            TaskState.CANCELLING,
            TaskState.SKIPPED,
            TaskState.NOT_TRIGGERED,
        }
    ),
    TaskState.CANCEL_PENDING: frozenset({TaskState.CANCELLING, TaskState.CANCELLED}),
    TaskState.CANCELLING: frozenset({TaskState.CANCELLED, TaskState.SUCCEEDED, TaskState.FAILED}),
    TaskState.SUCCEEDED: frozenset(),
    TaskState.CANCELLED: frozenset(),
    TaskState.FAILED: frozenset(),
    TaskState.SKIPPED: frozenset(),
    TaskState.NOT_TRIGGERED: frozenset(),
}


TASK_MOVES_BY_NUMBER = [(int(state), int(target)) for state, ends in TASK_MOVES.items() for target in ends]
"""(from, to) of each move of a task, as the core is told of them."""


def move_run(current: RunState, target: RunState) -> RunState:
    """`target`, if a run may go there from `current`; raises IllegalMove otherwise."""
    if target not in RUN_MOVES[current]:
        raise IllegalMove(f"a run cannot go from {current.name} to {target.name}")
    return target
