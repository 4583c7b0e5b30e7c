"""A real `reprise serve` in a process of its own, for the tests that go through the front door."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

# Of a project that the clients know by its id and by its number.
PROJECT_ALIAS = "--project-alias=123456=gapic-project"
_ADDRESS = re.compile(r"(grpc|grpc-tls|http)\s+(\S+:\d+)")


class Served:
    """The server's process, and where it listens. Addresses stay the same over a restart."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.grpc = self.grpc_tls = self.http = "127.0.0.1:0"
        self._options = options
        self.process = self._start()

    def kill(self) -> None:
        """kill -9: the server gets no chance to do anything."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = self._start()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _start(self) -> subprocess.Popen[str]:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        log = (self.data_dir.parent / f"{self.data_dir.name}.stderr").open("a")
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "reprise.cli",
                "serve",
                f"--data-dir={self.data_dir}",
                f"--grpc={self.grpc}",
                f"--grpc-tls={self.grpc_tls}",
                f"--http={self.http}",
                *self._options,
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        log.close()
        # The lines before `ready` say where it listens. A server that hangs is killed: that ends the reading.
        guard = threading.Timer(30, process.kill)
        guard.start()
        said = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if match := _ADDRESS.match(line.strip()):
                setattr(self, match[1].replace("-", "_"), match[2])
            if line.strip() == "ready":
                break
        else:
            process.wait()
            stderr = Path(log.name).read_text()
            raise AssertionError(f"the server did not start: {''.join(said)}{stderr}")
        guard.cancel()
        # Whatever it says later must not fill the pipe.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        return process
