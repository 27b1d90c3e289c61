"""What is lost on full links: by hand on chains, and on any ways no link carries more than it can."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.paths.losses import delivered_shares


def shares(demands, links, classes=1):
    """Of rows (links, rate, class)."""
    ways, rates, qos = zip(*demands, strict=True)
    rows = [np.array(way, np.intp) for way in ways]
    return delivered_shares(rows, np.array(qos, np.intp), np.array(rates, float), np.array(links, float), classes)


@pytest.mark.parametrize(
    ("demands", "links", "delivered"),
    [
        ([([0, 1, 2], 1000, 0)], [100, 100, 100], [0.1]),  # what is lost once is not lost again
        ([([0, 1], 1000, 0)], [100, 50], [0.05]),
        ([([0, 1], 100, 0), ([1], 100, 0)], [50, 100], [1 / 3, 2 / 3]),  # 50 and 100 share the second link
        ([([0], 90, 0), ([0], 30, 1), ([0], 10, 1)], [100], [1, 0.25, 0.25]),  # the urgent first, then equal shares
        ([([0], 150, 0), ([0], 30, 1)], [100], [2 / 3, 0]),
        ([([], 5, 0), ([0], 5, 0)], [10], [1, 1]),
        ([([], 5, 0)], [10], [1]),
        ([([0], 10, 0), ([0], 0, 1)], [10], [1, 1]),  # of nothing nothing is lost
    ],
)
def test_on_a_chain_of_links(demands, links, delivered):
    assert shares(demands, links, 2) == pytest.approx(delivered)


def test_ways_in_a_circle_lose_alike():
    circle = [([0, 1], 10, 0), ([1, 2], 10, 0), ([2, 0], 10, 0)]
    first = (np.sqrt(5) - 1) / 2  # of 10 + 10 p offered, 10 pass: p (1 + p) = 1
    assert shares(circle, [10, 10, 10]) == pytest.approx([first**2] * 3, rel=1e-6)


WAYS = st.lists(st.integers(0, 4), unique=True, max_size=5)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(WAYS, st.integers(0, 1000), st.integers(0, 2)), min_size=1, max_size=8),
    st.lists(st.integers(1, 200), min_size=5, max_size=5),
)
def test_no_link_delivers_more_than_it_carries_and_nothing_is_lost_where_all_fits(demands, links):
    arrived = shares(demands, links, 3)
    assert ((arrived >= 0) & (arrived <= 1)).all()
    offered, carried = np.zeros(5), np.zeros(5)
    for (way, rate, _), share in zip(demands, arrived, strict=True):
        for link in way:
            offered[link] += rate
            carried[link] += rate * share
    assert (carried <= np.array(links) * (1 + 1e-6)).all()
    for (way, _, _), share in zip(demands, arrived, strict=True):
        if all(offered[link] <= links[link] for link in way):
            assert share == pytest.approx(1.0)
