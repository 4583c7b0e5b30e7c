"""Who watches a run, at the place where all watches of a server meet: with the real store, without a network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format, struct_pb2
from reprise.domain.names import RunName
from reprise.domain.run import Party
from reprise.main import PipelineService, Settings
from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2, pipeline_state_pb2, watch_pb2
from reprise.rpc import decode
from reprise.rpc.call import Call
from reprise.rpc.requests import WatchQuery
from reprise.rpc.watch import Watches

SPEC = {
    "pipelineInfo": {"name": "watched"},
    "schemaVersion": "2.1.0",
    "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["true"]}}}},
    "components": {"c": {"executorLabel": "e"}},
    "root": {"dag": {"tasks": {"t": {"taskInfo": {"name": "t"}, "componentRef": {"name": "c"}}}}},
}
WAIT_S = 30


class Reader:
    """Takes messages as a caller does; a slow one takes none until it is let."""

    def __init__(self, is_slow: bool = False) -> None:
        self.answers: list[watch_pb2.WatchPipelineJobResponse] = []
        self.error: Exception | None = None
        self.asked = threading.Event()
        self.has_ended = threading.Event()
        self.may_take = threading.Event()
        if not is_slow:
            self.may_take.set()

    def send(self, message: bytes) -> None:
        self.asked.set()
        assert self.may_take.wait(WAIT_S)
        self.answers.append(watch_pb2.WatchPipelineJobResponse.FromString(message))

    def end(self, error: Exception | None) -> None:
        self.error = error
        self.has_ended.set()

    @property
    def sequences(self) -> list[int]:
        return [change.sequence for answer in self.answers for change in answer.changes]


class Place:
    """A service whose scheduler does not run: a run of it changes when a test says so, and not by itself."""

    def __init__(self, data_dir: Path) -> None:
        self.watches = Watches()
        self._service = PipelineService(Settings(data_dir, environments="host"))
        request = pipeline_service_pb2.CreatePipelineJobRequest(
            parent="projects/p/locations/l",
            pipeline_job_id="watched",
            pipeline_job=pipeline_job_pb2.PipelineJob(
                pipeline_spec=json_format.ParseDict(SPEC, struct_pb2.Struct())
            ),
        )
        self._service.use_cases.create(decode.create_run(request.SerializeToString(), ""))
        self._name = RunName.parse("projects/p/locations/l/pipelineJobs/watched")

    def watch(self, reader: Reader) -> None:
        query = WatchQuery(self._name, run_id=0, after_sequence=0, heartbeat_s=300.0)
        self.watches.begin(query, self._service.use_cases, Call(Party.REPRISE), reader)

    def cancel(self) -> None:
        self._service.use_cases.cancel(self._name)

    def close(self) -> None:
        self.watches.close()
        self._service.stop()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "data")
    yield made
    made.close()


def test_a_hundred_watches_of_a_silent_run_hold_no_thread_each_and_all_hear_of_its_end(place: Place) -> None:
    before = threading.active_count()
    readers = [Reader() for _ in range(100)]
    for reader in readers:
        place.watch(reader)
    for reader in readers:
        assert reader.asked.wait(WAIT_S)
    assert threading.active_count() - before < 20
    place.cancel()
    for reader in readers:
        assert reader.has_ended.wait(WAIT_S) and reader.error is None
        assert reader.answers[-1].is_last
        assert reader.answers[-1].state == pipeline_state_pb2.PIPELINE_STATE_CANCELLED
        assert reader.sequences == readers[0].sequences == list(range(1, len(reader.sequences) + 1))


def test_a_reader_who_takes_nothing_keeps_no_other_waiting_and_loses_nothing(place: Place) -> None:
    slow, quick = Reader(is_slow=True), Reader()
    place.watch(slow)
    assert slow.asked.wait(WAIT_S)
    place.watch(quick)
    place.cancel()
    assert quick.has_ended.wait(WAIT_S)
    assert not slow.answers
    slow.may_take.set()
    assert slow.has_ended.wait(WAIT_S)
    assert slow.sequences == quick.sequences
    assert slow.answers[-1].is_last


def test_a_server_that_stops_ends_every_watch_with_unavailable(place: Place) -> None:
    idle, under_way = Reader(), Reader(is_slow=True)
    for reader in (idle, under_way):
        place.watch(reader)
        assert reader.asked.wait(WAIT_S)
    place.watches.close()
    under_way.may_take.set()
    late = Reader()
    place.watch(late)
    for reader in (idle, under_way, late):
        assert reader.has_ended.wait(WAIT_S)
        assert type(reader.error).__name__ == "Unavailable"
