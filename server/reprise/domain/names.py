"""Resource names: parsing and making, with the rules that clients rely on.

Invariant: what `parse` accepts, `str` gives back unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
