"""The components that the pipelines of these tests are made of. Small, so that what is tested is around them."""

# ruff: noqa: PTH123, UP006, UP035, UP045 (kfp reads the annotations as objects: List and Optional; open() is short)
# No `from __future__ import annotations` for the same reason.

from typing import Dict, List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output


@dsl.component(base_image="python:3.12")
def text(value: str) -> str:
    return value


@dsl.component(base_image="python:3.12")
def number(value: int) -> int:
    return value


@dsl.component(base_image="python:3.12")
def real(value: float) -> float:
    return value


@dsl.component(base_image="python:3.12")
def flag(value: bool) -> bool:
    return value


@dsl.component(base_image="python:3.12")
def listing(value: list) -> list:
    return value


@dsl.component(base_image="python:3.12")
def mapping(value: dict) -> dict:
    return value


@dsl.component(base_image="python:3.12")
def kinds(value: list) -> str:
    """The Python types that arrive, so that 1 and 1.0 can be told apart."""
    return ",".join(type(one).__name__ for one in value)


@dsl.component(base_image="python:3.12")
def show(value: str = "nothing", count: Optional[int] = None, extra: Optional[Dict[str, int]] = None) -> str:
    return repr((value, count, extra))


@dsl.component(base_image="python:3.12")
def told(value: str = "nothing") -> str:
    return value


@dsl.component(base_image="python:3.12")
def total(numbers: List[int]) -> int:
    return sum(numbers)


@dsl.component(base_image="python:3.12")
def joined(texts: List[str]) -> str:
    return "|".join(texts)


@dsl.component(base_image="python:3.12")
def several() -> NamedTuple("Several", [("name", str), ("count", int), ("tags", list), ("facts", dict)]):
    from collections import namedtuple

    return namedtuple("Several", ["name", "count", "tags", "facts"])(
        "n", 3, ["x", 1], {"deep": {"k": [1, 2.5]}}
    )


@dsl.component(base_image="python:3.12")
def fail(message: str) -> str:
    raise SystemExit(message)


@dsl.component(base_image="python:3.12")
def fail_at_first(ledger: str, times: int) -> int:
    """Fails so many times, counted in a file."""
    with open(ledger, "a+") as file:
        file.seek(0)
        tried = len(file.read()) + 1
        file.write("x")
    if tried <= times:
        raise SystemExit(f"attempt {tried}")
    return tried


@dsl.component(base_image="python:3.12")
def note(ledger: str, line: str) -> str:
    with open(ledger, "a") as file:
        file.write(line + "\n")
    return line


@dsl.component(base_image="python:3.12")
def status_of(status: dsl.PipelineTaskFinalStatus) -> str:
    return f"{status.state} {status.pipeline_task_name} {bool(status.error_message)}"


@dsl.component(base_image="python:3.12")
def write(content: str, data: Output[Dataset]):
    with open(data.path, "w") as file:
        file.write(content)
    data.metadata["length"] = len(content)


@dsl.component(base_image="python:3.12")
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@dsl.component(base_image="python:3.12")
def read_if_there(data: Optional[Input[Dataset]] = None) -> str:
    if data is None:
        return "none"
    with open(data.path) as file:
        return file.read()


@dsl.component(base_image="python:3.12")
def read_all(data: Input[List[Dataset]]) -> str:
    return "|".join(open(one.path).read() for one in data)


@dsl.component(base_image="python:3.12")
def facts_of(data: Input[Artifact]) -> str:
    import json

    return json.dumps([type(data).__name__, data.schema_title, data.metadata], sort_keys=True)
