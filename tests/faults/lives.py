"""The lives of one server: started, killed and started again on the same data directory and port."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from reprise.executor.attempt_files import Handle, read_launch

_READY_WITHIN_S = 60.0


class Lives:
    """One server after the other, each `reprise serve` in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data_dir = folder / "data"
        self.stderr = folder / "stderr"
        self.ledger = folder / "ledger"
        self._out = folder / "stdout"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.grpc = f"127.0.0.1:{probe.getsockname()[1]}"
        self._argv = [
            "serve",
            f"--data-dir={self.data_dir}",
            f"--grpc={self.grpc}",
            "--http=",
            "--environments=host",
            f"--env=LEDGER={self.ledger}",
            *options,
        ]
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "faults.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        self.pid = 0
        self._process = -1

    def start(self, crash_at: str = "") -> bool:
        """False where it died, at the place it was told to die at, before it answered calls."""
        assert self._zygote.stdin is not None and self._zygote.stdout is not None
        self._out.write_text("")
        env = {"REPRISE_CRASH_AT": crash_at} if crash_at else {}
        order = {"argv": self._argv, "env": env, "out": str(self._out), "err": str(self.stderr)}
        print(json.dumps(order), file=self._zygote.stdin, flush=True)
        self.pid = int(self._zygote.stdout.readline())
        try:
            self._process = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        deadline = time.monotonic() + _READY_WITHIN_S
        while "ready\n" not in self._out.read_text():
            if self.has_ended(0.005):
                assert crash_at, f"the server ended by itself: {self.stderr.read_text()[-2000:]}"
                return False
            assert time.monotonic() < deadline, "the server does not get ready"
        return True

    def has_ended(self, within_s: float = 0.0) -> bool:
        if self._process < 0:
            return True
        ended = bool(select.select([self._process], [], [], within_s)[0])
        if ended:
            os.close(self._process)
            self._process = -1
        return ended

    def kill(self) -> None:
        """kill -9; returns when it is dead."""
        if self._process >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
            assert self.has_ended(30)

    def stop(self) -> None:
        """SIGTERM; returns when it is dead."""
        if self._process >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGTERM)
            if not self.has_ended(30):
                self.kill()
                raise AssertionError("the server does not stop")

    def close(self) -> None:
        self.kill()
        assert self._zygote.stdin is not None and self._zygote.stdout is not None
        self._zygote.stdin.close()
        self._zygote.stdout.close()
        self._zygote.wait()


def processes_with(variable: bytes) -> list[int]:
    """Living processes in whose environment there is an entry that begins like this."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
                if state not in (b"Z", b"X") and any(
                    one.startswith(variable) for one in (entry / "environ").read_bytes().split(b"\0")
                ):
                    found.append(int(entry.name))
    return found


def attempt_folders(data_dir: Path) -> Iterator[Path]:
    """`runs/RUN/TASK/ATTEMPT`, while a server adds some and removes others (which makes `Path.glob` fail)."""
    for folder, below, _ in os.walk(data_dir / "runs"):
        depth = len(Path(folder).relative_to(data_dir).parts)
        if depth == 4:
            yield Path(folder)
            below.clear()


def supervisors_of(data_dir: Path) -> dict[str, int]:
    """The living supervisors of attempts that have not ended: mark of the attempt -> process."""
    found = {}
    for attempt in attempt_folders(data_dir):
        with suppress(OSError, ValueError, KeyError):
            link = attempt / "process"
            _, pid, started = os.readlink(link).split(" ")  # noqa: PTH115 (no path is meant)
            if (attempt / "exit.json").exists():
                continue  # its supervisor may have another by now
            stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            if stat[19].decode() == started and stat[0] not in (b"Z", b"X"):
                found[read_launch(Handle(str(attempt), ""))["marker"]] = int(pid)
    return found
