"""Large DAGs for the benchmarks: as the Struct of a compiled spec, and as the records that a finished run of it left.

Written byte by byte, because building a million tasks from protobuf objects takes minutes. `python bench/dags.py` holds
it against the real thing: the Struct is what `json_format` makes of the same spec, and the planner finds the keys
unchanged.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
import random
import re
import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from google.protobuf import json_format, struct_pb2
from reprise import plan as planner
from reprise.pb.engine.v1 import engine_pb2 as engine

RUN_NAME = "projects/bench/locations/local/pipelineJobs/original"
RUN_ID = 7
IMAGE = "python:3.11"
ARGS = ["--executor_input", "{{$}}", "--function_to_execute", "step"]
SOURCE = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n" + "\n".join(
    ["def step(**inputs) -> int:"]
    + [f"    line_{line} = sum(inputs.values()) * {line}" for line in range(12)]
)
COMMAND = ["sh", "-ec", 'printf "%s" "$0" > main.py && python3 -m kfp.dsl.executor_main "$@"', SOURCE]
INPUTS = ("a", "b", "c")
_START_NS = 1_790_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Dag:
    """`numbers` make the names of the tasks, `upstream` holds indices of them; `order` lists all tasks in the order of
    their ids, of which the first is 1.
    """

    shape: str
    numbers: Sequence[int]
    upstream: Sequence[tuple[int, ...]]
    order: Sequence[int]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def names(self) -> list[str]:
        return [f"step-{number:07}" for number in self.numbers]

    def leaf(self) -> int:
        """A task that nothing depends on."""
        needed = {before for upstream in self.upstream for before in upstream}
        return next(task for task in reversed(range(len(self))) if task not in needed)

    def downstream_of(self, changed: Collection[int]) -> set[int]:
        """All that comes after one of `changed`, without themselves."""
        reached = set(changed)
        for task in self.order:
            if any(before in reached for before in self.upstream[task]):
                reached.add(task)
        return reached - set(changed)


def _flat(_tasks: int, _dice: random.Random) -> Callable[[int], tuple[int, ...]]:
    return lambda _task: ()


def _layered(tasks: int, dice: random.Random) -> Callable[[int], tuple[int, ...]]:
    width = max(1, tasks // 100)

    def upstream(task: int) -> tuple[int, ...]:
        first = task // width * width
        if first == 0:
            return ()
        return tuple(sorted({first - width + int(dice.random() * width) for _ in range(3)}))

    return upstream


def _block(_tasks: int, dice: random.Random) -> Callable[[int], tuple[int, ...]]:
    def upstream(task: int) -> tuple[int, ...]:
        inside = task % 100
        if inside == 0:
            return ()
        return tuple(sorted({task - inside + int(dice.random() * inside) for _ in range(3)}))

    return upstream


def _chain(_tasks: int, _dice: random.Random) -> Callable[[int], tuple[int, ...]]:
    return lambda task: (task - 1,) if task else ()


def _fan(_tasks: int, _dice: random.Random) -> Callable[[int], tuple[int, ...]]:
    return lambda task: (0,) if task else ()


SHAPES = {
    "flat": _flat,
    "layered": _layered,
    "block": _block,
    "shuffled": _layered,
    "chain": _chain,
    "fan": _fan,
}


def make(shape: str, tasks: int, seed: int = 1) -> Dag:
    """flat: nothing depends on anything. layered: 100 layers, each task on three of the layer before. block: blocks of
    100, each task on three of its block. shuffled: layered, in the order of nothing. chain, fan: as they say.
    """
    dice = random.Random(seed)
    upstream_of = SHAPES[shape](tasks, dice)
    upstream = [upstream_of(task) for task in range(tasks)]
    numbers = list(range(tasks))
    if shape == "shuffled":
        dice.shuffle(numbers)
    order: Sequence[int] = range(tasks) if shape != "shuffled" else _ids(numbers, upstream)
    return Dag(shape, numbers, upstream, order)


def _ids(rank: Sequence[int], upstream: Sequence[tuple[int, ...]]) -> list[int]:
    """Depth first in the order of the names, what a task needs before itself: the order of ids."""
    by_name = sorted(range(len(rank)), key=rank.__getitem__)
    order: list[int] = []
    seen = bytearray(len(rank))
    for start in by_name:
        if seen[start]:
            continue
        seen[start] = 1
        stack = [(start, iter(sorted(upstream[start], key=rank.__getitem__)))]
        while stack:
            task, needed = stack[-1]
            for before in needed:
                if not seen[before]:
                    seen[before] = 1
                    stack.append((before, iter(sorted(upstream[before], key=rank.__getitem__))))
                    break
            else:
                stack.pop()
                order.append(task)
    return order


def spec(
    dag: Dag, *, changed: Collection[int] = (), is_component_each: bool = False, has_artifacts: bool = False
) -> bytes:
    """The Struct of the compiled spec. `changed`: these tasks get another rate. `is_component_each`: a component and an
    executor for every task, as the KFP compiler writes them, instead of one for each number of inputs.
    """
    changed = frozenset(changed)
    patterns = {
        (count, is_changed): _pattern(_task(count, is_changed, is_component_each, has_artifacts))
        for count in range(len(INPUTS) + 1)
        for is_changed in (False, True)
    }
    numbers = dag.numbers
    tasks = []
    for task in _written_order(dag):
        upstream = dag.upstream[task]
        pattern, named = patterns[len(upstream), task in changed]
        tasks.append(pattern % named((numbers[task], *[numbers[before] for before in upstream])))
    uses = (
        [(name, len(upstream)) for name, upstream in zip(dag.names, dag.upstream, strict=True)]
        if is_component_each
        else [(f"step-{count}", count) for count in range(len(INPUTS) + 1)]
    )
    declared = {count: _component(count, has_artifacts) for count in range(len(INPUTS) + 1)}
    executor = _executor()
    components = [
        _member(
            f"comp-{label}", _field(5, declared[count] + _member("executorLabel", _text(f"exec-{label}")))
        )
        for label, count in uses
    ]
    executors = [_member(f"exec-{label}", executor) for label, _ in uses]
    return b"".join(
        [
            _member("components", _field(5, b"".join(components))),
            _member("deploymentSpec", _object(("executors", _field(5, b"".join(executors))))),
            _member("pipelineInfo", _object(("name", _text("bench")))),
            _member("root", _object(("dag", _object(("tasks", _field(5, b"".join(tasks))))))),
            _member("schemaVersion", _text("2.1.0")),
            _member("sdkVersion", _text("kfp-2.17.0")),
        ]
    )


def _written_order(dag: Dag) -> Sequence[int]:
    """The order in which the tasks stand in the spec."""
    order = range(len(dag))
    return random.Random(2).sample(order, len(dag)) if dag.shape == "shuffled" else order


def with_changed(spec: bytes, dag: Dag, changed: Collection[int]) -> bytes:
    """What `spec` makes where these tasks are changed, from what it made where none is."""
    changed = frozenset(changed)
    rate, other = (_number(_rate(is_changed)) for is_changed in (False, True))
    written = bytearray(spec)
    at = 0
    for task in _written_order(dag):
        at = written.index(rate, at) + len(rate)
        if task in changed:
            written[at - len(rate) : at] = other
    return bytes(written)


def records(dag: Dag, *, failed: Collection[int] = (), has_artifacts: bool = False) -> bytes:
    """The TaskRecords of a run in which all but `failed` succeeded."""
    failed = frozenset(failed)
    ids = [b""] * len(dag)
    for place, task in enumerate(dag.order):
        ids[task] = _varint(place + 1)
    preimages = [_pattern(_preimage(count, has_artifacts)) for count in range(len(INPUTS) + 1)]
    beginnings = {
        (count, is_failed): _pattern(_record(count, is_failed, has_artifacts))
        for count in range(len(INPUTS) + 1)
        for is_failed in (False, True)
    }
    endings = {is_failed: _pattern_of_times(is_failed) for is_failed in (False, True)}
    components = [_key(22, f"comp-step-{count}".encode()) for count in range(len(INPUTS) + 1)]
    numbers = dag.numbers
    chunks = []
    for place, task in enumerate(dag.order):
        upstream, is_failed = dag.upstream[task], task in failed
        own = (numbers[task], *[numbers[before] for before in upstream])
        pattern, named = preimages[len(upstream)]
        preimage = pattern % named(own)
        pattern, named = beginnings[len(upstream), is_failed]
        began = _varint(_START_NS + place * 1_000_000)
        body = b"".join(
            (
                b"\x08",
                ids[task],
                pattern % named(own),
                b"\x72\x20",
                hashlib.sha256(preimage).digest(),
                _field(15, preimage),
                components[len(upstream)],
                _key(24, b"".join([ids[before] for before in upstream])) if upstream else b"",
                endings[is_failed].replace(b"_________", began),
                b"\xa8\x02",
                ids[task],
            )
        )
        chunks.append(_field(1, body))
    return b"".join(chunks)


def request(spec: bytes, original_spec: bytes = b"", records: bytes = b"") -> engine.RunRequest:
    """A rerun of the run that left `records`; without records a first run."""
    wanted = engine.RunRequest(spec=spec)
    wanted.settings.run_id = 8
    wanted.settings.job_id = "rerun"
    wanted.settings.pipeline_root = "/tmp/artifacts"
    if records:
        wanted.original.run_id = RUN_ID
        wanted.original.resource_name = RUN_NAME
        wanted.original.spec = original_spec
        wanted.original.records = records
    return wanted


def spec_as_json(
    dag: Dag, *, changed: Collection[int] = (), is_component_each: bool = False, has_artifacts: bool = False
) -> dict[str, object]:
    """The same spec as a compiler would write it, for comparison."""
    kind = "Artifact" if has_artifacts else "Parameter"
    key = "model" if has_artifacts else "Output"

    def task(index: int) -> dict[str, object]:
        name, upstream = dag.names[index], dag.upstream[index]
        constants = {"label": _label(name), "rate": _rate(index in changed)}
        own = {input_: {"runtimeValue": {"constant": value}} for input_, value in constants.items()}
        bound = {
            input_: {f"taskOutput{kind}": {f"output{kind}Key": key, "producerTask": dag.names[before]}}
            for input_, before in zip(INPUTS, upstream, strict=False)
        }
        inputs: dict[str, object] = {"parameters": own if has_artifacts else own | bound}
        if has_artifacts and bound:
            inputs["artifacts"] = bound
        body: dict[str, object] = {
            "cachingOptions": {"enableCache": True},
            "componentRef": {"name": f"comp-{name}" if is_component_each else f"comp-step-{len(upstream)}"},
            "inputs": inputs,
            "taskInfo": {"name": name},
        }
        return body | ({"dependentTasks": [dag.names[before] for before in upstream]} if upstream else {})

    def component(label: str, count: int) -> dict[str, object]:
        types = {"label": "STRING", "rate": "NUMBER_DOUBLE"}
        model = {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}}
        inputs: dict[str, object] = {}
        if has_artifacts:
            inputs["artifacts"] = dict.fromkeys(INPUTS[:count], model)
        else:
            types |= dict.fromkeys(INPUTS[:count], "NUMBER_INTEGER")
        inputs["parameters"] = {name: {"parameterType": kind} for name, kind in types.items()}
        outputs = (
            {"artifacts": {"model": model}}
            if has_artifacts
            else {"parameters": {"Output": {"parameterType": "NUMBER_INTEGER"}}}
        )
        return {
            "executorLabel": f"exec-{label}",
            "inputDefinitions": inputs,
            "outputDefinitions": outputs,
        }

    uses = (
        [(name, len(upstream)) for name, upstream in zip(dag.names, dag.upstream, strict=True)]
        if is_component_each
        else [(f"step-{n}", n) for n in range(4)]
    )
    container = {"container": {"image": IMAGE, "command": COMMAND, "args": ARGS}}
    return {
        "components": {f"comp-{label}": component(label, count) for label, count in uses},
        "deploymentSpec": {"executors": {f"exec-{label}": container for label, _ in uses}},
        "pipelineInfo": {"name": "bench"},
        "root": {"dag": {"tasks": {name: task(index) for index, name in enumerate(dag.names)}}},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
    }


def _label(name: str) -> str:
    return f"batch {name} of the nightly run"


def _rate(is_changed: bool) -> float:
    return 0.2 if is_changed else 0.1


def _mark(place: int) -> str:
    """Stands for the number of a task while a pattern is made: 0 the task itself, from 1 on what it depends on."""
    return f"#####{place}#"


def _pattern(marked: bytes) -> tuple[bytes, Callable[[tuple[int, ...]], object]]:
    """For `%`, and what puts the tasks' numbers in their places. Numbers are as long as marks, so lengths stay true."""
    places = [int(found) for found in re.findall(rb"#####(\d)#", marked)]
    return re.sub(rb"#####\d#", b"%07d", marked.replace(b"%", b"%%")), operator.itemgetter(*places)


