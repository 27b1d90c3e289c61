"""Small random clusters in which little fits, so that rules meet, and random configurations to decide about them.

Drawn from a plain generator with a seed, not from a strategy: a cluster has hundreds of parts, and one number names it.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace

from skyedge.layers.scheduler import Configuration, Decision, schedule, take_snapshot
from skyedge.layers.scheduler.configuration import ON_BY_DEFAULT, PluginOption
from skyedge.layers.scheduler.objects import (
    GroupPhase,
    HyperNode,
    NetworkTopology,
    Node,
    Pod,
    PodGroup,
    PodPhase,
    PodShape,
    PodTerm,
    Queue,
    Requirement,
    Taint,
    Toleration,
)

PLUGINS = (
    *("bestfit", "binpack", "capacity", "conformance", "deviceshare", "drf", "fgd", "gang", "network-topology-aware"),
    *("nodeorder", "overcommit", "predicates", "priority", "processors", "proportion", "sla", "task-topology", "tdm"),
    *("usage", "worstfit"),
)
ACTIONS = ("enqueue", "allocate", "backfill", "easy-backfill", "preempt", "reclaim", "shuffle")
HOST = "kubernetes.io/hostname"
GIB = 1 << 30


@dataclass(frozen=True)
class Things:
    """A cluster, its queues and their jobs."""

    nodes: list[Node]
    pods: list[Pod]
    groups: list[PodGroup]
    queues: list[Queue]
    hypernodes: list[HyperNode]

    def decide(self, configuration: Configuration, *, explain: bool = False) -> Decision:
        """What one cycle comes to."""
        things = (self.nodes, self.pods, self.groups, self.queues, self.hypernodes)
        return schedule(take_snapshot(*things), configuration, explain=explain)

    def shuffled(self, seed: int) -> Things:
        """The same in another order."""
        r = random.Random(seed)
        return Things(*(r.sample(some, len(some)) for some in vars(self).values()))


def needs(pod: Pod) -> Counter[str]:
    """What a pod takes of its node, its slot with it."""
    return Counter({**dict(pod.shape.request), "pods": 1000})


def random_case(seed: int) -> tuple[Things, Configuration]:
    """The case of that number."""
    r = random.Random(seed)
    return _things(r), _configuration(r)


def _things(r: random.Random) -> Things:
    nodes = [_node(r, number) for number in range(r.choice([0, 2, 3, 3, 4, 4]))]
    queues = _queues(r)
    leaves = [queue.name for queue in queues if queue.name != "root"]
    hypernodes = _hypernodes(r, nodes)
    homes = _Homes(nodes)
    groups, pods = [], []
    for number in range(r.randint(2, 9)):
        group, members = _job(r, number, r.choice(leaves), bool(hypernodes), homes)
        groups.append(group)
        pods += members
    return Things(nodes, pods, groups, queues, hypernodes)


def _node(r: random.Random, number: int) -> Node:
    return Node(
        f"n{number}",
        {"cpu": 1000 * r.choice([0, 2, 3, 4, 6]), "memory": r.randint(1, 6) * GIB, "pods": 1000 * r.choice([1, 3, 9, 9])},
        labels={"zone": r.choice("ab"), HOST: f"n{number}", "volcano.sh/revocable-zone": r.choice(["", "", "", "z"])},
        taints=(Taint("only", "me"),) if r.random() < 0.2 else (),
        unschedulable=r.random() < 0.1,
        device_count=r.choice([0, 0, 2]),
        cpu_usage=r.choice([None, 0.1, 0.1, 0.95]),
    )


def _some(r: random.Random, chance: float) -> dict[str, int] | None:
    return {"cpu": 1000 * r.randint(1, 5), "memory": r.randint(1, 6) * GIB} if r.random() < chance else None


def _queues(r: random.Random) -> list[Queue]:
    queues = [
        Queue(
            f"q{number}",
            weight=r.randint(1, 3),
            priority=r.choice([0, 0, 5]),
            open=r.random() < 0.9,
            capability=_some(r, 0.4),
            deserved=_some(r, 0.4),
            guarantee={"cpu": 500} if r.random() < 0.15 else None,
            reclaimable=r.random() < 0.8,
        )
        for number in range(r.randint(1, 3))
    ]
    if r.random() < 0.6:
        return queues
    below = [replace(queue, parent="root" if queue.name == "q0" else r.choice(["root", "q0"])) for queue in queues]
    return [Queue("root"), *below]


def _hypernodes(r: random.Random, nodes: list[Node]) -> list[HyperNode]:
    if len(nodes) < 2 or r.random() < 0.6:
        return []
    names, half = tuple(node.name for node in nodes), len(nodes) // 2
    top = [HyperNode("top", 2, (), ("h0", "h1"))] if r.random() < 0.5 else []
    return [HyperNode("h0", 1, names[:half]), HyperNode("h1", 1, names[half:]), *top]


class _Homes:
    """Room on nodes for pods that run already."""

    def __init__(self, nodes: list[Node]) -> None:
        self._idle = {node.name: Counter(node.allocatable) for node in nodes}
        self._devices = {node.name: node.device_count for node in nodes}

    def take(self, r: random.Random, pod: Pod) -> str | None:
        """A node that the pod fits, or None."""
        fits = [
            name
            for name, idle in self._idle.items()
            if all(idle[resource] >= need for resource, need in needs(pod).items())
            and self._devices[name] >= pod.shape.device_count
        ]
        if not fits:
            return None
        name = r.choice(fits)
        self._idle[name].subtract(needs(pod))
        self._devices[name] -= pod.shape.device_count
        return name


def _job(r: random.Random, number: int, queue: str, domains: bool, homes: _Homes) -> tuple[PodGroup, list[Pod]]:
    name = f"{r.choice(['ns', 'ns', 'kube-system'])}/g{number}"
    roles, runs, shape = r.choice(["", "", "ab"]), r.random() < 0.6, _shape(r)
    members = []
    for row in range(r.randint(1, 4)):
        shape = _shape(r) if r.random() < 0.3 else shape
        pod = Pod(
            f"{name}-{row}",
            name,
            shape,
            role=r.choice(roles) if roles else "",
            priority=r.choice([0, 1, 5]),
            created_s=float(r.choice([0, 0, 1])),
            preemptable=r.random() < 0.8,
            may_preempt=r.random() < 0.9,
            gated=r.random() < 0.05,
            system_critical=r.random() < 0.05,
            labels={"app": r.choice("xy")},
            revocable_zone=r.choice(["", "", "*"]),
        )
        home = homes.take(r, pod) if runs and r.random() < 0.9 else None
        if home is not None:
            pod.node, pod.phase = home, r.choice([PodPhase.RUNNING] * 3 + [PodPhase.BOUND, PodPhase.RELEASING])
        elif r.random() < 0.05:
            pod.phase = r.choice([PodPhase.SUCCEEDED, PodPhase.FAILED])
        members.append(pod)
    least = r.randint(0, len(members) + (r.random() < 0.2))
    group = PodGroup(
        name,
        queue,
        least,
        dict(Counter(r.choice(roles) for _ in range(r.randint(0, least)))) if roles else {},
        min_resources=_some(r, 0.3),
        phase=GroupPhase.RUNNING if runs else r.choice([GroupPhase.PENDING, GroupPhase.INQUEUE]),
        priority=r.choice([0, 0, 1, 9]),
        created_s=float(r.choice([0, 0, 1])),
        topology=NetworkTopology(r.choice(["hard", "soft"]), r.choice([None, 1, 2]))
        if domains and r.random() < 0.4
        else None,
        annotations=_wishes(r, members),
        expected_s=r.choice([None, 10.0]),
        started_s=0.0 if runs else None,
    )
    return group, members


def _wishes(r: random.Random, members: list[Pod]) -> dict[str, str]:
    if {pod.role for pod in members} != {"a", "b"} or r.random() < 0.6:
        return {}
    return {f"volcano.sh/task-topology-{r.choice(['affinity', 'anti-affinity'])}": "a,b"}


def _shape(r: random.Random) -> PodShape:
    request = {"cpu": r.choice([0, 500, 1000, 1000, 2000, 3000]), "memory": r.choice([0, 0, GIB, 2 * GIB])}
    if r.random() < 0.15:
        request = {}
    terms: tuple[PodTerm, ...] = ()
    if r.random() < 0.2:
        near = (Requirement("app", "In", (r.choice("xy"),)),)
        terms = (PodTerm(r.choice(["zone", HOST]), near, r.random() < 0.6, r.choice([None, None, 10]), ("ns",)),)
    devices = r.choice([0] * 7 + [1])
    return PodShape(
        tuple(sorted((resource, need) for resource, need in request.items() if need)),
        node_selector=(("zone", r.choice("ab")),) if r.random() < 0.1 else (),
        node_terms=((Requirement("zone", r.choice(["In", "NotIn"]), ("a",)),),) if r.random() < 0.1 else (),
        pod_terms=terms,
        tolerations=(Toleration("only", "Exists"),) if r.random() < 0.3 else (),
        device_count=devices,
        device_milli=r.choice([500, 1000]) * devices,
    )


def _configuration(r: random.Random) -> Configuration:
    """Some of the actions and plugins in any order; now and then a switch is off."""
    plugins = r.sample(PLUGINS, r.choice([0, 2, 4, 6, len(PLUGINS)]))
    if r.random() < 0.7:
        plugins = list(dict.fromkeys([*plugins, "gang", "predicates", "priority"]))
        r.shuffle(plugins)
    if {"capacity", "proportion"} <= set(plugins):
        plugins.remove(r.choice(["capacity", "proportion"]))
    tiers: list[list[PluginOption]] = [[] for _ in range(r.randint(1, 3))]
    for plugin in plugins:
        points = {point for point in sorted(ON_BY_DEFAULT) if r.random() < 0.97}
        r.choice(tiers).append(PluginOption(plugin, frozenset(points | ({"hierarchy"} if r.random() < 0.3 else set()))))
    actions = r.sample(ACTIONS, r.randint(1, len(ACTIONS))) if r.random() < 0.8 else ["allocate"]
    if r.random() < 0.5 and not {"allocate", "easy-backfill"} & set(actions):
        actions.insert(0, "allocate")
    return Configuration(tuple(actions), tuple(tuple(tier) for tier in tiers if tier))
