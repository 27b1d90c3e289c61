"""Choosing clusters for many workloads at once is choosing them for each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.assignment import Unschedulable
from skyedge.layers.federation.choice import choose_clusters
from skyedge.layers.federation.spread import RankedCluster, SpreadConstraint, sort_clusters, spread_by_cluster

CELL = st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans())


@st.composite
def workloads(draw):
    width = draw(st.integers(1, 7))
    row = st.tuples(st.lists(CELL, min_size=width, max_size=width), st.integers(0, 4), st.integers(0, 4), st.integers(0, 40))
    return draw(st.lists(row, min_size=1, max_size=6))


@given(workloads())
def test_many_workloads_at_once_get_the_clusters_that_each_gets(rows):
    cells = np.array([row[0] for row in rows])
    least = np.array([row[1] for row in rows])
    most = least + [row[2] for row in rows]
    need = np.array([row[3] for row in rows])
    got = choose_clusters(cells[:, :, 0], cells[:, :, 1], cells[:, :, 2].astype(bool), least, most, need)
    for place, (row, low, more, replicas) in enumerate(rows):
        ranked = sort_clusters([RankedCluster(str(n), score, room) for n, (score, room, ours) in enumerate(row) if ours])
        try:
            chosen = spread_by_cluster(SpreadConstraint("cluster", low, low + more), ranked, replicas or None)
        except Unschedulable:
            assert not got.fits[place]
            assert not got.chosen[place].any()
        else:
            assert got.fits[place]
            assert {str(one) for one in np.flatnonzero(got.chosen[place])} == {cluster.name for cluster in chosen}


def test_a_score_that_does_not_fit_is_refused():
    one = np.ones((1, 1), np.int64)
    with pytest.raises(InputError, match="from 0 to 2047"):
        choose_clusters(one * 2048, one, one > 0, one[0], one[0], one[0])
