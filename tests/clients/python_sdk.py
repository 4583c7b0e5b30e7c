"""What a user of Google's Python SDK does, against a Reprise server: gRPC over TLS or REST, the SDK as it comes.

Run by published.py, in an interpreter that has google-cloud-aiplatform; for gRPC the variable
GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names the server's authority. Every step asserts its outcome; what really ran
is read from the ledger that the tasks write. Ends with the line `all good`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.auth import credentials as auth
from google.cloud import aiplatform, aiplatform_v1, aiplatform_v1beta1
from google.cloud.aiplatform.preview.pipelinejob import pipeline_jobs as preview
from google.protobuf import struct_pb2
from python_steps import check_states, executed, refused, states, until

Config = aiplatform_v1beta1.PipelineTaskRerunConfig
# The server knows the project by both.
_PROJECT, _NUMBER = "gapic-project", "123456"
# One for each transport: the runs of one are not in the lists of the other.
_LOCATIONS = {"grpc": "us-central1", "rest": "europe-west4"}
_ENDED = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}


class Scenario:
    def __init__(self, location: str, pipelines: Path, folder: Path) -> None:
        self._location = location
        self._pipelines = pipelines
        self._folder = folder

    def run(self) -> None:
        failed = self._step("submit", self.submit_and_fail)
        self._step("get", self.get, failed)
        succeeded = self._step("rerun with parameters", self.rerun_failed_with_other_parameters, failed)
        self._step("rerun with skip", self.rerun_failed_with_a_task_skipped, failed)
        self._step("rerun with inputs", self.rerun_succeeded_with_other_inputs, succeeded)
        self._step("rerun of one task", self.rerun_succeeded_with_a_task_executed, succeeded)
        self._step("rerun refused", self.rerun_refused, failed)
        cancelled = self._step("cancel", self.cancel)
        self._step("rerun of a cancelled run", self.rerun_cancelled, cancelled)
        self._step("batch cancel", self.cancel_several)
        self._step("batch cancel by id and number", self.cancel_by_number)
        self._step("list: pages and order", self.list_in_order, succeeded)
        self._step("list: filter", self.list_filtered, failed)
        self._step("list: read mask", self.list_simply, failed)
        self._step("errors", self.refusals, failed)
        self._step("delete", self.delete, failed)
        self._step("rerun of a rerun", self.rerun_of_a_rerun_whose_original_is_gone, succeeded)
        self._step("batch delete", self.delete_several)

    def _step(self, name: str, work: Callable[..., Any], *given: Any) -> Any:
        found = work(*given)
        print(f"ok {name}", flush=True)
        return found

    def submit_and_fail(self) -> aiplatform.PipelineJob:
        job = self._job("sdk-failed", "steps", {"ledger": self._ledger("failed")})
        job.submit()
        try:
            job.wait()
        except RuntimeError as error:
            assert "Job failed" in str(error), error
        else:
            raise AssertionError("wait() should raise for a failed run")
        assert job.has_failed and job.state.name == "PIPELINE_STATE_FAILED"
        check_states(job.task_details, "SUCCEEDED", "SUCCEEDED", "FAILED", "NOT_TRIGGERED")
        assert self._ran("failed") == ["prepare", "multiply", "check"], self._ran("failed")
        details = {task.task_unique_name: task for task in job.task_details}
        assert details["multiply"].execution.metadata["input:factor"] == 2
        assert details["multiply"].execution.metadata["output:product"] == 14
        artifact = details["prepare"].outputs["data"].artifacts[0]
        assert artifact.schema_title == "system.Dataset" and artifact.uri
        assert details["check"].error.message, "a failed task says why"
        assert "vertex-ai-pipelines-run-billing-id" in job.labels
        return job

    def rerun_failed_with_other_parameters(self, failed: aiplatform.PipelineJob) -> aiplatform.PipelineJob:
        rerun = self._rerun(failed, "sdk-corrected", parameter_values={"limit": 20})
        job = self._until_end(rerun)
        check_states(job.task_details, "SKIPPED", "SKIPPED", "SUCCEEDED", "SUCCEEDED")
        # The ledger of the original: a parameter that is not given again persists.
        assert self._ran("failed") == ["prepare", "multiply", "check", "check", "publish"], self._ran(
            "failed"
        )
        original = self._v1beta1(job)
        assert original.original_pipeline_job_id == int(failed.labels["vertex-ai-pipelines-run-billing-id"])
        outputs = {task.task_unique_name: task for task in job.task_details}["prepare"].outputs
        assert outputs["data"].artifacts[0].uri, "a reused task shows its outputs"
        return job

    def rerun_failed_with_a_task_skipped(self, failed: aiplatform.PipelineJob) -> None:
        check = self._task_id(failed, "check")
        rerun = self._rerun(failed, "sdk-skipped", [Config(task_id=check, skip_task=True)])
        job = self._until_end(rerun)
        assert job.state.name == "PIPELINE_STATE_SUCCEEDED", job.state
        check_states(job.task_details, "SKIPPED", "SKIPPED", "SKIPPED", "SUCCEEDED")

    def rerun_succeeded_with_other_inputs(self, succeeded: aiplatform.PipelineJob) -> None:
        inputs = Config.Inputs(parameter_values={"factor": struct_pb2.Value(number_value=1)})
        multiply = self._task_id(succeeded, "multiply")
        rerun = self._rerun(succeeded, "sdk-inputs", [Config(task_id=multiply, inputs=inputs)])
        job = self._until_end(rerun)
        check_states(job.task_details, "SKIPPED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED")
        metadata = {task.task_unique_name: task.execution.metadata for task in job.task_details}
        assert metadata["multiply"]["output:product"] == 7, metadata["multiply"]

    def rerun_succeeded_with_a_task_executed(self, succeeded: aiplatform.PipelineJob) -> None:
        """Its output is what it was, so nothing after it runs (early cutoff)."""
        multiply = self._task_id(succeeded, "multiply")
        before = len(self._ran("failed"))
        config = Config(task_id=multiply, skip_task=False, inputs=Config.Inputs())
        job = self._until_end(self._rerun(succeeded, "sdk-executed", [config]))
        check_states(job.task_details, "SKIPPED", "SUCCEEDED", "SKIPPED", "SKIPPED")
        assert self._ran("failed")[before:] == ["multiply"], self._ran("failed")[before:]

    def cancel(self) -> aiplatform.PipelineJob:
        job = self._job("sdk-cancelled", "waiting", {"ledger": self._ledger("cancelled")})
        job.submit()
        until(lambda: "wait" in self._ran("cancelled"), "the waiting task has begun")
        job.cancel()
        until(lambda: job.state.name in _ENDED, "the run has ended")
        assert job.state.name == "PIPELINE_STATE_CANCELLED", job.state
        found = states(job.task_details)
        assert found == {
            "prepare": "SUCCEEDED",
            "wait": "CANCELLED",
            "multiply": "CANCELLED",
        }, found
        assert job.gca_resource.error.code == 1, job.gca_resource.error
        return job

    def rerun_cancelled(self, cancelled: aiplatform.PipelineJob) -> None:
        job = self._until_end(self._rerun(cancelled, "sdk-resumed", parameter_values={"seconds": 0.0}))
        found = states(job.task_details)
        assert found == {
            "prepare": "SKIPPED",
            "wait": "SUCCEEDED",
            "multiply": "SUCCEEDED",
        }, found
        assert self._ran("cancelled") == ["prepare", "wait", "wait", "multiply"], self._ran("cancelled")

    def cancel_several(self) -> None:
        several = []
        for number in (1, 2):
            parameters = {"ledger": self._ledger(f"batch-{number}")}
            several.append(self._job(f"sdk-batch-{number}", "waiting", parameters))
            several[-1].submit()
        until(lambda: self._ran("batch-1")[-1:] == ["wait"], "the first run waits")
        names = [job.resource_name for job in several]
        response = several[0].batch_cancel(_PROJECT, self._location, names).result(timeout=180)
        assert sorted(job.name for job in response.pipeline_jobs) == sorted(names), response
        assert [job.state.name for job in several] == ["PIPELINE_STATE_CANCELLED"] * 2

    def cancel_by_number(self) -> None:
        """Google's sample: the parent by the project's id, the names by its number."""
        job = self._job("sdk-numbered", "waiting", {"ledger": self._ledger("numbered")})
        job.submit()
        mixed = job.resource_name.replace(_PROJECT, _NUMBER)
        response = job.batch_cancel(_PROJECT, self._location, [mixed]).result(timeout=180)
        assert [one.name for one in response.pipeline_jobs] == [job.resource_name], response

    def get(self, failed: aiplatform.PipelineJob) -> None:
        again = aiplatform.PipelineJob.get(failed.resource_name)
        assert again.resource_name == failed.resource_name and again.state == failed.state
        assert again.pipeline_spec["pipelineInfo"]["name"] == "client-steps"

    def list_in_order(self, succeeded: aiplatform.PipelineJob) -> None:
        listed = aiplatform.PipelineJob.list(enable_simple_view=True)
        names = [job.resource_name for job in listed]
        assert len(names) == len(set(names)) == 10 and succeeded.resource_name in names, names
        newest_first = sorted(listed, key=lambda job: job.create_time, reverse=True)
        assert names == [job.resource_name for job in newest_first]
        oldest_first = aiplatform.PipelineJob.list(order_by="create_time", enable_simple_view=True)
        assert [job.resource_name for job in oldest_first] == names[::-1]

    def list_filtered(self, failed: aiplatform.PipelineJob) -> None:
        for text in (
            'state="PIPELINE_STATE_FAILED"',
            'display_name="sdk-f*" AND pipeline_name:"client-steps*"',
        ):
            some = aiplatform.PipelineJob.list(filter=text, order_by="create_time desc")
            assert [job.resource_name for job in some] == [failed.resource_name], (text, some)
        with refused(exceptions.InvalidArgument, exceptions.BadRequest):
            aiplatform.PipelineJob.list(filter="no_such_field=1")

    def list_simply(self, failed: aiplatform.PipelineJob) -> None:
        """The SDK's simple view is a read mask: what it names is there, what costs most is not."""
        text = 'state="PIPELINE_STATE_FAILED"'
        [whole] = aiplatform.PipelineJob.list(filter=text)
        [simple] = aiplatform.PipelineJob.list(filter=text, enable_simple_view=True)
        assert (
            whole.gca_resource.runtime_config.parameter_values
            and not simple.gca_resource.job_detail.task_details
        )
        assert simple.resource_name == failed.resource_name and simple.state == whole.state

    def refusals(self, failed: aiplatform.PipelineJob) -> None:
        client = failed.api_client
        parent, _, _ = failed.resource_name.rpartition("/pipelineJobs/")
        none = f"{parent}/pipelineJobs/none"
        invalid = (exceptions.InvalidArgument, exceptions.BadRequest)
        empty = aiplatform_v1.PipelineJob()
        for kinds, call in (
            ((exceptions.NotFound,), lambda: client.get_pipeline_job(name=none)),
            ((exceptions.NotFound,), lambda: client.cancel_pipeline_job(name=none)),
            ((exceptions.NotFound,), lambda: client.delete_pipeline_job(name=none)),
            (
                (exceptions.NotFound,),
                lambda: failed.batch_cancel(_PROJECT, self._location, [failed.resource_name, none]),
            ),
            (invalid, lambda: client.batch_cancel_pipeline_jobs(parent=parent, names=[])),
            (
                invalid,
                lambda: client.batch_delete_pipeline_jobs(
                    parent=parent, names=[none.replace(_PROJECT, "other")]
                ),
            ),
            ((exceptions.Conflict,), lambda: self._job("sdk-failed", "waiting", {"ledger": "x"}).submit()),
            (invalid, lambda: client.create_pipeline_job(parent=parent, pipeline_job=empty)),
            (
                invalid,
                lambda: client.create_pipeline_job(
                    parent=parent, pipeline_job=failed.gca_resource, pipeline_job_id="Not An Id"
                ),
            ),
        ):
            with refused(*kinds) as found:
                call()
            assert found[0].reason and found[0].domain == "reprise", found[0]

    def rerun_refused(self, failed: aiplatform.PipelineJob) -> None:
        with refused(exceptions.InvalidArgument, exceptions.BadRequest) as error:
            inputs = Config.Inputs(parameter_values={"undeclared": struct_pb2.Value(number_value=1)})
            config = Config(task_id=self._task_id(failed, "multiply"), inputs=inputs)
            self._rerun(failed, "sdk-refused", [config])
        assert error[0].reason == "INVALID_ARGUMENT" and error[0].domain == "reprise", error[0]

    def delete_several(self) -> None:
        client = aiplatform.PipelineJob.list(enable_simple_view=True)[0].api_client
        parent = f"projects/{_PROJECT}/locations/{self._location}"
        names = [f"{parent}/pipelineJobs/sdk-batch-{number}" for number in (1, 2)]
        response = client.batch_delete_pipeline_jobs(parent=parent, names=names).result(timeout=180)
        assert [job.name for job in response.pipeline_jobs] == names, response
        with refused(exceptions.NotFound):
            aiplatform.PipelineJob.get(names[0])

    def delete(self, failed: aiplatform.PipelineJob) -> None:
        name = failed.resource_name
        failed.delete()
        try:
            aiplatform.PipelineJob.get(name)
        except Exception as error:
            assert "404" in str(error) or "not found" in str(error).lower(), error
        else:
            raise AssertionError("a deleted run should be gone")

    def rerun_of_a_rerun_whose_original_is_gone(self, succeeded: aiplatform.PipelineJob) -> None:
        job = self._until_end(self._rerun(succeeded, "sdk-again", parameter_values={"limit": 30}))
        check_states(job.task_details, "SKIPPED", "SKIPPED", "SUCCEEDED", "SKIPPED")

    def _job(self, job_id: str, pipeline: str, parameters: dict[str, Any]) -> aiplatform.PipelineJob:
        return aiplatform.PipelineJob(
            display_name=job_id,
            template_path=str(self._pipelines / f"{pipeline}.yaml"),
            job_id=job_id,
            pipeline_root=str(self._folder / "root"),
            parameter_values=parameters,
            enable_caching=False,
        )

    def _rerun(
        self,
        original: aiplatform.PipelineJob,
        job_id: str,
        configs: list[Config] | None = None,
        parameter_values: dict[str, Any] | None = None,
    ) -> aiplatform.PipelineJob:
        pipeline = (
            "steps"
            if "prepare" in states(original.task_details) and "check" in states(original.task_details)
            else "waiting"
        )
        job = preview._PipelineJob(
            display_name=job_id,
            template_path=str(self._pipelines / f"{pipeline}.yaml"),
            job_id=job_id,
            pipeline_root=str(self._folder / "root"),
            enable_caching=False,
        )
        job.rerun(
            original_pipelinejob_name=original.resource_name,
            pipeline_task_rerun_configs=configs or [],
            parameter_values=parameter_values,
            job_id=job_id,
        )
        return aiplatform.PipelineJob.get(job.resource_name)

    def _until_end(self, job: aiplatform.PipelineJob) -> aiplatform.PipelineJob:
        # Not wait(), which looks every five seconds: this is done ten times.
        until(lambda: job.state.name in _ENDED, f"{job.name} has ended")
        return job

    def _task_id(self, job: aiplatform.PipelineJob, name: str) -> int:
        return next(task.task_id for task in job.task_details if task.task_name == name)

    def _v1beta1(self, job: aiplatform.PipelineJob) -> aiplatform_v1beta1.PipelineJob:
        return job.api_client.select_version("v1beta1").get_pipeline_job(name=job.resource_name)

    def _ledger(self, name: str) -> str:
        return str(self._folder / f"{name}.ledger")

    def _ran(self, name: str) -> list[str]:
        return executed(Path(self._ledger(name)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True, help="gRPC: HOST:PORT; REST: with http:// before it")
    parser.add_argument("--transport", choices=("grpc", "rest"), default="grpc")
    parser.add_argument("--pipelines", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    location = _LOCATIONS[arguments.transport]
    aiplatform.init(
        project=_PROJECT,
        location=location,
        api_endpoint=arguments.endpoint,
        credentials=auth.AnonymousCredentials(),
        api_transport=arguments.transport,
    )
    Scenario(location, arguments.pipelines, arguments.folder).run()
    print("all good")


if __name__ == "__main__":
    main()
