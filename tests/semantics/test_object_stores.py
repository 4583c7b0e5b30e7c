"""Runs and reruns whose artifacts lie in object stores: by a real S3-speaking server, and in fsspec's memory."""

from __future__ import annotations

import importlib.util
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from building import Importer, Leaf, Of, Task
from parts import FILE, READ
from reprise.client import Client, UnavailableError
from reprise.main import Server, Settings
from reprise.pb.v1 import pipeline_state_pb2 as states
from stage import RUN, Stage

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

moto = pytest.importorskip("moto.server", reason="moto is needed to serve S3")
pytest.importorskip("s3fs", reason="s3fs is needed to speak to S3")
fsspec = pytest.importorskip("fsspec")

_CREDENTIALS = {"key": "tester", "secret": "tester"}


@dataclass
class ObjectStore:
    root: str
    files: AbstractFileSystem

    def path(self, uri: str) -> str:
        return uri.partition("://")[2]

    def text(self, uri: str) -> str:
        return str(self.files.cat_file(self.path(uri)).decode())

    def write(self, uri: str, text: str) -> None:
        self.files.pipe_file(self.path(uri), text.encode())

    def remove(self, uri: str) -> None:
        self.files.rm(self.path(uri), recursive=True)


class S3:
    """A real server on a port of its own."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = moto.ThreadedMotoServer(port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.options = {"s3": {"endpoint_url": self.endpoint, **_CREDENTIALS}}
        self.files = fsspec.filesystem(
            "s3", skip_instance_cache=True, use_listings_cache=False, **self.options["s3"]
        )
        self.files.makedirs("bucket", exist_ok=True)  # servers of one process share what they hold

    def stop(self) -> None:
        self._server.stop()


class Gcs:
    """A server that speaks Google's storage API, in memory, on a port of its own."""

    def __init__(self) -> None:
        from gcp_storage_emulator.server import create_server

        logging.getLogger("gcp_storage_emulator").setLevel(logging.ERROR)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._server = create_server("127.0.0.1", port, in_memory=True, default_bucket="bucket")
        self._server.start()
        self.options = {"gs": {"endpoint_url": f"http://127.0.0.1:{port}", "token": "anon"}}
        self.files = fsspec.filesystem(
            "gs", skip_instance_cache=True, use_listings_cache=False, **self.options["gs"]
        )

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    server = S3()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gcs() -> Iterator[Gcs | None]:
    """None where a package is missing that it takes."""
    try:
        server = Gcs()
    except ImportError:
        yield None
        return
    yield server
    server.stop()


def _serving(folder: Path, *stores: S3 | Gcs) -> Server:
    return Server(
        Settings(
            folder / "data",
            grpc="127.0.0.1:0",
            environments="host",
            max_tasks=4,
            grace_s=0.5,
            storage_options={
                scheme: options for store in stores for scheme, options in store.options.items()
            },
        )
    )


