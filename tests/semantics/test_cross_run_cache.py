"""The cross-run cache: what it answers, what it never answers, and how it shows."""

from __future__ import annotations

from building import EXIT, Dag, Given, Importer, Leaf, Of, Task
from parts import ECHO, FILE, NOTHING, READ, broken_while, loop
from reprise.client import Client
from stage import RUN, Stage


def test_an_equal_task_of_another_run_is_answered_where_caching_is_on(stage: Stage) -> None:
    spec = stage.spec({"on": Task(ECHO, {"x": "1"}, cache=True), "off": Task(ECHO, {"x": "1"})})
    first = stage.run(spec)
    second = stage.run(spec)
    assert first.ran == ["off", "on"] and second.ran == ["off"]
    assert second.states == {"on": "SKIPPED", "off": "SUCCEEDED"} and second.outputs("on") == {"out": "1"}
    assert second.tasks["on"].reused_from.pipeline_job == first.name
    assert second.state == "SUCCEEDED"


def test_the_source_is_the_run_that_really_executed_over_any_number_of_hits(stage: Stage) -> None:
    spec = stage.spec({"a": Task(ECHO, {"x": "1"}, cache=True)})
    first = stage.run(spec)
    stage.run(spec)
    third = stage.run(spec)
    assert third.tasks["a"].reused_from.pipeline_job == first.name
    again = stage.rerun(third)
    assert again.tasks["a"].reused_from.pipeline_job == first.name


def test_within_one_run_equal_tasks_all_run(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(ECHO, {"x": "1"}, cache=True), "b": Task(ECHO, {"x": "1"}, cache=True, after=["a"])}
    )
    spec["root"]["dag"]["tasks"]["b"]["componentRef"] = spec["root"]["dag"]["tasks"]["a"]["componentRef"]
    assert stage.run(spec).ran == ["a", "a"]


def test_only_what_succeeded_is_kept(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    spec = stage.spec({"a": Task(broken_while(flag), {"x": "1"}, cache=True)})
    assert stage.run(spec).state == "FAILED"
    assert stage.run(spec).ran == ["a"], "a failure is no answer"
    flag.unlink()
    assert stage.run(spec).ran == ["a"]
    assert stage.run(spec).ran == []


def test_the_scope_is_project_and_pipeline_name(stage: Stage, embedded: object) -> None:
    tasks = {"a": Task(ECHO, {"x": "1"}, cache=True)}
    stage.run(stage.spec(tasks))
    assert stage.run(stage.spec(tasks, name="another")).ran == ["a"]
    own = stage.client
    with Client(own.server, project="p-elsewhere") as other:
        stage.client = other
        assert stage.run(stage.spec(tasks)).ran == ["a"]
    stage.client = own
    assert stage.run(stage.spec(tasks)).ran == []


def test_exit_tasks_are_never_answered(stage: Stage) -> None:
    spec = stage.spec(
        {
            "exit-handler-1": Task(Dag({"work": Task(NOTHING, cache=True)})),
            "clean": Task(NOTHING, after=["exit-handler-1"], strategy=EXIT, cache=True),
        }
    )
    stage.run(spec)
    assert stage.run(spec).ran == ["clean"]


def test_a_cached_outcome_whose_artifacts_are_gone_is_a_miss(stage: Stage) -> None:
    spec = stage.spec(
        {
            "a": Task(FILE, {"x": "1"}, cache=True),
            "b": Task(READ, artifacts={"data": Of("a", "data")}, cache=True),
        }
    )
    first = stage.run(spec)
    assert stage.run(spec).ran == []
    stage.file(first, "a", "data").unlink()
    third = stage.run(spec)
    assert third.ran == ["a"] and third.states["b"] == "SKIPPED", "equal bytes: b is answered"
    stage.file(third, "a", "data").write_text("changed")
    assert stage.run(spec).ran == ["a"]


def test_iterations_are_answered_one_by_one(stage: Stage) -> None:
    body = Leaf('printf %s "$item" > "$out"', {"item": "STRING"}, {"out": "STRING"}, says="work $item")
    each = Task(
        Dag(
            {"work": Task(body, {"item": Given("item")}, cache=True)},
            outputs={"out": Of("work")},
            output_types={"out": "LIST"},
        ),
        each=Given("items"),
    )
    spec = stage.spec({"each": each}, {"items": "LIST"}, {"out": Of("each")})
    stage.run(spec, {"items": ["a", "b"]})
    second = stage.run(spec, {"items": ["c", "b"]})
    assert second.ran == ["work c"] and second.root == {"out": ["c", "b"]}


def test_an_importer_is_answered_only_while_its_bytes_are_what_they_were(stage: Stage) -> None:
    (stage.folder / "imported").write_text("1")
    spec = stage.spec(
        {
            "import": Task(Importer(str(stage.folder / "imported")), cache=True),
            "read": Task(READ, artifacts={"data": Of("import", "artifact")}, cache=True),
        }
    )
    stage.run(spec)
    same = stage.run(spec)
    assert same.states["import"] == "SKIPPED" and same.ran == []
    (stage.folder / "imported").write_text("2")
    changed = stage.run(spec)
    assert changed.states["import"] == "SUCCEEDED" and changed.outputs("read") == {"out": "2"}


def test_a_requested_task_in_a_rerun_is_not_answered_but_what_follows_may_be(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(ECHO, {"x": Given("x")}, cache=True), "b": Task(ECHO, {"x": Of("a")}, cache=True)},
        {"x": "STRING"},
    )
    other = stage.run(spec, {"x": "2"})
    original = stage.run(spec, {"x": "1"})
    again = stage.rerun(original, parameters={"x": "2"})
    assert again.ran == [] and again.tasks["b"].reused_from.pipeline_job == other.name
    asked = stage.rerun(original, {"a": RUN}, parameters={"x": "2"})
    assert asked.ran == ["a"] and asked.states["b"] == "SKIPPED"


