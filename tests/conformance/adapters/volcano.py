"""Volcano's cases, and those computed from its rules, for ``skyedge.layers.scheduler``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.actions.backfill import backfill_order
from skyedge.layers.scheduler.columns import UNLIMITED, Ints, Snapshot
from skyedge.layers.scheduler.configuration import Configuration, PluginOption
from skyedge.layers.scheduler.decision import Decision, schedule
from skyedge.layers.scheduler.objects import (
    THOUSANDTHS,
    GroupPhase,
    HyperNode,
    NetworkTopology,
    Node,
    Pod,
    PodGroup,
    PodPhase,
    PodShape,
    Queue,
    is_bytes,
)
from skyedge.layers.scheduler.plugins.capacity import queue_share
from skyedge.layers.scheduler.plugins.drf import dominant_share
from skyedge.layers.scheduler.plugins.proportion import deserved_shares
from skyedge.layers.scheduler.points import first_answer
from skyedge.layers.scheduler.ranking import nodes_to_find
from skyedge.layers.scheduler.session import Session
from skyedge.layers.scheduler.snapshot import take_snapshot

Given = Mapping[str, Any]
Answer = dict[str, Any]

PLENTY = {"cpu": 1 << 40, "memory": 1 << 50}
"""For a node that has to be there only so that pods can run somewhere."""


# From a case to objects.


def amounts_from(given: Given) -> dict[str, int]:
    """Amounts in the scheduler's units: scalars are plain counts in a case and thousandths inside, bytes stay bytes."""
    only(given, ("cpu_milli", "memory_bytes", "scalars"), "amounts")
    amounts = {name: round(given[key]) for key, name in (("cpu_milli", "cpu"), ("memory_bytes", "memory")) if key in given}
    for name, count in (given.get("scalars") or {}).items():
        amounts[name] = round(count) if is_bytes(name) else round(count * THOUSANDTHS)
    return amounts


def node_from(given: Given) -> Node:
    """A machine."""
    only(given, ("name", "allocatable", "labels"), "a node")
    return Node(given["name"], amounts_from(given["allocatable"]), labels=given.get("labels") or {})


def pod_from(given: Given) -> Pod:
    """A pod."""
    known = ("id", "group", "role", "phase", "node", "request", "priority", "preemptable", "node_selector")
    only(given, (*known, "preemption_policy"), "a pod")
    request = {name: amount for name, amount in amounts_from(given["request"]).items() if amount}
    return Pod(
        name=given["id"],
        group=given["group"],
        shape=PodShape(
            request=tuple(sorted(request.items())),
            node_selector=tuple(sorted((given.get("node_selector") or {}).items())),
        ),
        phase=PodPhase[given.get("phase", "Pending").upper()],
        node=given.get("node"),
        role=given.get("role") or "",
        priority=given.get("priority", 1),
        preemptable=given.get("preemptable", True),
        may_preempt=given.get("preemption_policy") != "Never",
    )


def group_from(given: Given) -> PodGroup:
    """A gang."""
    known = ("id", "queue", "min_member", "min_task_member", "min_resources", "phase", "priority", "network_topology")
    only(given, known, "a pod group")
    least, topology = given.get("min_resources"), given.get("network_topology")
    return PodGroup(
        name=given["id"],
        queue=given["queue"],
        min_member=given.get("min_member", 1),
        min_task_member=given.get("min_task_member") or {},
        min_resources=None if least is None else amounts_from(least),
        phase=GroupPhase[given.get("phase", "Pending").upper()],
        priority=given.get("priority", 0),
        topology=None
        if topology is None
        else NetworkTopology(
            topology["mode"], topology.get("highest_tier_allowed"), topology.get("allocated_hypernode") or None
        ),
    )


def queue_from(given: Given) -> Queue:
    """A queue; one whose parent is null is the root of a tree."""
    known = ("name", "weight", "priority", "state", "capability", "deserved", "guarantee", "parent")
    only(given, known, "a queue")
    said = {key: amounts_from(given[key]) for key in ("capability", "deserved", "guarantee") if given.get(key) is not None}
    return Queue(
        name=given["name"],
        weight=given.get("weight", 1),
        priority=given.get("priority", 0),
        open=given.get("state", "Open") == "Open",
        parent=given.get("parent"),
        **said,
    )


def hypernode_from(given: Given) -> HyperNode:
    """A network domain."""
    of_kind: dict[str, list[str]] = {"Node": [], "HyperNode": []}
    for member in given["members"]:
        of_kind[member["type"]].append(member["name"])
    return HyperNode(given["name"], given["tier"], tuple(of_kind["Node"]), tuple(of_kind["HyperNode"]))


def snapshot_from(given: Given) -> Snapshot:
    """The cluster of a case."""
    return take_snapshot(
        [node_from(node) for node in given.get("nodes", ())],
        [pod_from(pod) for pod in given.get("pods", ())],
        [group_from(group) for group in given.get("pod_groups", ())],
        [queue_from(queue) for queue in given.get("queues", ())],
        [hypernode_from(hypernode) for hypernode in given.get("hypernodes", ())],
    )


