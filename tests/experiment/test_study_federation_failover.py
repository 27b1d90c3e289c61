"""A region that dies: the same for all arms, seen and survived the better the more is done, and never for nothing."""

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.experiment.failover_world import FederationFailoverParameters, world_of
from skyedge.experiment.studies.federation_failover import FederationFailover, let_die
from skyedge.experiment.study_loading import load_study, parameters_of
from skyedge.experiment.study_run import run_arm
from skyedge.layers.federation.failover_events import Event

SMALL = ["parameters.clusters=60", "parameters.workloads=200", "parameters.outage_s=900", "parameters.horizon_s=2400"]


@pytest.fixture(scope="module")
def figures():
    study = load_study("federation-failover", SMALL)
    return {arm: dict(run_arm(study, arm, 1).figures) for arm in study.arms}


def test_every_arm_sees_the_same_failure_of_the_same_workloads():
    study = load_study("federation-failover", SMALL)
    worlds = [world_of(parameters_of(study, arm), 3) for arm in study.arms]
    for one in worlds:
        assert one.fails_at_s == worlds[0].fails_at_s
        for name in ("wanted", "demand_rps", "cores", "region"):
            assert np.array_equal(getattr(one, name), getattr(worlds[0], name))
        assert np.array_equal(one.running.cluster, worlds[0].running.cluster)
        assert np.array_equal(one.down.cluster, worlds[0].down.cluster)


def test_the_room_is_what_the_file_says_of_what_died():
    for share in (0.5, 3.0):
        world = world_of(FederationFailoverParameters(clusters=60, workloads=200, room=share), 2)
        dead = np.isin(world.running.cluster, world.down.cluster)
        died = (world.running.replicas * world.cores[world.running.workload])[dead].sum()
        alive = ~np.isin(np.arange(60), world.down.cluster)
        assert world.room[alive].sum() == pytest.approx(share * died, rel=0.01, abs=60)


def test_the_copy_in_another_region_is_in_another_region():
    world = world_of(FederationFailoverParameters(clusters=60, workloads=200, data={"share": 1.0, "standby": True}), 2)
    for data_set in range(200):
        copies = world.sets.of_copy == data_set
        assert len(set(world.region[world.sets.cluster[copies]].tolist())) > 1


def test_the_same_seed_gives_the_same_figures_in_any_order(figures):
    study = load_study("federation-failover", SMALL)
    for arm in reversed(list(study.arms)):
        again = dict(run_arm(study, arm, 1).figures)
        assert {name: value for name, value in again.items() if value == value} == {
            name: value for name, value in figures[arm].items() if value == value
        }


def test_without_failover_and_with_karmadas_defaults_nothing_moves(figures):
    for arm in ("no-failover", "karmada-defaults"):
        assert (figures[arm]["moved_replicas"], figures[arm]["homeless_share"], figures[arm]["again_share"]) == (0, 1, 0)
    assert figures["no-failover"]["again_max_s"] == pytest.approx(900)


def test_each_is_seen_as_soon_as_its_settings_say(figures):
    for arm in ("karmada-defaults", "karmada-eviction-on"):
        assert 30 <= figures[arm]["detected_p50_s"] <= figures[arm]["detected_max_s"] <= 40 + 1e-6
    assert 2 <= figures["skyedge"]["detected_p50_s"] <= figures["skyedge"]["detected_max_s"] <= 3.2


def test_what_moves_sooner_loses_less(figures):
    arms = ["skyedge-data-cached", "skyedge-data", "skyedge", "karmada-eviction-on", "karmada-defaults", "no-failover"]
    lost = [figures[arm]["lost_requests"] for arm in arms]
    assert lost == sorted(lost)
    again = [figures[arm]["again_p95_s"] for arm in arms[:3]]
    assert again == sorted(again)


