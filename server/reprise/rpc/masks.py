"""Read masks: which fields of a run, or of its tasks, an answer carries.

Invariant: a mask only takes fields away; a path that names no field is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import struct_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.pb.v1 import pipeline_job_pb2

_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")
_AFTER_UNDERSCORE = re.compile(r"_([a-z0-9])")

# A branch that is None: everything below it.
Tree = dict[str, "Tree | None"]


@dataclass(frozen=True, slots=True)
class ReadMask:
    """Over the fields of a PipelineJob. Without a tree: everything, but for the names in `left_out`."""

    tree: Tree | None = None
    left_out: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def read(cls, mask: FieldMask, at: str, default: ReadMask | None = None) -> ReadMask:
        """Errors: InvalidArgument for a path that is none of a PipelineJob's."""
        if not mask.paths:
            return default or cls()
        if "*" in mask.paths:
            return cls()
        return cls(_tree(mask.paths, at, pipeline_job_pb2.PipelineJob.DESCRIPTOR))

    @classmethod
    def without_insides(cls) -> ReadMask:
        """What lists carry: neither the compiled pipeline nor the tasks."""
        return cls(left_out=frozenset({"pipeline_spec", "job_detail"}))

    def wants(self, name: str) -> bool:
        return name not in self.left_out and (self.tree is None or name in self.tree)

    @property
    def wants_spec(self) -> bool:
        """False also where only the pipeline's name is asked for, which a run knows by itself."""
        if not self.wants("pipeline_spec"):
            return False
        below = self._below("pipeline_spec")
        return below is None or any(key not in ("pipeline_info", "pipelineInfo") for key in below)

    @property
    def wants_pipeline_info(self) -> bool:
        return self.wants("pipeline_spec") and not self.wants_spec

    @property
    def wants_tasks(self) -> bool:
        if not self.wants("job_detail"):
            return False
        below = self._below("job_detail")
        return below is None or "task_details" in below

    @property
    def is_whole_spec(self) -> bool:
        return self.wants("pipeline_spec") and self._below("pipeline_spec") is None

    @property
    def are_whole_tasks(self) -> bool:
        return self.wants_tasks and self._below("job_detail") is None

    def prune(self, job: pipeline_job_pb2.PipelineJob) -> None:
        """Take away what is not asked for."""
        for name in self.left_out:
            job.ClearField(name)
        if self.tree is not None:
            _prune(job, self.tree)

    def _below(self, name: str) -> Tree | None:
        return None if self.tree is None else self.tree.get(name)


@dataclass(frozen=True, slots=True)
class TaskMask:
    """Over the fields of a PipelineTaskDetail. Without a tree: everything."""

    tree: Tree | None = None

    @classmethod
    def read(cls, mask: FieldMask, at: str) -> TaskMask:
        """Errors: InvalidArgument for a path that is none of a PipelineTaskDetail's."""
        if not mask.paths or "*" in mask.paths:
            return cls()
        return cls(_tree(mask.paths, at, pipeline_job_pb2.PipelineTaskDetail.DESCRIPTOR))

    def prune(self, task: pipeline_job_pb2.PipelineTaskDetail) -> None:
        """Take away what is not asked for."""
        if self.tree is not None:
            _prune(task, self.tree)


def _tree(paths: Iterable[str], at: str, message: Any) -> Tree:
    tree: Tree = {}
    for index, path in enumerate(paths):
        names = _checked(path, message, f"{at}.paths[{index}]")
        branch = tree
        for name in names[:-1]:
            below = branch.setdefault(name, {})
            if below is None:  # a shorter path has asked for all of it
                break
            branch = below
        else:
            branch[names[-1]] = None
    return tree


def _checked(path: str, message: Any, at: str) -> list[str]:
    """The names of the path in the schema's spelling; keys below a Struct or a map stay as they are."""
    names: list[str] = []
    below = message  # a Descriptor; the runtime has two classes of them
    for text in path.split("."):
        if below is struct_pb2.Struct.DESCRIPTOR and text:
            names.append(text)
            continue
        if below is not None and below.GetOptions().map_entry:
            names.append(text)
            below = None
            continue
        name = _UPPER.sub(lambda match: "_" + match[1].lower(), text)
        if below is None or name not in below.fields_by_name:
            raise InvalidArgument(FieldProblem(at, f"{path[:200]!r} is no field of a {message.name}"))
        names.append(name)
        below = below.fields_by_name[name].message_type
    return names


def _prune(message: Message, tree: Tree) -> None:
    for descriptor, value in message.ListFields():
        if descriptor.name not in tree:
            message.ClearField(descriptor.name)
            continue
        below = tree[descriptor.name]
        kind: Any = descriptor.message_type
        if below is None:
            continue
        if kind.GetOptions().map_entry:
            for key in [key for key in value if key not in below]:
                del value[key]
        elif kind is struct_pb2.Struct.DESCRIPTOR:
            _prune_struct(value, below)
        elif descriptor.is_repeated:
            for item in value:
                _prune(item, below)
        else:
            _prune(value, below)


def _prune_struct(struct: struct_pb2.Struct, tree: Tree) -> None:
    """Compiled pipelines are in JSON's spelling, masks may be in the schema's: both name the same."""
    wanted = {**{_camel(key): below for key, below in tree.items()}, **tree}
    for key in list(struct.fields):
        if key not in wanted:
            del struct.fields[key]
            continue
        below = wanted[key]
        if below is not None and struct.fields[key].HasField("struct_value"):
            _prune_struct(struct.fields[key].struct_value, below)


def _camel(text: str) -> str:
    return _AFTER_UNDERSCORE.sub(lambda match: match[1].upper(), text)
