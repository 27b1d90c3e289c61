"""VirtualServices become routes: names are completed, delegates put in their place, gateways have routes of their own."""

import pytest

from skyedge.layers.mesh.http_match import How, HttpRequest
from skyedge.layers.mesh.http_route import answer
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.reading.routes import gateway_name
from skyedge.layers.mesh.virtual_hosts import VirtualHosts
from tests.layers.mesh.written_meshes import SUBSETS, TO_A, A, mesh, pod, read, service, virtual


def routed(texts, caller="a1", **request):
    reading = read(*texts)
    who = reading.caller(caller)
    host = VirtualHosts(reading.mesh_for(who), who).find(request.get("host", "a"))
    asked = HttpRequest(**{"host": "a", **request}, gateway=who.gateway, source_namespace=who.namespace)
    return host, answer(host.routes, asked)


def test_short_names_are_completed_by_the_namespace_of_the_manifest():
    there = virtual("[{route: [{destination: {host: b}}]}]", hosts="[a.default.svc.cluster.local]", namespace="shop")
    texts = [*A, service("b", "shop"), pod("b1", "b", namespace="shop"), there]
    host, outcome = routed(texts, host="a.default")
    assert host.routes[outcome.route].destinations[0].host == "b.shop.svc.cluster.local"


def test_all_of_a_rule_is_carried_over():
    http = """[{name: n, match: [{headers: {x: {}, y: {regex: "*"}}, uri: {prefix: /}}], timeout: 2s,
      retries: {attempts: 2, perTryTimeout: 250ms, retryOn: 5xx}, fault: {delay: {fixedDelay: 3s, percentage: {value: 10}},
      abort: {grpcStatus: UNAVAILABLE, percentage: {value: 5}}}, mirror: {host: a, subset: v2}, rewrite: {uri: /new},
      corsPolicy: {allowOrigins: [{exact: o}], maxAge: 1h}, headers: {request: {set: {p: q}}},
      route: [{destination: {host: a, subset: v1, port: {number: 80}}, weight: 1, headers: {response: {remove: [s]}}}]}]"""
    (route,) = mesh(*A, SUBSETS, virtual(http)).virtual_services[0].http
    assert {match.how for match in route.matches[0].headers.values()} == {How.PRESENT}
    assert (route.timeout_s, route.retries.attempts, route.retries.per_try_timeout_s) == (2, 2, 0.25)
    assert (route.delay.fixed_s, route.delay.percent, route.abort.grpc_status, route.abort.percent) == (3, 10, 14, 5)
    assert (route.mirrors[0].destination.subset, route.mirrors[0].percent) == ("v2", 100)
    assert (route.rewrite.uri, route.cors.max_age_s, route.request_headers.set) == ("/new", 3600, {"p": "q"})
    (to,) = route.destinations
    assert (to.subset, to.port, to.response_headers.remove) == ("v1", 80, ("s",))


def test_a_delegate_takes_what_its_root_hands_on_and_inherits_what_it_does_not_say():
    root = virtual(
        "[{match: [{uri: {prefix: /shop}}], delegate: {name: d}, timeout: 3s}, {route: [{destination: {host: a}}]}]"
    )
    leaf = virtual(
        "[{name: l, match: [{uri: {prefix: /shop/x}}], route: [{destination: {host: a, subset: v2}}]},"
        " {match: [{uri: {prefix: /other}}], route: [{destination: {host: a}}]}]",
        name="d",
        hosts="[]",
    )
    reading = read(*A, SUBSETS, root, leaf)
    first, last = reading.mesh_for(reading.caller("a1")).virtual_services[0].http
    assert (first.matches[0].uri.value, first.timeout_s, first.name) == ("/shop/x", 3, "l")
    assert last.matches == ()
    assert "no request that f.yaml:" in reading.warnings[0]


def test_a_gateway_has_hosts_and_routes_of_its_own():
    door = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: {selector: {app: ingress}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["a.example.com"]}]}
"""
    texts = [*A, door, virtual(TO_A, hosts="[a.example.com, b.example.com]", extra=", gateways: [door]")]
    reading = read(*texts, pod("i", "ingress"))
    assert reading.caller("default/door").locality == Locality("eu", "eu-1")
    gateway, inside = (reading.mesh_for(reading.caller(name)) for name in ("default/door", "a1"))
    assert gateway.virtual_services[0].hosts == ("a.example.com",)
    assert routed(texts, "default/door", host="a.example.com")[1].status == 200
    assert VirtualHosts(inside, reading.caller("a1")).find("a.example.com") is None


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("door", "here/door"),
        ("./door", "here/door"),
        ("there/door", "there/door"),
        ("door.there", "there/door"),
        ("door.there.svc.cluster.local", "there/door"),
        ("mesh", "mesh"),
    ],
)
def test_a_gateway_is_named_by_itself_with_its_namespace_or_as_a_service_is(name, whole):
    assert gateway_name(name, "here") == whole
