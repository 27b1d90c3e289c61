"""Random meshes, small but with everything in them: rules, weights, subsets, localities, every balancer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skyedge.layers.mesh.defaults import HashWish, OutlierWish
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import Abort, Delay, Destination, DirectResponse, HttpRoute
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Balancer,
    Caller,
    DestinationRule,
    HashKey,
    LoadBalancing,
    LocalityWish,
    Mesh,
    MeshDefaults,
    MeshEndpoint,
    Service,
    Subset,
    TrafficPolicy,
    VirtualService,
)
from skyedge.streams import stream

PLACES = [Locality(region, zone, subzone) for region in ("north", "south") for zone in ("a", "b") for subzone in ("", "x")]
VERSIONS = ("v1", "v2", "v3")
BALANCERS = (*[Balancer.LEAST_REQUEST] * 4, Balancer.ROUND_ROBIN, Balancer.RANDOM, Balancer.RING_HASH, Balancer.MAGLEV)


class RandomMesh:
    """A mesh, who calls, and what is asked.

    Args:
        seed: of everything.
        faults: whether rules have faults.
    """

    def __init__(self, seed: int, *, faults: bool = False) -> None:
        self.chance = stream(seed, "random mesh", "all")
        self._faults = faults
        self.hosts = [f"s{n}.ns{n % 2}.svc.cluster.local" for n in range(self._below(4) + 1)]
        services = [
            Service(host, traffic_distribution=self._one((None, None, None, "PreferClose", "PreferSameZone")))
            for host in self.hosts
        ]
        endpoints = [one for host in self.hosts for one in self.some_endpoints(host)]
        rules = [self._rule(host) for host in self.hosts if self._below(4)] + [self._rule("*.ns1.svc.cluster.local")]
        virtual = [VirtualService((host,), self._routes()) for host in self.hosts if self._below(3)]
        if self._below(2):
            virtual.append(VirtualService(("*.ns0.svc.cluster.local", "other.example"), self._routes()))
        setting = self._one((None, LocalityWish(), LocalityWish(), self._locality_wish()))
        defaults = MeshDefaults(locality=setting, allow_any=bool(self._below(2)))
        self.mesh = Mesh(tuple(services), tuple(self._shuffled(endpoints)), tuple(rules), tuple(virtual), defaults)
        self.caller = Caller("me", self._one(PLACES), {"tier": self._one(("a", "b"))}, namespace="ns0")

    def requests(self, count: int) -> list[HttpRequest]:
        hosts = (*self.hosts, "s0", "s0.ns0:8080", "s1.ns1.svc", "OTHER.example", "unknown")
        return [
            HttpRequest(
                self._one(hosts),
                self._one(("/", "/a", "/a/b?x=1", "/b")),
                self._one(("GET", "POST")),
                headers={} if self._below(3) == 0 else {"user": f"u{self._below(40)}"},
            )
            for _ in range(count)
        ]

    def some_endpoints(self, host: str) -> list[MeshEndpoint]:
        even = self._below(3) > 0
        return [
            MeshEndpoint(
                f"10.0.0.{number}",
                host,
                self._one(PLACES[: self._below(len(PLACES)) + 1]),
                {"version": self._one(VERSIONS), "tier": self._one(("a", "b"))},
                weight=1 if even else self._below(4),
                healthy=self._below(6) > 0,
            )
            for number in range(self._below(25))
            if self._below(8)
        ]

    def _rule(self, host: str) -> DestinationRule:
        subsets = tuple(
            Subset(name, {"version": name}, self._policy() if self._below(3) == 0 else TrafficPolicy())
            for name in VERSIONS[:2]
        )
        ports = {80: self._policy()} if self._below(4) == 0 else {}
        return DestinationRule(host, self._policy(), subsets, ports)

    def _policy(self) -> TrafficPolicy:
        outlier = self._one((None, OutlierWish(), OutlierWish(min_health_percent=60.0)))
        balancing = LoadBalancing(
            self._one(BALANCERS),
            HashKey(header="user"),
            HashWish(ring_size=16, table_size=17),
            self._one((None, None, self._locality_wish())),
        )
        return TrafficPolicy(self._one((None, balancing, balancing, balancing)), outlier)

    def _locality_wish(self) -> LocalityWish:
        return self._one(
            (
                LocalityWish(False),
                LocalityWish(failover=(("north", "south"),)),
                LocalityWish(failover_priority=("tier",)),
                LocalityWish(distribute=(("north/*", {"north/a/*": 70, "north/b/*": 30}), ("*", {"south/*": 1}))),
                LocalityWish(zone_aware=True),
            )
        )

    def _routes(self) -> tuple[HttpRoute, ...]:
        conditions: list[tuple[HttpMatch, ...]] = [
            (HttpMatch(uri=StringMatch(How.PREFIX, "/a/")), HttpMatch(headers={"user": StringMatch(How.EXACT, "u1")})),
            (HttpMatch(method=StringMatch(How.EXACT, "POST"), source_labels={"tier": "a"}),),
            (HttpMatch(uri=StringMatch(How.REGEX, "/a?")),),
            (),
        ]
        return tuple(self._route(matches) for matches in conditions if self._below(4))

    def _route(self, matches: tuple[HttpMatch, ...]) -> HttpRoute:
        if self._below(8) == 0:
            return HttpRoute(matches, direct_response=DirectResponse(418))
        to = [
            Destination(self._one((*self.hosts, *self.hosts, "nowhere")), self._one(("", "v1", "v2", "v9")), weight=weight)
            for weight in (self._below(4) + 1, self._below(3), self._below(3))[: self._below(3) + 1]
        ]
        route = HttpRoute(matches, tuple(to))
        if self._faults and self._below(2):
            route = replace(route, abort=Abort(30.0, 429), delay=Delay(0.25, 50.0))
        return route

    def _below(self, most: int) -> int:
        return int(self.chance.integers(most))

    def _one(self, of):
        return of[self._below(len(of))]

    def _shuffled(self, things: list) -> list:
        return [things[at] for at in self.chance.permutation(len(things)).tolist()]


def draws(chance: np.random.Generator, count: int) -> np.ndarray:
    """(count, 6), in [0, 1); some are the ends, where mistakes are."""
    drawn = chance.random((count, 6))
    drawn[chance.random(drawn.shape) < 0.02] = 0.0
    drawn[chance.random(drawn.shape) < 0.02] = 1 - 2**-53
    return drawn
