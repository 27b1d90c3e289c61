"""Federation and mesh in the flown experiment: where the big model runs, where pictures and questions go, outages."""

from functools import cache

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.experiment.federation_layer import rules_from
from skyedge.experiment.federation_metrics import ALL_FEDERATION_METRICS
from skyedge.experiment.figures import cluster_shares
from skyedge.experiment.loading import canonical, load_experiment
from skyedge.experiment.metrics import METRICS, measure
from skyedge.experiment.preflight import check_experiment
from skyedge.experiment.records import RunRecord
from skyedge.experiment.run import run_arm, run_digest
from skyedge.layers.federation.division import Strategy
from skyedge.nodes.user_city import LOST, OPEN, SERVED
from skyedge.resources import find
from skyedge.space.sites import Sites
from skyedge.time import HOUR, SECOND, parse_duration

BENT = ["time.duration=2d", "arms={bent: {set: {pipeline.mode: bent-pipe}}}", "space.sites=sites/tiansuan.csv"]
CLUSTERS = (
    "layers.federation.clusters=["
    "{name: north, region: cn, at: Beijing, room: 2, carbon_g_per_kwh: 580, price_per_core_h: 0.04}, "
    "{name: south, region: cn, at: Changsha, room: 2, carbon_g_per_kwh: 580, price_per_core_h: 0.04}, "
    "{name: away, region: eu, lat_deg: 50.1, lon_deg: 8.7, room: 2, carbon_g_per_kwh: 380, price_per_core_h: 0.05}]"
)
AWAY = "layers.federation.policy={placement: {clusterAffinity: {clusterNames: [away]}}}"
NORTH_FIRST = (
    "layers.federation.policy={placement: {clusterAffinities: [{affinityName: home, clusterNames: [north]}, "
    "{affinityName: any}], spreadConstraints: [{spreadByField: cluster, minGroups: 1, maxGroups: 1}]}}"
)
CITIES = "[{name: Beijing, lat_deg: 39.9, lon_deg: 116.4}, {name: Rome, lat_deg: 41.9, lon_deg: 12.5}]"
USERS = f"layers.mesh.users={{cities: {CITIES}}}"
TRAINING = "layers.federation.trainings=[{name: retrain, every: 8h, duration: 30min}]"
OUTAGE = "faults=[{kind: cluster-outage, target: north, after: 12h, duration: 12h}]"
SKYEDGE = "layers.federation.failover=skyedge"


@cache
def run(*overrides):
    return run_arm(load_experiment("slice", [*BENT, CLUSTERS, *overrides]), "bent", 0, None)


def figures(*overrides):
    record, scenes = run(*overrides)
    return measure(record, scenes, parse_duration("12h"), record.start_us + parse_duration("2d")).figures


def same(first, second):
    assert list(first.ledger.rows()) == list(second.ledger.rows())
    assert first.energy == second.energy
    assert first.federation == second.federation
    for table in ("answers", "requests", "lost"):
        for name, column in getattr(first, table).items():
            assert np.array_equal(column, getattr(second, table)[name])


def said(record):
    return dict(zip(record.answers["scene"].tolist(), record.answers["predicted"].tolist(), strict=True))


def test_a_file_without_the_layers_decides_what_it_always_did():
    assert canonical(load_experiment("slice"))["layers"] == {}
    record, scenes = run_arm(load_experiment("slice", BENT), "bent", 0, None)
    plain = measure(record, scenes, parse_duration("12h"), record.start_us + parse_duration("2d")).figures
    assert not set(plain) & set(ALL_FEDERATION_METRICS)
    assert {row.link.destination for row in record.ledger.rows() if row.link.segment == "terrestrial"} == {"cloud"}


def test_wherever_the_big_model_runs_the_same_pictures_get_the_same_answers():
    record, _ = run_arm(load_experiment("slice", BENT), "bent", 0, None)
    assert said(record) == said(run()[0]) == said(run(AWAY)[0])


EVERYTHING = (
    NORTH_FIRST,
    USERS,
    TRAINING,
    OUTAGE,
    SKYEDGE,
    "layers.mesh.balance=least-request",
    "layers.mesh.spill_over_s=1",
)


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


# ------------------------------------------------------------------------------------------------ bytes × hops


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


# ------------------------------------------------------------------------------------------------ outages

NORTH = "layers.federation.policy={placement: {clusterAffinity: {clusterNames: [north]}}}"


def test_an_outage_without_anything_against_it_loses_what_was_under_way_and_what_comes_then_and_nothing_else():
    bare = ("layers.mesh.attempts=0", "layers.mesh.outlier=null")
    well, _ = run(NORTH, *bare)
    ill, _ = run(NORTH, *bare, OUTAGE)
    begin = ill.start_us + 12 * HOUR
    end = begin + 12 * HOUR
    missing = {scene for scene in said(well) if scene not in said(ill)}
    answered_at = dict(zip(well.answers["scene"].tolist(), well.answers["answered_at"].tolist(), strict=True))
    during = {scene for scene, at in answered_at.items() if begin < at <= end}
    # Replicas need a while after the outage, and what comes then is refused.
    after = {scene for scene, at in answered_at.items() if end < at <= end + 60 * SECOND}
    assert during <= missing <= during | after
    assert missing == set(ill.lost["scene"].tolist())
    assert missing


