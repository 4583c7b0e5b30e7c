"""Dagster beside Reprise in bench/rerun.py: a running service with its durable storage, and its library.

Both work on one instance (SQLite, Dagster's default) and re-execute the same run from its failure.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

_JOB = "layered"
_START_S, _RUN_S = 120.0, 1800.0
_POLL_S = 0.02
# The default would be a queue, from which a daemon takes runs every five seconds: here they are launched at once.
_INSTANCE = """\
telemetry:
  enabled: false
run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
"""
_WHERE = "{repositoriesOrError{... on RepositoryConnection{nodes{name location{name}}}}}"
_LAUNCH = """mutation($asked: ExecutionParams!) {launchRun(executionParams: $asked) {
  ... on LaunchRunSuccess {run {runId}} ... on Error {message}}}"""
_AGAIN = """mutation($asked: ReexecutionParams!) {launchRunReexecution(reexecutionParams: $asked) {
  ... on LaunchRunSuccess {run {runId}} ... on Error {message}}}"""
_RUN = "query($run: ID!) {runOrError(runId: $run) {... on Run {status endTime}}}"
_STEPS = """query($run: ID!) {runOrError(runId: $run) {... on Run {
  stats {... on RunStatsSnapshot {stepsSucceeded stepsFailed}}}}}"""


class DagsterError(Exception):
    """Dagster did not do what it was asked for."""


def has_dagster(python: str) -> bool:
    """Whether this interpreter has both the library and the web server."""
    wanted = [python, "-c", "import dagster, dagster_webserver"]
    return subprocess.run(wanted, capture_output=True, check=False).returncode == 0


class Dagster:
    """An instance whose original run has failed in its last step, with a service and a process of the library."""

    def __init__(self, python: str, tasks: int, home: Path) -> None:
        """Takes some 50 ms a task: that is what the original run takes."""
        home.mkdir()
        (home / "dagster.yaml").write_text(_INSTANCE)
        self._home, self._python = home, python
        self._env = {
            "DAGSTER_HOME": str(home),
            "REPRISE_BENCH_TASKS": str(tasks),
            "PATH": f"{Path(python).parent}:/usr/bin:/bin",
        }
        self._opened = ExitStack()
        try:
            self._service = self._opened.enter_context(_served(python, home, self._env))
            with _flags(home, "broken", "at_once"):
                # Process by process, as in the reruns, the original would take some 1,000 s.
                self._original = self._service.run_original()
            with _flags(home, "at_once"):
                self._library = self._opened.enter_context(_Library(python, home, self._env, self._original))
        except BaseException:
            self._opened.close()
            raise

    def service_s(self) -> float:
        """From the call to the end that the service has recorded; each step is a process, as is the default."""
        return self._service.rerun_s(self._original)

    def service_in_process_s(self) -> float:
        """As `service_s`, with steps in the process of the run."""
        with _flags(self._home, "at_once"):
            return self._service.rerun_s(self._original)

    def library_s(self) -> float:
        return self._library.rerun_s()

    def close(self) -> None:
        self._opened.close()


@contextmanager
def _flags(home: Path, *names: str) -> Iterator[None]:
    for name in names:
        (home / name).touch()
    try:
        yield
    finally:
        for name in names:
            (home / name).unlink()


class _Service:
    def __init__(self, port: int) -> None:
        self._port = port
        self._job: Mapping[str, str] = {}

    def find_job(self) -> None:
        """Errors: OSError while nothing answers."""
        (found,) = self._ask(_WHERE)["repositoriesOrError"]["nodes"]
        self._job = {
            "repositoryLocationName": found["location"]["name"],
            "repositoryName": found["name"],
            "jobName": _JOB,
        }

    def run_original(self) -> str:
        asked = {"selector": self._job, "runConfigData": {}}
        run = self._launched(self._ask(_LAUNCH, asked=asked)["launchRun"])
        self._end_of(run, "FAILURE")
        return run

    def rerun_s(self, original: str) -> float:
        began = time.time()
        asked = {"parentRunId": original, "strategy": "FROM_FAILURE"}
        run = self._launched(self._ask(_AGAIN, asked=asked)["launchRunReexecution"])
        took_s = self._end_of(run, "SUCCESS") - began
        steps = self._ask(_STEPS, run=run)["runOrError"]["stats"]
        if steps != {"stepsSucceeded": 1, "stepsFailed": 0}:
            raise DagsterError(f"one step was to run: {steps}")
        return took_s

    def _launched(self, answer: Mapping[str, Any]) -> str:
        if "run" not in answer:
            raise DagsterError(f"no run was launched: {answer}")
        return str(answer["run"]["runId"])

    def _end_of(self, run: str, wanted: str) -> float:
        """When the run ended, by Dagster's own record: asking often takes nothing from its time, or little."""
        deadline = time.monotonic() + _RUN_S
        while time.monotonic() < deadline:
            found = self._ask(_RUN, run=run)["runOrError"]
            if found["status"] == wanted:
                return float(found["endTime"])
            if found["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                break
            time.sleep(_POLL_S)
        raise DagsterError(f"the run was to end as {wanted}: {found}")

    def _ask(self, query: str, **variables: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_START_S)
        try:
            body = json.dumps({"query": query, "variables": variables})
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            answer = json.load(connection.getresponse())
        finally:
            connection.close()
        if answer.get("errors"):
            raise DagsterError(str(answer["errors"]))
        return answer["data"]


@contextmanager
def _served(python: str, home: Path, env: Mapping[str, str]) -> Iterator[_Service]:
    """`dagster-webserver` with the code server that it starts."""
    port = _free_port()
    script = Path(__file__).with_name("dagster_layers.py")
    with (home / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", "dagster_webserver", "-f", str(script), "-h", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
            env=env,
        )
    try:
        service = _Service(port)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                service.find_job()
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DagsterError((home / "service.log").read_text()[-2000:]) from error
                time.sleep(0.1)
        yield service
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class _Library:
    """A process that re-executes when it is told to."""

    def __init__(self, python: str, home: Path, env: Mapping[str, str], original: str) -> None:
        script = Path(__file__).with_name("dagster_rerun.py")
        with (home / "library.log").open("wb") as log:
            self._process = subprocess.Popen(
                [python, str(script), original],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=env,
            )
        self._answer()

    def __enter__(self) -> _Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def rerun_s(self) -> float:
        assert self._process.stdin is not None
        print("again", file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("bench:"):
                return line.removeprefix("bench:").strip()
        raise DagsterError("the library's process has ended")
