"""EASY backfill: the job that is next gets a reservation, and nobody who runs ahead delays it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.scheduler import Configuration, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.actions.allocate import pending_runs
from skyedge.layers.scheduler.actions.easy_backfill import reserve
from skyedge.layers.scheduler.objects import (
    GroupPhase,
    HyperNode,
    NetworkTopology,
    Node,
    Pod,
    PodGroup,
    PodPhase,
    PodShape,
    Queue,
)
from skyedge.layers.scheduler.session import Session

EASY = Configuration(actions=("easy-backfill",), tiers=tiers_of(("gang",), ("predicates", "binpack")))
GREEDY = Configuration(actions=("allocate",), tiers=EASY.tiers)


def job(name: str, pods: int, cores: int, *, expected_s: float | None, born_s: float, node: str | None = None):
    """A gang; one with a node has been running since its birth."""
    phase = GroupPhase.INQUEUE if node is None else GroupPhase.RUNNING
    started_s = None if node is None else born_s
    group = PodGroup(f"ns/{name}", "q", pods, phase=phase, created_s=born_s, expected_s=expected_s, started_s=started_s)
    state = PodPhase.PENDING if node is None else PodPhase.RUNNING
    shape = PodShape((("cpu", cores * 1000),))
    return group, [Pod(f"ns/{name}-{n}", f"ns/{name}", shape, state, node, created_s=born_s) for n in range(pods)]


def cluster(*jobs, nodes: int = 2, now_s: float = 100.0):
    """Nodes of four cores."""
    machines = [Node(f"n{n}", {"cpu": 4000, "pods": 110_000}) for n in range(nodes)]
    groups = [group for group, _ in jobs]
    pods = [pod for _, pods in jobs for pod in pods]
    return take_snapshot(machines, pods, groups, [Queue("q")], now_s=now_s)


RUNNING = job("running", 1, 4, expected_s=200, born_s=0, node="n0")  # ends at 200, a hundred seconds from now
LARGE = job("large", 2, 4, expected_s=100, born_s=1)  # needs both nodes


def started(*jobs, policy: Configuration = EASY, **options) -> set[str]:
    """Names of the jobs that start."""
    return {pod.split("-")[0].removeprefix("ns/") for pod, _ in schedule(cluster(*jobs, **options), policy).binds()}


def test_a_short_job_runs_ahead():
    assert started(RUNNING, LARGE, job("short", 1, 4, expected_s=90, born_s=2)) == {"short"}


def test_a_long_job_that_would_delay_the_next_one_does_not():
    assert started(RUNNING, LARGE, job("long", 1, 4, expected_s=500, born_s=2)) == set()


def test_without_reservations_it_would():
    assert started(RUNNING, LARGE, job("long", 1, 4, expected_s=500, born_s=2), policy=GREEDY) == {"long"}


def test_a_long_job_may_take_what_the_next_one_leaves():
    long = job("long", 1, 4, expected_s=500, born_s=2)
    assert started(RUNNING, LARGE, long, nodes=3) == {"large"}, "with three nodes there is nothing to wait for"
    larger = job("larger", 2, 3, expected_s=100, born_s=1)
    assert started(RUNNING, larger, job("long", 1, 1, expected_s=500, born_s=2)) == {"long"}


def test_a_job_of_unknown_length_is_thought_to_run_for_ever():
    assert started(RUNNING, LARGE, job("unknown", 1, 4, expected_s=None, born_s=2)) == set()


def test_the_reservation_is_when_enough_has_ended():
    second = job("second", 1, 4, expected_s=50, born_s=90, node="n1")  # ends at 140
    session = Session(cluster(RUNNING, second, LARGE), EASY)
    runs = pending_runs(session, best_effort=False)
    (group,) = runs
    assert reserve(session, runs[group]).at_s == 200


lengths = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(10, 300)), min_size=1, max_size=8)


@settings(max_examples=100)
@given(lengths)
def test_whoever_runs_ahead_leaves_the_next_job_its_place(waiting):
    others = [job(f"job{n}", pods, cores, expected_s=s, born_s=2 + n) for n, (pods, cores, s) in enumerate(waiting)]
    snapshot = cluster(RUNNING, LARGE, *others)
    decision = schedule(snapshot, EASY)
    still_there = {"n0": 0, "n1": 0}
    for pod, node in decision.binds():
        number = int(pod.removeprefix("ns/job").split("-")[0])
        _, cores, seconds = waiting[number]
        if 100 + seconds > 200:
            still_there[node] += cores
    assert still_there == {"n0": 0, "n1": 0}, "at 200 the large job needs all of both nodes"


def test_nothing_is_reserved_for_a_job_that_can_never_run():
    group, _ = job("painter", 2, 4, expected_s=100, born_s=1)
    painters = [
        Pod(f"ns/painter-{n}", "ns/painter", PodShape((("cpu", 4000),), device_count=1, device_milli=500)) for n in (0, 1)
    ]
    long = job("long", 2, 4, expected_s=500, born_s=2)
    assert started((group, painters), long) == {"long"}, "no node has a device that can be shared"


def test_all_of_a_job_without_a_gang_may_run_ahead():
    group, pods = job("loose", 3, 1, expected_s=90, born_s=2)
    decision = schedule(cluster(RUNNING, LARGE, (replace(group, min_member=0), pods)), EASY)
    assert len(dict(decision.binds())) == 3


def test_a_job_stays_within_its_network_domain():
    group, pods = job("near", 2, 3, expected_s=100, born_s=1)
    near = replace(group, topology=NetworkTopology("hard", 1))
    nodes = [Node(name, {"cpu": 4000, "pods": 110_000}) for name in ("a1", "a2", "b1", "b2")]
    busy = job("busy", 1, 4, expected_s=None, born_s=0, node="a1")
    domains = [HyperNode("a", 1, ("a1", "a2")), HyperNode("b", 1, ("b1", "b2"))]
    policy = replace(EASY, tiers=tiers_of(("gang", "predicates", "network-topology-aware")))
    snapshot = take_snapshot(nodes, [*busy[1], *pods], [busy[0], near], [Queue("q")], domains, now_s=100.0)
    assert set(dict(schedule(snapshot, policy).binds()).values()) == {"b1", "b2"}
