"""Runs compiled pipelines that nobody here wrote and compares each with its manifest.

    python tests/conformance/corpus.py --task-python PATH [--old-task-python PATH] [--reject] [--rerun [--each]]

The corpus is a folder with `visible/manifest.json`, the pipelines beside it, `data/` and `tools/` (its README says
what they are). The tasks' interpreter is given by --task-python and must import kfp and what the manifests list;
--old-task-python is that of the pipelines of kfp <= 2.0, which are left out without it. With --rerun every run that
succeeded is also rerun, see `rerun.py`. Prints a line for each pipeline and a table by construct; exit code 1 if one
does not end as it should.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rerun
from google.protobuf import json_format
from reprise.client import CallError, Client, create_request, parse_pipeline
from reprise.main import Server, Settings
from reprise.pb.v1 import pipeline_job_pb2 as jobs

DEFAULT_CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
SEED = "1"


@dataclass(slots=True)
class Result:
    entry: dict[str, Any]
    differences: list[str]
    seconds: float
    run: str = ""


@dataclass(slots=True)
class Corpus:
    folder: Path
    entries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entries = json.loads((self.folder / "visible" / "manifest.json").read_text())

    def to_reject(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = json.loads((self.folder / "reject" / "manifest.json").read_text())
        return entries

    def compare(self) -> Callable[..., list[str]]:
        spec = importlib.util.spec_from_file_location("corpus_compare", self.folder / "tools" / "compare.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.diff  # type: ignore[no-any-return]

    def load(self, kind: str, file: str, scratch: Path) -> str:
        text = (self.folder / kind / file).read_text()
        return text.replace("__DATA__", str(self.folder / "data")).replace("__TMP__", str(scratch))

    def arguments(self, entry: dict[str, Any], scratch: Path) -> dict[str, Any]:
        text = json.dumps(entry["args"])
        text = text.replace("__DATA__", str(self.folder / "data")).replace("__TMP__", str(scratch))
        arguments: dict[str, Any] = json.loads(text)
        return arguments


@contextmanager
def running_server(data_dir: Path, task_python: str, corpus: Path, max_tasks: int = 8) -> Iterator[Client]:
    settings = Settings(
        data_dir=data_dir,
        grpc="127.0.0.1:0",
        http="",
        max_tasks=max_tasks,
        environments="host",
        task_python=Path(task_python),
        task_env={"PYTHONPATH": str(corpus / "tools" / "shim"), "KFP_CORPUS_SEED": SEED},
    )
    with Server(settings) as server, Client(server.grpc_address) as client:
        yield client


def run_one(
    address: str,
    corpus: Corpus,
    entry: dict[str, Any],
    diff: Callable[..., list[str]],
    is_rerun: bool,
    is_each_asked: bool = False,
) -> Result:
    began = time.monotonic()
    # A project of its own, so that no pipeline finds another's outcomes in the cache.
    with tempfile.TemporaryDirectory() as scratch, Client(address, project=entry["id"].lower()) as client:
        try:
            pipeline = parse_pipeline(corpus.load("visible", entry["file"], Path(scratch)))
            request = create_request(pipeline, corpus.arguments(entry, Path(scratch)), is_cached=None)
            for name, text in entry["input_artifacts_text"].items():
                path = Path(scratch) / name
                path.write_text(text)
                request.pipeline_job.runtime_config.input_artifacts[name].artifact_id = str(path)
            job = client.create(request)
            job = client.wait(job.name, timeout_s=120)
            job = client.get(job.name)
            actual = actual_of(job, client)
            differences = diff(entry, actual, seed=SEED, logs=True)
            name = job.name
            if is_rerun and not differences:
                differences = rerun.faults(client, job, is_each_asked)
        except (CallError, TimeoutError, ValueError) as error:
            differences, name = [f"{type(error).__name__}: {error}"], ""
    return Result(entry, differences, time.monotonic() - began, name)


def actual_of(job: jobs.PipelineJob, client: Client) -> dict[str, Any]:
    """The run in the manifest's form."""
    tasks = {}
    for task in job.job_detail.task_details:
        values = json_format.MessageToDict(task.execution.metadata)
        tasks[task.task_unique_name.replace(".", "/")] = {
            "state": jobs.PipelineTaskDetail.State.Name(task.state),
            "outputs": {
                name.removeprefix("output:"): value
                for name, value in values.items()
                if name.startswith("output:")
            },
            "artifacts": {
                name: [_artifact(artifact) for artifact in group.artifacts]
                for name, group in task.outputs.items()
            },
        }
    outputs = json_format.MessageToDict(job.job_detail.outputs)
    return {
        "run_state": jobs_state(job),
        "outputs": outputs,
        "tasks": tasks,
    }


def jobs_state(job: jobs.PipelineJob) -> str:
    from reprise.pb.v1 import pipeline_state_pb2 as states

    return states.PipelineState.Name(job.state).removeprefix("PIPELINE_STATE_")


