from __future__ import annotations

import pytest
from reprise.domain.errors import IllegalMove
from reprise.domain.states import RUN_MOVES, TASK_MOVES, TASK_MOVES_BY_NUMBER, RunState, TaskState, move_run


def test_a_terminal_run_state_is_final() -> None:
    for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED):
        assert state.is_terminal
        for target in RunState:
            with pytest.raises(IllegalMove):
                move_run(state, target)


def test_a_terminal_task_state_is_final() -> None:
    terminal = {state for state in TaskState if state.is_terminal}
    assert terminal == {
        TaskState.SUCCEEDED,
        TaskState.FAILED,
        TaskState.CANCELLED,
        TaskState.SKIPPED,
        TaskState.NOT_TRIGGERED,
    }
    assert not terminal & {TaskState(number) for number, _ in TASK_MOVES_BY_NUMBER}


def test_every_state_has_a_row_in_its_table() -> None:
    assert set(RUN_MOVES) == set(RunState)
    assert set(TASK_MOVES) == set(TaskState)


def test_success_may_win_over_cancelling() -> None:
    assert move_run(RunState.CANCELLING, RunState.SUCCEEDED) is RunState.SUCCEEDED


def test_the_message_of_an_illegal_move_names_both_states() -> None:
    with pytest.raises(IllegalMove, match="SUCCEEDED to RUNNING"):
        move_run(RunState.SUCCEEDED, RunState.RUNNING)
