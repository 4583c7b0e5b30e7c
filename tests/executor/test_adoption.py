"""Attempts whose server, spawner or supervisor is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from reprise.executor.attempt_files import Handle
from reprise.executor.contract import Cause, Exit

from .conftest import Workbench

# A server: starts one attempt, writes its handle, and then waits to be killed.
SERVER = """
import asyncio, json, pathlib, sys
from reprise.executor.contract import AttemptSpec
from reprise.executor.subprocess import SubprocessExecutor
data, fields = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
async def main():
    executor = SubprocessExecutor(data, use_cgroup=fields["use_cgroup"])
    await executor.open()
    spec = AttemptSpec(1, 1, 1, fields["dir"], tuple(fields["argv"]), fields["env"],
                       fields["cwd"], "image", fields["grace_s"])
    handle = executor.handle(spec)
    await executor.start(spec, handle)
    print(handle.decode(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def killed_server(bench: Workbench, code: str, grace_s: float = 0.2) -> bytes:
    """The handle of an attempt that was started by a server which was then killed with -9."""
    spec = bench.python(textwrap.dedent(code), grace_s=grace_s)
    fields = {
        "use_cgroup": bench.use_cgroup,
        "dir": spec.attempt_dir,
        "argv": spec.argv,
        "env": dict(spec.env),
        "cwd": spec.cwd,
        "grace_s": grace_s,
    }
    command = [sys.executable, "-c", SERVER, str(bench.folder / "data"), json.dumps(fields)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        handle = server.stdout.readline().strip()
        server.kill()
    return handle


def end_of(bench: Workbench, handle: bytes, cancel: bool = False) -> Exit:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        if cancel:
            await executor.cancel(handle)
        end = await asyncio.wait_for(executor.wait(handle), 30)
        await executor.close()
        return end

    return asyncio.run(main())


def test_an_attempt_outlives_its_server_and_the_next_one_sees_its_end(bench: Workbench) -> None:
    handle = killed_server(bench, "tell('up')\nsys.exit(open(os.environ['FIFO']).read() != 'go')")
    assert bench.fifo.read_text() == "up"
    bench.fifo.write_text("go")
    assert end_of(bench, handle).is_success


def test_an_attempt_that_ended_without_a_server_is_not_lost(bench: Workbench) -> None:
    handle = killed_server(bench, "tell('up')\nsys.exit(4)")
    assert bench.fifo.read_text() == "up"
    supervisor = bench.supervisor(handle)
    descriptor = os.pidfd_open(supervisor) if Path(f"/proc/{supervisor}").exists() else None
    if descriptor is not None:
        signal_ended(descriptor)
    assert end_of(bench, handle).exit_code == 4


def signal_ended(descriptor: int) -> None:
    import select

    try:
        assert select.select([descriptor], [], [], 20)[0]
    finally:
        os.close(descriptor)


def test_an_adopted_attempt_is_cancelled(bench: Workbench) -> None:
    handle = killed_server(
        bench, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntell('up')\nsignal.pause()", 0.1
    )
    assert bench.fifo.read_text() == "up"
    end = end_of(bench, handle, cancel=True)
    assert (end.cause, end.signal) == (Cause.CANCELLED, 9)


@pytest.mark.parametrize("is_environment_clean", [False, True])
def test_an_attempt_whose_supervisor_is_killed_is_killed_and_lost(
    bench: Workbench, is_environment_clean: bool
) -> None:
    code = """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note_pid()
            tell('up')
            os.execve('/bin/sleep', ['sleep', '1000'], {} if CLEAN else dict(os.environ))
        os._exit(0)
    signal.pause()
    """.replace("CLEAN", str(is_environment_clean))

    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        handle = await bench.begin(executor, bench.python(code))
        assert await bench.told() == "up"
        os.kill(bench.supervisor(handle), signal.SIGKILL)
        end = await asyncio.wait_for(executor.wait(handle), 30)
        await executor.close()
        return end

    end = asyncio.run(main())
    assert (end.cause, end.survivors) == (Cause.LOST, ())


def test_an_adopted_attempt_whose_supervisor_is_killed_leaves_nothing(bench: Workbench) -> None:
    handle = killed_server(
        bench, "if os.fork() == 0:\n    os.setsid()\n    note_pid()\n    tell('up')\nsignal.pause()"
    )
    assert bench.fifo.read_text() == "up"
    os.kill(bench.supervisor(handle), signal.SIGKILL)
    assert end_of(bench, handle).cause is Cause.LOST


def test_a_task_that_kills_its_own_supervisor_is_lost_and_dead(bench: Workbench) -> None:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        task = bench.python("os.kill(os.getppid(), signal.SIGKILL)\nsignal.pause()")
        handle = await bench.begin(executor, task)
        end = await asyncio.wait_for(executor.wait(handle), 30)
        await executor.close()
        return end

    assert asyncio.run(main()).cause is Cause.LOST


def test_a_spawner_that_dies_is_started_again_and_its_attempts_go_on(bench: Workbench) -> None:
    async def main() -> tuple[Exit, Exit]:
        executor = bench.executor()
        await executor.open()
        code = "tell('up')\nsys.exit(open(os.environ['FIFO']).read() != 'go')"
        first = await bench.begin(executor, bench.python(code))
        assert await bench.told() == "up"
        link = executor._link
        assert link.pid is not None
        os.kill(link.pid, signal.SIGKILL)
        await link.has_ended.wait()
        second = await executor.wait(await bench.begin(executor, bench.spec("true")))
        await asyncio.to_thread(bench.fifo.write_text, "go")
        ended = await executor.wait(first)
        await executor.close()
        return ended, second

    first, second = asyncio.run(main())
    assert first.is_success
    assert second.is_success


def claimed(bench: Workbench, content: str) -> bytes:
    """A handle of an attempt for which the link to its supervisor says `content`."""
    (bench.folder / "process").symlink_to(content)
    return Handle(str(bench.folder), "no-such-marker").encode()


def test_a_handle_of_an_earlier_boot_is_lost_without_touching_anyone(bench: Workbench) -> None:
    handle = claimed(bench, f"00000000-0000-0000-0000-000000000000 {os.getpid()} 1")
    end = end_of(bench, handle, cancel=True)
    assert end.cause is Cause.LOST
    assert "restarted" in end.message


def test_a_number_that_was_given_to_another_process_is_never_signalled(bench: Workbench) -> None:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        handle = claimed(bench, f"{boot_id} {stranger.pid} 1")
        assert end_of(bench, handle, cancel=True).cause is Cause.LOST
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("by_cancel", [False, True])
def test_an_attempt_that_was_given_up_before_its_start_never_starts(
    bench: Workbench, by_cancel: bool
) -> None:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        spec = bench.python("sys.exit(0)")
        handle = executor.handle(spec)
        if by_cancel:
            await executor.cancel(handle)
        else:
            assert (await executor.wait(handle)).cause is Cause.LOST
        await executor.start(spec, handle)
        end = await executor.wait(handle)
        await executor.close()
        return end

    assert asyncio.run(main()).cause is Cause.LOST
    assert bench.noted() == []


def test_an_attempt_that_is_started_twice_runs_once(bench: Workbench) -> None:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        spec = bench.python("sys.exit(6)")
        handle = executor.handle(spec)
        await asyncio.gather(*(executor.start(spec, handle) for _ in range(5)))
        end = await executor.wait(handle)
        await executor.start(spec, handle)
        assert await executor.wait(handle) == end
        await executor.close()
        return end

    assert asyncio.run(main()).exit_code == 6
    assert len(bench.noted()) == 1


def test_what_the_spawner_refuses_has_not_started(bench: Workbench) -> None:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        spec = bench.spec("true")
        spec = spec._replace(grace_s="not a number")
        handle = await bench.begin(executor, spec)
        end = await executor.wait(handle)
        await executor.close()
        return end

    end = asyncio.run(main())
    assert end.cause is Cause.NOT_STARTED
    assert "is not a launch" in end.message
