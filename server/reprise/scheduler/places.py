"""Where the attempts of one run read and write, and what they are rendered with.

Invariant: an attempt's places follow from its run, its task and its number alone, so that a later server finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reprise.executor.launch import Views
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Renderer


class AttemptPlace(NamedTuple):
    """Where one attempt reads and writes; `outputs_dir` is the local view of `outputs_uri`."""

    attempt_dir: str
    outputs_uri: str
    outputs_dir: str


class RunPlaces:
    """The places of one run."""

    def __init__(
        self, run_id: int, runs_dir: Path, settings: engine.RunSettings, outputs_uri: str, outputs_dir: str
    ) -> None:
        """`outputs_uri`: what the URIs of the run's artifacts begin with. `outputs_dir`: the local view of it; "": it
        lies elsewhere, and every attempt writes to a folder of its own."""
        self._run_dir = str(runs_dir / str(run_id))
        self._workspace = settings.workspace_path
        self._outputs_uri = outputs_uri
        self._outputs_dir = outputs_dir
        self._renderer = Renderer(settings)

    def of(self, task_id: int, number: int) -> AttemptPlace:
        """Of the `number`-th attempt of a task."""
        folder = task_id if number == 1 else f"{task_id}-{number}"
        attempt_dir = f"{self._run_dir}/{task_id}/{number}"
        outputs_dir = f"{self._outputs_dir}/{folder}" if self._outputs_dir else f"{attempt_dir}/outputs"
        return AttemptPlace(attempt_dir, f"{self._outputs_uri}/{folder}", outputs_dir)

    def render(
        self, attempts: Sequence[tuple[engine.Launch, AttemptPlace]], staged: Mapping[str, str]
    ) -> list[engine.Rendered]:
        """Each attempt in its place; `staged`: the path on this host of each input artifact, by its URI."""
        placed = [
            (launch.SerializeToString(), place.outputs_uri, place.outputs_dir) for launch, place in attempts
        ]
        return self._renderer.render(placed, staged)

    def views(self, place: AttemptPlace, rendered: engine.Rendered, staged: Mapping[str, str]) -> Views:
        """What the attempt has to see of this host."""
        outputs = (place.outputs_dir, self._workspace) if rendered.uses_workspace else (place.outputs_dir,)
        return Views(tuple(staged.values()) if staged else (), outputs)