def _pattern_of_times(is_failed: bool) -> bytes:
    """The end of a record; a time, nine bytes as a varint, goes in the place of nine underscores."""
    time = b"_" * 9
    history = b"".join(
        _key(34, b"\x08" + time + b"\x10" + bytes([state])) for state in (1, 2, 7 if is_failed else 3)
    )
    times = b"\xf0\x01" + time + b"\xf8\x01" + time + b"\x80\x02" + time
    return times + b"\x88\x02\x01" + history + _key(36, IMAGE.encode())


def _task(count: int, is_changed: bool, is_component_each: bool, has_artifacts: bool) -> bytes:
    """An entry of `dag.tasks`, with marks for numbers."""
    name, before = f"step-{_mark(0)}", [f"step-{_mark(place)}" for place in range(1, count + 1)]
    kind, key = ("Artifact", "model") if has_artifacts else ("Parameter", "Output")
    bound = [
        (
            input_,
            _object(
                (
                    f"taskOutput{kind}",
                    _object((f"output{kind}Key", _text(key)), ("producerTask", _text(producer))),
                )
            ),
        )
        for input_, producer in zip(INPUTS, before, strict=False)
    ]
    own = [("label", _constant(_text(_label(name)))), ("rate", _constant(_number(_rate(is_changed))))]
    inputs = [("parameters", _object(*own, *(() if has_artifacts else bound)))]
    if has_artifacts and bound:
        inputs.append(("artifacts", _object(*bound)))
    members = [
        ("cachingOptions", _object(("enableCache", b"\x20\x01"))),
        (
            "componentRef",
            _object(("name", _text(f"comp-{name}" if is_component_each else f"comp-step-{count}"))),
        ),
    ]
    if before:
        members.append(("dependentTasks", _field(6, b"".join(_field(1, _text(task)) for task in before))))
    members += [("inputs", _object(*inputs)), ("taskInfo", _object(("name", _text(name))))]
    return _member(name, _object(*members))


