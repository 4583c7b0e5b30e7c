"""A full disk: a clear error, reads go on, Cancel still goes through to CANCELLED."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from reprise.client.errors import CallError
from reprise.pb.v1 import pipeline_state_pb2 as states

from .embedded import embedded, until
from .lives import processes_with


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk takes the right to mount one")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_full_disk_errors_are_clear_reads_go_on_and_cancel_goes_through(
    small_disk: Path, tmp_path: Path
) -> None:
    ledger, filler = tmp_path / "ledger", small_disk / "filler"
    with embedded(small_disk / "data", ledger) as stage:
        # Two tasks end on the full disk, and one has to be killed.
        waits = f"while ! test -e {tmp_path}/gate; do sleep 0.02; done"
        stage.submit("held", {"a": ("trap '' TERM; sleep 300", ()), "b": (waits, ())})
        until(lambda: sorted(stage.begun()) == ["a", "b"])
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(os.urandom(4096))
            except OSError:
                pass
        with pytest.raises(CallError) as refused:
            for index in range(10_000):
                stage.submit(f"run-{index}", {"a": (f": {os.urandom(2000).hex()}", ())})
        assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_REACHED")
        assert "disk" in str(refused.value)
        (tmp_path / "gate").touch()
        assert stage.state("held") == states.PIPELINE_STATE_RUNNING
        assert any(job.name.endswith("held") for job in stage.client.list())
        stage.client.cancel("held")
        job = stage.client.wait("held", 60)
        assert job.state in (states.PIPELINE_STATE_CANCELLED, states.PIPELINE_STATE_FAILED)
        assert processes_with(b"LEDGER=" + str(ledger).encode()) == []
        filler.unlink()
        stage.submit("after", {"a": ("", ())})
        assert stage.client.wait("after", 60).state == states.PIPELINE_STATE_SUCCEEDED
