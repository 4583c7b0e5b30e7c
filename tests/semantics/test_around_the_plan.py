"""What lies around a plan: the salt of a project, a place for artifacts that cannot be reached, operations."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from building import Leaf, Of, Task
from parts import FILE, READ, chain
from reprise.artifact.contract import Known, Presence
from reprise.artifact.places import ArtifactPlaces
from reprise.client import UnavailableError
from reprise.domain.errors import Unavailable
from reprise.main import Server, Settings
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served
from stage import RUN, Stage


def test_another_salt_of_the_project_runs_all_its_tasks_again_and_no_others(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data", grpc="127.0.0.1:0", environments="host")
    with Server(settings) as server:
        salted, other = Stage(server.grpc_address, tmp_path), Stage(server.grpc_address, tmp_path)
        salted_run, other_run = salted.run(chain(salted)), other.run(chain(other))
        project = salted_run.name.split("/")[1]
    with Server(Settings(**{**_fields(settings), "salts": {project: "2026-11"}})) as server:
        for stage in (salted, other):
            stage.client.close()
        salted = _same_project(server, tmp_path, salted_run.name)
        other = _same_project(server, tmp_path, other_run.name)
        again = salted.rerun(salted_run)
        assert again.verdicts["a"] == "EXECUTE KEY_CHANGED salt"
        assert again.states == dict.fromkeys("abcd", "SUCCEEDED")
        assert set(salted.rerun(again).states.values()) == {"SKIPPED"}
        assert set(other.rerun(other_run).states.values()) == {"SKIPPED"}


def _fields(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in Settings.__dataclass_fields__}


def _same_project(server: Server, folder: Path, run: str) -> Stage:
    return Stage(server.grpc_address, folder, project=run.split("/")[1])


class FlakyPlace(ArtifactPlaces):
    """The local disk, as an object store shows itself whose network is away for a while."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_away = threading.Event()
        self.was_asked = threading.Event()

    def look(self, known: Sequence[Known]) -> list[Presence]:
        if self.is_away.is_set():
            self.was_asked.set()
            raise Unavailable("the store of artifacts does not answer")
        return super().look(known)


@pytest.fixture
def flaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FlakyPlace, Stage]]:
    place = FlakyPlace(tmp_path / "copies")
    monkeypatch.setattr("reprise.main.ArtifactPlaces", lambda *_settings: place)
    with Server(Settings(tmp_path / "data", grpc="127.0.0.1:0", environments="host")) as server:
        stage = Stage(server.grpc_address, tmp_path)
        yield place, stage
        stage.client.close()


def test_a_store_of_artifacts_that_cannot_be_reached_makes_plan_and_rerun_unavailable(
    flaky: tuple[FlakyPlace, Stage],
) -> None:
    place, stage = flaky
    spec = stage.spec(
        {"make": Task(FILE, {"x": "1"}), "read": Task(READ, artifacts={"data": Of("make", "data")})}
    )
    original = stage.run(spec)
    place.is_away.set()
    for ask in (stage.plan, stage.start):
        with pytest.raises(UnavailableError, match="does not answer"):
            ask(original, {"read": RUN})
    place.is_away.clear()
    assert stage.rerun(original, {"read": RUN}).ran == ["read"], "what could not be looked at was not lost"


def test_a_task_waits_for_a_store_of_artifacts_that_is_away_and_makes_nothing_anew(
    flaky: tuple[FlakyPlace, Stage],
) -> None:
    place, stage = flaky
    gate, reached = stage.folder / "gate", stage.folder / "reached"
    wait = Leaf(f"touch {reached}\nwhile ! test -e {gate}; do sleep 0.02; done", says="wait")
    spec = stage.spec(
        {
            "make": Task(FILE, {"x": "1"}),
            "wait": Task(wait),
            "read": Task(READ, artifacts={"data": Of("make", "data")}, after=["wait"]),
        }
    )
    name = stage.submit(spec).name
    stage.until(reached.exists)
    place.is_away.set()
    gate.touch()
    assert place.was_asked.wait(30)
    stage.until(lambda: "waits for its input artifacts" in stage.client.get(name).error.message)
    assert stage.client.get(name).state == states.PIPELINE_STATE_RUNNING
    place.is_away.clear()
    run = stage.finish(name, spec)
    assert run.state == "SUCCEEDED" and run.ran == ["make", "read", "wait"]
    assert not run.job.error.message


def test_an_operation_that_is_under_way_survives_a_server_that_is_killed(tmp_path: Path) -> None:
    server = Served(tmp_path / "data", "--environments=host", "--grace=0.2")
    stage = Stage(server.grpc, tmp_path)
    stubborn = Leaf(f"trap '' TERM\ntouch {tmp_path / 'up'}\nwhile true; do sleep 0.05; done")
    name = stage.submit(stage.spec({"held": Task(stubborn)})).name
    stage.until((tmp_path / "up").exists)
    operation = stage.client.batch_cancel([name])
    server.kill()
    server.restart()
    ended = stage.client.wait_operation(operation.name, 60)
    assert ended.done and stage.client.get(name).state == states.PIPELINE_STATE_CANCELLED
    stage.client.close()
    server.stop()
