"""``DestinationRule``: how a service is called once it is known which, as networking.istio.io writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.istio_names import check_export_to, check_host
from skyedge.kube.istio_values import (
    Duration,
    Percentage,
    PortSelector,
    Share,
    WorkloadSelector,
    check_durations,
    check_one_of,
)
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape

PRIME_TABLE_LIMIT = 5_000_011
"""Envoy's largest table of Maglev."""

RingSize = Annotated[int, Meta(ge=0, le=8_388_608)]
"""Up to Envoy's largest ring."""


class HttpCookie(Shape, frozen=True, kw_only=True):
    """A cookie to hash by, set by the proxy where ``ttl`` is given."""

    unmodelled = "attributes"

    name: str
    path: str = ""
    ttl: Duration | None = None

    def check(self) -> None:
        if not self.name:
            raise Problem(("name",), "this should not be empty")
        check_durations(self, "ttl")


class RingHash(Shape, frozen=True, kw_only=True):
    """A ring of points."""

    minimum_ring_size: RingSize | None = None


class Maglev(Shape, frozen=True, kw_only=True):
    """Maglev's table."""

    table_size: Annotated[int, Meta(ge=0, le=PRIME_TABLE_LIMIT)] | None = None

    def check(self) -> None:
        size = self.table_size or 2
        if any(size % divisor == 0 for divisor in range(2, int(size**0.5) + 1)):
            raise Problem(("tableSize",), f"{size} is not a prime number, and a Maglev table needs one")


class ConsistentHash(Shape, frozen=True, kw_only=True):
    """Same key, same endpoint."""

    http_header_name: str | None = None
    http_cookie: HttpCookie | None = None
    use_source_ip: bool | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    minimum_ring_size: RingSize | None = None

    def check(self) -> None:
        keys = ("http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name")
        check_one_of(self, keys, needed=True)
        for name, key in (
            ("httpHeaderName", self.http_header_name),
            ("httpQueryParameterName", self.http_query_parameter_name),
        ):
            if key == "":
                raise Problem((name,), "this should not be empty")
        check_one_of(self, ("ring_hash", "maglev"))


class Distribution(Shape, frozen=True, kw_only=True):
    """What share of the traffic from a locality goes where, in percent."""

    from_: str = field(name="from")
    to: dict[str, Annotated[int, Meta(ge=1, le=100)]]

    def check(self) -> None:
        total = sum(self.to.values())
        if total != 100:
            raise Problem(("to",), f"these shares come to {total}, not to 100")
        for locality in (self.from_, *self.to):
            if locality.count("/") > 2:
                raise Problem(("to",), f"a locality has region, zone and subzone, and '{locality}' has more")


class Failover(Shape, frozen=True, kw_only=True):
    """The region that takes over from another."""

    from_: str = field(name="from")
    to: str

    def check(self) -> None:
        if self.from_ == self.to:
            raise Problem(("to",), f"'{self.to}' cannot take over from itself")
        for name, region in (("from", self.from_), ("to", self.to)):
            if "/" in region or "*" in region:
                raise Problem((name,), f"'{region}' should be a region alone")


class LocalityLb(Shape, frozen=True, kw_only=True):
    """Near endpoints first, or shares by locality."""

    distribute: tuple[Distribution, ...] = ()
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    enabled: bool | None = None

    def check(self) -> None:
        check_one_of(self, ("distribute", "failover"))
        if self.distribute and self.failover_priority:
            raise Problem(("failoverPriority",), "only one of distribute and failoverPriority can be given")
        if self.failover and REGION_LABEL in self.failover_priority:
            raise Problem(("failover",), f"'failoverPriority' speaks of {REGION_LABEL} already")
        check_localities([one.from_ for one in self.distribute], ("distribute",))
        for number, one in enumerate(self.distribute):
            check_localities(list(one.to), ("distribute", number, "to"))


REGION_LABEL = "topology.kubernetes.io/region"


def check_localities(localities: Sequence[str], path: tuple[str | int, ...]) -> None:
    """Raise a :class:`Problem` if one locality holds another, or a ``*`` stands before anything else."""
    parts = [locality.removesuffix("/*").split("/") if locality != "*" else [] for locality in localities]
    for at, (locality, mine) in enumerate(zip(localities, parts, strict=True)):
        if "*" in mine:
            raise Problem(path, f"'{locality}': a '*' stands at the end of a locality")
        for other, before in zip(localities[:at], parts[:at], strict=True):
            shorter = min(len(mine), len(before))
            if mine[:shorter] == before[:shorter]:
                raise Problem(path, f"of the localities '{other}' and '{locality}' one holds the other")


class Warmup(Shape, frozen=True, kw_only=True):
    """How slowly a new endpoint is given its full share."""

    duration: Duration
    minimum_percent: Percentage | None = None
    aggression: Annotated[float, Meta(ge=1)] | None = None

    def check(self) -> None:
        check_durations(self, "duration", least_s=1.0)


