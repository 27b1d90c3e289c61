"""A regional cluster answers what it has taken, loses what an outage finds undone, and says what it has to users."""

import numpy as np

from skyedge.events import KIND_RESULT, KIND_SCENE, Ended, Items, Started
from skyedge.layers.paths.terrestrial import Place, TerrestrialNetwork
from skyedge.nodes.answering import ModelService
from skyedge.nodes.messages import (
    Accepted,
    Alive,
    Answered,
    Asked,
    Completed,
    Fetch,
    Fetched,
    Holds,
    Probe,
    Run,
    Serving,
    Stamp,
    Submitted,
    Train,
    TrainingData,
)
from skyedge.nodes.regional_cluster import ClusterProfile, RegionalCluster
from skyedge.nodes.terrestrial_line import LineProfile
from skyedge.nodes.training_desk import TrainingKind
from skyedge.testing import Drive
from skyedge.time import FOREVER, HOUR, MINUTE, SECOND

NETWORK = TerrestrialNetwork(
    {"here": Place(0, 0), "there": Place(0, 20), "site": Place(1, 0), "plane": Place(0, 0), "users": Place(5, 5)}
)
LINE = LineProfile(NETWORK, 100.0, SECOND)
SERVICE = ModelService("ground", "q50", 2.0, 10.0)
CAPTURED = np.arange(100, dtype=np.int64) * MINUTE
ZONE = np.arange(100, dtype=np.int64) % 10


def cluster(**changes):
    given = {
        "name": "here",
        "service": SERVICE,
        "replicas": 1,
        "outages": (),
        "start_us": 20 * SECOND,
        "control_plane": "plane",
        "peers": ("there",),
        "line": LINE,
        "tiers": {"site-edge": "edge"},
        "zone": ZONE,
        "captured_at": CAPTURED,
        "announces": True,
        "answer_bytes": 100_000,
    }
    drive = Drive(RegionalCluster(ClusterProfile(**{**given, **changes})), lambda model, view, scenes: np.eye(100)[scenes])
    drive.give(Started(), 0)
    return drive


def items(scenes, kind=KIND_SCENE, at=0):
    count = len(scenes)
    return Items(
        np.array(scenes, np.int32),
        np.full(count, kind, np.uint8),
        np.full(count, 1000),
        np.full(count, at, np.int64),
        np.zeros(count, np.int16),
        np.ones(count, np.float32),
    )


def submit(drive, number, what, at):
    hops = NETWORK.path("site", "here").hops
    drive.give(
        Submitted("site", hops, (Stamp("scene", what.total_bytes, len(what)),), number, what.moved(what.at * 0 + at)), at
    )


def message(kind, sender, **content):
    return kind(sender, 2, (Stamp("control", 200),), **content)


def sent(drive, kind):
    return [send.event for send in drive.sent if isinstance(send.event, kind)]


def answered(drive):
    columns = [
        record.columns for record in drive.records if record.table == "answers" and record.columns["tier"] == "ground"
    ]
    return {
        scene: at for one in columns for scene, at in zip(one["scene"].tolist(), one["answered_at"].tolist(), strict=True)
    }


def test_pictures_are_answered_in_order_and_the_sender_hears_of_it_twice():
    drive = cluster()
    submit(drive, 7, items([3, 4]), MINUTE)
    (accepted,) = sent(drive, Accepted)
    assert (accepted.number, accepted.pictures, accepted.behind_s) == (7, 2, 4.0)
    assert drive.node.earliest_send() == MINUTE + 4 * SECOND
    drive.run_until(2 * MINUTE)
    assert answered(drive) == {3: MINUTE + 2 * SECOND, 4: MINUTE + 4 * SECOND}
    assert [done.number for done in sent(drive, Completed)] == [7]
    assert drive.node.earliest_send() == FOREVER


def test_answers_of_satellites_are_handed_over_at_once():
    drive = cluster()
    submit(drive, 1, items([5], KIND_RESULT), MINUTE)
    assert [record.columns["tier"] for record in drive.records if record.table == "answers"] == ["on-board"]
    assert sent(drive, Accepted)[0].pictures == 0


def test_an_outage_loses_what_is_not_done_and_what_comes_then_and_nothing_else():
    out = (MINUTE + 5 * SECOND, MINUTE + 60 * SECOND)
    drive = cluster(outages=(out,))
    submit(drive, 1, items([1, 2, 3, 4]), MINUTE)  # done after 2, 4, 6 and 8 seconds
    submit(drive, 2, items([5, 6]), MINUTE + 30 * SECOND)  # while it is out
    drive.run_until(2 * MINUTE)
    submit(drive, 3, items([7]), 3 * MINUTE)
    drive.run_until(4 * MINUTE)
    assert sorted(answered(drive)) == [1, 2, 7]
    assert answered(drive)[2] == MINUTE + 4 * SECOND
    assert [done.number for done in sent(drive, Completed)] == [3]
    drive.give(Ended(), 4 * MINUTE)
    (figures,) = [record.columns for record in drive.records if record.table == "clusters"]
    assert (figures["lost_at_work"], figures["lost_on_arrival"], figures["answered"]) == (2, 2, 3)
    assert drive.ledger.total_bytes("lost") == 2000