def test_a_hit_that_is_known_at_plan_time_is_shown_in_the_plan(stage: Stage) -> None:
    spec = stage.spec({"a": Task(ECHO, {"x": Given("x")}, cache=True)}, {"x": "STRING"})
    other = stage.run(spec, {"x": "2"})
    original = stage.run(spec, {"x": "1"})
    again = stage.rerun(original, parameters={"x": "2"})
    assert again.verdicts == {"a": "REUSE CACHE_HIT"} and again.ran == []
    assert again.planned("a").reused_from.pipeline_job == other.name


def _gated(stage: Stage) -> Leaf:
    return Leaf(f"while ! test -e {stage.folder}/gate; do sleep 0.02; done\ntest ! -e {stage.folder}/broken")


def test_equal_tasks_of_different_runs_at_the_same_time_run_once(stage: Stage) -> None:
    spec = stage.spec({"a": Task(_gated(stage), cache=True)})
    names = [stage.submit(spec).name for _ in range(3)]
    stage.until(lambda: len(stage.ran()) >= 1)
    (stage.folder / "gate").touch()
    for name in names:
        stage.client.wait(name, 60)
    assert stage.ran() == ["a"]


def test_a_follower_runs_itself_when_its_leader_does_not_succeed(stage: Stage) -> None:
    spec = stage.spec({"a": Task(_gated(stage), cache=True)})
    (stage.folder / "broken").touch()
    names = [stage.submit(spec).name for _ in range(2)]
    stage.until(lambda: len(stage.ran()) >= 1)
    (stage.folder / "gate").touch()
    for name in names:
        stage.client.wait(name, 60)
    assert stage.ran() == ["a", "a"]


def test_loops_over_equal_items_all_run_although_the_cache_is_on(stage: Stage) -> None:
    each = loop(["x", "x"])
    spec = stage.spec({"each": each})
    spec["components"]["comp-each"]["dag"]["tasks"]["work"]["cachingOptions"] = {"enableCache": True}
    assert stage.run(spec).ran == ["work x", "work x"]
