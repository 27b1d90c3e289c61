"""Federation and mesh in the flown experiment: where the big model runs, where pictures, questions and trainings go."""

import numpy as np
import pytest

from skyedge.experiment.federation_metrics import ALL_FEDERATION_METRICS
from skyedge.experiment.figures import cluster_shares
from skyedge.experiment.loading import canonical, load_experiment
from skyedge.experiment.metrics import METRICS
from skyedge.experiment.records import RunRecord
from skyedge.experiment.run import run_arm
from skyedge.nodes.user_city import LOST, OPEN, SERVED
from skyedge.resources import find
from skyedge.space.sites import Sites
from tests.experiment.flown_federation import (
    AWAY,
    BENT,
    EVERYTHING,
    NORTH,
    NORTH_FIRST,
    OUTAGE,
    SKYEDGE,
    TRAINING,
    USERS,
    figures,
    run,
    said,
    same,
)
from tests.experiment.two_days import measured


def test_a_file_without_the_layers_decides_what_it_always_did():
    assert canonical(load_experiment("slice"))["layers"] == {}
    record, scenes = run_arm(load_experiment("slice", BENT), "bent", 0, None)
    plain = measured(record, scenes)
    assert not set(plain) & set(ALL_FEDERATION_METRICS)
    assert {row.link.destination for row in record.ledger.rows() if row.link.segment == "terrestrial"} == {"cloud"}


def test_wherever_the_big_model_runs_the_same_pictures_get_the_same_answers():
    record, _ = run_arm(load_experiment("slice", BENT), "bent", 0, None)
    assert said(record) == said(run()[0]) == said(run(AWAY)[0])


@pytest.mark.parametrize("hosting", ["runtime.hosts=2", "runtime.hosts=4", "runtime.hosting=per-node"])
def test_hosting_changes_no_digit_of_a_federation_with_users_trainings_and_an_outage(hosting):
    whole, _ = run(*EVERYTHING)
    cut, _ = run(*EVERYTHING, hosting)
    same(whole, cut)
    assert cut.effort["windows"] > 1 == whole.effort["windows"]
    assert whole.federation["failovers"][0]["moved_to"] == ["away"] or whole.federation["failovers"][0]["moved_to"] == [
        "south"
    ]
    assert whole.federation["trainings"]
    assert len(whole.requests["fate"]) > 100


def test_an_edge_node_sends_on_through_the_mesh_and_hosting_changes_nothing():
    edge = ("pipeline.edge_node=true", "pipeline.edge_accept_confidence=0.3")
    whole, _ = run(*edge)
    same(whole, run(*edge, "runtime.hosting=per-node")[0])
    assert 1 in whole.answers["tier"]


def test_a_record_of_a_federation_comes_back_as_it_was_saved(tmp_path):
    record, _ = run(*EVERYTHING)
    record.save(tmp_path / "record.npz")
    same(record, RunRecord.load(tmp_path / "record.npz"))


def test_clusters_behind_the_stations_save_bytes_times_hops():
    assert figures()["picture_mb_hops"] < 0.4 * figures(AWAY)["picture_mb_hops"]
    assert figures()["downlink_delivered_mb"] == figures(AWAY)["downlink_delivered_mb"]


def places():
    sites = Sites.from_csv(find("sites/tiansuan.csv", kind="orbit"))
    found = dict(zip(sites.names, zip(sites.lat_deg.tolist(), sites.lon_deg.tolist(), strict=True), strict=True))
    found |= {"north": found["Beijing"], "south": found["Changsha"], "away": (50.1, 8.7), "control-plane": found["Beijing"]}
    return found | {"users-Beijing": (39.9, 116.4), "users-Rome": (41.9, 12.5)}


