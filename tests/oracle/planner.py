"""A plain, slow planner: the decision tables of the guide, one after the other, over dictionaries.

Invariant: it never calls the code under test. Keys are compared as structures, never as digests, and what an original
left behind is read from its specification and its task records alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from values import ABSENT, UNKNOWN, as_text, same

REUSE, RE_EVALUATE, EXECUTE, SKIP, NOT_TRIGGERED, DROPPED = (
    "REUSE",
    "RE_EVALUATE",
    "EXECUTE",
    "SKIP",
    "NOT_TRIGGERED",
    "DROPPED",
)

# How surely the children of a DAG will come to be decided, from best to worst.
OPEN, UNCERTAIN, CONDITION_UNKNOWN, CLOSED = range(4)

MAYBE, SURELY = 1, 2

Slot = tuple[str, str]
"""An input or output: ("parameters" or "artifacts", name)."""


class Unjudgeable(Exception):
    """The records or the guide do not say enough to decide this case."""


@dataclass
class Task:
    """What a run kept of one task."""

    task_id: int
    path: str
    kind: str
    state: str
    is_left_out: bool = False
    was_started: bool = False
    inputs: dict[Slot, Any] = field(default_factory=dict)
    outputs: dict[Slot, Any] = field(default_factory=dict)
    overrides: dict[Slot, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def is_reused(self) -> bool:
        return self.state == "SKIPPED" and not self.is_left_out

    @property
    def has_outcome(self) -> bool:
        return self.state == "SUCCEEDED" or self.is_reused


@dataclass
class Past:
    """A run that has ended."""

    spec: dict[str, Any]
    parameters: dict[str, Any]
    tasks: dict[str, Task]
    parent: Past | None = None
    items: dict[str, list[Any]] = field(
        default_factory=dict
    )  # of loops that were expanded before they started


@dataclass
class Config:
    """One PipelineTaskRerunConfig, addressed by a path of the original or of the new specification."""

    path: str
    skip_task: bool = False
    inputs: dict[Slot, Any] | None = None
    skip_downstream: bool = False
    drop_overrides: tuple[str, ...] = ()


@dataclass
class Planned:
    path: str
    kind: str
    verdict: str
    reasons: frozenset[str]
    outputs: dict[Slot, Any] = field(default_factory=dict)
    original: str | None = None
    is_fan_in: bool = (
        False  # a loop that is not left out itself: iterations without output are left out of its lists
    )
    is_empty: bool = False  # a DAG in which nothing is still open
    is_closed_box: bool = False  # a loop whose items are not known yet
    would_skip: bool = False  # left out, unless its condition turns out to be false
    lacking: dict[Slot, int] = field(
        default_factory=dict
    )  # outputs of a DAG that come from what is left out inside it
    may_not_start: bool = False  # its own condition, or that of what holds it or comes before it, is open
    is_cut: bool = False  # everything downstream of it, or of something in it, is left out as well

    @property
    def is_settled(self) -> bool:
        """Nothing that is still to run can change how this task stands."""
        return self.verdict in (REUSE, SKIP, NOT_TRIGGERED)

    def lacks(self, slot: Slot) -> int:
        """How surely an output is missing because a task is left out: not, if a condition holds, or surely."""
        if self.would_skip:
            return MAYBE
        if self.is_fan_in:
            return 0
        return SURELY if self.verdict == SKIP else self.lacking.get(slot, 0)

    def output(self, slot: Slot) -> Any:
        if (self.kind == "CONTAINER" and not self.is_settled) or self.is_closed_box:
            return UNKNOWN
        return self.outputs.get(slot, ABSENT)


@dataclass
class Plan:
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """Needs of what is left out only if a condition turns out to be true: refused or not, the guide leaves open."""
    tasks: dict[str, Planned] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    closed_loops: list[str] = field(default_factory=list)
    items: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Scope:
    """The surroundings of the tasks of one DAG."""

    component: dict[str, Any]
    inputs: dict[Slot, Any]
    path: str
    original: str | None
    gate: int
    force: str  # "", EXECUTE or SKIP: what a config above asks for every leaf
    force_reason: str
    is_exit: bool
    is_opened: bool = False  # left out in the original, with a task inside that is named now


def plan(
    spec: dict[str, Any],
    given: Mapping[str, Any],
    past: Past | None = None,
    configs: list[Config] | None = None,
) -> Plan:
    return _Planner(spec, dict(given), past, configs or []).run()


def dependencies(task: dict[str, Any]) -> dict[str, list[Slot]]:
    """Each upstream sibling, with the inputs that it feeds: none, if it only comes before."""
    found: dict[str, list[Slot]] = {name: [] for name in task.get("dependentTasks", [])}
    for section in ("parameters", "artifacts"):
        for name, binding in task.get("inputs", {}).get(section, {}).items():
            for key in ("taskOutputParameter", "taskOutputArtifact", "taskFinalStatus"):
                if key in binding:
                    found.setdefault(binding[key]["producerTask"], []).append((section, name))
    return found


def in_order(tasks: dict[str, Any]) -> list[str]:
    """The tasks of a DAG, each after all its upstream siblings."""
    done: list[str] = []
    while len(done) < len(tasks):
        ready = [n for n in sorted(tasks) if n not in done and all(u in done for u in dependencies(tasks[n]))]
        if not ready:
            raise ValueError("a cycle")
        done.append(ready[0])
    return done


class _Planner:
    def __init__(
        self, spec: dict[str, Any], given: dict[str, Any], past: Past | None, configs: list[Config]
    ) -> None:
        self.spec, self.past = spec, past
        self.configs = {config.path: config for config in configs}
        self.given = given
        self.plan = Plan()
        self.matched: set[str] = set()
        self.unlisted: list[str] = []

    def run(self) -> Plan:
        root = self.spec["root"]
        declared = root.get("inputDefinitions", {}).get("parameters", {})
        effective = {**(self.past.parameters if self.past else {}), **self.given}
        self.plan.parameters = {name: value for name, value in effective.items() if name in declared}
        inputs = {("parameters", name): self.plan.parameters.get(name, ABSENT) for name in declared}
        scope = Scope(root, _with_defaults(root, inputs), "", "" if self.past else None, OPEN, "", "", False)
        self._dag(scope)
        self._dropped()
        return self.plan

    # One DAG.

    def _dag(self, scope: Scope) -> dict[str, Planned]:
        tasks = scope.component["dag"]["tasks"]
        planned: dict[str, Planned] = {}
        downstream: set[str] = set()
        for name in in_order(tasks):
            task = tasks[name]
            upstream = dependencies(task)
            is_exit = scope.is_exit or _is_exit_task(task, upstream)
            follows_skip = not is_exit and any(u in downstream for u in upstream)
            planned[name] = self._task(scope, name, task, planned, is_exit, follows_skip)
            config = self._config(planned[name])
            starts_skip = config is not None and config.skip_downstream
            inner = any(
                other.skip_downstream
                for other in self.configs.values()
                if planned[name].original and other.path.startswith(planned[name].original + ".")
            )
            if follows_skip or starts_skip or inner:
                downstream.add(name)
                planned[name].is_cut = True
        return planned

    def _task(
        self,
        scope: Scope,
        name: str,
        task: dict[str, Any],
        siblings: dict[str, Planned],
        is_exit: bool,
        follows_skip: bool,
    ) -> Planned:
        path = f"{scope.path}.{name}" if scope.path else name
        original = None
        if scope.original is not None:
            original = f"{scope.original}.{name}" if scope.original else name
            if self.past is None or original not in self.past.tasks:
                original = None
        component = self.spec["components"][task["componentRef"]["name"]]
        kind = "DAG" if "dag" in component else "CONTAINER"
        if "parameterIterator" in task or "artifactIterator" in task:
            kind = "LOOP"
        if original is not None and (self.past.tasks[original].kind in ("DAG", "LOOP")) != (
            kind != "CONTAINER"
        ):
            original = None  # the name was given to something else
        if original is not None:
            self.matched.add(original)

        before = self.past.tasks[original] if original is not None and self.past else None
        config = self._asked(original, path)
        overrides = _overrides(before, config)
        inputs = self._inputs(scope, task, siblings, component, overrides, is_leaf=kind == "CONTAINER")
        upstream = dependencies(task)
        needed = [u for u, slots in upstream.items() if not slots or any(s not in overrides for s in slots)]
        completed = task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"

        gate = scope.gate
        cause_settled = all(siblings[u].is_settled for u in needed)
        if not cause_settled:
            gate = max(gate, UNCERTAIN)
        is_upstream_closed = not completed and any(siblings[u].verdict == NOT_TRIGGERED for u in needed)
        condition = task.get("triggerPolicy", {}).get("condition")
        if scope.force == SKIP and not scope.is_opened and scope.gate < CONDITION_UNKNOWN:
            # A DAG that is left out never starts: nothing inside it is asked for its condition.
            gate = scope.gate
        elif condition is not None and gate != CLOSED:
            answer = evaluate(condition, inputs)
            if answer is UNKNOWN:
                gate = max(gate, CONDITION_UNKNOWN)
            elif answer is False:
                gate = CLOSED
        if (
            not completed
            and any(siblings[u].may_not_start for u in needed)
            and gate != CLOSED
            and not self._is_left_out(scope, kind, config, before, follows_skip)
        ):
            # If that is not triggered, neither is this.
            gate = CONDITION_UNKNOWN
        if is_upstream_closed and not self._is_left_out(scope, kind, config, before, follows_skip):
            gate = CLOSED

        if kind == "CONTAINER":
            result = self._leaf(
                scope,
                path,
                original,
                component,
                inputs,
                gate,
                is_exit,
                config,
                before,
                overrides,
                follows_skip,
            )
        else:
            result = self._composite(
                scope,
                path,
                original,
                task,
                component,
                inputs,
                gate,
                is_exit,
                config,
                before,
                follows_skip,
                kind,
            )
        self.plan.tasks[path] = result
        if result.verdict != SKIP and not result.would_skip:
            self._check_needs(path, task, component, siblings, overrides)
        return result

    # Inputs.

    def _inputs(
        self,
        scope: Scope,
        task: dict[str, Any],
        siblings: dict[str, Planned],
        component: dict[str, Any],
        overrides: dict[Slot, Any],
        is_leaf: bool,
    ) -> dict[Slot, Any]:
        inputs: dict[Slot, Any] = {}
        for section in ("parameters", "artifacts"):
            declared = component.get("inputDefinitions", {}).get(section, {})
            for name, binding in task.get("inputs", {}).get(section, {}).items():
                slot = (section, name)
                if slot in overrides:
                    continue
                value, is_data = self._bound(scope, binding, siblings, section)
                is_text = declared.get(name, {}).get("parameterType") == "STRING"
                if is_leaf and is_text and is_data and value is not UNKNOWN and value is not ABSENT:
                    value = as_text(value)
                inputs[slot] = value
            iterator = task.get("parameterIterator")
            for name in declared:
                if iterator is not None and iterator["itemInput"] == name:
                    continue
                inputs.setdefault((section, name), ABSENT)
        inputs.update(overrides)
        return _with_defaults(component, inputs)

    def _bound(
        self, scope: Scope, binding: dict[str, Any], siblings: dict[str, Planned], section: str
    ) -> tuple[Any, bool]:
        if "runtimeValue" in binding:
            return binding["runtimeValue"]["constant"], False
        if "componentInputParameter" in binding:
            return scope.inputs.get((section, binding["componentInputParameter"]), ABSENT), True
        if "componentInputArtifact" in binding:
            return scope.inputs.get((section, binding["componentInputArtifact"]), ABSENT), True
        if "taskOutputParameter" in binding:
            source = binding["taskOutputParameter"]
            return siblings[source["producerTask"]].output((section, source["outputParameterKey"])), True
        if "taskFinalStatus" in binding:
            return UNKNOWN, True
        source = binding["taskOutputArtifact"]
        return siblings[source["producerTask"]].output((section, source["outputArtifactKey"])), True

    # A leaf: the rows of the guide in their order of precedence.

    def _leaf(
        self,
        scope: Scope,
        path: str,
        original: str | None,
        component: dict[str, Any],
        inputs: dict[Slot, Any],
        gate: int,
        is_exit: bool,
        config: Config | None,
        before: Task | None,
        overrides: dict[Slot, Any],
        follows_skip: bool,
    ) -> Planned:
        def verdict(which: str, *reasons: str, outputs: dict[Slot, Any] | None = None) -> Planned:
            return Planned(path, "CONTAINER", which, frozenset(reasons), outputs or {}, original)

        # Condition.
        is_named = config is not None and config.inputs is not None
        left_out = self._left_out(scope, config, before, is_named, follows_skip)
        if gate == CLOSED:
            closed = verdict(NOT_TRIGGERED, "CONDITION_FALSE", "UPSTREAM_FAILED")
            closed.would_skip = bool(left_out)
            return closed
        if gate == CONDITION_UNKNOWN:
            waiting = verdict(RE_EVALUATE, "CONDITION_UNKNOWN", "UPSTREAM_CHANGED")
            waiting.would_skip = bool(left_out)
            waiting.may_not_start = True
            return waiting
        # SKIP.
        if left_out:
            return verdict(SKIP, *left_out)
        # Exit task.
        if is_exit:
            return verdict(EXECUTE, "EXIT_TASK", "FIRST_RUN", "REQUESTED", "NOT_IN_ORIGINAL")
        # Override.
        if self.past is None:
            return verdict(EXECUTE, "FIRST_RUN")
        asked = config.inputs if config is not None and config.inputs else {}
        if any(not _is_old(before, slot, value) for slot, value in asked.items()):
            return verdict(EXECUTE, "INPUT_OVERRIDDEN")
        # Request.
        if is_named and not asked:
            return verdict(EXECUTE, "REQUESTED", "NOT_SUCCEEDED")
        if (
            config is not None
            and not config.skip_task
            and not asked
            and before is not None
            and before.state == "SUCCEEDED"
        ):
            return verdict(EXECUTE, "REQUESTED", "REQUESTED_BY_PARENT")
        if scope.force == EXECUTE:
            return verdict(EXECUTE, "REQUESTED_BY_PARENT", "REQUESTED")
        # Key.
        if before is None or original is None:
            return verdict(EXECUTE, "NOT_IN_ORIGINAL")
        found = _outcome(self.past, original)
        if found is None:
            return verdict(EXECUTE, "NOT_SUCCEEDED", "INPUT_OVERRIDDEN")
        source_spec, outcome = found
        old = key_of(source_spec, outcome.path, outcome.inputs)
        new = key_fields(self.spec, component, inputs)
        changed = compare(old, new)
        if changed is True:
            return verdict(EXECUTE, "KEY_CHANGED", "INPUT_OVERRIDDEN")
        if changed is UNKNOWN or gate != OPEN:
            return verdict(RE_EVALUATE, "UPSTREAM_CHANGED")
        return verdict(REUSE, "UNCHANGED", outputs=outcome.outputs)

    def _left_out(
        self, scope: Scope, config: Config | None, before: Task | None, is_named: bool, follows_skip: bool
    ) -> tuple[str, ...]:
        """Why a leaf is left out: nothing, if it is not."""
        if config is not None and config.skip_task and not (before is not None and before.has_outcome):
            # Of two reasons for the same, either may be told.
            return ("REQUESTED", "INHERITED", "SKIP_DOWNSTREAM", scope.force_reason)
        if scope.force == SKIP and not (is_named and scope.force_reason == "INHERITED"):
            return (scope.force_reason, "INHERITED", "REQUESTED_BY_PARENT")
        if follows_skip:
            return ("SKIP_DOWNSTREAM", "INHERITED")
        if before is not None and before.is_left_out and not is_named:
            if scope.force == EXECUTE:
                raise Unjudgeable(
                    "asked for by a config above, left out in the original: the guide names no winner"
                )
            return ("INHERITED",)
        return ()

    def _is_left_out(
        self, scope: Scope, kind: str, config: Config | None, before: Task | None, follows_skip: bool
    ) -> bool:
        """What is left out needs nothing of its upstream: it is left out whatever becomes of that."""
        if kind == "CONTAINER":
            is_named = config is not None and config.inputs is not None
            return bool(self._left_out(scope, config, before, is_named, follows_skip))
        if before is not None and not follows_skip and self._is_opened(before.path, scope.force_reason):
            return False
        is_asked = config is not None and config.inputs is None and config.skip_task
        was_left_out = before is not None and before.is_left_out
        is_fresh = is_asked and (before is None or before.state != "SUCCEEDED")
        return scope.force == SKIP or follows_skip or was_left_out or is_fresh

    # A DAG or a loop.

    def _composite(
        self,
        scope: Scope,
        path: str,
        original: str | None,
        task: dict[str, Any],
        component: dict[str, Any],
        inputs: dict[Slot, Any],
        gate: int,
        is_exit: bool,
        config: Config | None,
        before: Task | None,
        follows_skip: bool,
        kind: str,
    ) -> Planned:
        force, reason = scope.force, scope.force_reason
        if config is not None and before is not None and config.inputs is None:
            if before.state == "SUCCEEDED" and not config.skip_task and force != SKIP:
                force, reason = EXECUTE, "REQUESTED_BY_PARENT"
            elif before.state != "SUCCEEDED" and config.skip_task and (force != SKIP or scope.is_opened):
                force, reason = SKIP, "REQUESTED_BY_PARENT"
        elif config is not None and before is None and config.skip_task and force != SKIP:
            force, reason = SKIP, "REQUESTED_BY_PARENT"
        if before is not None and before.is_left_out and force != SKIP:
            if force == EXECUTE:
                raise Unjudgeable(
                    "asked for by a config above, left out in the original: the guide names no winner"
                )
            force, reason = SKIP, "INHERITED"
        if follows_skip:
            force, reason = SKIP, "SKIP_DOWNSTREAM"
        is_opened = force == SKIP and self._is_opened(original, reason)
        inner = Scope(component, inputs, path, original, gate, force, reason, is_exit, is_opened)
        if kind == "LOOP":
            return self._loop(inner, task, config)
        children = self._dag(inner)
        outputs = _dag_outputs(component, children)
        summary = _summary(
            path,
            "DAG",
            original,
            gate,
            list(children.values()),
            outputs,
            "" if is_opened else force,
            self.past is None,
        )
        summary.lacking = _lacking(component, children)
        summary.would_skip = force == SKIP and not is_opened and gate >= CONDITION_UNKNOWN
        self._check_outputs(summary, component, children, "" if is_opened else force)
        return summary

    def _is_opened(self, original: str | None, reason: str) -> bool:
        """A DAG that stays left out, but for a task inside that is named."""
        return (
            reason in ("", "INHERITED")
            and original is not None
            and any(
                config.inputs is not None and config.path.startswith((original + ".", original + "["))
                for config in self.configs.values()
            )
        )

    def _loop(self, scope: Scope, task: dict[str, Any], config: Config | None) -> Planned:
        iterator = task["parameterIterator"]
        items = _items(iterator, scope.inputs)
        if scope.gate == CLOSED or scope.force == SKIP or items is UNKNOWN:
            # Its iterations may be listed or not.
            self.plan.closed_loops.append(scope.path)
            if scope.original is not None:
                self.unlisted.append(scope.original)
                self.plan.closed_loops.append("dropped:" + scope.original)
        if scope.gate == CLOSED:
            closed = Planned(
                scope.path, "LOOP", NOT_TRIGGERED, frozenset({"CONDITION_FALSE"}), {}, scope.original
            )
            closed.would_skip = scope.force == SKIP
            return closed
        if items is UNKNOWN:
            if scope.force == SKIP and not scope.is_opened and scope.gate != CONDITION_UNKNOWN:
                return Planned(scope.path, "LOOP", SKIP, frozenset({scope.force_reason}), {}, scope.original)
            return Planned(
                scope.path,
                "LOOP",
                RE_EVALUATE,
                frozenset({"CONDITION_UNKNOWN"}),
                original=scope.original,
                is_closed_box=True,
                would_skip=scope.force == SKIP and not scope.is_opened,
            )
        if items is ABSENT:
            items = []
        self.plan.items[scope.path] = items
        before = self._old_items(scope.original)
        iterations: list[Planned] = []
        results: list[dict[str, Planned]] = []
        for index, item in enumerate(items):
            ordinal = sum(1 for other in items[:index] if same(other, item))
            twins = [old for old, value in before if same(value, item)]
            original = twins[ordinal] if ordinal < len(twins) else None
            if original is not None:
                self.matched.add(original)
            path = f"{scope.path}[{index}]"
            force, reason = scope.force, scope.force_reason
            own = self._asked(original, path)
            if own is not None and original is not None and own.inputs is None:
                state = self.past.tasks[original].state
                if state == "SUCCEEDED" and not own.skip_task and force != SKIP:
                    force, reason = EXECUTE, "REQUESTED_BY_PARENT"
                elif state != "SUCCEEDED" and own.skip_task and (force != SKIP or scope.is_opened):
                    force, reason = SKIP, "REQUESTED_BY_PARENT"
            if original is not None and self.past.tasks[original].is_left_out and force != SKIP:
                if force == EXECUTE:
                    raise Unjudgeable("asked for by a config above, left out in the original")
                force, reason = SKIP, "INHERITED"
            inputs = {**scope.inputs, ("parameters", iterator["itemInput"]): item}
            is_opened = force == SKIP and self._is_opened(original, reason)
            inner = Scope(
                scope.component, inputs, path, original, scope.gate, force, reason, scope.is_exit, is_opened
            )
            children = self._dag(inner)
            results.append(children)
            outputs = _dag_outputs(scope.component, children)
            one = _summary(
                path,
                "ITERATION",
                original,
                scope.gate,
                list(children.values()),
                outputs,
                "" if is_opened else force,
                self.past is None,
            )
            one.lacking = _lacking(scope.component, children)
            self._check_outputs(one, scope.component, children, "" if is_opened else force)
            iterations.append(one)
            self.plan.tasks[path] = one
        collected: dict[Slot, Any] = {}
        for section in ("parameters", "artifacts"):
            for name in scope.component.get("outputDefinitions", {}).get(section, {}):
                values = [one.output((section, name)) for one in iterations]
                present = [value for value in values if value is not ABSENT]
                unknown = any(value is UNKNOWN for value in values)
                if section == "artifacts":
                    present = [] if unknown else [one for value in present for one in _as_list(value)]
                collected[section, name] = UNKNOWN if unknown else present
        summary = _summary(
            scope.path,
            "LOOP",
            scope.original,
            scope.gate,
            iterations,
            collected,
            "" if scope.is_opened else scope.force,
            self.past is None,
        )
        is_left_out = scope.force == SKIP and not scope.is_opened
        summary.is_fan_in = not is_left_out
        summary.would_skip = is_left_out and scope.gate >= CONDITION_UNKNOWN
        return summary

    def _old_items(self, original: str | None) -> list[tuple[str, Any]]:
        """The iterations that a loop of the original had, each with its item."""
        if original is None or self.past is None:
            return []
        return [(f"{original}[{index}]", item) for index, item in enumerate(old_items(self.past, original))]

    # What is left over.

    def _check_needs(
        self,
        path: str,
        task: dict[str, Any],
        component: dict[str, Any],
        siblings: dict[str, Planned],
        overrides: dict[Slot, Any],
    ) -> None:
        for upstream, slots in dependencies(task).items():
            for section, name in slots:
                binding = task["inputs"][section][name]
                if (section, name) in overrides or "taskFinalStatus" in binding:
                    continue
                source = binding.get("taskOutputParameter") or binding["taskOutputArtifact"]
                key = source.get("outputParameterKey") or source["outputArtifactKey"]
                if not siblings[upstream].lacks((section, key)):
                    continue
                declared = component.get("inputDefinitions", {}).get(section, {}).get(name, {})
                if declared.get("isOptional") or "defaultValue" in declared:
                    continue
                surely = siblings[upstream].lacks((section, key)) == SURELY
                is_leaf = (
                    "dag" not in component
                )  # whether a DAG needs what nobody in it reads, the guide leaves open
                is_sure = surely and is_leaf and self.plan.tasks[path].verdict != NOT_TRIGGERED
                (self.plan.problems if is_sure else self.plan.doubts).append(
                    f"{path} needs {upstream} for {name}"
                )

    def _check_outputs(
        self, summary: Planned, component: dict[str, Any], children: dict[str, Planned], force: str
    ) -> None:
        """An output of a DAG that is not itself left out needs the task that it comes from."""
        if force == SKIP:
            return
        for slot in summary.lacking:
            sources = [(children[name], source) for name, source in _sources(component, slot)]
            uncut = [child.lacks(source) for child, source in sources if not child.is_cut]
            if not any(uncut):
                continue
            is_sure = SURELY in uncut and summary.verdict != NOT_TRIGGERED
            (self.plan.problems if is_sure else self.plan.doubts).append(
                f"{summary.path} needs what its output {slot[1]} comes from"
            )

    def _config(self, planned: Planned) -> Config | None:
        return self._asked(planned.original, planned.path)

    def _asked(self, original: str | None, path: str) -> Config | None:
        """The config of a task: by its place in the original, or, if nothing was there, in the new specification."""
        if original is not None:
            return self.configs.get(original)
        return None if self.past is not None and path in self.past.tasks else self.configs.get(path)

    def _dropped(self) -> None:
        if self.past is None:
            return
        for path, task in self.past.tasks.items():
            if path in self.matched or any(
                path.startswith((f"{loop}[", f"{loop}.")) for loop in self.unlisted
            ):
                continue
            config = self.configs.get(path)
            if config is not None and config.inputs is not None:
                (self.plan.problems if config.inputs else self.plan.doubts).append(
                    f"{path} is gone and has inputs"
                )
            self.plan.tasks["dropped:" + path] = Planned(
                path, task.kind, DROPPED, frozenset({"REMOVED", "ITEM_REMOVED"}), {}, path
            )


def _is_exit_task(task: dict[str, Any], upstream: Mapping[str, Any]) -> bool:
    strategy = task.get("triggerPolicy", {}).get("strategy")
    return strategy == "ALL_UPSTREAM_TASKS_COMPLETED" and any(u.startswith("exit-handler-") for u in upstream)


def _with_defaults(component: dict[str, Any], inputs: dict[Slot, Any]) -> dict[Slot, Any]:
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    filled = dict(inputs)
    for (section, name), value in inputs.items():
        if value is ABSENT and section == "parameters" and "defaultValue" in declared.get(name, {}):
            filled[section, name] = declared[name]["defaultValue"]
    return filled


def _overrides(before: Task | None, config: Config | None) -> dict[Slot, Any]:
    dropped = config.drop_overrides if config is not None else ()
    kept = {
        slot: value for slot, value in (before.overrides if before else {}).items() if slot[1] not in dropped
    }
    return {**kept, **(config.inputs if config is not None and config.inputs else {})}


def _is_old(before: Task | None, slot: Slot, value: Any) -> bool:
    if before is None or slot not in before.inputs:
        return False
    if slot[0] == "artifacts":
        return _artifacts(before.inputs[slot]) == _artifacts(value)
    return same(before.inputs[slot], value)


def _outcome(past: Past, path: str) -> tuple[dict[str, Any], Task] | None:
    """The outcome that stands for a task: its run's, or, if it was never started there, an ancestor's."""
    run: Past | None = past
    while run is not None:
        task = run.tasks.get(path)
        if task is None:
            return None
        if task.has_outcome:
            return run.spec, task
        if task.state == "FAILED" or task.was_started or task.is_left_out or task.reason == "CONDITION_FALSE":
            return None
        above = _path_in_parent(run, path)
        if above is None:
            return None
        path, run = above, run.parent
    return None


def _path_in_parent(run: Past, path: str) -> str | None:
    """Where a task of a run was in the run's original: the same names, iterations by their items."""
    if run.parent is None:
        return None
    here, there = "", ""
    for segment in path.split("."):
        name = re.sub(r"\[\d+\]$", "", segment)
        here, there = f"{here}.{name}".lstrip("."), f"{there}.{name}".lstrip(".")
        if name != segment:
            index = int(segment[len(name) + 1 : -1])
            items, before = old_items(run, here), old_items(run.parent, there)
            ordinal = sum(1 for other in items[:index] if same(other, items[index]))
            twins = [number for number, item in enumerate(before) if same(item, items[index])]
            if ordinal >= len(twins):
                return None
            here, there = f"{here}[{index}]", f"{there}[{twins[ordinal]}]"
    return there


