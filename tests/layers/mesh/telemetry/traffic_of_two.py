"""Traffic of two services with errors, retries, mirrors and faults, for tests of telemetry."""

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Abort, Destination, HttpRoute, Mirror
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Caller,
    DestinationRule,
    Mesh,
    MeshEndpoint,
    Service,
    Subset,
    VirtualService,
)
from skyedge.layers.mesh.retries import RetryWish
from skyedge.layers.mesh.traffic import Behaviour, Behaviours, Call, Failing, ServiceTime, TimedRequest, simulate

FRONT, BACK = "front.shop.svc.cluster.local", "back.shop.svc.cluster.local"
HERE = Locality("eu", "a")
WEB = Caller('the "web"\\', HERE, {"version": "v1"}, "shop")


def traffic(count=300, seed=3, caller=WEB):
    endpoints = tuple(
        MeshEndpoint(f"{host[:1]}{number}", host, HERE, {"app": host.partition(".")[0], "version": f"v{number % 2}"})
        for host in (FRONT, BACK)
        for number in range(2)
    )
    subsets = (Subset("v0", {"version": "v0"}), Subset("v1", {"version": "v1"}))
    front = HttpRoute(destinations=(Destination(FRONT),), retries=RetryWish(2, "5xx"), abort=Abort(5, http_status=555))
    back = HttpRoute(
        destinations=(Destination(BACK, "v0", weight=3), Destination(BACK, "v1", weight=1)),
        retries=RetryWish(1, "5xx"),
        mirrors=(Mirror(Destination(BACK, "v1"), 20),),
    )
    mesh = Mesh(
        tuple(Service(host, namespace="shop") for host in (FRONT, BACK)),
        endpoints,
        (DestinationRule(BACK, subsets=subsets),),
        (VirtualService((FRONT,), (front,)), VirtualService((BACK,), (back,))),
    )
    behaviours = Behaviours(
        services={
            FRONT: Behaviour(ServiceTime(3.0), calls=(Call(BACK, 1.5),), request_bytes=100, response_bytes=2_000),
            BACK: Behaviour(ServiceTime(8.0), 1, failing=(Failing(share=0.2, status=503),)),
        }
    )
    http = HttpRequest(FRONT, "/buy?what=maps", "POST")
    requests = [TimedRequest(number * 10_000, caller, http) for number in range(count)]
    return simulate(mesh, requests, behaviours, seed)
