"""Operations: payloads of the caller's package, batches checked as a whole, google.longrunning."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from conftest import OPERATIONS, REPRISE, V1, V1BETA1, Caller
from google.longrunning import operations_proto_pb2 as longrunning
from google.protobuf import duration_pb2, empty_pb2
from reprise.domain.run import Failure, OperationTarget, Party, RunDetails
from reprise.domain.states import RunState
from reprise.pb.v1 import operations_pb2, pipeline_service_pb2, pipeline_state_pb2
from service_double import PARENT, ServiceDouble, make_run

NAME = f"{PARENT}/pipelineJobs/r1"
PARTIES = [(REPRISE, Party.REPRISE), (V1, Party.VERTEX_V1), (V1BETA1, Party.VERTEX_V1BETA1)]


@pytest.fixture(autouse=True)
def stored(service: ServiceDouble) -> None:
    service.put(RunDetails(make_run(state=RunState.CANCELLED), b""))


@pytest.mark.parametrize(("service_name", "party"), PARTIES)
def test_the_payloads_are_of_the_package_that_the_call_came_in_by(
    call: Caller, service: ServiceDouble, service_name: str, party: Party
) -> None:
    request = pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT), names=[NAME])
    operation = call(f"{service_name}/BatchCancelPipelineJobs", request, longrunning.Operation)
    assert not operation.done
    prefix = f"type.googleapis.com/{party}."
    assert operation.metadata.type_url == f"{prefix}BatchCancelPipelineJobsOperationMetadata"
    target = OperationTarget(NAME, 7, "cancelled", RunState.CANCELLED)
    service.operations[1] = replace(service.operations[1], is_done=True, targets=[target])
    operation = call(
        f"{OPERATIONS}/GetOperation",
        longrunning.GetOperationRequest(name=operation.name),
        longrunning.Operation,
    )
    assert operation.done
    assert operation.response.type_url == f"{prefix}BatchCancelPipelineJobsResponse"
    response = operations_pb2.BatchCancelPipelineJobsResponse.FromString(operation.response.value)
    assert [job.name for job in response.pipeline_jobs] == [NAME]
    metadata = operations_pb2.BatchCancelPipelineJobsOperationMetadata.FromString(operation.metadata.value)
    [shown] = metadata.targets
    assert (shown.name, shown.outcome) == (NAME, operations_pb2.OperationTarget.CANCELLED)
    assert shown.state == pipeline_state_pb2.PIPELINE_STATE_CANCELLED
    assert metadata.generic_metadata.HasField("create_time")


def test_delete_answers_a_finished_operation_with_nothing_in_it(call: Caller) -> None:
    operation = call(
        f"{V1}/DeletePipelineJob",
        pipeline_service_pb2.DeletePipelineJobRequest(name=NAME),
        longrunning.Operation,
    )
    assert operation.done
    assert operation.response.Is(empty_pb2.Empty.DESCRIPTOR)
    assert operation.metadata.type_url.endswith("aiplatform.v1.DeleteOperationMetadata")


def test_batch_delete_lists_the_runs_that_are_gone(call: Caller) -> None:
    operation = call(
        f"{V1}/BatchDeletePipelineJobs",
        pipeline_service_pb2.BatchDeletePipelineJobsRequest(parent=str(PARENT), names=[NAME]),
        longrunning.Operation,
    )
    assert operation.response.type_url.endswith("aiplatform.v1.BatchDeletePipelineJobsResponse")
    response = operations_pb2.BatchDeletePipelineJobsResponse.FromString(operation.response.value)
    assert [job.name for job in response.pipeline_jobs] == [NAME]


def test_a_failed_operation_has_an_error_and_no_response(call: Caller, service: ServiceDouble) -> None:
    call(f"{V1}/DeletePipelineJob", pipeline_service_pb2.DeletePipelineJobRequest(name=NAME))
    service.operations[1] = replace(service.operations[1], error=Failure(9, "why"))
    name = f"{PARENT}/operations/1"
    operation = call(
        f"{OPERATIONS}/GetOperation", longrunning.GetOperationRequest(name=name), longrunning.Operation
    )
    assert operation.WhichOneof("result") == "error"
    assert (operation.error.code, operation.error.message) == (9, "why")


@pytest.mark.parametrize("method", ["BatchCancelPipelineJobs", "BatchDeletePipelineJobs"])
def test_bad_names_of_a_batch_are_told_all_at_once(call: Caller, service: ServiceDouble, method: str) -> None:
    names = [NAME, "nonsense", "projects/other/locations/l/pipelineJobs/x", NAME]
    request = pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT), names=names)
    refusal = call.refused(f"{V1}/{method}", request)
    assert set(refusal.violations) == {"names[1]", "names[2]"}
    assert not service.operations


def test_a_batch_of_nothing_or_of_too_much_is_refused(call: Caller) -> None:
    method = f"{V1}/BatchCancelPipelineJobs"
    request = pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT))
    assert "names" in call.refused(method, request).violations
    request.names.extend(f"{PARENT}/pipelineJobs/r{number}" for number in range(1001))
    assert "names" in call.refused(method, request).violations


def test_a_repeated_name_counts_once(call: Caller, service: ServiceDouble) -> None:
    request = pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT), names=[NAME] * 40)
    call(f"{V1}/BatchCancelPipelineJobs", request)
    assert len(service.operations[1].targets) == 1


def test_cancel_answers_nothing(call: Caller) -> None:
    request = pipeline_service_pb2.CancelPipelineJobRequest(name=NAME)
    assert call(f"{V1}/CancelPipelineJob", request) == b""


def test_operations_are_listed_deleted_and_then_unknown(call: Caller) -> None:
    call(f"{V1}/DeletePipelineJob", pipeline_service_pb2.DeletePipelineJobRequest(name=NAME))
    listed = call(
        f"{OPERATIONS}/ListOperations",
        longrunning.ListOperationsRequest(name=str(PARENT)),
        longrunning.ListOperationsResponse,
    )
    [operation] = listed.operations
    call(f"{OPERATIONS}/CancelOperation", longrunning.CancelOperationRequest(name=operation.name))
    call(f"{OPERATIONS}/DeleteOperation", longrunning.DeleteOperationRequest(name=operation.name))
    refusal = call.refused(f"{OPERATIONS}/GetOperation", longrunning.GetOperationRequest(name=operation.name))
    assert refusal.code is grpc.StatusCode.NOT_FOUND


def test_wait_answers_at_once_for_what_is_done_and_after_the_timeout_for_what_is_not(call: Caller) -> None:
    call(f"{V1}/DeletePipelineJob", pipeline_service_pb2.DeletePipelineJobRequest(name=NAME))
    request = pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT), names=[NAME])
    call(f"{V1}/BatchCancelPipelineJobs", request)
    for number, is_done in ((1, True), (2, False)):
        operation = call(
            f"{OPERATIONS}/WaitOperation",
            longrunning.WaitOperationRequest(
                name=f"{PARENT}/operations/{number}", timeout=duration_pb2.Duration(nanos=10**6)
            ),
            longrunning.Operation,
        )
        assert operation.done is is_done


def test_a_negative_timeout_is_refused(call: Caller) -> None:
    request = longrunning.WaitOperationRequest(
        name=f"{PARENT}/operations/1", timeout=duration_pb2.Duration(seconds=-1)
    )
    assert list(call.refused(f"{OPERATIONS}/WaitOperation", request).violations) == ["timeout"]
