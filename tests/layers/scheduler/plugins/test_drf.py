"""Dominant resource fairness, between jobs and down a tree of queues."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.scheduler import Configuration, PluginOption, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.configuration import ON_BY_DEFAULT
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.plugins.drf import dominant_share

NESTED = PluginOption("drf", ON_BY_DEFAULT | {"hierarchy"})


def test_the_dominant_share_is_the_largest_of_all_shares():
    # Ghodsi et al. (NSDI 2011), figure 3: user A has 3 CPUs and 12 GB of 9 CPUs and 18 GB, user B 6 CPUs and 2 GB.
    total = np.array([9, 18])
    assert dominant_share(np.array([3, 12]), total) == pytest.approx(2 / 3)
    assert dominant_share(np.array([6, 2]), total) == pytest.approx(2 / 3)


def test_two_jobs_share_as_in_the_paper():
    """The same example, scheduled: tasks of <1 CPU, 4 GB> and <3 CPUs, 1 GB>; A runs three of them and B two."""
    shapes = {"a": (("cpu", 1000), ("memory", 4 << 30)), "b": (("cpu", 3000), ("memory", 1 << 30))}
    groups = [PodGroup(f"ns/{name}", "q", 0) for name in shapes]
    pods = [Pod(f"ns/{name}-{n}", f"ns/{name}", PodShape(request)) for name, request in shapes.items() for n in range(9)]
    node = Node("n", {"cpu": 9000, "memory": 18 << 30, "pods": 1_000_000})
    policy = Configuration(actions=("allocate",), tiers=tiers_of(("drf",)))
    bound = [pod for pod, _ in schedule(take_snapshot([node], pods, groups, [Queue("q")]), policy).binds()]
    assert sum(pod.startswith("ns/a") for pod in bound) == 3
    assert sum(pod.startswith("ns/b") for pod in bound) == 2


def tree(branches: dict[tuple[str, ...], tuple[float, tuple[int, int]]], pods_each: int = 60):
    """One machine of 24 CPUs and 24 GPUs; a queue for each path, with its weight and what a pod of it asks for."""
    queues, groups, pods = [], [], []
    for path, (weight, (cpu, gpu)) in branches.items():
        name = "-".join(path)
        levels = (("root", 1.0), *[(part, 1.0) for part in path[:-1]], (path[-1], weight))
        queues.append(Queue(name, hierarchy=levels))
        groups.append(PodGroup(f"ns/{name}", name, 0))
        request = tuple(p for p in (("cpu", cpu * 1000), ("nvidia.com/gpu", gpu * 1000)) if p[1])
        pods += [Pod(f"ns/{name}/{n}", f"ns/{name}", PodShape(request)) for n in range(pods_each)]
    node = Node("n", {"cpu": 24_000, "nvidia.com/gpu": 24_000, "pods": 1_000_000})
    return take_snapshot([node], pods, groups, queues)


def shares(snapshot) -> dict[str, np.ndarray]:
    """What each queue gets, as shares of CPUs and GPUs."""
    decision = schedule(snapshot, Configuration(actions=("allocate",), tiers=((NESTED,),)))
    held = {name: np.zeros(2) for name in snapshot.queues.names}
    columns = [snapshot.resources.index("cpu"), snapshot.resources.index("nvidia.com/gpu")]
    for pod in decision.bound_pods:
        queue = snapshot.queues.names[snapshot.groups.queue[snapshot.pods.group[pod]]]
        held[queue] += snapshot.request[snapshot.pods.shape[pod], columns] / 24_000
    return held


def test_branches_share_before_leaves_do():
    held = shares(tree({("a", "x"): (1, (1, 0)), ("a", "y"): (1, (1, 0)), ("b", "z"): (1, (1, 0))}))
    assert held["b-z"][0] == pytest.approx(0.5, abs=0.05)
    assert held["a-x"][0] == held["a-y"][0] == pytest.approx(0.25, abs=0.05)


def test_weights_count_at_their_level():
    held = shares(tree({("a",): (3, (1, 0)), ("b",): (1, (1, 0))}))
    assert held["a"][0] == pytest.approx(0.75, abs=0.05)


def test_a_branch_whose_children_want_different_things_is_not_starved():
    """Adding up what its children hold would let branch n's CPU child pay for what its GPU child has."""
    held = shares(tree({("m",): (1, (1, 1)), ("n", "cpu"): (1, (1, 0)), ("n", "gpu"): (1, (0, 1))}))
    for queue, column in (("m", 0), ("n-cpu", 0), ("n-gpu", 1)):
        assert held[queue][column] == pytest.approx(0.5, abs=0.05)


def test_weights_of_children_do_not_change_what_their_branch_counts_for():
    held = shares(tree({("a", "gpu"): (1, (0, 1)), ("a", "cpu"): (2, (1, 0)), ("b",): (1, (1, 0))}))
    assert held["a-cpu"][0] == pytest.approx(0.5, abs=0.05)
    assert held["b"][0] == pytest.approx(0.5, abs=0.05)


def test_a_blocked_child_does_not_hold_back_its_siblings():
    """All CPUs are gone soon; the child that needs one is blocked, and its sibling goes on with the GPUs."""
    held = shares(tree({("m",): (1, (4, 0)), ("n", "cpu"): (1, (4, 0)), ("n", "gpu"): (1, (0, 1))}))
    assert held["n-gpu"][1] == pytest.approx(1.0, abs=0.05)
    assert held["m"][0] + held["n-cpu"][0] == pytest.approx(1.0)


demands = st.sampled_from([(1, 0), (0, 1), (1, 1), (2, 1), (1, 2)])
weights = st.sampled_from([1.0, 2.0])
leaves = st.dictionaries(
    st.sampled_from([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x")]), st.tuples(weights, demands), min_size=2
)


@settings(max_examples=60)
@given(leaves)
def test_every_leaf_has_its_guaranteed_share(branches):
    """Hierarchical share guarantee (Bhattacharya et al., SoCC 2013): its weight among its siblings, level by level."""
    held = shares(tree(branches))
    tops = {path[0] for path in branches}
    for path, (weight, demand) in branches.items():
        siblings = sum(other for place, (other, _) in branches.items() if place[0] == path[0])
        guaranteed = weight / siblings / len(tops)
        granule = max(demand) / 24
        assert held["-".join(path)].max() >= guaranteed - 2 * granule - 1e-9
