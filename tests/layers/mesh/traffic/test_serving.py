"""What an endpoint does with who asks it."""

from dataclasses import replace

import pytest

from skyedge.layers.mesh.headers import HeaderOperations
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Destination, Mirror, Rewrite
from skyedge.layers.mesh.objects import Caller, ServicePort
from skyedge.layers.mesh.traffic import Behaviour, Call, Controls, simulate
from tests.layers.mesh.traffic.worlds import CALLER, HOST, at_once, endpoints, mesh_of, route_to, service, working


def test_who_may_call_is_decided_once_for_each_caller_endpoint_and_request():
    """A request and those after it that are the same object meet the same policies, which cost more than the rest."""
    other, hidden = Caller("batch", namespace="default"), HttpRequest(HOST, path="/hidden")
    asked = []

    def allowed(caller, endpoint, request):
        asked.append((caller.name, endpoint.address, request.path))
        return caller is CALLER and request is not hidden

    requests = [*at_once(50), *at_once(50, http=hidden), *at_once(50, caller=other)]
    calls = simulate(mesh_of(2), requests, working(), controls=Controls(allowed=allowed)).calls
    assert calls.requests.status.tolist() == [200] * 50 + [403] * 100
    assert len(asked) == len(set(asked)) == 6


def test_who_may_call_is_asked_by_the_port_that_the_call_goes_to():
    """That of the request, unless the rule, or its mirror, names another."""
    back, second = service("back.default.svc.cluster.local"), ServicePort(81, "http-second")
    back = replace(back, ports=(*back.ports, second))
    asked = []

    def allowed(caller, endpoint, request):
        asked.append((endpoint.service, request.port))
        return True

    mesh = mesh_of(
        1, route=replace(route_to(), mirrors=(Mirror(Destination(back.host, port=81)), Mirror(Destination(back.host))))
    )
    mesh = replace(mesh, services=(*mesh.services, back), endpoints=mesh.endpoints + endpoints(1, back.host))
    simulate(mesh, at_once(2), working(), controls=Controls(allowed=allowed))
    assert sorted(asked) == sorted([(HOST, 80), (back.host, 81), (back.host, 80)])


REWRITTEN = route_to(rewrite=Rewrite("/new"), request_headers=HeaderOperations(set={"x-by": "rule"}))


@pytest.mark.parametrize(("route", "seen"), [(REWRITTEN, ("/new", "rule")), (route_to(), ("/", None))])
def test_an_endpoint_and_whom_it_calls_see_the_request_as_its_rule_changed_it(route, seen):
    """Policies of the endpoint are asked of what arrives there (Istio), and headers that it hands on are those."""
    back = "back.default.svc.cluster.local"
    arrived = []

    def allowed(caller, endpoint, request):
        arrived.append((endpoint.service, request.path, request.header("x-by")))
        return True

    mesh = mesh_of(1, route=replace(route, mirrors=(Mirror(Destination(back)),)))
    mesh = replace(mesh, services=(*mesh.services, service(back)), endpoints=mesh.endpoints + endpoints(1, back))
    behaviours = working(calls=(Call(back, path="/db", headers_kept=("x-by",)),))
    behaviours = replace(behaviours, services={back: Behaviour()})
    calls = simulate(mesh, at_once(1), behaviours, controls=Controls(allowed=allowed)).calls
    assert sorted(arrived) == sorted([(HOST, *seen), (back, *seen), (back, "/db", seen[1])])
    assert calls.http[0].path == "/"  # telemetry names what the caller asked for
