"""A supervisor that takes one attempt after another: each is as if it had one of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from reprise.executor.attempt_files import Handle
from reprise.executor.contract import Cause, Exit
from reprise.executor.spawner_link import Begun, SpawnerLink, reply_of

from .conftest import UNTIL_TOLD, Workbench, ended_of, is_gone_in_time


def test_attempts_in_turn_share_a_supervisor_and_nothing_else(bench: Workbench) -> None:
    async def main() -> list[tuple[Exit, bytes]]:
        executor = bench.executor()
        await executor.open()
        script = "echo $1; exit $1"
        ended = [await ended_of(bench, executor, "sh", "-c", script, "sh", str(code)) for code in (3, 0, 5)]
        await executor.close()
        return ended

    ended = asyncio.run(main())
    assert [end.exit_code for end, _ in ended] == [3, 0, 5]
    assert [bench.log(handle) for _, handle in ended] == [b"3\n", b"0\n", b"5\n"]
    assert len({bench.supervisor(handle) for _, handle in ended}) == 1
    assert len({end.kill_method for end, _ in ended}) == 1


def test_what_was_killed_of_one_attempt_is_not_felt_by_the_next(bench: Workbench) -> None:
    leaves_a_daemon = "setsid sleep 300 & exit 0"

    async def main() -> list[Exit]:
        executor = bench.executor()
        await executor.open()
        scripts = (leaves_a_daemon, "exit 4", "kill -KILL $$", "exit 4", leaves_a_daemon, "exit 4")
        ended = [(await ended_of(bench, executor, "sh", "-c", script))[0] for script in scripts]
        await executor.close()
        return ended

    ended = asyncio.run(main())
    assert [end.exit_code for end in ended] == [0, 4, None, 4, 0, 4]
    assert ended[2].signal == signal.SIGKILL


def test_a_stop_that_comes_late_is_not_taken_for_one_of_the_next_attempt(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def begin(link: SpawnerLink, number: int, *argv: str) -> Begun:
        folder = tmp_path / str(number)
        launch = {
            "version": 1,
            "argv": argv,
            "env": {"PATH": os.environ["PATH"]},
            "cwd": str(tmp_path),
            "log_path": str(folder / "log"),
            "exit_path": str(folder / "exit.json"),
            "process_path": str(folder / "process"),
            "grace_s": 0.1,
            "marker": f"1.1.{number}.late",
        }
        return await link.launch(str(folder / "launch.json"), json.dumps(launch).encode())

    async def main() -> tuple[Any, Any]:
        link = SpawnerLink(tmp_path / "spawner.log")
        first = await begin(link, 1, "true")
        await first.ending
        second = await begin(link, 2, "cat", str(fifo))
        await first.stop()
        # It is read from now on, and would be ended by a stop.
        writer = await asyncio.to_thread(fifo.open, "w")
        await first.stop()
        writer.close()
        told = reply_of(await first.ending)["exit"], reply_of(await second.ending)["exit"]
        link.hang_up()
        return told

    for how in asyncio.run(main()):
        assert (how["cause"], how["exit_code"]) == ("exited", 0)
    assert os.readlink(tmp_path / "1" / "process") == os.readlink(tmp_path / "2" / "process")  # noqa: PTH115


def test_a_supervisor_without_an_attempt_that_is_killed_is_replaced(bench: Workbench) -> None:
    async def main() -> tuple[Exit, Exit]:
        executor = bench.executor()
        await executor.open()
        first, handle = await ended_of(bench, executor, "true")
        descriptor = os.pidfd_open(bench.supervisor(handle))
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        assert await asyncio.to_thread(is_gone_in_time, descriptor)
        os.close(descriptor)
        second, _ = await ended_of(bench, executor, "true")
        await executor.close()
        return first, second

    assert all(end.is_success for end in asyncio.run(main()))


def _ends_idle(bench: Workbench, is_closed: bool) -> bool:
    """Whether a supervisor without an attempt ends, be the server gone or not."""

    async def main() -> bool:
        executor = bench.executor()
        await executor.open()
        _, handle = await ended_of(bench, executor, sys.executable, "-S", "-c", "pass")
        descriptor = os.pidfd_open(bench.supervisor(handle))
        if is_closed:
            await executor.close()
        is_gone = await asyncio.to_thread(is_gone_in_time, descriptor)
        os.close(descriptor)
        await executor.close()
        return is_gone

    return asyncio.run(main())


def test_a_supervisor_without_an_attempt_ends_with_its_server(bench: Workbench) -> None:
    assert _ends_idle(bench, is_closed=True)


def test_a_supervisor_without_an_attempt_ends_with_time(tmp_path: Path) -> None:
    assert _ends_idle(Workbench(tmp_path, use_cgroup=True), is_closed=False)


def test_a_supervisor_that_is_busy_outlives_its_server_and_takes_nothing_more(bench: Workbench) -> None:
    async def main() -> tuple[Exit, bool]:
        first = bench.executor()
        await first.open()
        handle, is_gone = await bench.end_alone(first)
        second = bench.executor()
        await second.open()
        end = await second.wait(handle)
        await second.close()
        return end, is_gone

    end, is_gone = asyncio.run(main())
    assert is_gone and end.cause is Cause.EXITED and end.is_success


def test_a_handle_names_its_own_attempt_after_its_supervisor_has_another(bench: Workbench) -> None:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        _, first = await ended_of(bench, executor, "true")
        executor.release([first])  # so that it is looked for by its files
        second = await bench.begin(executor, bench.python(UNTIL_TOLD))
        assert await bench.told() == "up"
        assert bench.supervisor(first) == bench.supervisor(second)
        assert Handle.decode(first) != Handle.decode(second)
        await executor.cancel(first)
        assert (await executor.wait(first)).is_success
        await asyncio.to_thread(bench.fifo.write_text, "go")
        end = await executor.wait(second)
        await executor.close()
        return end

    assert asyncio.run(main()).is_success
