"""``DestinationRule`` to the mesh's own rules; which of several counts for a caller is found here too.

For a service, rules in the caller's namespace count first, then those in the service's own, then those of the root
namespace; within one namespace the most precise host.  Two for the same host in one namespace, shown to the same, are one
rule: the subsets of both, of one name the older, and the oldest policy for the whole service (Istio).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from skyedge.kube import Manifest, Manifests
from skyedge.kube import istio_traffic as kube
from skyedge.kube.istio_values import seconds_or_none
from skyedge.layers.mesh.defaults import HashWish, OutlierWish
from skyedge.layers.mesh.objects import (
    NOTHING_SAID,
    UNLIMITED,
    Balancer,
    ConnectionLimits,
    DestinationRule,
    HashKey,
    LoadBalancing,
    LocalityWish,
    Service,
    Subset,
    TrafficPolicy,
    Warmup,
)
from skyedge.layers.mesh.reading.names import ROOT_NAMESPACE, Shown, age, most_precise, namespace_of, whole_name

OWN_OF_ROOT = ""
"""In place of a namespace: rules of the root namespace that are shown to it alone."""


@dataclass(frozen=True)
class Rules:
    """A destination rule, and the manifests that it was written in: several if they were made one."""

    shown: Shown[DestinationRule]
    manifests: tuple[Manifest[kube.DestinationRule], ...]


def read_rules(manifests: Manifests, warnings: list[str]) -> list[Rules]:
    """All destination rules, the oldest first.

    Raises:
        InputError: if one is there twice.
    """
    found: dict[tuple[str, str, frozenset[str]], Rules] = {}
    named: dict[tuple[str, str], Manifest[kube.DestinationRule]] = {}
    for manifest in sorted(manifests.of(kube.DestinationRule), key=lambda one: age(one.object.metadata)):
        metadata, spec = manifest.object.metadata, manifest.object.spec
        namespace = namespace_of(metadata)
        first = named.setdefault((namespace, metadata.name), manifest)
        if first is not manifest:
            message = f"there is a DestinationRule '{metadata.name}' in '{namespace}' already: {first.place()}"
            raise manifest.error(("metadata", "name"), message)
        if spec.workload_selector is not None:
            warnings.append(
                f"{manifest.place('spec', 'workloadSelector')}: not modelled: the rule holds for every caller here"
            )
        rule = _rule(manifest.object, namespace)
        key = (namespace, rule.host, _shown_to(spec.export_to, namespace))
        if key not in found:
            found[key] = Rules(Shown(rule, namespace, key[2]), (manifest,))
            continue
        before = found[key]
        counts = "its policy and subsets of other names count" if _is_silent(before) else "only subsets of other names count"
        warnings.append(
            f"{manifest.place('spec', 'host')}: '{rule.host}' has a rule in '{namespace}' already "
            f"({before.manifests[0].place()}), and the two are one; of this one {counts}"
        )
        merged = _merged(before, rule)
        found[key] = Rules(Shown(merged, namespace, key[2]), (*before.manifests, manifest))
    return list(found.values())


def _shown_to(export_to: Sequence[str], namespace: str) -> frozenset[str]:
    """Namespaces in one way of writing, so that rules that are shown to the same are known as such."""
    return (
        frozenset("*")
        if not export_to or "*" in export_to
        else frozenset(export_to) - {"."} | ({namespace} if "." in export_to else set())
    )


class Precedence:
    """Which rule counts for whom.

    Rules of the root namespace are meant for the whole mesh.  To a caller in it, such as a gateway, they are its own only
    if they are shown to nobody else; otherwise those of the service come first for it too (Istio).

    Args:
        rules: the oldest first.
        namespace: of whoever calls.
    """

    def __init__(self, rules: Iterable[Rules], namespace: str) -> None:
        self._own = OWN_OF_ROOT if namespace == ROOT_NAMESPACE else namespace
        self._by_space: dict[str, dict[str, Rules]] = {}
        for one in rules:
            if one.shown.seen_from(namespace):
                self._by_space.setdefault(one.shown.namespace, {}).setdefault(one.shown.thing.host, one)
                if one.shown.namespace == ROOT_NAMESPACE and one.shown.to == {ROOT_NAMESPACE}:
                    self._by_space.setdefault(OWN_OF_ROOT, {}).setdefault(one.shown.thing.host, one)
        self._wild = {space: [host for host in here if host.startswith("*")] for space, here in self._by_space.items()}

    def rule_for(self, service: Service) -> Rules | None:
        """The rule that counts for a service."""
        for space in (self._own, service.namespace, ROOT_NAMESPACE):
            here = self._by_space.get(space, {})
            chosen = service.host if service.host in here else most_precise(self._wild.get(space, ()), service.host)
            if chosen is not None:
                return here[chosen]
        return None


def rules_for(services: Sequence[Service], rules: Sequence[Rules], namespace: str) -> tuple[DestinationRule, ...]:
    """For each service that has one, the rule that counts, under the service's own name."""
    precedence = Precedence(rules, namespace)
    chosen = ((service, precedence.rule_for(service)) for service in services)
    return tuple(replace(one.shown.thing, host=service.host) for service, one in chosen if one is not None)


def _rule(manifest: kube.DestinationRule, namespace: str) -> DestinationRule:
    spec = manifest.spec
    policy = spec.traffic_policy
    return DestinationRule(
        host=whole_name(spec.host, namespace),
        policy=read_policy(policy),
        subsets=tuple(
            Subset(one.name, one.labels, read_policy(one.traffic_policy), _of_ports(one.traffic_policy))
            for one in spec.subsets
        ),
        port_policies=_of_ports(policy),
        namespace=namespace,
        name=manifest.metadata.name,
    )


