"""Ends of attempts: by themselves, by Cancel, by their time limit, and of everything they have started."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from reprise.executor.attempt_files import Handle
from reprise.executor.contract import Cause, Exit
from reprise.executor.subprocess import SubprocessExecutor

from .conftest import Workbench

# Five grandchildren, forked twice, each in a session of its own and deaf to SIGTERM, as the main process is.
DEAF_TREE = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
import threading
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note_pid()
            os.write(ready, b".")
            while True:
                signal.pause()
        os._exit(0)
"""


def run(bench: Workbench, *argv: str, timeout_s: float | None = None) -> tuple[Exit, bytes, bytes]:
    async def main() -> tuple[Exit, bytes, bytes]:
        executor = bench.executor()
        await executor.open()
        handle = await bench.begin(executor, bench.spec(*argv, timeout_s=timeout_s))
        end = await executor.wait(handle)
        await executor.close()
        return end, bench.log(handle), handle

    return asyncio.run(main())


async def cancelled(bench: Workbench, code: str, grace_s: float = 0.2) -> tuple[Exit, float]:
    """Runs `code`, cancels it when it tells, and gives its end with the seconds that took."""
    executor = bench.executor()
    await executor.open()
    handle = await bench.begin(executor, bench.python(code, grace_s=grace_s))
    await bench.told()
    began = time.monotonic()
    await executor.cancel(handle)
    end = await executor.wait(handle)
    took_s = time.monotonic() - began
    await executor.close()
    return end, took_s


