"""The typed face of the Rust core: plan a request, drive a run, render a launch.

Invariant: the only importer of `reprise._core`, beside the digests of `artifact`. The same request and the same events
in the same order give the same decisions and task ids, so a run can be taken up again by feeding its recorded ends to a
new machine.
"""

from __future__ import annotations

from reprise import _core
from reprise.pb.engine.v1 import engine_pb2 as engine


def plan(request: engine.RunRequest) -> engine.PlanResult:
    """What a run of `request` would do. Whatever is wrong with the request is in `problems`; never raised."""
    return engine.PlanResult.FromString(_core.plan(request.SerializeToString()))


def check(request: engine.RunRequest, *, wants_digest: bool = False) -> engine.PlanResult:
    """What `plan` says but for `tasks`, and for `digest` unless wanted: whether a run can be made.

    Cheaper than `plan`, and for a rerun that changes nothing and has no configs independent of the number of tasks.
    """
    return engine.PlanResult.FromString(_core.check(request.SerializeToString(), wants_digest))


class RunMachine:
    """The state machine of one run. Safe to call from any thread; calls are taken one after the other."""

    def __init__(self, request: engine.RunRequest) -> None:
        """Errors: ValueError if anything is wrong with the request, which `plan` would have told."""
        self._run = _core.Run(request.SerializeToString())

    def advance(self, events: engine.Events) -> engine.Decisions:
        """What follows from these events; the first call starts the run, with whatever events.

        An end of a task that was not launched, or has ended before, changes nothing. After `cancel` nothing is
        launched any more.
        """
        return engine.Decisions.FromString(self._run.advance(events.SerializeToString()))


def render(launch: engine.Launch, context: engine.RenderContext) -> engine.Rendered:
    """The command line, files and executor input of one attempt. Unresolvable placeholders are in `problems`."""
    return engine.Rendered.FromString(_core.render(launch.SerializeToString(), context.SerializeToString()))


def job_detail(records: bytes, outputs: bytes, run_name: str, run_id: int) -> bytes:
    """The fields of the public API's PipelineJobDetail, encoded, from engine.TaskRecords and engine.Values.

    Equal records give equal bytes. Errors: ValueError for bytes that are no such messages.
    """
    return _core.job_detail(records, outputs, run_name, run_id)
