"""Scheduling a stream: the same for all policies, whole or not at all under gangs, and no figure without its jobs."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.experiment.job_streams import Stream, draw_stream, pod_shape
from skyedge.experiment.studies.batch_scheduling import BatchSchedulingParameters, cluster, configuration, figures_of
from skyedge.experiment.study_loading import load_study, parameters_of
from skyedge.experiment.study_run import run_arm
from skyedge.layers.scheduler.objects import Queue
from skyedge.layers.scheduler.replay import Job, replay

TINY = [
    "parameters.days=1",
    "parameters.load=0.5",
    "parameters.inference.pictures_per_pod=10000",
    "parameters.training.workers=[{workers: 1, share: 0.7}, {workers: 4, share: 0.3}]",
    "parameters.nodes=[{name: gpu, count: 2, cores: 96, memory_gib: 384, gpus: 8}]",
]
FCFS = {"actions": "allocate", "tiers": [{"plugins": ["predicates", "nodeorder"]}]}
GANG = {"actions": "allocate", "tiers": [{"plugins": ["gang", "predicates", "nodeorder"]}]}
QUEUES = (Queue("research"),)


def run(jobs, policy, nodes):
    work = Stream(tuple(jobs), {job.name: ("training", job.name) for job in jobs})
    return figures_of(replay(nodes, work.jobs, QUEUES, configuration(policy)), work, nodes)


def nodes_of(count, gpus):
    kinds = [{"name": "gpu", "count": count, "cores": 8 * gpus, "memory_gib": 32 * gpus, "gpus": gpus}]
    return cluster(BatchSchedulingParameters.model_validate({"nodes": kinds}))


def gang(name, arrival_s, workers, gpus, duration_s=100.0):
    return Job(name, arrival_s, duration_s, (pod_shape(gpus, gpus, gpus),) * workers, "research")


def test_every_arm_has_the_same_stream():
    study = load_study("batch-scheduling", TINY)
    parameters = {arm: parameters_of(study, arm) for arm in study.arms}
    streams = {arm: draw_stream(one, 16, 3) for arm, one in parameters.items()}
    assert len({one.policy if isinstance(one.policy, str) else str(one.policy) for one in parameters.values()}) == 6
    assert all(one == streams["fcfs"] for one in streams.values())
    assert draw_stream(parameters["fcfs"], 16, 4) != streams["fcfs"]


@settings(max_examples=10)
@given(load=st.floats(0.1, 1.5), seed=st.integers(0, 1000))
def test_a_stream_offers_the_load_that_is_asked_for(load, seed):
    parameters = BatchSchedulingParameters(load=load)
    jobs = draw_stream(parameters, 32, seed).jobs
    offered = sum(job.duration_s * len(job.pods) * job.pods[0].device_count for job in jobs)
    largest = 32 * parameters.training.longest_s
    assert offered == pytest.approx(load * parameters.days * 86_400 * 32, abs=largest / 2)
    assert all(0 <= job.arrival_s <= (parameters.days + 1) * 86_400 for job in jobs)


def test_the_jobs_of_a_lighter_load_are_the_first_of_a_heavier_ones():
    light, heavy = (draw_stream(BatchSchedulingParameters(load=load), 32, 0) for load in (0.4, 1.0))
    works = [
        [(job.duration_s, job.pods) for job in one.jobs if one.unit[job.name][0] == "training"] for one in (light, heavy)
    ]
    assert 0 < len(works[0]) < len(works[1])
    assert works[1][: len(works[0])] == works[0]


def test_half_placed_gangs_lock_each_other_out_and_whole_ones_do_not():
    # The filler keeps the first's second worker out, the second takes what is left beside the filler, and the filler's
    # place when it ends: then each has a node and wants what the other has.
    nodes = nodes_of(2, 8)
    jobs = [gang("filler", 0, 1, 4), gang("first", 10, 2, 8), gang("second", 20, 9, 1)]
    without, with_gangs = run(jobs, FCFS, nodes), run(jobs, GANG, nodes)
    assert without["deadlocks"] == 1
    assert without["held_idle"] > 0.5
    assert with_gangs["deadlocks"] == with_gangs["held_idle"] == 0
    assert with_gangs["makespan_h"] < without["makespan_h"]
    assert without["never_ended"] == with_gangs["never_ended"] == 0


@settings(max_examples=25)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 4), st.sampled_from([1, 2, 4])), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
    policy=st.sampled_from([FCFS, GANG]),
)
def test_the_order_in_which_jobs_are_given_does_not_matter(drawn, order, policy):
    nodes = nodes_of(4, 4)
    jobs = [gang(f"job-{number:02d}", *job) for number, job in enumerate(drawn)]
    shuffled = order.sample(jobs, len(jobs))
    assert run(shuffled, policy, tuple(reversed(nodes))) == pytest.approx(
        run(jobs, policy, nodes), rel=0, abs=0, nan_ok=True
    )


@settings(max_examples=25)
@given(drawn=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 4), st.sampled_from([1, 2, 4])), min_size=1, max_size=12))
def test_gangs_hold_nothing_for_nothing_and_all_that_is_held_is_work(drawn):
    nodes = nodes_of(4, 4)
    jobs = [gang(f"job-{number:02d}", *job) for number, job in enumerate(drawn)]
    figures = run(jobs, GANG, nodes)
    work = sum(job.duration_s * len(job.pods) * job.pods[0].device_count for job in jobs)
    assert figures["held_idle"] == figures["deadlocks"] == figures["never_ended"] == 0
    assert figures["utilisation"] * figures["makespan_h"] * 3600 * 16 == pytest.approx(work)
    assert figures["completion_mean_h"] * 3600 >= np.mean([job.duration_s for job in jobs])


def test_a_burst_is_answered_when_its_last_pod_has_ended():
    nodes = nodes_of(1, 1)
    parts = [dataclasses.replace(gang(f"pass-0-{part}", 0, 1, 1), duration_s=10.0) for part in range(3)]
    work = Stream(tuple(parts), {job.name: ("inference", "pass-0") for job in parts})
    figures = figures_of(replay(nodes, parts, QUEUES, configuration(GANG)), work, nodes)
    assert figures["burst_mean_s"] == 30
    assert np.isnan(figures["training_wait_h"])


def test_a_tiny_stream_runs_under_every_policy():
    study = load_study("batch-scheduling", TINY)
    found = {arm: run_arm(study, arm, 0).figures for arm in study.arms}
    assert all(figures["held_idle"] == 0 for arm, figures in found.items() if arm not in ("fcfs", "preempt"))
    assert found["fcfs"]["held_idle"] > 0
    assert all(0 < figures["utilisation"] <= 1 and 0 < figures["fairness"] <= 1 for figures in found.values())
    assert found["preempt"]["burst_p95_s"] <= found["gang-drf-binpack"]["burst_p95_s"]


def test_a_policy_may_be_a_file_as_a_cluster_has_it(tmp_path):
    file = tmp_path / "volcano-scheduler.yaml"
    file.write_text("actions: allocate\ntiers:\n- plugins:\n  - name: gang\n  - name: predicates\n  - name: nodeorder\n")
    study = load_study("batch-scheduling", [*TINY, f"arms.fcfs.set={{parameters.policy: {file}}}"])
    assert run_arm(study, "fcfs", 0).figures == run_arm(study, "fcfs-gang", 0).figures


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("parameters.policy=drff", "there is no policy 'drff'"),
        ("parameters.policy={actions: allocate, tiers: [{plugins: [gangs]}]}", "there is no plugin 'gangs'"),
        ("parameters.load=0", "greater than 0"),
        ("parameters.load=1.0e-6", "raise parameters.load"),
        ("parameters.inference.queue=operation", "there is no queue 'operation'"),
        ("parameters.nodes=[{name: a, count: 1, cores: 8, memory_gib: 64}]", "no GPU"),
        ("parameters.nodes=[{name: a, count: 1, cores: 96, memory_gib: 384, gpus: 8}]", "fits no empty cluster"),
        ("parameters.training.median_s=0.01", "more than can be"),
    ],
)
def test_bad_parameters_are_answered_with_one_sentence(override, sentence):
    with pytest.raises(InputError) as caught:
        run_arm(load_study("batch-scheduling", [override]), "fcfs" if "policy" not in override else "easy-backfill", 0)
    assert sentence in str(caught.value)
    assert "\n" not in caught.value.message
