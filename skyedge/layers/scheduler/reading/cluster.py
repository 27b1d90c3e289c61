"""From manifests to a snapshot: what is in the files, as the scheduler's own objects, every name checked.

What a controller of Volcano would make of the files is made here: the pods and the group of a ``Job``, a group of its own
for a pod that names none, the queue ``default`` (and ``root``, where queues stand in a tree).  Pods and groups are called
NAMESPACE/NAME.

Times count in seconds since 1970.  A manifest has no clock: *now* is the latest time that any of them names, unless the
caller knows better, and an object that says nothing of its age has just been made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeVar

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.cluster import BUILT_IN_PRIORITIES, PriorityClass
from skyedge.kube.cluster import Node as NodeManifest
from skyedge.kube.metadata import Metadata
from skyedge.kube.pods import Pod as PodManifest
from skyedge.kube.pods import PodSpec
from skyedge.kube.registry import SCHEDULING
from skyedge.kube.shape import Shape
from skyedge.kube.volcano import Job
from skyedge.kube.volcano import PodGroup as PodGroupManifest
from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.objects import THOUSANDTHS, GroupPhase, Pod, PodGroup, PodPhase
from skyedge.layers.scheduler.reading import jobs
from skyedge.layers.scheduler.reading.groups import checked_annotations, duration_s, preemptable, topology_of
from skyedge.layers.scheduler.reading.nodes import read_hypernodes, read_nodes
from skyedge.layers.scheduler.reading.queues import DEFAULT_QUEUE, read_queues
from skyedge.layers.scheduler.reading.shapes import Shapes, said
from skyedge.layers.scheduler.snapshot import take_snapshot
from skyedge.time import SECOND, parse_utc

GROUP_NAMES = ("scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name")
TASK = "volcano.sh/task-spec"
REVOCABLE_ZONE = "volcano.sh/revocable-zone"
QUEUE_NAME = "scheduling.volcano.sh/queue-name"

_PHASES = {
    "": PodPhase.PENDING,
    "Pending": PodPhase.PENDING,
    "Running": PodPhase.RUNNING,
    "Unknown": PodPhase.RUNNING,  # a node that nobody hears from still has what it had
    "Succeeded": PodPhase.SUCCEEDED,
    "Failed": PodPhase.FAILED,
}
_GROUP_PHASES = {phase.name.capitalize(): phase for phase in GroupPhase}
_FINISHED = (PodPhase.SUCCEEDED, PodPhase.FAILED)

Object = TypeVar("Object", bound=Shape)


@dataclass(frozen=True, eq=False)
class Reading:
    """What the files said, and what in them is worth a word."""

    snapshot: Snapshot
    warnings: tuple[str, ...]


def read_cluster(manifests: Manifests, *, now_s: float | None = None) -> Reading:
    """The snapshot that ``manifests`` describe.

    Raises:
        InputError: with file, document and path, for a name that is there twice or points to nothing, and for a circle.
    """
    return _Cluster(manifests, now_s).read()


@lru_cache(maxsize=65536)
def _seconds(text: str) -> float:
    return parse_utc(text) / SECOND


class _Cluster:
    """The objects of one snapshot while they are being read."""

    def __init__(self, manifests: Manifests, now_s: float | None) -> None:
        self._manifests = manifests
        self._unique()
        self._classes = {m.object.metadata.name: m.object for m in manifests.of(PriorityClass)}
        self._default_class = next((name for name, c in sorted(self._classes.items()) if c.global_default), "")
        self._groups: dict[str, PodGroup] = {}
        self._pods: list[Pod] = []
        self._started: dict[str, float] = {}
        self._warnings: list[str] = []
        times = [self._time_s(m) for m in self._all()]
        self._now_s = max((t for t in times if t is not None), default=0.0) if now_s is None else now_s

    def read(self) -> Reading:
        """Everything, in the order in which names point to one another."""
        nodes, device_memory, warnings = read_nodes(self._manifests)
        self._warnings += warnings
        self._shape_of = Shapes(device_memory).of
        self._nodes = {node.name for node in nodes}
        self._queue_of = read_queues(self._manifests, self._created_s)
        hypernodes = read_hypernodes(self._manifests, nodes)
        for group in self._manifests.of(PodGroupManifest):
            self._read_group(group)
        self._read_pods()
        for job in self._manifests.of(Job):
            self._read_job(job)
        groups = [replace(g, started_s=self._started[n]) if n in self._started else g for n, g in self._groups.items()]
        snapshot = take_snapshot(nodes, self._pods, groups, self._queue_of.values(), hypernodes, now_s=self._now_s)
        return Reading(snapshot, tuple(self._warnings))

    def _all(self) -> Iterable[Manifest[NodeManifest]]:
        """Every object that has metadata; of which type does not matter to whoever asks."""
        for kind in SCHEDULING:
            if not kind.bare_keys:
                yield from self._manifests.by_type.get(kind.type, [])

    def _unique(self) -> None:
        for kind in SCHEDULING:
            if kind.bare_keys:
                continue
            seen: dict[tuple[str, str], Manifest[NodeManifest]] = {}
            for manifest in self._manifests.by_type.get(kind.type, []):
                metadata = manifest.object.metadata
                name = (metadata.namespace or "default" if kind.namespaced else "", metadata.name)
                first = seen.setdefault(name, manifest)
                if first is not manifest:
                    what = f"there is a {kind.name} '{metadata.name}' already, at {first.place()}"
                    raise manifest.error(("metadata", "name"), what)

    # Times and priorities.

    def _time_s(self, manifest: Manifest[NodeManifest]) -> float | None:
        text = manifest.object.metadata.creation_timestamp
        return self._parsed_s(text, manifest, "metadata", "creationTimestamp") if text else None

    def _created_s(self, manifest: Manifest[Object]) -> float:
        created = self._time_s(manifest)  # type: ignore[arg-type]
        return self._now_s if created is None else created

    def _priority(self, name: str, manifest: Manifest[Object], *path: str | int) -> tuple[int, bool]:
        """Value of a priority class, and whether its pods may preempt."""
        name = name or self._default_class
        if name in self._classes:
            found = self._classes[name]
            return found.value, found.preemption_policy != "Never"
        if not name:
            return 0, True
        if name not in BUILT_IN_PRIORITIES:
            known = [*self._classes, *BUILT_IN_PRIORITIES]
            raise manifest.error(path, f"there is no priority class '{name}'", nearest(name, known))
        return BUILT_IN_PRIORITIES[name], True

    def _check_queue(self, name: str, manifest: Manifest[Object]) -> None:
        if name not in self._queue_of:
            raise manifest.error(("spec", "queue"), f"there is no queue '{name}'", nearest(name, self._queue_of))

    # Groups.

    def _read_group(self, manifest: Manifest[PodGroupManifest]) -> None:
        spec, metadata, status = manifest.object.spec, manifest.object.metadata, manifest.object.status
        name = _id(metadata)
        self._check_queue(spec.queue, manifest)
        annotations = checked_annotations(manifest)
        self._groups[name] = PodGroup(
            name=name,
            queue=spec.queue,
            min_member=spec.min_member,
            min_task_member=spec.min_task_member,
            min_resources=spec.min_resources,
            phase=_GROUP_PHASES.get(status.phase, GroupPhase.PENDING),
            priority=self._priority(spec.priority_class_name, manifest, "spec", "priorityClassName")[0],
            created_s=self._created_s(manifest),
            topology=topology_of(spec.network_topology, metadata),
            annotations=annotations,
        )

    # Pods.

    def _read_pods(self) -> None:
        groups, nodes, priorities = self._groups, self._nodes, _once(self._pod_priority)
        for manifest in self._manifests.of(PodManifest):
            pod = manifest.object
            metadata, spec = pod.metadata, pod.spec
            phase = _PHASES[pod.status.phase]
            node = spec.node_name or None
            if phase in _FINISHED:
                node = node if node in nodes else None
            elif metadata.deletion_timestamp:
                phase = PodPhase.RELEASING
            if node is not None and node not in nodes:
                raise manifest.error(("spec", "nodeName"), f"there is no node '{node}'", nearest(node, nodes))
            if node is None and phase is PodPhase.RUNNING:
                raise manifest.error(("status", "phase"), "a pod that is Running needs spec.nodeName")
            priority, may_preempt = priorities(spec, manifest)
            shape = self._shape_of(spec, metadata)
            annotations = metadata.annotations
            group = annotations.get(GROUP_NAMES[0]) or annotations.get(GROUP_NAMES[1])
            name = _id(metadata)
            created_s = self._created_s(manifest)
            if group:
                group = f"{metadata.namespace or 'default'}/{group}"
                if group not in groups:
                    if phase in _FINISHED:
                        continue  # it outlived its group, and holds nothing
                    self._await_group(group, manifest)
            else:
                group = name
                self._add_own_group(name, manifest, priority, created_s, dict(shape.request), waits=node is None)
            if pod.status.start_time and phase is PodPhase.RUNNING:
                started = self._parsed_s(pod.status.start_time, manifest, "status", "startTime")
                self._started[group] = min(started, self._started.get(group, started))
            self._pods.append(
                Pod(
                    name,
                    group,
                    shape,
                    phase,
                    node,
                    said(metadata, TASK),
                    priority,
                    created_s,
                    preemptable(metadata, manifest, "metadata"),
                    may_preempt,
                    bool(spec.scheduling_gates) and node is None,
                    spec.priority_class_name in BUILT_IN_PRIORITIES or metadata.namespace == "kube-system",
                    metadata.labels,
                    said(metadata, REVOCABLE_ZONE),
                )
            )
            if spec.topology_spread_constraints:
                self._note_spread(manifest)

    def _pod_priority(self, spec: PodSpec, manifest: Manifest[PodManifest]) -> tuple[int, bool]:
        if spec.priority is not None:  # a cluster has looked the class up already
            found = self._classes.get(spec.priority_class_name)
            priority, may_preempt = spec.priority, found is None or found.preemption_policy != "Never"
        else:
            priority, may_preempt = self._priority(spec.priority_class_name, manifest, "spec", "priorityClassName")
        if spec.preemption_policy is not None:
            may_preempt = spec.preemption_policy != "Never"
        return priority, may_preempt

    def _add_own_group(
        self,
        name: str,
        manifest: Manifest[PodManifest],
        priority: int,
        created_s: float,
        request: dict[str, int],
        *,
        waits: bool,
    ) -> None:
        """The group of a pod that names none, as Volcano's controller makes it."""
        if name in self._groups:
            raise manifest.error(("metadata", "name"), f"a pod group '{name}' is there, and this pod does not name it")
        annotations = checked_annotations(manifest)
        self._groups[name] = PodGroup(
            name=name,
            queue=annotations.get(QUEUE_NAME, DEFAULT_QUEUE),
            min_resources={**request, "pods": THOUSANDTHS},
            phase=GroupPhase.PENDING if waits else GroupPhase.RUNNING,
            priority=priority,
            created_s=created_s,
            annotations=annotations,
        )
        queue = self._groups[name].queue
        if queue not in self._queue_of:
            path = ("metadata", "annotations", QUEUE_NAME)
            raise manifest.error(path, f"there is no queue '{queue}'", nearest(queue, self._queue_of))

    def _await_group(self, group: str, manifest: Manifest[PodManifest]) -> None:
        """A pod may name the group of a job, which has yet to be read."""
        if group not in self._of_jobs:
            annotations = manifest.object.metadata.annotations
            key = next(key for key in GROUP_NAMES if annotations.get(key))
            names = [name.partition("/")[2] for name in (*self._groups, *self._of_jobs)]
            right = nearest(annotations[key], names)
            raise manifest.error(("metadata", "annotations", key), f"there is no pod group '{annotations[key]}'", right)

    @cached_property
    def _of_jobs(self) -> set[str]:
        """Names of the groups that the jobs will have."""
        there = (manifest.object for manifest in self._manifests.of(Job))
        return {f"{_namespace(job.metadata)}/{jobs.group_name(job)}" for job in there}

    def _note_spread(self, manifest: Manifest[PodManifest]) -> None:
        sentence = f"{manifest.document.file}: Pod: spec.topologySpreadConstraints are read and checked, and not obeyed"
        if sentence not in self._warnings:
            self._warnings.append(sentence)

    def _parsed_s(self, text: str, manifest: Manifest[Object], *path: str | int) -> float:
        try:
            return _seconds(text)
        except InputError as error:
            raise manifest.error(path, error.message) from None

    # Jobs.

    def _read_job(self, manifest: Manifest[Job]) -> None:
        job = manifest.object
        metadata, spec = job.metadata, job.spec
        self._check_queue(spec.queue, manifest)
        priority, _ = self._priority(spec.priority_class_name, manifest, "spec", "priorityClassName")
        namespace = _namespace(metadata)
        by_task = []
        for number, task in enumerate(spec.tasks):
            own = task.template.spec.priority_class_name or spec.priority_class_name
            path = ("spec", "tasks", number, "template", "spec", "priorityClassName")
            by_task.append(self._priority(own, manifest, *path))
        group = f"{namespace}/{jobs.group_name(job)}"
        annotations = checked_annotations(manifest)
        if group not in self._groups:
            self._groups[group] = PodGroup(
                name=group,
                queue=spec.queue,
                min_member=jobs.min_member(job),
                min_task_member=jobs.min_task_member(job),
                min_resources=jobs.min_resources(job, [value for value, _ in by_task]),
                phase=GroupPhase.COMPLETED if jobs.is_finished(job) else GroupPhase.PENDING,
                priority=priority,
                created_s=self._created_s(manifest),
                topology=topology_of(spec.network_topology, metadata),
                annotations=annotations,
                expected_s=duration_s(spec.running_estimate, manifest, "spec", "runningEstimate"),
            )
        if jobs.is_finished(job):
            return
        created_s = self._created_s(manifest)
        for name, role, number, of_pod, pod_spec in jobs.expected_pods(manifest):
            pod_name = f"{namespace}/{name}"
            if pod_name in self._there:
                continue
            value, may_preempt = by_task[number]
            if pod_spec.preemption_policy is not None:
                may_preempt = pod_spec.preemption_policy != "Never"
            self._pods.append(
                Pod(
                    name=pod_name,
                    group=group,
                    shape=self._shape_of(pod_spec, of_pod),
                    role=role,
                    priority=value if pod_spec.priority is None else pod_spec.priority,
                    created_s=created_s,
                    preemptable=preemptable(of_pod, manifest, "spec", "tasks", number, "template", "metadata"),
                    may_preempt=may_preempt,
                    gated=bool(pod_spec.scheduling_gates),
                    labels=of_pod.labels,
                    revocable_zone=said(of_pod, REVOCABLE_ZONE),
                )
            )

    @cached_property
    def _there(self) -> set[str]:
        """Names of the pods that the files hold, so that a job does not make them again."""
        return {_id(manifest.object.metadata) for manifest in self._manifests.of(PodManifest)}


def _once(ask: Callable[[PodSpec, Manifest[PodManifest]], tuple[int, bool]]) -> Callable[..., tuple[int, bool]]:
    """``ask``, answered once for each spec; reading has made one object of specs that are alike."""
    known: dict[int, tuple[int, bool]] = {}

    def answer(spec: PodSpec, manifest: Manifest[PodManifest]) -> tuple[int, bool]:
        found = known.get(id(spec))
        if found is None:
            found = known[id(spec)] = ask(spec, manifest)
        return found

    return answer


def _namespace(metadata: Metadata) -> str:
    return metadata.namespace or "default"


def _id(metadata: Metadata) -> str:
    return f"{metadata.namespace or 'default'}/{metadata.name}"