def test_exit_code_and_output_of_a_program_are_kept(bench: Workbench) -> None:
    end, log, _ = run(bench, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (end.cause, end.exit_code, end.signal) == (Cause.EXITED, 7, None)
    assert sorted(log.split()) == [b"err", b"out"]
    assert not end.is_success
    assert end.ended_ns >= end.started_ns > 0


def test_a_program_that_kills_itself_shows_its_signal(bench: Workbench) -> None:
    end, _, _ = run(bench, "sh", "-c", "kill -SEGV $$")
    assert (end.cause, end.exit_code, end.signal) == (Cause.EXITED, None, 11)
    assert "SIGSEGV" in end.message


def test_a_program_that_does_not_exist_is_not_started(bench: Workbench) -> None:
    end, _, _ = run(bench, "no-such-program-anywhere")
    assert end.cause is Cause.NOT_STARTED
    assert end.message.startswith("no such program: no-such-program-anywhere in PATH=")


def test_a_script_with_a_missing_interpreter_says_so(bench: Workbench, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    end, _, _ = run(bench, str(script))
    assert end.cause is Cause.NOT_STARTED
    assert "interpreter" in end.message


def test_an_argument_too_large_for_linux_is_not_started(bench: Workbench) -> None:
    end, _, _ = run(bench, "true", "x" * 200_000)
    assert end.cause is Cause.NOT_STARTED
    assert "128 KiB" in end.message


def test_a_missing_working_folder_is_named(bench: Workbench) -> None:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        spec = bench.spec("true")
        spec = spec._replace(cwd="/no/such/folder")
        end = await executor.wait(await bench.begin(executor, spec))
        await executor.close()
        return end

    end = asyncio.run(main())
    assert end.cause is Cause.NOT_STARTED
    assert "/no/such/folder" in end.message


def test_a_task_begins_with_a_clean_slate_of_signals_descriptors_and_session(bench: Workbench) -> None:
    code = (
        "import os, signal;"
        "print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')));"
        "print(os.getsid(0) == os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, []));"
        "print(os.readlink('/proc/self/fd/0'), open('/proc/self/oom_score_adj').read().strip())"
    )
    import sys

    end, log, _ = run(bench, sys.executable, "-I", "-S", "-c", code)
    assert end.is_success
    # The fourth descriptor is the one that lists the folder.
    assert log.decode().split("\n")[:3] == ["[0, 1, 2] 4", "True set()", "/dev/null 500"]


def test_a_program_past_its_time_is_timed_out(bench: Workbench) -> None:
    end, _, _ = run(bench, "sleep", "1000", timeout_s=0.05)
    assert (end.cause, end.signal) == (Cause.TIMED_OUT, 15)
    assert "0.05 s" in end.message


def test_what_a_finished_program_leaves_behind_is_killed_and_it_still_succeeds(bench: Workbench) -> None:
    end, _, _ = run(
        bench, "sh", "-c", "setsid sleep 1000 & setsid sh -c 'sleep 999 & sleep 998' & sleep 0.05; exit 0"
    )
    assert end.is_success
    assert "left behind and killed" in end.message


def test_cancel_lets_a_program_end_in_its_own_way_and_it_is_cancelled_all_the_same(bench: Workbench) -> None:
    code = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\ntell('up')\nwhile True: signal.pause()"
    end, took_s = asyncio.run(cancelled(bench, code, grace_s=30))
    assert (end.cause, end.exit_code) == (Cause.CANCELLED, 0)
    assert took_s < 5


def test_cancel_kills_deaf_double_forked_sessions_after_the_grace(bench: Workbench) -> None:
    code = "up, ready = os.pipe()" + DEAF_TREE + "for _ in range(5): os.read(up, 1)\ntell('up')\n"
    end, took_s = asyncio.run(cancelled(bench, code + "while True: signal.pause()", grace_s=0.1))
    assert (end.cause, end.signal, end.survivors) == (Cause.CANCELLED, 9, ())
    assert len(bench.noted()) == 6
    assert 0.1 <= took_s < 2
    assert end.kill_method == ("cgroup.kill" if bench.use_cgroup else "subreaper")


def test_cancel_reaches_orphans_when_the_main_process_obeys_and_they_do_not(bench: Workbench) -> None:
    code = "up, ready = os.pipe()" + DEAF_TREE
    code += "for _ in range(5): os.read(up, 1)\nsignal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
    code += "tell('up')\nsignal.pause()"
    end, _ = asyncio.run(cancelled(bench, code, grace_s=0.1))
    assert (end.cause, end.signal) == (Cause.CANCELLED, 15)


def test_a_chain_of_forks_that_never_stops_is_caught(bench: Workbench) -> None:
    code = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell('up')
    end_s = time.monotonic() + 60  # it outlives nobody's patience, should the test be killed
    while time.monotonic() < end_s:
        if os.fork():
            os._exit(0)
        os.setsid()
    """

    # The main process is the first link, so the rest is what a program leaves behind.
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        handle = await bench.begin(executor, bench.python(code))
        await bench.told()
        end = await asyncio.wait_for(executor.wait(handle), 30)
        await executor.close()
        return end

    end = asyncio.run(main())
    assert (end.cause, end.exit_code, end.survivors) == (Cause.EXITED, 0, ())


# Each link is a copy of the shell before it and lives for some 100 microseconds: no listing of /proc shows it alive.
FAST_CHAINS = """
link() { link & }
echo up > "$FIFO"
for i in 1 2 3; do setsid sh -c "link() { link & }; link" & done
link
"""


def test_chains_of_forks_faster_than_a_look_at_proc_are_caught(bench: Workbench) -> None:
    async def main() -> Exit:
        executor = bench.executor()
        await executor.open()
        handle = await bench.begin(executor, bench.spec("sh", "-c", FAST_CHAINS))
        await bench.told()
        end = await asyncio.wait_for(executor.wait(handle), 30)
        assert bench.survivors() == []
        await executor.close()
        return end

    end = asyncio.run(main())
    assert (end.cause, end.exit_code, end.survivors) == (Cause.EXITED, 0, ())


def test_a_tree_that_grows_is_caught(bench: Workbench) -> None:
    code = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    tell('up')
    def grow():
        for _ in range(60):
            if os.fork() == 0:
                os.setsid()
                grow_slowly()
        signal.pause()
    end_s = time.monotonic() + 60
    def grow_slowly():
        while time.monotonic() < end_s:
            if os.fork() == 0:
                time.sleep(0.3)
                os._exit(0)
            time.sleep(0.005)
    grow()
    """
    end, _ = asyncio.run(cancelled(bench, code, grace_s=0.05))
    assert (end.cause, end.survivors) == (Cause.CANCELLED, ())


def test_a_stopped_task_is_cancelled(bench: Workbench) -> None:
    code = "tell('up')\nos.kill(os.getpid(), signal.SIGSTOP)\nsignal.pause()"
    end, _ = asyncio.run(cancelled(bench, code, grace_s=20))
    assert (end.cause, end.signal) == (Cause.CANCELLED, 15)


def test_a_cancel_after_the_end_changes_nothing(bench: Workbench) -> None:
    async def main() -> tuple[Exit, Exit]:
        executor = bench.executor()
        await executor.open()
        handle = await bench.begin(executor, bench.spec("true"))
        first = await executor.wait(handle)
        await executor.cancel(handle)
        second = await executor.wait(handle)
        await executor.close()
        return first, second

    first, second = asyncio.run(main())
    assert first == second
    assert first.is_success


def test_a_gigabyte_of_output_is_kept_within_its_limit_first_and_last_part(bench: Workbench) -> None:
    line = "x" * 127
    began = time.monotonic()
    end, log, handle = run(bench, "sh", "-c", f"echo first; yes {line} | head -c 1073741824; echo last")
    took_s = time.monotonic() - began
    assert end.is_success
    assert log.startswith(b"first\n")
    assert log.endswith(b"\nlast\n")
    assert len(log) < (8 << 20) + 4096
    spooled = json.loads((Path(Handle.decode(handle).attempt_dir) / "exit.json").read_bytes())
    assert spooled["log_bytes"] == (1 << 30) + 6 + 5
    assert spooled["log_was_cut"] is True
    assert took_s < 60
    assert sorted(file.name for file in Path(Handle.decode(handle).attempt_dir).iterdir()) == [
        "exit.json",
        "log",
        "process",
    ]


def test_a_line_without_end_is_cut(bench: Workbench) -> None:
    end, log, _ = run(bench, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert end.is_success
    assert log.endswith(b"bytes of this line left out]\nlast\n")
    assert len(log) < 300_000


def test_hundreds_of_attempts_run_at_once(bench: Workbench) -> None:
    async def main() -> list[Exit]:
        executor = bench.executor()
        await executor.open()
        handles = await asyncio.gather(
            *(bench.begin(executor, bench.spec("sleep", "1000")) for _ in range(200))
        )
        await asyncio.gather(*(executor.cancel(handle) for handle in handles))
        ends = await asyncio.gather(*(executor.wait(handle) for handle in handles))
        await executor.close()
        return list(ends)

    ends = asyncio.run(main())
    assert {end.cause for end in ends} == {Cause.CANCELLED}


def test_capabilities_are_found_with_real_children(tmp_path: Path) -> None:
    names = {one.name: one for one in SubprocessExecutor(tmp_path).capabilities()}
    assert names["kill by subreaper"].is_available
    assert names["kill by cgroup"].detail
