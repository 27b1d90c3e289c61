"""A satellite keeps its books, waits for its passes, and survives a loss of power."""

import numpy as np
import pytest

from skyedge.events import Arrived, Ended, Rebooted, SessionOpened, Started, no_items
from skyedge.inference.cloud_filter import CloudFilter
from skyedge.inference.miners import CloudOnly, EdgeOnly
from skyedge.nodes.satellite import Satellite
from skyedge.nodes.satellite_profile import OnBoardModel, SatelliteProfile, Session
from skyedge.space.power import Battery, PowerProfile
from skyedge.testing import Drive
from skyedge.time import DAY, FOREVER, HOUR, MINUTE, SECOND

CAPTURED = np.arange(12, dtype=np.int64) * MINUTE + HOUR
SCENE_BYTES = 1_000_000


def session(opens, closes, rate_bytes_s):
    times = np.array([opens, closes], np.int64)
    return Session(closes, times, np.array([0.0, (closes - opens) / SECOND * rate_bytes_s]), 0.01, 5000)


def satellite(**changes):
    plan = {
        "name": "sat",
        "seed": 0,
        "strips": tuple((int(CAPTURED[i + 3]) + SECOND, np.arange(i, i + 4, dtype=np.int32)) for i in (0, 4, 8)),
        "captured_at": CAPTURED,
        "cloud_network": OnBoardModel("cloud_filter", 0.1, 1.0),
        "cloud_filter": CloudFilter(0.5),
        "model": OnBoardModel("flight", 1.0, 5.0),
        "miner": CloudOnly(),
        "mine_first": False,
        "worth_sending": None,
        "temperature": 1.0,
        "scene_bytes": SCENE_BYTES,
        "result_bytes": 64,
        "scene_expiry_us": 10 * HOUR,
        "result_expiry_us": 10 * HOUR,
        "storage_bytes": 10**12,
        "transfer_burst_us": MINUTE,
        "transmit_w": 20.0,
        "reboot_us": 10 * MINUTE,
        "sessions": {0: session(2 * HOUR, 2 * HOUR + 10 * MINUTE, 100_000), 1: session(4 * HOUR, 5 * HOUR, 100_000)},
    }
    times = np.arange(0, DAY, MINUTE)
    battery = Battery(PowerProfile(), times, np.arange(len(times)) * 36.0)
    return Satellite(SatelliteProfile(**{**plan, **changes}), battery)


def answer(model, view, scenes):
    assert view == "camera"
    if model == "cloud_filter":  # every third scene is cloudy
        return np.array([[0.0, 5.0] if scene % 3 == 0 else [5.0, 0.0] for scene in scenes], np.float32)
    return np.eye(8, dtype=np.float32)[scenes % 8] * 4


def flown(node, until=3 * HOUR):
    drive = Drive(node, answer)
    drive.give(Started(), 0)
    drive.run_until(2 * HOUR)
    drive.give(SessionOpened("station", 0, no_items()), 2 * HOUR)
    drive.run_until(until)
    return drive


def test_cloudy_scenes_stay_and_answers_come_before_pictures():
    drive = flown(satellite())
    arrived = [send.event for send in drive.sent]
    assert all(isinstance(event, Arrived) for event in arrived)
    first = arrived[0].items
    assert first.kind[:8].tolist() == [0] * 8  # the eight answers
    assert set(np.concatenate([e.items.scene for e in arrived]).tolist()) == {i for i in range(12) if i % 3}
    filtered = [r.columns for r in drive.records if r.table == "fates" and r.columns["fate"] == "filtered"]
    assert sorted(np.concatenate([c["scene"] for c in filtered]).tolist()) == [0, 3, 6, 9]


def test_the_ledger_balances_when_the_pass_is_too_short():
    drive = flown(satellite(sessions={0: session(2 * HOUR, 2 * HOUR + 35 * SECOND, 100_000)}))
    drive.give(Ended(), 6 * HOUR)
    drive.ledger.check_balance()
    assert drive.ledger.total_bytes("delivered", traffic="scene") == 3 * SCENE_BYTES
    assert drive.ledger.total_bytes("waiting", traffic="scene") == 5 * SCENE_BYTES


