"""Which test holds which of the project's invariants. Each is named by its file and function below `tests`.

Beside these the oracle of the fault campaign (`oracle.py`) asks for most of them after every campaign, and
`tests/mutants.py` breaks what they rest on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

KEPT_BY: Mapping[str, Sequence[str]] = {
    "I-1 at most one outcome of an attempt, at most one success of a task": (
        "store/test_progress.py::test_an_attempt_has_one_outcome",
        "store/test_progress.py::test_a_task_that_has_succeeded_starts_no_more",
        "store/test_concurrency.py::test_an_outcome_is_recorded_once_whoever_comes_first",
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
    ),
    "I-2 no task before all it depends on has ended and its condition holds": (
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
        "semantics/test_cancel_delete_failure.py::test_fail_slow_runs_all_that_can_still_run",
        "oracle/test_refinement.py::*",
    ),
    "I-3 no start is committed after a Cancel was answered": (
        "store/test_progress.py::test_once_a_cancel_is_answered_no_start_is_written",
        "store/test_concurrency.py::test_no_start_follows_a_cancel_that_was_answered",
        "faults/test_crash_after_cancel.py::*",
    ),
    "I-4 CANCELLED only when every descendant is dead": (
        "executor/test_subprocess.py::test_chains_of_forks_faster_than_a_look_at_proc_are_caught",
        "executor/test_subprocess.py::test_cancel_kills_deaf_double_forked_sessions_after_the_grace",
        "semantics/test_cancel_delete_failure.py::test_cancelled_is_shown_only_when_every_descendant_is_dead",
        "faults/test_cancel_latency.py::*",
        "faults/test_bad_tasks.py::test_what_a_task_leaves_behind_is_dead_when_its_run_has_ended",
    ),
    "I-5 states move along the table, and an end is final": (
        "store/test_progress.py::test_a_task_moves_only_along_the_table",
        "store/test_progress.py::test_a_run_that_has_ended_never_changes_again",
        "faults/test_histories.py::test_calls_at_the_same_moment_answer_as_if_one_came_after_the_other",
        "faults/test_model.py::test_any_sequence_of_calls_does_what_the_model_says",
    ),
    "I-6 a reused outcome is byte for byte the original's": (
        "semantics/test_rerun_leaves.py::test_a_succeeded_task_whose_key_is_unchanged_is_reused_with_its_outputs_and_nothing_runs",
        "semantics/test_lost_artifacts.py::*",
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
    ),
    "I-7 deleting an original breaks no rerun": (
        "store/test_concurrency.py::test_deleting_an_original_while_it_is_rerun_breaks_no_rerun",
        "store/test_runs.py::test_a_rerun_outlives_its_original",
        "store/test_runs.py::test_files_go_with_the_last_run_that_refers_to_them",
        "faults/test_model.py::test_any_sequence_of_calls_does_what_the_model_says",
    ),
    "I-8 an attempt is executed at most once": (
        "executor/test_every_executor.py::test_an_attempt_that_is_started_many_times_runs_once",
        "executor/test_adoption.py::test_an_attempt_that_was_given_up_before_its_start_never_starts",
        "store/test_concurrency.py::test_two_servers_never_claim_one_run",
        "faults/test_restart.py::*",
    ),
    "I-10 what was acknowledged survives kill -9 and a power cut": (
        "faults/test_power_loss.py::test_nothing_that_was_acknowledged_is_lost_when_the_power_goes",
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
        "store/test_sqlite.py::test_what_was_acknowledged_survives_kill_9",
    ),
    "I-11 what was not acknowledged is whole or not there": (
        "faults/test_power_loss.py::test_nothing_that_was_acknowledged_is_lost_when_the_power_goes",
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
        "store/test_runs.py::test_a_refused_create_leaves_nothing",
    ),
    "I-12 one request id, one run": (
        "store/test_concurrency.py::test_one_request_sent_many_times_at_once_makes_one_run",
        "store/test_runs.py::test_a_request_id_with_another_body_is_refused",
        "faults/test_errors_of_a_server.py::test_a_request_id_in_the_metadata_makes_create_and_rerun_repeatable_over_a_restart",
    ),
    "I-13 BatchCancel is all or nothing, and tells of each name once": (
        "store/test_cancel.py::test_a_batch_with_a_missing_name_cancels_nothing",
        "semantics/test_cancel_delete_failure.py::test_a_batch_is_validated_whole_and_cancels_all_or_nothing",
        "faults/test_large_batches.py::*",
    ),
    "I-14 an operation that is done stays as it is": (
        "store/test_cancel.py::test_the_answer_of_an_operation_outlives_its_runs",
        "store/test_cancel.py::test_two_batches_that_wait_for_one_run_are_both_told",
        "semantics/test_around_the_plan.py::test_an_operation_that_is_under_way_survives_a_server_that_is_killed",
        "faults/test_model.py::test_any_sequence_of_calls_does_what_the_model_says",
    ),
    "I-15 Get sees what was acknowledged": (
        "store/test_concurrency.py::test_what_was_acknowledged_is_read_at_once",
        "faults/test_histories.py::test_calls_at_the_same_moment_answer_as_if_one_came_after_the_other",
    ),
    "I-16 List neither repeats nor misses": (
        "store/test_listing.py::test_writes_between_pages_neither_repeat_nor_hide_a_run",
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
    ),
    "I-17 a success that a crash came upon is not lost": (
        "executor/test_adoption.py::test_an_attempt_that_ended_without_a_server_is_not_lost",
        "e2e/test_recovery.py::test_a_task_that_ends_while_no_server_is_there_is_not_run_again",
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
    ),
    "I-18 a bad task changes no other run": (
        "faults/test_bad_tasks.py::test_beside_bad_tasks_another_run_ends_as_ever",
        "executor/test_subprocess.py::test_a_gigabyte_of_output_is_kept_within_its_limit_first_and_last_part",
    ),
    "I-19 a store that is away kills no task and starts none": (
        "faults/test_store_away.py::*",
        "store/test_sqlite.py::test_a_database_that_another_has_for_itself_is_unavailable_until_it_is_given_back",
    ),
    "I-20 every run ends, or says why it cannot": (
        "faults/test_crash_after_cancel.py::*",
        "faults/test_cancel_latency.py::test_a_run_that_cannot_be_proven_dead_says_which_process_and_ends_when_it_is",
        "faults/test_kill.py::test_what_was_told_and_what_was_run_survive_kill_9",
    ),
    "I-22 no input makes the server fail, or store what cannot be read back": (
        "rpc/test_live_fuzz.py::*",
        "rpc/test_hostile_input.py::*",
        "store/test_runs.py::test_whatever_is_stored_is_read_back",
        "faults/test_errors_of_a_server.py::test_what_is_unforeseen_reaches_a_caller_as_an_opaque_id_that_is_in_the_log",
    ),
}
