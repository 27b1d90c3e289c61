import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.mesh.balancing import least_request
from skyedge.layers.mesh.batches import less_busy, less_busy_by_weight
from skyedge.streams import stream

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=60)


class Services:
    """Services with so many endpoints each, and requests for them."""

    def __init__(self, sizes, count, seed):
        self.chance = stream(seed, "batches", "requests")
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.sizes = np.array(sizes)
        self.services = self.chance.integers(0, len(sizes), count)
        self.draws = self.chance.random((count, 2))
        self.active = self.chance.integers(0, 4, self.starts[-1])
        mine = self.sizes[self.services][:, None]
        self.pairs = (self.draws * mine).astype(np.intp) + self.starts[self.services][:, None]

    def one_after_another(self, weights):
        active, picks = self.active.copy(), []
        for service, draws in zip(self.services.tolist(), self.draws.tolist(), strict=True):
            mine = slice(self.starts[service], self.starts[service + 1])
            pick = self.starts[service] + least_request(weights[mine].tolist(), active[mine].tolist(), tuple(draws))
            active[pick] += 1
            picks.append(pick)
        return picks, active.tolist()


@settings(max_examples=30)
@given(sizes, st.integers(0, 1500), st.integers(0, 99))
def test_a_batch_of_least_requests_is_the_same_as_one_after_another(sizes, count, seed):
    many = Services(sizes, count, seed)
    expected = many.one_after_another(np.ones(many.starts[-1]))
    assert (less_busy(many.pairs, many.active).tolist(), many.active.tolist()) == expected


@settings(max_examples=30)
@given(sizes, st.integers(0, 400), st.integers(0, 99))
def test_so_it_is_where_some_services_have_unequal_weights(sizes, count, seed):
    many = Services(sizes, count, seed)
    weights = many.chance.integers(1, 4, many.starts[-1]).astype(float)
    uneven = np.array([np.ptp(weights[start:end]) > 0 for start, end in zip(many.starts, many.starts[1:], strict=False)])
    expected = many.one_after_another(weights)
    among = np.where(uneven, many.sizes, 0)[many.services]
    members, bases = np.arange(many.starts[-1]), many.starts[many.services]
    got = less_busy_by_weight(many.services, among, bases, members, weights, many.pairs, many.draws[:, 0], many.active)
    assert (got.tolist(), many.active.tolist()) == expected