def _record(count: int, is_failed: bool, has_artifacts: bool) -> bytes:
    """The fields 3 to 13 of a record, with marks for numbers."""
    name, before = f"step-{_mark(0)}".encode(), range(1, count + 1)

    def parameter(name: str, value: bytes) -> bytes:
        return _field(1, _field(1, name.encode()) + _field(2, value))

    inputs = b""
    own = parameter("label", json.dumps(_label(name.decode())).encode())
    own += parameter("rate", json.dumps(_rate(False)).encode())
    if has_artifacts:
        inputs = b"".join(_artifacts(input_, place) for input_, place in zip(INPUTS, before, strict=False))
        outputs = _artifacts("model", 0)
        inputs = own + inputs
    else:
        inputs = b"".join(
            parameter(input_, _output(place)) for input_, place in zip(INPUTS, before, strict=False)
        )
        outputs = parameter("Output", _output(0))
        inputs += own
    state = b"\x07" if is_failed else b"\x03"
    error = _field(13, b"\x08\x02" + _field(2, b"the command ended with exit code 1"))
    return b"".join(
        (
            _field(3, name) + _field(4, name),
            # A container, EXECUTE, FIRST_RUN.
            b"\x28\x01\x30" + state + b"\x38\x03\x40\x01",
            _field(11, inputs),
            error if is_failed else _field(12, outputs),
        )
    )