def test_the_ledger_balances_through_an_outage_and_says_what_was_lost_on_the_way():
    record, _ = run(NORTH, OUTAGE)
    record.ledger.check_balance()
    on_the_way = [row for row in record.ledger.rows() if row.state == "lost" and row.link.traffic == "scene"]
    assert {row.link.destination for row in on_the_way if row.link.segment == "terrestrial"} == {"north"}


def test_failover_moves_the_model_and_keeps_what_karmada_as_installed_loses():
    installed = figures(NORTH_FIRST, OUTAGE, "layers.federation.failover=karmada-defaults")
    moved = figures(NORTH_FIRST, OUTAGE, SKYEDGE)
    assert installed["pictures_lost"] > 0 == moved["pictures_lost"]
    assert moved["kept_share"] == 1 > installed["kept_share"]
    assert moved["failover_declared_s"] < 5 < 30 < installed["failover_declared_s"] < 41
    assert 60 < moved["failover_serving_s"] < 150  # the image takes 80 s over the line, and the replicas 20 s to start
    eviction = figures(NORTH_FIRST, OUTAGE, "layers.federation.failover=karmada-eviction-on")
    assert 30 < eviction["failover_declared_s"] < 41


def test_what_lands_while_nobody_serves_waits_at_the_stations_and_is_answered_by_who_serves_then():
    well, _ = run(NORTH_FIRST)
    # The outage begins when most pictures are about to land: while a pass lasts, and not in the hours between two.
    answered_at = np.sort(well.answers["answered_at"])
    soon = np.searchsorted(answered_at, answered_at + 60 * SECOND) - np.arange(len(answered_at))
    begin = int(answered_at[soon.argmax()]) - 5 * SECOND
    after_s = (begin - well.start_us) // SECOND
    outage = f"faults=[{{kind: cluster-outage, target: north, after: {after_s}s, duration: 12h}}]"
    moved, _ = run(NORTH_FIRST, outage, SKYEDGE)
    (failover,) = moved.federation["failovers"]
    at_stake = {
        scene
        for scene, at in zip(well.answers["scene"].tolist(), well.answers["answered_at"].tolist(), strict=True)
        if failover["out_at"] < at < failover["serving_at"]
    }
    assert len(at_stake) > 3
    assert sum(row["kept_back"] for row in moved.federation["dispatchers"]) >= len(at_stake)
    assert said(moved) == said(well)
    same(moved, run(NORTH_FIRST, outage, SKYEDGE, "runtime.hosting=per-node")[0])
    late = np.isin(moved.answers["scene"], list(at_stake))
    assert (moved.answers["answered_at"][late] > failover["serving_at"]).all()
    installed, _ = run(NORTH_FIRST, outage, "layers.federation.failover=karmada-defaults")
    assert at_stake <= set(installed.lost["scene"].tolist())


def test_nothing_is_moved_where_there_is_nowhere_to_go():
    record, _ = run(NORTH, OUTAGE, SKYEDGE)
    (failover,) = record.federation["failovers"]
    assert failover["moved_to"] == []
    assert {row["cluster"]: row["replicas"] for row in record.federation["clusters"]} == {"north": 1, "south": 0, "away": 0}


def test_what_has_moved_stays_where_it_went():
    clusters = {row["cluster"]: row["replicas"] for row in run(NORTH_FIRST, OUTAGE, SKYEDGE)[0].federation["clusters"]}
    assert clusters["north"] == 0
    assert sum(clusters.values()) == 1


def test_replicas_that_follow_the_passes_stop_only_when_the_new_ones_serve():
    one = "{spreadConstraints: [{spreadByField: cluster, minGroups: 1, maxGroups: 1}]}"
    rules = f"{{placement: {one}, scores: {{contact-window: 1}}}}"
    record, _ = run(f"layers.federation.policy={rules}", "layers.federation.rebalance=1h")
    still, _ = run(f"layers.federation.policy={rules}")
    assert sum(row["replica_s"] > 0 for row in record.federation["clusters"]) > 1
    assert not len(record.lost.get("scene", ()))
    assert said(record) == said(still)


def test_with_other_clusters_to_go_to_the_mesh_alone_loses_nothing():
    record, _ = run("faults=[{kind: cluster-outage, target: north, after: 0h, duration: 47h}]")
    assert not len(record.lost.get("scene", ()))
    assert sum(row["sent_again"] for row in record.federation["dispatchers"]) > 0


# ------------------------------------------------------------------------------------------------ users and trainings


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


# ------------------------------------------------------------------------------------------------ what is said


