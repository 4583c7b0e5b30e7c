"""Plans, explanations and the cache over REST, from a real server."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any

import pytest
from reprise.client import Client, create_request, parse_pipeline
from served import Served

_SPEC = {
    "pipelineInfo": {"name": "over-rest"},
    "schemaVersion": "2.1.0",
    "root": {
        "inputDefinitions": {"parameters": {"x": {"parameterType": "STRING"}}},
        "dag": {
            "tasks": {
                "a": {
                    "componentRef": {"name": "comp-a"},
                    "taskInfo": {"name": "a"},
                    "inputs": {"parameters": {"x": {"componentInputParameter": "x"}}},
                    "cachingOptions": {"enableCache": True},
                }
            }
        },
    },
    "components": {
        "comp-a": {
            "executorLabel": "exec-a",
            "inputDefinitions": {"parameters": {"x": {"parameterType": "STRING"}}},
        }
    },
    "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "none", "command": ["true"]}}}},
}


def _call(server: Served, path: str, body: Any = None, **query: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    url = f"http://{server.http}/v1/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_what_a_plan_an_explanation_and_the_cache_say_is_the_same_over_rest(server: Served) -> None:
    with Client(server.grpc, project=f"p-{uuid.uuid4().hex[:8]}") as client:
        pipeline = parse_pipeline(json.dumps(_SPEC))
        names = [client.create(create_request(pipeline, {"x": x})).name for x in "12"]
        for name in names:
            client.wait(name, 60)
        body = {"rerun": {"parameterValues": {"x": "3"}}}
        page = _call(server, f"{names[0]}:planRerun", body)
        assert page["tasks"][0]["reasonField"] == "inputs.parameters.x" and page["totalSize"] == "1"
        head, piece = _call(server, f"{names[0]}:streamPlanRerun", body)
        assert head["etag"] == page["etag"] and piece["tasks"] == page["tasks"] and "tasks" not in head
        found = _call(server, f"{names[1]}:explainTask", task="a", against=names[0].rpartition("/")[2])
        assert found["comparison"]["differences"] == [
            {"field": "inputs.parameters.x", "oldValue": '"1"', "newValue": '"2"'}
        ]
        assert found["cache"]["answer"] == "CACHE_ANSWER_NO_ENTRY"
        with pytest.raises(urllib.error.HTTPError) as refused:
            _call(server, f"{names[1]}:explainTask", task="b")
        assert refused.value.code == 404
        entries = _call(server, f"{client.parent}/cacheEntries", pipelineName="over-rest", pageSize="1")
        assert len(entries["cacheEntries"]) == 1 and entries["nextPageToken"]
        dropped = _call(
            server, f"{client.parent}/cacheEntries:drop", {"pipelineName": "over-rest", "olderThan": "0s"}
        )
        assert dropped == {"droppedCount": "2"}
        assert _call(server, f"{client.parent}/cacheEntries") == {}
