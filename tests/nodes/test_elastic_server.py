"""A cloud pool on elastic instances: pictures wait for a start, and every one is answered and paid for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.events import KIND_SCENE, Arrived, Ended, Items, Started
from skyedge.layers.elastic import Fixed, PoolProfile, QueueDepth, simulate
from skyedge.nodes.answering import ModelService, Server
from skyedge.nodes.cloud_pool import CloudPool
from skyedge.nodes.elastic_server import ElasticServer
from skyedge.testing import Drive
from skyedge.time import HOUR, MINUTE, SECOND

SERVICE = ModelService("ground", "q50", 10.0, 400.0)


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


def drive(server):
    def answer(model, view, scenes):
        return np.eye(8, dtype=np.float32)[scenes % 8]

    return Drive(CloudPool("cloud", server, {}), answer)


def elastic(autoscaler, **profile):
    return ElasticServer("cloud", SERVICE, PoolProfile(**profile), autoscaler, seed=1, start=0)


def table(driven, name):
    return [record.columns for record in driven.records if record.table == name]


def answered_at(driven):
    answers = table(driven, "answers")
    scene = np.concatenate([a["scene"] for a in answers]) if answers else np.empty(0, int)
    at = np.concatenate([a["answered_at"] for a in answers]) if answers else np.empty(0, int)
    return dict(zip(scene.tolist(), at.tolist(), strict=True))


def run(server, bursts, end):
    driven = drive(server)
    driven.give(Started(), 0)
    first = 0
    for at in bursts:
        driven.give(Arrived("site", pictures(at, first)), min(at))
        first += len(at)
    driven.give(Ended(), end)
    return driven


INSTANT_START = {
    "image": {"size_bytes": 0},
    "start_up": {"scheduling_s": 0, "sandbox_s": 0, "model_load_s": 0, "sandboxes_per_s": 1e6, "spread": 0},
}


def test_a_fixed_pool_of_one_that_starts_at_once_is_the_plain_server():
    bursts = [[HOUR, HOUR + SECOND, HOUR + 3 * SECOND], [HOUR + 5 * SECOND], [2 * HOUR]]
    elastic_run = run(elastic(Fixed(1), **INSTANT_START), bursts, 3 * HOUR)
    plain_run = run(Server("cloud", SERVICE), bursts, 3 * HOUR)
    assert answered_at(elastic_run) == answered_at(plain_run)
    joules = [sum(row["joules"] for row in table(driven, "energy")) for driven in (elastic_run, plain_run)]
    assert joules[0] == pytest.approx(joules[1])


def test_asleep_at_zero_the_first_picture_waits_for_a_cold_start():
    server = elastic(QueueDepth(target_s=10.0))
    driven = run(server, [[HOUR]], 2 * HOUR)
    waited_s = (answered_at(driven)[0] - HOUR) / SECOND - SERVICE.seconds_per_scene
    assert 2.0 < waited_s < 20.0  # scheduling, half a gigabyte of image, sandbox, model
    (bill,) = table(driven, "pools")
    assert bill["cold_starts"] == 1
    assert bill["unfinished"] == 0


def test_what_is_not_answered_by_the_end_is_said():
    (bill,) = table(run(elastic(Fixed(0)), [[HOUR, HOUR]], 2 * HOUR), "pools")
    assert bill["unfinished"] == 2
    assert bill["cost"] == 0


bursts = st.lists(st.lists(st.integers(0, 20 * MINUTE), min_size=1, max_size=6), min_size=1, max_size=5)


@settings(max_examples=40)
@given(bursts, st.sampled_from(["on-demand", "spot"]))
def test_a_node_sees_what_the_pool_alone_would_do(some, purchase):
    """Bursts reach a node in the order of their first picture; alone, the pool is told everything at the start."""
    ordered = sorted((sorted(burst) for burst in some), key=lambda burst: burst[0])
    profile = {"purchase": purchase, "spot": {"mean_hours_between": 0.2, "notice_s": 5}}
    driven = run(elastic(QueueDepth(target_s=20.0), **profile), ordered, 10 * HOUR)
    at = np.concatenate([np.array(burst) for burst in ordered])
    alone = simulate(
        at,
        np.full(len(at), SERVICE.seconds_per_scene),
        PoolProfile(**profile),
        QueueDepth(target_s=20.0),
        start=0,
        end=10 * HOUR,
        name="cloud",
        seed=1,
    )
    finished = answered_at(driven)
    assert sorted(finished.values()) == sorted(alone.finished_us.tolist())
    (bill,) = table(driven, "pools")
    assert bill["cost"] == pytest.approx(alone.bill.cost)