def old_items(past: Past, loop: str) -> list[Any]:
    """The items of a loop of a run that has ended."""
    if loop not in past.tasks or f"{loop}[0]" not in past.tasks:
        return []
    task, _ = _definition(past.spec, loop)
    items = _items(task["parameterIterator"], past.tasks[loop].inputs)
    if items is ABSENT:
        items = past.items.get(loop, ABSENT)
    if items is ABSENT:
        raise Unjudgeable(f"what {loop} looped over is not on record, because it never started")
    return items


def _items(iterator: dict[str, Any], inputs: dict[Slot, Any]) -> Any:
    items = iterator["items"]
    if "raw" in items:
        return json.loads(items["raw"])
    value = inputs.get(("parameters", items["inputParameter"]), ABSENT)
    return json.loads(value) if isinstance(value, str) else value


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _summary(
    path: str,
    kind: str,
    original: str | None,
    gate: int,
    children: list[Planned],
    outputs: dict[Slot, Any],
    force: str,
    is_first: bool,
) -> Planned:
    verdicts = {child.verdict for child in children}
    if gate == CLOSED:
        verdict, outputs = NOT_TRIGGERED, {}
    elif gate == CONDITION_UNKNOWN:
        verdict = RE_EVALUATE
    elif force == SKIP and not verdicts & {EXECUTE, RE_EVALUATE}:
        verdict = SKIP
    elif EXECUTE in verdicts:
        verdict = EXECUTE
    elif RE_EVALUATE in verdicts or gate == UNCERTAIN:
        verdict = RE_EVALUATE
    elif REUSE in verdicts or SKIP not in verdicts:
        verdict = EXECUTE if is_first else REUSE
    else:
        verdict = SKIP
    is_empty = not verdicts & {EXECUTE, RE_EVALUATE} or all(child.is_empty for child in children)
    may_not_start = gate == CONDITION_UNKNOWN
    return Planned(
        path,
        kind,
        verdict,
        frozenset({"CHILDREN"}),
        outputs,
        original,
        is_empty=is_empty,
        may_not_start=may_not_start,
    )


