"""Room estimated from nodes: what fits on each of them, summed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.nodes import NodeClass, Nodes
from skyedge.layers.federation.objects import Cluster, NodePool
from skyedge.layers.federation.room import UNLIMITED, Flavour, Habitat, Room, fits_by_run, flavour_of
from skyedge.layers.scheduler.objects import PodShape
from tests.layers.federation.drawn import POOLS, SHAPES, clusters
from tests.layers.federation.reference import room_on_nodes, room_on_pools


@settings(max_examples=30)
@given(clusters(), st.lists(SHAPES, min_size=1, max_size=4))
def test_a_cluster_has_the_room_of_its_nodes(members, shapes):
    federation = Federation.of(members)
    room = Room(federation.nodes)
    flavours = [flavour_of(shape) for shape in shapes]
    for estimated, flavour in zip(room.of(flavours).tolist(), flavours, strict=True):
        told = [room_on_pools(cluster, flavour) for cluster in federation.clusters]
        assert estimated == told
        assert [room_on_nodes(federation, column, flavour) for column in range(len(federation))] == told


@settings(max_examples=25)
@given(clusters(), st.lists(SHAPES, min_size=1, max_size=4), st.lists(POOLS, max_size=3), st.integers(0, 6))
def test_new_nodes_of_one_cluster_are_as_if_all_were_looked_at_again(members, shapes, pools, which):
    federation = Federation.of(members)
    room = Room(federation.nodes)
    flavours = [flavour_of(shape) for shape in shapes]
    room.places(flavours)
    column = which % len(federation)
    changed = federation.with_cluster(replace(federation.clusters[column], pools=tuple(pools)))
    room.update(changed.nodes, column)
    flavours.append(Flavour((("cpu", 3),), Habitat()))
    assert room.of(flavours).tolist() == Room(changed.nodes).of(flavours).tolist()


def test_a_million_nodes_come_as_columns_in_any_order():
    random = np.random.default_rng(5)
    cluster, kind = random.integers(0, 4, 500), random.integers(0, 2, 500)
    cpu = random.integers(0, 9000, 500)
    classes = (NodeClass(), NodeClass((("disk", "ssd"),)))
    nodes = Nodes.of_arrays(4, cluster, {"cpu": cpu}, kind, classes)
    room = Room(nodes)
    anywhere, on_ssd = (flavour_of(PodShape((("cpu", 700),), selector)) for selector in ((), (("disk", "ssd"),)))
    first, second = room.of([anywhere, on_ssd]).tolist()
    for column in range(4):
        assert first[column] == (cpu[cluster == column] // 700).sum()
        assert second[column] == (cpu[(cluster == column) & (kind == 1)] // 700).sum()


def test_many_runs_are_summed_as_one_would_be():
    nodes = Nodes.of_arrays(3, np.arange(60_000) % 3, {"cpu": np.arange(60_000)})
    (sums,) = fits_by_run(nodes, [(("cpu", 7),)])
    assert sums.tolist() == [(np.arange(start, 60_000, 3) // 7).sum() for start in range(3)]


def test_a_quotient_is_exact_where_floats_are_tempted():
    # The true quotients are a whole number, and just under one: by a part in 2^50, about the least that there can be.
    most, divisor = 3 * ((1 << 50) // 3), 3
    room = Room(Nodes.of_pools([[NodePool(1, {"memory": most})], [NodePool(1, {"memory": most - 1})]]))
    assert np.floor(fits_by_run(room.nodes, [(("memory", divisor),)])).tolist() == [[most // 3, most // 3 - 1]]


def test_a_replica_takes_a_pods_place_too():
    room = Room(Nodes.of_pools([[NodePool(2, {"cpu": 8000, "pods": 3000})], [NodePool(2, {"cpu": 8000})], []]))
    asking, nothing = room.of([flavour_of(PodShape((("cpu", 1000),))), flavour_of(PodShape())]).tolist()
    assert asking == [6, 16, 0]
    assert nothing == [6, UNLIMITED, 0]


def test_a_known_flavour_is_not_estimated_again():
    room = Room(Nodes.of_pools([[NodePool(1, {"cpu": 5000})]]))
    flavour = flavour_of(PodShape((("cpu", 1000),)))
    assert room.places([flavour, flavour]) == room.places([flavour]) * 2
    assert len(room) == 1


def test_nodes_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="-1 nodes"):
        Nodes.of_pools([[NodePool(-1, {})]])
    with pytest.raises(InputError, match="clusters go from 0 to 0"):
        Nodes.of_arrays(1, np.array([1]), {"cpu": np.array([1])})
    with pytest.raises(InputError, match="classes go from 0 to 0"):
        Nodes.of_arrays(1, np.array([0]), {"cpu": np.array([1])}, np.array([1]))
    with pytest.raises(InputError, match="different lengths"):
        Nodes.of_arrays(1, np.array([0]), {"cpu": np.array([1, 2])})
    with pytest.raises(InputError, match="no whole number up to 2"):
        Nodes.of_arrays(1, np.array([0]), {"cpu": np.array([np.nan])})
    with pytest.raises(InputError, match="at least one node"):
        Nodes.of_arrays(1, np.array([0]), {"cpu": np.array([1])}, count=np.array([0]))
    with pytest.raises(InputError, match="not for shares"):
        flavour_of(PodShape(device_count=1, device_milli=500))


def test_no_nodes_have_no_room():
    room = Room(Federation.of([Cluster("a")]).nodes)
    assert room.of([flavour_of(PodShape())]).tolist() == [[0]]
