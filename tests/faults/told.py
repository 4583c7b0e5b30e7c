"""What the server has told its callers: the side of the comparison that must not be lost.

Invariant: a call is noted here before it is made and noted as acknowledged after its answer has come, so that what is
noted as neither refused nor acknowledged may have happened or not.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.longrunning import operations_proto_pb2 as operations


@dataclass
class Asked:
    """One run, from its first asking on."""

    job_id: str
    tasks: Mapping[str, list[str]]  # name -> names of what it comes after
    request: Any  # of Create or Rerun, to be made again in the same words
    original: str = ""
    run_id: int = 0  # once acknowledged
    is_refused: bool = False
    is_cancel_acknowledged: bool = False
    is_delete_asked: bool = False
    is_delete_acknowledged: bool = False
    ended_as: int = 0  # the terminal state that was seen


@dataclass
class Told:
    runs: dict[str, Asked] = field(default_factory=dict)
    batches: dict[str, list[str]] = field(default_factory=dict)  # operation -> job ids
    done: dict[str, operations.Operation] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # what no answer may be
    killed_supervisors: set[str] = field(default_factory=set)  # marks of their attempts
    lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, chance: Any, wanted: Any) -> Asked | None:
        """One of the runs for which `wanted` holds."""
        with self.lock:
            found = [run for run in self.runs.values() if wanted(run)]
        return chance.choice(found) if found else None
