"""What runs the runs, composed: the scheduler with its executor.

Apart from `main`, since it is loaded while a server that comes up answers its first calls already.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from reprise.artifact.contract import ArtifactPlace
from reprise.domain.cache import CacheAge
from reprise.executor.contract import Executor
from reprise.plugins import ExecutorMaker
from reprise.rpc.task_details import task_details
from reprise.scheduler.admission import TaskLimits
from reprise.scheduler.scheduler import Scheduler, SchedulerSettings
from reprise.store.contract import Store
from reprise.workplace import WantedWorkplace, make_workplace

if TYPE_CHECKING:
    from reprise.main import Settings


def make_scheduler(
    settings: Settings,
    store: Store,
    artifacts: ArtifactPlace,
    now_ns: Callable[[], int],
    executor: Executor | ExecutorMaker | str | None = None,
) -> Scheduler:
    """`executor`: instead of the one that the settings name. Errors: InvalidArgument, Unavailable."""
    data_dir = settings.data_dir.absolute()
    workplace = make_workplace(
        WantedWorkplace(
            data_dir=data_dir,
            executor=settings.executor,
            container_socket=settings.container_socket,
            container_host_config=settings.container_host_config,
            environments=settings.environments,
            task_python=settings.task_python,
            task_env=settings.task_env,
            grace_s=settings.grace_s,
            task_timeout_s=settings.task_timeout_s,
        ),
        executor,
    )
    return Scheduler(
        store=store,
        executor=workplace.executor,
        earlier_executors=workplace.earlier,
        maker=workplace.maker,
        artifacts=artifacts,
        encode_details=task_details,
        now_ns=now_ns,
        settings=SchedulerSettings(
            data_dir=data_dir,
            owner=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
            limits=TaskLimits(settings.max_tasks, settings.max_tasks_per_project, settings.max_tasks_per_run),
            cache_age=CacheAge(settings.cache_max_age_s),
            retention_s=settings.retention_s,
        ),
    )
