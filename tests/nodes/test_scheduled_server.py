"""A pool that bursts of pictures share with training: who waits for whom, what an eviction costs; nothing is lost."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.events import KIND_SCENE, Arrived, Ended, Items, Started
from skyedge.layers.scheduler import configuration_from
from skyedge.layers.scheduler.objects import Node, PodShape, Queue
from skyedge.nodes.answering import ModelService
from skyedge.nodes.cloud_pool import CloudPool
from skyedge.nodes.scheduled_server import ScheduledServer
from skyedge.nodes.workload import GPU, BurstRules, JobKind, Site
from skyedge.testing import Drive
from skyedge.time import FOREVER, HOUR, MINUTE, SECOND

SERVICE = ModelService("ground", "q50", 10.0, 400.0)
POD = PodShape((("cpu", 4000), (GPU, 1000)))
FIRST_COME = {"actions": "allocate", "tiers": [{"plugins": ["gang", "predicates"]}]}
UNPROTECTED = {"name": "gang", "enablePreemptable": False}
PREEMPT = {"actions": "allocate, preempt", "tiers": [{"plugins": ["priority", UNPROTECTED, "predicates"]}]}


def site(policy=FIRST_COME, gpus=4, background=(), termination_s=30, **burst):
    rules = {"pictures_per_pod": 2, "shape": POD, "gpu_share": 1.0, "start_us": 5 * SECOND, "queue": "q", "priority": 9}
    return Site(
        (Node("node", {"cpu": 64_000, GPU: 1000 * gpus}),),
        (Queue("q"),),
        configuration_from(policy, where="test"),
        BurstRules(**{**rules, **burst}),
        tuple(background),
        SECOND,
        termination_s * SECOND,
    )


def training(every_us=HOUR, pods=4, **changes):
    about = JobKind("training", "training", every_us, pods, pods, POD, HOUR, 0.0, 30 * SECOND, 0, "q", 0)
    return replace(about, **changes)


def pictures(at, first=0):
    count = len(at)
    return Items(
        np.arange(first, first + count, dtype=np.int32),
        np.full(count, KIND_SCENE, np.uint8),
        np.full(count, 1_000_000),
        np.array(at, np.int64),
        np.full(count, -1, np.int16),
        np.zeros(count, np.float32),
    )


def run(where, bursts=(), end=24 * HOUR, seed=1):
    server = ScheduledServer("cloud", SERVICE, where, seed=seed, start=0, end=end)
    driven = Drive(CloudPool("cloud", server, {}), lambda model, view, scenes: np.eye(8, dtype=np.float32)[scenes % 8])
    driven.give(Started(), 0)
    first = 0
    for at in bursts:
        driven.give(Arrived("site", pictures(at, first)), min(at))
        first += len(at)
    driven.give(Ended(), end)
    return driven


def table(driven, name):
    return [record.columns for record in driven.records if record.table == name]


def answered_at(driven):
    return {
        int(scene): int(at)
        for row in table(driven, "answers")
        for scene, at in zip(row["scene"], row["answered_at"], strict=True)
    }


def test_an_empty_pool_starts_a_pod_at_the_next_cycle_and_answers_when_it_ends():
    at = HOUR + SECOND // 2
    driven = run(site(), [[HOUR, at, HOUR]])
    # The burst has landed at 1 h 0.5 s; the cycle runs a half second later; two pods of two and one pictures.
    cycle = HOUR + SECOND
    assert answered_at(driven) == {0: cycle + 25 * SECOND, 2: cycle + 25 * SECOND, 1: cycle + 15 * SECOND}
    (pool,) = table(driven, "pools")
    assert pool["gpu_used_s"] == 40
    assert pool["unfinished"] == 0


def test_half_a_device_takes_twice_as_long_and_two_share_it():
    half = PodShape((("cpu", 1000), (GPU, 500)))
    driven = run(site(gpus=1, shape=half, gpu_share=0.5), [[HOUR] * 4])
    assert set(answered_at(driven).values()) == {HOUR + SECOND + 5 * SECOND + 40 * SECOND}


def test_first_come_makes_a_burst_wait_for_a_training_and_preemption_for_a_termination_only():
    busy = [training(every_us=30 * MINUTE, pods=4)]
    waits = {}
    for name, policy in (("first come", FIRST_COME), ("preempt", PREEMPT)):
        driven = run(site(policy, background=busy), [[10 * HOUR]])
        waits[name] = (answered_at(driven)[0] - 10 * HOUR) / SECOND
    assert waits["first come"] > 600
    # Two cycles, the termination, the start of the pod and the picture itself.
    assert waits["preempt"] == pytest.approx(1 + 30 + 1 + 5 + 10, abs=1.01)


def test_a_gang_that_loses_a_pod_gives_back_the_rest_and_a_checkpoint_saves_its_work():
    lost = {}
    for checkpoint_us in (0, 10 * MINUTE):
        kinds = [training(every_us=30 * MINUTE, checkpoint_us=checkpoint_us)]
        (pool,) = table(run(site(PREEMPT, background=kinds), [[10 * HOUR]]), "pools")
        assert pool["evictions"] == 4
        lost[checkpoint_us] = pool["gpu_lost_s"]
    assert 0 < lost[10 * MINUTE] <= 4 * (10 * 60 + 30) < lost[0]


def test_jobs_of_a_seed_are_the_same_whatever_the_policy():
    kinds = [training()]
    arrivals = []
    for policy in (FIRST_COME, PREEMPT):
        (jobs,) = table(run(site(policy, background=kinds)), "jobs")
        arrivals.append(sorted(jobs["arrived_at"].tolist()))
    assert arrivals[0] == arrivals[1]
    assert arrivals[0] != sorted(table(run(site(background=kinds), seed=2), "jobs")[0]["arrived_at"].tolist())


def test_a_checkpoint_of_a_host_goes_on_as_if_nothing_had_happened():
    server = ScheduledServer("cloud", SERVICE, site(background=[training()]), seed=1, start=0, end=24 * HOUR)
    whole = server.begin(0)
    again = pickle.loads(pickle.dumps(server))
    at = whole[0].at
    assert [effect.at for effect in server.wake(at)] == [effect.at for effect in again.wake(at)]


bursts = st.lists(st.lists(st.integers(0, 12 * HOUR), min_size=1, max_size=7), max_size=6)


@settings(max_examples=40)
@given(bursts, st.sampled_from([FIRST_COME, PREEMPT]), st.integers(0, 5), st.sampled_from([0, 30]))
def test_every_picture_is_answered_once_and_devices_are_never_overdrawn(some, policy, seed, termination_s):
    kinds = [
        training(every_us=2 * HOUR, pods=3, min_member=2),
        training(name="eval", kind="evaluation", pods=1, min_member=1),
    ]
    some = [[start + offset % MINUTE for offset in burst] for burst in some for start in (burst[0],)]
    driven = run(
        site(policy, background=kinds, termination_s=termination_s), sorted(some, key=min), end=48 * HOUR, seed=seed
    )
    answers = [scene for row in table(driven, "answers") for scene in row["scene"].tolist()]
    (pool,) = table(driven, "pools")
    count = sum(len(burst) for burst in some)
    assert len(answers) == len(set(answers))
    assert len(answers) + pool["unfinished"] == count
    assert 0 <= pool["gpu_lost_s"] <= pool["gpu_used_s"] <= 4 * 48 * 3600
    rows = table(driven, "jobs")
    for row in rows:
        ran = row["ended_at"] < FOREVER
        assert (row["started_at"][ran] >= row["arrived_at"][ran]).all()
        assert (row["ended_at"][ran] > row["started_at"][ran]).all()


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_one_device_without_rivals_is_a_queue_with_one_server(seed):
    """Lindley 1952: each job begins when it has arrived and the one before it has ended; cycles add up to a second each."""
    kind = training(every_us=80 * MINUTE, pods=1, min_member=1, spread=0.5, start_us=0)
    (jobs,) = table(run(site(gpus=1, background=[kind]), end=72 * HOUR, seed=seed), "jobs")
    work = dict(kind.arrivals(seed, "cloud", 0, 72 * HOUR))
    free = 0
    for arrived, started in sorted(zip(jobs["arrived_at"].tolist(), jobs["started_at"].tolist(), strict=True)):
        begins = (max(arrived, free) // SECOND + 1) * SECOND
        if begins >= 72 * HOUR:
            assert started == FOREVER
            break
        assert started == begins
        free = begins + work[arrived]
