"""What a caller is told when something goes wrong."""

from __future__ import annotations

import logging

import grpc
import pytest
from conftest import V1, Caller
from google.rpc.code_pb2 import Code
from reprise.domain import errors
from reprise.domain.errors import FieldProblem, InvalidArgument, RepriseError
from reprise.pb.v1 import pipeline_service_pb2
from reprise.rpc.errors import CODES, status_of
from service_double import PARENT, ServiceDouble

GET = f"{V1}/GetPipelineJob"
REQUEST = pipeline_service_pb2.GetPipelineJobRequest(name=f"{PARENT}/pipelineJobs/r1")


def every_class(base: type[RepriseError] = RepriseError) -> list[type[RepriseError]]:
    return [each for kind in base.__subclasses__() for each in (kind, *every_class(kind))]


@pytest.mark.parametrize("kind", [kind for kind in every_class() if kind.__module__ == errors.__name__])
def test_every_error_of_the_domain_has_a_code_and_a_reason(kind: type[RepriseError]) -> None:
    assert kind in CODES
    assert kind.reason != RepriseError.reason


def test_a_domain_error_arrives_with_its_reason_and_metadata(call: Caller, service: ServiceDouble) -> None:
    service.failure = errors.FailedPrecondition("it runs", {"state": "RUNNING"})
    refusal = call.refused(GET, REQUEST)
    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.message == "it runs"
    assert (refusal.info.reason, refusal.info.domain) == ("STATE_DOES_NOT_ALLOW", "reprise")
    assert refusal.info.metadata == {"state": "RUNNING"}


def test_an_unforeseen_exception_keeps_its_text_to_the_log(
    call: Caller, service: ServiceDouble, caplog: pytest.LogCaptureFixture
) -> None:
    service.failure = RuntimeError("a secret")
    with caplog.at_level(logging.ERROR, "reprise.rpc"):
        refusal = call.refused(GET, REQUEST)
    assert refusal.code is grpc.StatusCode.INTERNAL
    opaque_id = refusal.info.metadata["id"]
    assert opaque_id in refusal.message
    assert "secret" not in refusal.message
    assert opaque_id in caplog.text
    assert "a secret" in caplog.text


def test_a_plain_base_error_is_unforeseen() -> None:
    assert status_of(RepriseError("x")).code == Code.INTERNAL


@pytest.mark.parametrize("text", ["x" * 20_000, "ü\u4e2d" * 10_000, "line\nline\n" * 3000])
def test_a_status_with_very_much_to_tell_still_arrives(
    call: Caller, service: ServiceDouble, text: str
) -> None:
    problems = [FieldProblem(f"f{index}.{text[:50]}", text) for index in range(2000)]
    service.failure = InvalidArgument(problems, {str(index): text for index in range(100)})
    refusal = call.refused(GET, REQUEST)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.info.reason == "INVALID_ARGUMENT"
    assert any("more" in description for description in refusal.violations.values())


def test_a_method_that_is_not_served_is_unimplemented(call: Caller) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(f"{V1}/CreateTrainingPipeline", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", "r1", "projects/p/locations/l", "projects//locations/l/pipelineJobs/x"])
def test_a_malformed_name_is_told_with_its_field(call: Caller, name: str) -> None:
    refusal = call.refused(GET, pipeline_service_pb2.GetPipelineJobRequest(name=name))
    assert list(refusal.violations) == ["name"]
