"""P4: a rerun without configs of a run of which one task failed, durable when answered, SQLite with synchronous=FULL.

    python bench/rerun_call.py [--tasks 100000] [--shapes layered block shuffled] [--rounds 7] [--artifacts] [--etag]
                               [--inputs DIR]

Against reading the run's records from a file, and writing and syncing as many bytes. `--artifacts`: every task has left
one on the local disk. `--etag`: the caller carries out a plan, for which every artifact is looked at.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import dags
from kept import Inputs
from reprise.artifact.local import LocalArtifacts
from reprise.domain.commands import CreateRun
from reprise.domain.names import Parent, RunName
from reprise.domain.run import FailurePolicy, Finish, NewRun, Progress, Run
from reprise.domain.states import RunState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, compile_run
from reprise.service import PipelineService
from reprise.store.contract import Store
from reprise.store.open import open_store
from rounds import alternate, tell

PARENT = Parent("bench", "local")
OWNER = "bench"


def with_files(records: bytes, folder: Path) -> bytes:
    """The records with artifacts that are there."""
    parsed = engine.TaskRecords.FromString(records)
    artifacts = LocalArtifacts()
    held = [artifact for task in parsed.tasks for one in task.outputs.artifacts for artifact in one.artifacts]
    for index, artifact in enumerate(held):
        path = folder / str(index // 1000) / str(index)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(index.to_bytes(8, "big"))
        artifact.uri = str(path)
    for artifact, seen in zip(held, artifacts.digest([artifact.uri for artifact in held]), strict=True):
        artifact.fingerprint = seen.fingerprint  # the digest is in the keys
    readers = {task.path: task for task in parsed.tasks}
    by_name = {artifact.name: artifact for artifact in held}
    for task in readers.values():
        for one in task.inputs.artifacts:
            for artifact in one.artifacts:
                artifact.CopyFrom(by_name.get(artifact.name, artifact))
    return parsed.SerializeToString()


def ended_run(store: Store, spec: bytes, records: bytes, job_id: str = "original") -> Run:
    """A run as the scheduler leaves it."""
    run, _ = store.create_run(
        NewRun(
            name=RunName(PARENT, job_id),
            display_name=job_id,
            pipeline_name="bench",
            labels={},
            header_wire=b"",
            spec=spec,
            request=engine.RunRequest(settings=engine.RunSettings(job_id=job_id)).SerializeToString(),
            created_ns=time.time_ns(),
        ),
        fingerprint=hashlib.sha256(job_id.encode()).digest(),
    )
    (claimed,) = store.claim_runs(OWNER, 1, time.time_ns(), 60)
    fence = claimed.run.fence
    store.record_progress(Progress(run.id, fence, time.time_ns(), state=RunState.RUNNING))
    finish = Finish(RunState.FAILED, None, records, b"")
    store.record_progress(Progress(run.id, fence, time.time_ns(), finish=finish))
    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, nargs="+", default=[100_000])
    parser.add_argument("--shapes", nargs="+", default=["layered"], choices=dags.SHAPES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--artifacts", action="store_true")
    parser.add_argument("--etag", action="store_true")
    parser.add_argument("--inputs", type=Path, metavar="DIR", help="keep the DAGs there for the next time")
    options = parser.parse_args()
    options.inputs = Inputs(options.inputs)
    for shape in options.shapes:
        for tasks in options.tasks:
            measure(shape, tasks, options)


def measure(shape: str, tasks: int, options: argparse.Namespace) -> None:
    dag = options.inputs.dag(shape, tasks)
    failed = {dag.leaf()}
    with tempfile.TemporaryDirectory(prefix="reprise-bench-") as temporary:
        folder = Path(temporary)
        spec = options.inputs.spec(dag, has_artifacts=options.artifacts)
        records = options.inputs.records(dag, failed=failed, has_artifacts=options.artifacts)
        if options.artifacts:
            records = with_files(records, folder / "artifacts")
        request = dags.request(b"", b"", records)
        request.original.records = b""
        store = open_store(folder / "data")
        original = ended_run(store, spec, records)
        began = time.perf_counter()
        compiled = compile_run(Pieces(request, spec, records))
        assert compiled is not None, "a plain DAG can be compiled"
        took = time.perf_counter() - began
        sizes = f"graph {len(compiled.graph) / 1e6:.1f} MB, labels {len(compiled.labels) / 1e6:.1f} MB"
        print(
            f"{shape}, {tasks} tasks, records {len(records) / 1e6:.1f} MB, {sizes}, compiled in {took:.2f} s"
        )

        service = PipelineService(store, LocalArtifacts(), folder / "data", time.time_ns, lambda: "x")
        command = CreateRun(
            PARENT,
            "",
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
            original_id=original.id,
        )
        slow = service.plan(command)
        assert slow.plan.counts_wire and not slow.plan.head.problems
        store.keep_compiled(original.id, compiled.graph, compiled.labels)
        numbers = itertools.count()
        kept = folder / "run"
        kept.write_bytes(records)

        def rerun() -> Run:
            number = next(numbers)
            mark = hashlib.sha256(str(number).encode()).digest()
            etag = slow.etag if options.etag else ""
            return service.create(replace(command, job_id=f"rerun-{number}", fingerprint=mark, etag=etag))

        def bytes_alone() -> None:
            content = kept.read_bytes()
            with (folder / f"copy-{next(numbers)}").open("wb") as copy:
                copy.write(content)
                copy.flush()
                os.fsync(copy.fileno())
            Path(copy.name).unlink()

        rerun()
        tell(alternate({"its bytes": bytes_alone, "rerun": rerun}, options.rounds), "its bytes")
        store.close()


if __name__ == "__main__":
    main()
