"""How good a node is for a pod, by the formulas of Kubernetes' documentation, worked out anew in plain Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import mean, pstdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.configuration import Configuration, PluginOption, tiers_of
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import (
    GroupPhase,
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
from skyedge.layers.scheduler.session import Session
from skyedge.layers.scheduler.snapshot import take_snapshot

NONE = {
    "leastrequested": 0,
    "mostrequested": 0,
    "balancedresource": 0,
    "nodeaffinity": 0,
    "podaffinity": 0,
    "tainttoleration": 0,
}
GIB = 1 << 30


def configuration(*others: str, **weights: float) -> Configuration:
    arguments = {f"{key}.weight": weight for key, weight in (weights or {}).items()}
    return Configuration(
        actions=("allocate", "backfill"), tiers=tiers_of((*others, PluginOption("nodeorder", arguments=arguments)))
    )


def only(**weights: float) -> Configuration:
    return configuration(**{**NONE, **weights})


def node(name: str, cpu: int = 4000, gib: int = 8, gpus: int = 0, taints: tuple[Taint, ...] = (), **labels: str) -> Node:
    room = {"cpu": cpu, "memory": gib * GIB, **({"nvidia.com/gpu": gpus * 1000} if gpus else {})}
    return Node(name, room, labels, taints)


def pod(
    name: str,
    cpu: int = 0,
    gib: int = 0,
    gpus: int = 0,
    on: str | None = None,
    labels: dict[str, str] | None = None,
    **shape: object,
) -> Pod:
    amounts = {"cpu": cpu, "memory": gib * GIB, "nvidia.com/gpu": gpus * 1000}
    request = tuple((key, amount) for key, amount in amounts.items() if amount)
    phase = PodPhase.RUNNING if on else PodPhase.PENDING
    return Pod(name, "n/job", PodShape(request=request, **shape), phase, on, labels=labels)


def snapshot_of(nodes: Sequence[Node], pods: Sequence[Pod]) -> Snapshot:
    group = PodGroup("n/job", phase=GroupPhase.INQUEUE)
    return take_snapshot(nodes, pods, [group], [Queue("default")])


def scores(configuration: Configuration, nodes: Sequence[Node], one: Pod, others: Sequence[Pod] = ()) -> list[float]:
    """Of the nodes in the order of their names; each alone is worth the same."""
    session = Session(snapshot_of(nodes, [one, *others]), configuration)
    row = session.snapshot.pods.names.index(one.name)
    together = session.points.score(row, np.arange(len(nodes))).tolist()
    assert [session.points.score(row, np.array([number]))[0] for number in range(len(nodes))] == together
    return together


def test_least_requested_is_the_mean_of_what_is_left_of_cpu_and_memory() -> None:
    got = scores(only(leastrequested=1), [node("a"), node("b")], pod("p", 1000, 2), [pod("old", 1000, 4, on="b")])
    assert got == [pytest.approx(75), pytest.approx(100 * mean([0.5, 0.25]))]


def test_most_requested_is_the_mean_of_what_is_taken() -> None:
    got = scores(only(mostrequested=2), [node("a"), node("b")], pod("p", 1000, 2), [pod("old", 1000, 4, on="b")])
    assert got == [pytest.approx(50), pytest.approx(200 * mean([0.5, 0.75]))]


def test_balance_is_one_less_the_standard_deviation_and_gpus_count_for_those_who_ask_for_them() -> None:
    nodes = [node("a", gpus=4)]
    plain, with_gpu = pod("p", 1000, 6), pod("q", 1000, 6, 1)
    assert scores(only(balancedresource=1), nodes, plain) == [pytest.approx(100 * (1 - pstdev([0.25, 0.75])))]
    assert scores(only(balancedresource=1), nodes, with_gpu) == [pytest.approx(100 * (1 - pstdev([0.25, 0.75, 0.25])))]


def test_a_resource_that_a_node_has_none_of_is_left_out_of_the_mean() -> None:
    assert scores(only(leastrequested=1), [Node("a", {"cpu": 4000})], pod("p", 1000)) == [pytest.approx(75)]
    assert scores(only(leastrequested=1), [Node("a", {})], pod("p")) == [0]


def test_node_affinity_adds_up_the_weights_of_the_terms_that_hold() -> None:
    preferred = (
        (30, (Requirement("disk", "In", ("ssd",)),)),
        (5, (Requirement("zone", "Exists"),)),
        (50, ()),
    )
    nodes = [node("a", disk="ssd", zone="z"), node("b", zone="z"), node("c")]
    assert scores(only(nodeaffinity=2), nodes, pod("p", 100, preferred=preferred)) == [70, 10, 0]


def test_taints_that_only_discourage_count_against_a_node() -> None:
    soft = tuple(Taint(key, "", "PreferNoSchedule") for key in "xy")
    nodes = [node("a", taints=soft), node("b", taints=soft[:1]), node("c")]
    assert scores(only(tainttoleration=1), nodes, pod("p", 100)) == [0, 50, 100]
    tolerant = pod("p", 100, tolerations=(Toleration("x", "Exists"),))
    assert scores(only(tainttoleration=1), nodes, tolerant) == [0, 100, 100]


def near(weight: int, app: str = "web", away: bool = False, key: str = "zone") -> PodTerm:
    return PodTerm(key, (Requirement("app", "In", (app,)),), away, weight)


ZONES = [node("a1", zone="a"), node("a2", zone="a"), node("b", zone="b"), node("c")]


def test_wishes_to_be_near_count_each_pod_in_the_domain_and_are_put_on_a_scale() -> None:
    webs = [
        pod("w1", on="a1", labels={"app": "web"}),
        pod("w2", on="a2", labels={"app": "web"}),
        pod("w3", on="b", labels={"app": "web"}),
    ]
    assert scores(only(podaffinity=2), ZONES, pod("p", 100, pod_terms=(near(10),)), webs) == [200, 200, 100, 0]
    assert scores(only(podaffinity=2), ZONES, pod("p", 100, pod_terms=(near(10, away=True),)), webs) == [0, 0, 100, 200]


def test_the_wishes_of_those_who_are_there_count_as_well() -> None:
    host = pod("h", on="b", pod_terms=(near(10),))
    assert scores(only(podaffinity=1), ZONES, pod("p", 100, labels={"app": "web"}), [host]) == [0, 0, 100, 0]


def test_a_wish_pulls_each_pod_to_where_the_ones_before_it_went() -> None:
    pods = [pod(f"p{number}", 100, labels={"app": "web"}, pod_terms=(near(10),)) for number in range(6)]
    got = dict(schedule(snapshot_of(ZONES[1:], pods), only(podaffinity=1)).binds())
    assert set(got.values()) == {"a2"}


def test_by_default_pods_spread() -> None:
    nodes = [node("a"), node("b"), node("c")]
    got = dict(schedule(snapshot_of(nodes, [pod(f"p{n}", 1000, 2) for n in range(6)]), configuration("predicates")).binds())
    assert sorted(got.values()) == ["a", "a", "b", "b", "c", "c"]


def test_only_scores_that_fill_nodes_up_let_like_pods_be_placed_together() -> None:
    snapshot = snapshot_of([node("a")], [pod("p", 100)])
    assert not Session(snapshot, configuration()).points.packs
    assert Session(snapshot, only(mostrequested=1, nodeaffinity=1)).points.packs


def test_most_requested_places_many_at_a_time_as_one_by_one() -> None:
    nodes = [node("a", cpu=5000), node("b"), node("c")]
    pods = [pod(f"p{number}", 1000, 1) for number in range(9)]
    got = dict(schedule(snapshot_of(nodes, pods), only(mostrequested=1)).binds())
    one_by_one: dict[str, str] = {}
    for number in range(9):
        placed = [pod(name, 1000, 1, on=where) for name, where in one_by_one.items()]
        one_by_one |= dict(
            schedule(snapshot_of(nodes, [*placed, pod(f"p{number}", 1000, 1)]), only(mostrequested=1)).binds()
        )
    assert got == one_by_one


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 2)), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 5)), max_size=6),
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 1)),
    st.randoms(use_true_random=False),
)
def test_the_sum_of_the_formulas_whatever_the_order_of_the_nodes(
    rooms: list[tuple[int, int, int]],
    held: list[tuple[int, int, int]],
    ask: tuple[int, int, int],
    shuffler: random.Random,
) -> None:
    nodes = [node(f"n{number}", cpu * 1000, gib, gpus) for number, (cpu, gib, gpus) in enumerate(rooms)]
    others = [
        pod(f"r{number}", cpu * 500, gib, on=f"n{where}")
        for number, (cpu, gib, where) in enumerate(held)
        if where < len(rooms)
    ]
    got = scores(configuration(), nodes, pod("p", ask[0] * 500, *ask[1:]), others)
    for number, (cpu, gib, gpus) in enumerate(rooms):
        mine = [(c * 500, g) for c, g, where in held if where == number]
        used = [sum(c for c, _ in mine) + ask[0] * 500, sum(g for _, g in mine) + ask[1]]
        shares = [use / has for use, has in zip(used, (cpu * 1000, gib), strict=True) if has]
        least = mean([max(0.0, 1 - share) for share in shares]) if shares else 0.0
        capped = [min(1.0, share) for share in shares] + ([min(1.0, ask[2] / gpus)] if gpus and ask[2] else [])
        balance = 1 - (pstdev(capped) if len(capped) > 1 else 0.0) if any(ask) else 0.0
        assert got[number] == pytest.approx(100 * (least + balance))
    mixed = list(nodes)
    shuffler.shuffle(mixed)
    assert scores(configuration(), mixed, pod("p", ask[0] * 500, *ask[1:]), others) == got
