"""Placement decisions a second of the batch scheduler, beside a reference that places one pod at a time.

python benchmarks/scheduler.py

Gang + DRF + proportion + predicates + binpack on: 100,000 pods of 240 shapes, in gangs of 1 to 64 and four weighted
queues, on 10,000 nodes of 30 shapes; how the time grows; a cycle that preempts; and the way from JSON manifests to binds.
A decision is a pod that was placed or found to have no place.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from skyedge.kube import read_manifests
from skyedge.layers.scheduler import Configuration, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, PodShape, Queue
from skyedge.layers.scheduler.reading import read_cluster

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.layers.scheduler.reference import Reference

GIB = 1 << 30
POLICY = Configuration(
    actions=("allocate",), tiers=tiers_of(("priority", "gang"), ("drf", "predicates", "proportion", "binpack"))
)
PREEMPTING = Configuration(
    actions=("allocate", "preempt"),
    tiers=tiers_of(("priority", "gang", "conformance"), ("drf", "predicates", "proportion", "binpack")),
)
DECISIONS_BAR, END_TO_END_BAR, PREEMPT_BAR_S = 200_000, 10_000, 1.0
Parts = tuple[list[Node], list[Pod], list[PodGroup], list[Queue]]


def cluster(nodes: int, pods: int, seed: int = 0) -> Parts:
    """Nodes of 30 shapes; pods of 240 shapes in gangs."""
    random = np.random.default_rng(seed)
    machines: list[dict[str, int]] = [
        {"cpu": cores * 1000, "memory": memory * GIB, "pods": 110_000, **({"nvidia.com/gpu": 8000} if gpus else {})}
        for cores in (16, 32, 48, 64, 96)
        for memory in (64, 128, 256)
        for gpus in (False, True)
    ]
    racks = [Node(f"node-{n:06d}", machines[n % len(machines)], labels={"zone": f"zone-{n % 7}"}) for n in range(nodes)]
    shapes = []
    for number in range(240):
        request = {
            "cpu": int(random.choice([250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000])),
            # A few kilobytes apart, so that no two shapes are the same.
            "memory": (int(random.choice([256, 512, 1024, 2048, 3072, 4096, 8192, 16384])) << 20) + (number << 10),
        }
        gpus = int(random.choice([0, 0, 0, 0, 1, 2]))
        if gpus:
            request["nvidia.com/gpu"] = gpus * 1000
        selector = (("zone", f"zone-{number % 7}"),) if number % 5 == 0 else ()
        shapes.append(PodShape(request=tuple(sorted(request.items())), node_selector=selector))
    groups: list[PodGroup] = []
    waiting: list[Pod] = []
    while len(waiting) < pods:
        size = min(int(random.integers(1, 65)), pods - len(waiting))
        name = f"ns/job-{len(groups):06d}"
        groups.append(PodGroup(name, f"queue-{len(groups) % 4}", size, phase=GroupPhase.INQUEUE))
        shape = shapes[int(random.integers(len(shapes)))]
        waiting += [Pod(f"{name}-{number}", name, shape) for number in range(size)]
    return racks, waiting, groups, [Queue(f"queue-{number}", weight=number + 1) for number in range(4)]


def busy_cluster() -> Snapshot:
    """5,000 nodes with 50,000 running pods of 5,000 lesser jobs, and 200 gangs of 4 that are more important."""
    random = np.random.default_rng(0)
    nodes = [Node(f"node-{n:05d}", {"cpu": 32_000, "memory": 128 * GIB, "pods": 110_000}) for n in range(5000)]
    shapes = [PodShape((("cpu", cores * 1000), ("memory", memory * GIB))) for cores in (2, 3) for memory in (6, 8, 12)]
    groups, pods = [], []
    for job in range(5000):
        name, shape = f"ns/low-{job}", shapes[int(random.integers(len(shapes)))]
        priority = int(random.integers(0, 10))
        groups.append(PodGroup(name, f"queue-{job % 4}", 1, phase=GroupPhase.RUNNING, priority=priority))
        pods += [
            Pod(f"{name}-{n}", name, shape, PodPhase.RUNNING, nodes[(10 * job + n) % len(nodes)].name) for n in range(10)
        ]
    for job in range(200):
        name = f"ns/high-{job}"
        groups.append(PodGroup(name, f"queue-{job % 4}", 4, phase=GroupPhase.INQUEUE, priority=100))
        pods += [Pod(f"{name}-{n}", name, PodShape((("cpu", 12_000), ("memory", 32 * GIB)))) for n in range(4)]
    return take_snapshot(nodes, pods, groups, [Queue(f"queue-{number}") for number in range(4)])


def best_time_s(snapshot: Snapshot, policy: Configuration, times: int = 3) -> tuple[float, Any]:
    """The quickest of several cycles, in CPU seconds, and the decision."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        decision = schedule(snapshot, policy)
        spent.append(time.process_time() - began)
    return min(spent), decision


