"""Roles of one job that should share a node, or should not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.configuration import Configuration, PluginOption, tiers_of
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, PodShape, Queue
from skyedge.layers.scheduler.session import Session
from skyedge.layers.scheduler.snapshot import take_snapshot

KEYS = {
    "near": "volcano.sh/task-topology-affinity",
    "away": "volcano.sh/task-topology-anti-affinity",
    "order": "volcano.sh/task-topology-task-order",
}


def pods_of(job: str = "n/job", cpu: int = 1000, **roles: int) -> list[Pod]:
    shape = PodShape(request=(("cpu", cpu),))
    return [Pod(f"{job}-{role}-{number}", job, shape, role=role) for role, many in roles.items() for number in range(many)]


def running(one: Pod, where: str) -> Pod:
    return Pod(one.name, one.group, one.shape, PodPhase.RUNNING, where, role=one.role)


def snapshot_of(pods: Sequence[Pod], cpus: Sequence[int], **said: str) -> Snapshot:
    nodes = [Node(chr(97 + number), {"cpu": cpu}) for number, cpu in enumerate(cpus)]
    annotations = {KEYS[key]: text for key, text in said.items()}
    names = sorted({one.group for one in pods})
    groups = [PodGroup(name, phase=GroupPhase.INQUEUE, annotations=annotations) for name in names]
    return take_snapshot(nodes, pods, groups, [Queue("default")])


def configuration(weight: float = 1, *others: str) -> Configuration:
    option = PluginOption("task-topology", arguments={"task-topology.weight": weight})
    return Configuration(actions=("allocate",), tiers=tiers_of((option, *others)))


def by_node(snapshot: Snapshot, *others: str) -> dict[str, Counter[str]]:
    """How many pods of each role each node gets."""
    decision = schedule(snapshot, configuration(1, *others))
    got: dict[str, Counter[str]] = {}
    for pod, node in zip(decision.bound_pods, decision.bound_nodes, strict=True):
        name = snapshot.nodes.names[node]
        got.setdefault(name, Counter())[snapshot.pods.role[pod]] += 1
    return got


def test_roles_that_like_each_other_share_the_node_that_holds_them_all() -> None:
    snapshot = snapshot_of(pods_of(ps=1, worker=3), [3000, 4000, 3000], near="ps,worker")
    assert by_node(snapshot) == {"b": {"ps": 1, "worker": 3}}


def test_without_a_word_the_plugin_has_no_opinion() -> None:
    snapshot = snapshot_of(pods_of(ps=1, worker=3), [3000, 4000, 3000])
    session = Session(snapshot, configuration())
    assert by_node(snapshot)["a"].total() == 3
    assert session.points.packs
    assert not session.points.distinguishes


def test_a_role_that_dislikes_its_like_is_spread_and_takes_its_friends_along() -> None:
    snapshot = snapshot_of(pods_of(ps=2, worker=4), [4000, 4000], near="ps,worker", away="ps")
    assert by_node(snapshot) == {"a": {"ps": 1, "worker": 2}, "b": {"ps": 1, "worker": 2}}


def test_spreading_wins_over_a_packing_of_the_same_weight_as_long_as_nodes_have_room() -> None:
    snapshot = snapshot_of(pods_of(worker=3), [4000, 4000, 4000], away="worker")
    assert [counts.total() for counts in by_node(snapshot).values()] == [1, 1, 1]


def test_pods_join_the_mates_that_run_already() -> None:
    pods = pods_of(ps=1, worker=2)
    snapshot = snapshot_of([running(pods[0], "b"), *pods[1:]], [4000, 4000], near="ps,worker")
    assert by_node(snapshot) == {"b": {"worker": 2}}


def test_the_order_of_the_roles_is_the_order_in_which_pods_are_placed() -> None:
    pods = pods_of(ps=1, worker=2)
    for order, first in (("worker,ps", "worker"), ("ps,worker", "ps")):
        session = Session(snapshot_of(pods, [4000], near="ps,worker", order=order), configuration())
        placed = session.points.sort_pods(np.arange(3))
        assert session.snapshot.pods.role[placed[0]] == first


def test_pods_of_which_nothing_is_said_come_last() -> None:
    session = Session(snapshot_of(pods_of(aa=1, ps=1, worker=1), [4000], near="ps,worker"), configuration())
    placed = session.points.sort_pods(np.arange(3))
    assert session.snapshot.pods.role[placed[-1]] == "aa"


def test_a_node_is_worth_the_mates_that_it_holds_and_could_hold() -> None:
    pods = pods_of(ps=1, worker=4)
    snapshot = snapshot_of([running(pods[0], "a"), *pods[1:]], [3000, 4000, 1000], near="ps,worker")
    session = Session(snapshot, configuration(weight=2))
    worker = snapshot.pods.names.index("n/job-worker-0")
    scores = session.points.score(worker, np.arange(3))
    # a holds one and has room for two more of the four; b has room for four, c for one; the bucket is five pods.
    assert scores == pytest.approx(np.array([3, 4, 1]) * 200 / 5)
    assert [session.points.score(worker, np.array([node]))[0] for node in range(3)] == scores.tolist()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=3),
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.sampled_from(
        [{"near": "ps,worker"}, {"away": "ps"}, {"near": "ps,worker", "away": "ps;worker"}, {"near": "ps;worker"}]
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_input_changes_nothing_and_no_pod_is_lost(
    jobs: list[tuple[int, int]], cpus: list[int], said: dict[str, str], shuffler: random.Random
) -> None:
    # One pod of each role that is named, and some more.
    pods = [one for n, (ps, worker) in enumerate(jobs) for one in pods_of(f"n/job{n}", ps=1 + ps, worker=1 + worker)]
    rooms = [1000 * cpu for cpu in cpus]
    got = dict(schedule(snapshot_of(pods, rooms, **said), configuration(1, "binpack")).binds())
    assert len(got) == min(len(pods), sum(cpus))
    shuffler.shuffle(pods)
    assert dict(schedule(snapshot_of(pods, rooms, **said), configuration(1, "binpack")).binds()) == got


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"near": "ps,wroker"}, "the job has no role 'wroker'"),
        ({"away": "ps,ps"}, "the role 'ps' stands twice in a list"),
        ({"order": "ps,boss"}, "the job has no role 'boss'"),
    ],
)
def test_a_role_that_the_job_does_not_have_is_refused(said: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        Session(snapshot_of(pods_of(ps=1, worker=2), [4000], **said), configuration())
    assert caught.value.where == "pod group 'n/job'"
