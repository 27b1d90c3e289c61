"""What a placement takes is no longer there for the next one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.federation.objects import PODS, Cluster, NodePool, Workload
from skyedge.layers.federation.placement import PlacementRules
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.remaining import remaining
from skyedge.layers.federation.room import fits_on_node, flavour_of
from skyedge.layers.scheduler.objects import PodShape, Taint

SHAPE = PodShape(request=(("cpu", 700), ("memory", 3)))
CLOSED = (Taint("closed", "", "NoSchedule"),)


def workload(shape=SHAPE):
    return Workload(Resource("Deployment", "w", "n", "apps/v1"), 1, shape, PlacementRules())


def room(cluster, shape=SHAPE):
    return sum(pool.count * fits_on_node(pool.free, flavour_of(shape).request) for pool in cluster.pools if not pool.taints)


pools = st.lists(
    st.builds(
        NodePool,
        st.integers(1, 5),
        st.fixed_dictionaries(
            {"cpu": st.integers(0, 4000), "memory": st.integers(0, 20), PODS: st.integers(0, 6).map(lambda n: n * 1000)}
        ),
        taints=st.sampled_from([(), (), CLOSED]),
    ),
    max_size=4,
)


@given(pools, st.data())
@settings(max_examples=100)
def test_room_shrinks_by_just_as_many_as_were_placed(given_pools, data):
    cluster = Cluster("a", pools=tuple(given_pools))
    placed = data.draw(st.integers(0, room(cluster)))
    (left,) = remaining([cluster], [workload()], [{"a": placed}])
    assert room(left) == room(cluster) - placed
    assert sum(pool.count for pool in left.pools) == sum(pool.count for pool in cluster.pools)
    for name, amount in flavour_of(SHAPE).request:
        before, after = (sum(pool.count * pool.free[name] for pool in one.pools) for one in (cluster, left))
        assert before - after == placed * amount


@given(pools, st.integers(0, 100))
@settings(max_examples=50)
def test_what_finds_no_room_any_more_takes_nothing(given_pools, wanted):
    cluster = Cluster("a", pools=tuple(given_pools))
    (left,) = remaining([cluster], [workload()], [{"a": wanted}])
    assert all(amount >= 0 for pool in left.pools for amount in pool.free.values())
    assert room(left) == max(0, room(cluster) - wanted)


def test_nodes_that_say_nothing_of_pods_have_no_end_of_them():
    cluster = Cluster("a", pools=(NodePool(1, {"cpu": 2000}),))
    (left,) = remaining([cluster], [workload(PodShape(request=(("cpu", 500),)))], [{"a": 3, "gone": 2}])
    assert [dict(pool.free) for pool in left.pools] == [{"cpu": 500}]