def _preimage(count: int, has_artifacts: bool) -> bytes:
    """What KEY.md says, with marks for numbers."""
    bound = zip(INPUTS, range(1, count + 1), strict=False)
    label = json.dumps(_label(f"step-{_mark(0)}")).encode()
    fields = [
        _key_field(2, "", _key_strings(ARGS)),
        _key_field(3, "", _key_strings(COMMAND)),
        _key_field(6, "", IMAGE.encode()),
    ]
    if has_artifacts:
        fields += [
            _key_field(
                9,
                input_,
                b"\0" + _u32(1) + _key_text(b"system.Model") + _key_text(_digest(place)) + _u32(0) + _u32(0),
            )
            for input_, place in bound
        ]
    else:
        fields += [_key_field(10, input_, b"\x02" + _output(place)) for input_, place in bound]
    fields += [
        _key_field(10, "label", b"\x01" + label),
        _key_field(10, "rate", b"\x03" + json.dumps(_rate(False)).encode()),
        _key_field(11, "model", b"\0system.Model") if has_artifacts else _key_field(12, "Output", b"\x02"),
    ]
    return b"reprise.key.v1\0\0" + b"".join(fields)


def _output(place: int) -> bytes:
    """What a task gives: a number that begins with a digit, whatever its own."""
    return f"1{_mark(place)}".encode()


def _digest(place: int) -> bytes:
    return b"sha256:" + b"0" * 57 + _mark(place).encode()


def _artifacts(name: str, place: int) -> bytes:
    mark = _mark(place).encode()
    fields = (
        (1, b"art-" + mark),
        (2, b"/data/artifacts/original/" + mark + b"/model"),
        (3, b"system.Model"),
        (4, b"0.0.1"),
        (6, _digest(place)),
        (10, b"f1:4096:1790000000000000000:" + mark),
        (12, b"model"),
    )
    artifact = b"".join(_field(number, value) for number, value in fields)
    return _field(2, _field(1, name.encode()) + _field(2, artifact))


