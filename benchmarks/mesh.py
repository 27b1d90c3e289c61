"""Requests a second through the router of the mesh, beside a reference that routes one request at a time.

python benchmarks/mesh.py

100,000 endpoints of 1,000 services in six localities.  Every service has a virtual service of four rules (a header, a
prefix, a regular expression, the rest), whose destinations are subsets with weights; failover by locality, outlier
detection, least request.  12,000 distinct requests.  Batches of 10,000 in a stream: a request is over when 20 more batches
were sent, so that about 200,000 are in hand, two an endpoint, and least request has something to look at.
Times are CPU time of the whole step: drawing, routing, finishing.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import Destination, HttpRoute
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Caller,
    DestinationRule,
    Mesh,
    MeshEndpoint,
    Service,
    Subset,
    TrafficPolicy,
    VirtualService,
)
from skyedge.layers.mesh.router import BatchDraws, Router
from skyedge.streams import stream

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.layers.mesh.reference import Chance, Reference

SERVICES, ENDPOINTS_EACH, KEYS, BATCH, IN_HAND_BATCHES = 1000, 100, 12_000, 10_000, 20
ROUTED_BAR, EJECTED_BAR, BUSIEST_BAR = 2_000_000, 1_000_000, 1.3
CHANGE_BAR = 3.0
"""How many times longer a change may take in a mesh a hundred times as large; in proportion to the mesh it would be 100."""

PLACES = [Locality(region, zone) for region in ("north", "south") for zone in ("a", "b", "c")]
CALLER = Caller("caller", Locality("north", "a"), {"app": "front"}, "shop")
Texts = tuple[list[str], list[str], list[str], list[tuple[tuple[str, str], ...]]]


def host_name(service: int) -> str:
    return f"service-{service:05d}.shop.svc.cluster.local"


def mesh(services: int, endpoints_each: int) -> Mesh:
    """Services that are alike but for their names."""
    endpoints = []
    labels = [{"version": version} for version in ("v1", "v2", "v3")]
    for service in range(services):
        host = host_name(service)
        endpoints += [
            MeshEndpoint(f"10.{service // 256}.{service % 256}.{n}", host, PLACES[n % 6], labels[n // 6 % 3])
            for n in range(endpoints_each)
        ]
    hosts = [host_name(service) for service in range(services)]
    subsets = tuple(Subset(label["version"], label) for label in labels)
    policy = TrafficPolicy(outlier=OutlierWish())
    return Mesh(
        tuple(Service(host, namespace="shop") for host in hosts),
        tuple(endpoints),
        tuple(DestinationRule(host, policy, subsets) for host in hosts),
        tuple(VirtualService((host,), rules(host)) for host in hosts),
    )


def rules(host: str) -> tuple[HttpRoute, ...]:
    """A canary for testers, a split of two prefixes, and everything else."""

    def to(**weights: int) -> tuple[Destination, ...]:
        return tuple(Destination(host, subset, weight=weight) for subset, weight in weights.items())

    return (
        HttpRoute((HttpMatch(headers={"end-user": StringMatch(How.EXACT, "tester")}),), to(v3=100)),
        HttpRoute((HttpMatch(uri=StringMatch(How.PREFIX, "/cart")),), to(v1=80, v2=15, v3=5)),
        HttpRoute((HttpMatch(uri=StringMatch(How.REGEX, "/item/[0-9]+")),), to(v1=50, v2=50)),
        HttpRoute(destinations=(Destination(host, weight=1),)),
    )


def texts(count: int) -> Texts:
    """Distinct requests: hosts, paths, methods, headers."""
    paths = ("/cart", "/cart/add", "/item/7", "/item/19", "/", "/search?q=x")
    users: tuple[tuple[tuple[str, str], ...], ...] = ((), (("end-user", "tester"),))
    rows = [(host_name(n % SERVICES), paths[n // SERVICES % 6], "GET", users[n // SERVICES // 6 % 2]) for n in range(count)]
    return tuple(list(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]


def asked_for(count: int, crowded: float = 0.0) -> NDArray[np.intp]:
    """Which request comes, (count,): any of them, but for a share that is all for ten services."""
    chance = stream(0, "benchmark", "requests")
    which = chance.integers(0, KEYS, count)
    crowd = chance.random(count) < crowded
    which[crowd] -= which[crowd] % SERVICES - which[crowd] % 10
    return which.astype(np.intp)


def rate(router: Router, keys: NDArray[np.intp], batch: int = BATCH, seconds: float = 1.0) -> float:
    """Requests a CPU second, after as many batches as are in hand."""
    chance = stream(0, "benchmark", "draws")
    in_hand: deque[NDArray[np.intp]] = deque()
    done, spent, turn = 0, 0.0, 0
    while spent < seconds:
        began = time.process_time()
        at = turn * batch % (keys.size - batch)
        in_hand.append(router.route(keys[at : at + batch], BatchDraws.of(chance, batch)).endpoints)
        if len(in_hand) > IN_HAND_BATCHES * BATCH // batch:
            router.finish(in_hand.popleft())
            spent += time.process_time() - began
            done += batch
        turn += 1
    router.finish(np.concatenate(in_hand))
    return done / spent


def rate_from_texts(router: Router, asked: NDArray[np.intp], said: Texts) -> float:
    """As :func:`rate`, but from columns of texts; the texts were seen before, as most are in a proxy."""
    hosts, paths, methods, headers = said
    chance = stream(0, "benchmark", "texts")
    done, spent = 0, 0.0
    for at in range(0, 40 * BATCH, BATCH):
        mine = asked[at : at + BATCH].tolist()
        columns = [[column[n] for n in mine] for column in (hosts, paths, methods)]
        began = time.process_time()
        keys = router.keys.of_columns(*columns, [headers[n] for n in mine])  # type: ignore[call-arg]
        router.finish(router.route(keys, BatchDraws.of(chance, BATCH)).endpoints)
        spent += time.process_time() - began
        done += BATCH
    return done / spent


def beside_the_reference(whole: Mesh, out: list[int], asked: NDArray[np.intp], said: Texts) -> tuple[float, float, bool]:
    """Both on the same stream of requests and draws, with the same in hand.

    Returns:
        How many times as quick the router is, the busiest endpoint's load over that of one-at-a-time routing, and whether
        every single request went to the same endpoint.
    """
    batch, kept = 500, 8
    router, reference = Router(whole, CALLER), Reference(whole, CALLER)
    router.eject(out)
    for row in out:
        endpoint = router.table.endpoints[row]
        assert endpoint is not None
        reference.ejected.add((endpoint.service, endpoint.address))
    requests = [HttpRequest(h, p, m, headers=dict(x)) for h, p, m, x in zip(*said, strict=True)]
    chance = stream(0, "benchmark", "reference")
    numbers = router.keys.numbers(requests)
    ours: list[Any] = []
    theirs: list[Any] = []
    spent = [0.0, 0.0]
    for at in range(0, asked.size, batch):
        mine = asked[at : at + batch]
        draws = BatchDraws.of(chance, batch)
        began = time.process_time()
        ours.append(router.route(numbers[mine], draws).endpoints)
        middle = time.process_time()
        rows = zip(draws.destination.tolist(), draws.pool.tolist(), *draws.endpoints.T.tolist(), strict=True)
        way = [reference.route(requests[n], Chance(*row)) for n, row in zip(mine.tolist(), rows, strict=True)]
        spent[0] += middle - began
        spent[1] += time.process_time() - middle
        theirs.append([(requests[n].host, one.address) for n, one in zip(mine.tolist(), way, strict=True)])
        if len(ours) > kept:
            router.finish(ours[-1 - kept])
            for host, address in theirs[-1 - kept]:
                reference.finish(host, address)
    found = np.concatenate(ours).tolist()
    named = [(router.table.endpoints[row].service, router.table.endpoints[row].address) for row in found]  # type: ignore[union-attr]
    expected = [one for part in theirs for one in part]
    most = [max(np.unique([repr(one) for one in side], return_counts=True)[1]) for side in (named, expected)]
    return spent[1] / spent[0], most[0] / most[1], named == expected


def change_s(services: int) -> dict[str, float]:
    """The usual time of a change of one endpoint among 100, in a mesh of so many services, in CPU seconds."""
    router = Router(mesh(services, ENDPOINTS_EACH), CALLER)
    router.keys.of_columns(*texts(10))  # type: ignore[call-arg]
    spent: dict[str, list[float]] = {"ejected": [], "replaced": []}
    for turn in range(60):
        host = host_name(turn % 10)
        began = time.process_time()
        router.eject(router.table.of_service(turn % 10)[turn : turn + 1])
        spent["ejected"].append(time.process_time() - began)
        rows = router.table.of_service(turn % 10).tolist()
        there = [one for row in rows if (one := router.table.endpoints[row]) is not None]
        began = time.process_time()
        router.update(host, [*there[1:], MeshEndpoint(f"new-{turn}", host, PLACES[0])])
        spent["replaced"].append(time.process_time() - began)
    return {kind: float(np.median(times)) for kind, times in spent.items()}


def check(said: str, met: bool) -> bool:
    """Print a line with its verdict."""
    print(f"{said}: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    verdicts = []
    whole, said = mesh(SERVICES, ENDPOINTS_EACH), texts(KEYS)
    asked = asked_for(400_000)
    router = Router(whole, CALLER)
    began = time.process_time()
    numbers = router.keys.of_columns(*said)  # type: ignore[call-arg]
    print(f"{KEYS:,} distinct requests matched and {len(router.clusters):,} clusters made", end=" ")
    print(f"in {time.process_time() - began:.2f} s")
    keys = numbers[asked]
    got = rate(router, keys)
    verdicts.append(check(f"{got:,.0f} requests a second, bar {ROUTED_BAR:,}", got >= ROUTED_BAR))
    for batch in (1000, 100):
        print(f"  in batches of {batch:,}: {rate(router, keys, batch, 0.5):,.0f}")
    print(f"  half of them for ten services: {rate(router, numbers[asked_for(400_000, 0.5)], seconds=0.5):,.0f}")
    print(f"  from texts, each looked up by host, path, method and headers: {rate_from_texts(router, asked, said):,.0f}")

    began = time.process_time()
    router.keys.of_columns(said[0], [f"{path}?{n}" for n, path in enumerate(said[1])], *said[2:])
    print(f"  never seen before, so that rules are asked: {KEYS / (time.process_time() - began):,.0f}")

    out = stream(0, "benchmark", "ejected").permutation(SERVICES * ENDPOINTS_EACH)[: SERVICES * ENDPOINTS_EACH // 10]
    began = time.process_time()
    router.eject(out)
    print(f"{out.size:,} endpoints ejected from all services in {time.process_time() - began:.2f} s")
    got = rate(router, keys)
    verdicts.append(check(f"{got:,.0f} requests a second with those out, bar {EJECTED_BAR:,}", got >= EJECTED_BAR))

    for what, without in (("nobody", []), ("a tenth", out.tolist())):
        ratio, busiest, same = beside_the_reference(whole, without, asked_for(12_000, 0.5), said)
        print(f"{what} ejected, in batches of 500: {ratio:,.0f} times as quick as one request at a time in plain Python")
        verdicts.append(
            check(f"the busiest endpoint has {busiest:.2f} times its load, bar {BUSIEST_BAR}", busiest <= BUSIEST_BAR)
        )
        verdicts.append(check("every request at the same endpoint", same))

    few, many = change_s(100), change_s(10_000)
    for kind, took in few.items():
        print(f"one of 100 endpoints {kind}: {took * 1e6:,.0f} µs among 10,000 endpoints,", end=" ")
        print(f"{many[kind] * 1e6:,.0f} µs among 1,000,000")
        ratio = many[kind] / took
        verdicts.append(
            check(f"{ratio:.1f} times the time for 100 times the mesh, bar {CHANGE_BAR:.0f}", ratio <= CHANGE_BAR)
        )
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
