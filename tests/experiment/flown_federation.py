"""Two days of bent pipes to three regional clusters, for tests of federation and mesh; like flights are flown once."""

from functools import cache

from skyedge.experiment.loading import load_experiment
from skyedge.experiment.run import run_arm
from tests.experiment.two_days import measured, same_flight

BENT = ["time.duration=2d", "arms={bent: {set: {pipeline.mode: bent-pipe}}}", "space.sites=sites/tiansuan.csv"]
CLUSTERS = (
    "layers.federation.clusters=["
    "{name: north, region: cn, at: Beijing, room: 2, carbon_g_per_kwh: 580, price_per_core_h: 0.04}, "
    "{name: south, region: cn, at: Changsha, room: 2, carbon_g_per_kwh: 580, price_per_core_h: 0.04}, "
    "{name: away, region: eu, lat_deg: 50.1, lon_deg: 8.7, room: 2, carbon_g_per_kwh: 380, price_per_core_h: 0.05}]"
)
AWAY = "layers.federation.policy={placement: {clusterAffinity: {clusterNames: [away]}}}"
NORTH = "layers.federation.policy={placement: {clusterAffinity: {clusterNames: [north]}}}"
NORTH_FIRST = (
    "layers.federation.policy={placement: {clusterAffinities: [{affinityName: home, clusterNames: [north]}, "
    "{affinityName: any}], spreadConstraints: [{spreadByField: cluster, minGroups: 1, maxGroups: 1}]}}"
)
CITIES = "[{name: Beijing, lat_deg: 39.9, lon_deg: 116.4}, {name: Rome, lat_deg: 41.9, lon_deg: 12.5}]"
USERS = f"layers.mesh.users={{cities: {CITIES}}}"
TRAINING = "layers.federation.trainings=[{name: retrain, every: 8h, duration: 30min}]"
OUTAGE = "faults=[{kind: cluster-outage, target: north, after: 12h, duration: 12h}]"
SKYEDGE = "layers.federation.failover=skyedge"
EVERYTHING = (
    NORTH_FIRST,
    USERS,
    TRAINING,
    OUTAGE,
    SKYEDGE,
    "layers.mesh.balance=least-request",
    "layers.mesh.spill_over_s=1",
)


@cache
def run(*overrides):
    return run_arm(load_experiment("slice", [*BENT, CLUSTERS, *overrides]), "bent", 0, None)


def figures(*overrides):
    record, scenes = run(*overrides)
    return measured(record, scenes)


def same(first, second):
    same_flight(first, second, "answers", "requests", "lost")
    assert first.federation == second.federation


def said(record):
    return dict(zip(record.answers["scene"].tolist(), record.answers["predicted"].tolist(), strict=True))
