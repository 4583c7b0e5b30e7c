"""What a user of Google's Python SDK does, against a Reprise server: gRPC over TLS or REST, the SDK as it comes.

Run by published.py, in an interpreter that has google-cloud-aiplatform; for gRPC the variable
GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names the server's authority. Every step asserts its outcome; what really ran
is read from the ledger that the tasks write. Ends with the line `all good`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.auth import credentials as auth
from google.cloud import aiplatform, aiplatform_v1, aiplatform_v1beta1
from google.cloud.aiplatform.preview.pipelinejob import pipeline_jobs as preview
from google.protobuf import struct_pb2
from python_steps import check_states, executed, refused, states, until

Config = aiplatform_v1beta1.PipelineTaskRerunConfig
_LOCATION = "us-central1"
_ENDED = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}


class Scenario:
    def __init__(self, project: str, pipelines: Path, folder: Path) -> None:
        self._project = project
        self._pipelines = pipelines
        self._folder = folder

    def run(self) -> None:
        failed = self.submit_and_fail()
        print("ok submit", flush=True)
        succeeded = self.rerun_failed_with_other_parameters(failed)
        print("ok rerun with parameters", flush=True)
        self.rerun_failed_with_a_task_skipped(failed)
        print("ok rerun with skip", flush=True)
        self.rerun_succeeded_with_other_inputs(succeeded)
        print("ok rerun with inputs", flush=True)
        self.rerun_succeeded_with_a_task_executed(succeeded)
        print("ok rerun of one task", flush=True)
        cancelled = self.cancel()
        print("ok cancel", flush=True)
        self.rerun_cancelled(cancelled)
        print("ok rerun of a cancelled run", flush=True)
        self.cancel_several()
        print("ok batch cancel", flush=True)
        self.get_and_list(failed, succeeded)
        print("ok list", flush=True)
        self.refusals(failed)
        print("ok errors", flush=True)
        self.delete(failed)
        print("ok delete", flush=True)
        self.rerun_of_a_rerun_whose_original_is_gone(succeeded)
        print("ok rerun of a rerun", flush=True)
        self.delete_several()
        print("ok batch delete", flush=True)

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
        response = several[0].batch_cancel(self._project, _LOCATION, names).result(timeout=180)
        assert sorted(job.name for job in response.pipeline_jobs) == sorted(names), response
        assert [job.state.name for job in several] == ["PIPELINE_STATE_CANCELLED"] * 2

    def get_and_list(self, failed: aiplatform.PipelineJob, succeeded: aiplatform.PipelineJob) -> None:
        again = aiplatform.PipelineJob.get(failed.resource_name)
        assert again.resource_name == failed.resource_name and again.state == failed.state
        assert again.pipeline_spec["pipelineInfo"]["name"] == "client-steps"
        listed = aiplatform.PipelineJob.list(enable_simple_view=True)
        names = [job.resource_name for job in listed]
        assert len(names) == len(set(names)) == 9, names
        newest_first = sorted(listed, key=lambda job: job.create_time, reverse=True)
        assert names == [job.resource_name for job in newest_first]
        some = aiplatform.PipelineJob.list(
            filter='state="PIPELINE_STATE_FAILED"', order_by="create_time desc", enable_simple_view=True
        )
        assert [job.resource_name for job in some] == [failed.resource_name], some
        assert succeeded.resource_name in names

    def refusals(self, failed: aiplatform.PipelineJob) -> None:
        client = failed.api_client
        parent, _, _ = failed.resource_name.rpartition("/pipelineJobs/")
        with refused(exceptions.NotFound):
            client.get_pipeline_job(name=f"{parent}/pipelineJobs/none")
        with refused(exceptions.NotFound):
            client.cancel_pipeline_job(name=f"{parent}/pipelineJobs/none")
        with refused(exceptions.Conflict):
            self._job("sdk-failed", "waiting", {"ledger": self._ledger("refused")}).submit()
        with refused(exceptions.InvalidArgument, exceptions.BadRequest):
            client.create_pipeline_job(parent=parent, pipeline_job=aiplatform_v1.PipelineJob())
        with refused(exceptions.InvalidArgument, exceptions.BadRequest) as error:
            inputs = Config.Inputs(parameter_values={"undeclared": struct_pb2.Value(number_value=1)})
            config = Config(task_id=self._task_id(failed, "multiply"), inputs=inputs)
            self._rerun(failed, "sdk-refused", [config])
        assert error[0].reason == "INVALID_ARGUMENT" and error[0].domain == "reprise", error[0]

    def delete_several(self) -> None:
        client = aiplatform.PipelineJob.list(enable_simple_view=True)[0].api_client
        parent = f"projects/{self._project}/locations/{_LOCATION}"
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
    # A project of its own for each transport: the runs of one are not in the lists of the other.
    project = f"sdk-{arguments.transport}"
    aiplatform.init(
        project=project,
        location=_LOCATION,
        api_endpoint=arguments.endpoint,
        credentials=auth.AnonymousCredentials(),
        api_transport=arguments.transport,
    )
    Scenario(project, arguments.pipelines, arguments.folder).run()
    print("all good")


if __name__ == "__main__":
    main()
