"""Running a server, showing the demonstration, and saying what this machine can do.

What only one of them needs is loaded by that one: a server is up sooner without the client and its YAML.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise import __version__
from reprise.cli.exit_codes import ExitCode
from reprise.cli.output import Output
from reprise.domain.errors import RepriseError

if TYPE_CHECKING:
    from reprise.main import Settings

# The first run makes the environment of the components, which needs the network once.
_DEMO_S = 150.0
_NEEDED = frozenset({"kernel", "native library"})


class _NoAssignment(Exception):
    """What should have been NAME=VALUE is not."""


def serve(arguments: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT. Standard output says where it listens, one line each, then `ready`."""
    # Nothing of what is loaded now is garbage, and looking for some takes a tenth of the time until the server is up.
    gc.disable()
    from reprise.main import Server
    from reprise.main import serve as serve_until_signal

    logging.basicConfig(
        level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )

    def started(server: Server) -> None:
        print(f"reprise {__version__}, data in {Path(arguments.data_dir).absolute()}")
        for name, address in (
            ("grpc", server.grpc_address),
            ("grpc-tls", server.grpc_tls_address),
            ("http", server.http_address),
        ):
            if address:
                print(f"{name:9} {address}")
        if server.ca_path is not None:
            print(f"to trust it: GRPC_DEFAULT_SSL_ROOTS_FILE_PATH={server.ca_path}")
        print("ready", flush=True)

    try:
        settings = settings_of(arguments, Path(arguments.data_dir))
        serve_until_signal(settings, started)
    except _NoAssignment as error:
        print(f"reprise: --env: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except RepriseError as error:
        print(f"reprise: {error.message}", file=sys.stderr)
        return ExitCode.SERVER_ERROR
    except (OSError, ValueError) as error:
        print(f"reprise: {error}", file=sys.stderr)
        return ExitCode.SERVER_ERROR
    finally:
        gc.enable()
    return ExitCode.SUCCEEDED


def demo(arguments: argparse.Namespace) -> int:
    """A server of its own, and the story told on it; 0 only if everything was as the story says."""
    import tempfile

    from reprise.client.client import Client
    from reprise.client.errors import CallError
    from reprise.demo.story import DemoFailed, tell_story
    from reprise.main import Server

    logging.basicConfig(level=arguments.log_level.upper())
    output = Output(is_json=False)
    with ExitStack() as opened:
        try:
            folder = arguments.data_dir or opened.enter_context(
                tempfile.TemporaryDirectory(prefix="reprise-demo-", ignore_cleanup_errors=True)
            )
            server = opened.enter_context(Server(settings_of(arguments, Path(folder))))
            output.line(f"A server of its own listens at {server.grpc_address}; its data is in {folder}.")
            client = opened.enter_context(Client(server.grpc_address))
            tell_story(client, output, _DEMO_S)
        except (DemoFailed, RepriseError, CallError, _NoAssignment, TimeoutError, OSError) as error:
            output.say(f"\nreprise demo: {error}")
            return ExitCode.RUN_FAILED
        output.line("\nEverything was as it should be.")
    return ExitCode.SUCCEEDED


def doctor(arguments: argparse.Namespace) -> int:
    """What this machine can do; exit code 1 if it lacks what nothing works without."""
    import platform

    from reprise.client.client import Client
    from reprise.client.errors import CallError
    from reprise.workplace import capabilities

    output = Output(arguments.json)
    lines = [
        ("python", True, platform.python_version()),
        ("kernel", sys.platform == "linux", platform.platform()),
    ]
    for capability in capabilities(arguments.container_socket):
        lines.append((capability.name, capability.is_available, capability.detail))
    try:
        with Client(arguments.server, arguments.project, arguments.location, outage_s=0.0) as client:
            client.check()
        lines.append(("server", True, f"answers at {arguments.server}"))
    except CallError as error:
        lines.append(("server", False, f"none at {arguments.server}: {error.message}"))
    if output.is_json:
        output.json([{"name": name, "isAvailable": is_so, "detail": detail} for name, is_so, detail in lines])
    else:
        output.table(
            ("CHECK", "RESULT", "DETAIL"),
            [(name, "yes" if is_so else "no", detail) for name, is_so, detail in lines],
        )
    is_fit = all(is_so for name, is_so, _ in lines if name in _NEEDED)
    return ExitCode.SUCCEEDED if is_fit else ExitCode.RUN_FAILED


def _serving_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What only `serve` is told. Errors: _NoAssignment, InvalidArgument."""
    from reprise.rpc.limits import RequestLimits
    from reprise.rpc.server import Connections, Limits

    return {
        "limits": Limits(
            receive_bytes=arguments.max_message_bytes,
            workers=arguments.workers,
            readers=arguments.readers,
            waiting_calls=arguments.max_streams,
            concurrent_calls=arguments.max_calls,
        ),
        "request_limits": RequestLimits.read(arguments.limit),
        "connections": Connections(
            keepalive_s=arguments.keepalive,
            keepalive_timeout_s=arguments.keepalive_timeout,
            idle_s=arguments.connection_idle,
            age_s=arguments.connection_age,
            age_grace_s=arguments.connection_age_grace,
        ),
        "drain_s": arguments.drain,
        "project_aliases": _assignments(arguments.project_alias),
        "salts": _assignments(arguments.project_salt),
        "http_hosts": tuple(arguments.http_host),
        "authorizer": arguments.authorizer,
    }


def _assignments(texts: Sequence[str]) -> dict[str, str]:
    """Errors: _NoAssignment."""
    if not texts:
        return {}
    from reprise.client.parameters import ParameterError, parse_assignment

    try:
        return dict(parse_assignment(text) for text in texts)
    except ParameterError as error:
        raise _NoAssignment(str(error)) from error


def settings_of(arguments: argparse.Namespace, data_dir: Path) -> Settings:
    from reprise.artifact.filesystems import parse_storage_options
    from reprise.main import Settings

    serving = _serving_settings(arguments) if hasattr(arguments, "project_alias") else {}
    return Settings(
        **serving,
        data_dir=data_dir,
        grpc=getattr(arguments, "grpc", "127.0.0.1:0"),
        grpc_tls=getattr(arguments, "grpc_tls", ""),
        http=getattr(arguments, "http", ""),
        executor=arguments.executor,
        max_tasks=arguments.max_tasks,
        max_tasks_per_project=arguments.max_tasks_per_project,
        max_tasks_per_run=arguments.max_tasks_per_run,
        container_socket=arguments.container_socket,
        container_host_config=arguments.container_host_config,
        grace_s=arguments.grace,
        task_timeout_s=arguments.task_timeout,
        retention_s=arguments.retention_days * 86_400.0,
        environments=arguments.environments,
        task_python=arguments.task_python or sys.executable,
        cache_max_age_s=getattr(arguments, "cache_max_age", 0.0),
        task_env=_assignments(arguments.env),
        storage_options=parse_storage_options(arguments.storage_option),
        most_copied_bytes=int(arguments.copies_gib * 1024**3),
    )