def configuration_from(given: Given) -> Configuration:
    """Actions, and tiers of plugins with only the listed points on."""
    tiers = tuple(
        tuple(PluginOption(option["plugin"], frozenset(option["points"]), option.get("arguments") or {}) for option in tier)
        for tier in given["tiers"]
    )
    return Configuration(tuple(given["actions"]), tiers)


def only(given: Given, known: Sequence[str], what: str) -> None:
    """Refuse what is not in the schema: a field that is passed over could make a case pass by luck."""
    for field in given:
        if field not in known:
            raise InputError(f"the schema has no '{field}' in {what}", nearest=nearest(field, known))


# From a decision to an answer.


def answer_from(decision: Decision, given: Given) -> Answer:
    """All that a session's case may ask about."""
    binds = dict(decision.binds())
    group_of = {pod["id"]: pod["group"] for pod in given["pods"]}
    pipelined: dict[str, list[str]] = {}
    for pod, node in decision.pipelined():
        pipelined.setdefault(group_of[pod], []).append(node)
    nodes_of = [hypernode_from(domain).nodes for domain in given.get("hypernodes", ()) if domain["tier"] == 1]
    landed = [sum(node in nodes for node in binds.values()) for nodes in nodes_of]
    return {
        "binds": binds,
        "bind_count": len(binds),
        "evicted": decision.evicted(),
        "pipelined": pipelined,
        "pod_group_phase": {group: phase.name.capitalize() for group, phase in decision.phases().items()},
        "bind_nums_in_hypernode_sorted": sorted(count for count in landed if count),
    }


def session(given: Given) -> Answer:
    """One cycle."""
    return answer_from(schedule(snapshot_from(given), configuration_from(given)), given)


def idle_session(given: Given) -> Answer:
    """The cycle of a scheduler that does nothing."""
    snapshot, nothing = snapshot_from(given), np.zeros(0, np.intp)
    session = Session(snapshot, Configuration(()))
    return answer_from(Decision(session, nothing, nothing, nothing, nothing, nothing, snapshot.groups.phase), given)


# The small kinds.


def asking(snapshot: Snapshot, *plugins: PluginOption) -> Session:
    """A session of one tier, for a question to its plugins."""
    return Session(snapshot, Configuration((), (plugins,)))


def binpack_node_score(given: Given) -> Answer:
    """Each pod on each node, by binpack alone."""
    groups = [PodGroup(name) for name in sorted({pod["group"] for pod in given["pods"]})]
    nodes = [node_from(node) for node in given["nodes"]]
    snapshot = take_snapshot(nodes, [pod_from(pod) for pod in given["pods"]], groups, [Queue("default")])
    points = asking(snapshot, PluginOption("binpack", arguments=given["arguments"])).points
    everywhere = np.arange(len(snapshot.nodes))
    scores = {
        name: dict(zip(snapshot.nodes.names, points.score(pod, everywhere).tolist(), strict=True))
        for pod, name in enumerate(snapshot.pods.names)
    }
    return {"scores": scores}


def proportion_deserved(given: Given) -> Answer:
    """Shares by weight, over the resources that are named."""
    queues = given["queues"]
    fields = ("request", "capability", "guarantee")
    every = [given["total"], *[queue[field] for queue in queues for field in fields if field in queue]]
    names = sorted({name for one in every for name in amounts_from(one)})

    def table(field: str, absent: int) -> Ints:
        return np.stack([row_of(amounts_from(queue.get(field) or {}), names, absent) for queue in queues])

    shares = deserved_shares(
        row_of(amounts_from(given["total"]), names),
        np.array([queue["weight"] for queue in queues], np.int64),
        table("request", 0),
        table("capability", UNLIMITED),
        table("guarantee", 0),
    )
    deserved = {
        queue["name"]: plain_from(dict(zip(names, row, strict=True)))
        for queue, row in zip(queues, np.asarray(shares).tolist(), strict=True)
    }
    return {"deserved": deserved}


def drf_share(given: Given) -> Answer:
    """The dominant share."""
    total, allocated = amounts_from(given["total"]), amounts_from(given["allocated"])
    names = sorted({*total, *allocated})
    return {"share": float(dominant_share(row_of(allocated, names), row_of(total, names)))}


def capacity_queue_share(given: Given) -> Answer:
    """How much of what it deserves a queue has."""
    deserved, allocated = amounts_from(given["deserved"]), amounts_from(given["allocated"])
    names = sorted({*deserved, *allocated})
    says = np.array([name in deserved for name in names], np.bool_)
    return {"share": float(queue_share(row_of(allocated, names), row_of(deserved, names), says))}


def overcommit_enqueueable(given: Given) -> Answer:
    """Whether overcommit alone lets the one group in."""
    points = asking(snapshot_from(given), PluginOption("overcommit", arguments=given["arguments"])).points
    return {"enqueueable": points.job_enqueueable(0)}


