"""What the core is given by the store is bytes: whatever they are, it answers or says what they are not."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest
from reprise import _core
from reprise.pb.engine.v1 import engine_pb2 as engine

_ROUNDS = 2000


def _preimage() -> bytes:
    fields = [
        (2, b"", b"\x01\0\0\0\x02\0\0\0-c"),
        (9, b"m", b"\x01\x01\0\0\0\x01\0\0\0t\0\0\0\0\0\0\0\0\0\0\0\0"),
        (10, b"x", b'\x01"1"'),
        (11, b"o", b"\0title"),
        (12, b"p", b"\x02"),
    ]
    encoded = b"".join(
        bytes([section]) + len(name).to_bytes(4, "little") + name + len(value).to_bytes(4, "little") + value
        for section, name, value in fields
    )
    return b"reprise.key.v1\0\0" + encoded


def _records() -> bytes:
    records = engine.TaskRecords()
    for number in range(1, 5):
        task = records.tasks.add(
            task_id=number, parent_task_id=number - 1, name=f"t{number}", kind=engine.DAG
        )
        task.path = ".".join(f"t{each}" for each in range(1, number + 1))
        task.candidate.SetInParent()
        task.outputs.artifacts.add(name="a").artifacts.add(uri="u", presence=engine.UNCHECKABLE)
    return records.SerializeToString()


def _plan() -> bytes:
    plan = engine.PlanResult(pipeline_name="p", warnings=["w"])
    for task in engine.TaskRecords.FromString(_records()).tasks:
        task.verdict, task.cache_key = engine.REUSE, b"k" * 32
        plan.tasks.append(task)
    return plan.SerializeToString()


PREIMAGE, RECORDS, PLAN = _preimage(), _records(), _plan()
RERUN = engine.RunRequest(original=engine.Original(run_id=7)).SerializeToString()


@pytest.mark.parametrize(
    ("valid", "call"),
    [
        (PREIMAGE, lambda data: _core.explain(data, PREIMAGE)),
        (PREIMAGE, lambda data: _core.explain(PREIMAGE, data)),
        (RECORDS, lambda data: _core.find_task(data, "t1.t2.t3")),
        (RECORDS, lambda data: _core.same_task(data, 4, RECORDS)),
        (RECORDS, lambda data: _core.same_task(RECORDS, 4, data)),
        (RECORDS, lambda data: _core.recorded_artifacts(data, 0, 100)),
        (RECORDS, lambda data: _core.with_presence(data, bytes([1, 2, 3, 4]))),
        (RECORDS, lambda data: _core.replaced_records(data, RECORDS)),
        (RECORDS, lambda data: _core.replaced_records(RECORDS, data)),
        (RECORDS, lambda data: _core.plan_in_parts(RERUN, b"", data, [])),
        (RERUN, lambda data: _core.plan_in_parts(data, b"", RECORDS, [data])),
        (PLAN, _core.plan_pages),
        (PLAN, _core.etag),
    ],
    ids=[
        "old key",
        "new key",
        "records",
        "same task",
        "same task in others",
        "artifacts",
        "presence",
        "replaced",
        "replacing",
        "records of a plan",
        "request in pieces",
        "plan",
        "request",
    ],
)
def test_no_bytes_make_the_core_fail(valid: bytes, call: Callable[[bytes], object]) -> None:
    assert call(valid) is not None
    choose = random.Random(7)
    for _ in range(_ROUNDS):
        data = bytearray(valid)
        for _ in range(choose.randint(1, 4)):
            match choose.randrange(3):
                case 0 if data:
                    data[choose.randrange(len(data))] = choose.choice(
                        (0, 1, 0x7F, 0x80, 0xFF, choose.randrange(256))
                    )
                case 1:
                    del data[choose.randrange(len(data) + 1) :]
                case _:
                    at = choose.randrange(len(data) + 1)
                    data[at:at] = choose.randbytes(choose.randint(1, 8))
        with contextlib.suppress(ValueError):  # told, not failed: a panic would be a RuntimeError
            call(bytes(data))


def test_the_valid_ones_are_read() -> None:
    assert engine.KeyDifferences.FromString(_core.explain(PREIMAGE, PREIMAGE)).is_comparable
    found = _core.same_task(RECORDS, 4, RECORDS)
    assert found is not None and engine.TaskRecord.FromString(found).path == "t1.t2.t3.t4"
    *_, keys, unchecked = _core.plan_pages(PLAN)
    assert len(keys) == 4 * 32 and unchecked == ["u"]
