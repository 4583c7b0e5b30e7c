"""Reruns by reference: made without spec and records being read, and otherwise as all others are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dags
import pytest
from reprise.artifact.local import LocalArtifacts
from reprise.domain.commands import CreateRun, TaskConfig
from reprise.domain.errors import Aborted, FailedPrecondition, NotFound
from reprise.domain.names import Parent
from reprise.domain.run import FailurePolicy, OperationKind, Party, Run
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, compile_run
from reprise.service import PipelineService
from reprise.store.open import open_store
from reprise.store.sql import SqlStore
from reprise.unchanged import UnchangedReruns
from rerun_call import PARENT, ended_run, with_files

TASKS = 200


class World:
    """A store with one ended run, whose last task has failed."""

    def __init__(self, folder: Path) -> None:
        self.dag = dags.make("layered", TASKS)
        self.spec = dags.spec(self.dag, has_artifacts=True)
        records = dags.records(self.dag, failed={self.dag.leaf()}, has_artifacts=True)
        self.records = with_files(records, folder / "artifacts")
        self.store: SqlStore = open_store(folder / "data")
        self.original = ended_run(self.store, self.spec, self.records)
        self.service = PipelineService(
            self.store, LocalArtifacts(), folder / "data", time.time_ns, lambda: "made"
        )
        self.fast = UnchangedReruns(self.store, LocalArtifacts(), {})
        self.command = CreateRun(
            PARENT,
            "r",
            "",
            {},
            b"",
            b"",
            {},
            False,
            {},
            "",
            FailurePolicy.FAIL_SLOW,
            b"",
            original_id=self.original.id,
        )

    def compile(self) -> None:
        compiled = compile_run(Pieces(dags.request(self.spec, self.spec, self.records)))
        assert compiled is not None
        self.store.keep_compiled(self.original.id, compiled.graph, compiled.labels)

    def claimed(self, run: Run) -> tuple[bytes, bytes, bytes]:
        (claimed,) = self.store.claim_runs("test", 1, time.time_ns(), 60)
        assert claimed.run.id == run.id
        return claimed.request, claimed.spec, claimed.original_records

    def artifacts(self) -> list[tuple[int, Path]]:
        """(whose, where) of each task's."""
        tasks = engine.TaskRecords.FromString(self.records).tasks
        return [
            (task.task_id, Path(one.artifacts[0].uri)) for task in tasks for one in task.outputs.artifacts
        ]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


def test_a_rerun_by_reference_is_stored_as_the_general_way_stores_it(world: World) -> None:
    expected = world.service.plan(world.command)
    by_records = world.claimed(world.service.create(replace(world.command, job_id="general")))
    world.compile()
    found = world.fast.prepare(world.command)
    assert found is not None and found.etag == expected.etag and found.head.pipeline_name == "bench"
    general, fast = engine.RunRequest(), engine.RunRequest()
    run = world.service.create(world.command)
    by_reference = world.claimed(run)
    general.ParseFromString(by_records[0])
    fast.ParseFromString(by_reference[0])
    for request in (general, fast):
        request.settings.ClearField("job_id")
        request.settings.ClearField("resource_name")
    assert general == fast and by_records[1:] == by_reference[1:] == (world.spec, world.records)


def test_neither_spec_nor_records_are_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.compile()
    monkeypatch.setattr(world.store, "get_original", None)
    monkeypatch.setattr(world.store, "get_spec", None)
    failed = world.dag.order.index(world.dag.leaf()) + 1
    configs = [
        TaskConfig(
            "c",
            number,
            "",
            skip_task=number not in (3, failed),
            skip_downstream_tasks=False,
            has_inputs=False,
        )
        for number in range(1, TASKS + 1)
    ]
    for number, command in enumerate((world.command, replace(world.command, configs=configs))):
        run = world.service.create(replace(command, job_id=f"r{number}"))
        assert run.original_id == world.original.id and run.spec_digest == world.original.spec_digest


def test_the_same_spec_sent_again_is_unchanged_and_another_one_is_not(world: World) -> None:
    world.compile()
    assert world.fast.prepare(replace(world.command, spec=world.spec)) is not None
    changed = dags.spec(world.dag, changed={1}, has_artifacts=True)
    assert world.fast.prepare(replace(world.command, spec=changed)) is None


def test_a_lost_artifact_that_is_read_is_left_to_the_general_planner_and_any_breaks_an_etag(
    world: World,
) -> None:
    world.compile()
    etag = world.service.plan(world.command).etag
    tasks = engine.TaskRecords.FromString(world.records).tasks
    (failed,) = (task for task in tasks if task.state == engine.FAILED)
    read = [(whose, path) for whose, path in world.artifacts() if whose in failed.upstream]
    _, unread = next(one for one in world.artifacts() if one not in read)
    unread.unlink()
    assert world.fast.prepare(world.command) is not None
    with pytest.raises(Aborted):
        world.service.create(replace(world.command, etag=etag))
    read[0][1].write_text("changed")
    assert world.fast.prepare(world.command) is None
    assert world.service.create(world.command).original_id == world.original.id


def test_a_deleted_original_takes_its_compiled_run_along_and_leaves_reruns_whole(world: World) -> None:
    world.compile()
    run = world.service.create(world.command)
    world.store.delete_runs(
        PARENT, [world.original.name], OperationKind.DELETE, Party.REPRISE, time.time_ns()
    )
    assert world.store.find_compiled_labels(world.original.id) == b""
    with pytest.raises(NotFound):
        world.service.create(replace(world.command, job_id="late"))
    assert world.claimed(run)[1:] == (world.spec, world.records)


def test_the_original_must_be_of_the_same_parent_and_have_ended(world: World) -> None:
    world.compile()
    with pytest.raises(NotFound):
        world.fast.prepare(replace(world.command, parent=Parent("another", "local")))
    going = world.service.create(world.command)
    with pytest.raises(FailedPrecondition):
        world.fast.prepare(replace(world.command, original_id=going.id))
    world.store.keep_compiled(going.id, b"too", b"early")
    assert world.store.find_compiled_labels(going.id) == b""