def as_manifests(parts: Parts) -> dict[str, Any]:
    """The same cluster as ``kubectl get … -o json`` would print it."""
    nodes, pods, groups, queues = parts

    def amounts(of: dict[str, int]) -> dict[str, str]:
        units = {"cpu": "{}m", "memory": "{}"}
        return {name: units[name].format(amount) if name in units else str(amount // 1000) for name, amount in of.items()}

    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": n.name, "labels": dict(n.labels)},
         "status": {"allocatable": amounts(dict(n.allocatable))}}
        for n in nodes
    ]  # fmt: skip
    items += [
        {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "metadata": {"name": q.name},
         "spec": {"weight": q.weight}}
        for q in queues
    ]  # fmt: skip
    items += [
        {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "PodGroup",
         "metadata": {"namespace": "ns", "name": g.name[3:]},
         "spec": {"minMember": g.min_member, "queue": g.queue}, "status": {"phase": "Inqueue"}}
        for g in groups
    ]  # fmt: skip
    items += [
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"namespace": "ns", "name": p.name[3:], "annotations": {"scheduling.k8s.io/group-name": p.group[3:]}},
         "spec": {"schedulerName": "volcano", "nodeSelector": dict(p.shape.node_selector),
                  "containers": [{"name": "main", "image": "job",
                                  "resources": {"requests": amounts(dict(p.shape.request))}}]},
         "status": {"phase": "Pending"}}
        for p in pods
    ]  # fmt: skip
    return {"apiVersion": "v1", "kind": "List", "items": items}


def check(said: str, met: bool) -> bool:
    """Print a line with its verdict."""
    print(f"{said}: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    verdicts = []
    parts = cluster(10_000, 100_000)
    snapshot = take_snapshot(*parts)
    seconds, decision = best_time_s(snapshot, POLICY)
    rate = 100_000 / seconds
    print(f"10,000 nodes, 100,000 pods of {len(snapshot.shapes)} shapes in {len(snapshot.groups):,} gangs:", end=" ")
    print(f"{len(decision.bound_pods):,} placed in {seconds:.2f} s")
    verdicts.append(check(f"{rate:,.0f} decisions a second, bar {DECISIONS_BAR:,}", rate >= DECISIONS_BAR))

    small = cluster(200, 1000, seed=1)
    ours_s, ours = best_time_s(take_snapshot(*small), POLICY)
    began = time.process_time()
    theirs = Reference(*small).run()
    ratio = (time.process_time() - began) / ours_s
    print(f"200 nodes, 1,000 pods: {ratio:,.0f} times as quick as one pod at a time in plain Python")
    verdicts.append(check("the same placements", dict(ours.binds()) == theirs))

    for what, (few, many) in {
        "10,000 pods on 1,000 and on 10,000 nodes": ((1000, 10_000), (10_000, 10_000)),
        "10,000 and 1,000,000 pods on 10,000 nodes": ((10_000, 10_000), (10_000, 1_000_000)),
    }.items():
        least_s, _ = best_time_s(take_snapshot(*cluster(*few)), POLICY)
        most_s, _ = best_time_s(take_snapshot(*cluster(*many)), POLICY, times=1)
        size = max(many[0] / few[0], many[1] / few[1])
        verdicts.append(check(f"{what}: {most_s / least_s:.1f} times the time, bar {size:.0f}", most_s <= size * least_s))

    seconds, decision = best_time_s(busy_cluster(), PREEMPTING)
    print(f"5,000 nodes, 50,000 running pods: {len(decision.pipelined_pods)} reserved, {len(decision.evicted_pods)} evicted")
    verdicts.append(check(f"a preempting cycle takes {seconds:.2f} s, bar {PREEMPT_BAR_S:.0f} s", seconds < PREEMPT_BAR_S))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.json"
        path.write_text(json.dumps(as_manifests(parts)))
        began = time.process_time()
        read = read_cluster(read_manifests([path])).snapshot
        placed = list(schedule(read, POLICY).binds())
        seconds = time.process_time() - began
    print(f"the same from {len(parts[1]):,} pods in JSON to {len(placed):,} binds: {seconds:.1f} s")
    rate = 100_000 / seconds
    verdicts.append(check(f"{rate:,.0f} decisions a second end to end, bar {END_TO_END_BAR:,}", rate >= END_TO_END_BAR))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