def _component(count: int, has_artifacts: bool) -> bytes:
    def parameters(types: Iterable[tuple[str, str]]) -> bytes:
        return _object(*((name, _object(("parameterType", _text(kind)))) for name, kind in types))

    model = _object(
        (
            "artifactType",
            _object(("schemaTitle", _text("system.Model")), ("schemaVersion", _text("0.0.1"))),
        )
    )
    types = [("label", "STRING"), ("rate", "NUMBER_DOUBLE")]
    groups = []
    if has_artifacts:
        groups.append(("artifacts", _object(*((name, model) for name in INPUTS[:count]))))
        outputs = _object(("artifacts", _object(("model", model))))
    else:
        types = [(name, "NUMBER_INTEGER") for name in INPUTS[:count]] + types
        outputs = _object(("parameters", parameters([("Output", "NUMBER_INTEGER")])))
    groups.append(("parameters", parameters(types)))
    return _member("inputDefinitions", _object(*groups)) + _member("outputDefinitions", outputs)


def _executor() -> bytes:
    def texts(values: Iterable[str]) -> bytes:
        return _field(6, b"".join(_field(1, _text(value)) for value in values))

    container = _object(("image", _text(IMAGE)), ("command", texts(COMMAND)), ("args", texts(ARGS)))
    return _object(("container", container))


def _key_field(section: int, name: str, value: bytes) -> bytes:
    head = bytes([section]) + _key_text(name.encode())
    if len(value) > 256:
        return head + _u32(0xFFFFFFFE) + hashlib.sha256(value).digest()
    return head + _key_text(value)


def _key_strings(values: Sequence[str]) -> bytes:
    return _u32(len(values)) + b"".join(_key_text(value.encode()) for value in values)


def _key_text(value: bytes) -> bytes:
    return _u32(len(value)) + value


def _u32(number: int) -> bytes:
    return struct.pack("<I", number)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, value: bytes) -> bytes:
    """Of a number below 16."""
    size = len(value)
    if size < 0x80:
        return bytes((number << 3 | 2, size)) + value
    return bytes((number << 3 | 2,)) + _varint(size) + value


def _key(number: int, value: bytes) -> bytes:
    """A field of any number."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(value: str) -> bytes:
    return _field(3, value.encode())


def _number(value: float) -> bytes:
    return b"\x11" + struct.pack("<d", value)


def _member(key: str, value: bytes) -> bytes:
    return _field(1, _field(1, key.encode()) + _field(2, value))


def _object(*members: tuple[str, bytes]) -> bytes:
    return _field(5, b"".join(_member(key, value) for key, value in members))


def _constant(value: bytes) -> bytes:
    return _object(("runtimeValue", _object(("constant", value))))


def check() -> None:
    """Errors: AssertionError where the bytes are not those of a compiled spec, or its records not those of its run."""
    for shape in SHAPES:
        for is_component_each, has_artifacts in itertools.product((False, True), repeat=2):
            dag = make(shape, 300)
            changed = {dag.leaf(), 5}
            kind = {"is_component_each": is_component_each, "has_artifacts": has_artifacts}
            assert with_changed(spec(dag, **kind), dag, changed) == spec(dag, changed=changed, **kind)
            written = struct_pb2.Struct.FromString(spec(dag, changed=changed, **kind))
            expected = json_format.ParseDict(spec_as_json(dag, changed=changed, **kind), struct_pb2.Struct())
            assert written == expected, (shape, kind)
            old, new = spec(dag, **kind), spec(dag, changed=changed, **kind)
            left = records(dag, has_artifacts=has_artifacts)
            names = [dag.names[task] for task in dag.order]
            for wanted, expected_verdicts in ((old, {}), (new, verdicts(dag, changed))):
                result = planner.plan(request(wanted, old, left))
                assert not result.problems, result.problems
                assert [task.name for task in result.tasks] == names, (shape, kind)
                found = dict(zip(dag.order, (task.verdict for task in result.tasks), strict=True))
                assert found == verdicts(dag, ()) | expected_verdicts, (shape, kind)


def verdicts(dag: Dag, changed: Collection[int]) -> dict[int, int]:
    """What becomes of each task where `changed` have other constants, by nothing but the rules."""
    found: dict[int, int] = dict.fromkeys(range(len(dag)), engine.REUSE)
    found |= dict.fromkeys(dag.downstream_of(changed), engine.RE_EVALUATE)
    return found | dict.fromkeys(changed, engine.EXECUTE)


if __name__ == "__main__":
    check()
    print("the Structs are those of json_format, the records those of a run")
