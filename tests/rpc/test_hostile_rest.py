"""Requests that are nearly right, by the thousand: each is answered, and none is a failure of the server's own."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from reprise.domain.run import RunDetails
from reprise.domain.states import RunState
from reprise.pb.v1 import pipeline_service_pb2
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.json_requests import Request
from reprise.rpc.rest import Gateway
from reprise.rpc.task_log import LogReader
from service_double import PARENT, ServiceDouble, make_run

_CALLS = 1500
_VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2**31, 2**63, 2**64, 1.5, 1e300, True, None),
    *("", "x", "\ud800", "\x00", "3", "name,state", "2020-01-01T00:00:00Z", "PIPELINE_STATE_FAILED"),
    *([], {}, [1], [[]], [None], {"a": 1}, {"": None}, {"fields": {}}),
)
_PATHS = (
    *("pipelineJobs", "pipelineJobs:batchCancel", "pipelineJobs:batchDelete", "pipelineJobs/r1"),
    *(f"pipelineJobs/r1:{verb}" for verb in ("cancel", "rerun", "planRerun", "taskLog", "watch")),
    "pipelineJobs/r1/tasks",
    *("operations", "operations/1", "operations/1:cancel", "operations/1:wait"),
)
_NAMES = (
    *("pageSize", "filter", "readMask", "read_mask.paths", "alt", "$alt", "pipelineJobId", "orderBy", "task"),
    *("timeout", "offset", "follow", "parent", "pipelineJob.displayName", "pipelineJob.createTime"),
    *("pipelineJob.runtimeConfig.defaultRuntime.x", "%00", ".", "a..b", ""),
)
_TEXTS = (
    *("1", "-1", "x", "", "true", "name,state", "json", "json;enum-encoding=int", "99999999999999999999"),
    *("1s", "-5s", "9999999999999s", "%ff", "%00", "nan", "2020-01-01T00:00:00Z", "a.b.c,*", "*"),
)
_SERVICE = pipeline_service_pb2.DESCRIPTOR.services_by_name["PipelineService"]
_KINDS = (
    *(method.input_type for method in _SERVICE.methods),
    *(method.output_type for method in _SERVICE.methods[:1]),
)


def _body(chance: random.Random, kind: Any, depth: int = 0) -> dict[str, Any]:
    """Fields that the message has, mostly with values that they do not have."""
    made: dict[str, Any] = {"unknown": 1} if chance.random() < 0.05 else {}
    for field in chance.sample(list(kind.fields), min(len(kind.fields), chance.randint(0, 4))):
        name = chance.choice((field.name, field.json_name))
        inner = field.message_type
        if inner is None or depth > 4 or chance.random() < 0.4:
            made[name] = chance.choice(_VALUES)
        elif inner.GetOptions().map_entry:
            value = inner.fields_by_name["value"].message_type
            made[name] = {"a": _body(chance, value, depth + 1) if value else chance.choice(_VALUES)}
        else:
            one = _body(chance, inner, depth + 1)
            made[name] = [one] if field.is_repeated else one
    return made


def rest_request(chance: random.Random, parent: object = PARENT) -> Request:
    """A call that is nearly one of the API's."""
    path = f"/{chance.choice(('v1', 'v1beta1', 'ui'))}/{parent}/{chance.choice(_PATHS)}"
    if chance.random() < 0.1:
        place = chance.randrange(len(path))
        path = path[:place] + chance.choice(("%", "%ff", "//", ":", "\xff", "*", "%2F")) + path[place + 1 :]
    query = "&".join(
        f"{chance.choice(_NAMES)}={chance.choice(_TEXTS)}" for _ in range(chance.choice((0, 0, 1, 2)))
    )
    body = b""
    if chance.random() < 0.7:
        body = json.dumps(_body(chance, chance.choice(_KINDS))).encode()
        if chance.random() < 0.1:
            place = chance.randrange(len(body))
            body = body[:place] + chance.randbytes(1) + body[place + 1 :]
    verb = chance.choice(("GET", "POST", "POST", "DELETE"))
    return Request(verb, f"{path}?{query}" if query else path, "application/json", body)


@pytest.mark.parametrize("seed", range(4))
def test_nearly_right_requests_are_answered_and_never_fail_inside(service: ServiceDouble, seed: int) -> None:
    service.put(RunDetails(make_run(state=RunState.SUCCEEDED), b""))  # a watch of it comes to an end
    gateway = Gateway(PipelineHandlers(service, LogReader()), OperationHandlers(service))  # type: ignore[arg-type]
    chance, statuses = random.Random(seed), Counter[int]()
    for _ in range(_CALLS):
        request = rest_request(chance)
        answer = gateway.answer(request)
        json.loads(b"".join(answer.pieces))
        statuses[answer.status] += 1
        assert answer.status in (200, 400, 404, 405), (request, answer)
    assert min(statuses[200], statuses[400]) > 10, statuses
