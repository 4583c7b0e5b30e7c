"""Kills a server over and over while callers use it, then lets it come to rest and asks the oracle."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from reprise.client import Client
from reprise.crash_point import SERVER_POINTS, SUPERVISOR_POINTS
from reprise.executor.attempt_files import Handle, read_launch

from .caller import ENDED, Caller
from .lives import Lives, attempt_folders, supervisors_of
from .oracle import Oracle
from .told import Told

_REST_WITHIN_S = 120.0
_LONGEST_LIFE_S = 1.2


class Campaign:
    def __init__(self, folder: Path, seed: int, progress: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lives = Lives(folder, "--grace=0.3", "--max-tasks=6")
        self.told = Told()
        self.kills: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._progress = progress
        self._points = list(SERVER_POINTS) + list(SUPERVISOR_POINTS)

    def run(self, kills: int, within_s: float) -> dict[str, Any]:
        """So many kills, or as many as go into `within_s`; then rest, and every check."""
        began = time.monotonic()
        while self.kills.total() < kills and time.monotonic() - began < within_s:
            self._live(self._crash_point())
            self._note(began)
        self._rest()
        oracle = Oracle(self.lives.data_dir, self.lives.ledger, self.told)
        oracle.check()
        return {
            "kills": self.kills.total(),
            "runs": oracle.runs,
            "attempts": oracle.begun,
            "seconds": round(time.monotonic() - began),
            "by place": dict(sorted(self.kills.items())),
        }

    def _crash_point(self) -> str:
        """Each place in its turn, and as often no place: then the moment is random."""
        if self._chance.random() < 0.4:
            return ""
        if not self._points:
            self._points = list(SERVER_POINTS) + list(SUPERVISOR_POINTS)
        name = self._points.pop(self._chance.randrange(len(self._points)))
        return f"{name}:{self._chance.choice((1, 1, 2, 3, 5, 8, 20) if name.startswith('commit') else (1, 1, 2, 3))}"

    def _live(self, crash_at: str) -> None:
        """One life of the server, to its death."""
        place = crash_at.partition(":")[0]
        if not self.lives.start(crash_at):
            self.kills[place] += 1
            return
        with self._calls():
            life_s = self._chance.uniform(0.02, 0.8) if not place else _LONGEST_LIFE_S
            if self._chance.random() < 0.5:
                self.lives.has_ended(self._chance.uniform(0, life_s))
                self._kill_beside()
            if self.lives.has_ended(life_s):
                assert place, f"the server ended by itself: {self.lives.stderr.read_text()[-2000:]}"
                self.kills[place] += 1
            else:
                self.lives.kill()
                self.kills["any moment"] += 1
        if place.startswith("supervisor."):
            self.kills[place] += self._crashed_supervisors()

    @contextmanager
    def _calls(self) -> Iterator[None]:
        """Callers at work, until the block is left in whatever way."""
        is_over = threading.Event()
        with ExitStack() as at_work:
            for _ in range(3):
                chance = self._chance.randrange(2**32)
                caller = Caller(self.lives.grpc, self.told, chance, most_active=14)
                at_work.callback(caller.client.close)
                thread = threading.Thread(target=caller.go_on, args=(is_over,), daemon=True)
                thread.start()
                at_work.callback(thread.join)
            at_work.callback(is_over.set)
            yield

    def _kill_beside(self) -> None:
        """A supervisor, or the spawner."""
        supervisors = supervisors_of(self.lives.data_dir)
        if supervisors and self._chance.random() < 0.7:
            mark, pid = self._chance.choice(sorted(supervisors.items()))
            self.told.killed_supervisors.add(mark)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills["a supervisor"] += 1
        elif (spawner := _spawner_of(self.lives.pid)) is not None:
            with suppress(ProcessLookupError):
                os.kill(spawner, signal.SIGKILL)
                self.kills["the spawner"] += 1

    def _crashed_supervisors(self) -> int:
        """How many more supervisors than before have died at their place."""
        count = 0
        for attempt in attempt_folders(self.lives.data_dir):
            with suppress(OSError, ValueError):
                said = read_launch(Handle(str(attempt), ""))
                if said.get("crash_at") and said["marker"] not in self.told.killed_supervisors:
                    self.told.killed_supervisors.add(said["marker"])
                    count += 1
        return count

    def _rest(self) -> None:
        """A last life in which nobody is killed: everything that was asked has an answer, and every run ends."""
        assert self.lives.start()
        caller = Caller(self.lives.grpc, self.told, 0, most_active=0)
        for asked in list(self.told.runs.values()):
            if not asked.run_id and not asked.is_refused:
                caller._make(asked)
        deadline = time.monotonic() + _REST_WITHIN_S
        while unfinished := [
            job for job in caller.client.list(fields=("name", "state")) if job.state not in ENDED
        ]:
            assert time.monotonic() < deadline, f"these do not end: {[job.name for job in unfinished]}"
            time.sleep(0.1)
        for name in self.told.batches:
            operation = caller.client.wait_operation(name, 30)
            assert operation.done and self.told.done.setdefault(name, operation) == operation
        self._check_pages(caller.client)
        caller.client.close()
        self.lives.stop()
        log = self.lives.stderr.read_text()
        assert "unforeseen failure" not in log, log[-4000:]
        assert "Traceback" not in log, log[max(0, log.find("Traceback") - 500) :][:4000]

    def _check_pages(self, client: Client) -> None:
        """I-16: each run that was there all the while comes once, whatever is written between the pages."""
        there = {job.name for job in client.list(fields=("name",))}
        is_over = threading.Event()
        writer = Caller(self.lives.grpc, self.told, 1, most_active=10**6)

        def write() -> None:
            for _ in range(8):
                writer.create()
            is_over.set()

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        for order in ("", "display_name desc"):
            seen = [job.name for job in client.list(order_by=order, fields=("name",))]
            assert len(seen) == len(set(seen)) and there <= set(seen)
        thread.join()
        writer.client.close()
        assert is_over.is_set()
        for asked in self.told.runs.values():
            if asked.run_id and not asked.is_delete_asked:
                client.wait(asked.job_id, _REST_WITHIN_S)

    def _note(self, began: float) -> None:
        if self._progress is not None:
            line = {"kills": self.kills.total(), "runs": len(self.told.runs), "faults": self.told.faults[:3]}
            with self._progress.open("a") as file:
                print(json.dumps({"seconds": round(time.monotonic() - began), **line}), file=file)


def _spawner_of(server: int) -> int | None:
    with suppress(OSError):
        for task in Path(f"/proc/{server}/task").iterdir():
            for child in (task / "children").read_text().split():
                if b"spawner" in Path(f"/proc/{child}/comm").read_bytes():
                    return int(child)
    return None
