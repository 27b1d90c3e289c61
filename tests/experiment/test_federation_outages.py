"""Clusters that go out in the flown experiment: what is lost, what waits, what moves and what stays."""

import numpy as np

from skyedge.time import HOUR, SECOND
from tests.experiment.flown_federation import NORTH, NORTH_FIRST, OUTAGE, SKYEDGE, figures, run, said, same


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
