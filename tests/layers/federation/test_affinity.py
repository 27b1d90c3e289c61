"""Which clusters come into question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import (
    ClusterAffinity,
    has_spread_fields,
    locality_score,
    matches_affinity,
    matches_field,
    matches_zones,
    may_return,
    tolerates_taints,
)
from skyedge.layers.federation.objects import Cluster, Taint, Toleration
from skyedge.layers.scheduler.objects import Requirement

EARTH = Cluster("earth", {"tier": "core"}, "own", "north", ("n1", "n2"), (Taint("busy"),))
ZONES = st.lists(st.sampled_from("abcd"), unique=True)


def test_every_part_of_an_affinity_has_to_hold():
    met = {
        "cluster_names": ("earth", "moon"),
        "match_labels": {"tier": "core"},
        "match_expressions": (Requirement("tier", "Exists"),),
        "field_selector": (Requirement("provider", "In", ("own",)), Requirement("region", "NotIn", ("south",))),
    }
    unmet = {
        "cluster_names": ("moon",),
        "exclude_clusters": ("earth",),
        "match_labels": {"tier": "edge"},
        "match_expressions": (Requirement("tier", "DoesNotExist"),),
        "field_selector": (Requirement("zone", "In", ("n3",)),),
    }
    assert matches_affinity(EARTH, ClusterAffinity(**met))
    for part, value in unmet.items():
        assert not matches_affinity(EARTH, ClusterAffinity(**{**met, part: value})), part


def test_an_empty_affinity_is_met_by_all():
    assert matches_affinity(EARTH, ClusterAffinity())


@given(ZONES, ZONES)
def test_zones_are_in_if_any_is_and_not_in_if_none_is(zones, values):
    inside, outside = (Requirement("zone", operator, tuple(values)) for operator in ("In", "NotIn"))
    assert matches_zones(zones, inside) == bool(set(zones) & set(values))
    assert matches_zones(zones, outside) != matches_zones(zones, inside)
    assert matches_zones(zones, Requirement("zone", "Exists")) == bool(zones)
    assert matches_zones(zones, Requirement("zone", "DoesNotExist")) != bool(zones)


def test_a_field_that_is_not_known_does_not_exist():
    assert matches_field(Cluster("bare"), Requirement("region", "DoesNotExist"))
    assert not matches_field(Cluster("bare"), Requirement("provider", "In", ("",)))


def test_a_field_or_operator_that_there_is_not_is_refused_with_the_nearest_word():
    with pytest.raises(InputError, match="did you mean 'zone'"):
        matches_field(EARTH, Requirement("zones", "In", ("n1",)))
    with pytest.raises(InputError, match="did you mean 'NotIn'"):
        matches_field(EARTH, Requirement("zone", "Notin", ("n1",)))


def test_taints_keep_off_who_does_not_tolerate_them_and_is_not_there_yet():
    assert not tolerates_taints(EARTH, ())
    assert tolerates_taints(EARTH, (), scheduled=["earth"])
    assert tolerates_taints(EARTH, (Toleration("busy", "Exists"),))
    assert tolerates_taints(EARTH, (Toleration(operator="Exists"),))
    assert not tolerates_taints(EARTH, (Toleration("busy", "Exists", effect="NoExecute"),))
    assert tolerates_taints(Cluster("mild", taints=(Taint("busy", effect="PreferNoSchedule"),)), ())


def test_a_cluster_carries_what_workloads_are_spread_by():
    assert has_spread_fields(EARTH, ["provider", "region", "zone", "cluster"])
    assert not any(has_spread_fields(Cluster("bare"), [name]) for name in ("provider", "region", "zone"))


def test_a_workload_is_welcome_where_it_is_unless_it_was_sent_away():
    assert (locality_score("earth", ["earth"]), locality_score("moon", ["earth"])) == (100, 0)
    assert may_return("moon", ["earth"])
    assert not may_return("earth", ["earth"])
