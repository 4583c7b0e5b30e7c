"""A Python client of the server: `Client`, `load_pipeline`, and the errors that calls end in."""

from __future__ import annotations

from reprise.client.client import Client
from reprise.client.errors import (
    AbortedError,
    AlreadyExistsError,
    CallError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
    Violation,
)
from reprise.client.parameters import ParameterError
from reprise.client.pipeline_file import PipelineFile, PipelineFileError, load_pipeline, parse_pipeline
from reprise.client.plan import Plan
from reprise.client.requests import create_request

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "CallError",
    "Client",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InvalidArgumentError",
    "NotFoundError",
    "ParameterError",
    "PipelineFile",
    "PipelineFileError",
    "Plan",
    "UnavailableError",
    "Violation",
    "create_request",
    "load_pipeline",
    "parse_pipeline",
]
