"""The sweep over a compiled run against the general planner: the same decisions and the same etag, or a refusal.

`REPRISE_ORACLE_CASES=20000` compares that many chains of reruns instead of the suite's.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
from collections import Counter
from collections.abc import Iterator

import pytest
from cases import compare_step, steps_of
from execution import Run
from generate import ALL
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, compile_run, plan, plan_unchanged

_CASES = int(os.environ.get("REPRISE_ORACLE_CASES", "150"))
_FROM = int(os.environ.get("REPRISE_ORACLE_FROM", "0"))
_LEAVES = (engine.CONTAINER, engine.IMPORTER)


def _ended_runs(seed: int) -> Iterator[Run]:
    steps = []
    for step, runs in steps_of(seed, ALL):
        steps.append(step)
        _, run = compare_step(steps, runs, ALL)
        if run is None:
            return
        runs.append(run)
        yield run


def _rerun(run: Run) -> engine.RunRequest:
    """The request of a rerun of `run` that asks for nothing."""
    records = run.records.SerializeToString()
    request = engine.RunRequest(spec=run.request.spec)
    request.settings.pipeline_root = "/root"
    request.original.run_id, request.original.resource_name = run.run_id, f"runs/{run.run_id}"
    request.original.spec, request.original.records = run.request.spec, records
    request.original.spec_digest = hashlib.sha256(run.request.spec).digest()
    request.original.records_digest = hashlib.sha256(records).digest()
    known = {p.name: p for p in (*run.request.original.parameters, *run.request.settings.parameters)}
    declared = run.spec["root"]["inputDefinitions"]["parameters"]
    request.original.parameters.extend(known[name] for name in sorted(known) if name in declared)
    return request


def _asked(chance: random.Random, run: Run, rerun: engine.RunRequest) -> Iterator[engine.RunRequest]:
    yield rerun
    given = _copy(rerun)
    given.settings.parameters.extend(rerun.original.parameters[:1])
    yield given
    for share in (0.0, 0.1, 0.4):
        request = _copy(rerun)
        for task in run.records.tasks:
            config = request.configs.add(task_id=task.task_id, skip_task=task.state == engine.SUCCEEDED)
            config.task_name = chance.choice([task.path, task.path, task.name, ""])
            if chance.random() < share and task.kind in _LEAVES:
                config.skip_task = False
                config.has_inputs = task.state == engine.SKIPPED and not task.is_left_out
        yield request


def _copy(request: engine.RunRequest) -> engine.RunRequest:
    copied = engine.RunRequest()
    copied.CopyFrom(request)
    return copied


def _slim(request: engine.RunRequest) -> engine.RunRequest:
    slim = _copy(request)
    slim.spec = slim.original.spec = slim.original.records = b""
    return slim


def test_the_sweep_decides_as_the_general_planner_or_leaves_it_to_it() -> None:
    told: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for seed in range(_FROM, _FROM + _CASES):
        chance = random.Random(seed)
        for run in _ended_runs(seed):
            rerun = _rerun(run)
            compiled = compile_run(Pieces(rerun))
            told["runs"] += 1
            if compiled is None:
                told["runs not compiled"] += 1
                continue
            for request in _asked(chance, run, rerun):
                found = engine.UnchangedPlan.FromString(
                    plan_unchanged(compiled.graph, compiled.labels, _slim(request))
                )
                told["plans"] += 1
                if found.refusal:
                    told[found.refusal] += 1
                    continue
                told["decided"] += 1
                expected = plan(request)
                assert not expected.problems and not expected.warnings, seed
                assert found.digest == expected.digest, seed
                assert found.parameters == expected.parameters, seed
                assert _decisions(found, run) == [
                    (task.path, task.verdict, task.reason, task.caused_by) for task in expected.tasks
                ], seed
                keys = b"".join(task.cache_key for task in expected.tasks)
                assert found.cache_keys == keys, seed
                told["cache keys"] += len(keys) // 32
                counts = Counter(task.verdict for task in expected.tasks)
                assert list(found.counts) == [counts[number] for number in range(len(found.counts))], seed
                seen.update(engine.Reason.Name(task.reason) for task in expected.tasks)
    print(dict(told), dict(seen))
    assert told["runs not compiled"] < 0.5 * told["runs"], told
    assert told["decided"] > 0.7 * told["plans"], told
    for reason in ("UNCHANGED", "REQUESTED", "NOT_SUCCEEDED", "UPSTREAM_CHANGED", "CHILDREN", "EXIT_TASK"):
        assert seen[reason], reason


def _decisions(found: engine.UnchangedPlan, run: Run) -> list[tuple[str, int, int, str]]:
    paths = {0: "", **{task.task_id: task.path for task in run.records.tasks}}
    causes = struct.unpack(f"<{len(found.verdicts)}I", found.causes)
    return [
        (paths[number], verdict, reason, paths[cause])
        for number, (verdict, reason, cause) in enumerate(
            zip(found.verdicts, found.reasons, causes, strict=True), start=1
        )
    ]


def test_a_compiled_run_that_is_cut_or_changed_anywhere_is_refused_or_decided_and_breaks_nothing() -> None:
    run = next(run for seed in range(1000) for run in _ended_runs(seed) if 5 < len(run.records.tasks) < 10)
    rerun = _rerun(run)
    compiled = compile_run(Pieces(rerun))
    assert compiled is not None
    slim = _slim(rerun)
    slim.configs.add(task_id=2, task_name="x")
    for part in ("graph", "labels"):
        whole = getattr(compiled, part)
        for at in range(len(whole)):
            for broken in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :]):
                parts = {"graph": compiled.graph, "labels": compiled.labels, part: broken}
                answer = engine.UnchangedPlan.FromString(
                    plan_unchanged(parts["graph"], parts["labels"], slim)
                )
                assert answer.refusal or len(answer.verdicts) == len(run.records.tasks)
                if broken is whole[:at] and part == "graph":
                    assert answer.refusal


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request.settings.parameters.add(name="seed", json="12345"),
        lambda request: request.configs.add(task_id=1, drop_overrides=["x"]),
        lambda request: request.configs.add(task_id=99999),
        lambda request: request.configs.extend([engine.Config(task_id=1, skip_task=True)] * 2),
        lambda request: request.configs.add(task_id=1, skip_downstream_tasks=True),
        lambda request: request.cache.add(key=b"k"),
        lambda request: setattr(request.settings, "salt", "another"),
        lambda request: setattr(request, "spec", b"\n\x00"),
    ],
)
def test_what_is_asked_beyond_its_rules_is_left_to_the_general_planner(change: object) -> None:
    runs = (run for seed in range(1000) for run in _ended_runs(seed))
    rerun, compiled = next(
        (rerun, made) for rerun in map(_rerun, runs) if (made := compile_run(Pieces(rerun))) is not None
    )
    assert callable(change)
    unasked = plan_unchanged(compiled.graph, compiled.labels, _slim(rerun))
    assert not engine.UnchangedPlan.FromString(unasked).refusal
    slim = _slim(rerun)
    change(slim)
    assert engine.UnchangedPlan.FromString(plan_unchanged(compiled.graph, compiled.labels, slim)).refusal
