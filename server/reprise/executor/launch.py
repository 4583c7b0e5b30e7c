"""From a leaf that has to run to the attempt that runs it on this host.

Invariant: the process sees what its author declared, a short list of the server's variables, and folders of
its own; nothing else of the server's environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from reprise.executor.contract import AttemptSpec
from reprise.executor.environment import Interpreter, Requirements, inheritable, led_by
from reprise.executor.preamble import PythonProgram, python_program, split_installs
from reprise.pb.engine.v1 import engine_pb2 as engine

# Linux takes no argument of 128 KiB or more (MAX_ARG_STRLEN, with its final NUL).
LARGEST_ARGUMENT_BYTES = 128 * 1024 - 1
# Of 2 MiB for all arguments and the environment together, on a stack of the usual size.
LARGEST_TOTAL_BYTES = 1024 * 1024

# Runs a module with arguments that are read from a file, where they are too large for a command line.
_RUN_MODULE = (
    "import json,runpy,sys\n"
    "with open(sys.argv[1],encoding='utf-8') as file: module,arguments=json.load(file)\n"
    "sys.argv[1:]=arguments\n"
    "runpy.run_module(module,run_name='__main__',alter_sys=True)\n"
)


class CannotLaunch(Exception):
    """The task cannot be run on this host."""


class Environments(Protocol):
    """Where interpreters for tasks come from; may raise EnvironmentFailed."""

    async def get(self, requirements: Requirements) -> Interpreter: ...

    def at_once(self, requirements: Requirements) -> Interpreter | None:
        """What `get` would give without waiting; None: it has to be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator decides for every attempt."""

    grace_s: float = 10.0
    timeout_s: float = 0.0  # of an attempt that names no shorter one; 0: none


class Views(NamedTuple):
    """Where an attempt finds its inputs and leaves its outputs, as paths of this host."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


NO_VIEWS = Views()