def in_order_of_backfill(given: Given) -> Answer:
    """The pods that backfill looks at, by priority."""
    snapshot = snapshot_from(given)
    order = backfill_order(asking(snapshot, PluginOption("priority")))
    return {"order": [snapshot.pods.names[pod] for pod in order]}


def victim_order_first(given: Given) -> Answer:
    """Who of some victims, each of a job of its own, goes first.

    They and the preemptor are in one queue, so a preemptor whose job is not known makes no difference.
    """
    groups, pods = [PodGroup("preemptor")], [Pod("preemptor", "preemptor", PodShape())]
    for victim in given["victims"]:
        name = victim["id"]
        groups.append(PodGroup(name, phase=GroupPhase.RUNNING, priority=victim["job_priority"]))
        pods.append(Pod(name, name, PodShape(), PodPhase.RUNNING, "node", priority=victim["pod_priority"]))
    snapshot = take_snapshot([Node("node", PLENTY)], pods, groups, [Queue("default")])
    names = snapshot.pods.names
    victims = [names.index(victim["id"]) for victim in given["victims"]]
    order = asking(snapshot, PluginOption("priority")).points.victim_order(victims, names.index("preemptor"))
    return {"first_victim": names[order[0]]}


def victim_intersection(given: Given) -> Answer:
    """What tiers of answers come to."""
    names = given["candidates"]

    def asked(answer: list[str] | None) -> Any:
        return lambda: None if answer is None else [names.index(name) for name in answer]

    victims = first_answer([[asked(answer) for answer in tier] for tier in given["tiers"]])
    return {"victims": None if victims is None else [names[victim] for victim in victims]}


def hypernode_lca(given: Given) -> Answer:
    """The lowest domain that holds both; a name that no list mentions is a domain by itself."""
    domains = {domain["name"]: domain for domain in given["hypernodes"]}
    nodes = {member for domain in domains.values() for member in domain["members"] if member not in domains}
    hypernodes = [
        HyperNode(
            name,
            domain["tier"],
            tuple(member for member in domain["members"] if member not in domains),
            tuple(member for member in domain["members"] if member in domains),
        )
        for name, domain in domains.items()
    ]
    hypernodes += [HyperNode(name, 0) for name in sorted({given["a"], given["b"]}.difference(domains))]
    tree = take_snapshot([Node(name, {}) for name in sorted(nodes)], [], [], [], hypernodes).hypernodes
    row = tree.lowest_common_ancestor(tree.names.index(given["a"]), tree.names.index(given["b"]))
    return {"lca": None if row < 0 else tree.names[row]}


def elastic_resources(given: Given) -> Answer:
    """What the queue of one running group could give back."""
    least = amounts_from(given["min_resources"])
    group = PodGroup("group", min_resources=least, phase=GroupPhase.RUNNING)
    running = {"group": "group", "phase": "Running", "node": "node"}
    pods = [
        pod_from({"id": f"pod-{number}", "request": request, **running})
        for number, request in enumerate(given["running_pod_requests"])
    ]
    snapshot = take_snapshot([Node("node", PLENTY)], pods, [group], [Queue("default")])
    return {"elastic": plain_from(snapshot.amounts(asking(snapshot).queue_elastic[0]))}


def feasible_nodes_to_find(given: Given) -> Answer:
    """How many nodes are looked at."""
    fields = ("num_all_nodes", "percentage_of_nodes_to_find", "min_percentage_of_nodes_to_find", "min_nodes_to_find")
    return {"num_nodes": nodes_to_find(*[given[field] for field in fields])}


def row_of(amounts: Mapping[str, int], names: Iterable[str], absent: int = 0) -> Ints:
    """Amounts as a row of columns."""
    return np.array([amounts.get(name, absent) for name in names], np.int64)


def plain_from(amounts: Mapping[str, float]) -> Answer:
    """Amounts in the units of a case; scalars only if there are any."""
    said = {"cpu": "cpu_milli", "memory": "memory_bytes"}
    plain: Answer = {said[name]: amount for name, amount in amounts.items() if name in said}
    scalars = {
        name: amount if is_bytes(name) else amount / THOUSANDTHS for name, amount in amounts.items() if name not in said
    }
    return {**plain, "scalars": scalars} if scalars else plain


ADAPTERS = {
    "session": session,
    "backfill_order": in_order_of_backfill,
    "binpack_node_score": binpack_node_score,
    "capacity_queue_share": capacity_queue_share,
    "drf_share": drf_share,
    "elastic_resources": elastic_resources,
    "feasible_nodes_to_find": feasible_nodes_to_find,
    "hypernode_lca": hypernode_lca,
    "overcommit_enqueueable": overcommit_enqueueable,
    "proportion_deserved": proportion_deserved,
    "victim_intersection": victim_intersection,
    "victim_order_first": victim_order_first,
}

IDLE = {"session": idle_session}
