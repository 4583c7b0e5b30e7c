"""From a leaf that has to run to the attempt that runs it in a container of its image.

Invariant: the command is the component's own, its `pip install` lines included: they run inside, as the image has it.
Only a source that is larger than Linux lets an argument be goes in by a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reprise.executor.contract import AttemptSpec
from reprise.executor.images import Images, ImageUnavailable
from reprise.executor.launch import (
    NO_VIEWS,
    CannotLaunch,
    Folders,
    Limits,
    Views,
    attempt_spec,
    check_rendered,
    check_size,
    is_small,
    output_parents,
)
from reprise.executor.preamble import python_program, split_installs
from reprise.pb.engine.v1 import engine_pb2 as engine

_RUN_SOURCE = '{flag}python3 -m {module} --component_module_path "$0" "$@"'
_RUN_SCRIPT = 'python3 {unbuffered}"$0" "$@"'


@dataclass(frozen=True, slots=True)
class ContainerMaker:
    """Makes attempts that run in containers, pulling their images. `task_env` is what the operator gives every task,
    which the task's own variables go before."""

    images: Images
    limits: Limits = field(default_factory=Limits)
    task_env: Mapping[str, str] = field(default_factory=dict)
    are_devices_vouched: bool = False

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
        """As AttemptMaker says, with the image there."""
        check_rendered(rendered, are_devices_vouched=self.are_devices_vouched)
        if not rendered.image:
            raise CannotLaunch("the component names no image, and this server runs tasks in containers")
        try:
            image = await self.images.get(rendered.image)
        except ImageUnavailable as error:
            raise CannotLaunch(str(error)) from error
        if not rendered.argv_command and not rendered.argv_args and not image.has_program:
            raise CannotLaunch(
                f"the component has no command, and its image {rendered.image!r} has no entrypoint either"
            )
        folders = Folders(attempt_dir)
        command, args = tuple(rendered.argv_command), tuple(rendered.argv_args)
        if not is_small((*command, *args)):
            command, args = _by_file(folders, command + args), ()
        check_size((*command, *args))
        env = {"TMPDIR": folders.temporary, **self.task_env}
        env.update((variable.name, variable.value) for variable in rendered.env)
        return attempt_spec(
            launch,
            rendered,
            views,
            folders,
            self.limits,
            run_id=run_id,
            number=number,
            attempt_dir=attempt_dir,
            argv=command,
            args=args,
            env=env,
            outputs={*output_parents(rendered), *views.outputs},  # mounted, so all of them
        )


def _by_file(folders: Folders, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The same command with its source in a file, where it is one of KFP's wrappers."""
    split = split_installs(argv)
    program = python_program(split.argv)
    if program is None:
        return argv
    source = folders.put_source(program)
    if program.module is None:
        script = _RUN_SCRIPT.format(unbuffered="-u " if program.is_unbuffered else "")
    else:
        flag = "_KFP_RUNTIME=true " if program.is_runtime_flag_set else ""
        script = _RUN_SOURCE.format(flag=flag, module=program.module)
    installs = argv[: len(argv) - len(split.argv)]
    return (*installs, "sh", "-ec", script, str(source), *program.arguments)