class AttemptMaker(Protocol):
    """Makes attempts ready to start, one way for each executor."""

    async def make(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec:
        """The attempt, with all there that it needs to start but its folders.

        Raises CannotLaunch or EnvironmentFailed: failures of the task, to be shown to its author. Idempotent.
        """
        ...


@runtime_checkable
class PromptMaker(AttemptMaker, Protocol):
    """A maker that often has nothing to wait for."""

    def make_at_once(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec | None:
        """As `make`; None: something has to be waited for, and `make` has to be asked."""
        ...


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a leaf runs, without its installs, and what has to be installed for it."""

    argv: tuple[str, ...]
    program: PythonProgram | None
    requirements: Requirements


class _Place(NamedTuple):
    """The arguments of `make` that say which attempt it is."""

    run_id: int
    number: int
    attempt_dir: str
    views: Views


@dataclass(frozen=True, slots=True)
class HostMaker:
    """Makes attempts that run on this host.

    `server_env` is where the few inherited variables are taken from; `task_env` is what the operator gives to every
    task, which the task's own variables go before. `are_devices_vouched`: as in `check_rendered`.
    """

    environments: Environments
    limits: Limits = field(default_factory=Limits)
    task_env: Mapping[str, str] = field(default_factory=dict)
    server_env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    are_devices_vouched: bool = False

    def __post_init__(self) -> None:
        # Once, and not for every attempt.
        object.__setattr__(self, "server_env", inheritable(self.server_env))

    async def make(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec:
        """As AttemptMaker says, with the environment installed."""
        wanted = self._wanted(rendered)
        interpreter = await self.environments.get(wanted.requirements)
        place = _Place(run_id, number, attempt_dir, views)
        return self._made(launch, rendered, wanted, interpreter, place)

    def make_at_once(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec | None:
        """As PromptMaker says."""
        wanted = self._wanted(rendered)
        interpreter = self.environments.at_once(wanted.requirements)
        if interpreter is None:
            return None
        place = _Place(run_id, number, attempt_dir, views)
        return self._made(launch, rendered, wanted, interpreter, place)

    def _wanted(self, rendered: engine.Rendered) -> _Wanted:
        check_rendered(rendered, are_devices_vouched=self.are_devices_vouched)
        if not rendered.argv_command:
            raise CannotLaunch(
                f"the component has no command, so the entrypoint of its image {rendered.image!r} would be "
                "run; that takes the container executor, and this server runs commands on its own host"
            )
        split = split_installs((*rendered.argv_command, *rendered.argv_args))
        program = python_program(split.argv)
        return _Wanted(split.argv, program, _with_kfp(split.requirements, program))

    def _made(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        wanted: _Wanted,
        interpreter: Interpreter,
        place: _Place,
    ) -> AttemptSpec:
        folders = Folders(place.attempt_dir)
        env = self._env(rendered, interpreter, folders)
        command = wanted.argv
        if wanted.program is not None:
            command = folders.python_command(wanted.program, interpreter.python)
            if wanted.program.is_runtime_flag_set:
                env["_KFP_RUNTIME"] = "true"
        check_size(command)
        return attempt_spec(
            launch,
            rendered,
            place.views,
            folders,
            self.limits,
            run_id=place.run_id,
            number=place.number,
            attempt_dir=place.attempt_dir,
            argv=command,
            env=env,
            outputs=mentioned_outputs(rendered, place.views, wanted.argv),
        )

    def _env(self, rendered: engine.Rendered, interpreter: Interpreter, folders: Folders) -> dict[str, str]:
        env = led_by(interpreter.bin_dir, self.server_env)
        if interpreter.environment is not None:
            env["VIRTUAL_ENV"] = str(interpreter.environment)
        env["TMPDIR"] = folders.temporary
        env.update(self.task_env)
        for variable in rendered.env:
            value = variable.value
            if variable.name == "PATH":
                value = f"{interpreter.bin_dir}{os.pathsep}{value}"
            env[variable.name] = value
        return env


class Folders:
    """Where one attempt may write, and what it runs."""

    __slots__ = ("component", "temporary", "work")

    def __init__(self, attempt_dir: str) -> None:
        self.temporary = f"{attempt_dir}/tmp"
        self.work = f"{attempt_dir}/work"
        self.component = f"{attempt_dir}/component"

    def wanted(self, others: Iterable[str]) -> tuple[str, ...]:
        """All that have to be there before the start."""
        return (self.temporary, self.work, *sorted(others))

    def put_source(self, program: PythonProgram) -> Path:
        """Keep the program's source where the attempt finds it."""
        component = Path(self.component)
        component.mkdir(parents=True, exist_ok=True)
        source = component / "ephemeral_component.py"
        source.write_text(program.source, encoding="utf-8")
        return source

    def python_command(self, program: PythonProgram, python: str) -> tuple[str, ...]:
        """What the wrapper would have run, without the shells around it."""
        source = self.put_source(program)
        if program.module is None:
            options = ("-u",) if program.is_unbuffered else ()
            return (python, *options, str(source), *program.arguments)
        arguments = ("--component_module_path", str(source), *program.arguments)
        if is_small(arguments):
            return (python, "-m", program.module, *arguments)
        stored = Path(self.component) / "arguments.json"
        stored.write_text(json.dumps([program.module, arguments]), encoding="utf-8")
        return (python, "-c", _RUN_MODULE, str(stored))


def attempt_spec(
    launch: engine.Launch,
    rendered: engine.Rendered,
    views: Views,
    folders: Folders,
    limits: Limits,
    *,
    run_id: int,
    number: int,
    attempt_dir: str,
    argv: tuple[str, ...],
    env: Mapping[str, str],
    outputs: Iterable[str],
    args: tuple[str, ...] = (),
) -> AttemptSpec:
    """The attempt that every maker comes to, once it knows the command and the environment.

    `outputs`: the folders for outputs that have to be there before the start.
    """
    resources = rendered.resources
    return AttemptSpec(
        run_id=run_id,
        task_id=launch.task_id,
        number=number,
        attempt_dir=attempt_dir,
        argv=argv,
        args=args,
        env=env,
        cwd=folders.work,
        image=rendered.image,
        grace_s=limits.grace_s,
        timeout_s=min(
            (limit for limit in (launch.timeout_ms / 1000, limits.timeout_s) if limit), default=None
        ),
        cpu_limit=resources.cpu_limit,
        memory_limit_bytes=resources.memory_limit_bytes,
        cpu_request=resources.cpu_request,
        memory_request_bytes=resources.memory_request_bytes,
        read_paths=views.inputs,
        write_paths=views.outputs,
        folders=folders.wanted(outputs),
    )


def _with_kfp(requirements: Requirements, program: PythonProgram | None) -> Requirements:
    """A component without an install line of its own expects KFP in its image."""
    if program is None or program.module is None:
        return requirements
    if any(word.startswith("kfp") or "/kfp" in word for words in requirements for word in words):
        return requirements
    if program.module == "kfp.components.executor_main":
        return (*requirements, ("kfp==2.0.1",))
    return (*requirements, ("kfp>=2.5,<3", "--no-deps"))


def check_rendered(rendered: engine.Rendered, *, are_devices_vouched: bool) -> None:
    """Raises CannotLaunch for what keeps the task from running, whoever runs it.

    `are_devices_vouched`: the operator answers for the accelerators that a task asks for by its inputs.
    """
    if rendered.problems:
        raise CannotLaunch("; ".join(problem.message for problem in rendered.problems))
    resources = rendered.resources
    if resources.accelerator_type and resources.accelerator_count > 0 and not are_devices_vouched:
        raise CannotLaunch(
            f"the task asks for {resources.accelerator_count} x {resources.accelerator_type}; "
            "this server has no accelerators to give"
        )


def output_parents(rendered: engine.Rendered) -> Iterable[str]:
    """The folders that have to be there before the task starts."""
    paths = [output.path for output in rendered.output_files]
    paths += [artifact.path for artifact in rendered.output_artifacts]
    paths.append(rendered.output_file)
    return {os.path.dirname(path) for path in paths if path.startswith("/")}  # noqa: PTH120 (for every attempt)


def mentioned_outputs(rendered: engine.Rendered, views: Views, argv: Iterable[str]) -> set[str]:
    """The folders for outputs that the task can know of: a task that has been told of none writes none."""
    words = (*argv, *(variable.value for variable in rendered.env))
    folders = {*output_parents(rendered), *views.outputs}
    is_declared = bool(rendered.output_files or rendered.output_artifacts)
    # The executor input may write a path otherwise than it is: it is known by this word.
    if is_declared or any("outputFile" in word for word in words):
        return folders
    return {folder for folder in folders if any(folder in word for word in words)}


def is_small(arguments: Iterable[str]) -> bool:
    """Whether they fit on a command line."""
    sizes = [len(os.fsencode(argument)) for argument in arguments]
    return max(sizes, default=0) <= LARGEST_ARGUMENT_BYTES and sum(sizes) <= LARGEST_TOTAL_BYTES


def check_size(argv: tuple[str, ...]) -> None:
    """Raises CannotLaunch for an argument that Linux does not take."""
    for position, argument in enumerate(argv):
        size = len(os.fsencode(argument))
        if size > LARGEST_ARGUMENT_BYTES:
            raise CannotLaunch(
                f"argument {position} of the command has {size} bytes; "
                f"Linux takes {LARGEST_ARGUMENT_BYTES} at most"
            )
