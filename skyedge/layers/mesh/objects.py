"""What a mesh consists of: services, who answers for them, the rules of their traffic, and who calls.

Plain values, as a reader of manifests makes them.  A field that is None was not said, so that the next level may say it:
the word of a subset counts before that of its destination rule, and that before the mesh's (:func:`effective_policy`).
Host names are whole (``reviews.default.svc.cluster.local``): short ones are for whoever reads a manifest to complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from skyedge.layers.mesh.defaults import HashWish, OutlierWish
from skyedge.layers.mesh.http_route import HttpRoute
from skyedge.layers.mesh.locality import NOWHERE, Locality
from skyedge.layers.mesh.locality_settings import Level, LocalitySetting
from skyedge.layers.mesh.outlier import CONSECUTIVE_5XX, OutlierConfig
from skyedge.layers.mesh.retries import RetryWish

UNLIMITED = 2**32 - 1
"""Istio's word for no limit: nothing breaks unless a user asks for it."""

CONNECT_TIMEOUT_S = 10.0
"""Istio's default."""

CLUSTER_DOMAIN = "svc.cluster.local"
"""What the names of the services of Kubernetes end with, after a service's own name and its namespace."""
MESH_GATEWAY = "mesh"
"""The name under which proxies inside the mesh look up routes; others are gateways."""


class RunsIn(Enum):
    """What an endpoint runs in; a mesh takes all of them."""

    CONTAINER = "container"
    VIRTUAL_MACHINE = "vm"
    BARE_METAL = "bare-metal"


@dataclass(frozen=True, slots=True)
class MeshEndpoint:
    """Somebody who answers for a service.

    Attributes:
        address: unique within the service; with it hash tables place the endpoint.
        service: the host of its service.
        port: where it listens for calls to the service's first port; 0 is the service's own.
        network: those of one network reach each other without a gateway; empty is the mesh's own.
        node: of the cluster; empty is not known.
        healthy: as health checks and readiness say; one that is not is asked by nobody.  Ejections are apart from that.
        ports: where it listens, by the port of the service that is called, as far as that is known.
    """

    address: str
    service: str
    locality: Locality = NOWHERE
    labels: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1
    port: int = 0
    network: str = ""
    runs_in: RunsIn = RunsIn.CONTAINER
    node: str = ""
    healthy: bool = True
    ports: Mapping[int, int] = field(default_factory=dict)

    def port_for(self, called: int) -> int:
        """Where a call to a port of the service comes in; the only port of a service takes every call."""
        own = next(iter(self.ports.values())) if len(self.ports) == 1 else self.ports.get(called)
        return own or self.port or called

    @property
    def full_name(self) -> str:
        """As which it calls others, and by which its chance is drawn: unique in the mesh."""
        return f"{self.service}/{self.address}"


@dataclass(frozen=True)
class ServicePort:
    """A port of a service.

    Attributes:
        target_port: where those who answer listen, or the name by which each says where; 0 is the same number.
    """

    number: int
    name: str = ""
    protocol: str = "HTTP"
    target_port: int | str = 0


@dataclass(frozen=True)
class Service:
    """A name under which endpoints answer.

    Attributes:
        host: whole, as ``reviews.default.svc.cluster.local``, or of another domain.
        traffic_distribution: ``PreferClose`` and the like; None is not said.
    """

    host: str
    ports: tuple[ServicePort, ...] = (ServicePort(80, "http"),)
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    traffic_distribution: str | None = None

    def reached_by(self, port: int) -> int | None:
        """The port by which a call to ``port`` reaches it: an only one takes every call.

        None: it has several, and this is none of them; a proxy knows no way then (Istio).
        """
        numbers = [one.number for one in self.ports]
        if port in numbers or not numbers:
            return port
        return numbers[0] if len(numbers) == 1 else None


class Balancer(Enum):
    """How one of several equal endpoints is chosen."""

    LEAST_REQUEST = "LEAST_REQUEST"
    ROUND_ROBIN = "ROUND_ROBIN"
    RANDOM = "RANDOM"
    RING_HASH = "RING_HASH"
    MAGLEV = "MAGLEV"
    PASSTHROUGH = "PASSTHROUGH"
    """To the address that the request was sent to; without one, at random."""