class Recount:
    """Requests lost, added up row by row of a timeline, for one workload as if there were no other."""

    def __init__(self, world, headroom):
        self.world, self.headroom = world, headroom
        self.replicas = [{} for _ in world.wanted]
        for workload, cluster, count in zip(
            world.running.workload.tolist(), world.running.cluster.tolist(), world.running.replicas.tolist(), strict=True
        ):
            self.replicas[workload][cluster] = count
        self.dead, self.known, self.lost, self.now_s = set(), set(), 0.0, 0.0

    def lost_a_second(self, workload):
        there = {cluster: count for cluster, count in self.replicas[workload].items() if cluster not in self.known}
        alive = sum(count for cluster, count in there.items() if cluster not in self.dead)
        if not alive:
            return self.world.demand_rps[workload]
        carried = alive / self.world.wanted[workload] * (1 + self.headroom)
        return self.world.demand_rps[workload] * (1 - min(1.0, alive / sum(there.values()), carried))

    def until(self, at_s):
        self.lost += (at_s - self.now_s) * sum(self.lost_a_second(number) for number in range(len(self.replicas)))
        self.now_s = at_s

    def take(self, event, workload, cluster, count):
        match event:
            case Event.DOWN:
                self.dead.add(cluster)
            case Event.UP:
                self.dead.discard(cluster)
            case Event.DETECTED:
                self.known.add(cluster)
            case Event.RECOVERED:
                self.known.discard(cluster)
            case Event.HEALTHY | Event.DELETED:
                there = self.replicas[workload].get(cluster, 0)
                self.replicas[workload][cluster] = there + (count if event is Event.HEALTHY else -count)


@pytest.mark.parametrize("arm", ["no-failover", "karmada-defaults", "karmada-eviction-on", "skyedge", "skyedge-data"])
def test_lost_requests_are_what_the_rows_of_the_timeline_come_to(figures, arm):
    parameters = parameters_of(load_study("federation-failover", SMALL), arm)
    world, _, _, timeline = let_die(parameters, 1)
    recount = Recount(world, parameters.headroom)
    columns = (timeline.event, timeline.workload, timeline.cluster, timeline.replicas)
    for at_s, event, *rest in zip(timeline.at_s.tolist(), *(column.tolist() for column in columns), strict=True):
        recount.until(at_s)
        recount.take(Event(event), *rest)
    recount.until(parameters.horizon_s)
    assert figures[arm]["lost_requests"] == pytest.approx(recount.lost, rel=1e-9)
    assert recount.lost > 0


def test_a_standby_copy_moves_fewer_bytes_and_sets_data_back_less(figures):
    assert figures["skyedge-data"]["moved_bytes"] < figures["skyedge"]["moved_bytes"] / 2
    assert figures["skyedge-data"]["recovery_point_p95_s"] <= 5 < figures["skyedge"]["recovery_point_p95_s"]


def test_where_room_is_short_that_much_stays_without_a_home_and_nothing_is_deleted_alone(figures):
    tight = figures["skyedge-tight"]
    assert 0.4 < tight["homeless_share"] < 0.6
    assert tight["deleted_alone"] == 0


def test_two_seconds_a_workload_is_what_karmadas_eviction_costs():
    one = FederationFailoverParameters(clusters=60, workloads=200, failover="karmada-eviction-on")
    world = world_of(one, 1)
    copies = int(np.isin(world.running.cluster, world.down.cluster).sum())
    decided_s = FederationFailover().run(one, 1).figures["decided_p95_s"]
    assert decided_s == pytest.approx(2 * copies * 0.95, rel=0.15, abs=12)


def test_a_slow_cluster_loses_nothing_for_good():
    slow = {"slow_clusters": 0.5, "slow_delay_s": 4.0}
    found = FederationFailover().run(FederationFailoverParameters(clusters=60, workloads=200, reports=slow), 1).figures
    assert found["false_alarms"] > 0
    assert (found["deleted_alone"], found["homeless_replicas"]) == (0, 0)


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("parameters.regions=1", "regions"),
        ("parameters.failover=karmada", "failover"),
        ("parameters.heartbeat=1", "heartbeat"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(override, word):
    with pytest.raises(InputError, match=word):
        load_study("federation-failover", [override])
