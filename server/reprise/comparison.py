"""Two tasks side by side: the fields of their keys that differ, with values that a person can read.

Invariant: the smallest difference comes first, so that what a person changed stands before what followed from it; no
value is longer than SHOWN_CHARACTERS and the marks of a cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from reprise import plan as planner
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.spec_values import SpecValues, compact

SHOWN_CHARACTERS = 1000
_BEFORE_THE_DIFFERENCE = 200
_CUT = "…"
_PARAMETERS, _ARTIFACTS, _EXECUTOR = "inputs.parameters.", "inputs.artifacts.", "executor."


class Finding(IntEnum):
    """What came of a comparison; with the numbers of the public API."""

    EQUAL = 1
    DIFFERENT = 2
    NO_SUCH_TASK = 3
    NO_KEY = 4
    NOT_COMPARABLE = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """`old` and `new` are JSON text, "": there is no such field."""

    field: str
    old: str
    new: str
    is_cut: bool
    caused_by: str  # path of the task whose output comes in by this input


@dataclass(frozen=True, slots=True)
class Comparison:
    run_name: str
    finding: Finding
    task: engine.TaskRecord | None = None
    differences: Sequence[Difference] = ()


class Side:
    """A task, and the pipeline it is of, which is read only where a value is needed from it."""

    def __init__(self, record: engine.TaskRecord, get_spec: Callable[[], bytes]) -> None:
        self.record = record
        self._get_spec = get_spec

    @cached_property
    def spec(self) -> SpecValues:
        return SpecValues(self._get_spec())

    def text(self, field: str, value: engine.KeyValue) -> str:
        """The value as JSON text. A key has only the digest of a long one: that comes from where the key got it."""
        if value.json:
            return value.json
        return self._looked_up(field) or compact(value.digest)

    def _looked_up(self, field: str) -> str:
        inputs = self.record.inputs
        if name := _after(_PARAMETERS, field):
            return next((given.json for given in inputs.parameters if given.name == name), "")
        if name := _after(_ARTIFACTS, field):
            lists = [given for given in inputs.artifacts if given.name == name]
            return _artifacts_text(lists[0]) if lists else ""
        if name := _after(_EXECUTOR, field):
            found = self.spec.executor_field(self.record.component, name)
            return "" if found is None else compact(found)
        return ""

    def producer(self, field: str) -> str:
        """The path of the task whose output comes in by the input that a field names."""
        name = _after(_PARAMETERS, field) or _after(_ARTIFACTS, field)
        found = self.spec.producer(self.record.path, name, field.startswith(_ARTIFACTS)) if name else ""
        holder = self.record.path.rpartition(".")[0]
        return f"{holder}.{found}" if found and holder else found


def compare(old: Side, new: Side, run_name: str) -> Comparison:
    """`run_name`: that of the old side."""
    if not (old.record.preimage and new.record.preimage):
        return Comparison(run_name, Finding.NO_KEY, old.record)
    found = planner.differences(old.record.preimage, new.record.preimage)
    if not found.is_comparable:
        return Comparison(run_name, Finding.NOT_COMPARABLE, old.record)
    measured = sorted((_measured(old, new, each) for each in found.differences), key=lambda pair: pair[0])
    finding = Finding.DIFFERENT if measured else Finding.EQUAL
    return Comparison(run_name, finding, old.record, [difference for _, difference in measured])


def difference_count(old: bytes, new: bytes) -> int:
    """In how many fields two preimages differ; many where they cannot be compared."""
    found = planner.differences(old, new)
    return len(found.differences) if found.is_comparable else 1_000_000


def _measured(old: Side, new: Side, found: engine.KeyDifference) -> tuple[tuple[int, str], Difference]:
    """The difference, and its size: how many characters are not the same on both sides."""
    texts = [
        side.text(found.field, value) if is_there else ""
        for side, value, is_there in (
            (old, found.old, found.HasField("old")),
            (new, found.new, found.HasField("new")),
        )
    ]
    start = _common(texts[0], texts[1])
    end = _common(texts[0][start:][::-1], texts[1][start:][::-1])
    size = sum(len(text) - start - end for text in texts)
    shown = [_cut(text, start) for text in texts]
    difference = Difference(
        field=found.field,
        old=shown[0],
        new=shown[1],
        is_cut=shown != texts,
        caused_by=new.producer(found.field) if found.HasField("new") else "",
    )
    return (size, found.field), difference


def _cut(text: str, at: int) -> str:
    """A window of the text that has the place `at` in it."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    start = max(0, min(at - _BEFORE_THE_DIFFERENCE, len(text) - SHOWN_CHARACTERS))
    end = start + SHOWN_CHARACTERS
    return (_CUT if start else "") + text[start:end] + (_CUT if end < len(text) else "")


def _common(one: str, other: str) -> int:
    """The number of characters that two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _after(prefix: str, field: str) -> str:
    return field.removeprefix(prefix) if field.startswith(prefix) else ""


def _artifacts_text(found: engine.ArtifactList) -> str:
    """As the core writes artifacts of a key."""
    shown = [
        {"schemaTitle": each.schema_title, "digest": each.digest or None, "uri": each.uri}
        for each in found.artifacts
    ]
    shown = [{name: value for name, value in each.items() if value} for each in shown]
    return compact(shown if found.is_list or len(shown) != 1 else shown[0])
