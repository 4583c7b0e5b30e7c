"""The same calls over HTTP with JSON."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from reprise.domain import errors
from reprise.domain.run import RunDetails
from reprise.domain.states import RunState
from reprise.rpc.http import HttpServer
from reprise.rpc.routes import route_table
from service_double import PARENT, ServiceDouble, TaskLog, make_run

RUNS = f"/v1/{PARENT}/pipelineJobs"
SPEC = {"root": {"dag": {"tasks": {}}}, "schemaVersion": "2.1.0"}


@dataclass
class Rest:
    address: str

    def __call__(
        self, verb: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if data:
            headers.setdefault("Content-Type", "application/json")
        connection.request(verb, path, body=data, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text.decode(), answer

    def fine(self, verb: str, path: str, body: object = None, **headers: str) -> Any:
        status, value, _ = self(verb, path, body, **headers)
        assert status == 200, value
        return value

    def refused(self, verb: str, path: str, body: object = None, **headers: str) -> dict[str, Any]:
        """The `error` of an answer, whose code is that of the answer."""
        status, value, _ = self(verb, path, body, **headers)
        assert status >= 400 and value["error"]["code"] == status, value
        found: dict[str, Any] = value["error"]
        return found

    def problems(self, verb: str, path: str, body: object = None, **headers: str) -> dict[str, str]:
        error = self.refused(verb, path, body, **headers)
        assert error["status"] == "INVALID_ARGUMENT", error
        details = {detail["@type"].rpartition(".")[2]: detail for detail in error["details"]}
        return {
            each.get("field", ""): each["description"] for each in details["BadRequest"]["fieldViolations"]
        }


@pytest.fixture
def rest(service: ServiceDouble) -> Iterator[Rest]:
    server = HttpServer(service, "127.0.0.1:0", PARENT, largest_body_bytes=100_000)  # type: ignore[arg-type]
    server.start()
    yield Rest(server.address)
    server.stop()


def _query(**parameters: str) -> str:
    return urllib.parse.urlencode({name.replace("__", "$"): value for name, value in parameters.items()})


def test_every_annotated_method_has_a_route_and_each_version_its_party() -> None:
    served = {(route.verb, route.template) for route in route_table().routes}
    assert ("POST", "/v1/{parent=projects/*/locations/*}/pipelineJobs") in served
    assert ("POST", "/v1beta1/{name=projects/*/locations/*/pipelineJobs/*}:cancel") in served
    assert ("GET", "/ui/{name=projects/*/locations/*/operations/*}") in served
    assert {route.party for route in route_table().routes if route.template.startswith("/v1beta1/p")} <= {
        "google.cloud.aiplatform.v1beta1"
    }
    assert len({route.method.full_name for route in route_table().routes}) == 21


def test_a_run_is_created_from_the_field_that_is_the_body_and_the_rest_of_the_request_from_the_query(
    rest: Rest, service: ServiceDouble
) -> None:
    answer = rest.fine(
        "POST",
        f"{RUNS}?{_query(pipelineJobId='r9', request_id='q1')}",
        {
            "displayName": "dé",
            "labels": {"team": "a"},
            "pipelineSpec": SPEC,
            "runtimeConfig": {"failurePolicy": 2, "parameterValues": {"n": 3, "x": [0.5, None, "t"]}},
        },
    )
    assert answer["name"] == f"{PARENT}/pipelineJobs/r9"
    assert answer["displayName"] == "dé"
    command = service.commands[0]
    assert (command.job_id, command.request_id) == ("r9", "q1")
    assert command.parameters == {"n": "3", "x": '[0.5,null,"t"]'}
    assert command.failure_policy.name == "FAIL_FAST"
    assert answer["runtimeConfig"]["parameterValues"] == {"n": 3, "x": [0.5, None, "t"]}
    assert answer["pipelineSpec"] == SPEC


def test_proto_names_and_names_of_enums_are_taken_too(rest: Rest, service: ServiceDouble) -> None:
    config = {"failure_policy": "PIPELINE_FAILURE_POLICY_FAIL_SLOW", "gcs_output_directory": "/out"}
    rest.fine("POST", f"{RUNS}?pipeline_job_id=r9", {"pipeline_spec": SPEC, "runtime_config": config})
    assert service.commands[0].output_directory == "/out"


def test_the_header_gives_a_request_id_as_the_metadata_of_grpc_does(
    rest: Rest, service: ServiceDouble
) -> None:
    rest.fine("POST", RUNS, {"pipelineSpec": SPEC}, X_Request_Id="h1")
    assert service.commands[0].request_id == "h1"


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("", "PIPELINE_STATE_RUNNING"),
        (_query(alt="json"), "PIPELINE_STATE_RUNNING"),
        (_query(__alt="json;enum-encoding=int"), 3),
        (_query(__alt="json;enum-encoding=int", key="ignored"), 3),
    ],
)
def test_enums_leave_as_names_or_as_numbers(
    rest: Rest, service: ServiceDouble, query: str, state: object
) -> None:
    service.put(RunDetails(make_run(), b""))
    assert rest.fine("GET", f"{RUNS}/r1?{query}")["state"] == state


def test_other_formats_are_refused(rest: Rest) -> None:
    assert "alt" in rest.problems("GET", f"{RUNS}/r1?alt=proto")


@pytest.mark.parametrize("mask", ["display_name,labels", "displayName,labels"])
def test_a_read_mask_may_be_written_either_way(rest: Rest, service: ServiceDouble, mask: str) -> None:
    service.put(RunDetails(make_run(), b""))
    for name in ("readMask", "read_mask"):
        assert rest.fine("GET", f"{RUNS}/r1?{_query(**{name: mask})}").keys() == {"displayName", "labels"}


def test_a_list_takes_its_arguments_from_the_query(rest: Rest, service: ServiceDouble) -> None:
    service.put(RunDetails(make_run(), b""))
    page = rest.fine(
        "GET", f"{RUNS}?{_query(filter='labels.a=b', pageSize='5', orderBy='create_time', pageToken='t')}"
    )
    assert [run["name"] for run in page["pipelineJobs"]] == [f"{PARENT}/pipelineJobs/r1"]
    assert page["nextPageToken"] == "next"
    query = service.queries[0]
    assert (query.filter, query.page_size, query.order_by, query.page_token) == (
        "labels.a=b",
        5,
        "create_time",
        "t",
    )


def test_cancel_works_with_an_empty_body_with_none_and_with_an_empty_object(
    rest: Rest, service: ServiceDouble
) -> None:
    service.put(RunDetails(make_run(), b""))
    assert rest.fine("POST", f"{RUNS}/r1:cancel", b"") == {}
    # What curl -d "" says of the nothing that it sends.
    assert rest.fine("POST", f"{RUNS}/r1:cancel", b"", Content_Type="application/x-www-form-urlencoded") == {}
    assert rest.fine("POST", f"{RUNS}/r1:cancel") == {}
    assert rest.fine("POST", f"{RUNS}/r1:cancel", {}) == {}


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_an_operation_carries_messages_of_the_version_that_made_it(
    rest: Rest, service: ServiceDouble, version: str
) -> None:
    package = f"type.googleapis.com/google.cloud.aiplatform.{version}"
    service.put(RunDetails(make_run(state=RunState.FAILED, warnings=("w",)), b""))
    names = [f"{PARENT}/pipelineJobs/r1"]
    made = rest.fine("POST", f"/{version}/{PARENT}/pipelineJobs:batchCancel", {"names": names})
    assert made["metadata"]["@type"] == f"{package}.BatchCancelPipelineJobsOperationMetadata"
    assert "createTime" in made["metadata"]["genericMetadata"]
    deleted = rest.fine("POST", f"/{version}/{PARENT}/pipelineJobs:batchDelete", {"names": names})
    assert deleted["done"] is True
    response = deleted["response"]
    assert response["@type"] == f"{package}.BatchDeletePipelineJobsResponse"
    assert response["pipelineJobs"][0]["name"] == names[0]
    # Google's clients read operations strictly: what their types do not have would be an error there.
    assert "targets" not in made["metadata"] and "warnings" not in response["pipelineJobs"][0]
    for prefix in ("v1", "v1beta1", "ui"):
        assert rest.fine("GET", f"/{prefix}/{deleted['name']}") == deleted


def test_operations_are_listed_waited_for_cancelled_and_deleted(rest: Rest, service: ServiceDouble) -> None:
    service.put(RunDetails(make_run(state=RunState.FAILED), b""))
    name = rest.fine("DELETE", f"{RUNS}/r1")["name"]
    assert [each["name"] for each in rest.fine("GET", f"/v1/{PARENT}/operations")["operations"]] == [name]
    waited = rest.fine("POST", f"/ui/{name}:wait?timeout=1.5s")
    assert waited["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert rest.fine("POST", f"/ui/{name}:cancel") == {}
    assert rest.fine("DELETE", f"/v1/{name}") == {}
    assert rest.refused("GET", f"/v1/{name}")["status"] == "NOT_FOUND"


def test_a_rerun_and_its_plan_are_asked_for_by_their_own_paths(rest: Rest, service: ServiceDouble) -> None:
    body = {
        "taskConfigs": [{"taskId": "2", "inputs": {"parameterValues": {"n": 1}}}],
        "parameterValues": {"a": 1},
    }
    rest.fine("POST", f"{RUNS}/r1:rerun", body)
    assert service.commands[0].original_name == f"{PARENT}/pipelineJobs/r1"
    assert rest.fine("POST", f"{RUNS}/r1:planRerun", {"rerun": body, "pageSize": 3})["etag"] == "etag1"
    assert service.commands[1].configs == service.commands[0].configs


def test_a_log_is_an_array_of_pieces(rest: Rest, service: ServiceDouble, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"printed\n" * 20_000)
    service.log = TaskLog(log, 1, is_complete=True)
    pieces = rest.fine("GET", f"{RUNS}/r1:taskLog?task=a.b&offset=8")
    assert len(pieces) == 4
    assert pieces[0]["offset"] == "8" and pieces[-1]["isComplete"] is True
    assert "task" in rest.problems("GET", f"{RUNS}/r1:taskLog")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"displayNam": "x"}, "pipeline_job.displayNam"),
        (
            {"runtimeConfig": {"parameterValues": {}, "nothing": 1}},
            "pipeline_job.runtime_config.nothing",
        ),
        ({"pipelineTaskRerunConfigs": [{"id": 1}]}, "pipeline_job.pipeline_task_rerun_configs[0].id"),
        ({"displayName": 3}, "pipeline_job.display_name"),
        ({"displayName": "\ud800"}, "pipeline_job.display_name"),
        ({"runtimeConfig": {"failurePolicy": "NONE"}}, "pipeline_job.runtime_config.failure_policy"),
        ({"labels": ["a"]}, "pipeline_job.labels"),
        ({"originalPipelineJobId": 2**70}, "pipeline_job.original_pipeline_job_id"),
        ({"createTime": "yesterday"}, "pipeline_job.create_time"),
    ],
)
def test_what_a_body_should_not_have_is_refused_by_name(rest: Rest, body: dict[str, Any], field: str) -> None:
    assert list(rest.problems("POST", RUNS, {"pipelineSpec": SPEC, **body})) == [field]


def test_a_whole_number_that_a_double_cannot_hold_is_refused_where_it_would_become_another(
    rest: Rest, service: ServiceDouble
) -> None:
    big = 2**53 + 1
    for config in ({"parameterValues": {"n": big}}, {"parameterValues": {"n": [{"m": -big}]}}):
        body = {"pipelineSpec": SPEC, "runtimeConfig": config}
        assert list(rest.problems("POST", RUNS, body)) == ["pipeline_job.runtime_config.parameter_values"]
    assert list(rest.problems("POST", RUNS, {"pipelineSpec": {"a": big}})) == ["pipeline_job.pipeline_spec"]
    # Where the field itself is a whole number it is exact.
    rest.fine("POST", RUNS, {"originalPipelineJobId": big, "pipelineSpec": SPEC})
    assert service.commands[0].original_id == big


def test_a_followed_log_is_sent_as_it_grows(rest: Rest, service: ServiceDouble, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first")
    service.log = TaskLog(log, 1, is_complete=False)
    connection = http.client.HTTPConnection(rest.address, timeout=10)
    connection.request("GET", f"{RUNS}/r1:taskLog?task=a&follow=true")
    answer = connection.getresponse()
    assert b'"Zmlyc3Q="' in answer.read1()
    service.log = TaskLog(log, 1, is_complete=True)
    assert answer.read().endswith(b"]\n")
    connection.close()


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b"nonsense",
        b'"text"',
        b"\xff",
        b'{"displayName": "a", "displayName": "b"}',
        b'{"pipelineSpec": {"a": NaN}}',
        b'{"pipelineSpec": {"a": 1e999}}',
        b'{"pipelineSpec": ' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"}",
        b"[" * 90_000,
        b'{"labels": 5}',
        b'{"pipelineTaskRerunConfigs": {"a": 5}}',
        b'{"runtimeConfig": 5}',
        b'{"error": "\\ud800"}',
        b'{"displayName": "\\uDFFF"}',
    ],
)
def test_a_body_that_is_no_request_is_an_invalid_argument(rest: Rest, body: bytes) -> None:
    assert rest.refused("POST", RUNS, body)["status"] == "INVALID_ARGUMENT"


def test_a_body_of_another_type_is_refused(rest: Rest) -> None:
    error = rest.refused("POST", RUNS, b"{}", Content_Type="text/plain")
    assert "application/json" in error["message"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=red", "colour"),
        ("parent=projects/x/locations/y", "parent"),
        ("pageSize=many", "page_size"),
        ("pageSize=1&pageSize=2", "page_size"),
        ("pageSize.x=1", "pageSize.x"),
        ("readMask.paths=name", "readMask.paths"),
        ("filter=%ff", ""),
    ],
)
def test_what_a_query_should_not_have_is_refused_by_name(rest: Rest, query: str, field: str) -> None:
    assert list(rest.problems("GET", f"{RUNS}?{query}")) == [field]


def test_the_fields_of_a_whole_body_are_not_taken_from_the_query(rest: Rest) -> None:
    assert "names" in rest.problems("POST", f"{RUNS}:batchCancel?names=a", {})
    assert "parent" in rest.problems("POST", f"{RUNS}:batchCancel", {"parent": "projects/o/locations/l"})
    assert "pipeline_job.display_name" in rest.problems("POST", f"{RUNS}?pipelineJob.displayName=x", {})


def test_errors_have_the_form_of_googles_servers(rest: Rest, service: ServiceDouble) -> None:
    error = rest.refused("GET", f"{RUNS}/none")
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    info = error["details"][0]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["reason"] == "RESOURCE_NOT_FOUND" and info["metadata"]["name"].endswith("/none")
    service.put(RunDetails(make_run(), b""))
    for failure, code in (
        (errors.AlreadyExists(), 409),
        (errors.FailedPrecondition(), 400),
        (errors.Aborted(), 409),
        (errors.Unavailable(), 503),
        (errors.ResourceExhausted(), 429),
        (errors.PermissionDenied(), 403),
        (errors.Unimplemented(), 501),
    ):
        service.failure = failure
        assert rest.refused("GET", f"{RUNS}/r1")["code"] == code


def test_the_text_of_an_unforeseen_failure_stays_inside(rest: Rest, service: ServiceDouble) -> None:
    service.failure = RuntimeError("the secret")
    error = rest.refused("GET", f"{RUNS}/r1")
    assert (error["code"], error["status"]) == (500, "INTERNAL")
    assert "secret" not in json.dumps(error)


@pytest.mark.parametrize(
    ("verb", "path", "code"),
    [
        ("GET", "/v1/projects/p/locations/l/nothing", 404),
        ("GET", "/v1/", 404),
        ("GET", f"{RUNS}/r1:nothing", 404),
        ("GET", f"{RUNS}/r1/more", 404),
        ("GET", f"{RUNS}/", 404),
        ("POST", "/v2/projects/p/locations/l/pipelineJobs", 404),
        ("PUT", RUNS, 405),
        ("GET", f"{RUNS}/r1:cancel", 405),
        ("PATCH", f"{RUNS}/r1", 405),
        ("TRACE", f"{RUNS}/r1", 405),
        ("OPTIONS", RUNS, 405),
        ("BREW", f"{RUNS}:batchCancel", 405),
    ],
)
def test_what_is_not_in_the_table_is_said_not_to_be(rest: Rest, verb: str, path: str, code: int) -> None:
    assert rest.refused(verb, path)["code"] == code


def test_a_probe_may_ask_for_the_head_alone(rest: Rest) -> None:
    status, text, answer = rest("HEAD", "/healthz")
    assert (status, text, answer.getheader("Content-Length")) == (200, "", "3")
    connection = http.client.HTTPConnection(rest.address, timeout=10)
    connection.request("HEAD", RUNS)
    answer = connection.getresponse()
    assert answer.status == 405 and answer.getheader("Allow") == "GET, POST" and answer.read() == b""
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n", "nothing was left on the connection"
    connection.close()


def test_a_path_that_is_known_says_which_methods_it_answers(rest: Rest) -> None:
    _, _, answer = rest("DELETE", RUNS)
    assert answer.getheader("Allow") == "GET, POST"


def test_an_encoded_name_is_decoded(rest: Rest, service: ServiceDouble) -> None:
    service.put(RunDetails(make_run(), b""))
    rest.fine("GET", RUNS.replace("/p/", "/%70/") + "/r%31")


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
@pytest.mark.parametrize(
    ("verb", "path"), [("GET", RUNS), ("POST", f"{RUNS}/r1:cancel"), ("DELETE", f"{RUNS}/r1")]
)
def test_a_foreign_page_cannot_call(
    rest: Rest, service: ServiceDouble, verb: str, path: str, header: dict[str, str]
) -> None:
    service.put(RunDetails(make_run(state=RunState.FAILED), b""))
    status, _, answer = rest(verb, path, **header)
    assert status == 403
    assert answer.getheader("Access-Control-Allow-Origin") is None
    assert not service.queries and not service.operations


def test_a_body_over_the_limit_is_refused_before_it_is_read(rest: Rest) -> None:
    fits = json.dumps({"displayName": "x" * 70_000}).encode()
    assert rest.refused("POST", RUNS, fits)["status"] == "INVALID_ARGUMENT"
    assert rest.refused("POST", RUNS, b" " * 100_000 + b"x")["status"] == "RESOURCE_EXHAUSTED"
    for length in ("-1", "many", "9" * 5000):
        assert rest.refused("POST", RUNS, Content_Length=length)["code"] in (400, 429)
    assert rest.refused("POST", RUNS, b"", Transfer_Encoding="chunked")["code"] == 400


def test_several_calls_go_over_one_connection(rest: Rest, service: ServiceDouble) -> None:
    service.put(RunDetails(make_run(), b""))
    connection = http.client.HTTPConnection(rest.address, timeout=10)
    for _ in range(3):
        connection.request(
            "POST", f"{RUNS}/r1:cancel", body=b"{}", headers={"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())) == (200, {})
        assert answer.getheader("Connection") is None
    connection.close()


def test_a_server_that_stops_refuses_what_still_comes(service: ServiceDouble) -> None:
    server = HttpServer(service, "127.0.0.1:0", PARENT)  # type: ignore[arg-type]
    server.start()
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("GET", RUNS)
    connection.getresponse().read()
    server.stop()
    connection.request("GET", RUNS)
    assert connection.getresponse().status == 503
    connection.close()


def test_too_many_calls_at_once_are_refused(service: ServiceDouble) -> None:
    server = HttpServer(service, "127.0.0.1:0", PARENT, most_calls=0)  # type: ignore[arg-type]
    server.start()
    assert Rest(server.address).refused("GET", RUNS)["status"] == "RESOURCE_EXHAUSTED"
    server.stop()


def test_the_description_has_every_route_and_no_loose_end(rest: Rest) -> None:
    described = rest.fine("GET", "/openapi.json")
    assert described["openapi"].startswith("3.")
    operations = [each for path in described["paths"].values() for each in path.values()]
    assert len(operations) == len(route_table().routes)
    assert len({each["operationId"] for each in operations}) == len(operations)
    create = described["paths"]["/v1/projects/{project}/locations/{location}/pipelineJobs"]["post"]
    assert {each["name"] for each in create["parameters"]} >= {"project", "location", "pipelineJobId"}
    schemas = described["components"]["schemas"]
    assert schemas["google.protobuf.Value"] == {}
    assert schemas["reprise.v1.PipelineJob"]["properties"]["displayName"] == {"type": "string"}

    def references(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    assert {each.removeprefix("#/components/schemas/") for each in references(described)} <= schemas.keys()
