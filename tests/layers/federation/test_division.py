"""Dividing replicas: what each strategy promises, and that many workloads at once are as each by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.federation.assignment import (
    Candidate,
    StaticWeight,
    Unschedulable,
    assign_by_room,
    assign_by_static_weight,
    assign_replicas,
    attach_zero_replicas,
    dispense_by_weight,
    divide_available,
    merge_assignments,
)
from skyedge.layers.federation.division import (
    Mode,
    Strategy,
    divide_by_room,
    divide_by_static_weight,
    shortest_with_room,
    ties_descend,
)

NAMES = [f"cluster-{number}" for number in range(6)]
BY_ROOM = st.sampled_from([Strategy.DYNAMIC_WEIGHT, Strategy.AGGREGATED])
COUNTS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 30))


def one_seat_at_a_time(replicas, weights, descending=False):
    """Webster's rule as it is written down, over names."""
    parties = sorted((name for name, weight in weights.items() if weight), reverse=descending)
    seats = dict.fromkeys(parties, 0)
    for _ in range(replicas):
        first = min(parties, key=lambda name: (-weights[name] / (2 * seats[name] + 1), seats[name], parties.index(name)))
        seats[first] += 1
    return {name: count for name, count in seats.items() if count}


def by_room_one_step_after_the_other(room, replicas, scheduled, strategy, mode, descending):
    """The strategies by room as the rules tell them, one workload and one replica at a time; None: does not fit."""
    there = {name: count for name, count in scheduled.items() if name in room and count}
    assigned = sum(there.values())
    kept = {}
    if mode is Mode.FRESH:
        weights, wanted = {name: more + there.get(name, 0) for name, more in room.items()}, replicas
    elif assigned > replicas:
        weights, wanted = there, replicas
    else:
        weights, wanted, kept = room, replicas - assigned, there
    if sum(weights.values()) < wanted:
        return None
    if strategy is Strategy.AGGREGATED:
        first = set(kept)
        few, total = {}, 0
        for name in sorted(weights, key=lambda name: (name not in first, -weights[name], name)):
            if total >= wanted:
                break
            few[name] = weights[name]
            total += weights[name]
        weights = few
    return {name: n for name, n in merge_assignments(kept, one_seat_at_a_time(wanted, weights, descending)).items() if n}


WORKLOADS = st.lists(
    st.tuples(COUNTS, st.integers(0, 60), COUNTS, BY_ROOM, st.sampled_from(Mode), st.booleans()), min_size=1, max_size=6
)


@given(WORKLOADS)
def test_many_workloads_at_once_are_divided_as_each_by_the_written_rules(workloads):
    def table(maps):
        return np.array([[one.get(name, 0) for name in NAMES] for one in maps])

    rooms, replicas, scheduled, strategies, modes, descending = zip(*workloads, strict=True)
    division = divide_by_room(
        np.array(replicas),
        table(rooms),
        table(scheduled),
        np.array([[name in room for name in NAMES] for room in rooms]),
        np.array([strategy is Strategy.AGGREGATED for strategy in strategies]),
        np.array([mode is Mode.FRESH for mode in modes]),
        np.array(descending),
    )
    for workload, row, missing in zip(workloads, division.replicas.tolist(), division.missing.tolist(), strict=True):
        expected = by_room_one_step_after_the_other(*workload)
        assert (expected is None) == (missing > 0)
        if expected is not None:
            assert {name: count for name, count in zip(NAMES, row, strict=True) if count} == expected
        else:
            assert row == [workload[2].get(name, 0) for name in NAMES]


@given(COUNTS, st.integers(0, 60), COUNTS, BY_ROOM)
def test_scaling_up_moves_nothing_and_overfills_nobody(room, replicas, scheduled, strategy):
    there = {name: count for name, count in scheduled.items() if name in room}
    replicas += sum(there.values())
    try:
        got = assign_by_room(room, replicas, scheduled, strategy)
    except Unschedulable:
        assert sum(room.values()) < replicas - sum(there.values())
        return
    assert sum(got.values()) == replicas
    for name in room:
        assert there.get(name, 0) <= got.get(name, 0) <= there.get(name, 0) + room[name]


@given(COUNTS, COUNTS, BY_ROOM, st.data())
def test_scaling_down_starts_nothing_anywhere(room, scheduled, strategy, data):
    there = {name: count for name, count in scheduled.items() if name in room}
    replicas = data.draw(st.integers(0, sum(there.values())))
    got = assign_by_room(room, replicas, scheduled, strategy)
    assert sum(got.values()) == replicas
    assert all(count <= there.get(name, 0) for name, count in got.items())


@given(COUNTS.filter(bool), st.integers(1, 60), st.text(max_size=3))
def test_the_order_of_the_candidates_makes_no_difference(room, replicas, uid):
    turned = dict(reversed(room.items()))
    try:
        expected = assign_by_room(room, replicas, {}, Strategy.DYNAMIC_WEIGHT, uid=uid)
    except Unschedulable:
        with pytest.raises(Unschedulable, match="no room"):
            assign_by_room(turned, replicas, {}, Strategy.DYNAMIC_WEIGHT, uid=uid)
    else:
        assert assign_by_room(turned, replicas, {}, Strategy.DYNAMIC_WEIGHT, uid=uid) == expected