def test_replicas_come_back_after_an_outage_and_take_their_time():
    drive = cluster(outages=((MINUTE, 2 * MINUTE),))
    drive.run_until(2 * MINUTE + 19 * SECOND)
    assert not sent(drive, Serving)
    assert drive.node.earliest_send() == 2 * MINUTE + 20 * SECOND
    drive.run_until(3 * MINUTE)
    assert [serving.replicas for serving in sent(drive, Serving)] == [1]


def test_a_cluster_without_replicas_refuses_pictures_until_it_is_told_to_run_some():
    drive = cluster(replicas=0)
    submit(drive, 1, items([1]), MINUTE)
    assert sent(drive, Accepted)[0].refused
    drive.give(message(Run, "plane", replicas=2), 2 * MINUTE)
    submit(drive, 2, items([2]), 2 * MINUTE + 10 * SECOND)
    assert sent(drive, Accepted)[1].refused
    submit(drive, 3, items([3]), 3 * MINUTE)
    assert not sent(drive, Accepted)[2].refused
    drive.run_until(4 * MINUTE)
    assert answered(drive) == {3: 3 * MINUTE + SECOND}  # two replicas are twice as fast
    assert [serving.replicas for serving in sent(drive, Serving)] == [2]


def test_an_order_that_is_taken_back_before_it_is_carried_out_changes_nothing():
    drive = cluster(replicas=0)
    drive.give(message(Run, "plane", replicas=2), MINUTE)
    drive.give(message(Run, "plane", replicas=0), MINUTE + SECOND)
    drive.run_until(HOUR)
    assert [serving.replicas for serving in sent(drive, Serving)] == [0]
    submit(drive, 1, items([1]), HOUR)
    assert sent(drive, Accepted)[0].refused


def test_a_user_gets_what_the_cluster_holds_and_the_clock_runs_to_the_microsecond():
    drive = cluster()
    submit(drive, 1, items([14, 4], KIND_RESULT), HOUR)  # both over zone 4; scene 14 is newer
    (news,) = sent(drive, Holds)
    assert (news.zone.tolist(), news.captured_at.tolist()) == ([4], [14 * MINUTE])
    asked_at = 2 * HOUR - 123
    drive.give(message(Asked, "users", number=9, zone=4, at=asked_at), 2 * HOUR)
    (answer,) = sent(drive, Answered)
    assert (answer.number, answer.captured_at, answer.fetched) == (9, 14 * MINUTE, False)
    assert answer.at == asked_at + 8000 + NETWORK.path("here", "users").latency_us  # 100 kB at 100 Mbit/s take 8 ms


def test_what_another_cluster_holds_is_fetched_once_and_then_is_here():
    drive = cluster()
    drive.give(message(Holds, "there", zone=np.array([4]), captured_at=np.array([9 * MINUTE])), HOUR)
    for number in (1, 2):
        drive.give(message(Asked, "users", number=number, zone=4, at=HOUR), (1 + number) * HOUR)
        for fetch in sent(drive, Fetch)[number - 1 :]:
            back = message(Fetched, "there", number=fetch.number, captured_at=9 * MINUTE, at=HOUR + SECOND)
            drive.give(back, (1 + number) * HOUR + SECOND)
    assert len(sent(drive, Fetch)) == 1
    assert [answer.fetched for answer in sent(drive, Answered)] == [True, False]


def test_nobody_has_an_answer_over_a_zone_that_was_never_seen():
    drive = cluster()
    drive.give(message(Asked, "users", number=1, zone=8, at=HOUR), HOUR)
    assert sent(drive, Answered)[0].captured_at == -1


def test_a_training_begins_when_all_of_its_data_are_there():
    kind = TrainingKind("retrain", HOUR, HOUR, 10 * MINUTE)
    drive = cluster(trainings=(kind,))
    submit(drive, 1, items([1, 2]), MINUTE)
    drive.run_until(HOUR + MINUTE)
    order = {"training": "retrain", "number": 1, "home": "here", "senders": ("here", "there")}
    drive.give(message(Train, "plane", **order), HOUR + MINUTE)
    data = TrainingData("there", 3, (Stamp("scene", 5000),), "retrain", 1)
    drive.give(data, HOUR + 2 * MINUTE)
    drive.run_until(HOUR + 30 * MINUTE)
    (row,) = [record.columns for record in drive.records if record.table == "trainings"]
    assert (row["data_bytes"], row["moved_bytes"], row["begun_at"]) == (7000, 5000, HOUR + 2 * MINUTE)


def test_whoever_is_no_home_sends_what_it_has_put_by():
    drive = cluster(trainings=(TrainingKind("retrain", HOUR, HOUR, MINUTE),))
    submit(drive, 1, items([1, 2]), MINUTE)
    drive.run_until(HOUR + MINUTE)
    order = {"training": "retrain", "number": 1, "home": "there", "senders": ("here", "there")}
    drive.give(message(Train, "plane", **order), HOUR + MINUTE)
    (data,) = sent(drive, TrainingData)
    assert data.stamps == (Stamp("scene", 2000),)


def test_a_cluster_says_that_it_is_alive_if_it_is():
    drive = cluster(outages=((MINUTE, 2 * MINUTE),))
    drive.give(message(Probe, "site", number=4), 90 * SECOND)
    assert not sent(drive, Alive)
    drive.give(message(Probe, "site", number=5), 3 * MINUTE)
    assert [word.number for word in sent(drive, Alive)] == [5]
