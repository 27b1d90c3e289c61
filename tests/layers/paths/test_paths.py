"""Paths over snapshots: against plain searches on small random graphs, and against Hypatia's figures for Kuiper."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.paths import delays_to_each, delays_to_nearest, earliest_delivery, follow, shortest
from skyedge.layers.paths.shortest import delay_over
from skyedge.resources import find
from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.isl import LIGHT_KM_S, plus_grid
from skyedge.space.sites import Sites
from skyedge.space.topology import Snapshot, Topology, great_circle_km
from skyedge.time import SECOND
from skyedge.yaml_files import read_yaml

NODES = 7
PAIRS = list(itertools.combinations(range(NODES), 2))
# Eighths add up exactly, so that ways of one length are ties to the last digit.
graphs = st.dictionaries(st.sampled_from(PAIRS), st.integers(1, 6).map(lambda n: n / 8), max_size=14)


def snapshot(links, at=0, nodes=NODES):
    ends = np.array(list(links), np.intp).reshape(-1, 2)
    return Snapshot(at, nodes, ends[:, 0], ends[:, 1], np.array(list(links.values()), float))


def all_delays(links, nodes=NODES):
    """Floyd and Warshall's way: (nodes, nodes)."""
    delay = np.full((nodes, nodes), np.inf)
    np.fill_diagonal(delay, 0.0)
    for (one, other), link_s in links.items():
        delay[one, other] = delay[other, one] = link_s
    for via in range(nodes):
        delay = np.minimum(delay, delay[:, [via]] + delay[[via], :])
    return delay


@given(graphs)
def test_the_shortest_route_is_as_long_as_the_sum_of_its_links_and_no_other_is_shorter(links):
    truth = all_delays(links)
    for target in range(1, NODES):
        route = shortest(snapshot(links), 0, target)
        if route is None:
            assert truth[0, target] == np.inf
            continue
        assert route.nodes[0] == 0
        assert route.nodes[-1] == target
        assert len(set(route.nodes)) == route.hops + 1
        over = sum(links[min(pair), max(pair)] for pair in itertools.pairwise(route.nodes))
        assert route.delay_s == over == truth[0, target] == delay_over(snapshot(links), route.nodes)


@given(graphs, st.randoms(use_true_random=False))
def test_the_order_and_direction_of_links_change_nothing(links, random):
    shuffled = list(links.items())
    random.shuffle(shuffled)
    turned = {(pair[::-1] if random.random() < 0.5 else pair): link_s for pair, link_s in shuffled}
    assert shortest(snapshot(links), 0, NODES - 1) == shortest(snapshot(turned), 0, NODES - 1)


@given(graphs)
def test_there_and_back_take_equally_long(links):
    there, back = shortest(snapshot(links), 0, 3), shortest(snapshot(links), 3, 0)
    assert (there is None) == (back is None)
    assert there is None or there.delay_s == back.delay_s


@given(graphs, st.sets(st.integers(0, NODES - 1), min_size=1))
def test_the_nearest_sink_is_the_nearest_of_all_searched_one_by_one(links, sinks):
    chosen = np.array(sorted(sinks))
    np.testing.assert_array_equal(delays_to_each(snapshot(links), chosen), all_delays(links)[chosen])
    np.testing.assert_array_equal(delays_to_nearest(snapshot(links), chosen), all_delays(links)[chosen].min(axis=0))


@settings(max_examples=60)
@given(st.lists(graphs, min_size=1, max_size=5), st.sets(st.integers(0, NODES - 1), min_size=1, max_size=3))
def test_the_earliest_delivery_is_what_flooding_forward_finds(plan, sinks):
    step_s, chosen = 100, sorted(sinks)
    shots = [snapshot(links, at=number * step_s * SECOND) for number, links in enumerate(plan)]
    found = earliest_delivery(shots[::-1], np.array(chosen))[::-1]
    for begin, node in itertools.product(range(len(plan)), range(NODES)):
        holders, arrival = {node}, np.inf
        for number in range(begin, len(plan)):
            delay = all_delays(plan[number])
            soonest = min(delay[holder, sink] for holder in holders for sink in chosen)
            if np.isfinite(soonest):
                arrival = (number - begin) * step_s + soonest
                break
            holders = {n for n in range(NODES) if any(np.isfinite(delay[holder, n]) for holder in holders)}
        assert found[begin, node] == arrival


