"""What `reprise demo` does and says: a pipeline fails, is rerun as it should be, and another is cancelled.

Invariant: nothing is claimed that was not looked at. Each step checks what it tells; the first that is not as
it should be ends the demonstration with DemoFailed.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reprise.cli.output import Output
from reprise.cli.progress import Progress, leaves
from reprise.cli.views import run_state, show_plan, task_state
from reprise.client.client import Client
from reprise.client.pipeline_file import load_pipeline
from reprise.client.plan import verdict_name
from reprise.client.requests import create_request, to_value
from reprise.client.tasks import path_of
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import rerun_pb2 as reruns

FOLDER = Path(__file__).parent
_WRONG = [0.01, 0.05, 0.3, 3.0]
_RIGHT = [0.01, 0.05, 0.3, 0.6]
_INDENT = "    "
# What must still stand of the first run: all of it but the training that diverged and what comes after.
_KEPT = {"generate-data", "split-data", "for-loop-1[0].train", "for-loop-1[1].train", "for-loop-1[2].train"}


class DemoFailed(Exception):
    """Something was not as the demonstration says."""


def tell_story(client: Client, output: Output, timeout_s: float) -> None:
    """The whole demonstration. Errors: DemoFailed; CallError; TimeoutError."""
    story = _Story(client, output, time.monotonic() + timeout_s)
    failed = story.fail()
    story.rerun(failed)
    story.cancel()


class _Story:
    def __init__(self, client: Client, output: Output, deadline: float) -> None:
        self._client = client
        self._output = output
        self._deadline = deadline

    def fail(self) -> str:
        self._title("A pipeline trains four models. One learning rate is far too high.")
        self._command(f"submit {FOLDER / 'pipeline.yaml'} --name demo-1 --wait")
        request = create_request(load_pipeline(FOLDER / "pipeline.yaml"), run_id="demo-1")
        job = self._until_end(self._client.create(request).name)
        self._expect(run_state(job) == "FAILED", f"the run should have failed, it is {run_state(job)}")
        failed = [task for task in leaves(job.job_detail.task_details) if task_state(task) == "FAILED"]
        self._expect(
            [path_of(task) for task in failed] == ["for-loop-1[3].train"], "one training should have failed"
        )
        self._command(f"logs demo-1 '{path_of(failed[0])}'")
        log = b"".join(
            piece.data for piece in self._client.logs("demo-1", str(failed[0].task_id), offset=-2000)
        )
        lines = log.decode(errors="replace").strip().splitlines()
        for line in lines[-3:]:
            self._say(line)
        self._expect(
            any("diverged" in line for line in lines), "the log should say that the training diverged"
        )
        return "demo-1"

    def rerun(self, original: str) -> None:
        self._title("With another learning rate, what would run again, and why?")
        parameters = json.dumps(_RIGHT)
        self._command(f"plan {original} --param 'learning_rates={parameters}'")
        request = reruns.RerunPipelineJobRequest(
            name=self._client.run_name(original), pipeline_job_id="demo-2"
        )
        request.parameter_values["learning_rates"].CopyFrom(to_value("learning_rates", _RIGHT))
        plan = self._client.plan(request)
        show_plan(self._output, plan, _INDENT)
        planned = {task.task_unique_name for task in plan.leaves if verdict_name(task.verdict) == "REUSE"}
        self._expect(planned == _KEPT, f"the plan should keep what succeeded: {', '.join(sorted(_KEPT))}")
        self._title("The rerun keeps what succeeded.")
        self._command(f"rerun {original} --param 'learning_rates={parameters}' --name demo-2 --wait")
        request.etag = plan.etag
        job = self._until_end(self._client.rerun(request).name)
        self._expect(
            run_state(job) == "SUCCEEDED", f"the rerun should have succeeded, it is {run_state(job)}"
        )
        tasks = leaves(job.job_detail.task_details)
        kept = {path_of(task) for task in tasks if task.HasField("reused_from")}
        self._say(f"kept:     {', '.join(sorted(kept))}")
        self._say(f"executed: {', '.join(path_of(t) for t in tasks if task_state(t) == 'SUCCEEDED')}")
        self._expect(kept == _KEPT, f"what succeeded should have been kept: {', '.join(sorted(_KEPT))}")
        page = next(task for task in tasks if task.task_name == "report").outputs["text"].artifacts[0]
        self._say(f"{page.uri}:")
        for line in _local_path(page.uri).read_text().splitlines():
            self._say(f"  {line}")

    def cancel(self) -> None:
        self._title("A run of ten minutes, with a child process that has left its session, is cancelled.")
        marker = f"reprise-demo-{uuid.uuid4().hex[:12]}"
        self._command(f"submit {FOLDER / 'long_pipeline.yaml'} --name demo-3 --param marker={marker}")
        request = create_request(
            load_pipeline(FOLDER / "long_pipeline.yaml"), {"marker": marker}, run_id="demo-3"
        )
        job = self._client.create(request)
        name, run_id = job.name, job.labels["vertex-ai-pipelines-run-billing-id"]
        while not any(
            arguments[-1:] == [marker] and arguments[1:2] == ["-c"] for _, arguments in _processes(run_id)
        ):
            self._expect(time.monotonic() < self._deadline, "the task should have started its child")
            job = self._client.get(name, ("state",))
            self._expect(
                run_state(job) in {"PENDING", "RUNNING"}, f"the run should go on, it is {run_state(job)}"
            )
            time.sleep(0.05)
        alive = list(_processes(run_id))
        self._say(f"its processes: {', '.join(f'{pid} ({Path(command[0]).name})' for pid, command in alive)}")
        self._command("cancel demo-3 --wait")
        began = time.monotonic()
        self._client.cancel(name)
        job = self._until_end(name)
        took_s = time.monotonic() - began
        self._expect(run_state(job) == "CANCELLED", f"the run should be cancelled, it is {run_state(job)}")
        left = [pid for pid, _ in _processes(run_id)]
        self._expect(not left, f"processes are left: {left}")
        self._say(f"CANCELLED after {took_s:.1f} s; of {len(alive)} processes, none is left")

    def _until_end(self, name: str) -> jobs.PipelineJob:
        progress = Progress(self._output, self._say)
        left_s = max(0.0, self._deadline - time.monotonic())
        try:
            for job in self._client.watch(name, left_s):
                progress.show(job)
        finally:
            progress.close()
        self._say(run_state(job) + (f": {job.error.message}" if job.error.message else ""))
        return job

    def _title(self, text: str) -> None:
        self._output.line(f"\n{text}")

    def _command(self, text: str) -> None:
        self._output.line(f"{_INDENT}$ reprise {text}")

    def _say(self, text: str) -> None:
        self._output.line(_INDENT + text)

    def _expect(self, is_so: bool, text: str) -> None:
        if not is_so:
            raise DemoFailed(text)


def _processes(run_id: str) -> Iterator[tuple[int, list[str]]]:
    """Every process of this machine that a task of the run has started, with its command line."""
    mark = f"REPRISE_ATTEMPT={run_id}.".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            is_one = mark in (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes() if is_one else b""
        except OSError:  # it has ended meanwhile
            continue
        if is_one and command:
            yield int(folder.name), [part.decode(errors="replace") for part in command.split(b"\0")[:-1]]


def _local_path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file://") else Path(uri)
