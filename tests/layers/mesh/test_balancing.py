import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.balancing import at_random, effective_weights, least_request, round_robin
from skyedge.layers.mesh.weights import choose, shares
from skyedge.streams import stream

some_weights = st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(lambda given: len(given) == 1 or sum(given) > 0)
draws_in_unit = st.floats(0, 1, exclude_max=True)


@given(some_weights, st.integers(2, 9))
def test_only_proportions_of_weights_count(given_weights, times):
    assert shares([times * weight for weight in given_weights]) == pytest.approx(shares(given_weights))


@given(some_weights, st.lists(draws_in_unit, max_size=20))
def test_a_batch_of_choices_is_the_choices_one_at_a_time(given_weights, draws):
    batch = choose(given_weights, draws).tolist()
    assert batch == [int(choose(given_weights, draw)) for draw in draws]
    assert all(given_weights[pick] > 0 for pick in batch) or len(given_weights) == 1


@given(some_weights)
def test_evenly_spread_draws_give_each_destination_its_share(given_weights):
    count = 1000
    picks = choose(given_weights, (np.arange(count) + 0.5) / count)
    got = np.bincount(picks, minlength=len(given_weights)) / count
    assert np.abs(got - shares(given_weights)).max() <= 1 / count + 1e-12


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 200))
def test_round_robin_is_never_more_than_a_turn_away_from_the_shares(given_weights, count):
    picks = round_robin(given_weights, count)
    due = count * shares(given_weights)
    assert np.abs(np.bincount(picks, minlength=len(given_weights)) - due).max() <= len(given_weights)


def test_round_robin_among_equals_is_a_circle():
    assert round_robin([3, 3, 3], 7).tolist() == [0, 1, 2, 0, 1, 2, 0]


@given(st.integers(1, 50), draws_in_unit)
def test_a_random_endpoint_is_one_of_them(endpoints, draw):
    assert 0 <= int(at_random(endpoints, draw)) < endpoints


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), draws_in_unit, draws_in_unit)
def test_of_two_equal_endpoints_the_less_busy_one_serves(active, first, second):
    pick = least_request([1] * len(active), active, (first, second))
    drawn = [int(at_random(len(active), draw)) for draw in (first, second)]
    assert pick in drawn
    assert active[pick] == min(active[one] for one in drawn)


def test_two_choices_keep_the_busiest_endpoint_near_the_mean():
    draws = stream(0, "balancing", "draws").random((20_000, 2))
    busy = {"two choices": np.zeros(100, int), "one choice": np.zeros(100, int)}
    for first, second in draws.tolist():
        busy["two choices"][least_request([1] * 100, busy["two choices"].tolist(), (first, second))] += 1
    np.add.at(busy["one choice"], at_random(100, draws[:, 0]), 1)
    # Mitzenmacher: log log n above the mean, against the square root of the mean for one choice.
    assert busy["two choices"].max() - 200 <= 5
    assert busy["one choice"].max() - 200 > 20


def test_busy_endpoints_of_unequal_weight_get_less():
    assert effective_weights([2, 1], [4, 0]).tolist() == pytest.approx([0.4, 1.0])
    assert effective_weights([2, 1], [4, 0], 0.0).tolist() == [2.0, 1.0]
    assert least_request([2, 1], [4, 0], (0.5, 0.0)) == 1


def test_what_makes_no_sense_is_refused():
    for call in (lambda: shares([]), lambda: shares([0, 0]), lambda: shares([1, -1]), lambda: shares([1, float("nan")])):
        with pytest.raises(InputError):
            call()
    with pytest.raises(InputError):
        effective_weights([1], [1], -1.0)
    with pytest.raises(InputError):
        at_random(0, 0.5)