def _sources(component: dict[str, Any], slot: Slot) -> list[tuple[str, Slot]]:
    """The children that an output of a DAG comes from, each with the output that is taken."""
    output = component["dag"]["outputs"][slot[0]][slot[1]]
    if "valueFromOneof" in output:
        sources = output["valueFromOneof"]["parameterSelectors"]
    else:
        sources = output.get("artifactSelectors") or [output["valueFromParameter"]]
    return [
        (
            source["producerSubtask"],
            (slot[0], source.get("outputParameterKey") or source["outputArtifactKey"]),
        )
        for source in sources
    ]


def _lacking(component: dict[str, Any], children: dict[str, Planned]) -> dict[Slot, int]:
    found: dict[Slot, int] = {}
    for section, outputs in component["dag"].get("outputs", {}).items():
        for name in outputs:
            sources = _sources(component, (section, name))
            lack = max((children[child].lacks(source) for child, source in sources), default=0)
            if lack:
                found[section, name] = lack
    return found


def _dag_outputs(component: dict[str, Any], children: dict[str, Planned]) -> dict[Slot, Any]:
    outputs: dict[Slot, Any] = {}
    declared = component["dag"].get("outputs", {})
    for name, output in declared.get("parameters", {}).items():
        if "valueFromParameter" in output:
            source = output["valueFromParameter"]
            outputs["parameters", name] = children[source["producerSubtask"]].output(
                ("parameters", source["outputParameterKey"])
            )
        else:
            values = [
                children[source["producerSubtask"]].output(("parameters", source["outputParameterKey"]))
                for source in output["valueFromOneof"]["parameterSelectors"]
            ]
            present = [value for value in values if value is not ABSENT]
            if not present and all(child.is_settled for child in children.values()):
                raise Unjudgeable("a choice between nothing fails its group")
            outputs["parameters", name] = present[0] if present else ABSENT
            if any(value is UNKNOWN for value in present):
                outputs["parameters", name] = UNKNOWN
    for name, output in declared.get("artifacts", {}).items():
        source = output["artifactSelectors"][0]
        outputs["artifacts", name] = children[source["producerSubtask"]].output(
            ("artifacts", source["outputArtifactKey"])
        )
    return outputs


