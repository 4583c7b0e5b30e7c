"""Small cases that random comparison found, each under the sentence of the guide that it was about."""

from __future__ import annotations

from typing import Any

import pytest
from cases import Step, compare_case, compare_steps
from generate import ALL, Constructs
from past import Config

_TEXT = {"parameterType": "STRING"}


def leaf(*upstream: str, reads: str = "") -> dict[str, Any]:
    """A task after others; it reads the output `o` of one of them."""
    task: dict[str, Any] = {
        "component": "leaf-reading" if reads else "leaf",
        "dependentTasks": sorted(upstream),
    }
    if reads:
        binding = {"taskOutputParameter": {"producerTask": reads, "outputParameterKey": "o"}}
        task["inputs"] = {"parameters": {"x": binding}}
        task["dependentTasks"] = sorted({*upstream, reads})
    return task


def composite(name: str, *upstream: str, **more: Any) -> dict[str, Any]:
    return {"component": name, "dependentTasks": sorted(upstream), **more}


def spec_of(tasks: dict[str, Any], components: dict[str, Any] | None = None) -> dict[str, Any]:
    """A specification with one run parameter `p`. Leaves are of the components leaf and leaf-reading."""
    executors = {}
    known: dict[str, Any] = {}
    for name in ("leaf", "leaf-reading"):
        outputs = {"parameters": {"o": {"parameterType": "NUMBER_INTEGER"}}}
        known[name] = {"executorLabel": "exec-" + name, "outputDefinitions": outputs}
        container = {"image": "i", "command": ["run"], "args": [f"--code={name}"]}
        executors["exec-" + name] = {"container": container}
    known["leaf-reading"]["inputDefinitions"] = {"parameters": {"x": {"parameterType": "NUMBER_INTEGER"}}}
    for name, component in (components or {}).items():
        known[name] = {**component, "dag": {**component["dag"], "tasks": _named(component["dag"]["tasks"])}}
    return {
        "pipelineInfo": {"name": "case"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {"executors": executors},
        "components": known,
        "root": {"inputDefinitions": {"parameters": {"p": _TEXT}}, "dag": {"tasks": _named(tasks)}},
    }


def _named(tasks: dict[str, Any]) -> dict[str, Any]:
    named = {}
    for name, task in tasks.items():
        more = {key: value for key, value in task.items() if key != "component"}
        named[name] = {"taskInfo": {"name": name}, "componentRef": {"name": task["component"]}, **more}
    return named


def agree(*steps: Step) -> None:
    steps[0].given = {"p": "a"}
    found = compare_steps(list(steps), Constructs())
    assert found is None, str(found)


_ON_P = {
    "inputs": {"parameters": {"c": {"componentInputParameter": "p"}}},
    "triggerPolicy": {"condition": "inputs.parameter_values['c'] == 'b'"},
}
_CONDITION = {"dag": {"tasks": {"x": leaf()}}, "inputDefinitions": {"parameters": {"c": _TEXT}}}
_EXPORT = {"parameters": {"e": {"valueFromParameter": {"producerSubtask": "x", "outputParameterKey": "o"}}}}


def test_skip_downstream_in_a_sub_dag_leaves_out_what_reads_the_output_of_the_sub_dag() -> None:
    inner = {
        "dag": {"tasks": {"x": leaf()}, "outputs": _EXPORT},
        "outputDefinitions": {"parameters": {"e": {"parameterType": "NUMBER_INTEGER"}}},
    }
    spec = spec_of({"d": composite("inner")}, {"inner": inner})
    agree(
        Step(spec, failure_rate=1.0),
        Step(spec, configs=[Config("d.x", skip_task=True, skip_downstream=True)]),
    )


def test_what_is_downstream_of_a_skipped_task_is_not_triggered_if_its_condition_is_false() -> None:
    spec = spec_of({"a": leaf(), "c": composite("condition", "a", **_ON_P)}, {"condition": _CONDITION})
    agree(
        Step(spec, failure_rate=1.0),
        Step(spec, configs=[Config("a", skip_task=True, skip_downstream=True)]),
    )


def test_what_is_downstream_of_a_skipped_task_waits_for_its_own_condition() -> None:
    number = {"parameterType": "NUMBER_INTEGER"}
    condition = {"dag": {"tasks": {"x": leaf()}}, "inputDefinitions": {"parameters": {"c": number}}}
    on_b = {
        "inputs": {
            "parameters": {"c": {"taskOutputParameter": {"producerTask": "b", "outputParameterKey": "o"}}}
        },
        "triggerPolicy": {"condition": "int(inputs.parameter_values['c']) == 1"},
    }
    spec = spec_of(
        {"a": leaf(), "b": leaf(), "c": composite("condition", "a", "b", **on_b)}, {"condition": condition}
    )
    agree(Step(spec), Step(spec, configs=[Config("a", skip_downstream=True), Config("b")]))


def test_an_empty_loop_after_a_task_that_will_run_waits_for_it() -> None:
    loop = {"parameterIterator": {"itemInput": "item", "items": {"raw": "[]"}}}
    body = {"dag": {"tasks": {"x": leaf()}}, "inputDefinitions": {"parameters": {"item": _TEXT}}}
    spec = spec_of({"a": leaf(), "l": composite("body", "a", **loop), "z": leaf("l")}, {"body": body})
    agree(Step(spec), Step(spec, configs=[Config("a")]))


def test_a_sub_dag_whose_children_are_not_triggered_is_itself_not_so() -> None:
    inner = {
        "dag": {"tasks": {"c": composite("condition", **_ON_P)}},
        "inputDefinitions": {"parameters": {"p": _TEXT}},
    }
    bound = {"inputs": {"parameters": {"p": {"componentInputParameter": "p"}}}}
    spec = spec_of(
        {"a": leaf(), "d": composite("inner", "a", **bound)}, {"inner": inner, "condition": _CONDITION}
    )
    agree(Step(spec), Step(spec, configs=[Config("a")]))


def test_a_task_that_was_never_started_and_is_named_with_empty_inputs_executes() -> None:
    spec = spec_of({"a": leaf(), "b": leaf(reads="a")})
    agree(
        Step(spec),
        Step(spec, configs=[Config("a")], failure_rate=1.0),
        Step(spec, configs=[Config("b", inputs={})]),
    )


def test_a_task_that_is_named_needs_its_producer_that_stays_left_out() -> None:
    spec = spec_of({"a": leaf(), "b": leaf(reads="a")})
    agree(
        Step(spec, failure_rate=1.0),
        Step(spec, configs=[Config("a", skip_task=True, skip_downstream=True)]),
        Step(spec, configs=[Config("b", inputs={})]),
    )


def test_a_task_that_is_named_in_a_left_out_dag_needs_its_producer_there() -> None:
    inner = {"dag": {"tasks": {"a": leaf(), "b": leaf(reads="a")}}}
    spec = spec_of({"d": composite("inner")}, {"inner": inner})
    agree(
        Step(spec, failure_rate=1.0),
        Step(spec, configs=[Config("d", skip_task=True)]),
        Step(spec, configs=[Config("d.b", inputs={})]),
    )


def test_a_task_that_was_cancelled_while_it_ran_executes_again_and_takes_no_older_outcome() -> None:
    spec = spec_of({"a": leaf(), "b": leaf(reads="a")})
    agree(Step(spec), Step(spec, configs=[Config("a")], cancel_after=0), Step(spec))


def test_an_outcome_two_ancestors_back_stands_for_a_task_that_was_never_started() -> None:
    spec = spec_of({"a": leaf(), "b": leaf(reads="a"), "c": leaf(reads="b")})
    agree(
        Step(spec),
        Step(spec, configs=[Config("a")], failure_rate=1.0),
        Step(spec, failure_rate=1.0),
        Step(spec),
    )


def when(condition: str, *upstream: str, **inputs: Any) -> dict[str, Any]:
    """A task of the component `inner` under a condition on its input x."""
    bound = {
        name: {"taskOutputParameter": {"producerTask": source, "outputParameterKey": "o"}}
        if isinstance(source, str)
        else {"runtimeValue": {"constant": source}}
        for name, source in inputs.items()
    }
    policy = {"condition": f"int(inputs.parameter_values['x']) {condition}"}
    producers = [source for source in inputs.values() if isinstance(source, str)]
    return composite("inner", *upstream, *producers, inputs={"parameters": bound}, triggerPolicy=policy)


def under_conditions(tasks: dict[str, Any]) -> dict[str, Any]:
    """A specification in which `inner` holds one task, which reads the input y where that is given."""
    reading = leaf()
    reading["component"] = "leaf-reading"
    reading["inputs"] = {"parameters": {"x": {"componentInputParameter": "y"}}}
    number = {"parameterType": "NUMBER_INTEGER"}
    inner = {"inputDefinitions": {"parameters": {"x": number, "y": number}}, "dag": {"tasks": {"t": reading}}}
    return spec_of(tasks, {"inner": inner})


def test_what_is_left_out_if_its_condition_is_true_needs_nothing_of_a_task_that_is_left_out() -> None:
    spec = under_conditions({"a": leaf(), "b": leaf(), "c": when("!= 7", x="a", y="b")})
    both = [Config("b", skip_task=True), Config("c", skip_task=True)]
    agree(Step(spec, failure_rate=1.0), Step(spec, configs=both))


def test_what_is_left_out_if_its_condition_is_true_is_in_doubt_also_after_a_task_that_is_not_triggered() -> (
    None
):
    never = when("== 9", x=1, y=1)
    spec = under_conditions({"a": leaf(), "n": never, "c": when("!= 7", "n", x="a", y=1)})
    agree(Step(spec, failure_rate=1.0), Step(spec, configs=[Config("c", skip_task=True)]))


def test_nothing_inside_a_dag_that_may_be_left_out_is_asked_for_its_condition() -> None:
    number = {"parameterType": "NUMBER_INTEGER"}
    outer = {
        "inputDefinitions": {"parameters": {"x": number}},
        "dag": {"tasks": {"n": when("== 9", x=1, y=1), "after": leaf("n")}},
    }
    spec = under_conditions({"a": leaf()})
    more = spec_of({"a": leaf(), "o": {**when("!= 7", x="a"), "component": "outer"}}, {"outer": outer})
    more["components"]["inner"] = spec["components"]["inner"]
    agree(Step(more, failure_rate=1.0), Step(more, configs=[Config("o", skip_task=True)]))


def test_up_to_here_means_nothing_where_here_is_gone() -> None:
    old = {"dag": {"tasks": {"a": leaf(), "b": leaf("a")}}}
    new = {"dag": {"tasks": {"a": leaf()}}}
    after = {"d": composite("inner"), "t": leaf("d")}
    agree(
        Step(spec_of(after, {"inner": old})),
        Step(spec_of(after, {"inner": new}), configs=[Config("d.b", skip_task=True, skip_downstream=True)]),
    )


_LOOP = {"parameterIterator": {"itemInput": "item", "items": {"raw": "[1]"}}}
_LIST = {"parameterType": "LIST"}


def collecting(is_optional: bool, is_in_dag: bool) -> dict[str, Any]:
    """A task that reads the list which a loop of one item collects, out of a sub-DAG where `is_in_dag`."""
    outputs = {"outputDefinitions": {"parameters": {"e": _LIST}}}
    item = {"inputDefinitions": {"parameters": {"item": {"parameterType": "NUMBER_INTEGER"}}}}
    components = {"body": {"dag": {"tasks": {"x": leaf()}, "outputs": _EXPORT}, **item, **outputs}}
    if is_in_dag:
        export = {"valueFromParameter": {"producerSubtask": "l", "outputParameterKey": "e"}}
        tasks = {"l": composite("body", **_LOOP)}
        components["holder"] = {"dag": {"tasks": tasks, "outputs": {"parameters": {"e": export}}}, **outputs}
    producer = composite("holder") if is_in_dag else composite("body", **_LOOP)
    reader = leaf("d")
    reader["component"] = "reader"
    bound = {"taskOutputParameter": {"producerTask": "d", "outputParameterKey": "e"}}
    reader["inputs"] = {"parameters": {"x": bound}}
    spec = spec_of({"d": producer, "r": reader}, components)
    declared = {**_LIST, "isOptional": True} if is_optional else _LIST
    known = spec["components"]
    known["reader"] = {**known["leaf-reading"], "inputDefinitions": {"parameters": {"x": declared}}}
    return spec


def test_a_list_from_which_every_iteration_was_skipped_is_empty_also_where_a_sub_dag_hands_it_on() -> None:
    spec = collecting(is_optional=False, is_in_dag=True)
    agree(Step(spec, failure_rate=1.0), Step(spec, configs=[Config("d.l[0]", skip_task=True)]))


def test_a_loop_that_stays_left_out_has_no_list_and_what_ran_without_one_is_reused() -> None:
    spec = collecting(is_optional=True, is_in_dag=False)
    agree(Step(spec, failure_rate=1.0), Step(spec, configs=[Config("d", skip_task=True)]), Step(spec))


@pytest.mark.parametrize(
    "seed", [4561, 12463, 13030, 15120, 20871, 34316, 37110, 59188, 91961, 110063, 156468, 195652, 230924]
)
def test_seeds_that_found_something_find_nothing_any_more(seed: int) -> None:
    _, found = compare_case(seed, ALL)
    assert found is None, str(found)
