import numpy as np
import pytest

from skyedge.layers.mesh.router import BatchDraws, Router
from skyedge.layers.mesh.traffic import Behaviour, Behaviours, ServiceTime, Shape, TimedRequest, simulate
from tests.layers.mesh.random_meshes import RandomMesh

INSTANT = Behaviours(Behaviour(ServiceTime(0, Shape.CONSTANT)))
MANY = 1500


@pytest.mark.parametrize("seed", range(12))
def test_what_traffic_does_is_among_what_the_router_does(seed):
    random = RandomMesh(seed)
    requests = random.requests(12)
    router = Router(random.mesh, random.caller)
    numbers = router.keys.numbers(requests)
    possible = [set() for _ in requests]
    for at, number in enumerate(numbers.tolist()):
        routed = router.route(np.full(MANY, number, np.intp), BatchDraws.of(np.random.default_rng(at), MANY))
        router.finish(routed.endpoints)
        for status, rule, endpoint in zip(
            routed.status.tolist(), routed.rules.tolist(), routed.endpoints.tolist(), strict=True
        ):
            address = router.table.endpoints[endpoint].address if endpoint >= 0 else None
            possible[at].add((status, rule, address))
    timed = [TimedRequest(turn * 1_000_000, random.caller, one) for turn in range(4) for one in requests]
    calls = simulate(random.mesh, timed, INSTANT, seed).calls
    address = [None] * len(calls.requests)
    for request, endpoint in zip(calls.attempts.request.tolist(), calls.attempts.endpoint.tolist(), strict=True):
        # The world outside has one endpoint here and none in a router.
        inside = calls.endpoints[endpoint].service in random.hosts
        address[request] = calls.endpoints[endpoint].address if inside else None
    for at in range(len(timed)):
        if calls.services[calls.requests.service[at]] not in random.hosts and address[at] is None:
            assert int(calls.requests.status[at]) in {status for status, _, _ in possible[at % 12]}
            continue
        seen = (int(calls.requests.status[at]), int(calls.requests.route[at]), address[at])
        assert seen in possible[at % 12], timed[at].http