# Keys.


def _definition(spec: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The task at a path of a specification, and its component."""
    component = spec["root"]
    task: dict[str, Any] = {}
    for segment in path.split("."):
        task = component["dag"]["tasks"][re.sub(r"\[\d+\]$", "", segment)]
        component = spec["components"][task["componentRef"]["name"]]
    return task, component


def key_of(spec: dict[str, Any], path: str, inputs: dict[Slot, Any]) -> dict[str, Any]:
    """The fields of the key of a task that has run with these inputs."""
    return key_fields(spec, _definition(spec, path)[1], inputs)


def key_fields(spec: dict[str, Any], component: dict[str, Any], inputs: dict[Slot, Any]) -> dict[str, Any]:
    """All that decides an outcome, each under its name. Absent inputs are no fields."""
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    fields: dict[str, Any] = {
        "executor.image": container.get("image", ""),
        "executor.command": container.get("command", []),
        "executor.args": container.get("args", []),
    }
    for variable in container.get("env", []):
        fields["executor.env." + variable["name"]] = variable["value"]
    declared = component.get("inputDefinitions", {})
    for (section, name), value in inputs.items():
        if value is ABSENT:
            continue
        if section == "parameters":
            kind = declared.get("parameters", {}).get(name, {}).get("parameterType", "")
            fields["inputs.parameters." + name] = value if value is UNKNOWN else [kind, value]
        else:
            fields["inputs.artifacts." + name] = value if value is UNKNOWN else _artifacts(value)
    for name, output in component.get("outputDefinitions", {}).get("parameters", {}).items():
        fields["outputs.parameters." + name] = output["parameterType"]
    for name, output in component.get("outputDefinitions", {}).get("artifacts", {}).items():
        fields["outputs.artifacts." + name] = output["artifactType"]["schemaTitle"]
    return fields


def _artifacts(value: Any) -> list[list[str]]:
    return [
        [one.schema_title, one.digest, "" if one.digest else one.uri, one.metadata] for one in _as_list(value)
    ]


def compare(old: dict[str, Any], new: dict[str, Any]) -> Any:
    """True: they differ for sure. False: they are equal. UNKNOWN: that depends on what is not known yet."""
    unknown = False
    for name in old.keys() | new.keys():
        if new.get(name) is UNKNOWN:
            unknown = True
        elif name not in old or name not in new or not same(old[name], new[name]):
            return True
    return UNKNOWN if unknown else False


# Conditions.

_COMPARISON = re.compile(
    r"^(?P<not>!\()?(?P<cast>int\()?inputs\.parameter_values\['(?P<name>[^']+)'\]\)? (?P<op>==|!=|>|<) "
    r"(?:'(?P<text>[^']*)'|(?P<number>-?\d+))\)?$"
)


def evaluate(condition: str, inputs: dict[Slot, Any]) -> Any:
    """True, False or UNKNOWN. Knows the conditions that the generator writes, and no others."""
    answers = []
    for part in condition.split(" && "):
        match = _COMPARISON.match(part)
        if match is None:
            raise ValueError(f"not a condition of the generator: {part}")
        value = inputs.get(("parameters", match["name"]), ABSENT)
        if value is UNKNOWN:
            answers.append(UNKNOWN)
            continue
        other: Any = match["text"] if match["number"] is None else int(match["number"])
        if value is ABSENT:
            raise Unjudgeable("a condition on an absent value fails its task")
        if match["cast"]:
            value = int(value)
        answer = {"==": value == other, "!=": value != other, ">": False, "<": False}[match["op"]]
        if match["op"] in "<>":
            answer = value > other if match["op"] == ">" else value < other
        answers.append(not answer if match["not"] else answer)
    if any(answer is False for answer in answers):
        return False
    return UNKNOWN if any(answer is UNKNOWN for answer in answers) else True
