"""The control plane orders and tells; less is ordered only when more serves, and what has moved stays."""

from skyedge.events import Ended, Started
from skyedge.layers.federation.objects import NodePool
from skyedge.layers.paths.terrestrial import Place, TerrestrialNetwork
from skyedge.layers.scheduler.objects import PodShape
from skyedge.nodes.control_plane import GATHERING_US, ControlPlane, ControlPlaneProfile, Watched
from skyedge.nodes.messages import Gathered, Run, Serving, Stamp, Told, Train
from skyedge.nodes.propagation import left_beside
from skyedge.nodes.terrestrial_line import LineProfile
from skyedge.nodes.training_desk import TrainingKind
from skyedge.testing import Drive
from skyedge.time import FOREVER, HOUR, MINUTE, SECOND

NETWORK = TerrestrialNetwork({"plane": Place(0, 0), "a": Place(0, 1), "b": Place(0, 2), "site": Place(0, 3)})
LINE = LineProfile(NETWORK, 100.0, SECOND)
A_OUT = Watched("a", MINUTE, 10 * MINUTE, MINUTE + 3 * SECOND, 11 * MINUTE)


class First:
    """Everything stays where it is, or goes on the first of a list that is not out; what was asked is kept."""

    def __init__(self, *order):
        self.order = list(order)
        self.asked = []

    def place(self, now, out, scheduled, data_bytes):
        self.asked.append((now, sorted(out), dict(scheduled), dict(data_bytes)))
        held = [name for name in scheduled if name not in out]
        there = [name for name in (held or self.order) if name not in out]
        return {there[0]: 2} if there else {}


def plane(places, watched=(A_OUT,), trainings=(), **changes):
    given = {
        "name": "plane",
        "clusters": ("a", "b"),
        "informed": ("site",),
        "initial": {"a": 2},
        "model": places,
        "trainings": trainings,
        "moves": True,
        "decision_us": 32_000,
        "image_bytes": 1_000_000,
        "watched": watched,
        "report_period_us": 10 * SECOND,
        "rebalance_us": 0,
        "line": LINE,
    }
    drive = Drive(ControlPlane(ControlPlaneProfile(**{**given, **changes})))
    drive.give(Started(), 0)
    return drive


def sent(drive, kind):
    return [(send.target, send.event) for send in drive.sent if isinstance(send.event, kind)]


def serving(drive, cluster, replicas, at):
    drive.give(Serving(cluster, 2, (Stamp("control", 200),), replicas), at)


def test_what_a_dead_cluster_ran_goes_elsewhere_with_its_image_and_everybody_hears_of_it():
    drive = plane(First("a", "b"))
    assert drive.node.earliest_send() == A_OUT.declared_at + 32_000
    drive.run_until(2 * MINUTE)
    ((target, order),) = sent(drive, Run)
    assert (target, order.replicas, order.stamps) == ("b", 2, (Stamp("model", 1_000_000),))
    assert {name for name, _ in sent(drive, Told)} == {"b", "site"}  # nobody talks to the dead
    assert dict(sent(drive, Told)[-1][1].replicas) == {"a": -1, "b": 0}
    serving(drive, "b", 2, 3 * MINUTE)
    assert dict(sent(drive, Told)[-1][1].replicas) == {"a": -1, "b": 2}
    drive.run_until(12 * MINUTE)
    assert sent(drive, Run)[-1][1].replicas == 0  # to the one that is back: what has moved stays
    drive.give(Ended(), HOUR)
    (row,) = [record.columns for record in drive.records if record.table == "failovers"]
    assert (row["moved_to"], row["serving_at"] - row["out_at"]) == (["b"], 2 * MINUTE)


def test_nothing_is_ordered_where_there_is_nowhere_to_go():
    drive = plane(First("a"))
    drive.run_until(2 * MINUTE)
    assert not sent(drive, Run)
    drive.run_until(12 * MINUTE)
    assert [(name, order.replicas) for name, order in sent(drive, Run)] == [("a", 2)]


def test_who_moves_nothing_tells_nothing():
    drive = plane(First("a", "b"), moves=False)
    drive.run_until(HOUR)
    assert drive.sent == []
    assert drive.node.earliest_send() == FOREVER
    drive.give(Ended(), HOUR)
    (row,) = [record.columns for record in drive.records if record.table == "failovers"]
    assert (row["declared_at"], row["moved_to"]) == (A_OUT.declared_at, [])  # seen it was, all the same


def test_less_is_ordered_only_when_more_serves():
    places = First("a", "b")
    drive = plane(places, watched=(), rebalance_us=HOUR)
    places.order = ["b", "a"]
    drive.run_until(HOUR + MINUTE)
    assert [(name, order.replicas) for name, order in sent(drive, Run)] == [("b", 2)]
    serving(drive, "b", 2, HOUR + 2 * MINUTE)
    assert [(name, order.replicas) for name, order in sent(drive, Run)] == [("b", 2), ("a", 0)]


def test_reports_are_in_the_ledger_and_a_dead_cluster_sends_none():
    drive = plane(First("a", "b"))
    drive.run_until(HOUR)
    drive.give(Ended(), HOUR)
    arrived = [row for row in drive.ledger.rows() if row.link.destination == "plane" and row.state == "delivered"]
    by_cluster = {row.link.source: row.objects for row in arrived}
    assert by_cluster == {"a": 306, "b": 360}


def test_a_training_is_placed_with_what_clusters_say_that_they_have():
    places = First("b", "a")
    drive = plane(First("a"), watched=(), trainings=((TrainingKind("retrain", HOUR, HOUR, MINUTE), places),))
    for cluster, size in (("a", 5), ("b", 7)):
        drive.give(Gathered(cluster, 2, (Stamp("control", 200),), "retrain", size), HOUR + SECOND)
    drive.run_until(HOUR + MINUTE)
    assert places.asked == [(HOUR + GATHERING_US, [], {}, {"a": 5, "b": 7})]
    assert [(name, order.home, order.senders) for name, order in sent(drive, Train)] == [
        ("a", "b", ("a", "b")),
        ("b", "b", ("a", "b")),
    ]


def test_room_is_what_is_left_beside_the_replicas_that_run():
    shape = PodShape((("cpu", 4000),))
    pools = (NodePool(3, {"cpu": 10_000}),)
    left = left_beside(pools, shape, 3)  # one node is full with two, one has one
    assert [(pool.count, pool.free["cpu"]) for pool in left] == [(1, 6000), (1, 10_000)]
    assert left_beside(pools, shape, 0) == pools
    assert left_beside(pools, shape, 6) == ()
