"""An environment that is being made while the runs that wait for it are cancelled."""

from __future__ import annotations

import errno
import os
import select
from pathlib import Path
from typing import Any

from building import Given, Task
from parts import ECHO
from reprise.main import Server, Settings
from stage import Stage


def needing(spec: dict[str, Any], requirements: Path) -> dict[str, Any]:
    """The same, each component with the pip line that the KFP compiler writes."""
    for executor in spec["deploymentSpec"]["executors"].values():
        install = f'python3 -m pip install --quiet --no-index -r {requirements} && "$0" "$@"'
        executor["container"]["command"] = ["sh", "-c", install, *executor["container"]["command"]]
    return spec


def opened_by_pip(stage: Stage, fifo: Path) -> int:
    """The end to write to, once pip has opened the other; it waits there for as long as nothing is written."""
    found: list[int] = []

    def is_open() -> bool:
        try:
            found.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            assert error.errno == errno.ENXIO
        return bool(found)

    stage.until(is_open)
    return found[0]


def test_an_environment_for_several_runs_goes_on_for_the_others_and_stops_with_the_last(
    tmp_path: Path,
) -> None:
    fifo, other = tmp_path / "requirements.txt", tmp_path / "other.txt"
    os.mkfifo(fifo)
    os.mkfifo(other)
    settings = Settings(tmp_path / "data", grpc="127.0.0.1:0", max_tasks=4, grace_s=0.5)
    with Server(settings) as server:
        stage = Stage(server.grpc_address, tmp_path)
        echo = {"a": Task(ECHO, {"x": Given("x")})}
        spec = needing(stage.spec(echo, {"x": "STRING"}), fifo)
        # Both ask for it before there is a pip that could open the file.
        names = [stage.submit(spec, {"x": word}).name for word in ("one", "two")]
        writer = opened_by_pip(stage, fifo)
        stage.client.cancel(names[0])
        first = stage.finish(names[0], spec)
        assert (first.state, first.ran) == ("CANCELLED", [])
        os.write(writer, b"# nothing is needed\n")
        os.close(writer)
        second = stage.finish(names[1], spec)
        assert second.state == "SUCCEEDED" and second.outputs("a") == {"out": "two"}

        alone = needing(stage.spec(echo, {"x": "STRING"}), other)
        name = stage.submit(alone, {"x": "three"}).name
        writer = opened_by_pip(stage, other)
        stage.client.cancel(name)
        third = stage.finish(name, alone, before=1)
        assert (third.state, third.ran) == ("CANCELLED", [])
        # The run has ended at once; pip goes the way of every process, with a grace.
        reader = select.poll()
        reader.register(writer, 0)
        stage.until(lambda: any(events & select.POLLERR for _, events in reader.poll(0)))
        os.close(writer)
        stage.client.close()
