"""Components in warm interpreters behave as in new ones, and die like any other."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from reprise.executor.attempt_files import Handle
from reprise.executor.contract import Cause, Exit
from reprise.executor.subprocess import SubprocessExecutor

from .test_launch import Leaf, lightweight

HOW = "open('/proc/self/cmdline').read().split('\\0')[1]"


def run(leaf: Leaf, is_warm: bool) -> tuple[Exit, str]:
    async def main() -> Exit:
        executor = SubprocessExecutor(leaf.folder / "data-dir", use_warm_interpreters=is_warm)
        await executor.open()
        spec = await leaf.make()
        handle = executor.handle(spec)
        await executor.start(spec, handle)
        end = await executor.wait(handle)
        await executor.close()
        return end

    return asyncio.run(main()), (leaf.attempt_dir / "log").read_text()


def said(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith("said ")]


@pytest.mark.parametrize(
    "body",
    [
        "print('said', sys.path[0] == os.getcwd(), os.getcwd().endswith('/work'))",
        "print('said', os.environ['TMPDIR'] == tempfile.gettempdir(), sorted(os.environ))",
        "print('said', [a.split('/')[-1] for a in sys.argv[:3]], sys.argv[-2:])",
        "print('said', signal.getsignal(2).__name__, signal.getsignal(13), signal.getsignal(15))",
        "print('said', signal.pthread_sigmask(0, []), os.getsid(0) == os.getpid())",
        "print('said', sorted(os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')))",
        "print('said', sys.modules['__main__'].__file__.split('/')[-1], sys.flags)",
        "print('said', os.path.realpath('/proc/self/fd/0'), sys.stdout.line_buffering, sys.stdout.encoding)",
        "print('said', subprocess.run(['sh', '-c', 'trap; ulimit -n'], capture_output=True).stdout)",
        "print('said', multiprocessing.get_context('spawn').Pool(1).map(len, ['abc']))",
        "threading.Thread(target=lambda: (time.sleep(0.1), print('said late'))).start()",
        "atexit.register(print, 'said at exit')",
        "sys.exit(7)",
        "sys.exit('said why')",
        "raise ValueError('said what')",
        "os.abort()",
        "signal.raise_signal(15)",
    ],
)
def test_a_warm_interpreter_is_like_a_new_one(tmp_path: Path, body: str) -> None:
    modules = "atexit, multiprocessing, os, signal, subprocess, sys, tempfile, threading, time"
    results = []
    for is_warm in (False, True):
        folder = tmp_path / str(is_warm)
        folder.mkdir()
        leaf = lightweight(folder, f"import {modules}\ndef f():\n    print('how', {HOW})\n    {body}\n")
        end, log = run(leaf, is_warm)
        assert f"how {'-c' if is_warm else '-m'}" in log or end.signal is not None, log
        results.append((end.cause, end.exit_code, end.signal, said(log)))
    assert results[0] == results[1]


def test_many_components_run_in_one_warm_interpreter(tmp_path: Path) -> None:
    async def main() -> list[Exit]:
        executor = SubprocessExecutor(tmp_path / "data-dir")
        await executor.open()

        async def one(number: int) -> Exit:
            folder = tmp_path / str(number)
            folder.mkdir()
            leaf = lightweight(folder, f"def f() -> int:\n    return {number}\n")
            spec = await leaf.make()
            handle = executor.handle(spec)
            await executor.start(spec, handle)
            end = await executor.wait(handle)
            assert leaf.outputs().parameters[0].json == str(number)
            return end

        ends = await asyncio.gather(*(one(number) for number in range(40)))
        await executor.close()
        return list(ends)

    assert all(end.is_success for end in asyncio.run(main()))


def test_a_component_with_variables_of_its_own_gets_an_interpreter_that_started_with_them(
    tmp_path: Path,
) -> None:
    leaf = lightweight(
        tmp_path, "def f():\n    import sys\n    print('said', hash('x'), sys.flags.hash_randomization)\n"
    )
    leaf.env = {"PYTHONHASHSEED": "0"}
    _, log = run(leaf, is_warm=True)
    expected = os.popen(f"PYTHONHASHSEED=0 {sys.executable} -c 'print(hash(\"x\"))'").read().strip()
    assert said(log) == [f"said {expected} 0"]


def test_an_interpreter_that_cannot_warm_up_is_replaced_by_a_new_process(tmp_path: Path) -> None:
    leaf = lightweight(tmp_path, "def f():\n    pass\n")
    leaf.env = {"PYTHONPATH": str(tmp_path / "broken")}
    (tmp_path / "broken" / "kfp").mkdir(parents=True)
    (tmp_path / "broken" / "kfp" / "__init__.py").write_text("raise ImportError('broken')\n")
    end, log = run(leaf, is_warm=True)
    assert (end.cause, end.exit_code) == (Cause.EXITED, 1)
    assert "ImportError: broken" in log


def kill_spawner_and_supervisor(handle: bytes) -> None:
    """In this order, so that nobody but the server is left to kill the task."""
    link = (Path(Handle.decode(handle).attempt_dir) / "process").readlink().name
    supervisor = int(link.split(" ")[1])
    spawner = int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(spawner, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)


@pytest.mark.parametrize("by", ["cancel", "supervisor"])
def test_a_warm_task_is_found_and_killed_by_a_server_that_did_not_start_it(tmp_path: Path, by: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    source = (
        "def f():\n    import os, signal, subprocess\n"
        "    subprocess.Popen(['setsid', 'sleep', '1000'])\n"
        f"    open({str(fifo)!r}, 'w').write(str(os.getpid()))\n    signal.pause()\n"
    )

    async def main() -> tuple[Exit, int]:
        first = SubprocessExecutor(tmp_path / "data-dir", use_cgroup=False)
        await first.open()
        spec = await lightweight(tmp_path, source).make()
        handle = first.handle(spec)
        await first.start(spec, handle)
        task = int(await asyncio.to_thread(fifo.read_text))
        await first.close()
        second = SubprocessExecutor(tmp_path / "data-dir", use_cgroup=False)
        await second.open()
        if by == "cancel":
            await second.cancel(handle)
        else:
            kill_spawner_and_supervisor(handle)
        end = await second.wait(handle)
        await second.close()
        return end, task

    end, task = asyncio.run(main())
    assert end.cause is (Cause.CANCELLED if by == "cancel" else Cause.LOST)
    assert end.survivors == ()
    stat = Path(f"/proc/{task}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
