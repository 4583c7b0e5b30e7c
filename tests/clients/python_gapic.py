"""What a user of Google's generated Python client does, call by call: one version of the API, over gRPC or REST.

Run by published.py, in an interpreter that has google-cloud-aiplatform. Every step asserts its outcome; what really
ran is read from the ledger that the tasks write. Ends with the line `all good`. The server knows the project by its
number too (`--project-alias 123456=gapic-project`).
"""

from __future__ import annotations

import argparse
import importlib
import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.api_core import exceptions, operations_v1
from google.auth.credentials import AnonymousCredentials
from google.protobuf import json_format, struct_pb2
from python_steps import check_states, executed, refused, until

PROJECT, NUMBER = "gapic-project", "123456"
ID_LABEL = "vertex-ai-pipelines-run-billing-id"


class Scenario:
    def __init__(self, version: str, transport: str, arguments: argparse.Namespace) -> None:
        self.types = importlib.import_module(f"google.cloud.aiplatform_{version}.types")
        service = importlib.import_module(f"google.cloud.aiplatform_{version}.services.pipeline_service")
        self.is_beta = version == "v1beta1"
        self.client = service.PipelineServiceClient(transport=_transport(service, transport, arguments))
        self.beta = self.client
        # A location of its own: several clients use one server.
        self.location = f"{version}-{transport}-{uuid.uuid4().hex[:6]}"
        self.parent = f"projects/{PROJECT}/locations/{self.location}"
        self.folder = Path(arguments.folder)
        self.steps, self.waiting = (_struct(path) for path in (arguments.steps, arguments.waiting))

    def run(self) -> None:
        failed = self.step("submit", self.submit)
        self.step("get", lambda: self.get(failed))
        if self.is_beta:
            self.step("rerun with parameters", lambda: self.rerun_with_parameters(failed))
            self.step("rerun with skip", lambda: self.rerun_with_skip(failed))
            self.step("rerun with inputs", lambda: self.rerun_with_inputs(failed))
            self.step("rerun refused", lambda: self.rerun_refused(failed))
        names = self.step("cancel", self.cancel)
        self.step("batch cancel", lambda: self.batch_cancel(names[1:3]))
        self.step("batch cancel by id and number", lambda: self.batch_cancel_mixed(names[3]))
        self.step("list: pages and order", self.list_pages)
        self.step("list: filter", lambda: self.list_filtered(failed.name))
        self.step("list: read mask", lambda: self.list_masked(failed.name))
        self.step("errors", lambda: self.errors(failed.name))
        self.step("delete", lambda: self.delete(failed.name))
        self.step("batch delete", lambda: self.batch_delete(names))

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        found = work()
        print(f"ok {name}", flush=True)
        return found

    def submit(self) -> Any:
        job = self.types.PipelineJob(
            display_name="from gapic",
            labels={"team": "gapic"},
            pipeline_spec=self.steps,
            runtime_config={
                "gcs_output_directory": str(self.folder / "root"),
                "parameter_values": {"ledger": _text(self.ledger("steps"))},
            },
        )
        made = self.client.create_pipeline_job(parent=self.parent, pipeline_job=job, pipeline_job_id="failed")
        assert made.name == f"{self.parent}/pipelineJobs/failed", made.name
        assert made.state.name == "PIPELINE_STATE_PENDING" and made.create_time, made
        return self.ended(made.name)

    def get(self, failed: Any) -> None:
        assert failed.state.name == "PIPELINE_STATE_FAILED" and failed.error.message, failed.state
        check_states(failed.job_detail.task_details, "SUCCEEDED", "SUCCEEDED", "FAILED", "NOT_TRIGGERED")
        details = {task.task_unique_name: task for task in failed.job_detail.task_details}
        assert details["multiply"].execution.metadata["output:product"] == 14
        assert details["prepare"].outputs["data"].artifacts[0].schema_title == "system.Dataset"
        assert int(failed.labels[ID_LABEL]) > 0

    def rerun(self, original: Any, job_id: str, parameters: dict[str, Any], asked: dict[str, Any]) -> Any:
        """As Google's SDK does it: with a config for each of the original's tasks."""
        configs = []
        for task in original.job_detail.task_details:
            config = self.types.PipelineTaskRerunConfig(
                **asked.get(task.task_unique_name, {"skip_task": task.state.name == "SUCCEEDED"})
            )
            config.task_id, config.task_name = task.task_id, task.task_unique_name
            configs.append(config)
        job = self.types.PipelineJob(
            original_pipeline_job_id=int(original.labels[ID_LABEL]),
            pipeline_task_rerun_configs=configs,
            pipeline_spec=self.steps,
            runtime_config={"parameter_values": parameters},
        )
        made = self.client.create_pipeline_job(parent=self.parent, pipeline_job=job, pipeline_job_id=job_id)
        return self.ended(made.name)

    def rerun_with_parameters(self, failed: Any) -> None:
        job = self.rerun(failed, "corrected", {"limit": _number(20)}, {})
        check_states(job.job_detail.task_details, "SKIPPED", "SKIPPED", "SUCCEEDED", "SUCCEEDED")
        assert self.ran("steps") == ["prepare", "multiply", "check", "check", "publish"]
        assert job.original_pipeline_job_id == int(failed.labels[ID_LABEL])

    def rerun_with_skip(self, failed: Any) -> None:
        job = self.rerun(failed, "skipped", {}, {"check": {"skip_task": True}})
        check_states(job.job_detail.task_details, "SKIPPED", "SKIPPED", "SKIPPED", "SUCCEEDED")

    def rerun_with_inputs(self, failed: Any) -> None:
        job = self.rerun(failed, "inputs", {}, {"multiply": self.input("factor")})
        check_states(job.job_detail.task_details, "SKIPPED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED")

    def rerun_refused(self, failed: Any) -> None:
        with refused(exceptions.InvalidArgument, exceptions.BadRequest):
            self.rerun(failed, "refused", {}, {"multiply": self.input("undeclared")})
        with refused(exceptions.NotFound):
            job = self.types.PipelineJob(original_pipeline_job_id=1, pipeline_spec=self.steps)
            self.client.create_pipeline_job(parent=self.parent, pipeline_job=job)
        with refused(exceptions.InvalidArgument, exceptions.BadRequest):
            configs = [self.types.PipelineTaskRerunConfig(task_id=1)]
            job = self.types.PipelineJob(pipeline_task_rerun_configs=configs, pipeline_spec=self.steps)
            self.client.create_pipeline_job(parent=self.parent, pipeline_job=job)

    def input(self, name: str) -> dict[str, Any]:
        inputs = self.types.PipelineTaskRerunConfig.Inputs(parameter_values={name: _number(1)})
        return {"inputs": inputs}

    def cancel(self) -> list[str]:
        names = []
        for number in range(1, 5):
            job = self.types.PipelineJob(
                pipeline_spec=self.waiting,
                runtime_config={"parameter_values": {"ledger": _text(self.ledger(f"long-{number}"))}},
            )
            names.append(
                self.client.create_pipeline_job(
                    parent=self.parent, pipeline_job=job, pipeline_job_id=f"long-{number}"
                ).name
            )
        until(lambda: "wait" in self.ran("long-1"), "a task waits")
        self.client.cancel_pipeline_job(name=names[0])
        job = self.ended(names[0])
        assert job.state.name == "PIPELINE_STATE_CANCELLED" and job.error.code == 1, job.state
        self.client.cancel_pipeline_job(name=names[0])  # again: nothing changes
        return names

    def batch_cancel(self, names: Sequence[str]) -> None:
        operation = self.client.batch_cancel_pipeline_jobs(parent=self.parent, names=names)
        response = operation.result(timeout=180)
        assert sorted(job.name for job in response.pipeline_jobs) == sorted(names)
        assert operation.metadata.generic_metadata.create_time, operation.metadata
        again = self.operation(operation.operation.name)
        assert again.done and again.name == operation.operation.name

    def batch_cancel_mixed(self, name: str) -> None:
        """Google's sample: the parent by the project's id, the names by its number."""
        mixed = name.replace(PROJECT, NUMBER)
        response = self.client.batch_cancel_pipeline_jobs(parent=self.parent, names=[mixed]).result(
            timeout=180
        )
        assert [job.name for job in response.pipeline_jobs] == [name], response
        assert self.client.get_pipeline_job(name=mixed).name == name

    def operation(self, name: str) -> Any:
        client: Any = self.client.transport.operations_client
        assert isinstance(client, (operations_v1.OperationsClient, operations_v1.AbstractOperationsClient))
        return client.get_operation(name)

    def list_pages(self) -> None:
        everything = [job.name for job in self.client.list_pipeline_jobs(parent=self.parent)]
        assert len(set(everything)) == len(everything) == (8 if self.is_beta else 5), everything
        oldest_first = {"parent": self.parent, "page_size": 2, "order_by": "create_time"}
        pages = list(self.client.list_pipeline_jobs(request=oldest_first).pages)
        paged = [job.name for page in pages for job in page.pipeline_jobs]
        assert len(pages) > 2 and paged == everything[::-1], paged
        for order in ("display_name", "update_time desc", "end_time desc"):
            request = {"parent": self.parent, "page_size": 3, "order_by": order}
            assert {job.name for job in self.client.list_pipeline_jobs(request=request)} == set(everything)
        with refused(exceptions.InvalidArgument, exceptions.BadRequest):
            token = pages[0].next_page_token
            other = {"parent": self.parent, "page_token": token, "filter": "state=FAILED"}
            self.client.list_pipeline_jobs(request=other)

    def list_filtered(self, failed: str) -> None:
        cancelled = [f"{self.parent}/pipelineJobs/long-{number}" for number in (4, 3, 2, 1)]
        for text, expected in (
            ('state="PIPELINE_STATE_FAILED"', [failed]),
            ('labels.team="gapic"', [failed]),
            ("labels.team:*", [failed]),
            ('display_name="from g*" AND NOT state="PIPELINE_STATE_CANCELLED"', [failed]),
            ('state="PIPELINE_STATE_CANCELLED" AND (labels.team="x" OR NOT labels.team:*)', cancelled),
            ('create_time>"2200-01-01T00:00:00Z"', []),
            ('pipeline_job_user_id="failed" AND end_time>"2000-01-01T00:00:00Z"', [failed]),
            ('pipeline_name:"client-steps*" AND labels.team=gapic', [failed]),
        ):
            request = {"parent": self.parent, "filter": text}
            found = [job.name for job in self.client.list_pipeline_jobs(request=request)]
            assert found == expected, (text, found)
        with refused(exceptions.InvalidArgument, exceptions.BadRequest):
            self.client.list_pipeline_jobs(request={"parent": self.parent, "filter": "no_such_field=1"})

    def list_masked(self, failed: str) -> None:
        request = {"parent": self.parent, "filter": "state=FAILED", "read_mask": "name,state"}
        [job] = self.client.list_pipeline_jobs(request=request)
        assert job == self.types.PipelineJob(name=failed, state=job.state), job
        inside = {
            "parent": self.parent,
            "filter": "state=FAILED",
            "read_mask": "jobDetail.taskDetails.taskName",
        }
        [job] = self.client.list_pipeline_jobs(request=inside)
        assert {task.task_name for task in job.job_detail.task_details} == {
            "prepare",
            "multiply",
            "check",
            "publish",
        }

    def errors(self, failed: str) -> None:
        none = f"{self.parent}/pipelineJobs/none"
        job = self.types.PipelineJob(
            pipeline_spec=self.waiting, runtime_config={"parameter_values": {"ledger": _text("x")}}
        )
        invalid = (exceptions.InvalidArgument, exceptions.BadRequest)
        for kinds, call in (
            ((exceptions.NotFound,), lambda: self.client.get_pipeline_job(name=none)),
            ((exceptions.NotFound,), lambda: self.client.cancel_pipeline_job(name=none)),
            ((exceptions.NotFound,), lambda: self.client.delete_pipeline_job(name=none)),
            (
                (exceptions.NotFound,),
                lambda: self.batch(self.client.batch_cancel_pipeline_jobs, failed, none),
            ),
            (
                (exceptions.NotFound,),
                lambda: self.batch(self.client.batch_delete_pipeline_jobs, failed, none),
            ),
            ((exceptions.NotFound,), lambda: self.operation(f"{self.parent}/operations/1")),
            (invalid, lambda: self.batch(self.client.batch_cancel_pipeline_jobs)),
            (
                invalid,
                lambda: self.batch(self.client.batch_cancel_pipeline_jobs, none.replace(PROJECT, "other")),
            ),
            ((exceptions.Conflict,), lambda: self.create(job, "failed")),
            (invalid, lambda: self.create(job, "Not An Id")),
            (invalid, lambda: self.create(self.types.PipelineJob())),
            (invalid, lambda: self.create(self.types.PipelineJob(pipeline_spec={"a": 1}))),
            (invalid, lambda: self.create(self.types.PipelineJob(pipeline_spec=self.waiting))),
        ):
            with refused(*kinds) as found:
                call()
            assert found[0].reason and found[0].domain == "reprise", found[0]
        running = self.create(job, "running").name
        with refused(exceptions.FailedPrecondition, exceptions.BadRequest) as found:
            self.client.delete_pipeline_job(name=running)
        assert found[0].reason == "STATE_DOES_NOT_ALLOW", found[0]
        self.client.cancel_pipeline_job(name=running)
        self.ended(running)

    def create(self, job: Any, job_id: str = "") -> Any:
        request = {"parent": self.parent, "pipeline_job": job, "pipeline_job_id": job_id}
        return self.client.create_pipeline_job(request=request)

    def batch(self, call: Any, *names: str) -> Any:
        return call(request={"parent": self.parent, "names": names})

    def delete(self, name: str) -> None:
        self.client.delete_pipeline_job(name=name).result(timeout=180)
        with refused(exceptions.NotFound):
            self.client.get_pipeline_job(name=name)

    def batch_delete(self, names: Sequence[str]) -> None:
        response = self.client.batch_delete_pipeline_jobs(parent=self.parent, names=names).result(timeout=180)
        assert [job.name for job in response.pipeline_jobs] == names, response
        with refused(exceptions.NotFound):
            self.client.get_pipeline_job(name=names[0])

    def ended(self, name: str) -> Any:
        def look() -> Any:
            job = self.client.get_pipeline_job(name=name)
            return job if job.end_time else None

        return until(look, f"{name} has ended")

    def ledger(self, name: str) -> str:
        return str(self.folder / f"{self.location}-{name}.ledger")

    def ran(self, name: str) -> list[str]:
        return executed(Path(self.ledger(name)))


def _transport(service: Any, transport: str, arguments: argparse.Namespace) -> Any:
    if transport == "rest":
        return service.transports.PipelineServiceRestTransport(
            host=arguments.http, url_scheme="http", credentials=AnonymousCredentials()
        )
    return service.transports.PipelineServiceGrpcTransport(channel=grpc.insecure_channel(arguments.grpc))


def _struct(path: str) -> struct_pb2.Struct:
    return json_format.ParseDict(json.loads(Path(path).read_text()), struct_pb2.Struct())


def _text(text: str) -> struct_pb2.Value:
    return struct_pb2.Value(string_value=text)


def _number(number: float) -> struct_pb2.Value:
    return struct_pb2.Value(number_value=number)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", choices=("v1", "v1beta1"), required=True)
    parser.add_argument("--transport", choices=("grpc", "rest"), required=True)
    for name in ("grpc", "http", "folder", "steps", "waiting"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    Scenario(arguments.version, arguments.transport, arguments).run()
    print("all good")


if __name__ == "__main__":
    main()