HASHING = (Balancer.RING_HASH, Balancer.MAGLEV)
"""Balancers that send equal keys to equal endpoints."""

USUAL_TABLES = HashWish()
"""Sizes that nobody asked to be otherwise."""


@dataclass(frozen=True)
class HashKey:
    """What of a request is hashed; exactly one is given.

    Attributes:
        cookie_ttl_s: how long a cookie lasts that the proxy makes for a request without one; None: it makes none.
    """

    header: str = ""
    cookie: str = ""
    query_parameter: str = ""
    source_address: bool = False
    cookie_ttl_s: float | None = None


@dataclass(frozen=True)
class LocalityWish:
    """``localityLbSetting``, or zone awareness.

    Attributes:
        enabled: None is not said, which is on.
        distribute: from a locality, to localities with percents; the first that starts from the caller's counts.
        failover: from a region to a region.
        failover_priority: labels, the most important first.
        zone_aware: whether the balancer itself prefers the zone, instead of priorities.
    """

    enabled: bool | None = None
    distribute: tuple[tuple[str, Mapping[str, int]], ...] = ()
    failover: tuple[tuple[str, str], ...] = ()
    failover_priority: tuple[str, ...] = ()
    zone_aware: bool = False

    @property
    def level(self) -> Level:
        """The same as :func:`~skyedge.layers.mesh.locality_settings.effective_setting` asks for it."""
        setting = LocalitySetting(self.enabled, self.failover_priority, bool(self.failover))
        return Level(zone_aware=setting) if self.zone_aware else Level(locality=setting)


@dataclass(frozen=True)
class Warmup:
    """A new endpoint gets a growing share of the traffic (Envoy's slow start).

    Attributes:
        duration_s: until it gets its whole share.
        aggression: 1 grows in proportion to time, more grows faster at first.
        minimum_percent: of its weight, from the first moment.
    """

    duration_s: float
    aggression: float = 1.0
    minimum_percent: float = 10.0


@dataclass(frozen=True)
class LoadBalancing:
    """``loadBalancer`` of a traffic policy; who says it, says all of it.

    Attributes:
        balancer: None is least request.
        hash_key: what ring and Maglev hash; None: without a key they choose at random.
        hashing: sizes of the tables.
        locality: None leaves it to the service, then to the mesh.
    """

    balancer: Balancer | None = None
    hash_key: HashKey | None = None
    hashing: HashWish = USUAL_TABLES
    locality: LocalityWish | None = None
    warmup: Warmup | None = None


@dataclass(frozen=True)
class ConnectionLimits:
    """``connectionPool``: what one caller may have in hand towards one service before its proxy refuses.

    Attributes:
        max_connections: at once.
        max_pending_requests: waiting for a connection.
        max_requests: in hand.
        max_retries: in hand.
        max_requests_per_connection: before it is closed; 0 is no limit.
        connect_timeout_s: None is the mesh's.
    """

    max_connections: int = UNLIMITED
    max_pending_requests: int = UNLIMITED
    max_requests: int = UNLIMITED
    max_retries: int = UNLIMITED
    max_requests_per_connection: int = 0
    connect_timeout_s: float | None = None


