"""The command line against a real server: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from served import Served

_PIPELINES = Path(__file__).parents[1] / "clients" / "pipelines"


class Reprise:
    """The command `reprise`, for one server and a ledger that its tasks write to."""

    def __init__(self, server: str, folder: Path) -> None:
        self._environment = os.environ | {"REPRISE_SERVER": server, "NO_COLOR": "1"}
        self.ledger = folder / "ledger"
        self.id = f"cli-{uuid.uuid4().hex[:8]}"

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "reprise.cli", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == expect, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr if expect else done.stdout

    def json(self, *arguments: str, expect: int = 0) -> Any:
        done = self(*arguments, "--json", expect=expect)
        return json.loads(done)

    def ran(self) -> list[str]:
        return self.ledger.read_text().split() if self.ledger.exists() else []

    def submit(self, pipeline: str, suffix: str, *options: str, expect: int = 0) -> str:
        return self(
            "submit",
            str(_PIPELINES / f"{pipeline}.yaml"),
            f"--name={self.id}-{suffix}",
            f"--param=ledger={self.ledger}",
            *options,
            expect=expect,
        )


@pytest.fixture
def reprise(server: Served, tmp_path: Path) -> Reprise:
    return Reprise(server.grpc, tmp_path)


def _rows(table: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for line in table.splitlines() if (words := line.split())}


def test_a_failed_run_is_planned_rerun_and_listed(reprise: Reprise) -> None:
    said = reprise.submit("steps", "a", "--no-cache", "--wait", expect=1)
    assert "FAILED" in said and "over the limit" in reprise("logs", f"{reprise.id}-a", "check")
    plan = reprise("plan", f"{reprise.id}-a", "--param", "limit=20")
    rows = _rows(plan)
    assert rows["prepare"][:2] == ["REUSE", "UNCHANGED"], plan
    assert rows["multiply"][:2] == ["REUSE", "UNCHANGED"], plan
    assert rows["check"][0] == "EXECUTE", plan
    etag = plan.splitlines()[-1].removeprefix("etag: ")
    reprise(
        "rerun",
        f"{reprise.id}-a",
        "--param",
        "limit=20",
        f"--name={reprise.id}-b",
        f"--etag={etag}",
        "--wait",
    )
    assert reprise.ran() == ["prepare", "multiply", "check", "check", "publish"]
    tasks = reprise.json("get", f"{reprise.id}-b")["jobDetail"]["taskDetails"]
    assert {task["taskName"]: task["state"] for task in tasks} == {
        "prepare": "SKIPPED",
        "multiply": "SKIPPED",
        "check": "SUCCEEDED",
        "publish": "SUCCEEDED",
    }
    listed = reprise("list", "--limit=0")
    assert _rows(listed)[f"{reprise.id}-b"][0] == "SUCCEEDED"
    assert _rows(listed)[f"{reprise.id}-b"][-1] == f"{reprise.id}-a"


def test_a_rerun_without_the_cache_runs_what_another_run_could_answer(reprise: Reprise) -> None:
    reprise.submit("steps", "a", "--param=limit=20", "--wait")
    reprise.submit("steps", "b", "--wait", expect=1)
    rerun = ("rerun", f"{reprise.id}-b", "--param=limit=20", "--wait")
    before = len(reprise.ran())
    reprise(*rerun, f"--name={reprise.id}-c", "--no-cache")
    assert reprise.ran()[before:] == ["check", "publish"], (
        "what it has of its original is reused all the same"
    )
    before = len(reprise.ran())
    reprise(*rerun, f"--name={reprise.id}-d")
    assert reprise.ran()[before:] == []


def test_single_tasks_are_run_skipped_and_given_other_inputs(reprise: Reprise) -> None:
    reprise.submit("steps", "a", "--param=limit=20", "--wait")
    before = len(reprise.ran())
    reprise("rerun", f"{reprise.id}-a", "--input=multiply.factor=1", f"--name={reprise.id}-b", "--wait")
    assert reprise.ran()[before:] == ["multiply", "check", "publish"]
    before = len(reprise.ran())
    reprise("rerun", f"{reprise.id}-a", "--execute=publish", f"--name={reprise.id}-c", "--wait")
    assert reprise.ran()[before:] == ["publish"]
    reprise.submit("steps", "d", "--wait", expect=1)
    reprise("rerun", f"{reprise.id}-d", "--skip=check", f"--name={reprise.id}-e", "--wait")
    tasks = reprise.json("get", f"{reprise.id}-e")["jobDetail"]["taskDetails"]
    assert {task["taskName"]: task["state"] for task in tasks}["check"] == "SKIPPED"


def test_a_plan_is_drawn_as_a_graph(reprise: Reprise) -> None:
    reprise.submit("steps", "a", "--wait", expect=1)
    assert reprise("plan", f"{reprise.id}-a", "--dot").startswith("digraph plan {")
    assert "flowchart" in reprise("rerun", f"{reprise.id}-a", "--mermaid")


def test_runs_are_cancelled_one_by_one_and_together_and_deleted(reprise: Reprise) -> None:
    for suffix in ("a", "b"):
        reprise.submit("waiting", suffix)
    table = reprise("cancel", f"{reprise.id}-a", f"{reprise.id}-b", "--wait")
    assert [_rows(table)[f"{reprise.id}-{suffix}"] for suffix in ("a", "b")] == [["CANCELLED"]] * 2
    reprise("wait", f"{reprise.id}-a", expect=3)
    reprise("delete", f"{reprise.id}-a", f"{reprise.id}-b")
    reprise("get", f"{reprise.id}-a", expect=4)


def test_a_log_is_followed_from_before_the_task_has_started_until_it_has_ended(reprise: Reprise) -> None:
    reprise.submit("waiting", "a", "--param=seconds=0.5")
    assert reprise("logs", f"{reprise.id}-a", "wait", "--follow") == "it waits\nit has waited\n"


def test_what_goes_wrong_has_its_own_exit_code(reprise: Reprise, tmp_path: Path) -> None:
    reprise("get", "no-such-run", expect=4)
    said = reprise.submit("steps", "a", "--param=nonsense=1", expect=6)
    assert "nonsense" in said
    reprise.submit("steps", "b", "--param=factor=two", expect=2)
    no_pipeline = tmp_path / "no.yaml"
    no_pipeline.write_text("just: text")
    reprise("submit", str(no_pipeline), expect=2)
    reprise("submit", str(tmp_path / "missing.yaml"), expect=2)
    reprise("list", "--server=127.0.0.1:1", expect=5)
    reprise.submit("waiting", "c")
    reprise("wait", f"{reprise.id}-c", "--timeout=0.1", expect=7)
    reprise("delete", f"{reprise.id}-c", expect=6)
    reprise("cancel", f"{reprise.id}-c", "--wait")


def test_the_command_answers_help_without_loading_grpc() -> None:
    program = "import sys; import reprise.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    program += "assert not {'grpc', 'yaml', 'google.protobuf'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.slow
def test_the_demonstration_ends_by_itself_with_code_0(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reprise.cli", "demo", f"--data-dir={tmp_path / 'data'}"],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none is left" in done.stdout


def test_a_task_is_explained_and_the_cache_is_looked_into_and_emptied(reprise: Reprise) -> None:
    of_pipeline = "--pipeline=client-steps"
    reprise("cache", "drop", of_pipeline)
    reprise.submit("steps", "a", "--param=limit=20", "--wait")
    reprise.submit("steps", "b", "--param=limit=30", "--wait")
    told = reprise("explain", f"{reprise.id}-b", "check")
    assert told.startswith("check: ") and "NO_ENTRY" in told, told
    limit = [line.split() for line in told.splitlines() if "inputs.parameters.limit" in line][-1]
    assert limit == ["inputs.parameters.limit", "20", "30"]
    against = reprise.json("explain", f"{reprise.id}-b", "check", f"--against={reprise.id}-a")
    assert [each["oldValue"] for each in against["comparison"]["differences"]] == ["20"]
    assert "did you mean check" in reprise("explain", f"{reprise.id}-b", "chek", expect=4)
    listed = [line.split()[1] for line in reprise("cache", "list", of_pipeline).splitlines()[1:]]
    assert sorted(listed) == ["check", "check", "multiply", "prepare", "publish"]
    assert reprise("cache", "drop", of_pipeline, "--older-than=1h") == "0 outcomes dropped\n"
    assert reprise.json("cache", "drop", of_pipeline, "--task=check")["droppedCount"] == 2
    kept = reprise.json("cache", "list", of_pipeline, "--limit=0")
    assert sorted(entry["task"] for entry in kept) == ["multiply", "prepare", "publish"]
    reprise("cache", "drop", expect=2)
    reprise("cache", "drop", of_pipeline, "--older-than=soon", expect=2)


def test_tasks_are_listed_by_filter_and_every_change_is_printed(reprise: Reprise) -> None:
    reprise.submit("steps", "watched", "--no-cache")
    run = f"{reprise.id}-watched"
    answers = [json.loads(line) for line in reprise("watch", run, "--json", expect=1).splitlines()]
    changes = [change for answer in answers for change in answer.get("changes", [])]
    assert [int(change["sequence"]) for change in changes] == list(range(1, len(changes) + 1))
    assert answers[-1]["isLast"]
    rest = reprise("watch", run, "--json", "--resume", answers[0]["resumeToken"], expect=1)
    again = [change for line in rest.splitlines() for change in json.loads(line).get("changes", [])]
    assert again == changes[len(answers[0]["changes"]) :]
    assert "FAILED  check" in reprise("watch", run, expect=1)
    assert [task["taskName"] for task in reprise.json("tasks", run, "--filter", "state=FAILED")] == ["check"]
    assert len(_rows(reprise("tasks", run, "--limit", "2"))) == 3
