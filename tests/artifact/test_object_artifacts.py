"""Artifacts in an object store, seen from this host: fsspec's memory is the store."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reprise.artifact.contract import ABSENT, NEVER, ArtifactLost, Known, Presence, TransferStopped
from reprise.artifact.filesystems import parse_storage_options
from reprise.artifact.places import ArtifactPlaces
from reprise.domain.errors import Unavailable

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def places(tmp_path: Path) -> ArtifactPlaces:
    return ArtifactPlaces(tmp_path / "copies")


@pytest.fixture
def root() -> str:
    return f"memory://bucket/{uuid.uuid4().hex}"


def _write(uri: str, text: str) -> None:
    fsspec.filesystem("memory").pipe_file(uri.removeprefix("memory://"), text.encode())


def _known(places: ArtifactPlaces, uri: str) -> Known:
    seen = places.digest([uri])[0]
    return Known(uri, seen.digest, seen.fingerprint)


def test_a_digest_is_that_of_the_same_bytes_on_this_host(
    places: ArtifactPlaces, root: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    (folder / "in" / "empty").mkdir(parents=True)
    (folder / "file").write_text("one")
    put = places.put(folder, f"{root}/data", NEVER)
    assert put.digest == places.digest([str(folder)])[0].digest
    other = ArtifactPlaces(tmp_path / "others")
    assert other.digest([f"{root}/data"])[0].digest == put.digest
    fetched = other.fetch(Known(f"{root}/data", put.digest, ""), NEVER)
    assert (fetched / "in" / "empty").is_dir() and (fetched / "file").read_text() == "one"


def test_many_artifacts_of_a_run_and_single_ones_are_looked_at_in_the_order_asked(
    places: ArtifactPlaces, root: str
) -> None:
    uris = [f"{root}/run/{number}/data" for number in range(1, 21)]
    for number, uri in enumerate(uris):
        _write(uri, str(number))
    _write(f"{root}/run/3/data-too", "a name that begins like another is none of its objects")
    known = [_known(places, uri) for uri in uris]
    _write(uris[4], "other")
    fsspec.filesystem("memory").rm(uris[7].removeprefix("memory://"))
    looked = places.look([*known, Known("/no/such/file", ABSENT, ""), Known("hdfs://x/y", "sha256:1", "")])
    expected = [Presence.PRESENT] * 21 + [Presence.UNCHECKABLE]
    expected[4], expected[7] = Presence.CHANGED, Presence.MISSING
    assert looked == expected


def test_what_was_never_written_is_absent_and_its_arrival_is_a_change(
    places: ArtifactPlaces, root: str
) -> None:
    known = _known(places, f"{root}/nothing")
    assert known.digest == ABSENT and places.look([known]) == [Presence.PRESENT]
    assert not places.fetch(known, NEVER).exists()
    _write(f"{root}/nothing", "something")
    assert places.look([known]) == [Presence.CHANGED]


def test_other_bytes_than_those_that_were_recorded_are_never_given_to_a_task(
    places: ArtifactPlaces, root: str, tmp_path: Path
) -> None:
    _write(f"{root}/data", "one")
    known = _known(places, f"{root}/data")
    _write(f"{root}/data", "two")
    with pytest.raises(ArtifactLost, match="changed"):
        ArtifactPlaces(tmp_path / "others").fetch(known, NEVER)
    assert places.fetch(known, NEVER).read_text() == "one", "the copy has the bytes of the digest"


def test_a_copy_that_a_task_has_written_to_is_given_to_nobody_else(places: ArtifactPlaces, root: str) -> None:
    _write(f"{root}/data", "one")
    known = _known(places, f"{root}/data")
    places.fetch(known, NEVER).write_text("spoilt")
    assert places.fetch(known, NEVER).read_text() == "one"


def test_copies_make_room_for_others_but_not_those_that_are_held(tmp_path: Path, root: str) -> None:
    places = ArtifactPlaces(tmp_path / "copies", most_copied_bytes=250)
    for name in "abc":
        _write(f"{root}/{name}", name * 100)
    held = places.fetch(_known(places, f"{root}/a"), NEVER)
    b = places.fetch(_known(places, f"{root}/b"), NEVER)
    places.release([b])
    c = places.fetch(_known(places, f"{root}/c"), NEVER)
    assert held.exists() and c.exists() and not b.exists()


@pytest.mark.parametrize("move", ["fetch", "put", "digest"])
def test_a_transfer_of_a_cancelled_run_is_given_up_and_leaves_no_copy(
    tmp_path: Path, root: str, move: str
) -> None:
    _write(f"{root}/data", "one")
    (tmp_path / "file").write_text("one")
    places = ArtifactPlaces(tmp_path / "copies")
    stop = threading.Event()
    stop.set()
    moves: dict[str, Callable[[], Any]] = {
        "fetch": lambda: places.fetch(Known(f"{root}/data", "", ""), stop),
        "put": lambda: places.put(tmp_path / "file", f"{root}/new", stop),
        "digest": lambda: places.digest([f"{root}/data"], stop),
    }
    with pytest.raises(TransferStopped):
        moves[move]()
    assert list((tmp_path / "copies").glob("*/content/*")) == []
    assert not fsspec.filesystem("memory").exists(f"{root}/new".removeprefix("memory://"))


def test_an_object_whose_name_leads_out_of_its_folder_is_refused(places: ArtifactPlaces, root: str) -> None:
    store = fsspec.filesystem("memory").store
    path = "/" + root.removeprefix("memory://")
    _write(f"{root}/data/good", "x")
    store[f"{path}/data/../../out"] = store[f"{path}/data/good"]
    try:
        with pytest.raises(Unavailable, match="cannot be a file"):
            places.digest([f"{root}/data"])
    finally:
        del store[f"{path}/data/../../out"]


def test_options_of_drivers_are_read_by_scheme_and_wrong_ones_are_named() -> None:
    assert parse_storage_options(
        ["s3.endpoint_url=http://127.0.0.1:9", "s3.client_kwargs.region_name=eu", "s3.anon=true"]
    ) == {"s3": {"endpoint_url": "http://127.0.0.1:9", "client_kwargs": {"region_name": "eu"}, "anon": True}}
    for wrong in ("s3=x", "s3.", "nothing.x=1", "s3.x"):
        with pytest.raises(ValueError, match=wrong.split("=")[0]):
            parse_storage_options([wrong])


def test_a_store_of_kubeflow_takes_an_endpoint_and_says_so(places: ArtifactPlaces) -> None:
    assert "--storage-option minio.endpoint_url" in places.problem("minio://mlpipeline/v2/artifacts")


def test_a_bucket_of_google_is_nobodys_to_write_to_without_credentials(
    places: ArtifactPlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gcsfs", reason="gcsfs is needed to be told what it lacks")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "credentials" in places.problem("gs://bucket/root")
    assert ArtifactPlaces(tmp_path / "copies", {"gs": {"token": "anon"}}).problem("gs://bucket/root") == ""