class LoadBalancer(Shape, frozen=True, kw_only=True):
    """``loadBalancer`` of a policy."""

    simple: Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"] | None = None
    consistent_hash: ConsistentHash | None = None
    locality_lb_setting: LocalityLb | None = None
    warmup: Warmup | None = None
    warmup_duration_secs: Duration | None = None

    def check(self) -> None:
        check_one_of(self, ("simple", "consistent_hash"))
        check_one_of(self, ("warmup", "warmup_duration_secs"))
        check_durations(self, "warmup_duration_secs", least_s=1.0)


class TcpSettings(Shape, frozen=True, kw_only=True):
    """Limits on connections."""

    unmodelled = "tcpKeepalive maxConnectionDuration idleTimeout"

    max_connections: Count | None = None
    connect_timeout: Duration | None = None

    def check(self) -> None:
        check_durations(self, "connect_timeout", least_s=1e-3)


class HttpSettings(Shape, frozen=True, kw_only=True):
    """Limits on requests."""

    unmodelled = "idleTimeout h2UpgradePolicy useClientProtocol maxConcurrentStreams http2KeepAlive"

    http1_max_pending_requests: Count | None = None
    http2_max_requests: Count | None = None
    max_requests_per_connection: Count | None = None
    max_retries: Count | None = None


class ConnectionPool(Shape, frozen=True, kw_only=True):
    """``connectionPool`` of a policy."""

    tcp: TcpSettings | None = None
    http: HttpSettings | None = None

    def check(self) -> None:
        if self.tcp is None and self.http is None:
            raise Problem((), "one of tcp, http is needed")


class OutlierDetection(Shape, frozen=True, kw_only=True):
    """``outlierDetection`` of a policy."""

    consecutive_errors: Count | None = None
    consecutive_5xx_errors: Count | None = field(default=None, name="consecutive5xxErrors")
    consecutive_gateway_errors: Count | None = None
    consecutive_local_origin_failures: Count | None = None
    split_external_local_origin_errors: bool = False
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: Share | None = None
    min_health_percent: Share | None = None

    def check(self) -> None:
        check_durations(self, "interval", "base_ejection_time", least_s=1e-3)
        if self.consecutive_local_origin_failures and not self.split_external_local_origin_errors:
            message = "this counts only where splitExternalLocalOriginErrors is true"
            raise Problem(("consecutiveLocalOriginFailures",), message)


class RetryBudget(Shape, frozen=True, kw_only=True):
    """How many retries may run beside the requests."""

    percent: Percentage = 20.0
    min_retry_concurrency: Count = 3


class ClientTls(Shape, frozen=True, kw_only=True):
    """How connections are made safe; only which way counts."""

    unmodelled = "clientCertificate privateKey caCertificates credentialName subjectAltNames sni insecureSkipVerify caCrl"

    mode: Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] = "DISABLE"


class PortTrafficPolicy(Shape, frozen=True, kw_only=True):
    """A policy for one port; it takes the place of the whole policy, setting by setting nothing is inherited."""

    port: PortSelector
    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None


class Tunnel(Shape, frozen=True, kw_only=True):
    """Connections inside others; only that there is one is read."""

    unmodelled = "protocol targetHost targetPort"


class ProxyProtocol(Shape, frozen=True, kw_only=True):
    """Who called, told ahead of a connection; only that it is wanted is read."""

    unmodelled = "version"


class TrafficPolicy(Shape, frozen=True, kw_only=True):
    """``trafficPolicy`` of a rule or of a subset."""

    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    retry_budget: RetryBudget | None = None
    tunnel: Tunnel | None = None
    proxy_protocol: ProxyProtocol | None = None

    def check(self) -> None:
        if not any(getattr(self, name) for name in self.__struct_fields__):
            raise Problem((), "a policy without loadBalancer, connectionPool, outlierDetection or tls says nothing")
        numbers = [setting.port.number for setting in self.port_level_settings]
        for at, number in enumerate(numbers):
            if number in numbers[:at]:
                raise Problem(("portLevelSettings", at, "port", "number"), f"port {number} has a policy already")


class Subset(Shape, frozen=True, kw_only=True):
    """Endpoints of a service by their labels."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    traffic_policy: TrafficPolicy | None = None

    def check(self) -> None:
        if not self.name:
            raise Problem(("name",), "this should not be empty")


class DestinationRuleSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a destination rule."""

    host: str
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
    workload_selector: WorkloadSelector | None = None

    def check(self) -> None:
        try:
            check_host(self.host)
        except Problem as problem:
            raise problem.below("host") from None
        names = [subset.name for subset in self.subsets]
        for at, name in enumerate(names):
            if name in names[:at]:
                raise Problem(("subsets", at, "name"), f"there is a subset '{name}' already")


class DestinationRule(Shape, frozen=True, kw_only=True):
    """How a service is called."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: DestinationRuleSpec

    def check(self) -> None:
        selects = self.spec.workload_selector is not None
        check_export_to(self.spec.export_to, self.metadata.namespace or "default", only_own=selects)
