"""The life of a cluster: nobody leaves, and nothing is upgraded, with work on it."""

import itertools

import pytest

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import tolerates_taints
from skyedge.layers.federation.failover import evicted_after_s
from skyedge.layers.federation.membership import (
    TAINTS,
    TRANSITIONS,
    Event,
    Membership,
    Origin,
    Phase,
    as_member,
    origin_from,
    phase_from,
)
from skyedge.layers.federation.objects import Cluster, Taint


def lived(*events, origin=Origin.PUBLIC_CLOUD):
    membership = Membership("c", origin)
    for now_s, event in enumerate(events):
        membership = membership.on(event, now_s)
    return membership


def test_a_life_from_registration_to_farewell():
    life = (Event.JOIN, Event.ACCEPTED, Event.DRAIN, Event.EMPTY, Event.UPGRADE, Event.UPGRADED)
    assert lived(*life).phase is Phase.MEMBER
    assert lived(*life, Event.DRAIN, Event.EMPTY, Event.LEAVE).phase is Phase.LEFT
    assert lived(*life, Event.DRAIN).since_s == 6


def test_work_is_drained_before_a_cluster_leaves_or_is_upgraded():
    member = lived(Event.JOIN, Event.ACCEPTED)
    for event in (Event.LEAVE, Event.UPGRADE, Event.EMPTY):
        with pytest.raises(InputError, match="what can: drain"):
            member.on(event, 9)


def test_a_third_party_s_cluster_is_upgraded_by_its_owner():
    drained = lived(Event.JOIN, Event.ACCEPTED, Event.DRAIN, Event.EMPTY, origin=Origin.THIRD_PARTY)
    with pytest.raises(InputError, match="its owner"):
        drained.on(Event.UPGRADE, 9)


def test_a_failed_upgrade_leaves_the_cluster_empty_and_a_new_try_possible():
    failed = lived(Event.JOIN, Event.ACCEPTED, Event.DRAIN, Event.EMPTY, Event.UPGRADE, Event.UPGRADE_FAILED)
    assert failed.phase is Phase.DRAINED
    assert failed.on(Event.UPGRADE, 9).phase is Phase.UPGRADING


def test_every_phase_can_be_reached_and_left_and_says_what_it_means_to_workloads():
    assert set(TAINTS) == set(Phase)
    reached = {Phase.REGISTERED} | set(TRANSITIONS.values())
    assert reached == set(Phase) == {phase for phase, _ in TRANSITIONS}


def test_only_a_member_takes_new_work_and_only_a_draining_one_drives_it_out():
    cluster = Cluster("c", taints=(Taint("own", "", "PreferNoSchedule"),))
    takes, drives = set(), set()
    for phase, origin in itertools.product(Phase, Origin):
        seen = as_member(cluster, Membership("c", origin, phase, 7.0))
        assert seen.taints[0].key == "own"
        if tolerates_taints(seen, ()):
            takes.add(phase)
        if evicted_after_s(seen.taints, (), now_s=8.0) == 0:
            drives.add(phase)
    assert takes == {Phase.MEMBER}
    assert drives == {Phase.DRAINING, Phase.LEFT}


def test_coming_back_takes_the_taints_of_the_phase_away():
    draining = as_member(Cluster("c"), Membership("c", Origin.EDGE, Phase.DRAINING))
    assert as_member(draining, Membership("c", Origin.EDGE, Phase.MEMBER)).taints == ()


def test_words_that_are_none_are_said_with_the_nearest():
    with pytest.raises(InputError, match="public-cloud"):
        origin_from("public_cloud")
    with pytest.raises(InputError, match="Draining"):
        phase_from("draining")
