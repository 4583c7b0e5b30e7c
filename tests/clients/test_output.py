"""What the command line writes: tables, durations, one document for a script."""

from __future__ import annotations

import argparse
import io
import json

import pytest
from reprise.cli.durations import seconds
from reprise.cli.output import Output, format_duration, shorten, table_lines
from reprise.cli.progress import Progress
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states


def test_columns_are_as_wide_as_needed_and_empty_ones_are_left_out() -> None:
    lines = table_lines(("TASK", "WHY", "NOTE"), [("a", "", "x"), ("longer", "", "")])
    assert lines == ["TASK    NOTE", "a       x", "longer"]


def test_an_error_message_cannot_break_a_table_or_the_terminal() -> None:
    assert table_lines(("A",), [("x\ny\x1b[2J",)])[1] == "x y [2J"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0421, "42ms"), (3.21, "3.2s"), (245.0, "4m05s"), (59.97, "60.0s"), (7380.0, "2h03m"), (-1, "0ms")],
)
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_long_text_is_cut_to_its_width() -> None:
    assert shorten("one\ntwo  three", 9) == "one two …"


def test_with_json_the_output_is_one_document_and_talk_goes_elsewhere() -> None:
    out, talk = io.StringIO(), io.StringIO()
    output = Output(is_json=True, out=out, talk=talk)
    output.say("hello")
    output.json({"a": "ä"})
    assert json.loads(out.getvalue()) == {"a": "ä"} and talk.getvalue() == "hello\n"


def test_progress_tells_each_task_that_has_ended_once() -> None:
    task = jobs.PipelineTaskDetail(task_id=1, task_name="a", state=jobs.PipelineTaskDetail.RUNNING)
    job = jobs.PipelineJob(state=states.PIPELINE_STATE_RUNNING)
    said: list[str] = []
    progress = Progress(Output(is_json=False, out=io.StringIO(), talk=io.StringIO()), said.append)
    for state in (task.RUNNING, task.SUCCEEDED, task.SUCCEEDED):
        del job.job_detail.task_details[:]
        job.job_detail.task_details.add().CopyFrom(task)
        job.job_detail.task_details[0].state = state
        progress.show(job)
    assert [line.split() for line in said] == [["RUNNING"], ["SUCCEEDED", "a"]]


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("1.5s", 1.5), ("15m", 900), ("12h", 43200), ("7d", 604800)]
)
def test_a_span_of_time_is_read_as_a_person_writes_it(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-1", "1w", "1 h", "nan", "1e9"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="7d"):
        seconds(text)
