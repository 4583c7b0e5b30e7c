"""What all commands that talk to a server have in common: the connection, and errors as exit codes."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable

from reprise.cli.exit_codes import ExitCode
from reprise.cli.output import Output
from reprise.client.client import Client
from reprise.client.errors import CallError
from reprise.client.parameters import ParameterError
from reprise.client.pipeline_file import PipelineFileError
from reprise.client.tasks import AmbiguousTaskError, TaskNameError
from reprise.pb.v1 import pipeline_state_pb2 as states

Command = Callable[[Client, Output, argparse.Namespace], int]

_CODES = {
    "NOT_FOUND": ExitCode.NOT_FOUND,
    "UNAVAILABLE": ExitCode.UNREACHABLE,
    "DEADLINE_EXCEEDED": ExitCode.UNREACHABLE,
    "INVALID_ARGUMENT": ExitCode.REFUSED,
    "ALREADY_EXISTS": ExitCode.REFUSED,
    "FAILED_PRECONDITION": ExitCode.REFUSED,
    "ABORTED": ExitCode.REFUSED,
    "OUT_OF_RANGE": ExitCode.REFUSED,
    "PERMISSION_DENIED": ExitCode.REFUSED,
    "UNAUTHENTICATED": ExitCode.REFUSED,
    "RESOURCE_EXHAUSTED": ExitCode.REFUSED,
    "UNIMPLEMENTED": ExitCode.REFUSED,
}
_BY_STATE: dict[int, ExitCode] = {
    states.PIPELINE_STATE_SUCCEEDED: ExitCode.SUCCEEDED,
    states.PIPELINE_STATE_FAILED: ExitCode.RUN_FAILED,
    states.PIPELINE_STATE_CANCELLED: ExitCode.RUN_CANCELLED,
}


class UsageError(ValueError):
    """The arguments do not fit together."""


def connected(command: Command) -> Callable[[argparse.Namespace], int]:
    """The command with a client and an output; what goes wrong is said on stderr and becomes an exit code."""

    @functools.wraps(command)
    def run(arguments: argparse.Namespace) -> int:
        output = Output(arguments.json)
        try:
            with Client(arguments.server, arguments.project, arguments.location) as client:
                return command(client, output, arguments)
        except CallError as error:
            output.say(f"reprise: {_describe(error, arguments.server)}")
            for violation in error.violations:
                output.say(f"  {violation.field}: {violation.message}")
            return _CODES.get(error.code, ExitCode.SERVER_ERROR)
        except TimeoutError as error:
            output.say(f"reprise: {error}")
            return ExitCode.TIMED_OUT
        except TaskNameError as error:
            output.say(f"reprise: {error}")
            return ExitCode.USAGE if isinstance(error, AmbiguousTaskError) else ExitCode.NOT_FOUND
        except (UsageError, PipelineFileError, ParameterError) as error:
            output.say(f"reprise: {error}")
            return ExitCode.USAGE
        except OSError as error:
            output.say(f"reprise: {error.filename or ''}: {error.strerror or error}")
            return ExitCode.USAGE

    return run


def _describe(error: CallError, server: str) -> str:
    if error.code == "UNAVAILABLE" and not error.reason:
        return f"no server at {server} (start one with `reprise serve`, or name it with --server)"
    if error.violations:
        return error.reason or error.code
    return f"{error.message} ({error.reason or error.code})"


def exit_code(state: int) -> int:
    """Of a run that has ended."""
    return _BY_STATE[state]
