"""Traffic on a constellation: against plain sums, Cobham's formula simulated, and what more room must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.paths.load import PACKET_BITS, Demands, place_demands, waits_s, with_waits
from skyedge.layers.paths.shortest import shortest
from skyedge.space.topology import Snapshot

NODES = 6


def snapshot(*links, nodes=NODES):
    first, second, delay_s = (np.array(column) for column in zip(*links, strict=True))
    return Snapshot(0, nodes, first.astype(np.intp), second.astype(np.intp), delay_s.astype(float))


def demands(*rows, nodes=NODES):
    """Rows of (source, targets, rate, class)."""
    targets = np.zeros((len(rows), nodes), bool)
    for number, (_, ends, *_) in enumerate(rows):
        targets[number, list(ends)] = True
    source, _, rate, qos = zip(*rows, strict=True)
    return Demands(np.array(source, np.intp), targets, np.array(rate, float), np.array(qos, np.intp))


# Two ways from 0 to 3: over 1, which is a little shorter, and over 2.
TWO_WAYS = snapshot((0, 1, 0.010), (1, 3, 0.010), (0, 2, 0.0101), (2, 3, 0.0101))
RATES = np.full(4, 100.0)


def test_an_empty_constellation_gives_everyone_the_shortest_way():
    placed = place_demands(TWO_WAYS, RATES, demands((0, [3], 0.0, 0)))
    assert placed.delay_s[0] == pytest.approx(shortest(TWO_WAYS, 0, 3).delay_s)
    assert placed.hops.tolist() == [2]


def test_where_the_shortest_way_is_full_others_are_taken_and_nothing_is_lost():
    many = demands(*[(0, [3], 20.0, 0)] * 8)
    blind, aware = (place_demands(TWO_WAYS, RATES, many, load_aware=look) for look in (False, True))
    assert blind.load_mbps[0, :2, 0].tolist() == [160, 160]
    np.testing.assert_allclose(blind.delivered, 100 / 160)
    assert aware.delivered.tolist() == [1.0] * 8
    assert aware.load_mbps.max() == 80


def test_an_urgent_class_does_not_wait_for_bulk_and_bulk_takes_what_is_left():
    placed = place_demands(TWO_WAYS, RATES, demands((0, [3], 300.0, 1), (0, [3], 90.0, 0)))
    bulk, urgent = placed.delivered
    assert urgent == 1.0
    assert bulk == pytest.approx(100 / 300)
    assert placed.delay_s[0] > placed.delay_s[1]


def test_a_demand_ends_at_the_cheapest_of_the_gateways_that_it_may_use():
    star = snapshot((0, 1, 0.01), (0, 2, 0.02), (0, 3, 0.03))
    placed = place_demands(star, np.full(3, 10.0), demands((0, [1, 2, 3], 1.0, 0), (0, [2, 3], 1.0, 0), (0, [5], 1.0, 0)))
    assert placed.target.tolist() == [1, 2, -1]
    assert placed.delay_s[2] == np.inf
    assert placed.delivered.tolist() == [1.0, 1.0, 0.0]


def test_the_two_directions_of_a_link_do_not_wait_for_one_another():
    line = snapshot((0, 1, 0.01))
    placed = place_demands(line, np.array([10.0]), demands((0, [1], 10.0, 0), (1, [0], 10.0, 0)))
    assert placed.load_mbps[:, 0, 0].tolist() == [10.0, 10.0]
    assert placed.delivered.tolist() == [1.0, 1.0]


def test_the_waits_are_those_of_a_queue_with_priorities():
    """Against a simulation of packets, non-preemptive, exponential lengths: three standard errors at this seed."""
    rate_mbps, loads = 10.0, np.array([0.3, 0.4])
    draw = np.random.default_rng(7)
    packets, sent_s = 200_000, PACKET_BITS / (rate_mbps * 1e6)
    at = np.cumsum(draw.exponential(sent_s / loads.sum(), packets))
    qos = (draw.random(packets) >= loads[0] / loads.sum()).astype(int)
    length = draw.exponential(sent_s, packets)
    waited, queues, clock, number = ([], []), ([], []), 0.0, 0
    while number < packets or any(queues):
        if not any(queues):
            clock = max(clock, at[number])
        while number < packets and at[number] <= clock:
            queues[qos[number]].append(number)
            number += 1
        mine = 0 if queues[0] else 1
        packet = queues[mine].pop(0)
        waited[mine].append(clock - at[packet])
        clock += length[packet]
    expected = waits_s(loads[None, None, :] * rate_mbps * np.ones((2, 1, 1)), np.array([rate_mbps]))[0, 0]
    np.testing.assert_allclose([np.mean(one) for one in waited], expected, rtol=0.05)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 60), st.integers(0, 2)), min_size=1, max_size=12
    ),
    st.integers(1, 5),
)
def test_all_that_is_offered_is_on_links_and_each_link_passes_no_more_than_it_can(rows, slices):
    ring = snapshot(*((node, (node + 1) % NODES, 0.01 + node / 1e4) for node in range(NODES)))
    many = demands(*((source, [target], float(rate), qos) for source, target, rate, qos in rows))
    placed = place_demands(ring, np.full(NODES, 50.0), many, slices=slices)
    assert placed.load_mbps.sum() == pytest.approx((placed.hops * many.rate_mbps).sum())
    assert (placed.target == [target for _, target, _, _ in rows]).all()
    assert (placed.delivered <= 1).all()
    twice = place_demands(ring, np.full(NODES, 1e6), many, slices=slices)
    assert twice.delivered.min() == 1.0
    assert (twice.delay_s <= placed.delay_s + 1e-12).all()


def test_a_packet_finds_links_as_slow_as_their_busier_direction():
    placed = place_demands(TWO_WAYS, RATES, demands((0, [3], 90.0, 0)))
    seen = with_waits(TWO_WAYS, placed.load_mbps, RATES, qos=0)
    assert (seen.delay_s > TWO_WAYS.delay_s).tolist() == [True, True, False, False]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="negative"):
        demands((0, [1], -1.0, 0))
    with pytest.raises(InputError, match="above zero"):
        place_demands(TWO_WAYS, np.zeros(4), demands((0, [3], 1.0, 0)))


def test_nothing_goes_through_a_node_that_is_no_relay_though_it_may_begin_and_end_there():
    line = snapshot((0, 1, 0.01), (1, 2, 0.01), (0, 3, 0.03), (3, 2, 0.03))
    relays = np.array([True, False, True, True, True, True])
    many = demands((0, [2], 1.0, 0), (1, [2], 1.0, 0), (0, [1], 1.0, 0), (1, [1, 0], 1.0, 0))
    placed = place_demands(line, np.full(4, 10.0), Demands(many.source, many.targets, many.rate_mbps, many.qos, relays))
    assert placed.hops.tolist() == [2, 1, 1, 0]
    np.testing.assert_allclose(placed.delay_s, [0.06, 0.01, 0.01, 0], atol=2e-3)
