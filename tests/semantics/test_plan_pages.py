"""A plan in pages and as a stream: counts first, and no page costs a new plan."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import Given, Of, Task
from parts import ECHO, FILE, READ, chain
from reprise import planning
from reprise.client import AbortedError, CallError, InvalidArgumentError, NotFoundError
from reprise.main import Server, Settings
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from reprise.plan import Pieces, in_parts
from reprise.recent_plans import PlanView, RecentPlan, RecentPlans
from stage import Ended, Stage


def ask(stage: Stage, original: Ended, token: str = "", size: int = 3) -> reruns.PlanRerunResponse:
    request = reruns.PlanRerunRequest(page_size=size, page_token=token)
    request.rerun.name = original.name
    request.rerun.parameter_values["x"].string_value = "2"
    return stage.client._call("PlanRerun", request, reruns.PlanRerunResponse)


def wide(stage: Stage) -> Ended:
    tasks = {f"t{n}": Task(ECHO, {"x": Given("x")}) for n in range(7)}
    return stage.run(stage.spec(tasks, {"x": "STRING"}), {"x": "1"})


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each plan that the server has made."""
    made: list[int] = []
    really = planning.planner.plan_in_parts

    def counted(asked: Pieces) -> object:
        made.append(1)
        return really(asked)

    monkeypatch.setattr(planning.planner, "plan_in_parts", counted)
    return made


def test_pages_give_every_task_once_and_cost_one_plan(stage: Stage, plans: list[int]) -> None:
    original = wide(stage)
    plans.clear()
    first = ask(stage, original)
    pages = [first]
    while pages[-1].next_page_token:
        pages.append(ask(stage, original, pages[-1].next_page_token))
    assert [len(page.tasks) for page in pages] == [3, 3, 1] and len(plans) == 1
    names = [task.task_name for page in pages for task in page.tasks]
    assert sorted(names) == [f"t{n}" for n in range(7)]
    for page in pages:
        assert page.total_size == 7 and page.etag == first.etag
        assert [(count.verdict, count.count) for count in page.counts] == [(states.VERDICT_EXECUTE, 7)]
    whole = ask(stage, original, size=100)
    assert [task for page in pages for task in page.tasks] == list(whole.tasks)


def test_a_stream_begins_with_the_counts_and_gives_the_tasks_in_pieces(
    stage: Stage, plans: list[int]
) -> None:
    original = wide(stage)
    plans.clear()
    request = reruns.PlanRerunRequest(page_size=3)
    request.rerun.name = original.name
    request.rerun.parameter_values["x"].string_value = "2"
    head, *pieces = stage.client._stream("StreamPlanRerun", request, reruns.PlanRerunResponse)
    assert head.etag and head.counts[0].count == head.total_size == 7 and not head.tasks
    assert [len(piece.tasks) for piece in pieces] == [3, 3, 1] and len(plans) == 1
    assert not any(piece.etag or piece.counts for piece in pieces)
    assert [task for piece in pieces for task in piece.tasks] == list(ask(stage, original, size=100).tasks)
    request.page_token = "x"
    with pytest.raises(InvalidArgumentError, match="page_token"):
        list(stage.client._stream("StreamPlanRerun", request, reruns.PlanRerunResponse))


def test_the_etag_of_any_page_is_that_of_the_rerun(stage: Stage) -> None:
    original = stage.run(chain(stage))
    page = ask(stage, original, size=1)
    request = reruns.RerunPipelineJobRequest(name=original.name, etag=page.etag)
    request.parameter_values["x"].string_value = "2"
    assert stage.ask(request, original.spec).ran == ["a", "b", "c"]
    request.request_id, request.etag = "", "0" * len(page.etag)
    with pytest.raises(AbortedError):
        stage.client.rerun(request)


def test_a_page_of_a_plan_whose_original_is_deleted_is_not_found(stage: Stage) -> None:
    original = wide(stage)
    token = ask(stage, original).next_page_token
    stage.client.delete(original.name)
    with pytest.raises(NotFoundError):
        ask(stage, original, token)


@pytest.mark.parametrize("token", ["x", "MS8=", "LTEvYWI=", "eC9hYg=="])
def test_a_token_of_no_page_is_refused(stage: Stage, token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="page_token"):
        ask(stage, wide(stage), token)


def test_the_token_of_another_request_finds_another_plan_and_is_refused(stage: Stage) -> None:
    original, other = wide(stage), wide(stage)
    token = ask(stage, original).next_page_token
    with pytest.raises(CallError) as refused:
        ask(stage, other, token)
    assert refused.value.code == "ABORTED"


@pytest.fixture(scope="module")
def leaping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[float]]]:
    """A server, and by how much its clock is ahead."""
    ahead_s = [0.0]
    settings = Settings(tmp_path_factory.mktemp("leaping") / "data", grpc="127.0.0.1:0", environments="host")
    with Server(settings, now_ns=lambda: time.time_ns() + int(ahead_s[0] * 1e9)) as server:
        yield server.grpc_address, ahead_s


def test_a_plan_that_does_not_hold_any_more_has_no_further_pages(
    leaping: tuple[str, list[float]], tmp_path: Path, plans: list[int]
) -> None:
    address, ahead_s = leaping
    stage = Stage(address, tmp_path)
    with stage.client:
        spec = stage.spec(
            {
                "a": Task(FILE, {"x": "1"}),
                "b": Task(READ, artifacts={"data": Of("a", "data")}),
                "c": Task(ECHO, {"x": Given("x")}),
            },
            {"x": "STRING"},
        )
        original = stage.run(spec, {"x": "1"})
        plans.clear()
        token = ask(stage, original, size=1).next_page_token
        ahead_s[0] += 60
        again = ask(stage, original, token, size=1)
        assert len(plans) == 1, "that it holds is seen without a new plan"
        stage.file(original, "a", "data").unlink()
        ahead_s[0] += 60
        with pytest.raises(AbortedError):
            ask(stage, original, again.next_page_token, size=1)


def recent(name: str, tasks: int) -> RecentPlan:
    result = engine.PlanResult(pipeline_name=name)
    for number in range(tasks):
        result.tasks.add(task_id=number + 1, path="x" * 100)
    return RecentPlan(PlanView(name, in_parts(result)), 1, 0)


def test_what_is_kept_of_plans_is_bounded_and_the_one_used_longest_ago_goes() -> None:
    plans = RecentPlans(most_bytes=3 * (4096 + 13_000))
    for name in "abc":
        plans.put(b"request", recent(name, 100))
    assert plans.find(b"request", "a") is not None
    plans.put(b"request", recent("d", 100))
    found = {name for name in "abcd" if plans.find(b"request", name)}
    assert found == {"a", "c", "d"}
    plans.put(b"request", recent("huge", 10_000))
    assert plans.find(b"request", "huge") is None and plans.find(b"request", "a") is not None
    assert plans.find(b"another", "a") is None
    for _ in range(50):
        plans.put(b"request", recent("d", 100))
    assert plans.find(b"request", "a") is not None, "the same again takes no more room"
