"""Values on their way through pipelines: every kind, nested, quoted, absent and defaulted."""

# ruff: noqa: E402, UP006, UP035 (kfp reads the annotations as objects: List)

from pathlib import Path
from typing import List

import pytest

dsl = pytest.importorskip("kfp.dsl", reason="kfp is needed to compile pipelines")

from . import parts
from .conftest import Run

AWKWARD = 'it\'s "quoted" $HOME `id` {{x}} \\n \u00e9\u4e2d\U0001f600\nsecond\tline {"a": 1} %s'


def test_awkward_text_arrives_as_it_was_given(run: Run) -> None:
    @dsl.pipeline
    def awkward(given: str) -> str:
        first = parts.text(value=given)
        return parts.text(value=first.output).output

    assert run(awkward, {"given": AWKWARD}).outputs == {"Output": AWKWARD}


def test_awkward_constants_and_format_strings_arrive_as_they_were_written(run: Run) -> None:
    @dsl.pipeline
    def constants(name: str = "n") -> str:
        whole = parts.number(value=3)
        return parts.text(value=f'<{name}> 100% {{literal}} [{whole.output}] it\'s "so"').output

    assert run(constants).outputs == {"Output": '<n> 100% {literal} [3] it\'s "so"'}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", 0),
        ("number", -7),
        ("number", 2**53 - 1),
        ("real", 0.1),
        ("real", 3.0),
        ("real", -1.5e-300),
        ("flag", True),
        ("flag", False),
        ("listing", []),
        ("listing", [1, 2.5, "x", None, True, [], {"k": [{}]}]),
        ("mapping", {}),
        ("mapping", {"a": {"b": [1, {"c": None}]}, "é": "ü", "": 0}),
        ("text", ""),
        ("text", " \n "),
    ],
)
def test_a_value_of_each_kind_goes_round_unchanged(run: Run, kind: str, value: object) -> None:
    part = getattr(parts, kind)
    annotation = {"number": int, "real": float, "flag": bool, "listing": list, "mapping": dict, "text": str}[
        kind
    ]

    def around(given):  # type: ignore[no-untyped-def]
        first = part(value=given)
        return part(value=first.output).output

    around.__annotations__ = {"given": annotation, "return": annotation}
    assert run(dsl.pipeline(around), {"given": value}).outputs == {"Output": value}


def test_whole_numbers_inside_lists_stay_whole(run: Run) -> None:
    @dsl.pipeline
    def types() -> str:
        return parts.kinds(value=[1, 2.5, "1", True, [1], {"a": 1}]).output

    assert run(types).outputs == {"Output": "int,float,str,bool,list,dict"}


def test_defaults_apply_where_nothing_is_given_at_every_level(run: Run) -> None:
    @dsl.pipeline
    def inner(value: str = "inner default", count: int = None) -> str:  # noqa: RUF013
        return parts.show(value=value, count=count).output

    @dsl.pipeline
    def outer(value: str = "outer default") -> str:
        nothing = inner()
        something = inner(value=value, count=5)
        return parts.joined(texts=[nothing.output, something.output]).output

    assert run(outer).outputs == {"Output": "('inner default', None, None)|('outer default', 5, None)"}
    assert run(outer, {"value": "x"}).outputs["Output"].endswith("('x', 5, None)")


def test_several_outputs_of_one_task_are_told_apart(run: Run) -> None:
    @dsl.pipeline
    def taken_apart() -> str:
        made = parts.several()
        parts.mapping(value=made.outputs["facts"])
        counted = parts.number(value=made.outputs["count"])
        return parts.text(value=f"{made.outputs['name']} {counted.output} {made.outputs['tags']}").output

    ended = run(taken_apart)
    assert ended.output("mapping") == {"deep": {"k": [1, 2.5]}}
    assert ended.outputs == {"Output": 'n 3 ["x",1]'}


def test_constants_of_lists_and_maps_may_hold_outputs(run: Run) -> None:
    @dsl.pipeline
    def mixed(name: str = "é\"q'") -> list:
        made = parts.number(value=4)
        return parts.listing(value=[name, made.output, {"k": made.output, "n": [name]}]).output

    assert run(mixed).outputs == {"Output": ["é\"q'", 4, {"k": 4, "n": ["é\"q'"]}]}


def test_placeholders_of_the_run_are_resolved_in_inputs_and_environment(run: Run) -> None:
    @dsl.component(base_image="python:3.12")
    def environment() -> str:
        import os

        return os.environ["WHO"] + " " + os.environ["PLAIN"]

    @dsl.pipeline
    def placed() -> str:
        told = parts.text(value=f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}/{dsl.PIPELINE_TASK_NAME_PLACEHOLDER}")
        read = environment()
        read.set_env_variable("WHO", "it's $me")
        read.set_env_variable("PLAIN", "")
        return parts.text(value=f"{told.output} {read.output}").output

    ended = run(placed)
    job_id = ended.job.name.rpartition("/")[2]
    assert ended.outputs == {"Output": f"{job_id}/text it's $me "}


def test_a_container_command_of_nested_concatenations_and_conditions(run: Run, tmp_path: Path) -> None:
    @dsl.container_component
    def command(out: dsl.OutputPath(str), given: str, maybe: str = None, number: int = 7):  # type: ignore[valid-type]  # noqa: RUF013
        return dsl.ContainerSpec(
            image="alpine",
            command=["sh", "-c", 'mkdir -p "$(dirname "$0")"; printf "%s;" "$@" > "$0"', out],
            args=[
                dsl.ConcatPlaceholder(
                    ["--given=", given, dsl.IfPresentPlaceholder("maybe", then="+", else_="-")]
                ),
                dsl.IfPresentPlaceholder(
                    "maybe", then=["--maybe", maybe, dsl.ConcatPlaceholder(["<", maybe, ">"])]
                ),
                dsl.IfPresentPlaceholder("maybe", then="there", else_=["not", "there"]),
                f"n={number}",
            ],
        )

    @dsl.pipeline
    def both(given: str = "a b"):  # type: ignore[no-untyped-def]
        command(given=given)
        command(given=given, maybe="it's", number=8)

    ended = run(both)
    assert ended.output("command", "out") == "--given=a b-;not;there;n=7;"
    assert ended.output("command-2", "out") == "--given=a b+;--maybe;it's;<it's>;there;n=8;"


def test_lists_from_upstream_are_summed_and_joined(run: Run) -> None:
    @dsl.pipeline
    def summed(numbers: List[int] = [1, 2, 3]) -> int:  # noqa: B006
        one = parts.number(value=10)
        return parts.total(numbers=[one.output, 5, one.output]).output

    assert run(summed).outputs == {"Output": 25}
