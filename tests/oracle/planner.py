"""A plain, slow planner: the decision tables of the guide, one after the other, over dictionaries.

Invariant: it never calls the code under test. Keys are compared as structures, never as digests, and what an original
left behind is read from its specification and its task records alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conditions import evaluate
from key_fields import artifact_fields, compare, key_fields, key_of
from past import Config, Past, Slot, Task, Unjudgeable, as_list, items_of, old_items, outcome_of
from planned import (
    CLOSED,
    CONDITION_UNKNOWN,
    DROPPED,
    EXECUTE,
    NOT_TRIGGERED,
    OPEN,
    RE_EVALUATE,
    REUSE,
    SKIP,
    SURELY,
    UNCERTAIN,
    Plan,
    Planned,
    Scope,
    lacking_of,
    outputs_of_dag,
    sources_of,
    summary_of,
)
from values import ABSENT, UNKNOWN, as_text, same


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
    upstream = {name: set(dependencies(tasks[name])) for name in sorted(tasks)}
    done: list[str] = []
    while len(done) < len(tasks):
        ready = next((name for name, before in upstream.items() if before.issubset(done)), None)
        if ready is None:
            raise ValueError("a cycle")
        del upstream[ready]
        done.append(ready)
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
                if planned[name].original
                and other.path.startswith(planned[name].original + ".")
                and self._is_in_new_run(other.path)
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
        if scope.force == SKIP and not scope.is_opened:
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
            found = len(self.plan.problems) + len(self.plan.doubts)
            self._check_needs(path, task, component, siblings, overrides)
            is_needed = found < len(self.plan.problems) + len(self.plan.doubts)
            if kind == "CONTAINER" and result.verdict == EXECUTE and not is_needed:
                _check_it_can_start(path, component, inputs)
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
        found = outcome_of(self.past, original)
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
            downstream = ("SKIP_DOWNSTREAM",) if follows_skip else ()
            return (scope.force_reason, "INHERITED", "REQUESTED_BY_PARENT", *downstream)
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
        outputs = outputs_of_dag(component, children)
        summary = summary_of(
            path,
            "DAG",
            original,
            gate,
            list(children.values()),
            outputs,
            "" if is_opened else force,
            self.past is None,
        )
        summary.lacking = lacking_of(component, children)
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
        items = items_of(iterator, scope.inputs)
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
                may_not_start=scope.gate == CONDITION_UNKNOWN,
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
            outputs = outputs_of_dag(scope.component, children)
            one = summary_of(
                path,
                "ITERATION",
                original,
                scope.gate,
                list(children.values()),
                outputs,
                "" if is_opened else force,
                self.past is None,
            )
            one.lacking = lacking_of(scope.component, children)
            self._check_outputs(one, scope.component, children, "" if is_opened else force)
            iterations.append(one)
            self.plan.tasks[path] = one
        is_left_out = scope.force == SKIP and not scope.is_opened
        collected: dict[Slot, Any] = {}
        for section in ("parameters", "artifacts"):
            if is_left_out:
                break  # a loop that is left out itself has no lists, not even empty ones
            for name in scope.component.get("outputDefinitions", {}).get(section, {}):
                values = [one.output((section, name)) for one in iterations]
                present = [value for value in values if value is not ABSENT]
                # In doubt it may never start, and leave no list, not even an empty one.
                unknown = scope.gate != OPEN or any(value is UNKNOWN for value in values)
                if section == "artifacts":
                    present = [] if unknown else [one for value in present for one in as_list(value)]
                collected[section, name] = UNKNOWN if unknown else present
        summary = summary_of(
            scope.path,
            "LOOP",
            scope.original,
            scope.gate,
            iterations,
            collected,
            "" if scope.is_opened else scope.force,
            self.past is None,
        )
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
            sources = [(children[name], source) for name, source in sources_of(component, slot)]
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
            if self._is_in_new_run(path):
                continue
            config = self.configs.get(path)
            if config is not None and config.inputs is not None:
                (self.plan.problems if config.inputs else self.plan.doubts).append(
                    f"{path} is gone and has inputs"
                )
            self.plan.tasks["dropped:" + path] = Planned(
                path, task.kind, DROPPED, frozenset({"REMOVED", "ITEM_REMOVED"}), {}, path
            )

    def _is_in_new_run(self, path: str) -> bool:
        """Whether a task of the original goes on in the new run, or may, in a loop whose items are not known yet."""
        return path in self.matched or any(
            path.startswith((f"{loop}[", f"{loop}.")) for loop in self.unlisted
        )


def _check_it_can_start(path: str, component: dict[str, Any], inputs: dict[Slot, Any]) -> None:
    """A task whose required input nobody produces fails before it starts: how that shows, the guide leaves open."""
    for section, declared in component.get("inputDefinitions", {}).items():
        for name, one in declared.items():
            if not one.get("isOptional") and inputs.get((section, name), ABSENT) is ABSENT:
                raise Unjudgeable(f"{path} lacks its input {name}")


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
        return artifact_fields(before.inputs[slot]) == artifact_fields(value)
    return same(before.inputs[slot], value)
