"""Showing a run while it goes on.

Each task that ends gets a line of its own; on a terminal, a last line says what runs now. All goes to stderr.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

from reprise.cli.output import Output, shorten
from reprise.cli.views import duration, note, run_state, task_state, why
from reprise.client.client import ENDED, Client
from reprise.client.tasks import path_of
from reprise.pb.v1 import pipeline_job_pb2 as jobs

_Task = jobs.PipelineTaskDetail
_DAG = "system.DagExecution"
_ENDED = frozenset({_Task.SUCCEEDED, _Task.FAILED, _Task.CANCELLED, _Task.SKIPPED, _Task.NOT_TRIGGERED})


class Progress:
    """Says what is new in a run, each time it is shown one."""

    def __init__(self, output: Output, tell: Callable[[str], None] | None = None, indent: str = "") -> None:
        self._output = output
        self._tell = tell or output.say
        self._indent = indent
        self._told: set[int] = set()
        self._state = ""
        self._is_line_open = False

    def show(self, job: jobs.PipelineJob) -> None:
        tasks = job.job_detail.task_details
        self.close()
        if run_state(job) != self._state:
            self._state = run_state(job)
            if job.state not in ENDED:
                self._tell(f"{self._indent}{self._state}")
        for task in leaves(tasks):
            if task.state in _ENDED and task.task_id not in self._told:
                self._told.add(task.task_id)
                self._tell(self._indent + describe(task))
        if self._output.is_live and job.state not in ENDED:
            self._open(job)

    def close(self) -> None:
        """Take away the line that says what runs now."""
        if self._is_line_open:
            self._output.talk.write("\r\x1b[K")
            self._output.talk.flush()
            self._is_line_open = False

    def _open(self, job: jobs.PipelineJob) -> None:
        tasks = leaves(job.job_detail.task_details)
        running = [path_of(task) for task in tasks if task.state == _Task.RUNNING]
        line = f"{self._state} {len(self._told)}/{len(tasks)}  {', '.join(running)}"
        self._output.talk.write(shorten(line, shutil.get_terminal_size().columns - 1))
        self._output.talk.flush()
        self._is_line_open = True


def leaves(tasks: Sequence[_Task]) -> list[_Task]:
    """The tasks that hold no others."""
    parents = {task.parent_task_id for task in tasks}
    return [task for task in tasks if task.task_id not in parents and task.execution.schema_title != _DAG]


def describe(task: _Task) -> str:
    """One line: state, path, time, and why."""
    parts = [f"{task_state(task):13} {path_of(task)}"]
    if took := duration(task.start_time, task.end_time):
        parts.append(took)
    if remark := note(task) or (why(task) if task.state != _Task.SUCCEEDED else ""):
        parts.append(remark)
    return "  ".join(parts)


def wait_showing(
    client: Client, output: Output, run: str, timeout_s: float | None, progress: Progress | None = None
) -> jobs.PipelineJob:
    """The run when it has ended; meanwhile its progress is shown. Errors: TimeoutError."""
    if output.is_json:
        return client.wait(run, timeout_s)
    progress = progress or Progress(output)
    try:
        for job in client.watch(run, timeout_s):
            progress.show(job)
    except KeyboardInterrupt:
        output.say(f"\nthe run goes on: `reprise wait {run.rpartition('/')[2]}` shows it again")
        raise
    finally:
        progress.close()
    return job
