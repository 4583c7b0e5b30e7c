"""The calls of Vertex's REST documentation, by `curl`: create, get, list, cancel, delete, and both batches."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from served import Served

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")

_PIPELINES = Path(__file__).resolve().parents[1] / "clients" / "pipelines"
_WITHIN_S = 120.0


class Curl:
    """As the documentation writes it: with a token, JSON in a file, and quotes around the URL."""

    def __init__(self, server: Served, folder: Path, version: str) -> None:
        self.version = version
        self.parent = f"projects/curl/locations/{version}-{uuid.uuid4().hex[:6]}"
        self._base = f"http://{server.http}/{version}"
        self._folder = folder

    def __call__(self, verb: str, path: str, *options: str, status: int = 200) -> Any:
        """The answer's JSON, once it has come with this status."""
        command = ["curl", "-sS", "-X", verb, "-H", "Authorization: Bearer token", *options]
        done = subprocess.run(
            [*command, "-w", "\n%{http_code}", f"{self._base}/{path}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        text, _, code = done.stdout.rpartition("\n")
        assert int(code) == status, done.stdout
        return json.loads(text)

    def post(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        request = self._folder / "request.json"
        request.write_text(json.dumps(body))
        header = "Content-Type: application/json; charset=utf-8"
        return self("POST", path, "-H", header, "-d", f"@{request}", status=status)

    def create(self, job_id: str, pipeline: str, **parameters: Any) -> Any:
        body = {
            "displayName": f"from curl: {job_id}",
            "runtimeConfig": {
                "gcsOutputDirectory": str(self._folder / "root"),
                "parameterValues": {"ledger": str(self._folder / f"{job_id}.ledger"), **parameters},
            },
            "pipelineSpec": yaml.safe_load((_PIPELINES / f"{pipeline}.yaml").read_text()),
        }
        return self.post(f"{self.parent}/pipelineJobs?pipelineJobId={job_id}", body)

    def until(self, path: str, is_so: Callable[[Any], bool]) -> Any:
        """What a resource has become, once it is so. REST has no other way to be told."""
        deadline = time.monotonic() + _WITHIN_S
        while not is_so(found := self("GET", path)):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    def ended(self, name: str) -> Any:
        return self.until(name, lambda job: "endTime" in job)


@pytest.fixture(params=["v1", "v1beta1"])
def curl(request: pytest.FixtureRequest, server: Served, tmp_path: Path) -> Curl:
    return Curl(server, tmp_path, request.param)


def test_a_run_is_created_read_listed_and_deleted_by_curl(curl: Curl) -> None:
    created = curl.create("made", "steps", limit=20)
    assert created["name"] == f"{curl.parent}/pipelineJobs/made"
    assert created["state"] == "PIPELINE_STATE_PENDING"
    job = curl.ended(created["name"])
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert {task["taskName"]: task["state"] for task in job["jobDetail"]["taskDetails"]}[
        "publish"
    ] == "SUCCEEDED"
    found = curl(
        "GET",
        f"{curl.parent}/pipelineJobs?filter=display_name%3D%22from%20curl*%22%20AND%20state%3D%22"
        "PIPELINE_STATE_SUCCEEDED%22&orderBy=create_time%20desc&pageSize=5",
    )
    assert [one["name"] for one in found["pipelineJobs"]] == [created["name"]]
    operation = curl("DELETE", created["name"])
    assert operation["metadata"]["genericMetadata"]["createTime"]
    done = curl.until(operation["name"], lambda one: one.get("done", False))
    assert done["response"]["@type"] == "type.googleapis.com/google.protobuf.Empty"
    error = curl("GET", created["name"], status=404)["error"]
    assert error["status"] == "NOT_FOUND" and error["details"][0]["domain"] == "reprise"


def test_runs_are_cancelled_by_curl_one_and_many(curl: Curl) -> None:
    names = [curl.create(f"long-{number}", "waiting")["name"] for number in range(3)]
    assert curl("POST", f"{names[0]}:cancel", "-H", "Content-Type: application/json", "-d", "") == {}
    assert curl.ended(names[0])["state"] == "PIPELINE_STATE_CANCELLED"
    operation = curl.post(f"{curl.parent}/pipelineJobs:batchCancel", {"names": names[1:]})
    package = f"type.googleapis.com/google.cloud.aiplatform.{curl.version}"
    assert operation["metadata"]["@type"] == f"{package}.BatchCancelPipelineJobsOperationMetadata"
    assert operation["metadata"]["genericMetadata"]["createTime"]
    done = curl.until(operation["name"], lambda one: one.get("done", False))
    assert done["response"]["@type"] == f"{package}.BatchCancelPipelineJobsResponse"
    assert sorted(job["name"] for job in done["response"]["pipelineJobs"]) == names[1:]
    assert {curl("GET", name)["state"] for name in names} == {"PIPELINE_STATE_CANCELLED"}
    deletion = curl.post(f"{curl.parent}/pipelineJobs:batchDelete", {"names": names})
    done = curl.until(deletion["name"], lambda one: one.get("done", False))
    assert done["response"]["@type"] == f"{package}.BatchDeletePipelineJobsResponse"
    assert curl("GET", f"{curl.parent}/pipelineJobs").get("pipelineJobs", []) == []


def test_a_batch_with_a_run_that_is_not_there_cancels_none(curl: Curl) -> None:
    name = curl.create("long", "waiting")["name"]
    missing = f"{curl.parent}/pipelineJobs/none"
    answer = curl.post(f"{curl.parent}/pipelineJobs:batchCancel", {"names": [name, missing]}, status=404)
    assert answer["error"]["status"] == "NOT_FOUND" and missing in answer["error"]["message"]
    assert "endTime" not in curl("GET", name)
    curl("POST", f"{name}:cancel", "-d", "")
    assert curl.ended(name)["state"] == "PIPELINE_STATE_CANCELLED"