@dataclass(frozen=True)
class TrafficPolicy:
    """What a destination rule says of traffic; None is not said.

    Attributes:
        tls_mode: ``DISABLE``, ``SIMPLE``, ``MUTUAL`` or ``ISTIO_MUTUAL``.
    """

    load_balancing: LoadBalancing | None = None
    outlier: OutlierWish | None = None
    connections: ConnectionLimits | None = None
    tls_mode: str | None = None

    def over(self, other: TrafficPolicy) -> TrafficPolicy:
        """This one, and the other's word where this one is silent."""
        said = {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name)) is not None}
        return replace(other, **said)

    @property
    def balancer(self) -> Balancer:
        """Least request if nobody says another."""
        return (self.load_balancing and self.load_balancing.balancer) or Balancer.LEAST_REQUEST

    @property
    def warmup(self) -> Warmup | None:
        """How a new endpoint starts; other balancers than least request and round robin know no such thing (Istio)."""
        warms = self.balancer in (Balancer.LEAST_REQUEST, Balancer.ROUND_ROBIN)
        return self.load_balancing.warmup if self.load_balancing is not None and warms else None

    @property
    def outlier_config(self) -> OutlierConfig | None:
        """What the detector of :mod:`~skyedge.layers.mesh.outlier` is told; None if outliers are not looked for."""
        wish = self.outlier
        if wish is None:
            return None
        default = OutlierConfig()
        return OutlierConfig(
            consecutive_5xx=CONSECUTIVE_5XX if wish.consecutive_5xx_errors is None else wish.consecutive_5xx_errors,
            consecutive_gateway_errors=wish.consecutive_gateway_errors or 0,
            interval_ms=wish.interval_ms or default.interval_ms,
            base_ejection_time_ms=wish.base_ejection_time_ms or default.base_ejection_time_ms,
            max_ejection_percent=wish.max_ejection_percent or default.max_ejection_percent,
        )


NOTHING_SAID = TrafficPolicy()


@dataclass(frozen=True)
class Subset:
    """Endpoints of a service that carry certain labels.

    Attributes:
        port_policies: by the number of the service's port; one takes the place of all that holds otherwise.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    policy: TrafficPolicy = NOTHING_SAID
    port_policies: Mapping[int, TrafficPolicy] = field(default_factory=dict)


@dataclass(frozen=True)
class DestinationRule:
    """How a service is called.

    Attributes:
        host: of a service, or with a leading ``*.`` of several.
        port_policies: by the number of the service's port; one takes the place of the whole of ``policy``.
    """

    host: str
    policy: TrafficPolicy = NOTHING_SAID
    subsets: tuple[Subset, ...] = ()
    port_policies: Mapping[int, TrafficPolicy] = field(default_factory=dict)
    namespace: str = ""
    name: str = ""

    def subset(self, name: str) -> Subset | None:
        """The subset of that name."""
        return next((subset for subset in self.subsets if subset.name == name), None)


def effective_policy(rule: DestinationRule | None, subset: str = "", port: int | None = None) -> TrafficPolicy:
    """What holds for a subset (empty: the whole service) and a port: the subset's port, subset, port, then rule (Istio).

    A port's policy replaces the whole of what is wider; a subset's replaces part by part what it speaks of.
    """
    if rule is None:
        return NOTHING_SAID
    policy = rule.policy if port is None else rule.port_policies.get(port, rule.policy)
    named = rule.subset(subset)
    if named is None:
        return policy
    narrowed = named.policy.over(policy)
    return narrowed if port is None else named.port_policies.get(port, narrowed)


@dataclass(frozen=True)
class VirtualService:
    """The routes of one or several hosts.

    Attributes:
        hosts: whole names, or ``*``, ``*.example.com``, or an address.
        gateways: where the routes are in force; ``mesh`` is every proxy inside.
        http: rules in order; the first that a request meets counts.
    """

    hosts: tuple[str, ...]
    http: tuple[HttpRoute, ...] = ()
    gateways: tuple[str, ...] = (MESH_GATEWAY,)
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True)
class Caller:
    """Whose proxy asks; what it sees of the mesh depends on where it is.

    Attributes:
        gateway: ``mesh`` inside; the name of the gateway if it is one.
    """

    name: str = ""
    locality: Locality = NOWHERE
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    network: str = ""
    node: str = ""
    gateway: str = MESH_GATEWAY


@dataclass(frozen=True)
class MeshDefaults:
    """What holds where no rule says otherwise.

    Attributes:
        locality: None is priorities by locality where outliers are looked for (Istio has it on).
        allow_any: whether a host that nobody knows is called all the same, or answered with 502.
    """

    locality: LocalityWish | None = LocalityWish()
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    retries: RetryWish | None = None
    allow_any: bool = True


@dataclass(frozen=True)
class Mesh:
    """All of it.  The order of services, endpoints and rules has no meaning, but for rules of one host: the first counts."""

    services: tuple[Service, ...] = ()
    endpoints: tuple[MeshEndpoint, ...] = ()
    rules: tuple[DestinationRule, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    defaults: MeshDefaults = MeshDefaults()
