"""Small meshes and streams of requests for tests of traffic."""

import numpy as np

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Destination, HttpRoute
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Caller,
    DestinationRule,
    Mesh,
    MeshEndpoint,
    Service,
    ServicePort,
    TrafficPolicy,
    VirtualService,
)
from skyedge.layers.mesh.retries import RetryWish
from skyedge.layers.mesh.traffic import Behaviour, Behaviours, Network, ServiceTime, Shape, TimedRequest

HOST = "scenes.default.svc.cluster.local"
CALLER = Caller("web", Locality("eu", "a"), {"app": "web"}, "default")
NO_RETRIES = RetryWish(0)
NO_DISTANCE = Network(0, (0, 0, 0, 0))


def service(host=HOST, protocol="HTTP"):
    return Service(host, (ServicePort(80, "http", protocol),), "default")


def endpoints(count=3, host=HOST, **said):
    place = said.pop("locality", Locality("eu", "a"))
    return tuple(MeshEndpoint(f"10.0.0.{number}", host, place, **said) for number in range(count))


def mesh_of(count=3, *, policy=None, route=None, protocol="HTTP", subsets=()):
    rules = (DestinationRule(HOST, policy or TrafficPolicy(), subsets),)
    virtual = (VirtualService((HOST,), (route,)),) if route is not None else ()
    return Mesh((service(protocol=protocol),), endpoints(count), rules, virtual)


def route_to(host=HOST, **said):
    return HttpRoute(destinations=(Destination(host),), **said)


def poisson(rate_per_s, count, seed=1, caller=CALLER, http=None):
    http = http or HttpRequest(HOST)
    gaps = np.random.default_rng(seed).exponential(1e6 / rate_per_s, count)
    return [TimedRequest(at_us, caller, http) for at_us in np.cumsum(gaps).astype(int).tolist()]


def at_once(count, at_us=0, http=None, caller=CALLER):
    http = http or HttpRequest(HOST)
    return [TimedRequest(at_us, caller, http)] * count


def working(mean_ms=10.0, shape=Shape.CONSTANT, network=NO_DISTANCE, **said):
    return Behaviours(Behaviour(ServiceTime(mean_ms, shape), **said), network=network)
