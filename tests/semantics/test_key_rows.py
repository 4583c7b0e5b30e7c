"""The cache key: what is in it and what is not, as far as it is seen from outside, in reruns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from building import EXIT, Dag, Given, Importer, Leaf, Of, Status, Task
from parts import ECHO, FILE, NOTHING, READ
from stage import AGAIN, RUN, Stage

REUSED = "REUSE UNCHANGED"
Edit = Callable[[dict[str, Any]], Any]


def _container(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["deploymentSpec"]["executors"]["exec-a"]["container"]


def _component(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["components"]["comp-a"]


def _task(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["root"]["dag"]["tasks"]["a"]


def _set(holder: dict[str, Any], key: str, value: Any) -> None:
    holder[key] = value


IN_THE_KEY: dict[str, tuple[Edit, str]] = {
    "image": (lambda s: _set(_container(s), "image", "python:3.13"), "executor.image"),
    "command": (lambda s: _container(s)["command"].append("more"), "executor.command"),
    "args": (lambda s: _container(s)["args"].append("more"), "executor.args"),
    "env": (lambda s: _container(s)["env"].append({"name": "B", "value": "2"}), "executor.env"),
    "value": (lambda s: _set(_task(s)["inputs"]["parameters"], "x", _constant("2")), "inputs.parameters.x"),
    "declared output": (
        lambda s: _set(_component(s)["outputDefinitions"]["parameters"], "more", {"parameterType": "STRING"}),
        "outputs",
    ),
    "type of an output": (
        lambda s: _set(_component(s)["outputDefinitions"]["parameters"]["out"], "parameterType", "LIST"),
        "outputs",
    ),
    "cacheKey of the author": (lambda s: _set(_task(s)["cachingOptions"], "cacheKey", "mine"), "cache"),
}
NOT_IN_THE_KEY: dict[str, Edit] = {
    "display name": lambda s: _set(_task(s)["taskInfo"], "name", "shown otherwise"),
    "component name": lambda s: (
        _set(s["components"], "comp-other", s["components"].pop("comp-a")),
        _set(_task(s)["componentRef"], "name", "comp-other"),
    ),
    "executor label": lambda s: (
        _set(s["deploymentSpec"]["executors"], "other", s["deploymentSpec"]["executors"].pop("exec-a")),
        _set(_component(s), "executorLabel", "other"),
    ),
    "retry policy": lambda s: _set(_task(s), "retryPolicy", {"maxRetryCount": 5}),
    "resources": lambda s: _set(_container(s), "resources", {"cpuLimit": 1.0, "memoryLimit": 1.0}),
    "caching switch": lambda s: _set(_task(s)["cachingOptions"], "enableCache", True),
    "sdk version": lambda s: _set(s, "sdkVersion", "kfp-2.99"),
    "description of an input": lambda s: _set(
        _component(s)["inputDefinitions"]["parameters"]["x"], "description", "words"
    ),
    "pipeline name": lambda s: _set(s["pipelineInfo"], "name", "another"),
}


def _constant(value: Any) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}


def _one(stage: Stage) -> dict[str, Any]:
    body = replace(ECHO, env={"A": "1"}, script='printf "[]" > "$out"')
    return stage.spec({"a": Task(body, {"x": "1"})})


@pytest.mark.parametrize("what", IN_THE_KEY)
def test_a_change_of_what_decides_an_outcome_runs_the_task_and_names_the_field(
    stage: Stage, what: str
) -> None:
    original = stage.run(_one(stage))
    edit, field = IN_THE_KEY[what]
    changed = _one(stage)
    edit(changed)
    again = stage.rerun(original, spec=changed)
    assert again.verdicts["a"].startswith(f"EXECUTE KEY_CHANGED {field}"), again.verdicts
    assert again.ran == ["a"]


def test_what_decides_no_outcome_is_not_in_the_key(stage: Stage) -> None:
    last = stage.run(_one(stage))
    for what, edit in NOT_IN_THE_KEY.items():
        changed = _one(stage)
        edit(changed)
        last = stage.rerun(last, spec=changed)
        assert last.verdicts == {"a": REUSED} and last.ran == [], what


def test_command_and_args_are_kept_apart(stage: Stage) -> None:
    original = stage.run(_one(stage))
    moved = _one(stage)
    container = _container(moved)
    container["command"].append(container["args"].pop(0))
    assert stage.rerun(original, spec=moved).ran == ["a"]


def test_integers_are_exact_and_kinds_count_only_where_the_declared_type_says_so(stage: Stage) -> None:
    def spec(kind: str, value: Any) -> dict[str, Any]:
        return stage.spec({"a": Task(Leaf(inputs={"x": kind}), {"x": Given("x")})}, {"x": (kind, value)})

    integer = spec("NUMBER_INTEGER", 2**53 - 1)
    again = stage.rerun(stage.run(integer), parameters={"x": 2**53 - 2})
    assert again.ran == ["a"]
    for first, second in ((1, 1.0), (0.5, 0.5)):
        double = stage.run(spec("NUMBER_DOUBLE", first))
        assert stage.rerun(double, parameters={"x": second}).ran == []


def test_maps_are_equal_in_any_order_and_lists_are_not(stage: Stage) -> None:
    body = Leaf(inputs={"m": "STRUCT", "l": "LIST"})
    spec = stage.spec({"a": Task(body, {"m": Given("m"), "l": Given("l")})}, {"m": "STRUCT", "l": "LIST"})
    original = stage.run(spec, {"m": {"a": {"x": 1, "y": [1]}, "b": None}, "l": [1, 2]})
    same = stage.rerun(original, parameters={"m": {"b": None, "a": {"y": [1], "x": 1}}, "l": [1, 2]})
    assert same.ran == []
    other = stage.rerun(original, parameters={"m": {"a": {"x": 1, "y": [1]}, "b": None}, "l": [2, 1]})
    assert other.ran == ["a"] and other.verdicts["a"].endswith("inputs.parameters.l")


def test_the_uri_of_an_artifact_is_out_of_the_key_unless_the_command_names_it(stage: Stage) -> None:
    by_uri = Leaf(
        'printf %s "$1" > "$out"',
        outputs={"out": "STRING"},
        reads=("data",),
        extra_args=["{{$.inputs.artifacts['data'].uri}}"],
    )
    spec = stage.spec(
        {
            "a": Task(FILE, {"x": "1"}),
            "by-content": Task(READ, artifacts={"data": Of("a", "data")}),
            "by-uri": Task(by_uri, artifacts={"data": Of("a", "data")}),
        }
    )
    again = stage.rerun(stage.run(spec), {"a": RUN})
    assert again.ran == ["a", "by-uri"] and again.states["by-content"] == "SKIPPED"


def test_metadata_that_the_author_set_is_in_the_key(stage: Stage) -> None:
    (stage.folder / "imported").write_text("1")

    def spec(version: str) -> dict[str, Any]:
        importer = Importer(str(stage.folder / "imported"), metadata={"version": version})
        return stage.spec(
            {"import": Task(importer), "read": Task(READ, artifacts={"data": Of("import", "artifact")})}
        )

    again = stage.rerun(stage.run(spec("1")), spec=spec("2"))
    assert again.verdicts["import"].startswith("EXECUTE KEY_CHANGED")
    assert again.ran == ["read"], "same bytes, other metadata"


def test_the_uri_of_an_importer_is_in_its_key_and_equal_bytes_stop_the_wave(stage: Stage) -> None:
    for name in ("one", "two"):
        (stage.folder / name).write_text("same")

    def spec(name: str) -> dict[str, Any]:
        return stage.spec(
            {
                "import": Task(Importer(str(stage.folder / name))),
                "read": Task(READ, artifacts={"data": Of("import", "artifact")}),
            }
        )

    again = stage.rerun(stage.run(spec("one")), spec=spec("two"))
    assert again.verdicts["import"].startswith("EXECUTE KEY_CHANGED") and again.ran == []


IDENTITIES = [
    "{{$.pipeline_job_name}}",
    "{{$.pipeline_job_uuid}}",
    "{{$.pipeline_job_resource_name}}",
    "{{$.pipeline_task_uuid}}",
    "{{$.pipeline_root}}",
    "{{$.pipeline_job_create_time_utc}}",
]


def test_placeholders_for_the_runs_identity_stay_symbolic_in_arguments_and_in_input_values(
    stage: Stage,
) -> None:
    by_argument = Leaf('printf %s "$1" > "$out"', outputs={"out": "STRING"}, extra_args=IDENTITIES)
    spec = stage.spec(
        {
            "by-argument": Task(replace(by_argument, script='shift\nprintf %s "$1" > "$out"')),
            "by-value": Task(ECHO, {"x": IDENTITIES[0]}),
        }
    )
    original = stage.run(spec)
    assert original.outputs("by-value")["out"] == original.name.rpartition("/")[2]
    assert original.outputs("by-argument")["out"] == original.name.rpartition("/")[2]
    again = stage.rerun(original)
    assert set(again.verdicts.values()) == {REUSED} and again.ran == []
    assert again.outputs("by-value") == original.outputs("by-value"), "what stands is what was"


def test_an_entry_of_the_cross_run_cache_adds_the_values_of_such_placeholders(stage: Stage) -> None:
    spec = stage.spec(
        {
            "named": Task(replace(ECHO, says="named"), {"x": IDENTITIES[0]}, cache=True),
            "plain": Task(replace(ECHO, says="plain"), {"x": "1"}, cache=True),
        }
    )
    assert stage.run(spec).ran == ["named", "plain"]
    second = stage.run(spec)
    assert second.ran == ["named"], "it would give the name of another run"
    assert second.outputs("named")["out"] == second.name.rpartition("/")[2]


def test_the_authors_cache_key_replaces_the_inputs_and_the_code(stage: Stage) -> None:
    def spec(value: str, body: Leaf = ECHO) -> dict[str, Any]:
        return stage.spec({"a": Task(body, {"x": value}, cache=True, cache_key="fixed")})

    original = stage.run(spec("1"))
    again = stage.rerun(original, spec=spec("2", replace(ECHO, script=f"true\n{ECHO.script}")))
    assert again.verdicts == {"a": REUSED} and again.ran == []
    assert stage.run(spec("3")).ran == [], "the cache goes by it too"


def test_a_task_that_reads_a_final_status_keys_on_its_state_and_error(stage: Stage) -> None:
    flag = stage.folder / "broken"
    status = Leaf('test -n "$status"', {"status": "TASK_FINAL_STATUS"})
    work = Leaf(f"test ! -e {flag}")
    spec = stage.spec({"work": Task(work), "report": Task(status, {"status": Status("work")}, strategy=EXIT)})
    original = stage.run(spec)
    assert stage.rerun(original).ran == [], "an ordinary task: the name of the run is not in the key"
    flag.touch()
    failed = stage.rerun(original, {"work": RUN})
    assert failed.ran == ["report", "work"] and failed.state == "FAILED"


def test_the_order_of_a_list_of_artifacts_is_in_the_key_and_what_nobody_changed_is_not_run(
    stage: Stage,
) -> None:
    body = Dag(
        {"make": Task(replace(FILE, says="make $x"), {"x": Given("item")})},
        artifact_outputs={"data": Of("make", "data")},
    )
    spec = stage.spec({"each": Task(body, each=["a", "b"]), "end": Task(NOTHING, after=["each"])})
    original = stage.run(spec)
    assert stage.rerun(original, {"each[0].make": AGAIN}).ran == ["make a"]