def test_steps_shorter_than_the_ways_are_refused():
    shots = [snapshot({(0, 1): 0.75}, at=at * SECOND) for at in (1, 0)]
    with pytest.raises(InputError, match="too short"):
        earliest_delivery(shots, np.array([1]))


# Two satellites, 2 and 3, between the ends 0 and 1.
LEFT, RIGHT = {(0, 2): 0.125, (1, 2): 0.125}, {(0, 3): 0.25, (1, 3): 0.25}
BETTER_RIGHT = {**LEFT, (0, 3): 0.12, (1, 3): 0.12}


def steps(*links):
    return [snapshot(each, at=number * SECOND, nodes=4) for number, each in enumerate(links)]


def test_a_hand_over_is_counted_at_both_ends_and_an_outage_is_none():
    journey = follow(steps(LEFT, RIGHT, {}, {}, RIGHT, RIGHT), 0, 1)
    assert journey.hand_overs.tolist() == [0, 2, 0, 0, 0, 0]
    assert journey.outages() == [(2, 4)]
    assert journey.hops.tolist() == [2, 2, 0, 0, 2, 2]
    np.testing.assert_array_equal(journey.delay_s, [0.25, 0.5, np.nan, np.nan, 0.5, 0.5])


def test_an_outage_at_either_end_of_the_time_is_seen():
    assert follow(steps({}, LEFT, {}), 0, 1).outages() == [(0, 1), (2, 3)]
    assert follow([], 0, 1).outages() == []


def test_a_route_is_kept_while_it_is_nearly_the_shortest():
    plan = steps(LEFT, BETTER_RIGHT, LEFT, BETTER_RIGHT)
    assert follow(plan, 0, 1).hand_overs.sum() == 6
    kept = follow(plan, 0, 1, keep_within=0.05)
    assert kept.hand_overs.sum() == 0
    assert (kept.delay_s <= follow(plan, 0, 1).delay_s * 1.05).all()
    # When it breaks there is nothing to keep.
    assert follow(steps(LEFT, RIGHT), 0, 1, keep_within=10.0).hand_overs.sum() == 2


def test_the_end_that_can_be_kept_is_kept_when_the_other_breaks():
    # From 0 by 2 and 3 to 1; then 3 loses 1, and the shortest way goes by 4 alone.
    before = {(0, 2): 0.125, (2, 3): 0.125, (1, 3): 0.125}
    after = {(0, 2): 0.125, (2, 4): 0.25, (0, 4): 0.25, (1, 4): 0.125}
    plan = [snapshot(before), snapshot(after, at=1)]
    assert follow(plan, 0, 1).hand_overs.tolist() == [0, 2]
    kept = follow(plan, 0, 1, keep_within=0.5)
    assert kept.routes[1].nodes == (0, 2, 4, 1)
    assert kept.hand_overs.tolist() == [0, 1]


def test_both_ends_are_kept_when_a_link_between_them_breaks():
    before = {(0, 2): 0.125, (2, 3): 0.125, (1, 3): 0.125}
    after = {(0, 2): 0.125, (2, 4): 0.125, (3, 4): 0.125, (1, 3): 0.125, (0, 5): 0.2, (1, 5): 0.2}
    plan = [snapshot(before), snapshot(after, at=1)]
    assert follow(plan, 0, 1).hand_overs.tolist() == [0, 2]
    kept = follow(plan, 0, 1, keep_within=0.5)
    assert kept.routes[1].nodes == (0, 2, 4, 3, 1)
    assert kept.hand_overs.tolist() == [0, 0]
    assert kept.new_route.tolist() == [False, True]