def test_what_waits_too_long_expires_and_is_accounted_for():
    drive = flown(satellite(scene_expiry_us=30 * MINUTE))
    drive.give(Ended(), 6 * HOUR)
    drive.ledger.check_balance()
    assert drive.ledger.total_bytes("expired", traffic="scene") == 8 * SCENE_BYTES
    assert drive.ledger.total_bytes("delivered", traffic="result") == 8 * 64


def test_without_a_session_nothing_is_sent_and_nothing_will_be():
    node = satellite()
    drive = Drive(node, answer)
    drive.give(Started(), 0)
    drive.run_until(12 * HOUR)
    assert drive.sent == []
    assert node.earliest_send() == FOREVER


def test_edge_only_sends_answers_and_no_pictures():
    drive = flown(satellite(miner=EdgeOnly()))
    assert drive.ledger.total_bytes("offered", traffic="scene") == 0
    assert drive.ledger.total_bytes("delivered", traffic="result") == 8 * 64


def test_a_bent_pipe_sends_every_picture():
    drive = flown(satellite(model=None, miner=None, cloud_network=None, cloud_filter=None))
    assert drive.ledger.total_bytes("offered", traffic="scene") == 12 * SCENE_BYTES


def test_mining_before_inference_spares_the_computer():
    drive = flown(satellite(mine_first=True))
    assert not [r for r in drive.records if r.table == "energy" and r.columns["joules"] == 5.0]
    assert drive.ledger.total_bytes("offered", traffic="result") == 0
    assert drive.ledger.total_bytes("offered", traffic="scene") == 8 * SCENE_BYTES


def test_mining_before_inference_without_a_miner_infers_everything():
    drive = flown(satellite(mine_first=True, miner=None))
    arrived = np.concatenate([send.event.items.kind for send in drive.sent])
    assert len(arrived) == 8
    assert not arrived.any()  # answers, and no pictures


def test_the_queue_survives_a_reboot_and_the_pass_goes_on_next_time():
    node = satellite()
    drive = Drive(node, answer)
    drive.give(Started(), 0)
    drive.run_until(HOUR + 30 * MINUTE)
    drive.give(Rebooted({}), HOUR + 30 * MINUTE)
    drive.run_until(4 * HOUR)
    drive.give(SessionOpened("station", 1, no_items()), 4 * HOUR)
    drive.run_until(6 * HOUR)
    drive.give(Ended(), 6 * HOUR)
    drive.ledger.check_balance()
    assert drive.ledger.total_bytes("delivered", traffic="scene") == 8 * SCENE_BYTES


def test_pictures_taken_while_the_computer_restarts_are_skipped():
    drive = Drive(satellite(reboot_us=20 * HOUR), answer)
    drive.give(Started(), 0)
    drive.give(Rebooted({}), HOUR)
    drive.run_until(2 * HOUR)
    skipped = [r.columns["scene"] for r in drive.records if r.table == "fates" and r.columns["fate"] == "skipped"]
    assert len(np.concatenate(skipped)) == 12


def test_a_computer_without_power_waits_and_gives_up_when_it_is_too_late():
    drive = Drive(satellite(model=OnBoardModel("flight", 1.0, 1e9), result_expiry_us=HOUR), answer)
    drive.give(Started(), 0)
    drive.run_until(8 * HOUR)
    skipped = [r.columns["scene"] for r in drive.records if r.table == "fates" and r.columns["fate"] == "skipped"]
    assert len(np.concatenate(skipped)) == 8
    assert drive.sent == []


@pytest.mark.parametrize("storage", [2 * SCENE_BYTES + 10_000])
def test_a_full_store_loses_the_least_worthy(storage):
    drive = flown(satellite(storage_bytes=storage), until=2 * HOUR + 1)
    drive.give(Ended(), 6 * HOUR)
    drive.ledger.check_balance()
    assert drive.ledger.total_bytes("lost", traffic="scene") == 6 * SCENE_BYTES
