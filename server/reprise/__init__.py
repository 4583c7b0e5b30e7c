"""Reprise: run, rerun and cancel compiled Kubeflow pipelines on your own machines.

What a host imports to have it in its own process. Loaded when first asked for: the command line and the tasks'
interpreters import this package too, and need none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprise.domain.authorization import Authorizer as Authorizer
    from reprise.domain.authorization import Caller as Caller
    from reprise.domain.authorization import Permission as Permission
    from reprise.domain.errors import PermissionDenied as PermissionDenied
    from reprise.domain.errors import Unauthenticated as Unauthenticated
    from reprise.domain.names import Parent as Parent
    from reprise.executor.contract import AttemptSpec as AttemptSpec
    from reprise.executor.contract import BatchExecutor as BatchExecutor
    from reprise.executor.contract import Capability as Capability
    from reprise.executor.contract import Cause as Cause
    from reprise.executor.contract import Executor as Executor
    from reprise.executor.contract import Exit as Exit
    from reprise.executor.contract import Starting as Starting
    from reprise.main import PipelineService as PipelineService
    from reprise.main import Settings as Settings
    from reprise.plugins import ExecutorPlace as ExecutorPlace

__version__ = "0.1.0"

_PLACES = {
    "reprise.domain.authorization": ("Authorizer", "Caller", "Permission"),
    "reprise.domain.errors": ("PermissionDenied", "Unauthenticated"),
    "reprise.domain.names": ("Parent",),
    "reprise.executor.contract": (
        "AttemptSpec",
        "BatchExecutor",
        "Capability",
        "Cause",
        "Executor",
        "Exit",
        "Starting",
    ),
    "reprise.main": ("PipelineService", "Settings"),
    "reprise.plugins": ("ExecutorPlace",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}
__all__ = sorted(["__version__", *_MODULE_OF])  # noqa: PLE0605 (a list, made of the table)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'reprise' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
