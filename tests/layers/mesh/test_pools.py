"""Who gets how much, as one caller sees it, in plain figures."""

import pytest

from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Balancer,
    Caller,
    LoadBalancing,
    LocalityWish,
    MeshDefaults,
    MeshEndpoint,
    Service,
    TrafficPolicy,
)
from skyedge.layers.mesh.pools import cluster_of, grouped, pools

HERE, NEXT_ZONE, FAR = Locality("north", "a"), Locality("north", "b"), Locality("south", "a")
CALLER = Caller(locality=HERE)
LOOKING = OutlierWish()


def of(*groups, policy=None, setting=None, unwell=(), service=None, wanted=None, **said):
    """Shares of pools in percent, by the places of their endpoints; groups are (place, endpoints)."""
    service = service or Service("a")
    endpoints = [
        MeshEndpoint(f"{place.region}-{place.zone}-{n}", "a", place, **said) for place, count in groups for n in range(count)
    ]
    table = EndpointTable(["a"], endpoints)
    for address in unwell:
        table.ejected[table.numbers("a")[address]] = True
    cluster = cluster_of(service, "", None, wanted or {}, policy or TrafficPolicy(outlier=LOOKING), MeshDefaults(setting))
    return [
        (sorted({table.endpoints[row].locality for row in pool.rows}), round(100 * pool.share, 1), pool.in_panic)
        for pool in pools(cluster, grouped(cluster, table, CALLER), table)
    ]


def out(place, count):
    return [f"{place.region}-{place.zone}-{n}" for n in range(count)]


def test_the_nearest_take_all_while_they_are_well():
    assert of((HERE, 4), (NEXT_ZONE, 4), (FAR, 4), setting=LocalityWish()) == [([HERE], 100.0, False)]


def test_they_still_do_with_a_quarter_of_them_out_and_with_half_of_them_the_next_zone_helps():
    groups = (HERE, 4), (NEXT_ZONE, 4)
    assert of(*groups, setting=LocalityWish(), unwell=out(HERE, 1)) == [([HERE], 100.0, False)]
    helped = of(*groups, setting=LocalityWish(), unwell=out(HERE, 2))
    assert helped == [([HERE], 70.0, False), ([NEXT_ZONE], 30.0, False)]


def test_without_outlier_detection_localities_share_by_their_endpoints():
    shares = of((HERE, 1), (FAR, 3), setting=LocalityWish(), policy=TrafficPolicy())
    assert shares == [([HERE], 25.0, False), ([FAR], 75.0, False)]


def test_without_any_word_on_localities_all_are_one_pool():
    assert of((HERE, 1), (FAR, 3)) == [([HERE, FAR], 100.0, False)]


def test_a_service_that_prefers_what_is_close_needs_no_outlier_detection():
    service = Service("a", traffic_distribution="PreferClose")
    assert of((HERE, 1), (FAR, 3), policy=TrafficPolicy(), service=service) == [([HERE], 100.0, False)]


def test_a_distribution_gives_each_locality_its_percents_and_the_rest_nothing():
    wish = LocalityWish(distribute=(("north/*", {"north/a": 80, "south": 20}),))
    shares = of((HERE, 1), (NEXT_ZONE, 5), (FAR, 3), setting=wish)
    assert shares == [([HERE], 80.0, False), ([FAR], 20.0, False)]


def test_nobody_well_is_nobody_to_send_to_for_istio_and_panic_for_a_proxy_left_alone():
    assert of((HERE, 2), setting=LocalityWish(), unwell=out(HERE, 2)) == []
    panic = of((HERE, 2), setting=LocalityWish(), unwell=out(HERE, 2), policy=TrafficPolicy())
    assert panic == [([HERE], 100.0, True)]


def test_a_zone_of_the_callers_own_takes_all_if_there_are_endpoints_enough():
    wish = LocalityWish(zone_aware=True)
    assert of((HERE, 3), (NEXT_ZONE, 3), setting=wish) == [([HERE], 100.0, False)]
    assert of((HERE, 3), (NEXT_ZONE, 2), setting=wish) == [([HERE, NEXT_ZONE], 100.0, False)]


@pytest.mark.parametrize("said", [{"weight": 0, "labels": {"version": "v1"}}, {"labels": {"version": "v2"}}, {}])
def test_endpoints_without_weight_or_without_the_labels_of_the_subset_are_not_there(said):
    assert of((HERE, 2), setting=LocalityWish(), wanted={"version": "v1"}, **said) == []


def test_a_hash_table_is_of_a_whole_priority():
    policy = TrafficPolicy(LoadBalancing(Balancer.RING_HASH))
    assert of((HERE, 1), (FAR, 3), setting=LocalityWish(), policy=policy) == [([HERE, FAR], 100.0, False)]