def hops_by_hand(one, other):
    """The haversine, the detour of ITU-T Y.1541, a router every 1,000 km and one at each end."""
    (lat, lon), (other_lat, other_lon) = np.radians(one), np.radians(other)
    haversine = np.sin((lat - other_lat) / 2) ** 2 + np.cos(lat) * np.cos(other_lat) * np.sin((lon - other_lon) / 2) ** 2
    km = 2 * 6371 * np.arcsin(np.sqrt(haversine))
    return 2 + int((1.5 * km if km < 1000 else max(1500, 1.25 * km)) // 1000)


def test_every_terrestrial_byte_is_in_the_ledger_with_the_hops_of_its_great_circle():
    where = places()
    rows = [row for row in run(*EVERYTHING)[0].ledger.rows() if row.link.segment == "terrestrial"]
    assert {row.link.traffic for row in rows} == {"scene", "result", "model", "control"}
    for row in rows:
        assert row.link.hops == hops_by_hand(where[row.link.source], where[row.link.destination]), row.link


def test_bytes_times_hops_of_pictures_are_those_of_what_the_dispatchers_say_they_sent():
    record, _ = run(NORTH_FIRST, OUTAGE, SKYEDGE)
    where = places()
    (picture_bytes,) = {
        row.size_bytes // row.objects
        for row in record.ledger.rows()
        if row.link.segment == "downlink" and row.link.traffic == "scene" and row.state == "delivered"
    }
    sent = sum(
        count * hops_by_hand(where[row["node"]], where[cluster])
        for row in record.federation["dispatchers"]
        for cluster, count in row["sent"].items()
    )
    assert figures(NORTH_FIRST, OUTAGE, SKYEDGE)["picture_mb_hops"] == pytest.approx(sent * picture_bytes / 1e6)


def test_twice_the_hops_is_twice_the_bytes_times_hops_and_changes_nothing_else():
    near = "layers.federation.network={base_hops: 2, km_per_hop: 100000000}"
    far = "layers.federation.network={base_hops: 4, km_per_hop: 100000000}"
    once, twice = run(near)[0], run(far)[0]
    assert twice.ledger.byte_hops("offered", segment="terrestrial") == 2 * once.ledger.byte_hops(
        "offered", segment="terrestrial"
    )
    for name, column in once.answers.items():
        assert np.array_equal(column, twice.answers[name])


def test_an_image_is_brought_to_every_cluster_that_runs_the_model():
    bytes_ = run()[0].ledger.total_bytes("delivered", segment="terrestrial", traffic="model")
    assert bytes_ == 3 * run(AWAY)[0].ledger.total_bytes("delivered", segment="terrestrial", traffic="model") == 3 * 10**9


def test_the_nearest_cluster_looks_at_the_pictures_of_a_station():
    for row in run()[0].federation["dispatchers"]:
        busiest = max(row["sent"], key=row["sent"].get)
        assert busiest == {"Beijing": "north", "Changsha": "south"}.get(row["node"], busiest)
        assert sum(row["sent"].values()) == row["sent"][busiest]


def test_shares_by_locality_send_part_of_the_pictures_elsewhere():
    record, _ = run("layers.mesh.balance=distribute", "layers.mesh.distribute={'*': {cn: 60, eu: 40}}")
    sent = {name: sum(row["sent"][name] for row in record.federation["dispatchers"]) for name in ("north", "south", "away")}
    assert 0.2 < sent["away"] / sum(sent.values()) < 0.6


def test_users_are_answered_from_where_an_answer_is_and_lose_questions_only_in_an_outage():
    record, _ = run(USERS)
    fate = record.requests["fate"]
    assert not (fate == LOST).any()
    assert (fate == SERVED).sum() > 0.5 * len(fate)
    assert (record.requests["fetched"][fate == SERVED]).any()
    settled = fate < OPEN
    assert (record.requests["latency_us"][settled & (fate != LOST)] > 2000).all()
    served = fate == SERVED
    assert (record.requests["captured_at"][served] < record.requests["at"][served]).all()
    rome, beijing = (
        record.requests["latency_us"][served & (record.requests["city"] == name)] for name in ("users-Rome", "users-Beijing")
    )
    assert np.median(beijing) < 10**5 < 10**6 > np.median(rome)
    alone = run(USERS, NORTH, OUTAGE)[0].requests["fate"]
    assert (alone == LOST).any()


def test_a_training_runs_where_most_of_its_data_is_and_only_the_rest_moves():
    record, _ = run(TRAINING)
    trainings = record.federation["trainings"]
    assert trainings
    for row in trainings:
        assert row["moved_bytes"] <= row["data_bytes"]
        assert row["begun_at"] >= row["asked_at"]
    moved = sum(row["moved_bytes"] for row in trainings)
    assert 0 < moved < sum(row["data_bytes"] for row in trainings)
    links = [row for row in record.ledger.rows() if row.state == "delivered" and row.link.traffic == "scene"]
    between = sum(row.size_bytes for row in links if row.link.source in ("north", "south", "away"))
    assert between >= moved


def test_shares_of_clusters_are_drawn_only_where_there_are_clusters():
    plain, _ = run_arm(load_experiment("slice", BENT), "bent", 0, None)
    assert cluster_shares({"plain": plain}) == ""
    drawn = cluster_shares({"plain": plain, "regional": run()[0]})
    assert all(name in drawn for name in ("regional", "north", "south", "away"))


def test_every_figure_of_a_federation_can_be_claimed():
    found = {name for name in figures(*EVERYTHING) if name in ALL_FEDERATION_METRICS}
    assert found == set(ALL_FEDERATION_METRICS) <= set(METRICS)
