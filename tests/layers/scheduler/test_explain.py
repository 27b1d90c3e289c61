"""Every decision can be explained, and what can never run is said, not left waiting in silence."""

from __future__ import annotations

import pytest

from skyedge.layers.scheduler import Configuration, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, PodShape, Queue, Taint

POLICY = Configuration(
    actions=("enqueue", "allocate", "preempt"),
    tiers=tiers_of(("priority", "gang", "conformance"), ("drf", "predicates", "proportion", "binpack")),
)
NODES = [
    Node("big", {"cpu": 8000, "memory": 8 << 30, "pods": 110_000}, {"disk": "ssd"}),
    Node("small", {"cpu": 2000, "memory": 8 << 30, "pods": 110_000}, taints=(Taint("dedicated", "web"),)),
]


def one(request: dict[str, int], *, pods: int = 1, least: int | None = None, queue: str = "q", selector=(), **group):
    shape = PodShape(tuple(sorted(request.items())), node_selector=selector)
    gang = PodGroup("ns/job", queue, pods if least is None else least, phase=GroupPhase.INQUEUE, **group)
    return gang, [Pod(f"ns/job-{n}", "ns/job", shape) for n in range(pods)]


def explained(job, queues=None, others=()):
    group, pods = job
    snapshot = take_snapshot(NODES, [*pods, *others], [group, *OTHERS[: bool(others)]], queues or [Queue("q")])
    return schedule(snapshot, POLICY, explain=True)


OTHERS = [PodGroup("ns/other", "q", 1, phase=GroupPhase.RUNNING, priority=10)]


def test_a_placed_pod_says_where_and_by_which_scores():
    decision = explained(one({"cpu": 1000}))
    assert decision.explanations.pods["ns/job-0"].startswith("goes to big")
    assert "binpack" in decision.explanations.pods["ns/job-0"]


def test_a_waiting_pod_says_which_nodes_refuse_and_why():
    running = Pod("ns/other-0", "ns/other", PodShape((("cpu", 7000),)), PodPhase.RUNNING, "big")
    said = explained(one({"cpu": 4000}), others=[running]).explanations.pods["ns/job-0"]
    assert "1 node: not enough cpu idle" in said
    assert "dedicated" in said, "and the taint of the other"


def test_a_queue_over_its_share_is_named_with_its_figures():
    job = one({"cpu": 1000}, pods=3, least=1)
    said = explained(job, [Queue("q", capability={"cpu": 2000})]).explanations.pods["ns/job-2"]
    assert "the queue 'q' is over its share: it holds 2 of 2 of cpu" in said


def test_a_gang_that_does_not_fit_says_so():
    said = explained(one({"cpu": 3000}, pods=3)).explanations
    assert "all or nothing" in said.groups["ns/job"]


@pytest.mark.parametrize(
    ("job", "queues", "said"),
    [
        (one({"cpu": 9000}), [Queue("q")], "more cpu (9 against 8) than any node"),
        (one({"cpu": 1000}, selector=(("disk", "tape"),)), [Queue("q")], "no node will have it"),
        (one({"cpu": 3000}), [Queue("q", capability={"cpu": 2000})], "than its queue 'q' may ever have"),
        (one({"nvidia.com/gpu": 1000}), [Queue("q")], "nvidia.com/gpu"),
    ],
)
def test_what_can_never_run_is_said_to_be_so(job, queues, said):
    decision = explained(job, queues)
    assert said in decision.impossible["ns/job"]
    assert decision.explanations.pods["ns/job-0"].startswith("can never run")


def test_a_job_that_merely_waits_is_not_called_impossible():
    running = Pod("ns/other-0", "ns/other", PodShape((("cpu", 7000),)), PodPhase.RUNNING, "big")
    assert explained(one({"cpu": 4000}), others=[running]).impossible == {}


def test_a_group_with_too_few_pods_says_how_many_it_lacks():
    said = explained(one({"cpu": 1000}, pods=2, least=3)).explanations.groups["ns/job"]
    assert "2 of the 3 pods" in said
