"""The ground sends on what comes down, answers what it can, and serves in order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.events import KIND_RESULT, KIND_SCENE, Arrived, Items, SessionOpened, Started
from skyedge.nodes.answering import ModelService, Server
from skyedge.nodes.backhaul import Backhaul, BackhaulProfile, first_in_first_out
from skyedge.nodes.cloud_pool import CloudPool
from skyedge.nodes.edge_node import EdgeNode
from skyedge.nodes.ground_station import GroundStation, GroundStationProfile, PlannedSession
from skyedge.testing import Drive
from skyedge.time import FOREVER, MINUTE, SECOND

BACKHAUL = BackhaulProfile(8.0, 40_000, 3)  # a megabyte a second


def items(kinds, at=0):
    count = len(kinds)
    return Items(
        np.arange(count, dtype=np.int32),
        np.array(kinds, np.uint8),
        np.where(np.array(kinds) == KIND_SCENE, 1_000_000, 64),
        np.full(count, at, np.int64),
        np.arange(count, dtype=np.int16),
        np.full(count, 0.5, np.float32),
    )


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), min_size=1, max_size=20), st.integers(0, 50))
def test_a_server_is_first_in_first_out_and_never_idles_with_work(jobs, free_at):
    at, service = (np.array(column, np.int64) for column in zip(*jobs, strict=True))
    finish, free = first_in_first_out(at, service, free_at)
    expected, clock = {}, free_at
    for row in sorted(range(len(jobs)), key=lambda number: (at[number], number)):
        clock = max(clock, at[row]) + service[row]
        expected[row] = clock
    assert finish.tolist() == [expected[row] for row in range(len(jobs))]
    assert free == clock


def station(edge=None):
    sessions = (
        PlannedSession(7, "sat", 10 * MINUTE, 10 * MINUTE + 8 * SECOND, 20 * MINUTE, 0.1),
        PlannedSession(9, "sat", 90 * MINUTE, 90 * MINUTE + 8 * SECOND, 99 * MINUTE, 0.1),
    )
    return GroundStation(GroundStationProfile("site", "cloud", edge, BACKHAUL, sessions, 20_000))


def test_a_station_calls_at_each_planned_pass_and_says_when_it_next_will():
    node = station()
    drive = Drive(node)
    assert node.earliest_send() == 10 * MINUTE
    drive.give(Started(), 0)
    drive.run_until(30 * MINUTE)
    assert [(send.target, send.at, type(send.event)) for send in drive.sent] == [
        ("sat", 10 * MINUTE + 8 * SECOND, SessionOpened)
    ]
    assert node.earliest_send() == 90 * MINUTE
    drive.run_until(120 * MINUTE)
    assert node.earliest_send() == FOREVER
    assert drive.ledger.total_bytes("delivered", segment="uplink") == 2 * 20_000


def test_pictures_go_to_the_edge_node_and_answers_to_the_cloud():
    drive = Drive(station("site-edge"))
    drive.give(Arrived("sat", items([KIND_RESULT, KIND_SCENE, KIND_RESULT])), MINUTE)
    by_target = {send.target: send.event.items for send in drive.sent}
    assert by_target["cloud"].scene.tolist() == [0, 2]
    assert by_target["site-edge"].scene.tolist() == [1]
    assert drive.ledger.byte_hops("offered", segment="terrestrial") == 3 * 128  # the local network counts no hops


def test_an_edge_node_answers_what_it_is_sure_of():
    service = ModelService("edge", "q50", 0.1, 15.0)
    node = EdgeNode(
        "edge",
        Server("edge", service),
        Backhaul("edge", "cloud", BACKHAUL),
        accept_confidence=0.8,
        temperature=1.0,
        result_bytes=64,
    )
    drive = Drive(node, lambda model, view, scenes: np.array([[9.0, 0], [0.1, 0], [0, 9.0]], np.float32)[scenes])
    drive.give(Arrived("site", items([KIND_SCENE] * 3)), MINUTE)
    assert node.earliest_send() == MINUTE + SECOND // 10
    drive.run_until(2 * MINUTE)
    (send,) = drive.sent
    kinds = dict(zip(send.event.items.scene.tolist(), send.event.items.kind.tolist(), strict=True))
    assert kinds == {0: KIND_RESULT, 2: KIND_RESULT, 1: KIND_SCENE}
    assert node.earliest_send() == FOREVER


def test_a_cloud_pool_records_answers_with_their_tier_and_time():
    node = CloudPool("cloud", Server("cloud", ModelService("ground", "q50", 2.0, 1.0)), {"site-edge": "edge"})
    drive = Drive(node, lambda model, view, scenes: np.eye(8, dtype=np.float32)[scenes])
    drive.give(Arrived("site-edge", items([KIND_RESULT], at=MINUTE)), MINUTE)
    drive.give(Arrived("site", items([KIND_SCENE, KIND_SCENE], at=MINUTE)), MINUTE)
    drive.run_until(2 * MINUTE)
    answers = [record.columns for record in drive.records if record.table == "answers"]
    assert [a["tier"] for a in answers] == ["edge", "ground"]
    assert answers[1]["answered_at"].tolist() == [MINUTE + 2 * SECOND, MINUTE + 4 * SECOND]