@given(st.lists(graphs, min_size=1, max_size=6), st.floats(0, 1))
def test_keeping_never_costs_more_than_allowed_nor_makes_an_outage(plan, keep_within):
    shots = [snapshot(links, at=number) for number, links in enumerate(plan)]
    best, kept = follow(shots, 0, 1), follow(shots, 0, 1, keep_within)
    assert best.outages() == kept.outages()
    up = np.isfinite(best.delay_s)
    assert (kept.delay_s[up] >= best.delay_s[up]).all()
    assert (kept.delay_s[up] <= best.delay_s[up] * (1 + keep_within)).all()


CITIES = ("Manila", "Dalian", "St Petersburg")


@pytest.fixture(scope="module")
def kuiper():
    """Kuiper's first shell from its epoch on, for 200 s, the ground linked within 1,260 km.

    Hypatia takes the longest range of a satellite that stands at 30° over a flat Earth, 630 km / sin 30°.
    """
    shell = WalkerShell.from_mapping(read_yaml(find("constellations/kuiper-630.yaml", kind="orbit"))["walker"])
    constellation = Constellation.walker(shell)
    start = int(constellation.epochs_us()[0])
    times = start + np.arange(0, 200, 2) * SECOND
    known = Sites.from_csv(find("sites/cities.csv", kind="orbit"))
    rows = [known.names.index(name) for name in CITIES]
    sites = Sites(CITIES, known.lat_deg[rows], known.lon_deg[rows], known.height_m[rows])
    ephemeris = Ephemeris.of(constellation, start, start + 200 * SECOND)
    topology = Topology(ephemeris, plus_grid(shell), sites, min_elevation_deg=0.0, longest_range_km=1260.0)
    return topology, list(topology.snapshots(times))


@pytest.mark.parametrize(
    ("one", "other", "low_ms", "high_ms"),
    [("Manila", "Dalian", 25, 48), ("Manila", "St Petersburg", 69, 78), ("Dalian", "St Petersburg", 59, 64)],
)
def test_round_trips_over_kuiper_are_those_of_hypatia(kuiper, one, other, low_ms, high_ms):
    topology, shots = kuiper
    ends = [CITIES.index(name) for name in (one, other)]
    source, target = (len(topology.ephemeris) + end for end in ends)
    journey = follow(shots, source, target)
    round_trip_ms = 2e3 * journey.delay_s[np.isfinite(journey.delay_s)]
    assert round_trip_ms.min() == pytest.approx(low_ms, abs=0.6)
    assert round_trip_ms.max() == pytest.approx(high_ms, abs=0.6)
    places = topology.sites.positions_km()[ends]
    assert round_trip_ms.min() > 2e3 * great_circle_km(*places) / LIGHT_KM_S


def test_a_path_over_kuiper_is_a_row_of_links_from_city_to_city(kuiper):
    topology, shots = kuiper
    satellites = len(topology.ephemeris)
    for shot in shots[::20]:
        route = shortest(shot, satellites, satellites + 1)
        assert route.delay_s == pytest.approx(delay_over(shot, route.nodes), rel=1e-12)
        assert all(node < satellites for node in route.nodes[1:-1])
        assert shortest(shot, satellites + 1, satellites).delay_s == pytest.approx(route.delay_s, rel=1e-12)


def test_of_several_ends_the_nearest_is_taken_unless_a_preferred_one_is_not_much_farther():
    shots = [snapshot({(0, 1): 0.1, (0, 2): 0.12, (0, 3): 0.3}, nodes=4)]
    ends = {
        within: follow(shots, 0, [1, 2, 3], preferred=[2, 3], prefer_within=within).routes[0].nodes[-1]
        for within in (0, 0.1, 0.25)
    }
    assert ends == {0: 1, 0.1: 1, 0.25: 2}
    assert follow(shots, 0, [3, 1]).routes[0].nodes == (0, 1)
