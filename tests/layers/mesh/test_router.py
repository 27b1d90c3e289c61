"""The router's batches beside one request at a time (reference.py), over random meshes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Destination, HttpRoute
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Balancer,
    Caller,
    DestinationRule,
    LoadBalancing,
    Mesh,
    MeshEndpoint,
    Service,
    Subset,
    TrafficPolicy,
    VirtualService,
)
from skyedge.layers.mesh.router import BatchDraws, Router
from skyedge.streams import stream
from tests.layers.mesh.random_meshes import RandomMesh, draws
from tests.layers.mesh.reference import Chance, Reference, Way


def batch_draws(drawn):
    return BatchDraws(drawn[:, 0], drawn[:, 1], drawn[:, 2:4], drawn[:, 4], drawn[:, 5])


def ways(router, routed):
    """The outcome of a batch in the words of the reference."""
    return [
        Way(
            int(routed.status[at]),
            int(routed.rules[at]),
            int(routed.destinations[at]),
            None if endpoint < 0 else router.table.endpoints[endpoint].address,
            int(routed.priorities[at]),
            None if routed.localities[at] < 0 else router.table.localities[routed.localities[at]],
            float(routed.delay_s[at]),
        )
        for at, endpoint in enumerate(routed.endpoints.tolist())
    ]


class Both:
    """The router and the reference, kept in step."""

    def __init__(self, random):
        self.random = random
        self.router, self.reference = Router(random.mesh, random.caller), Reference(random.mesh, random.caller)
        self.in_hand = []

    def route(self, count):
        requests = self.random.requests(count)
        drawn = draws(self.random.chance, count)
        routed = self.router.route(self.router.keys.numbers(requests), batch_draws(drawn))
        expected = [self.reference.route(one, Chance(*row)) for one, row in zip(requests, drawn.tolist(), strict=True)]
        assert ways(self.router, routed) == expected
        self.in_hand += routed.endpoints[routed.endpoints >= 0].tolist()

    def finish_some(self):
        over, self.in_hand = self.in_hand[::2], self.in_hand[1::2]
        for endpoint in over:
            # Of one that is gone, or whose number somebody else has since, the reference knows nothing.
            one = self.router.table.endpoints[endpoint]
            if one is not None:
                self.reference.finish(one.service, one.address)
        self.router.finish(over)

    def toggle(self):
        table = self.router.table
        there = [row for row, endpoint in enumerate(table.endpoints) if endpoint is not None]
        for row in there:
            if self.random.chance.random() < 0.2:
                one, back = table.endpoints[row], bool(table.ejected[row])
                self.reference.eject(one.service, one.address, back=back)
                (self.router.restore if back else self.router.eject)([row])


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.booleans())
def test_a_batch_goes_the_ways_of_its_requests_one_after_another(seed, faults):
    Both(RandomMesh(seed, faults=faults)).route(80)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_so_it_does_through_ejections_answers_and_other_endpoints(seed):
    both = Both(RandomMesh(seed))
    for _ in range(3):
        both.route(40)
        both.toggle()
        both.route(40)
        both.finish_some()
        host = both.random.hosts[0]
        fresh = both.random.some_endpoints(host)
        for side in (both.router, both.reference):
            side.update(host, fresh)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_in_one_batch_or_in_several_is_the_same(seed):
    random = RandomMesh(seed)
    requests, drawn = random.requests(600), draws(random.chance, 600)
    whole, parts = Router(random.mesh, random.caller), Router(random.mesh, random.caller)
    at_once = whole.route(whole.keys.numbers(requests), batch_draws(drawn)).endpoints
    keys = parts.keys.numbers(requests)
    in_parts = [parts.route(keys[at : at + 50], batch_draws(drawn[at : at + 50])).endpoints for at in range(0, 600, 50)]
    assert at_once.tolist() == np.concatenate(in_parts).tolist()
    assert whole.table.active.tolist() == parts.table.active.tolist()


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_the_order_in_which_a_mesh_is_written_has_no_meaning(seed):
    random = RandomMesh(seed)
    mesh = random.mesh
    turned = Mesh(mesh.services[::-1], mesh.endpoints[::-1], mesh.rules, mesh.virtual_services, mesh.defaults)
    requests, drawn = random.requests(60), draws(random.chance, 60)
    one, other = Router(mesh, random.caller), Router(turned, random.caller)
    assert ways(one, one.route(one.keys.numbers(requests), batch_draws(drawn))) == ways(
        other, other.route(other.keys.numbers(requests), batch_draws(drawn))
    )


def small(balancer=Balancer.LEAST_REQUEST, count=4):
    endpoints = tuple(MeshEndpoint(f"10.0.0.{n}", "a.example", Locality("here")) for n in range(count))
    rule = DestinationRule("a.example", TrafficPolicy(LoadBalancing(balancer)))
    return Mesh((Service("a.example"),), endpoints, (rule,))


def some(count, name="draws"):
    return BatchDraws.of(stream(0, "router", name), count)


def test_who_is_ejected_gets_nothing_until_it_is_back():
    router = Router(small(), Caller())
    keys = np.zeros(500, np.intp) + router.keys.number(HttpRequest("a.example"))
    router.eject([1])
    assert set(router.route(keys, some(500)).endpoints.tolist()) == {0, 2, 3}
    router.restore([1])
    assert set(router.route(keys, some(500)).endpoints.tolist()) == {0, 1, 2, 3}


def test_requests_that_are_over_are_no_longer_in_hand():
    router = Router(small(), Caller())
    keys = np.zeros(500, np.intp) + router.keys.number(HttpRequest("a.example"))
    endpoints = router.route(keys, some(500)).endpoints
    assert np.ptp(router.table.active[:4]) <= 2, "least request keeps them level"
    router.finish(endpoints)
    assert not router.table.active.any()


def test_a_new_endpoint_does_not_inherit_the_requests_of_one_that_is_gone():
    router = Router(small(count=1), Caller())
    key = router.keys.numbers([HttpRequest("a.example")])
    before = router.route(key, some(1)).endpoints
    router.update("a.example", [MeshEndpoint("10.0.0.9", "a.example")])
    after = router.route(key, some(1)).endpoints
    assert before != after
    router.finish(before)
    assert router.table.active[after].tolist() == [1]


def test_the_circle_goes_on_where_it_was_after_nobody_was_there():
    router = Router(small(Balancer.ROUND_ROBIN), Caller())
    key = router.keys.numbers([HttpRequest("a.example")])
    turns = []
    for turn in range(6):
        turns += router.route(key, some(1)).endpoints.tolist()
        if turn == 2:
            router.update("a.example", ())
            assert router.route(key, some(1)).status.tolist() == [503]
            router.update("a.example", small().endpoints)
    addresses = [router.table.endpoints[row].address[-1] for row in turns[3:]]
    assert addresses == ["3", "0", "1"]


def test_an_endpoint_of_half_the_weight_has_less_in_hand_by_the_root_of_it():
    router = Router(small(count=2), Caller())
    keys = np.zeros(3000, np.intp) + router.keys.number(HttpRequest("a.example"))
    router.reweigh([1], [0.5])
    first, second = np.bincount(router.route(keys, some(3000)).endpoints).tolist()
    # While nothing is over, d(first) : d(second) = 1 / first : 0.5 / second, so that the squares are as 2 to 1.
    assert first / second == pytest.approx(2**0.5, rel=0.1)


@pytest.mark.parametrize("subset", ["", "nobody", "unknown"])
def test_a_route_to_nobody_is_answered_with_503(subset):
    mesh = Mesh(
        (Service("a.example"),),
        rules=(DestinationRule("a.example", subsets=(Subset("nobody", {"version": "v9"}),)),),
        virtual_services=(VirtualService(("a.example",), (HttpRoute(destinations=(Destination("a.example", subset),)),)),),
    )
    router = Router(mesh, Caller())
    assert router.route(router.keys.numbers([HttpRequest("a.example")]), some(1)).status.tolist() == [503]


def test_requests_of_equal_texts_have_one_key_however_they_come_in():
    router = Router(small(), Caller())
    columns = router.keys.of_columns(["a.example"] * 3, ["/", "/x", "/"], ["GET"] * 3, [(("User", "u"),)] * 3)
    singly = router.keys.numbers([HttpRequest("a.example", path, headers={"user": "u"}) for path in ("/", "/x")])
    assert columns.tolist() == [singly[0], singly[1], singly[0]]


@pytest.mark.parametrize(
    ("mesh", "said"),
    [
        (Mesh((Service("a.example"),), (MeshEndpoint("1", "a.exampel"),)), "did you mean 'a.example'"),
        (Mesh((Service("a"), Service("a"))), "listed twice"),
        (Mesh((Service("a"),), (MeshEndpoint("1", "a"), MeshEndpoint("1", "a"))), "have the address 1"),
        (Mesh((Service("a"),), (MeshEndpoint("1", "a", weight=-1),)), "negative weight"),
        (Mesh((), (), (DestinationRule("a", subsets=(Subset("x"), Subset("x"))),)), "two subsets of one name"),
    ],
)
def test_a_mesh_that_contradicts_itself_is_refused(mesh, said):
    with pytest.raises(InputError, match=said):
        Router(mesh, Caller())