def test_an_odd_hash_of_the_name_turns_ties_round():
    # Published values of FNV-1a, 32 bits: "a" is e40c292c, "foobar" is bf9cf968, "b" is e70c2de5.
    assert [ties_descend(uid) for uid in ("", "a", "foobar", "b")] == [False, False, False, True]
    assert dispense_by_weight(1, {"x": 1, "y": 1}, uid="a") == {"x": 1, "y": 0}
    assert dispense_by_weight(1, {"x": 1, "y": 1}, uid="b") == {"x": 0, "y": 1}


def test_aggregated_takes_the_fewest_clusters_and_those_that_run_it_first():
    assert assign_by_room({"a": 5, "b": 9, "c": 9}, 9, {}, Strategy.AGGREGATED) == {"b": 9}
    assert assign_by_room({"a": 5, "b": 9, "c": 9}, 4, {"a": 1}, Strategy.AGGREGATED) == {"a": 4}


def test_afresh_what_runs_gives_its_room_back():
    got = assign_by_room({"a": 0, "b": 6}, 6, {"a": 6}, Strategy.DYNAMIC_WEIGHT, Mode.FRESH)
    assert got == {"a": 3, "b": 3}


def test_replicas_of_a_lost_cluster_are_divided_among_the_others():
    got = assign_by_room({"a": 10, "b": 10}, 9, {"a": 3, "b": 3, "lost": 3}, Strategy.DYNAMIC_WEIGHT)
    assert got == {"a": 5, "b": 4}


def test_static_weights_take_the_largest_that_matches_and_forget_the_unmatched():
    weights = [StaticWeight(1, ("a", "b")), StaticWeight(3, ("a",))]
    assert assign_by_static_weight(["a", "b", "c"], 8, weights) == {"a": 6, "b": 2}
    assert assign_by_static_weight(["a", "b"], 8, [StaticWeight(0)]) == {"a": 4, "b": 4}
    assert assign_by_static_weight(["a", "b"], 8) == {"a": 4, "b": 4}


def test_who_weighs_too_little_for_a_replica_has_none_and_is_no_place_for_the_workload():
    weights = [StaticWeight(9, ("a",)), StaticWeight(1, ("b",))]
    assert assign_by_static_weight(["a", "b", "c"], 1, weights) == {"a": 1, "b": 0}
    assert assign_replicas([Candidate("a"), Candidate("b")], 1, {}, Strategy.STATIC_WEIGHT, weights) == {"a": 1}


def test_static_weights_of_many_workloads_count_candidates_only():
    got = divide_by_static_weight(
        np.array([6, 6]), np.array([[1, 2, 3], [0, 0, 0]]), np.array([[True, True, False], [True, False, True]])
    )
    assert got.tolist() == [[2, 4, 0], [3, 0, 3]]


def test_a_full_tier_overflows_to_the_next_and_the_last_must_do():
    tiers = [Candidate("own", 2, 0), Candidate("cloud", 4, 1)]
    assert assign_replicas(tiers, 5, {}, Strategy.DYNAMIC_WEIGHT) == {"own": 2, "cloud": 3}
    assert assign_replicas(tiers, 2, {"cloud": 2}, Strategy.DYNAMIC_WEIGHT) == {"own": 2}
    with pytest.raises(Unschedulable, match="1 of 5 replicas have no room"):
        assign_replicas(tiers, 7, {}, Strategy.DYNAMIC_WEIGHT)


def test_new_replicas_are_dispensed_whoever_holds_some_already():
    assert dispense_by_weight(2, {"a": 1, "b": 1}, {"a": 5, "c": 1}) == {"a": 6, "b": 1, "c": 1}
    assert dispense_by_weight(2, {}, {"a": 5}) == {"a": 5}


def test_afresh_few_clusters_are_the_roomiest_whatever_ran_where():
    assert assign_by_room({"a": 1, "b": 9}, 6, {"a": 4}, Strategy.AGGREGATED, Mode.FRESH) == {"b": 6}


def test_what_is_scheduled_stays_beside_what_is_divided():
    got = divide_available({"a": 6, "b": 6}, 6, {"b": 4, "gone": 1}, Strategy.DYNAMIC_WEIGHT)
    assert got == {"a": 3, "b": 7, "gone": 1}


def test_candidates_without_replicas_are_listed():
    assert attach_zero_replicas(["a", "b"], {"b": 2}) == {"a": 0, "b": 2}


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=8), st.integers(0, 40))
def test_the_shortest_list_with_room_is_a_head_of_the_order(clusters, wanted):
    room = np.array([[one for one, _ in clusters]])
    preferred = np.array([[flag for _, flag in clusters]])
    chosen = shortest_with_room(np.array([wanted]), room, preferred)[0]
    order = sorted(range(len(clusters)), key=lambda one: (not clusters[one][1], -clusters[one][0], one))
    count = int(chosen.sum())
    assert set(order[:count]) == set(np.flatnonzero(chosen).tolist())
    assert sum(clusters[one][0] for one in order[: max(count - 1, 0)]) < max(wanted, 1)
    assert sum(clusters[one][0] for one in order[:count]) >= wanted or count == len(clusters)
