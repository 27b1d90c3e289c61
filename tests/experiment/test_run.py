"""The whole loop on a small world: its books balance, hosting changes nothing, and the sanity checks hold."""

from functools import cache

import numpy as np
import pytest

from skyedge.experiment.loading import load_experiment
from skyedge.experiment.metrics import counted_answers
from skyedge.experiment.run import assemble_arm, record_path, run_arm, run_experiment
from skyedge.time import parse_duration
from tests.experiment.two_days import measured, same_flight

SMALL = ["time.duration=2d", "space.constellation=constellations/tiansuan.yaml", "space.sites=sites/tiansuan.csv"]


@cache
def experiment(*overrides):
    return load_experiment("slice", [*SMALL, *overrides])


@cache
def run(arm, *overrides):
    chosen = experiment(*overrides)
    record, scenes = run_arm(chosen, arm, 0, None)
    return record, scenes


def figures(arm, *overrides):
    record, scenes = run(arm, *overrides)
    return measured(record, scenes)


def same(first, second):
    same_flight(first, second, "answers")


@pytest.mark.parametrize("hosts", [2, 4])
def test_the_same_answers_to_the_last_digit_however_many_hosts(hosts):
    whole, _ = run("collaborative")
    cut, _ = run("collaborative", f"runtime.hosts={hosts}")
    same(whole, cut)
    assert cut.effort["windows"] > 1 == whole.effort["windows"]
    assert len(whole.answers["scene"]) > 200


def test_a_node_of_its_own_for_each_and_an_edge_node_change_no_digit_either():
    edge = ["pipeline.edge_node=true", "pipeline.edge_accept_confidence=0.3"]
    whole, _ = run("collaborative", *edge)
    scattered, _ = run("collaborative", *edge, "runtime.hosting=per-node")
    same(whole, scattered)
    assert 1 in whole.answers["tier"]


def test_an_edge_node_saves_backhaul():
    with_edge = figures("collaborative", "pipeline.edge_node=true", "pipeline.edge_accept_confidence=0.3")
    assert with_edge["backhaul_mb_hops"] < figures("collaborative")["backhaul_mb_hops"]


def test_an_unlimited_link_makes_collaboration_equal_the_big_model():
    unlimited = ["pipeline.unlimited_links=true", "terrestrial.backhaul_mbps=1000000", "pipeline.scene_view=camera"]
    both = figures("collaborative", *unlimited, "pipeline.miner={name: CloudOnly}", "pipeline.cloud_filter=none")
    big = figures("collaborative", *unlimited, "pipeline.mode=bent-pipe")
    assert both["accuracy"] == big["accuracy"]
    assert big["answered_share"] == 1


def test_no_link_for_pictures_makes_collaboration_equal_in_orbit():
    slow = "space.link={low_rate_mbps: 0.002, high_rate_mbps: 0.002}"
    assert figures("collaborative", slow)["accuracy"] == figures("in-orbit", slow)["accuracy"]
    assert figures("collaborative", slow)["answered_by_ground"] == 0


def test_twice_the_pictures_on_a_full_link_deliver_no_more_bytes():
    raw = [
        "pipeline.mode=bent-pipe",
        "pipeline.scene_view=camera",
        "space.link={low_rate_mbps: 6, high_rate_mbps: 12}",
        "space.sites=[{name: T, lat_deg: 35, lon_deg: 109, height_m: 0}]",
    ]
    sparse = figures("collaborative", *raw, "pipeline.deadline=40h")
    dense = figures("collaborative", *raw, "pipeline.deadline=40h", "imagery.camera.bands=6")
    assert dense["downlink_demanded_mb"] == pytest.approx(2 * sparse["downlink_demanded_mb"])
    assert (
        dense["downlink_delivered_mb"] <= sparse["downlink_delivered_mb"] + 6 * 144
    )  # a raw picture in the air for each satellite


def test_shuffled_labels_give_no_gain():
    draw = np.random.default_rng(0)
    scores = {}
    for arm in ("in-orbit", "collaborative"):
        record, scenes = run(arm)
        said = counted_answers(record, scenes, parse_duration("12h")).predicted
        scores[arm] = [(said == draw.permutation(scenes.label)).mean() for _ in range(50)]
    assert abs(np.mean(scores["collaborative"]) - np.mean(scores["in-orbit"])) < 0.02


def test_a_reboot_costs_pictures_and_the_books_still_balance():
    fault = "faults=[{kind: reboot, target: tiansuan-1, after: 1d, duration: 6h}]"
    record, _ = run("collaborative", fault)
    skipped = (record.fates["fate"] == "skipped").sum()
    assert skipped > 0
    assert len(record.answers["scene"]) < len(run("collaborative")[0].answers["scene"])


def test_a_silent_station_leaves_its_pictures_waiting():
    fault = "faults=[{kind: station-outage, target: Beijing, after: 0h, duration: 2d}]"
    assert figures("in-orbit", fault)["latency_p50_min"] > figures("in-orbit")["latency_p50_min"]


def test_a_stopped_run_goes_on_from_its_records(tmp_path):
    chosen = experiment()
    first = next(run_experiment(chosen, tmp_path, resume=False))[0]
    assert record_path(chosen, tmp_path, first.arm, first.seed).exists()
    again = list(run_experiment(chosen, tmp_path, resume=True))
    assert [(record.arm, scenes is None) for record, scenes in again] == [("in-orbit", True), ("collaborative", False)]
    same(again[0][0], first)


def test_answers_do_not_come_before_their_pictures():
    record, scenes = run("collaborative")
    assert (record.answers["answered_at"] > scenes.captured_at[record.answers["scene"]]).all()


def test_wiring_needs_no_torch_in_the_nodes():
    _, assembly = assemble_arm(experiment(), "collaborative", 0, None)
    assert assembly.names[0] == "cloud"
    assert len(assembly.channels) > 10
