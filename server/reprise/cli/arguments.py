"""The commands and their options. Light: imports argparse alone."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from reprise.cli.durations import seconds
from reprise.cli.exit_codes import EPILOG

_Parser = argparse.ArgumentParser
_Adder = Callable[..., _Parser]


def add_commands(parser: _Parser) -> None:
    """Add every command to the parser; `handler` of the parsed arguments names the function that runs it."""
    add = _adder(parser, "COMMAND")
    _add_server_commands(add)
    connection = _connection()
    _add_submit(add, connection)
    _add_reading(add, connection)
    _add_reruns(add, connection)
    _add_explaining(add, connection)
    _add_ending(add, connection)


def _adder(parser: _Parser, metavar: str) -> _Adder:
    """What adds commands to a parser."""
    commands = parser.add_subparsers(title="commands", metavar=metavar, required=True)

    def add(name: str, handler: str, summary: str, *parents: _Parser, **options: Any) -> _Parser:
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=options.pop("epilog", EPILOG),
            parents=list(parents),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(handler=handler)
        return command

    return add


def _connection() -> _Parser:
    shared = _Parser(add_help=False)
    group = shared.add_argument_group("connection")
    group.add_argument(
        "--server",
        metavar="HOST:PORT",
        default=os.environ.get("REPRISE_SERVER", "127.0.0.1:50051"),
        help="where `reprise serve` listens (REPRISE_SERVER; default 127.0.0.1:50051)",
    )
    group.add_argument(
        "--project",
        default=os.environ.get("REPRISE_PROJECT", "default"),
        help="project of the runs (REPRISE_PROJECT; default: default)",
    )
    group.add_argument(
        "--location",
        default=os.environ.get("REPRISE_LOCATION", "local"),
        help="location of the runs (REPRISE_LOCATION; default: local)",
    )
    group.add_argument("--json", action="store_true", help="print JSON, for scripts")
    return shared


def _add_server_commands(add: _Adder) -> None:
    serve = add("serve", "reprise.cli.server:serve", "run the service", epilog="")
    serve.add_argument(
        "--data-dir",
        metavar="DIR",
        default=os.environ.get("REPRISE_DATA_DIR", "reprise-data"),
        help="database, artifacts and logs (REPRISE_DATA_DIR; default ./reprise-data)",
    )
    serve.add_argument(
        "--grpc",
        metavar="HOST:PORT",
        default="127.0.0.1:50051",
        help="plaintext gRPC (default 127.0.0.1:50051)",
    )
    serve.add_argument(
        "--grpc-tls",
        metavar="HOST:PORT",
        default="",
        help="gRPC over TLS with a certificate of its own authority, DIR/tls/ca.pem (default: off)",
    )
    serve.add_argument(
        "--http",
        metavar="HOST:PORT",
        default="127.0.0.1:8080",
        help="health, REST and a page (default 127.0.0.1:8080)",
    )
    _add_serving_options(serve)
    serve.add_argument(
        "--cache-max-age",
        metavar="TIME",
        type=seconds,
        default=0.0,
        help="older outcomes of other runs answer no task: 90, 15m, 12h, 7d (default 0: no limit)",
    )
    _add_task_options(serve)
    demo = add(
        "demo",
        "reprise.cli.server:demo",
        "show a failing pipeline, its rerun and a cancelled run, with a server of its own",
        epilog="",
    )
    demo.add_argument("--data-dir", metavar="DIR", help="keep everything there (default: a temporary folder)")
    _add_task_options(demo)
    demo.set_defaults(
        grace=2.0
    )  # the child that is to be killed ignores SIGTERM: nobody should wait long for it
    doctor = add(
        "doctor",
        "reprise.cli.server:doctor",
        "say what this machine can do, and whether a server answers",
        _connection(),
    )
    doctor.add_argument("--container-socket", metavar="PATH", default="", help=_SOCKET_HELP)
    doctor.add_argument(
        "--data-dir", metavar="DIR", default=os.environ.get("REPRISE_DATA_DIR", "reprise-data")
    )


_SOCKET_HELP = (
    "where the container engine listens (default: DOCKER_HOST, or the usual place of Docker or Podman)"
)


def _add_serving_options(serve: _Parser) -> None:
    group = serve.add_argument_group("clients")
    group.add_argument(
        "--project-alias",
        action="append",
        default=[],
        metavar="ALIAS=PROJECT",
        help="another name of a project, such as its number; may be repeated",
    )
    group.add_argument(
        "--project-salt",
        action="append",
        default=[],
        metavar="PROJECT=TEXT",
        help="goes into the key of every task of a project: with another text all its tasks run again; may be repeated",
    )
    group.add_argument(
        "--http-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which the HTTP port may be called, beside its address and localhost; may be repeated",
    )
    group.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="how much one request may ask for (the README lists the names); may be repeated",
    )
    group.add_argument(
        "--max-message-bytes", type=int, default=64 * 1024 * 1024, metavar="N", help="default 67108864"
    )
    group.add_argument(
        "--workers", type=int, default=16, metavar="N", help="calls answered at once (default 16)"
    )
    group.add_argument(
        "--readers",
        type=int,
        default=4,
        metavar="N",
        help="calls that read one run or operation, answered at once beside the others (default 4)",
    )
    group.add_argument(
        "--max-calls",
        type=int,
        default=2000,
        metavar="N",
        help="calls under way, those that wait included; more are refused with RESOURCE_EXHAUSTED (default 2000)",
    )
    group.add_argument(
        "--max-streams",
        type=int,
        default=600,
        metavar="N",
        help="watches, followed logs and waits among them, which have threads of their own (default 600)",
    )
    for name, default, summary in (
        ("keepalive", 60.0, "ask a silent connection after so long whether it lives; 0: never (default 60)"),
        ("keepalive-timeout", 20.0, "how long it has to answer (default 20)"),
        ("connection-idle", 0.0, "close a connection without calls after so long; 0: never (default 0)"),
        ("connection-age", 0.0, "close a connection at this age; 0: never (default 0)"),
        ("connection-age-grace", 60.0, "for the calls under way on it (default 60)"),
        ("drain", 5.0, "for the calls under way when the server is told to stop (default 5)"),
    ):
        group.add_argument(f"--{name}", type=float, default=default, metavar="SECONDS", help=summary)
    group.add_argument(
        "--authorizer",
        default="",
        metavar="NAME",
        help="who may do what: a plug-in of the group reprise.authorizers (default: everybody, everything)",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, not {text}")
    return number


def _add_task_options(command: _Parser) -> None:
    command.add_argument(
        "--max-parallel-tasks",
        "--max-tasks",
        dest="max_tasks",
        type=_positive,
        default=8,
        metavar="N",
        help="tasks at once, over all runs (default 8)",
    )
    for scope in ("project", "run"):
        command.add_argument(
            f"--max-parallel-tasks-per-{scope}",
            dest=f"max_tasks_per_{scope}",
            type=_positive,
            default=0,
            metavar="N",
            help=f"tasks of one {scope} at once (default: no limit of its own)",
        )
    command.add_argument(
        "--executor",
        default="subprocess",
        metavar="NAME",
        help="subprocess: commands run on this host, images are not used; container: in their images, by Docker or "
        "Podman; or a plug-in of the group reprise.executors (default %(default)s)",
    )
    command.add_argument(
        "--container-socket",
        metavar="PATH",
        default="",
        help=_SOCKET_HELP,
    )
    command.add_argument(
        "--container-host-config",
        metavar="JSON",
        default="",
        help="part of the Docker Engine API's HostConfig for every container, such as "
        '\'{"NetworkMode": "none", "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}]}\'',
    )
    command.add_argument(
        "--grace",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="between SIGTERM and SIGKILL of a task that is cancelled (default %(default)g)",
    )
    command.add_argument(
        "--task-timeout",
        type=seconds,
        default=0.0,
        metavar="TIME",
        help="an attempt that runs longer is stopped and has failed: 90, 15m, 12h, 7d (default 0: no limit)",
    )
    command.add_argument(
        "--retention-days",
        type=float,
        default=7.0,
        metavar="DAYS",
        help="how long operations that are done and request ids are kept (default %(default)g)",
    )
    command.add_argument(
        "--environments",
        choices=("managed", "host"),
        default="managed",
        help="managed: what a component installs with pip goes into an environment made once and kept; "
        "host: components run with --task-python as it is, pip lines are passed over",
    )
    command.add_argument(
        "--task-python", metavar="PATH", default="", help="the tasks' python3 (default: this one)"
    )
    command.add_argument(
        "--task-env",
        "--env",
        dest="env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable in the environment of every task; may be repeated",
    )
    command.add_argument(
        "--storage-option",
        action="append",
        default=[],
        metavar="SCHEME.OPTION=VALUE",
        help="for the driver of an object store, such as s3.endpoint_url=http://127.0.0.1:9000; may be repeated "
        "(credentials are better given in the environment, where the driver looks for them)",
    )
    command.add_argument(
        "--copies-gib",
        type=float,
        default=20.0,
        metavar="N",
        help="disk for copies of what tasks read from object stores (default %(default)g)",
    )
    command.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="on standard error",
    )


def _add_submit(add: _Adder, connection: _Parser) -> None:
    submit = add("submit", "reprise.cli.runs:submit", "run a compiled pipeline", connection)
    submit.add_argument("file", metavar="FILE", help="what `kfp` compiled: YAML or JSON")
    _add_new_run_options(submit)
    _add_cache_option(submit)
    _add_wait_options(submit)


def _add_new_run_options(command: _Parser) -> None:
    command.add_argument(
        "--param",
        "-p",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a run parameter: text for a string, JSON for every other type; may be repeated",
    )
    command.add_argument("--params-file", metavar="FILE", help="run parameters as a YAML or JSON mapping")
    command.add_argument("--name", default="", metavar="ID", help="id of the new run (default: one is made)")
    command.add_argument("--display-name", default="", metavar="TEXT")
    command.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    command.add_argument(
        "--output-dir", default="", metavar="DIR", help="folder or URI that artifacts go below"
    )
    command.add_argument(
        "--failure-policy", choices=("slow", "fast"), default="", help="after a task has failed"
    )


def _add_cache_option(command: _Parser) -> None:
    command.add_argument(
        "--no-cache",
        action="store_true",
        help="no task is answered by other runs, nor answers for them; the author's cache keys stay",
    )


def _add_wait_options(command: _Parser) -> None:
    command.add_argument(
        "--wait", "-w", action="store_true", help="until the run has ended, showing progress"
    )
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="give up waiting (the run goes on)")


def _add_reading(add: _Adder, connection: _Parser) -> None:
    get = add("get", "reprise.cli.runs:get", "show a run and its tasks", connection)
    get.add_argument("run", metavar="RUN", help="id or full name")
    get.add_argument("--spec", action="store_true", help="with --json: its pipeline too")
    listing = add("list", "reprise.cli.runs:list_runs", "list runs, newest first", connection)
    listing.add_argument("--filter", default="", help="e.g. 'state=\"PIPELINE_STATE_FAILED\"'")
    listing.add_argument("--order-by", default="", metavar="FIELD [desc]")
    listing.add_argument(
        "--limit", type=int, default=20, metavar="N", help="at most so many; 0: all (default 20)"
    )
    wait = add("wait", "reprise.cli.runs:wait", "wait until a run has ended", connection)
    wait.add_argument("run", metavar="RUN")
    wait.add_argument("--timeout", type=float, metavar="SECONDS", help="give up waiting (the run goes on)")
    tasks = add(
        "tasks", "reprise.cli.observing:tasks", "list the tasks of a run, a large one too", connection
    )
    tasks.add_argument("run", metavar="RUN")
    tasks.add_argument("--filter", default="", help="e.g. 'state=FAILED AND task_unique_name=\"loop*\"'")
    tasks.add_argument(
        "--limit", type=int, default=100, metavar="N", help="at most so many; 0: all (default 100)"
    )
    watch = add(
        "watch", "reprise.cli.observing:watch", "print every change of a run until it has ended", connection
    )
    watch.add_argument("run", metavar="RUN")
    watch.add_argument("--resume", default="", metavar="TOKEN", help="of a line of --json: go on after it")
    logs = add("logs", "reprise.cli.runs:logs", "print what a task printed", connection)
    logs.add_argument("run", metavar="RUN")
    logs.add_argument("task", metavar="TASK", help="its path, the end of it, or its id")
    logs.add_argument(
        "--attempt", type=int, default=0, metavar="N", help="which attempt, from 1 (default: the last)"
    )
    logs.add_argument("--follow", "-f", action="store_true", help="until the task has ended")


def _add_reruns(add: _Adder, connection: _Parser) -> None:
    rerun = add(
        "rerun", "reprise.cli.reruns:rerun", "run again what has to be, from a run that has ended", connection
    )
    plan = add("plan", "reprise.cli.reruns:plan", "show what a rerun would do; changes nothing", connection)
    for command in (rerun, plan):
        command.add_argument("run", metavar="RUN", help="the original")
        tasks = command.add_argument_group(
            "tasks", "TASK is a path or the end of one; options may be repeated"
        )
        tasks.add_argument(
            "--execute", action="append", default=[], metavar="TASK", help="run it in any case"
        )
        tasks.add_argument(
            "--skip", action="append", default=[], metavar="TASK", help="keep its result, or leave it out"
        )
        tasks.add_argument(
            "--skip-downstream",
            action="append",
            default=[],
            metavar="TASK",
            help="as --skip, and leave out what comes after it; with --execute or --input: run up to here",
        )
        tasks.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="TASK.NAME=VALUE",
            help="run it with another input: a parameter's value, or an artifact's URI or name",
        )
        tasks.add_argument(
            "--drop-input",
            action="append",
            default=[],
            metavar="TASK.NAME",
            help="give up an input given in an earlier rerun",
        )
        command.add_argument("--file", metavar="FILE", help="a changed pipeline (default: the original's)")
        _add_new_run_options(command)
        _add_cache_option(command)
        for flag in ("--dot", "--mermaid"):
            command.add_argument(flag, action="store_true", help=f"print the plan as a {flag[2:]} graph")
    rerun.add_argument("--plan", action="store_true", help="only show what would be done")
    rerun.add_argument(
        "--etag", default="", help="of a plan: refuse if the rerun would now do something else"
    )
    _add_wait_options(rerun)
    plan.set_defaults(plan=True, etag="")


def _add_explaining(add: _Adder, connection: _Parser) -> None:
    explain = add(
        "explain",
        "reprise.cli.explain:explain",
        "say why a task ran again, and why the cache did not answer",
        connection,
    )
    explain.add_argument("run", metavar="RUN")
    explain.add_argument("task", metavar="TASK", help="its path, the end of it, or its id")
    explain.add_argument(
        "--against",
        metavar="RUN",
        default="",
        help="compare with this run (default: the original, or without one the cache)",
    )
    cache = add("cache", "", "look into the cross-run cache, or forget what it keeps")
    add_to_cache = _adder(cache, "list|drop")
    for name, summary in (("list", "list outcomes that are kept"), ("drop", "forget outcomes")):
        command = add_to_cache(name, f"reprise.cli.explain:{name}_cache", summary, connection)
        command.add_argument("--pipeline", metavar="NAME", default="", help="of this pipeline")
        command.add_argument(
            "--task",
            metavar="TASK",
            default="",
            help="of this task: a path, in which the indices of iterations do not count",
        )
        command.add_argument(
            "--older-than",
            metavar="TIME",
            type=seconds,
            default=0.0,
            help="kept at least so long ago: 90, 15m, 12h, 7d",
        )
        if name == "list":
            command.add_argument(
                "--limit", type=int, default=100, metavar="N", help="at most so many; 0: all (default 100)"
            )
        else:
            command.add_argument("--all", action="store_true", help="of every pipeline of the project")


def _add_ending(add: _Adder, connection: _Parser) -> None:
    cancel = add(
        "cancel",
        "reprise.cli.runs:cancel",
        "cancel runs: all of them, or none if one does not exist",
        connection,
    )
    cancel.add_argument("runs", nargs="+", metavar="RUN")
    _add_wait_options(cancel)
    delete = add(
        "delete", "reprise.cli.runs:delete", "delete runs that have ended: all of them, or none", connection
    )
    delete.add_argument("runs", nargs="+", metavar="RUN")
