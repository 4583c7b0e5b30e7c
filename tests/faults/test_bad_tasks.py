"""Tasks that misbehave, by the RPC and as real processes: they end as they should and harm nobody else (I-4, I-18)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from reprise.executor.subprocess import LOG_LIMIT_BYTES, SubprocessExecutor
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1.pipeline_job_pb2 import PipelineJob, PipelineTaskDetail

from . import workload
from .embedded import Embedded, embedded, until
from .lives import processes_with, supervisors_of

_Task = PipelineTaskDetail
_KIB = 1024


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One server for all of them, so that each meets what the one before it has left."""
    folder = tmp_path_factory.mktemp("bad")
    with embedded(folder / "data", folder / "ledger") as stage:
        yield stage


def _ended(stage: Embedded, job_id: str) -> tuple[PipelineJob, dict[str, PipelineTaskDetail]]:
    """The run when it has ended, and its tasks; nothing of it is alive."""
    stage.client.wait(job_id, 120)
    job = stage.client.get(job_id)
    assert processes_with(b"REPRISE_ATTEMPT=%d." % workload.run_id_of(job)) == []
    return job, {task.task_name: task for task in job.job_detail.task_details}


def _log_of(stage: Embedded, job_id: str) -> Path:
    """Of the first attempt of the first task."""
    run_id = workload.run_id_of(stage.client.get(job_id))
    return stage.data_dir / "runs" / str(run_id) / "1" / "1" / "log"


# What a task leaves behind or does to itself, and the state that its run has to end in without any cancel.
_LEFT = {
    "daemons deaf to SIGTERM in sessions of their own": (
        """for i in 1 2 3; do setsid sh -c "trap '' TERM; sleep 300" & done""",
        _Task.SUCCEEDED,
    ),
    "orphans of a double fork": ("( ( setsid sleep 300 & ) & ) ; ( ( sleep 300 & ) & )", _Task.SUCCEEDED),
    "chains of forks that never stop": (
        'setsid sh -c "link() { link & }; link" &\nlink() { link & }; link',
        _Task.SUCCEEDED,
    ),
    "closed streams": ("exec 0<&- 1>&- 2>&-", _Task.SUCCEEDED),
    "a signal to itself": ("kill -SEGV $$", _Task.FAILED),
    "a SIGTERM to its own session": ("kill -TERM 0; sleep 5", _Task.FAILED),
}


@pytest.mark.parametrize("name", list(_LEFT))
def test_what_a_task_leaves_behind_is_dead_when_its_run_has_ended(stage: Embedded, name: str) -> None:
    script, wanted = _LEFT[name]
    job_id = f"left-{list(_LEFT).index(name)}"
    stage.submit(job_id, {"a": (script, ())})
    _, tasks = _ended(stage, job_id)
    assert tasks["a"].state == wanted, tasks["a"].error


@pytest.mark.parametrize(
    "script", ["kill -STOP $$", "trap '' TERM\nsleep 300 & wait\nsleep 300"], ids=["stopped", "deaf"]
)
def test_a_task_past_its_time_has_failed_and_what_follows_does_not_run(tmp_path: Path, script: str) -> None:
    with embedded(tmp_path / "data", tmp_path / "ledger", task_timeout_s=0.5) as stage:
        stage.submit("late", {"a": (script, ()), "b": ("", ("a",))})
        job, tasks = _ended(stage, "late")
    assert job.state == states.PIPELINE_STATE_FAILED
    assert (tasks["a"].state, tasks["b"].state) == (_Task.FAILED, _Task.NOT_TRIGGERED)
    assert tasks["a"].error.code == 4 and "0.5 s" in tasks["a"].error.message


def test_a_task_that_kills_its_own_supervisor_is_lost_tried_again_a_few_times_and_leaves_nothing(
    stage: Embedded,
) -> None:
    kills = 'kill -KILL $(cut -d" " -f4 /proc/$$/stat)\nsleep 300'
    stage.submit("patricide", {"a": (kills, ())})
    job, tasks = _ended(stage, "patricide")
    assert job.state == states.PIPELINE_STATE_FAILED
    assert tasks["a"].attempts == 3, "a bounded number of times"
    assert "supervisor" in tasks["a"].error.message
    assert supervisors_of(stage.data_dir) == {}


def test_a_task_that_kills_its_supervisor_once_succeeds_without_using_up_a_retry(stage: Embedded) -> None:
    flag = stage.ledger.with_name("once-killed")
    once = f'test -e {flag} || {{ touch {flag}; kill -KILL $(cut -d" " -f4 /proc/$$/stat); sleep 300; }}'
    stage.submit("once", {"a": (once, ())})
    job, tasks = _ended(stage, "once")
    assert job.state == states.PIPELINE_STATE_SUCCEEDED
    assert tasks["a"].attempts == 2


