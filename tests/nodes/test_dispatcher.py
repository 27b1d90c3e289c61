"""What a proxy at a station knows, whom it chooses, and what it does when nobody answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.events import KIND_SCENE, Arrived, Ended, Items
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.outlier import OutlierConfig
from skyedge.layers.paths.terrestrial import Place, TerrestrialNetwork
from skyedge.nodes.backhaul import BackhaulProfile
from skyedge.nodes.cluster_choice import ChoiceRules, ClusterChoice, Target
from skyedge.nodes.dispatcher import Dispatcher, DispatchRules
from skyedge.nodes.ground_station import GroundStation, GroundStationProfile
from skyedge.nodes.messages import Accepted, Alive, Completed, Probe, Stamp, Submitted, Told
from skyedge.nodes.terrestrial_line import LineProfile, TerrestrialLine
from skyedge.streams import stream
from skyedge.testing import Drive
from skyedge.time import FOREVER, HOUR, MINUTE, SECOND

PLACES = {"site": Place(0, 0), "near": Place(0, 1), "far": Place(0, 40), "other": Place(0, 41)}
NETWORK = TerrestrialNetwork(PLACES)
LOCALITIES = {"near": Locality("a", "near"), "far": Locality("b", "far"), "other": Locality("b", "other")}
TARGETS = [Target(name, where, NETWORK.path("site", name).latency_us) for name, where in LOCALITIES.items()]
EVERYWHERE = {"near": 1, "far": 1, "other": 1}


def choice(rules=None, replicas=None, locality=LOCALITIES["near"], seed=0):
    draws = stream(seed, "site", "mesh")
    return ClusterChoice(TARGETS, locality, rules or ChoiceRules(), EVERYWHERE if replicas is None else replicas, draws)


def station(attempts=2, rules=None, replicas=None):
    onward = Dispatcher(
        choice(rules, replicas),
        TerrestrialLine("site", LineProfile(NETWORK, 100.0, SECOND)),
        DispatchRules(attempts, 10 * SECOND, 10 * MINUTE, SECOND),
    )
    return Drive(GroundStation(GroundStationProfile("site", "", None, BackhaulProfile(1, 1, 1), (), 0), onward))


def items(count, at=0):
    scenes = np.arange(count, dtype=np.int32)
    sizes, times = np.full(count, 1000), np.full(count, at, np.int64)
    return Items(
        scenes, np.full(count, KIND_SCENE, np.uint8), sizes, times, scenes.astype(np.int16), np.ones(count, np.float32)
    )


def submitted(drive):
    return [(send.target, send.event.number) for send in drive.sent if isinstance(send.event, Submitted)]


def word(kind, sender, **content):
    return kind(sender, 2, (Stamp("control", 200),), **content)


def lost(drive):
    return [scene for record in drive.records if record.table == "lost" for scene in record.columns["scene"].tolist()]


# ------------------------------------------------------------------------------------------------ the choice


def test_the_nearest_that_serves_gets_everything():
    assert choice().choose(0) == "near"
    assert choice(replicas={"far": 1, "other": 1}).choose(0) == "far"
    assert choice(replicas={}).choose(0) is None


def test_least_request_keeps_to_the_region_and_evens_out_what_is_in_hand():
    one = choice(ChoiceRules("least-request"), {"far": 1, "other": 1}, LOCALITIES["far"])
    assert {one.choose(0) for _ in range(20)} == {"far"}  # the caller's own zone comes before its region
    two = choice(ChoiceRules("least-request"), {"far": 1, "other": 1})
    for _ in range(100):
        two.active[two.choose(0)] += 1
    assert abs(two.active["far"] - two.active["other"]) <= 10


@settings(max_examples=30)
@given(st.integers(0, 2**31 - 1))
def test_shares_are_kept(seed):
    one = choice(ChoiceRules("distribute", (("a", {"a/near": 80, "b/far": 20}),)), seed=seed)
    picks = [one.choose(0) for _ in range(400)]
    assert 0.65 < picks.count("near") / 400 < 0.92
    assert "other" not in picks


def test_a_cluster_that_is_too_far_behind_spills_over_until_it_has_caught_up():
    one = choice(ChoiceRules(spill_over_s=30.0))
    one.heard("near", 50.0, MINUTE)
    assert one.choose(MINUTE) == "far"
    assert one.choose(MINUTE + 21 * SECOND) == "near"
    for name in ("far", "other"):
        one.heard(name, 99.0, MINUTE)
    assert one.choose(MINUTE) == "near"  # all are behind: being behind does not count


def test_a_cluster_that_fails_is_left_out_for_a_while_and_longer_each_time():
    one = choice(ChoiceRules(outlier=OutlierConfig(1, base_ejection_time_ms=30_000, max_ejection_percent=50)))
    one.failed("near", MINUTE)
    assert one.choose(MINUTE + SECOND) == "far"
    assert one.choose(MINUTE + 31 * SECOND) == "near"
    one.failed("near", MINUTE + 35 * SECOND)  # no sweep has forgiven the first time yet
    assert one.choose(MINUTE + 90 * SECOND) == "far"
    assert one.choose(MINUTE + 101 * SECOND) == "near"


# ------------------------------------------------------------------------------------------------ failures


def test_what_is_answered_is_forgotten():
    drive = station()
    drive.give(Arrived("sat", items(3)), MINUTE)
    assert submitted(drive) == [("near", 1)]
    assert drive.node.earliest_send() < FOREVER
    drive.give(word(Accepted, "near", number=1, pictures=3, behind_s=6.0), MINUTE + SECOND)
    drive.give(word(Completed, "near", number=1), MINUTE + 8 * SECOND)
    assert drive.node.earliest_send() == FOREVER
    drive.run_until(HOUR)
    assert submitted(drive) == [("near", 1)]


def test_what_nobody_takes_goes_to_another_cluster_as_often_as_is_allowed_and_is_lost_then():
    drive = station(attempts=1)
    drive.give(Arrived("sat", items(3)), MINUTE)
    drive.run_until(HOUR)
    assert [target for target, _ in submitted(drive)] == ["near", "far"]
    assert lost(drive) == [0, 1, 2]
    assert station(attempts=0).give(Arrived("sat", items(1)), 0)


def test_a_cluster_that_was_silent_is_asked_first_whether_it_is_there():
    drive = station(attempts=0)
    drive.give(Arrived("sat", items(2)), MINUTE)
    drive.run_until(2 * MINUTE)
    drive.give(Arrived("sat", items(2, at=3 * MINUTE)), 3 * MINUTE)
    probes = [send for send in drive.sent if isinstance(send.event, Probe)]
    assert len(submitted(drive)) == len(probes) == 1
    drive.give(word(Alive, "near", number=probes[0].event.number), 3 * MINUTE + SECOND)
    assert [target for target, _ in submitted(drive)] == ["near", "near"]


def test_a_word_of_the_control_plane_moves_what_is_under_way():
    drive = station()
    drive.give(Arrived("sat", items(2)), MINUTE)
    drive.give(word(Accepted, "near", number=1, pictures=2, behind_s=0.0), MINUTE + SECOND)
    told = (("near", -1), ("far", 1), ("other", 1))
    drive.give(word(Told, "plane", replicas=told), MINUTE + 2 * SECOND)
    drive.run_until(MINUTE + 4 * SECOND)
    assert [target for target, _ in submitted(drive)] == ["near", "far"]


def test_a_refusal_is_a_failure_and_no_outage():
    drive = station()
    drive.give(Arrived("sat", items(2)), MINUTE)
    drive.give(word(Accepted, "near", number=1, pictures=0, behind_s=0.0, refused=True), MINUTE + SECOND)
    drive.run_until(MINUTE + 4 * SECOND)
    assert [target for target, _ in submitted(drive)] == ["near", "far"]


NOBODY = (("near", -1), ("far", 0), ("other", 0))
SOMEBODY = (("near", -1), ("far", 1), ("other", 0))


@pytest.mark.parametrize("attempts", [0, 2])
def test_while_nobody_serves_what_lands_is_kept_for_however_long_and_goes_to_who_serves_first(attempts):
    drive = station(attempts)
    drive.give(word(Told, "plane", replicas=NOBODY), MINUTE)
    drive.give(Arrived("sat", items(3)), MINUTE + SECOND)
    drive.run_until(12 * HOUR)
    assert drive.node.earliest_send() == FOREVER
    assert not submitted(drive)
    drive.give(word(Told, "plane", replicas=SOMEBODY), 12 * HOUR)
    assert [target for target, _ in submitted(drive)] == ["far"]
    assert not lost(drive)


def test_what_was_at_a_cluster_when_it_died_waits_with_the_rest_if_it_may_be_sent_again():
    for attempts, expected in ((0, [0, 1]), (1, [])):
        drive = station(attempts)
        drive.give(Arrived("sat", items(2)), MINUTE)
        drive.give(word(Accepted, "near", number=1, pictures=2, behind_s=0.0), MINUTE + SECOND)
        drive.give(word(Told, "plane", replicas=NOBODY), MINUTE + 2 * SECOND)
        drive.run_until(HOUR)
        drive.give(word(Told, "plane", replicas=SOMEBODY), HOUR)
        assert lost(drive) == expected
        assert [target for target, _ in submitted(drive)] == ["near", "far"][: 1 + attempts]


def test_a_station_that_is_told_nothing_tries_in_vain_and_loses_what_lands():
    outlier = OutlierConfig(1, max_ejection_percent=100)
    drive = station(2, ChoiceRules(outlier=outlier), {"near": 1})
    drive.give(Arrived("sat", items(2)), MINUTE)
    drive.run_until(HOUR)
    assert lost(drive) == [0, 1]


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.integers(0, 3),
    st.integers(0, 30),
    st.dictionaries(st.integers(0, 5), st.sampled_from([NOBODY, SOMEBODY])),
)
def test_every_item_is_lost_left_or_done_and_the_ledger_knows_what_is_on_its_way(bursts, attempts, end_s, words):
    drive = station(attempts)
    for number, count in enumerate(bursts):
        if number in words:
            drive.give(word(Told, "plane", replicas=words[number]), number * SECOND)
        drive.give(Arrived("sat", items(count, at=number * SECOND)), number * SECOND)
    end = (len(bursts) + end_s) * SECOND
    drive.run_until(end)
    drive.give(Ended(), end)
    (figures,) = [record.columns for record in drive.records if record.table == "dispatchers"]
    assert figures["landed"] == sum(bursts) == figures["lost"] + figures["left"]
    on_the_way = sum(s.event.items.total_bytes for s in drive.sent if isinstance(s.event, Submitted) and _grid(s.at) >= end)
    assert drive.ledger.total_bytes("waiting", traffic="scene") == on_the_way


def _grid(at):
    return -(-at // SECOND) * SECOND


def test_nobody_can_be_sent_to_who_is_nowhere():
    with pytest.raises(InputError, match="nobody knows where 'nowhere' is"):
        NETWORK.path("site", "nowhere")
