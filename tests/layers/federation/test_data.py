"""What data has to move, from where, when it is there, and what is lost."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.data import (
    DataSets,
    LinkQueues,
    Network,
    bytes_there,
    plan_transfers,
    seconds_to_bring,
)
from skyedge.ledger import Ledger

CLUSTERS, REGIONS = 6, 3
NAMES = [f"c{number}" for number in range(CLUSTERS)]
NETWORK = Network(
    np.arange(CLUSTERS) // 2,
    np.array([[100.0, 10.0, 5.0], [10.0, 100.0, 20.0], [5.0, 20.0, 100.0]]),
    np.where(np.eye(REGIONS, dtype=bool), 0.0, 0.5),
    np.where(np.eye(REGIONS, dtype=bool), 1, 4),
)
ALL_ALIVE = np.ones(CLUSTERS, bool)


def one_set(*copies: tuple[int, float], size_bytes: float = 1000.0, change_bytes_per_s: float = 2.0) -> DataSets:
    where, lag_s = zip(*copies, strict=True)
    one = np.zeros(len(copies), np.intp)
    return DataSets(np.array([size_bytes]), np.array([change_bytes_per_s]), one, np.array(where), np.array(lag_s))


def without(*dead: int) -> np.ndarray:
    alive = ALL_ALIVE.copy()
    alive[list(dead)] = False
    return alive


def plan(sets, alive, target):
    return plan_transfers(sets, NETWORK, alive, np.array([0]), np.array([target]))


def test_where_the_data_is_nothing_moves():
    found = plan(one_set((2, 0.0)), ALL_ALIVE, 2)
    assert (found.source[0], found.size_bytes[0], found.recovery_point_s[0], found.lost_bytes[0]) == (-1, 0, 0, 0)


def test_where_it_is_not_all_of_it_moves_over_the_links_between():
    found = plan(one_set((2, 0.0)), ALL_ALIVE, 0)
    assert (found.source[0], found.size_bytes[0], found.byte_hops) == (2, 1000, 4000)


def test_a_copy_that_lags_needs_only_what_was_written_since():
    found = plan(one_set((2, 0.0), (0, 30.0)), ALL_ALIVE, 0)
    assert (found.source[0], found.size_bytes[0], found.lost_bytes[0]) == (2, 60, 0)


def test_when_the_copy_that_is_written_to_dies_the_freshest_left_is_what_there_is():
    found = plan(one_set((2, 0.0), (0, 30.0), (4, 90.0)), without(2), 4)
    assert (found.source[0], found.size_bytes[0]) == (0, 120)
    assert (found.recovery_point_s[0], found.lost_bytes[0]) == (30, 60)
    assert not found.data_lost[0]


def test_no_more_is_written_than_there_is():
    assert plan(one_set((2, 0.0), (0, 1e9)), ALL_ALIVE, 0).size_bytes[0] == 1000


def test_when_all_copies_die_that_is_said():
    found = plan(one_set((2, 0.0), (3, 5.0)), without(2, 3), 0)
    assert found.data_lost[0]
    assert (found.source[0], found.size_bytes[0], found.lost_bytes[0]) == (-1, 0, 1000)
    assert LinkQueues(NETWORK).send(0.0, found)[0] == math.inf


def test_of_equally_fresh_copies_the_quickest_sends():
    assert plan(one_set((2, 0.0), (5, 0.0)), ALL_ALIVE, 0).source[0] == 2  # 10 bytes/s and not 5
    assert plan(one_set((2, 0.0), (3, 0.0)), ALL_ALIVE, 0).source[0] == 2  # as quick: the first


@st.composite
def some_sets(draw) -> DataSets:
    of, where, lag_s = [], [], []
    count = draw(st.integers(1, 5))
    for number in range(count):
        places = draw(st.lists(st.integers(0, CLUSTERS - 1), min_size=1, max_size=4, unique=True))
        of += [number] * len(places)
        where += places
        lag_s += [0.0, *draw(st.lists(st.sampled_from([0.0, 5.0, 60.0, 1e4]), min_size=len(places), max_size=len(places)))][
            : len(places)
        ]
    sizes = draw(st.lists(st.integers(0, 5000), min_size=count, max_size=count))
    return DataSets(np.array(sizes, float), np.full(count, 3.0), np.array(of), np.array(where), np.array(lag_s))


def one_transfer_at_a_time(sets, alive, data_set, target):
    copies = [
        (float(lag), int(where))
        for of, where, lag in zip(sets.of_copy, sets.cluster, sets.lag_s, strict=True)
        if of == data_set and alive[where]
    ]
    if not copies:
        return -1, 0.0, math.inf
    freshest_s = min(lag for lag, _ in copies)
    size = float(sets.size_bytes[data_set])
    own = [lag for lag, where in copies if where == target]
    needed = min(size, 3.0 * (own[0] - freshest_s)) if own else size
    if not needed:
        return -1, 0.0, freshest_s

    def alone_s(where):
        link = NETWORK.region[where], NETWORK.region[target]
        return NETWORK.delay_s[link] + needed / NETWORK.bytes_per_s[link]

    source = min((alone_s(where), where) for lag, where in copies if lag == freshest_s)[1]
    return source, needed, freshest_s


@settings(max_examples=80)
@given(sets=some_sets(), alive=st.lists(st.booleans(), min_size=CLUSTERS, max_size=CLUSTERS), data=st.data())
def test_many_transfers_are_planned_as_one_at_a_time(sets, alive, data):
    alive = np.array(alive)
    count = len(sets.size_bytes)
    pairs = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, CLUSTERS - 1)), min_size=1, max_size=8))
    data_set, target = np.array(pairs).T
    found = plan_transfers(sets, NETWORK, alive, data_set, target)
    for row, (of, where) in enumerate(pairs):
        assert (found.source[row], found.size_bytes[row], found.recovery_point_s[row]) == one_transfer_at_a_time(
            sets, alive, of, where
        )


@settings(max_examples=50)
@given(sets=some_sets(), alive=st.lists(st.booleans(), min_size=CLUSTERS, max_size=CLUSTERS))
def test_what_a_cluster_would_wait_is_what_a_transfer_alone_takes(sets, alive):
    alive = np.array(alive)
    rows = np.arange(len(sets.size_bytes))
    waits_s = seconds_to_bring(sets, NETWORK, alive, rows)
    for row in rows:
        for cluster in range(CLUSTERS):
            one = plan_transfers(sets, NETWORK, alive, rows[row : row + 1], np.array([cluster]))
            assert waits_s[row, cluster] == pytest.approx(LinkQueues(NETWORK).send(0.0, one)[0])


@settings(max_examples=50)
@given(sets=some_sets(), data=st.data())
def test_a_link_carries_one_transfer_after_the_other(sets, data):
    count = len(sets.size_bytes)
    queues, busy = LinkQueues(NETWORK), {}
    for at_s in (0.0, 3.0, 50.0):
        pairs = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, CLUSTERS - 1)), max_size=6))
        data_set, target = np.array(pairs, np.intp).reshape(-1, 2).T
        plans = plan_transfers(sets, NETWORK, ALL_ALIVE, data_set, target)
        arrived_s = queues.send(at_s, plans)
        for row in range(len(pairs)):
            if plans.source[row] < 0:
                assert arrived_s[row] == at_s
                continue
            link = NETWORK.region[plans.source[row]], NETWORK.region[plans.target[row]]
            busy[link] = max(at_s, busy.get(link, 0.0)) + plans.size_bytes[row] / NETWORK.bytes_per_s[link]
            assert arrived_s[row] == pytest.approx(busy[link] + NETWORK.delay_s[link])


@settings(max_examples=30)
@given(sets=some_sets())
def test_the_ledger_of_what_moved_balances(sets):
    targets = np.zeros(len(sets.size_bytes), np.intp)
    found = plan_transfers(sets, NETWORK, ALL_ALIVE, np.arange(len(targets)), targets)
    ledger = Ledger()
    for row in found.ledger_rows(NAMES):
        ledger.post(*row)
    ledger.check_balance()
    assert ledger.total_bytes("delivered", segment="terrestrial") == found.size_bytes.sum()
    assert ledger.byte_hops("delivered", segment="terrestrial") == found.byte_hops


def test_placement_is_told_what_lies_where_up_to_date():
    assert bytes_there(one_set((2, 0.0), (0, 30.0)), 0, NAMES) == {"c2": 1000, "c0": 940}


def test_copies_out_of_order_and_links_without_a_rate_are_refused():
    with pytest.raises(InputError, match="order"):
        DataSets(np.ones(2), np.ones(2), np.array([1, 0]), np.array([0, 0]), np.zeros(2))
    with pytest.raises(InputError, match="less than 0"):
        one_set((0, -1.0))
    with pytest.raises(InputError, match="rate"):
        Network(np.zeros(1, np.intp), np.zeros((1, 1)), np.zeros((1, 1)), np.ones((1, 1), np.int64))
