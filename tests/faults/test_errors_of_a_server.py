"""What a caller of a whole server is told when something goes wrong, for every reason there is (I-22)."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from reprise.client import CallError, Client
from reprise.domain import errors
from reprise.domain.authorization import Caller, Permission
from reprise.domain.errors import RepriseError
from reprise.domain.names import Parent
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import rerun_pb2 as reruns
from reprise.pb.v1.pipeline_job_pb2 import PipelineJob
from reprise.store.open import open_store

from . import workload
from .scripted import ScriptedHost, address_on

_V1 = "/reprise.v1.PipelineService"
# What no caller of an RPC comes to see, or where it is shown.
_ELSEWHERE = {
    errors.FenceLost.reason: "the scheduler's own",
    errors.DataDirInUse.reason: "when a server starts",
    errors.IllegalMove.reason: "the scheduler's own",
    errors.ResourceExhausted.reason: "on a full disk and a full server: test_full_disk.py, tests/rpc/test_limits.py",
    errors.Unimplemented.reason: "over HTTP: tests/rpc/test_rest.py",
    errors.DeadlineExceeded.reason: "in the queue of a server that is full: tests/rpc/test_limits.py",
}


class Doorkeeper:
    """Asks for a name, and lets nobody into the project `locked`."""

    def authorize(self, caller: Caller, permission: Permission, parent: Parent) -> None:
        if parent.project == "locked":
            raise errors.PermissionDenied(f"{permission} is not yours")
        if parent.project == "named" and "name" not in caller.metadata:
            raise errors.Unauthenticated("say who you are")


@dataclass
class Door:
    address: str
    data_dir: Path
    host: ScriptedHost

    def __post_init__(self) -> None:
        self.client = Client(self.address, outage_s=0.0)
        self.channel = grpc.insecure_channel(self.address)

    def close(self) -> None:
        self.client.close()
        self.channel.close()

    def request(self, job_id: str, **tasks: Any) -> service.CreatePipelineJobRequest:
        request = workload.create_request(self.client.parent, job_id, workload.commands(tasks or {"a": ()}))
        request.request_id = ""
        return request

    def create(
        self, request: service.CreatePipelineJobRequest, metadata: tuple[tuple[str, str], ...] = ()
    ) -> PipelineJob:
        call = self.channel.unary_unary(
            f"{_V1}/CreatePipelineJob",
            request_serializer=service.CreatePipelineJobRequest.SerializeToString,
            response_deserializer=PipelineJob.FromString,
        )
        job: PipelineJob = call(request, metadata=metadata, timeout=60)
        return job

    def held(self, job_id: str) -> int:
        """A run that is running; its id."""
        run_id = workload.run_id_of(self.client.create(self.request(job_id)))
        self.host.await_start(run_id, "a")
        return run_id

    def ended(self, job_id: str) -> int:
        run_id = self.held(job_id)
        self.host.end(run_id, "a")
        self.client.wait(job_id, 30)
        return run_id


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setattr(
        "reprise.main.open_store", lambda place, now_ns: open_store(place, busy_timeout_s=0.05)
    )
    host = ScriptedHost()
    with address_on(host, tmp_path / "data", Doorkeeper()) as address:
        door = Door(address, tmp_path / "data", host)
        yield door
        door.close()


def _rerun(door: Door, job_id: str, **more: Any) -> None:
    door.client.rerun(reruns.RerunPipelineJobRequest(name=door.client.run_name(job_id), **more))


def _bad_field(door: Door) -> None:
    door.client.create(door.request("NOT AN ID"))


def _request_id_of_another(door: Door) -> None:
    for job_id in ("one", "two"):
        request = door.request(job_id)
        request.request_id = "the-same"
        door.client.create(request)


def _missing(door: Door) -> None:
    door.client.get("missing")


def _taken(door: Door) -> None:
    door.client.create(door.request("taken"))
    door.client.create(door.request("taken", a=(), b=()))


def _active(door: Door) -> None:
    door.held("active")
    door.client.delete("active")


def _outdated(door: Door) -> None:
    door.ended("original")
    _rerun(door, "original", etag="of-another-time")


def _locked_store(door: Door) -> None:
    holder = sqlite3.connect(door.data_dir / "reprise.db")
    holder.isolation_level = None
    holder.execute("BEGIN IMMEDIATE")
    try:
        door.client.create(door.request("refused"))
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def _forbidden(door: Door) -> None:
    _get_of(door, "locked")


def _unknown_caller(door: Door) -> None:
    _get_of(door, "named")


def _get_of(door: Door, project: str) -> None:
    other = Client(door.address, project=project, outage_s=0.0)
    try:
        other.get("any")
    finally:
        other.close()


_CASES: dict[str, tuple[str, Callable[[Door], None]]] = {
    errors.InvalidArgument.reason: ("INVALID_ARGUMENT", _bad_field),
    errors.RequestIdReused.reason: ("INVALID_ARGUMENT", _request_id_of_another),
    errors.NotFound.reason: ("NOT_FOUND", _missing),
    errors.AlreadyExists.reason: ("ALREADY_EXISTS", _taken),
    errors.FailedPrecondition.reason: ("FAILED_PRECONDITION", _active),
    errors.Aborted.reason: ("ABORTED", _outdated),
    errors.Unavailable.reason: ("UNAVAILABLE", _locked_store),
    errors.PermissionDenied.reason: ("PERMISSION_DENIED", _forbidden),
    errors.Unauthenticated.reason: ("UNAUTHENTICATED", _unknown_caller),
}


def test_every_reason_has_a_case_or_is_shown_elsewhere() -> None:
    def below(kind: type[RepriseError]) -> set[str]:
        return {each.reason for each in kind.__subclasses__() if each.__module__ == errors.__name__}.union(
            *(below(each) for each in kind.__subclasses__())
        )

    assert below(RepriseError) == {*_CASES, *_ELSEWHERE}


@pytest.mark.parametrize("reason", list(_CASES))
def test_a_caller_is_told_the_code_and_the_reason(door: Door, reason: str) -> None:
    code, provoke = _CASES[reason]
    with pytest.raises(CallError) as refused:
        provoke(door)
    assert (refused.value.code, refused.value.reason) == (code, reason), refused.value
    assert refused.value.message and "Traceback" not in refused.value.message


def test_a_name_that_is_taken_says_whether_the_request_was_the_same(door: Door) -> None:
    door.client.create(door.request("once"))
    for tasks, is_same in (({}, "true"), ({"b": ()}, "false")):
        with pytest.raises(CallError) as refused:
            door.client.create(door.request("once", **tasks))
        assert refused.value.metadata["same_request"] == is_same


def test_a_request_id_in_the_metadata_makes_create_and_rerun_repeatable_over_a_restart(
    tmp_path: Path,
) -> None:
    host, made = ScriptedHost(), set()
    again = set()
    for _ in range(2):
        with address_on(host, tmp_path / "data") as address:
            door = Door(address, tmp_path / "data", host)
            try:
                for _ in range(2):
                    made.add(
                        workload.run_id_of(door.create(door.request("named"), (("x-request-id", "one"),)))
                    )
                [run_id] = made
                if not host.begun(run_id):
                    host.await_start(run_id, "a")
                host.end(run_id, "a")
                door.client.wait("named", 30)
                for _ in range(2):
                    # Vertex's clients ask for a rerun by Create, without an id for the new run.
                    request = door.request("")
                    request.pipeline_job.original_pipeline_job_id = run_id
                    again.add(workload.run_id_of(door.create(request, (("x-request-id", "two"),))))
                with pytest.raises(grpc.RpcError) as refused:
                    door.create(door.request("other"), (("x-request-id", "one"),))
                assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]
            finally:
                door.close()
    assert len(made) == len(again) == 1
    assert made.isdisjoint(again)


def test_what_is_unforeseen_reaches_a_caller_as_an_opaque_id_that_is_in_the_log(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("a secret of the server")

    monkeypatch.setattr("reprise.store.sql.SqlStore.get_details", fails)
    monkeypatch.setattr("reprise.store.sql.SqlStore.request_cancel", fails)
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: door.client.get("any"),
        "cancel": lambda: door.client.cancel("any"),
    }
    for call in calls.values():
        with caplog.at_level(logging.ERROR), pytest.raises(CallError) as refused:
            call()
        assert (refused.value.code, refused.value.reason) == ("INTERNAL", "INTERNAL")
        opaque_id = refused.value.metadata["id"]
        assert opaque_id in refused.value.message and opaque_id in caplog.text
        assert "secret" not in refused.value.message and "ZeroDivision" not in refused.value.message
        assert "a secret of the server" in caplog.text


def test_an_error_carries_the_details_that_google_s_clients_read(door: Door) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        door.create(door.request("NOT AN ID"))
    [packed] = [value for key, value in refused.value.trailing_metadata() if key == "grpc-status-details-bin"]  # type: ignore[attr-defined]
    status = status_pb2.Status.FromString(packed)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info) and status.details[1].Unpack(bad)
    assert (info.domain, info.reason) == ("reprise", "INVALID_ARGUMENT")
    assert [each.field for each in bad.field_violations] == ["pipeline_job_id"]
