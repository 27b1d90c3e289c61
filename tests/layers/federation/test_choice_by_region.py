"""Choosing clusters in regions for many workloads at once is choosing them for each."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.federation.assignment import Unschedulable
from skyedge.layers.federation.choice_by_region import choose_by_region
from skyedge.layers.federation.spread import RankedCluster, Scheduling, SpreadConstraint, regions_of, spread_by_region

CELL = st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans())


@st.composite
def workloads(draw):
    width = draw(st.integers(1, 8))
    region = draw(st.lists(st.integers(-1, 3), min_size=width, max_size=width))
    row = st.tuples(
        st.lists(CELL, min_size=width, max_size=width),
        *(st.integers(0, 4),) * 4,
        st.integers(0, 40),
        st.booleans(),
        st.booleans(),
    )
    return region, draw(st.lists(row, min_size=1, max_size=6))


@settings(max_examples=300)
@given(workloads())
def test_many_workloads_at_once_get_the_clusters_that_each_gets(drawn):
    region, rows = drawn
    names = sorted(set(region) - {-1})
    cells = np.array([row[0] for row in rows])
    least, more, low, more_clusters, replicas, duplicated, open_ended = (
        np.array([row[n] for row in rows]) for n in range(1, 8)
    )
    most, high = (np.where(open_ended, 0, np.maximum(a + b, 1)) for a, b in ((least, more), (low, more_clusters)))
    got = choose_by_region(
        cells[:, :, 0],
        cells[:, :, 1],
        cells[:, :, 2].astype(bool),
        [np.flatnonzero(np.array(region) == name) for name in names],
        least,
        most,
        low,
        high,
        replicas,
        duplicated,
    )
    region_of = {str(n): f"r{name}" for n, name in enumerate(region) if name >= 0}
    for place, row in enumerate(rows):
        constraints = [
            SpreadConstraint("region", int(least[place]), int(most[place])),
            SpreadConstraint("cluster", int(low[place]), int(high[place])),
        ]
        ranked = [RankedCluster(str(n), score, room) for n, (score, room, ours) in enumerate(row[0]) if ours]
        scheduling = Scheduling.DUPLICATED if duplicated[place] else Scheduling.DIVIDED
        regions = regions_of(ranked, region_of, int(replicas[place]), scheduling, constraints)
        try:
            chosen = spread_by_region(constraints, regions)
        except Unschedulable:
            assert not got.fits[place]
            assert not got.chosen[place].any()
        else:
            assert {str(one) for one in np.flatnonzero(got.chosen[place])} == {cluster.name for cluster in chosen}
