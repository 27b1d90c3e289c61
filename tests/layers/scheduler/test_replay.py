"""A stream of jobs in virtual time: what is promised, against a plain account of events; gangs, deadlocks, preemption."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.scheduler import Configuration, PluginOption, tiers_of
from skyedge.layers.scheduler.configuration import ON_BY_DEFAULT
from skyedge.layers.scheduler.objects import Node, PodShape, Queue
from skyedge.layers.scheduler.openb import GPU
from skyedge.layers.scheduler.policies import policy
from skyedge.layers.scheduler.replay import Job, replay

DEFAULT_QUEUE = [Queue("default")]
GANGS = Configuration(("allocate",), tiers_of(("priority", "gang"), ("predicates", "binpack")), "gangs")
NO_GANGS = Configuration(("allocate",), tiers_of(("predicates", "binpack")), "no gangs")
# Gangs may be broken up, as in Volcano's chart: a job of one pod is one that cannot lose any.
LOOSE_GANG = PluginOption("gang", ON_BY_DEFAULT - {"preemptable"})
PREEMPTING = Configuration(
    ("allocate", "preempt"), tiers_of(("priority", LOOSE_GANG, "conformance"), ("predicates", "binpack")), "preempting"
)
ONE_TREE = (
    PluginOption("bestfit"),
    PluginOption("binpack"),
    PluginOption("deviceshare", arguments={"deviceshare.ScheduleWeight": 1}),
)


def cpu(cores: int) -> PodShape:
    return PodShape((("cpu", 1000 * cores),))


def gpu(milli: int, cores: int = 1) -> PodShape:
    return PodShape((("cpu", 1000 * cores), (GPU, milli)), device_count=1, device_milli=milli)


def machine(name: str, cores: int, gpus: int = 0) -> Node:
    amounts = {"cpu": 1000 * cores, "memory": 1 << 40, **({GPU: 1000 * gpus} if gpus else {})}
    return Node(name, amounts, device_count=gpus, device_model="A" if gpus else "")


single_jobs = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.integers(1, 40),
        st.sampled_from([cpu(1), cpu(3), gpu(400), gpu(600, 2), gpu(1000, 2)]),
        st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=25,
).map(
    lambda rows: [
        Job(f"j{number:02d}", float(came), float(ran), (shape,), queue)
        for number, (came, ran, shape, queue) in enumerate(rows)
    ]
)
CLUSTER = [machine("n0", 4, 2), machine("n1", 3, 1), machine("n2", 4)]
TWO_QUEUES = [Queue("a", weight=2), Queue("b")]


def never_more_than_there_is(outcome, nodes) -> bool:
    """All capacity at every instant at which a job starts, from when each ran and where."""
    ordered = sorted(nodes, key=lambda node: node.name)
    for now in outcome.start_s[~np.isnan(outcome.start_s)]:
        used = {node.name: dict.fromkeys(node.allocatable, 0) for node in ordered}
        for number, job in enumerate(outcome.jobs):
            ended = outcome.end_s[number]
            if outcome.start_s[number] <= now and (np.isnan(ended) or now < ended):
                for resource, amount in job.pods[0].request:
                    used[ordered[outcome.node[number]].name][resource] += amount
        if any(used[node.name][r] > node.allocatable[r] for node in ordered for r in node.allocatable):
            return False
    return True


@settings(max_examples=25)
@pytest.mark.parametrize("name", ["fgd", "bestfit", "random", "gpu-packing", "binpack", "default", "easy-backfill"])
@given(jobs=single_jobs)
def test_every_job_runs_its_length_once_and_nothing_is_given_away_twice(name, jobs):
    outcome = replay(CLUSTER, jobs, TWO_QUEUES, policy(name))
    assert not np.isnan(outcome.end_s).any()
    durations = np.array([job.duration_s for job in outcome.jobs])
    assert outcome.end_s - outcome.start_s == pytest.approx(durations)
    assert (outcome.start_s >= outcome.arrival_s).all()
    assert never_more_than_there_is(outcome, CLUSTER)
    assert outcome.figures()["finished"] == len(jobs)


@settings(max_examples=25)
@given(single_jobs, st.randoms())
def test_the_order_of_jobs_and_nodes_does_not_matter(jobs, random):
    for name in ("fgd", "random", "default"):
        before = replay(CLUSTER, jobs, TWO_QUEUES, policy(name))
        shuffled = random.sample(jobs, len(jobs))
        after = replay(CLUSTER[::-1], shuffled, TWO_QUEUES, policy(name))
        assert after.figures() == before.figures()
        assert after.end_s.tolist() == before.end_s.tolist()


@settings(max_examples=40)
@given(single_jobs, st.sampled_from(ONE_TREE))
def test_one_pod_at_a_time_gives_what_whole_cycles_give(jobs, plugin):
    """Where there is one queue, no gang and no preemption."""
    alone = [Job(job.name, job.arrival_s, job.duration_s, job.pods) for job in jobs]
    choice = Configuration(("allocate",), tiers_of(("predicates", plugin)))
    quick, slow = (replay(CLUSTER, alone, DEFAULT_QUEUE, choice, one_by_one=way) for way in (True, False))
    assert quick.start_s.tolist() == slow.start_s.tolist()
    assert quick.node.tolist() == slow.node.tolist()


@settings(max_examples=25)
@given(single_jobs)
def test_the_means_over_time_are_what_the_jobs_held(jobs):
    outcome = replay(CLUSTER, jobs, TWO_QUEUES, policy("bestfit"))
    gpu_time = sum(dict(job.pods[0].request).get(GPU, 0) * job.duration_s for job in jobs)
    cpu_time = sum(dict(job.pods[0].request)["cpu"] * job.duration_s for job in jobs)
    assert outcome.gpu_allocation * outcome.span_s * 3000 == pytest.approx(gpu_time)
    assert outcome.cpu_allocation * outcome.span_s * 11000 == pytest.approx(cpu_time)
    assert outcome.queue_share.sum() == pytest.approx(outcome.gpu_allocation)
    assert 0 <= outcome.fragmentation <= 1 - outcome.gpu_allocation + 1e-9
    assert 0.5 - 1e-9 <= outcome.fairness <= 1 + 1e-9


def test_figures_by_hand():
    """One machine of two cores: the second job waits for the first, the third runs beside the second."""
    jobs = [
        Job("a", 0.0, 10.0, (cpu(2),), "a"),
        Job("b", 1.0, 4.0, (cpu(1),), "b"),
        Job("c", 2.0, 6.0, (cpu(1),), "b"),
    ]
    outcome = replay([machine("n", 2)], jobs, [Queue("a", 2), Queue("b", 1)], policy("bestfit"))
    assert outcome.start_s.tolist() == [0, 10, 10]
    assert outcome.end_s.tolist() == [10, 14, 16]
    figures = outcome.figures()
    assert figures["queueing_mean_s"] == pytest.approx((0 + 9 + 8) / 3)
    assert figures["completion_mean_s"] == pytest.approx((10 + 13 + 14) / 3)
    assert figures["makespan_s"] == 16
    assert figures["cpu_allocation_percent"] == pytest.approx(100 * (2 * 10 + 4 + 6) / (2 * 16))
    assert figures["allocation_percent"] is None
    # Core-seconds a and b held, by weight: 20 / 2 and 10 / 1.
    assert outcome.fairness == pytest.approx(1)


SHARED = [machine("n0", 3)]
LOCKING = [
    Job("small", 0.0, 30.0, (cpu(1),)),
    Job("runs", 0.0, 10.0, (cpu(2),)),
    # When `runs` has left, both get their small pod, and then neither its large one, even when `small` has left.
    Job("old", 1.0, 100.0, (cpu(1), cpu(2))),
    Job("young", 2.0, 50.0, (cpu(1), cpu(2))),
]


def test_without_gangs_jobs_lock_each_other_out_and_the_younger_gives_way_after_a_while():
    outcome = replay(SHARED, LOCKING, DEFAULT_QUEUE, NO_GANGS, deadlock_timeout_s=60.0)
    start = dict(zip((job.name for job in outcome.jobs), outcome.start_s.tolist(), strict=True))
    assert outcome.deadlocks == 1
    assert start == {"runs": 0, "small": 0, "old": 30 + 60, "young": 30 + 60 + 100}
    assert outcome.figures()["finished"] == 4


def test_with_gangs_they_do_not():
    outcome = replay(SHARED, LOCKING, DEFAULT_QUEUE, GANGS)
    start = dict(zip((job.name for job in outcome.jobs), outcome.start_s.tolist(), strict=True))
    assert outcome.deadlocks == 0
    assert start == {"runs": 0, "small": 0, "old": 30, "young": 130}


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_deadlock_ends_the_run_if_nobody_gives_way(one_by_one):
    outcome = replay(SHARED, LOCKING, DEFAULT_QUEUE, NO_GANGS, deadlock_timeout_s=None, one_by_one=one_by_one)
    assert outcome.deadlocks == 1
    assert outcome.figures()["never_started"] == 2


def test_a_job_that_holds_all_it_can_get_alone_and_cannot_start_is_given_up():
    jobs = [Job("a", 0.0, 10.0, (cpu(2),) * 2), Job("b", 1.0, 10.0, (cpu(1),))]
    outcome = replay([machine("n0", 3)], jobs, DEFAULT_QUEUE, NO_GANGS)
    assert (outcome.deadlocks, outcome.given_up) == (0, 1)
    assert outcome.figures()["finished"] == 1


def test_a_job_that_can_never_run_is_not_let_in_and_counted():
    nodes = [machine("n0", 2, 1)]
    never = [Job("big", 0.0, 5.0, (cpu(3),)), Job("gpus", 0.0, 5.0, (gpu(1000), gpu(1000), cpu(3)), min_member=3)]
    outcome = replay(nodes, [*never, Job("fits", 1.0, 5.0, (cpu(1),))], DEFAULT_QUEUE, NO_GANGS)
    assert outcome.figures()["impossible"] == 2
    assert outcome.figures()["finished"] == 1


def test_a_job_may_run_with_fewer_pods_than_it_has():
    nodes = [machine("n0", 2)]
    jobs = [Job("elastic", 0.0, 10.0, (cpu(1),) * 3, min_member=2), Job("next", 1.0, 10.0, (cpu(2),))]
    outcome = replay(nodes, jobs, DEFAULT_QUEUE, GANGS)
    assert outcome.start_s.tolist() == [0, 10]
    assert outcome.placements == 3


def test_an_urgent_job_sends_a_lesser_one_away_which_starts_over():
    nodes = [machine("n0", 2)]
    jobs = [Job("slow", 0.0, 100.0, (cpu(2),)), Job("urgent", 40.0, 10.0, (cpu(2),), priority=10)]
    outcome = replay(nodes, jobs, DEFAULT_QUEUE, PREEMPTING)
    slow, urgent = outcome.start_s
    assert outcome.evictions == 1
    assert 40 <= urgent <= 42
    assert slow == pytest.approx(urgent + 10)
    assert outcome.end_s.tolist() == [slow + 100, urgent + 10]


def test_easy_backfill_lets_a_short_job_pass_and_not_a_long_one():
    nodes = [machine("n0", 2)]
    jobs = [
        Job("runs", 0.0, 100.0, (cpu(1),)),
        Job("head", 1.0, 100.0, (cpu(2),)),
        Job("long", 2.0, 200.0, (cpu(1),)),
        Job("short", 3.0, 50.0, (cpu(1),)),
    ]
    backfilled = replay(nodes, jobs, DEFAULT_QUEUE, policy("easy-backfill"))
    assert backfilled.start_s.tolist() == [0, 100, 200, 3]
    assert replay(nodes, jobs, DEFAULT_QUEUE, policy("bestfit")).start_s.tolist() == [0, 202, 2, 100 + 0]


def test_what_happens_within_an_interval_is_decided_at_its_end():
    jobs = [Job("a", 3.0, 5.0, (cpu(1),)), Job("b", 12.0, 5.0, (cpu(1),))]
    outcome = replay([machine("n", 4)], jobs, DEFAULT_QUEUE, policy("bestfit"), interval_s=10.0)
    assert outcome.start_s.tolist() == [10, 20]


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([], "no jobs"),
        ([Job("a", 0, 1, (cpu(1),)), Job("a", 1, 1, (cpu(1),))], "the job 'a' is there twice"),
        ([Job("a", 0, 1, (cpu(1),), "defualt")], "names a queue that is not there"),
        ([Job("a", 0, 1, (cpu(1),), min_member=2)], "needs 2 pods to run and has 1"),
        ([Job("a", 0, 1, ())], "needs 0 pods to run and has 0"),
    ],
)
def test_jobs_that_are_not_right_are_refused(jobs, said):
    with pytest.raises(InputError, match=said):
        replay([machine("n", 1)], jobs, DEFAULT_QUEUE, NO_GANGS)


gang_jobs = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 20), st.integers(1, 4), st.sampled_from([1, 2, 3])), min_size=1, max_size=12
).map(
    lambda rows: [
        Job(f"j{number:02d}", float(came), float(ran), (cpu(cores),) * min(pods, 2 * (4 // cores)), "default")
        for number, (came, ran, pods, cores) in enumerate(rows)
    ]
)
"""Each fits into two empty machines of four cores."""
DRF_WITHOUT_GANGS = Configuration(("allocate",), tiers_of(("drf", "predicates", "binpack")), "drf without gangs")


@settings(max_examples=60)
@given(gang_jobs, st.sampled_from([NO_GANGS, DRF_WITHOUT_GANGS, GANGS, PREEMPTING, policy("easy-backfill")]))
def test_no_job_is_left_behind_unsaid(jobs, configuration):
    """Every job ends, if those that lock each other out give way; if nobody does, the lock is counted."""
    nodes = [machine("n0", 4), machine("n1", 4)]
    untied = replay(nodes, jobs, DEFAULT_QUEUE, configuration, deadlock_timeout_s=100.0, one_by_one=False)
    figures = untied.figures()
    assert figures["finished"] == len(jobs)
    locked = replay(nodes, jobs, DEFAULT_QUEUE, configuration, deadlock_timeout_s=None, one_by_one=False).figures()
    if locked["finished"] < len(jobs):
        assert locked["deadlocks"] > 0