def _artifact(artifact: jobs.Artifact) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "type": artifact.schema_title,
        "metadata": json_format.MessageToDict(artifact.metadata),
        "uri": artifact.uri,
    }
    path = Path(artifact.uri)
    if path.is_file() and path.stat().st_size < 1_000_000:
        seen["content"] = path.read_text(errors="replace")
    return seen


def rejected(
    client: Client, corpus: Corpus, entry: dict[str, Any], within_s: float = 180
) -> tuple[bool, str]:
    """Whether a pipeline that cannot run on a plain host is refused, or fails, as expected; and how."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            pipeline = parse_pipeline(corpus.load("reject", entry["file"], Path(scratch)))
            request = create_request(pipeline, _any_arguments(pipeline.spec), is_cached=False)
            job = client.wait(client.create(request).name, timeout_s=within_s)
            state = jobs_state(job)
            return state == "FAILED" and bool(job.error.message), f"ran: {state}: {job.error.message}"
        except CallError as error:
            return error.code == "INVALID_ARGUMENT", f"refused: {error}"
        except (ValueError, TimeoutError) as error:
            return isinstance(error, ValueError), f"{type(error).__name__}: {error}"


_ANY = {
    "NUMBER_INTEGER": 1,
    "NUMBER_DOUBLE": 1.5,
    "STRING": "any",
    "BOOLEAN": True,
    "LIST": [],
    "STRUCT": {},
}


def _any_arguments(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Something of its type for each parameter that has to be given, so that no refusal is for the lack of one."""
    declared = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    return {
        name: _ANY[kind.get("parameterType", "STRING")]
        for name, kind in declared.items()
        if "defaultValue" not in kind and not kind.get("isOptional")
    }


def is_old(entry: dict[str, Any]) -> bool:
    return bool(entry["runtime"].startswith("kfp=="))


def chosen(corpus: Corpus, wanted: Iterable[str], is_plain: bool) -> list[dict[str, Any]]:
    wanted = list(wanted)
    return [
        entry
        for entry in corpus.entries
        if (not wanted or any(part in entry["id"] for part in wanted))
        and not (is_plain and (entry["packages"] or is_old(entry)))
    ]


def table(results: list[Result]) -> str:
    total: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for result in results:
        for construct in result.entry["constructs"]:
            total[construct] += 1
            passed[construct] += not result.differences
    rows = [f"| {name} | {passed[name]} | {count} |" for name, count in sorted(total.items())]
    return "\n".join(["| construct | as the manifest says | pipelines |", "|---|---|---|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wanted", nargs="*", help="parts of ids; all without")
    parser.add_argument("--corpus", type=Path, default=DEFAULT_CORPUS)
    parser.add_argument("--task-python", default=sys.executable)
    parser.add_argument("--old-task-python", help="for what kfp <= 2.0 compiled")
    parser.add_argument("--rerun", action="store_true", help="rerun what succeeded, too")
    parser.add_argument(
        "--each", action="store_true", help="of reruns: ask for each task in turn, not for three"
    )
    parser.add_argument("--plain", action="store_true", help="only what needs no package but kfp")
    parser.add_argument(
        "--reject", action="store_true", help="the pipelines that must be refused or fail, too"
    )
    options = parser.parse_args()
    corpus = Corpus(options.corpus)
    diff = corpus.compare()
    with (
        tempfile.TemporaryDirectory() as data_dir,
        tempfile.TemporaryDirectory() as old_data_dir,
        running_server(Path(data_dir), options.task_python, corpus.folder) as client,
        running_server(
            Path(old_data_dir), options.old_task_python or options.task_python, corpus.folder
        ) as old_client,
        ThreadPoolExecutor(4) as pool,
    ):
        entries = chosen(corpus, options.wanted, options.plain)
        if not options.old_task_python:
            entries = [entry for entry in entries if not is_old(entry)]

        def run(entry: dict[str, Any]) -> Result:
            server = (old_client if is_old(entry) else client).server
            return run_one(server, corpus, entry, diff, options.rerun, options.each)

        results = []
        for result in pool.map(run, entries):
            results.append(result)
            print(
                "pass" if not result.differences else "FAIL",
                result.entry["id"],
                f"{result.seconds:.1f} s",
                flush=True,
            )
            for difference in result.differences:
                print("     ", difference[:600])
        refused_as_expected = True
        if options.reject:
            to_reject = corpus.to_reject()
            answers = pool.map(lambda entry: rejected(client, corpus, entry), to_reject)
            for entry, (is_expected, how) in zip(to_reject, answers, strict=True):
                refused_as_expected &= is_expected
                print("refused" if is_expected else "ACCEPTED", entry["id"], how[:300], flush=True)
    print(table(results))
    print(f"{sum(not result.differences for result in results)} of {len(results)} end as their manifest says")
    return 0 if refused_as_expected and not any(result.differences for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
