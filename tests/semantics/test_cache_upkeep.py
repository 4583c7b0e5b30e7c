"""The cross-run cache when a plan is made, when runs are deleted, by age, dropped by hand, switched on and off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import Given, Leaf, Of, Task
from parts import ECHO, FILE, READ, loop
from reprise.client import Client, InvalidArgumentError
from reprise.client.requests import with_caching
from reprise.main import Server, Settings
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from stage import RUN, Stage


def tick(stage: Stage) -> Leaf:
    """What it gives is different each time, and no input says so: only the cache can give the old one again."""
    count = stage.folder / "count"
    return Leaf(
        f'echo >> {count}\nwc -l < {count} | tr -d "\\n " > "$out"', {"x": "STRING"}, {"out": "STRING"}
    )


def echoes(stage: Stage, name: str = "semantics") -> dict[str, object]:
    return stage.spec({"a": Task(ECHO, {"x": Given("x")}, cache=True)}, {"x": ("STRING", "1")}, name=name)


def test_hits_that_other_hits_make_known_are_in_the_plan_too(stage: Stage) -> None:
    spec = stage.spec(
        {
            "a": Task(ECHO, {"x": Given("x")}, cache=True),
            "b": Task(ECHO, {"x": Of("a")}, cache=True),
            "c": Task(ECHO, {"x": Of("b")}, cache=True),
            "d": Task(ECHO, {"x": Of("c")}),
        },
        {"x": "STRING"},
    )
    other = stage.run(spec, {"x": "2"})
    original = stage.run(spec, {"x": "1"})
    again = stage.rerun(original, parameters={"x": "2"})
    assert again.verdicts == {
        "a": "REUSE CACHE_HIT",
        "b": "REUSE CACHE_HIT",
        "c": "REUSE CACHE_HIT",
        "d": "EXECUTE KEY_CHANGED inputs.parameters.x",
    }
    assert again.ran == ["d"] and again.planned("c").reused_from.pipeline_job == other.name


def test_a_run_that_the_cache_answers_whole_is_decided_when_it_is_made(stage: Stage) -> None:
    spec = stage.spec({"each": loop(["p", "q"])})
    spec["components"]["comp-each"]["dag"]["tasks"]["work"]["cachingOptions"] = {"enableCache": True}  # type: ignore[index]
    first = stage.run(spec)
    second = stage.run(spec)
    assert second.ran == []
    leaves = [task for task in second.tasks.values() if task.task_name == "work"]
    assert {task.reason for task in leaves} == {states.REASON_CACHE_HIT}
    assert {task.reused_from.pipeline_job for task in leaves} == {first.name}


def test_a_task_with_the_runs_own_identity_in_it_is_not_promised_by_a_plan(stage: Stage) -> None:
    body = Leaf('printf %s "$x" > "$out"', {"x": "STRING"}, {"out": "STRING"})
    spec = stage.spec({"a": Task(body, {"x": "{{$.pipeline_job_uuid}}"}, cache=True)})
    stage.run(spec)
    assert stage.run(spec).ran == ["a"]


def test_a_reused_artifact_outlives_the_run_that_the_cache_had_it_from(stage: Stage) -> None:
    spec = stage.spec(
        {
            "a": Task(FILE, {"x": "1"}, cache=True),
            "b": Task(READ, artifacts={"data": Of("a", "data")}),
        }
    )
    first = stage.run(spec)
    second = stage.run(spec)
    assert second.ran == ["b"] and second.tasks["a"].reason == states.REASON_CACHE_HIT
    stage.client.delete(first.name)
    assert stage.file(second, "a", "data").read_text() == "1"
    assert stage.rerun(second, {"b": RUN}).outputs("b") == {"out": "1"}
    assert stage.run(spec).ran == ["a", "b"], "the outcome went with its run"


def test_a_plan_holds_although_its_cached_outcome_is_deleted_before_the_rerun(stage: Stage) -> None:
    spec = echoes(stage)
    other = stage.run(spec, {"x": "2"})
    original = stage.run(spec, {"x": "1"})
    request = reruns.RerunPipelineJobRequest(name=original.name)
    request.parameter_values["x"].string_value = "2"
    plan = stage.client.plan(request)
    assert [task.reason for task in plan.leaves] == [states.REASON_CACHE_HIT]
    stage.client.delete(other.name)
    request.etag = plan.etag
    assert stage.ask(request, spec).ran == ["a"], "the etag does not cover what others do to the cache"


def test_what_was_asked_for_replaces_the_outcome_in_the_cache(stage: Stage) -> None:
    spec = stage.spec({"a": Task(tick(stage), {"x": "1"}, cache=True)})
    first = stage.run(spec)
    asked = stage.rerun(first, {"a": RUN})
    assert asked.outputs("a") == {"out": "2"}
    third = stage.run(spec)
    assert third.outputs("a") == {"out": "2"} and third.tasks["a"].reused_from.pipeline_job == asked.name
    stage.client.delete(asked.name)
    stage.client.delete(third.name)
    assert stage.run(spec).ran == ["a"], "the first outcome does not come back"


def test_an_outcome_that_is_dropped_answers_nobody(stage: Stage) -> None:
    spec = echoes(stage)
    first = stage.run(spec)
    (entry,) = stage.client.cache_entries("semantics")
    assert (entry.task, entry.source.pipeline_job, entry.is_expired) == ("a", first.name, False)
    assert time.time() - entry.create_time.seconds < 60 and len(entry.key) == 64
    assert stage.client.drop_cache("semantics", "b") == 0
    assert stage.client.drop_cache("another") == 0
    with Client(stage.client.server, project="p-elsewhere") as other:
        assert other.drop_cache(is_all=True) == 0
    assert stage.run(spec).ran == []
    assert stage.client.drop_cache("semantics", older_than_s=3600) == 0
    assert stage.client.drop_cache("semantics", "a") == 1
    assert stage.run(spec).ran == ["a"]
    stage.run(echoes(stage, "another"))
    assert len(list(stage.client.cache_entries(limit=1))) == 1
    assert stage.client.drop_cache(is_all=True) == 2 and not list(stage.client.cache_entries())


def test_a_drop_says_what_is_meant(stage: Stage) -> None:
    for arguments, field in (({}, "pipeline_name"), ({"pipeline_name": "p", "is_all": True}, "all")):
        with pytest.raises(InvalidArgumentError) as refused:
            stage.client.drop_cache(**arguments)  # type: ignore[arg-type]
        assert [violation.field for violation in refused.value.violations] == [field]
    with pytest.raises(InvalidArgumentError) as refused:
        list(stage.client.cache_entries(task="a"))
    assert [violation.field for violation in refused.value.violations] == ["pipeline_name"]


def test_the_authors_key_stands_for_inputs_and_code_and_is_not_lost_by_switching(stage: Stage) -> None:
    def spec(body: Leaf, is_on: bool = True) -> dict[str, object]:
        made = stage.spec({"a": Task(body, {"x": Given("x")}, cache=True, cache_key="mine")}, {"x": "STRING"})
        return with_caching(made, None if is_on else False)

    first = stage.run(spec(ECHO), {"x": "1"})
    other_code = Leaf('printf other > "$out"', ECHO.inputs, ECHO.outputs)
    off = stage.run(spec(other_code, is_on=False), {"x": "2"})
    assert off.ran == ["a"] and off.tasks["a"].cache_answer == states.CACHE_ANSWER_OFF
    switched_on_again = with_caching(spec(other_code, is_on=False), True)
    on = stage.run(switched_on_again, {"x": "3"})
    assert on.ran == [] and on.outputs("a") == {"out": "1"}
    assert on.tasks["a"].reused_from.pipeline_job == first.name


def test_a_run_with_caching_off_neither_asks_nor_feeds_the_cache(stage: Stage) -> None:
    spec = echoes(stage)
    assert stage.run(with_caching(spec, False)).ran == ["a"]
    assert stage.run(spec).ran == ["a"], "nothing was kept"
    assert stage.run(with_caching(spec, False)).ran == ["a"], "nothing was asked"


@pytest.fixture(scope="module")
def ageing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Callable[[float], None]]]:
    """A server that takes no outcome older than an hour, and its clock."""
    ahead_s = 0.0

    def go_on(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    settings = Settings(
        tmp_path_factory.mktemp("ageing") / "data",
        grpc="127.0.0.1:0",
        environments="host",
        cache_max_age_s=3600,
    )
    with Server(settings, now_ns=lambda: time.time_ns() + int(ahead_s * 1e9)) as server:
        yield server, go_on


def test_an_outcome_that_is_too_old_is_none(
    ageing: tuple[Server, Callable[[float], None]], tmp_path: Path
) -> None:
    server, go_on = ageing
    stage = Stage(server.grpc_address, tmp_path)
    with stage.client:
        spec = stage.spec(
            {"a": Task(ECHO, {"x": Given("x")}, cache=True), "b": Task(ECHO, {"x": Of("a")}, cache=True)},
            {"x": "STRING"},
        )
        other = stage.run(spec, {"x": "2"})
        original = stage.run(spec, {"x": "1"})
        go_on(3000)
        assert stage.run(spec, {"x": "2"}).ran == []
        go_on(1000)
        assert all(entry.is_expired for entry in stage.client.cache_entries())
        plan = stage.plan(original, parameters={"x": "2"})
        assert states.REASON_CACHE_HIT not in {task.reason for task in plan.leaves}
        late = stage.run(spec, {"x": "2"})
        assert late.ran == ["a", "b"]
        found = stage.client.explain(late.name, "a")
        assert found.cache.answer == states.CACHE_ANSWER_EXPIRED
        assert found.cache.entry.pipeline_job == other.name and "3600 s" in found.cache.note
        assert stage.run(spec, {"x": "2"}).ran == [], "the new outcome is young"
        assert stage.client.drop_cache("semantics", older_than_s=900) == 2
