"""What the contract promises, whichever executor keeps it: real processes, real containers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from reprise.executor.contract import Cause, Exit

from .place import LOG_LIMIT_BYTES, Place

# Stays, with a child in a session of its own that has lost its parent; both are deaf to SIGTERM.
_DEAF = """
trap '' TERM
(setsid sh -c 'trap "" TERM; while :; do sleep 0.05; done' &)
echo up > "$FIFO"
while :; do sleep 0.05; done
"""


def test_exit_code_output_and_times_are_kept(place: Place) -> None:
    spec = place.spec("echo out; echo err >&2; exit 7")
    began_ns = time.time_ns()
    end = place.end_of(spec)
    assert (end.cause, end.exit_code) == (Cause.EXITED, 7)
    assert sorted(place.log(spec).split()) == [b"err", b"out"]
    assert not end.is_success
    # Engines read a coarser clock.
    assert began_ns - 10**9 < end.started_ns <= end.ended_ns < time.time_ns() + 10**9


def test_a_task_sees_its_variables_and_starts_in_its_folder(place: Place) -> None:
    spec = place.spec('echo "$SHARED"; pwd; echo done > here; echo done > "$SHARED/there"')
    assert place.end_of(spec).is_success
    assert place.log(spec).decode().split() == [str(place.shared), spec.cwd]
    assert (Path(spec.cwd) / "here").read_text() == (place.shared / "there").read_text() == "done\n"


def test_a_program_that_does_not_exist_is_not_started(place: Place) -> None:
    spec = place.spec("")._replace(argv=("no-such-program-anywhere",))
    end = place.end_of(spec)
    assert end.cause is Cause.NOT_STARTED
    assert "no-such-program-anywhere" in end.message


def test_a_program_past_its_time_is_timed_out(place: Place) -> None:
    end = place.end_of(place.spec("sleep 1000", timeout_s=0.4))
    assert end.cause is Cause.TIMED_OUT
    assert "0.4 s" in end.message


def test_what_a_finished_program_leaves_behind_is_dead(place: Place) -> None:
    end = place.end_of(
        place.spec("(setsid sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' &) ; sleep 0.1")
    )
    assert end.is_success
    assert place.survivors() == []


async def _cancelled(place: Place, script: str, grace_s: float) -> tuple[Exit, float]:
    executor = place.executor()
    await executor.open()
    handle = await place.begin(executor, place.spec(script, grace_s=grace_s))
    assert await place.told() == "up"
    began = time.monotonic()
    await executor.cancel(handle)
    end = await asyncio.wait_for(executor.wait(handle), 60)
    assert place.survivors() == []
    await executor.close()
    return end, time.monotonic() - began


def test_cancel_lets_a_program_end_in_its_own_way_and_it_is_cancelled_all_the_same(place: Place) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo up > \"$FIFO\"; while :; do sleep 0.05; done"
    end, took_s = asyncio.run(_cancelled(place, script, grace_s=30))
    assert (end.cause, end.exit_code) == (Cause.CANCELLED, 0)
    assert took_s < 20


def test_cancel_kills_what_is_deaf_after_the_grace(place: Place) -> None:
    end, took_s = asyncio.run(_cancelled(place, _DEAF, grace_s=0.3))
    assert end.cause is Cause.CANCELLED
    assert end.exit_code in (None, 137)
    assert took_s >= 0.3


def test_a_cancel_after_the_end_changes_nothing_and_every_look_sees_the_same_end(place: Place) -> None:
    async def main() -> list[Exit]:
        executor = place.executor()
        await executor.open()
        handle = await place.begin(executor, place.spec("exit 3"))
        first = await executor.wait(handle)
        await executor.cancel(handle)
        ends = [first, await executor.wait(handle)]
        await executor.close()
        return ends

    first, second = asyncio.run(main())
    assert first == second
    assert (first.cause, first.exit_code) == (Cause.EXITED, 3)


@pytest.mark.parametrize("by_cancel", [False, True])
def test_an_attempt_that_was_given_up_before_its_start_never_starts(place: Place, by_cancel: bool) -> None:
    async def main() -> Exit:
        executor = place.executor()
        await executor.open()
        spec = place.spec("echo ran > $SHARED/ran")
        handle = executor.handle(spec)
        if by_cancel:
            await executor.cancel(handle)
        assert (await executor.wait(handle)).cause is Cause.LOST
        await executor.start(spec, handle)
        end = await executor.wait(handle)
        await executor.close()
        return end

    assert asyncio.run(main()).cause is Cause.LOST
    assert not (place.shared / "ran").exists()


def test_an_attempt_that_is_started_many_times_runs_once(place: Place) -> None:
    async def main() -> Exit:
        executor = place.executor()
        await executor.open()
        spec = place.spec("echo ran >> $SHARED/ran; exit 6")
        handle = executor.handle(spec)
        await asyncio.gather(*(executor.start(spec, handle) for _ in range(5)))
        end = await executor.wait(handle)
        await executor.start(spec, handle)
        assert await executor.wait(handle) == end
        await executor.close()
        return end

    assert asyncio.run(main()).exit_code == 6
    assert (place.shared / "ran").read_text() == "ran\n"


def test_of_a_loud_task_the_first_and_the_last_part_are_kept(place: Place) -> None:
    spec = place.spec(
        "echo first; yes 0123456789012345678901234567890123456789 | head -c 6000000; echo; echo last"
    )
    assert place.end_of(spec).is_success
    log = place.log(spec)
    assert log.startswith(b"first\n0123456789")
    assert log.endswith(b"\nlast\n")
    assert LOG_LIMIT_BYTES - 4096 < len(log) < LOG_LIMIT_BYTES + 4096
    assert b"bytes left out here" in log


def test_an_attempt_outlives_its_server_and_the_next_one_sees_its_end_and_its_whole_log(place: Place) -> None:
    spec = place.spec('echo one; echo up > "$FIFO"; cat "$FIFO"; echo two; exit 5')
    handle = place.killed_server(spec)
    assert place.fifo.read_text() == "up\n"
    place.fifo.write_text("go\n")
    end = place.adopted_end(handle)
    assert (end.cause, end.exit_code) == (Cause.EXITED, 5)
    assert place.log(spec).split() == [b"one", b"go", b"two"]


def test_an_adopted_attempt_is_cancelled(place: Place) -> None:
    handle = place.killed_server(place.spec(_DEAF))
    assert place.fifo.read_text() == "up\n"
    assert place.adopted_end(handle, is_cancelled=True).cause is Cause.CANCELLED
    assert place.survivors() == []
