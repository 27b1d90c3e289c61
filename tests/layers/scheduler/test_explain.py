"""Every decision can be explained, and what can never run is said, not left waiting in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skyedge.layers.scheduler import Configuration, schedule, take_snapshot, tiers_of
from skyedge.layers.scheduler.configuration import ON_BY_DEFAULT, PluginOption
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
)

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
    assert "1 node (big): not enough cpu idle" in said
    assert "1 node (small): predicates: taint dedicated" in said, "and the plugin that minds the taint of the other"


def test_a_queue_over_its_share_is_named_with_its_figures():
    job = one({"cpu": 1000}, pods=3, least=1)
    said = explained(job, [Queue("q", capability={"cpu": 2000})]).explanations.pods["ns/job-2"]
    assert "the queue 'q' is over its share: it holds 2 of 2 of cpu" in said


def test_a_gang_that_does_not_fit_says_so():
    running = Pod("ns/other-0", "ns/other", PodShape((("cpu", 3000),)), PodPhase.RUNNING, "big")
    said = explained(one({"cpu": 3000}, pods=2), others=[running]).explanations
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


@pytest.mark.parametrize(
    ("job", "queues", "said"),
    [
        (
            one({"cpu": 1000}, pods=5),
            [Queue("q", capability={"cpu": 4000})],
            "the 5 pods that it needs at least ask for more cpu",
        ),
        (one({"cpu": 2000}, pods=6), [Queue("q")], "ask for more cpu (12 against 10) than"),
        (one({"cpu": 3000}, pods=3), [Queue("q")], "it needs 3 pods at least, and the nodes that would have them hold 2"),
    ],
)
def test_a_gang_that_can_never_be_together_is_said_to_be_so(job, queues, said):
    decision = explained(job, queues)
    assert said in decision.impossible["ns/job"]
    assert said in decision.explanations.pods[job[1][-1].name]
    assert decision.explanations.groups["ns/job"].startswith("can never run")


def test_a_job_whose_least_resources_no_queue_may_have_is_never_let_in_and_that_is_said():
    gang, pods = one({"cpu": 1000}, min_resources={"cpu": 9000})
    outside = replace(gang, phase=GroupPhase.PENDING)
    said = explained((outside, pods), [Queue("q", capability={"cpu": 4000})]).impossible["ns/job"]
    assert said == "its least resources are more cpu (9 against 4) than its queue 'q' may ever have"


def test_what_hours_or_load_forbid_now_is_not_impossible():
    busy = Node("busy", {"cpu": 8000}, cpu_usage=0.99)
    lent = Node("lent", {"cpu": 8000}, {"volcano.sh/revocable-zone": "night"})
    gang, pods = one({"cpu": 1000})
    pods[0].revocable_zone = "*"
    night = PluginOption("tdm", arguments={"tdm.revocable-zone.night": "22:00-04:00"})
    policy = Configuration(("allocate",), tiers_of(("gang", "predicates", "usage", night)))
    decision = schedule(take_snapshot([busy, lent], pods, [gang], [Queue("q")], now_s=12 * 3600.0), policy, explain=True)
    assert decision.impossible == {}
    assert decision.explanations.pods["ns/job-0"].startswith("waits: ")


def test_a_ceiling_that_no_plugin_keeps_makes_nothing_impossible():
    option = PluginOption("capacity", ON_BY_DEFAULT - {"allocatable"})
    gang, pods = one({"cpu": 3000})
    snapshot = take_snapshot(NODES, pods, [gang], [Queue("q", capability={"cpu": 2000})])
    decision = schedule(snapshot, Configuration(("allocate",), tiers_of(("gang", option))))
    assert dict(decision.binds())
    assert decision.impossible == {}


def test_a_pod_kept_away_by_its_neighbours_says_so():
    away = PodShape((("cpu", 1000),), pod_terms=(PodTerm("disk", (Requirement("app", "In", ("x",)),), away=True),))
    gang = PodGroup("ns/job", "q", 1, phase=GroupPhase.INQUEUE)
    neighbour = Pod("ns/other-0", "ns/other", PodShape((("cpu", 1000),)), PodPhase.RUNNING, "big", labels={"app": "x"})
    said = explained((gang, [Pod("ns/job-0", "ns/job", away)]), others=[neighbour]).explanations.pods["ns/job-0"]
    assert "a pod that it must be away from" in said


def test_a_job_that_merely_waits_is_not_called_impossible():
    running = Pod("ns/other-0", "ns/other", PodShape((("cpu", 7000),)), PodPhase.RUNNING, "big")
    assert explained(one({"cpu": 4000}), others=[running]).impossible == {}


def test_a_group_with_too_few_pods_says_how_many_it_lacks():
    said = explained(one({"cpu": 1000}, pods=2, least=3)).explanations.groups["ns/job"]
    assert "2 of the 3 pods" in said


@pytest.mark.parametrize(
    ("actions", "request_", "said"),
    [
        (("preempt",), {"cpu": 1000}, "no action of this cycle places pods (allocate or easy-backfill would)"),
        (("allocate",), {}, "no action of this cycle places pods that ask for nothing (backfill would)"),
        (("allocate", "enqueue"), {"cpu": 1000}, "was let in when pods had already been placed"),
    ],
)
def test_a_pod_that_no_action_looks_at_says_so(actions, request_, said):
    gang, pods = one(request_)
    snapshot = take_snapshot(NODES, pods, [replace(gang, phase=GroupPhase.PENDING)], [Queue("q")])
    policy = Configuration(actions, tiers_of(("predicates",)))
    assert said in schedule(snapshot, policy, explain=True).explanations.pods["ns/job-0"]


def test_a_pod_whose_gang_waits_for_what_is_being_released_says_so():
    leaving = Pod("ns/other-0", "ns/other", PodShape((("cpu", 4000),)), PodPhase.RELEASING, "big")
    decision = explained(one({"cpu": 4000}, pods=2), others=[leaving])
    assert len(dict(decision.pipelined())) == 1
    (waiting,) = {"ns/job-0", "ns/job-1"} - dict(decision.pipelined()).keys()
    assert "those of its gang that have a reservation" in decision.explanations.pods[waiting]


def test_who_spares_the_victims_is_named():
    running = Pod("ns/other-0", "ns/other", PodShape((("cpu", 7000),)), PodPhase.RUNNING, "big")
    said = explained(one({"cpu": 4000}), others=[running]).explanations.pods["ns/job-0"]
    assert "priority and gang" in said
    assert "all of them" in said
