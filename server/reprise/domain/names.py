"""Resource names: parsing and making, with the rules that clients rely on.

Invariant: what `parse` accepts, `str` gives back unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as value_field

from reprise.domain.errors import FieldProblem, InvalidArgument

_SEGMENT = r"[^/\s]{1,128}"
_PARENT = re.compile(rf"projects/({_SEGMENT})/locations/({_SEGMENT})")
_RUN = re.compile(rf"projects/({_SEGMENT})/locations/({_SEGMENT})/pipelineJobs/({_SEGMENT})")
_OPERATION = re.compile(rf"projects/({_SEGMENT})/locations/({_SEGMENT})/operations/(\d{{1,19}})")
RUN_ID = re.compile(r"[a-z0-9][-a-z0-9]{0,127}")
BILLING_LABEL = "vertex-ai-pipelines-run-billing-id"


@dataclass(frozen=True, slots=True)
class Parent:
    project: str
    location: str

    def __str__(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    @classmethod
    def parse(cls, text: str, field: str = "parent") -> Parent:
        match = _PARENT.fullmatch(text)
        if match is None:
            raise InvalidArgument(FieldProblem(field, f"expected projects/*/locations/*, got {text[:200]!r}"))
        return cls(match[1], match[2])


@dataclass(frozen=True, slots=True)
class RunName:
    parent: Parent
    job_id: str

    def __str__(self) -> str:
        return f"{self.parent}/pipelineJobs/{self.job_id}"

    @classmethod
    def parse(cls, text: str, field: str = "name") -> RunName:
        match = _RUN.fullmatch(text)
        if match is None:
            raise InvalidArgument(
                FieldProblem(field, f"expected projects/*/locations/*/pipelineJobs/*, got {text[:200]!r}")
            )
        return cls(Parent(match[1], match[2]), match[3])

    @classmethod
    def make(cls, parent: Parent, job_id: str, field: str = "pipeline_job_id") -> RunName:
        if RUN_ID.fullmatch(job_id) is None:
            raise InvalidArgument(
                FieldProblem(field, f"expected [a-z0-9][-a-z0-9]{{0,127}}, got {job_id[:200]!r}")
            )
        return cls(parent, job_id)


@dataclass(frozen=True, slots=True)
class OperationName:
    parent: Parent
    operation_id: int

    def __str__(self) -> str:
        return f"{self.parent}/operations/{self.operation_id}"

    @classmethod
    def parse(cls, text: str, field: str = "name") -> OperationName:
        match = _OPERATION.fullmatch(text)
        if match is None:
            raise InvalidArgument(
                FieldProblem(field, f"expected projects/*/locations/*/operations/*, got {text[:200]!r}")
            )
        return cls(Parent(match[1], match[2]), int(match[3]))


@dataclass(frozen=True, slots=True)
class Projects:
    """Reads names whose project may be known by several: an id and a number, for instance.

    Invariant: names of one project are equal, by whichever of its names they were written.
    """

    aliases: Mapping[str, str] = value_field(default_factory=dict)

    def __post_init__(self) -> None:
        """Errors: InvalidArgument for what is no name of a project, and for an alias of an alias."""
        for alias, project in self.aliases.items():
            if not all(re.fullmatch(_SEGMENT, name) for name in (alias, project)):
                raise InvalidArgument(
                    FieldProblem("project_alias", f"expected ALIAS=PROJECT, got {alias!r}={project!r}")
                )
            if project in self.aliases:
                raise InvalidArgument(
                    FieldProblem(
                        "project_alias", f"{alias!r} stands for {project!r}, which is an alias itself"
                    )
                )

    def parent(self, text: str, field: str = "parent") -> Parent:
        return self._own(Parent.parse(text, field))

    def run(self, text: str, field: str = "name") -> RunName:
        name = RunName.parse(text, field)
        return RunName(self._own(name.parent), name.job_id)

    def operation(self, text: str, field: str = "name") -> OperationName:
        name = OperationName.parse(text, field)
        return OperationName(self._own(name.parent), name.operation_id)

    def _own(self, parent: Parent) -> Parent:
        project = self.aliases.get(parent.project)
        return parent if project is None else Parent(project, parent.location)
