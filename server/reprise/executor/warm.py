"""Warm interpreters: spawners that have imported KFP's executor, so that a component starts by a fork.

Invariant: a task runs in a warm interpreter only if a new one would have started with the same program and
the same environment but for its temporary folder. Interpreters that nobody has asked for in a while are let
go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from reprise.executor.spawner_link import SpawnerLink

WARM_MODULES = frozenset({"kfp.dsl.executor_main", "kfp.components.executor_main"})
_OF_THE_ATTEMPT = frozenset({"TMPDIR"})
# They can bring code that runs when an interpreter starts, and what that sets up need not survive a fork: `random`,
# for one, is seeded anew in every child.
_RUN_AT_THE_START = frozenset({"PYTHONPATH", "PYTHONUSERBASE", "PYTHONHOME", "PYTHONSTARTUP"})
# Room for the marker of an attempt in the environment that /proc shows of the interpreter's children.
_MARKER_ROOM = "-" * 120
_MOST = 3
_IDLE_S = 20.0

_Key = tuple[str, str, frozenset[tuple[str, str]]]


class WarmInterpreters:
    """Gives the warm interpreter for a command, starting it if need be. To be used from one event loop."""

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path
        self._links: dict[_Key, SpawnerLink] = {}  # the one asked for last comes last
        self._unusable: set[_Key] = set()
        self._timers: dict[_Key, asyncio.TimerHandle] = {}

    def find(self, argv: Sequence[str], env: Mapping[str, str]) -> SpawnerLink | None:
        """The interpreter that can run this; None where a new process is the only way."""
        key = _key(argv, env)
        if key is None or key in self._unusable:
            return None
        link = self._links.pop(key, None)
        if link is None:
            for oldest in list(self._links)[: len(self._links) - _MOST + 1]:
                self._let_go(oldest)
            warm_env = {**dict(key[2]), "REPRISE_ATTEMPT": _MARKER_ROOM}
            link = SpawnerLink(self._log_path, python=key[0], module=key[1], env=warm_env)
        self._links[key] = link
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(_IDLE_S, self._let_go, key)
        return link

    def links(self) -> list[SpawnerLink]:
        """Those that are running."""
        return list(self._links.values())

    def give_up(self, link: SpawnerLink) -> None:
        """Do not use this interpreter again: it has died."""
        for key in [key for key, one in self._links.items() if one is link]:
            if not link.has_answered:
                self._unusable.add(key)
            self._let_go(key)

    def close(self) -> None:
        """Let go of all. Their tasks go on."""
        for key in list(self._links):
            self._let_go(key)

    def _let_go(self, key: _Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        link = self._links.get(key)
        if link is not None and link.is_busy:
            self._timers[key] = asyncio.get_running_loop().call_later(_IDLE_S, self._let_go, key)
        elif link is not None:
            del self._links[key]
            link.hang_up()


def _key(argv: Sequence[str], env: Mapping[str, str]) -> _Key | None:
    if len(argv) < 3 or argv[1] != "-m" or argv[2] not in WARM_MODULES:
        return None
    if not _RUN_AT_THE_START.isdisjoint(env):
        return None
    return argv[0], argv[2], frozenset(item for item in env.items() if item[0] not in _OF_THE_ATTEMPT)