@pytest.mark.slow
def test_of_a_gigabyte_of_log_the_first_and_last_parts_are_kept_in_little_memory(stage: Embedded) -> None:
    shout, shouted, go = (stage.ledger.with_name(name) for name in ("shout", "shouted", "go"))
    script = (
        f"echo first\nwhile ! test -e {shout}; do sleep 0.02; done\n"
        f"yes {'x' * 127} | head -c 1073741824\necho last\n"
        f"touch {shouted}\nwhile ! test -e {go}; do sleep 0.02; done"
    )
    stage.submit("loud", {"a": (script, ())})
    until(lambda: "a" in stage.begun()[-1:] and len(supervisors_of(stage.data_dir)) == 1)
    [supervisor] = supervisors_of(stage.data_dir).values()
    until(lambda: b"first" in _log_of(stage, "loud").read_bytes())
    before_kib = _private_kib(supervisor)
    shout.touch()
    until(shouted.exists)
    grown_kib = _private_kib(supervisor) - before_kib
    assert str(_log_of(stage, "loud")) not in _open_files(), "the log does not come by the server"
    go.touch()
    job, _ = _ended(stage, "loud")
    assert job.state == states.PIPELINE_STATE_SUCCEEDED
    assert grown_kib < 256, f"the supervisor has grown by {grown_kib} KiB"
    content = _log_of(stage, "loud").read_bytes()
    assert LOG_LIMIT_BYTES - 1024 * _KIB < len(content) < LOG_LIMIT_BYTES + 4096
    assert content.startswith(b"first\n") and content.endswith(b"last\n")
    assert b"".join(piece.data for piece in stage.client.logs("loud", "a")) == content


def test_a_line_without_an_end_is_cut_and_the_rest_is_kept(stage: Embedded) -> None:
    stage.submit("line", {"a": ("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after", ())})
    _ended(stage, "line")
    said = b"".join(piece.data for piece in stage.client.logs("line", "a"))
    assert said.endswith(b"after\n") and len(said) < 300_000


def test_a_task_beyond_its_memory_says_so(stage: Embedded) -> None:
    capabilities = {one.name: one for one in SubprocessExecutor(stage.data_dir / "probe").capabilities()}
    if not capabilities["memory limits"].is_available:
        pytest.skip(f"memory limits: {capabilities['memory limits'].detail}")
    stage.submit("greedy", {"a": ("x=xxxxxxxx; while :; do x=$x$x; done", ())}, memory_limit_gb=0.03)
    job, tasks = _ended(stage, "greedy")
    assert job.state == states.PIPELINE_STATE_FAILED
    assert tasks["a"].error.code == 8 and "memory" in tasks["a"].error.message


def test_after_a_failure_under_fail_fast_nothing_new_starts_and_what_runs_may_end(stage: Embedded) -> None:
    begun, go = stage.ledger.with_name("fast-begun"), stage.ledger.with_name("fast-go")
    stage.submit(
        "fast",
        {
            "runs": (f"touch {begun}\nwhile ! test -e {go}; do sleep 0.02; done", ()),
            "fails": (f"while ! test -e {begun}; do sleep 0.02; done\nexit 3", ()),
            "next": ("", ("runs",)),
        },
        failure_policy=states.PIPELINE_FAILURE_POLICY_FAIL_FAST,
    )

    def has_failed() -> bool:
        tasks = stage.client.get("fast").job_detail.task_details
        return any(task.task_name == "fails" and task.state == _Task.FAILED for task in tasks)

    until(has_failed)
    go.touch()
    job, tasks = _ended(stage, "fast")
    assert job.state == states.PIPELINE_STATE_FAILED
    assert {name: task.state for name, task in tasks.items()} == {
        "runs": _Task.SUCCEEDED,
        "fails": _Task.FAILED,
        "next": _Task.NOT_TRIGGERED,
    }


def test_beside_bad_tasks_another_run_ends_as_ever(stage: Embedded) -> None:
    bad = {
        "forks": (
            'for i in $(seq 300); do sleep 0.2 & done; setsid sh -c "link() { link & }; link" &\nsleep 0.3',
            (),
        ),
        "shouts": ("yes | head -c 200000000", ()),
        "stops": ("kill -STOP $$", ()),
    }
    stage.submit("bad", bad)
    stage.submit("good", {"a": ("", ()), "b": ("", ("a",))})
    good, tasks = _ended(stage, "good")
    assert good.state == states.PIPELINE_STATE_SUCCEEDED
    assert {task.attempts for task in tasks.values()} == {1}
    stage.client.cancel("bad")
    assert _ended(stage, "bad")[0].state == states.PIPELINE_STATE_CANCELLED


def _private_kib(pid: int) -> int:
    """What only this process holds: the rest of its pages are the spawner's, which forked it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def _open_files() -> set[str]:
    """Of this process, in which the server is."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(os.readlink(entry))  # noqa: PTH115 (some are no paths)
    return found
