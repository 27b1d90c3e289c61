"""Several schedulers over one cluster: conflicts are counted, never committed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.scheduler import Configuration, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.shared_state import schedule_shared

POLICY = Configuration(actions=("allocate",), tiers=tiers_of(("gang",), ("predicates", "binpack")))


def cluster(nodes: int, sizes: list[tuple[int, int]]):
    """Nodes of 8 cores; gangs of (pods, cores each)."""
    groups = [PodGroup(f"ns/g{n}", "q", size) for n, (size, _) in enumerate(sizes)]
    pods = [
        Pod(f"ns/g{n}-{k}", f"ns/g{n}", PodShape((("cpu", cores * 1000),)))
        for n, (size, cores) in enumerate(sizes)
        for k in range(size)
    ]
    machines = [Node(f"n{n:03d}", {"cpu": 8000, "pods": 110_000}) for n in range(nodes)]
    return take_snapshot(machines, pods, groups, [Queue("q")])


gangs = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=15)


@settings(max_examples=100)
@given(st.integers(1, 8), gangs, st.integers(1, 4), st.sampled_from(["none", "soft", "hard"]), st.sampled_from([None, 3]))
def test_nothing_is_overfilled_and_no_gang_is_split(nodes, sizes, schedulers, sharding, batch):
    snapshot = cluster(nodes, sizes)
    shared = schedule_shared(snapshot, POLICY, schedulers, sharding=sharding, batch_pods=batch)
    used = np.zeros(nodes)
    np.add.at(used, shared.decision.bound_nodes, snapshot.request[snapshot.pods.shape[shared.decision.bound_pods], 0])
    assert (used <= 8000).all()
    placed = Counter(snapshot.pods.group[shared.decision.bound_pods].tolist())
    assert all(count == snapshot.groups.min_member[group] for group, count in placed.items())
    assert len(set(shared.decision.bound_pods.tolist())) == len(shared.decision.bound_pods)


@settings(max_examples=50)
@given(st.integers(1, 8), gangs)
def test_one_scheduler_alone_is_the_plain_scheduler(nodes, sizes):
    snapshot = cluster(nodes, sizes)
    shared = schedule_shared(snapshot, POLICY, 1)
    alone = schedule(snapshot, POLICY)
    assert sorted(zip(shared.decision.bound_pods, shared.decision.bound_nodes, strict=True)) == list(
        zip(alone.bound_pods, alone.bound_nodes, strict=True)
    )
    assert sum(shared.conflicts) == 0


def test_packing_schedulers_that_see_the_same_best_node_conflict():
    shared = schedule_shared(cluster(8, [(2, 3)] * 8), POLICY, 4)
    assert sum(shared.conflicts) > 0
    assert len(shared.decision.bound_pods) == 16, "what lost its place found another one"


@pytest.mark.parametrize("sharding", ["soft", "hard"])
def test_schedulers_with_nodes_of_their_own_do_not(sharding):
    shared = schedule_shared(cluster(8, [(2, 3)] * 8), POLICY, 4, sharding=sharding)
    assert sum(shared.conflicts) == 0
    assert len(shared.decision.bound_pods) == 16


def test_soft_shards_let_a_scheduler_go_beyond_its_own_nodes():
    snapshot = cluster(4, [(8, 4)])
    assert len(schedule_shared(snapshot, POLICY, 4, sharding="soft").decision.bound_pods) == 8
    assert len(schedule_shared(snapshot, POLICY, 4, sharding="hard").decision.bound_pods) == 0


def test_a_queue_that_has_its_share_by_now_is_a_conflict_too():
    fair = Configuration(actions=("allocate",), tiers=tiers_of(("gang",), ("predicates", "proportion", "binpack")))
    groups = [PodGroup(f"ns/g{n}", "q", 1) for n in range(4)]
    pods = [Pod(f"ns/g{n}-0", f"ns/g{n}", PodShape((("cpu", 2000),))) for n in range(4)]
    nodes = [Node(f"n{n}", {"cpu": 8000, "pods": 110_000}) for n in range(4)]
    snapshot = take_snapshot(nodes, pods, groups, [Queue("q", capability={"cpu": 4000})])
    shared = schedule_shared(snapshot, fair, 4)
    assert len(shared.decision.bound_pods) == 2
    assert sum(shared.conflicts) == 2


def test_groups_that_are_let_in_and_placed_run_as_with_one_scheduler():
    admitting = Configuration(("enqueue", "allocate"), POLICY.tiers)
    snapshot = cluster(8, [(2, 3)] * 6)
    shared = schedule_shared(snapshot, admitting, 3)
    assert shared.decision.phases() == schedule(snapshot, admitting).phases()
    assert set(shared.decision.phases().values()) == {GroupPhase.RUNNING}