def test_shares_of_clusters_are_drawn_only_where_there_are_clusters():
    plain, _ = run_arm(load_experiment("slice", BENT), "bent", 0, None)
    assert cluster_shares({"plain": plain}) == ""
    drawn = cluster_shares({"plain": plain, "regional": run()[0]})
    assert all(name in drawn for name in ("regional", "north", "south", "away"))


def test_every_figure_of_a_federation_can_be_claimed():
    found = {name for name in figures(*EVERYTHING) if name in ALL_FEDERATION_METRICS}
    assert found == set(ALL_FEDERATION_METRICS) <= set(METRICS)


def test_a_policy_in_a_file_counts_by_what_it_holds(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("placement: {clusterAffinity: {clusterNames: [away]}}\n")
    by_name = load_experiment("slice", [*BENT, CLUSTERS, f"layers.federation.policy={file}"])
    in_place = load_experiment("slice", [*BENT, CLUSTERS, AWAY])
    assert run_digest(by_name, "bent", 0) == run_digest(in_place, "bent", 0)


def test_a_whole_propagation_policy_says_the_same_as_its_placement():
    division = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}
    placement = {"replicaScheduling": division}
    whole = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "model", "namespace": "default"},
        "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}], "placement": placement},
    }
    assert rules_from(whole, "here") == rules_from({"placement": placement}, "here")
    assert rules_from(whole, "here").strategy is Strategy.AGGREGATED


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "faults=[{kind: cluster-outage, target: nort, after: 1h}]",
            "no 'nort' to suffer a cluster-outage (did you mean 'north'?)",
        ),
        (
            "layers.federation.policy={placement: {clusterAffinity: {clusterNames: [nort]}}}",
            "no cluster 'nort' (did you mean",
        ),
        (
            "layers.federation.policy={placement: {clusterAffinity: {labelSelector: {matchLabels: {gpu: big}}}}}",
            "the big model finds no place: ",
        ),
        ("layers.federation.policy={plcement: {}}", "a policy has no 'plcement' (did you mean 'placement'?)"),
        ("layers.federation.policy={placement: {clusterAfinity: {}}}", "clusterAfinity"),
        ("layers.federation.policy={scores: {carbo: 1}}", "there is no score 'carbo' (did you mean 'carbon'?)"),
        ("layers.federation.failover=skyege", "there is no failover 'skyege' (did you mean 'skyedge'?)"),
        (
            "layers.federation.clusters=[{name: a, at: Bejing, room: 1}]",
            "there is no station 'Bejing' (did you mean 'Beijing'?)",
        ),
        ("layers.federation.clusters=[{name: a, at: Beijing}]", "say how much fits"),
        ("layers.federation.clusters=[{name: a, room: 1}]", "say where it is"),
        ("layers.federation.clusters=[{name: a, at: Beijing, room: 1, origin: egde}]", "did you mean 'edge'?"),
        (
            "layers.federation.clusters=[{name: a, at: Beijing, room: 1}, {name: a, at: Beijing, room: 1}]",
            "'a' is there twice",
        ),
        (
            "layers.federation.trainings=[{name: t, policy: {placement: {clusterAffinity: {clusterNames: [x]}}}}]",
            "there is no cluster 'x'",
        ),
        ("cloud.replicas=2", "leave this out"),
        ("terrestrial.hops=5", "follows from distances"),
        ("layers.elastic={}", "no cloud pool"),
        ("layers.mesh.timeout=1s", "no word comes back within 1s"),
        ("layers.mesh.balance=distribute", "go together"),
        ("layers.mesh={balance: distribute, distribute: {cn: {eu: 50, cn: 40}}}", "add to 90, not to 100"),
        ("layers.mesh={balance: distribute, distribute: {cn: {cn/nort: 100}}}", "did you mean 'cn/north'?"),
        (
            "layers.mesh.users={cities: sites/cities.csv, only: [Berjing]}",
            "there is no city 'Berjing' (did you mean 'Beijing'?)",
        ),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_before_the_flight(override, words):
    with pytest.raises(InputError) as caught:
        check_experiment(load_experiment("slice", [*BENT, CLUSTERS, override]))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_little_room_is_said_before_the_flight():
    divided = "{replicaSchedulingType: Divided, replicaDivisionPreference: Aggregated}"
    policy = f"layers.federation.policy={{placement: {{replicaScheduling: {divided}}}}}"
    with pytest.raises(InputError, match="the big model finds no place"):
        check_experiment(load_experiment("slice", [*BENT, CLUSTERS, policy, "layers.federation.replicas=7"]))
    check_experiment(load_experiment("slice", [*BENT, CLUSTERS, policy, "layers.federation.replicas=6"]))


def test_a_mesh_without_clusters_is_none():
    with pytest.raises(InputError, match="a mesh needs clusters"):
        check_experiment(load_experiment("slice", [*BENT, "layers.mesh={}"]))
