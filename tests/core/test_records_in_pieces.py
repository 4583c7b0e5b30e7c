"""The artifacts of records, told some at a time and marked with what became of them, are those that protobuf reads."""

from __future__ import annotations

import random

import pytest
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import recorded_artifacts, replaced_records, with_presence

_LOST = (engine.MISSING, engine.CHANGED)


def random_records(seed: int) -> engine.TaskRecords:
    chance = random.Random(seed)
    records = engine.TaskRecords()
    for number in range(1, chance.randint(1, 30)):
        task = records.tasks.add(task_id=number, path="p" * chance.choice([0, 3, 200]), started_ns=number)
        for holder in [task, task.candidate] if chance.random() < 0.2 else [task]:
            for _ in range(chance.choice([0, 0, 1, 2])):
                held = holder.outputs.artifacts.add(name="a")
                for _ in range(chance.choice([0, 1, 3])):
                    mark = f"{seed}/{chance.random()}"
                    held.artifacts.add(uri=mark, digest="d" + mark, fingerprint="f" + mark, output_name="a")
    return records


def artifacts_of(records: engine.TaskRecords) -> list[engine.Artifact]:
    return [
        artifact
        for task in records.tasks
        for holder in (task, task.candidate)
        for held in holder.outputs.artifacts
        for artifact in held.artifacts
    ]


@pytest.mark.parametrize("at_once", [1, 2, 5, 1000])
def test_artifacts_are_told_once_each_in_order_however_many_at_once(at_once: int) -> None:
    for seed in range(50):
        records = random_records(seed)
        parts = list(recorded_artifacts(records.SerializeToString(), at_once))
        assert all(parts), "no part is empty"
        told = [artifact for part in parts for artifact in part]
        known = [(one.uri, one.digest, one.fingerprint) for one in artifacts_of(records)]
        assert told == known, seed


def test_what_became_of_artifacts_is_marked_in_the_records_and_those_that_lost_some_are_told() -> None:
    chance = random.Random(3)
    for seed in range(50):
        records = random_records(seed)
        presences = [chance.randint(1, 4) for _ in artifacts_of(records)]
        marked, lost = with_presence(records.SerializeToString(), bytes(presences))
        for artifact, presence in zip(artifacts_of(records), presences, strict=True):
            artifact.presence = presence  # type: ignore[assignment]
        assert engine.TaskRecords.FromString(marked) == records, seed
        expected = [
            task
            for task in records.tasks
            if any(one.presence in _LOST for one in artifacts_of(engine.TaskRecords(tasks=[task])))
        ]
        assert list(engine.TaskRecords.FromString(lost).tasks) == expected, seed
        plain = random_records(seed).SerializeToString()
        merged = engine.TaskRecords.FromString(replaced_records(plain, lost))
        assert [task in expected for task in merged.tasks] == [task in expected for task in records.tasks]


def test_another_number_of_artifacts_than_there_are_is_refused() -> None:
    records = random_records(1)
    count = len(artifacts_of(records))
    for wrong in (count - 1, count + 1):
        with pytest.raises(ValueError, match="TaskRecords with those artifacts"):
            with_presence(records.SerializeToString(), bytes([1] * wrong))
