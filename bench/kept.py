"""DAGs and their bytes for the benchmarks, made once: a million tasks take longer to write down than to plan.

Invariant: what is read from the folder is what would be made now: names hold the digest of the program that makes it.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Collection
from pathlib import Path

import dags


class Inputs:
    """Without a folder everything is made anew."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def dag(self, shape: str, tasks: int) -> dags.Dag:
        made: list[dags.Dag] = []

        def make() -> bytes:
            made.append(dags.make(shape, tasks))
            return _written(made[0])

        content = self._kept(("dag", shape, tasks), make)
        return made[0] if made else _read(shape, tasks, content)

    def spec(
        self,
        dag: dags.Dag,
        *,
        changed: Collection[int] = (),
        is_component_each: bool = False,
        has_artifacts: bool = False,
    ) -> bytes:
        """See `dags.spec`."""

        def make() -> bytes:
            return dags.spec(dag, is_component_each=is_component_each, has_artifacts=has_artifacts)

        spec = self._kept(("spec", dag.shape, len(dag), is_component_each, has_artifacts), make)
        return dags.with_changed(spec, dag, changed) if changed else spec

    def records(self, dag: dags.Dag, *, failed: Collection[int] = (), has_artifacts: bool = False) -> bytes:
        """See `dags.records`."""
        which = hashlib.sha256(array("I", sorted(failed)).tobytes()).hexdigest()[:12]
        named = ("records", dag.shape, len(dag), has_artifacts, which)
        return self._kept(named, lambda: dags.records(dag, failed=failed, has_artifacts=has_artifacts))

    def _kept(self, named: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        if self._folder is None:
            return make()
        path = self._folder / "-".join(map(str, (*named, _PROGRAM)))
        if path.exists():
            return path.read_bytes()
        content = make()
        begun = path.with_name(f"{path.name}.{os.getpid()}")
        begun.write_bytes(content)
        begun.rename(path)
        return content


_PROGRAM = hashlib.sha256(Path(dags.__file__).read_bytes()).hexdigest()[:12]


def _written(dag: dags.Dag) -> bytes:
    """Numbers, order, and for each task the end of its upstream among all of them, which come last."""
    ends, upstream = array("I"), array("I")
    for before in dag.upstream:
        upstream.extend(before)
        ends.append(len(upstream))
    return b"".join(array("I", part).tobytes() for part in (dag.numbers, dag.order, ends, upstream))


def _read(shape: str, count: int, content: bytes) -> dags.Dag:
    numbers = array("I", content)
    ends, upstream = numbers[2 * count : 3 * count], numbers[3 * count :]
    first, held = 0, []
    for end in ends:
        held.append(tuple(upstream[first:end]))
        first = end
    return dags.Dag(shape, numbers[:count].tolist(), held, numbers[count : 2 * count].tolist())
