"""What is asked of all clusters at once is what is asked of each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import ClusterAffinity, has_spread_fields, matches_affinity, tolerates_taints
from skyedge.layers.federation.columns import NOT_READY, Federation
from skyedge.layers.federation.nodes import Nodes
from skyedge.layers.federation.objects import Cluster, Toleration
from skyedge.layers.scheduler.objects import Requirement
from tests.layers.federation.drawn import AFFINITIES, clusters


@settings(max_examples=30)
@given(clusters(), st.lists(AFFINITIES, min_size=1, max_size=4))
def test_an_affinity_means_the_clusters_that_it_matches(members, affinities):
    federation = Federation.of(members)
    for affinity in [*affinities, *affinities]:
        assert federation.matches(affinity).tolist() == [matches_affinity(one, affinity) for one in federation.clusters]


@settings(max_examples=20)
@given(clusters(), st.sampled_from([(), (Toleration("team", "Exists"),), (Toleration(operator="Exists"),)]))
def test_a_cluster_that_is_not_ready_is_tainted(members, tolerations):
    federation = Federation.of(members)
    carried = [one if one.ready else Cluster(one.name, taints=(*one.taints, NOT_READY)) for one in federation.clusters]
    assert federation.tolerated(tolerations).tolist() == [tolerates_taints(one, tolerations) for one in carried]


@settings(max_examples=20)
@given(clusters(), st.sets(st.sampled_from(["cluster", "region", "provider", "zone"])))
def test_spread_fields_are_there_or_not(members, names):
    federation = Federation.of(members)
    assert federation.has_fields(names).tolist() == [has_spread_fields(one, names) for one in federation.clusters]


@settings(max_examples=15)
@given(clusters())
def test_the_order_of_clusters_does_not_matter(members):
    forth, back = Federation.of(members), Federation.of(members[::-1])
    assert forth.clusters == back.clusters
    assert list(forth.names) == sorted(forth.names)
    in_regions = sorted(place for members in forth.region_members for place in members.tolist())
    assert in_regions == [place for place, one in enumerate(forth.clusters) if one.region]


def test_what_is_not_known_is_not_a_number():
    federation = Federation.of([Cluster("a", facts={"price_per_core_h": 0.1}, lat_deg=1.0, lon_deg=2.0), Cluster("b")])
    price = federation.fact("price_per_core_h")
    assert price[0] == 0.1
    assert price[1] != price[1]
    assert federation.positions_deg[0].tolist() == [1.0, 2.0]


def test_a_field_selector_that_cannot_be_is_refused():
    federation = Federation.of([Cluster("a")])
    with pytest.raises(InputError, match=r"not 'regoin' \(did you mean 'region'\?\)"):
        federation.matches(ClusterAffinity(field_selector=(Requirement("regoin", "In", ("x",)),)))
    with pytest.raises(InputError, match="no operator 'Gt'"):
        federation.matches(ClusterAffinity(field_selector=(Requirement("region", "Gt", ("1",)),)))


def test_clusters_are_told_apart():
    with pytest.raises(InputError, match="two clusters are called 'a'"):
        Federation.of([Cluster("a"), Cluster("a")])
    with pytest.raises(InputError, match="distinct names, in order"):
        Federation([Cluster("b"), Cluster("a")], Nodes.of_pools([(), ()]))
    with pytest.raises(InputError, match="there are 1 clusters, and nodes of 2"):
        Federation([Cluster("a")], Nodes.of_pools([(), ()]))
    with pytest.raises(InputError, match=r"did you mean 'south'"):
        Federation.of([Cluster("south")]).with_cluster(Cluster("sout"))