def _of_ports(policy: kube.TrafficPolicy | None) -> dict[int, TrafficPolicy]:
    return {} if policy is None else {one.port.number: read_policy(one) for one in policy.port_level_settings}


def _merged(before: Rules, second: DestinationRule) -> DestinationRule:
    """One rule of two: the subsets of both, of one name the first, and the first policy that any of them has."""
    first = before.shown.thing
    known = {subset.name for subset in first.subsets}
    more = tuple(subset for subset in second.subsets if subset.name not in known)
    chosen = second if _is_silent(before) else first
    return replace(first, policy=chosen.policy, port_policies=chosen.port_policies, subsets=(*first.subsets, *more))


def _is_silent(rules: Rules) -> bool:
    """Whether none of the manifests of a rule has a policy for the whole service, be it an empty one."""
    return all(manifest.object.spec.traffic_policy is None for manifest in rules.manifests)


def read_policy(said: kube.TrafficPolicy | kube.PortTrafficPolicy | None) -> TrafficPolicy:
    """A policy of traffic; None is nothing said."""
    if said is None:
        return NOTHING_SAID
    return TrafficPolicy(
        load_balancing=None if said.load_balancer is None else _balancing(said.load_balancer),
        outlier=None if said.outlier_detection is None else _outlier(said.outlier_detection),
        connections=None if said.connection_pool is None else _limits(said.connection_pool),
        tls_mode=None if said.tls is None else said.tls.mode,
    )


def _balancing(said: kube.LoadBalancer) -> LoadBalancing:
    simple = {"LEAST_CONN": Balancer.LEAST_REQUEST, "UNSPECIFIED": None, None: None}
    balancer = simple[said.simple] if said.simple in simple else Balancer(said.simple)
    key, hashing = None, HashWish()
    if said.consistent_hash is not None:
        balancer, key, hashing = _hashing(said.consistent_hash)
    warmup = None
    if said.warmup is not None:
        default = Warmup(0.0)
        warmup = Warmup(
            seconds_or_none(said.warmup.duration) or 0.0,
            said.warmup.aggression or default.aggression,
            default.minimum_percent if said.warmup.minimum_percent is None else said.warmup.minimum_percent,
        )
    elif said.warmup_duration_secs is not None:
        warmup = Warmup(seconds_or_none(said.warmup_duration_secs) or 0.0)
    locality = None if said.locality_lb_setting is None else read_locality_setting(said.locality_lb_setting)
    return LoadBalancing(balancer, key, hashing, locality, warmup)


def _hashing(said: kube.ConsistentHash) -> tuple[Balancer, HashKey, HashWish]:
    cookie = said.http_cookie
    key = HashKey(
        header=said.http_header_name or "",
        cookie="" if cookie is None else cookie.name,
        query_parameter=said.http_query_parameter_name or "",
        source_address=bool(said.use_source_ip),
        cookie_ttl_s=None if cookie is None else seconds_or_none(cookie.ttl),
    )
    sizes = HashWish(
        ring=said.ring_hash is not None,
        ring_size=None if said.ring_hash is None else said.ring_hash.minimum_ring_size,
        maglev=said.maglev is not None,
        table_size=None if said.maglev is None else said.maglev.table_size,
        minimum_ring_size=said.minimum_ring_size,
    )
    return (Balancer.MAGLEV if sizes.maglev else Balancer.RING_HASH), key, sizes


def read_locality_setting(said: kube.LocalityLb) -> LocalityWish:
    """A locality setting."""
    return LocalityWish(
        enabled=said.enabled,
        distribute=tuple((one.from_, one.to) for one in said.distribute),
        failover=tuple((one.from_, one.to) for one in said.failover),
        failover_priority=said.failover_priority,
    )


def _outlier(said: kube.OutlierDetection) -> OutlierWish:
    # The older word counted what a gateway answers.
    gateway = said.consecutive_gateway_errors
    return OutlierWish(
        consecutive_5xx_errors=said.consecutive_5xx_errors,
        consecutive_gateway_errors=said.consecutive_errors if gateway is None else gateway,
        consecutive_local_origin_failures=said.consecutive_local_origin_failures,
        split_external_local_origin_errors=said.split_external_local_origin_errors,
        interval_ms=_milliseconds(said.interval),
        base_ejection_time_ms=_milliseconds(said.base_ejection_time),
        max_ejection_percent=said.max_ejection_percent,
        min_health_percent=said.min_health_percent,
    )


def _milliseconds(text: str | None) -> int | None:
    length_s = seconds_or_none(text)
    return None if length_s is None else round(length_s * 1000)


def _limits(said: kube.ConnectionPool) -> ConnectionLimits:
    tcp, http = said.tcp or kube.TcpSettings(), said.http or kube.HttpSettings()

    def limit(number: int | None) -> int:
        return number or UNLIMITED  # as Istio reads it, 0 is not said

    return ConnectionLimits(
        max_connections=limit(tcp.max_connections),
        max_pending_requests=limit(http.http1_max_pending_requests),
        max_requests=limit(http.http2_max_requests),
        max_retries=limit(http.max_retries),
        max_requests_per_connection=http.max_requests_per_connection or 0,
        connect_timeout_s=seconds_or_none(tcp.connect_timeout),
    )
