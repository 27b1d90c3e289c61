"""Federations and workloads for property tests: small, of every sort, and with many ties."""

from __future__ import annotations

from hypothesis import strategies as st

from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.objects import Cluster, NodePool, Taint, Toleration, Workload
from skyedge.layers.federation.placement import AffinityGroup, PlacementRules, WeightedAffinity
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.spread import SpreadConstraint
from skyedge.layers.scheduler.objects import PodShape, Requirement
from skyedge.layers.scheduler.objects import Taint as NodeTaint
from skyedge.layers.scheduler.objects import Toleration as NodeToleration

NAMES = [f"c{number}" for number in range(7)]
TAINT, NODE_TAINT = Taint("team", "a"), NodeTaint("gpu", "", "NoSchedule")


def some(of, most):
    return st.lists(st.sampled_from(of), max_size=most, unique=True).map(tuple)


POOLS = st.builds(
    NodePool,
    st.integers(0, 3),
    st.fixed_dictionaries({"cpu": st.integers(-1, 9)}, optional={"memory": st.integers(0, 40), "pods": st.just(3000)}),
    st.dictionaries(st.just("disk"), st.sampled_from(["ssd", "hdd"])),
    st.sampled_from([(), (), (NODE_TAINT,)]),
)


@st.composite
def clusters(draw):
    return [
        Cluster(
            name,
            labels=draw(st.dictionaries(st.sampled_from(["tier", "site"]), st.sampled_from(["x", "y"]))),
            provider=draw(st.sampled_from(["", "aws", "own"])),
            region=draw(st.sampled_from(["", "north", "south", "west"])),
            zones=draw(some(["z1", "z2"], 2)),
            taints=draw(st.sampled_from([(), (), (TAINT,), (Taint("soft", "", "PreferNoSchedule"),)])),
            pools=draw(st.lists(POOLS, min_size=1, max_size=3).map(tuple)),
            api_kinds=draw(st.sampled_from([None, None, frozenset({"apps/v1/Deployment"}), frozenset({"v1/ConfigMap"})])),
            kinds_complete=draw(st.booleans()),
            ready=draw(st.sampled_from([True, True, True, False])),
        )
        for name in draw(st.permutations(NAMES))[: draw(st.integers(1, 7))]
    ]


AFFINITIES = st.one_of(
    st.just(ClusterAffinity()),
    st.builds(
        ClusterAffinity,
        some([*NAMES, "nobody"], 4),
        some(NAMES, 1),
        st.dictionaries(st.just("tier"), st.sampled_from(["x", "y"])),
        some([Requirement("site", "Exists"), Requirement("site", "NotIn", ("x",)), Requirement("tier", "Gt", ("1",))], 1),
        some([Requirement("region", "In", ("north", "west")), Requirement("zone", "NotIn", ("z1",))], 1),
    ),
)


@st.composite
def spreads(draw):
    least, more, low, wider = (draw(st.integers(0, 3)) for _ in range(4))
    endless = draw(st.booleans())
    by_region = SpreadConstraint("region", least, 0 if endless else max(least + more, 1))
    by_cluster = SpreadConstraint("cluster", low, 0 if endless else max(low + wider, 1))
    return draw(st.sampled_from([(), (by_cluster,), (by_region, by_cluster)]))


@st.composite
def rules(draw):
    groups = draw(st.lists(st.tuples(AFFINITIES, st.lists(AFFINITIES, max_size=2)), max_size=3))
    return PlacementRules(
        groups=tuple(
            AffinityGroup(f"g{number}", affinity, tuple(overflow)) for number, (affinity, overflow) in enumerate(groups)
        ),
        tolerations=draw(st.sampled_from([(), (Toleration("team", "Exists"),)])),
        spread=draw(spreads()),
        strategy=draw(st.sampled_from(Strategy)),
        static_weights=tuple(
            WeightedAffinity(weight, affinity)
            for weight, affinity in draw(st.lists(st.tuples(st.integers(0, 3), AFFINITIES), max_size=3))
        ),
    )


SHAPES = st.builds(
    PodShape,
    st.sampled_from([(), (("cpu", 1),), (("cpu", 2),), (("cpu", 1), ("memory", 5)), (("gpu", 1),)]),
    st.sampled_from([(), (), (("disk", "ssd"),)]),
    node_terms=st.sampled_from([(), (), ((Requirement("disk", "Exists"),),)]),
    tolerations=st.sampled_from([(), (NodeToleration("gpu", "Exists"),)]),
)


@st.composite
def workloads(draw):
    shared = draw(st.lists(rules(), min_size=1, max_size=3))
    return [
        Workload(
            Resource("Deployment", f"app-{number}", "team", "apps/v1"),
            draw(st.integers(0, 14)),
            draw(SHAPES),
            draw(st.sampled_from(shared)),
            uid=draw(st.sampled_from(["", "a", "b", "c"])),
            scheduled=draw(st.dictionaries(st.sampled_from([*NAMES, "gone"]), st.integers(0, 5), max_size=4)),
            evicting=frozenset(draw(some(NAMES, 1))),
            fresh=draw(st.booleans()),
            group=draw(st.sampled_from(["", "g1", "old"])),
        )
        for number in range(draw(st.integers(1, 6)))
    ]
