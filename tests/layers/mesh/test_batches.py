import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.balancing import least_request
from skyedge.layers.mesh.batches import ShareTable, least_request_batch
from skyedge.layers.mesh.weights import choose
from skyedge.streams import stream

rows = st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(lambda row: len(row) == 1 or sum(row) > 0)


@given(st.lists(rows, min_size=1, max_size=6), st.integers(0, 99))
def test_a_batch_over_many_routes_chooses_as_each_route_would(table, seed):
    chance = stream(seed, "batches", "shares")
    asked, draws = chance.integers(0, len(table), 50), chance.random(50)
    shared = ShareTable(table)
    got = shared.choose(asked, draws) - shared.starts[asked]
    assert got.tolist() == [int(choose(table[row], draw)) for row, draw in zip(asked, draws.tolist(), strict=True)]


@given(st.lists(rows, min_size=1, max_size=6), st.sampled_from([0.0, 0.5, 1 - 2**-53]))
def test_what_has_no_share_is_never_chosen_even_at_the_ends(table, draw):
    shared = ShareTable(table)
    asked = np.arange(len(table))
    got = shared.choose(asked, np.full(len(table), draw)) - shared.starts[:-1]
    assert all(table[row][entry] > 0 or len(table[row]) == 1 for row, entry in enumerate(got.tolist()))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(0, 1500), st.integers(0, 99))
def test_a_batch_of_least_requests_is_the_same_as_one_after_another(sizes, count, seed):
    chance = stream(seed, "batches", "requests")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    services, draws = chance.integers(0, len(sizes), count), chance.random((count, 2))
    active = chance.integers(0, 4, starts[-1])
    alone, expected = active.copy(), []
    for service, (first, second) in zip(services.tolist(), draws.tolist(), strict=True):
        mine = alone[starts[service] : starts[service + 1]]
        pick = least_request([1] * mine.size, mine.tolist(), (first, second))
        mine[pick] += 1
        expected.append(starts[service] + pick)
    assert least_request_batch(starts, services, draws, active).tolist() == expected
    assert active.tolist() == alone.tolist()


def test_a_row_without_any_share_is_refused():
    with pytest.raises(InputError, match="all zero"):
        ShareTable([[1], [0, 0]])