@pytest.fixture(scope="module")
def embedded(s3: S3, gcs: Gcs | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with _serving(tmp_path_factory.mktemp("embedded"), s3, *([gcs] if gcs else [])) as server:
        yield server


@pytest.fixture(params=["s3", "gs", "memory"])
def objects(request: pytest.FixtureRequest, s3: S3, gcs: Gcs | None) -> ObjectStore:
    if request.param == "gs":
        if gcs is None:
            pytest.skip("gcsfs and gcp-storage-emulator are needed to speak and to serve gs://")
        return ObjectStore("gs://bucket/root", gcs.files)
    if request.param == "s3":
        return ObjectStore("s3://bucket/root", s3.files)
    return ObjectStore("memory://bucket/root", fsspec.filesystem("memory"))


def _spec(stage: Stage) -> dict[str, object]:
    return stage.spec(
        {
            "a": Task(FILE, {"x": "made"}),
            "b": Task(READ, artifacts={"data": Of("a", "data")}),
        }
    )


def test_a_run_leaves_its_artifacts_in_the_store_and_its_rerun_runs_nothing(
    stage: Stage, objects: ObjectStore
) -> None:
    original = stage.run(_spec(stage), output_directory=objects.root)
    assert original.states == {"a": "SUCCEEDED", "b": "SUCCEEDED"}, original.job.error
    uri = original.artifact("a", "data").uri
    assert uri.startswith(f"{objects.root}/") and objects.text(uri) == "made"
    assert original.outputs("b") == {"out": "made"}
    again = stage.rerun(original, output_directory=objects.root)
    assert again.ran == [] and again.artifact("a", "data").uri == uri


def test_an_object_that_is_lost_is_made_again_when_something_reads_it(
    stage: Stage, objects: ObjectStore
) -> None:
    original = stage.run(_spec(stage), output_directory=objects.root)
    objects.remove(original.artifact("a", "data").uri)
    again = stage.rerun(original, {"b": RUN})
    assert again.verdicts["a"] == "EXECUTE ARTIFACT_MISSING"
    assert again.ran == ["a", "b"] and again.outputs("b") == {"out": "made"}


@pytest.mark.parametrize("text", ["MADE", "something longer"])
def test_an_object_that_was_written_over_never_counts_as_unchanged(
    stage: Stage, objects: ObjectStore, text: str
) -> None:
    original = stage.run(_spec(stage), output_directory=objects.root)
    objects.write(original.artifact("a", "data").uri, text)
    again = stage.rerun(original, {"b": RUN})
    assert again.verdicts["a"] == "EXECUTE ARTIFACT_CHANGED"
    assert again.outputs("b") == {"out": "made"}


def test_an_object_that_was_written_again_with_the_same_bytes_is_reused(
    stage: Stage, objects: ObjectStore
) -> None:
    original = stage.run(_spec(stage), output_directory=objects.root)
    objects.write(original.artifact("a", "data").uri, "made")
    assert stage.rerun(original).ran == []


def test_a_store_that_is_away_makes_a_rerun_unavailable_and_loses_no_outcome(
    stage: Stage, tmp_path: Path
) -> None:
    s3 = S3()
    with _serving(tmp_path, s3) as server:
        own = Stage(server.grpc_address, tmp_path)
        own.client.close()
        own.client = Client(server.grpc_address, outage_s=0.0)
        original = own.run(_spec(own), output_directory="s3://bucket/root")
        assert original.state == "SUCCEEDED", original.job.error
        s3.stop()
        with pytest.raises(UnavailableError, match="cannot be looked at"):
            own.plan(original)
        own.client.close()


def test_an_import_waits_for_a_store_that_is_away_and_says_so_and_is_cancelled_all_the_same(
    tmp_path: Path,
) -> None:
    s3 = S3()
    s3.stop()
    with _serving(tmp_path, s3) as server:
        own = Stage(server.grpc_address, tmp_path)
        name = own.submit(own.spec({"import": Task(Importer("s3://bucket/away"))})).name
        for _ in own.client.watch(name):
            if "waits for what it imports" in own.client.get(name).error.message:
                break
        own.client.cancel(name)
        assert own.client.wait(name, 60).state == states.PIPELINE_STATE_CANCELLED
        own.client.close()


def test_an_import_is_read_by_a_task_at_a_path_with_its_name_and_its_change_runs_what_reads_it(
    stage: Stage, objects: ObjectStore
) -> None:
    uri = f"{objects.root}/input/{stage.folder.name}/table.csv"
    objects.write(uri, "1,2")
    read = Leaf(
        'printf "%s %s" "${data##*/}" "$(cat "$data")" > "$out"', reads=("data",), outputs={"out": "STRING"}
    )
    spec = stage.spec(
        {"import": Task(Importer(uri)), "read": Task(read, artifacts={"data": Of("import", "artifact")})}
    )
    original = stage.run(spec)
    assert original.artifact("import", "artifact").uri == uri
    assert original.outputs("read") == {"out": "table.csv 1,2"}
    assert stage.rerun(original).ran == []
    objects.write(uri, "3,4")
    again = stage.rerun(original)
    assert again.outputs("read") == {"out": "table.csv 3,4"}


def test_a_folder_arrives_whole_with_what_links_lead_to_and_its_empty_folders(
    stage: Stage, objects: ObjectStore
) -> None:
    make = Leaf(
        'mkdir -p "$data/in/deep" "$data/empty"; printf one > "$data/in/deep/file"; ln -s in/deep/file "$data/link"',
        writes=("data",),
    )
    look = Leaf(
        'cd "$data"; test -d empty; printf "%s %s" "$(cat link)" "$(find . -type f | sort | tr "\\n" " ")" > "$out"',
        reads=("data",),
        outputs={"out": "STRING"},
    )
    spec = stage.spec({"make": Task(make), "look": Task(look, artifacts={"data": Of("make", "data")})})
    original = stage.run(spec, output_directory=objects.root)
    assert original.outputs("look") == {"out": "one ./in/deep/file ./link "}, original.job.error
    assert stage.rerun(original).ran == []
    objects.write(f"{original.artifact('make', 'data').uri}/more", "x")
    assert stage.rerun(original, {"look": RUN}).verdicts["make"] == "EXECUTE ARTIFACT_CHANGED"


def test_an_output_that_cannot_be_put_where_it_belongs_fails_its_task_and_its_retries_are_used(
    stage: Stage,
) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "made"}, retries=1)})
    ended = stage.run(spec, output_directory="s3://no-such-bucket/root")
    assert ended.state == "FAILED" and ended.ran == ["a", "a"]
    assert "output artifact 'data'" in ended.tasks["a"].error.message
    assert "s3://no-such-bucket/root" in ended.tasks["a"].error.message


def test_a_task_that_writes_to_the_uri_by_itself_has_made_its_output(
    stage: Stage, objects: ObjectStore
) -> None:
    """As a container does with tools of its own: here the test does it for it, while the task waits."""
    told, gate = stage.folder / "told", stage.folder / "gate"
    make = Leaf(
        f'printf %s "$2" > {told}.part; mv {told}.part {told}; while ! test -e {gate}; do sleep 0.02; done',
        writes=("data",),
        extra_args=("{{$.outputs.artifacts['data'].uri}}",),
    )
    spec = stage.spec({"make": Task(make), "b": Task(READ, artifacts={"data": Of("make", "data")})})
    job = stage.submit(spec, output_directory=objects.root)
    stage.until(told.exists)
    uri = told.read_text()
    assert uri.startswith(f"{objects.root}/")
    objects.write(uri, "by itself")
    gate.touch()
    ended = stage.finish(job.name, spec)
    assert ended.outputs("b") == {"out": "by itself"}


def test_artifacts_below_a_file_uri_keep_it_and_lie_in_the_folder(stage: Stage) -> None:
    ended = stage.run(_spec(stage), output_directory=f"file://{stage.folder}/out")
    uri = ended.artifact("a", "data").uri
    assert uri.startswith(f"file://{stage.folder}/out/")
    assert Path(uri.removeprefix("file://")).read_text() == "made"
    assert stage.rerun(ended).ran == []


def test_a_run_whose_output_directory_takes_a_driver_that_is_not_there_says_which_package_it_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gcsfs" else find(name))
    ended = stage.run(_spec(stage), output_directory="gs://bucket/root")
    assert ended.state == "SUCCEEDED"
    assert any("'gcsfs'" in warning and "gs://bucket/root" in warning for warning in ended.job.warnings)
    assert Path(ended.artifact("a", "data").uri).read_text() == "made"
