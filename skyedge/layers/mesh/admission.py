"""Who is let in, for one call or for all callers and services at once: mutual TLS, security groups, policies, in that order.

A service that insists on mutual TLS refuses a caller without a proxy, as virtual machines and bare metal often are.  The
security groups of a service let in what one of their rules names and nothing else, as clouds have it; a service of no group
is not asked.  Then come the authorization policies of :mod:`~skyedge.layers.mesh.access`.  A caller without mutual TLS (for
lack of a proxy, or because the service has it switched off) has an address and no name: what asks for a principal or a
namespace does not hold, and what asks for its absence does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import ip_network

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.mesh.access import About, Action, Condition, Operation, Peer, Policy, Rule, Source, decide, within
from skyedge.layers.mesh.access import Verdict as PolicyVerdict
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Service

Flags = NDArray[np.bool_]

OF_CALLER = (About.NAMESPACE, About.PRINCIPAL, About.ADDRESS)
"""Conditions that look at who calls; the others look at the request, the same for all callers."""


@dataclass(frozen=True)
class Identity:
    """Who calls.

    Attributes:
        labels: by which security groups take it in.
        has_proxy: whether it can do mutual TLS.
    """

    name: str
    namespace: str = ""
    service_account: str = "default"
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    has_proxy: bool = True
    trust_domain: str = "cluster.local"

    def peer(self, *, named: bool) -> Peer:
        """As the called one's proxy knows it, by its certificate or by its address alone."""
        if not named:
            return Peer(address=self.address)
        principal = f"{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"
        return Peer(principal, self.namespace, self.address)


class TlsMode(Enum):
    """What a service takes."""

    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"
    DISABLE = "DISABLE"


JUST_NOW = "~"
"""Sorts behind every time that there is."""


@dataclass(frozen=True)
class PeerAuthentication:
    """Whether services insist on mutual TLS; a mode of None leaves it to the next wider one.

    Attributes:
        namespace: whose services; None: everybody's.
        labels: that they must have.
        port_modes: of single ports, by number; only where ``labels`` are given (Istio).
        created: when, as a text that can be sorted; what says nothing was made just now.
    """

    name: str
    namespace: str | None = None
    mode: TlsMode | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    port_modes: Mapping[int, TlsMode] = field(default_factory=dict)
    created: str = JUST_NOW


@dataclass(frozen=True)
class Ingress:
    """What a security group lets in: of a group, from a network; from anywhere if neither is given.

    Raises:
        InputError: if the network is none, the ports fall, or the protocol is not known.
    """

    from_group: str = ""
    from_network: str = ""
    first_port: int = 0
    last_port: int = 65_535
    protocol: str = "any"

    def __post_init__(self) -> None:
        if self.first_port > self.last_port:
            raise InputError(f"a range of ports must rise, not fall from {self.first_port} to {self.last_port}")
        if self.protocol not in ("any", "tcp", "udp"):
            raise InputError(f"a security group knows any, tcp and udp, and not '{self.protocol}'")
        if self.from_network:
            try:
                ip_network(self.from_network, strict=False)
            except ValueError:
                message = f"'{self.from_network}' is neither an address nor a network such as 10.0.0.0/8"
                raise InputError(message) from None

    def takes(self, port: int) -> bool:
        """Whether it speaks of a call by HTTP, which is TCP, to that port."""
        return self.first_port <= port <= self.last_port and self.protocol != "udp"


@dataclass(frozen=True)
class SecurityGroup:
    """Callers and services that carry its labels, and what may come in to them; without labels it has no members."""

    name: str
    members: Mapping[str, str]
    ingress: tuple[Ingress, ...] = ()

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether who carries these labels is a member."""
        return bool(self.members) and self.members.items() <= labels.items()


@dataclass(frozen=True)
class Admission:
    """All that is said of who may come in.

    Raises:
        InputError: if a security group lets in one that is not there, or two have one name.
    """

    policies: tuple[Policy, ...] = ()
    authentications: tuple[PeerAuthentication, ...] = ()
    groups: tuple[SecurityGroup, ...] = ()

    def __post_init__(self) -> None:
        names = [group.name for group in self.groups]
        twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if twice is not None:
            raise InputError(f"there are two security groups '{twice}'")
        for group in self.groups:
            for rule in group.ingress:
                if rule.from_group and rule.from_group not in names:
                    hint = nearest(rule.from_group, names)
                    raise InputError(
                        f"security group '{group.name}' lets in '{rule.from_group}', which is none", nearest=hint
                    )

    def policies_of(self, service: Service) -> list[Policy]:
        """Those for a service, by name."""
        mine = [policy for policy in self.policies if policy.is_for(service.namespace, service.labels)]
        return sorted(mine, key=lambda policy: policy.name)

    def groups_of(self, service: Service) -> list[SecurityGroup]:
        """Those that it is a member of, by name."""
        return sorted((group for group in self.groups if group.has(service.labels)), key=lambda group: group.name)


@dataclass(frozen=True)
class Verdict:
    """Whether a call may be made, and whose word that is."""

    allowed: bool
    why: str


def tls_mode(admission: Admission, service: Service, port: int) -> TlsMode:
    """The mode of a service's port: of the port, by labels, of the namespace, of the mesh; else permissive (Istio).

    Of several equally narrow ones the oldest counts, then the first by name (Istio).
    """
    mine = [one for one in admission.authentications if one.namespace in (None, service.namespace)]
    mine = [one for one in mine if one.labels.items() <= service.labels.items()]
    mine.sort(key=lambda one: (one.created, one.name))
    narrow = [one for one in mine if one.labels]
    wide = [one for one in mine if not one.labels and one.namespace is not None]
    widest = [one for one in mine if not one.labels and one.namespace is None]
    if narrow and port in narrow[0].port_modes:
        return narrow[0].port_modes[port]
    heard = (*narrow[:1], *wide[:1], *widest[:1])
    return next((one.mode for one in heard if one.mode is not None), TlsMode.PERMISSIVE)


def allowed(
    admission: Admission, caller: Identity, service: Service, port: int, request: HttpRequest | None = None
) -> Verdict:
    """Whether a caller may call a service's port.

    Args:
        request: of HTTP; one without a host is to the service's.  None is a plain connection: no ALLOW rule that speaks of
            HTTP lets it in, and a DENY rule keeps it out by what else it says (Istio errs on the side of refusing).
    """
    mode = tls_mode(admission, service, port)
    if mode is TlsMode.STRICT and not caller.has_proxy:
        return Verdict(False, f"{service.host} insists on mutual TLS and {caller.name} has no proxy")
    groups = admission.groups_of(service)
    if groups and not any(_lets_in(admission, rule, caller, port) for group in groups for rule in group.ingress):
        named = ", ".join(group.name for group in groups)
        return Verdict(False, f"no rule of security group {named} lets {caller.name} in")
    peer = caller.peer(named=caller.has_proxy and mode is not TlsMode.DISABLE)
    asked, policies = _asked(admission, service, request)
    found = decide(policies, asked, peer, port)
    return Verdict(found.allowed, _said(found, policies))


def _said(found: PolicyVerdict, policies: Sequence[Policy]) -> str:
    if not found.policy:
        return "no policy asks for more"
    if found.allowed:
        return f"policy {found.policy} lets it in"
    denied = any(policy.name == found.policy and policy.action is Action.DENY for policy in policies)
    return f"policy {found.policy} keeps it out" if denied else f"no rule of policy {found.policy} lets it in"


def allowed_matrix(
    admission: Admission,
    callers: Sequence[Identity],
    services: Sequence[Service],
    port: int,
    request: HttpRequest | None = None,
) -> Flags:
    """:func:`allowed` for all callers and services, (callers, services).

    Who a source means is worked out once for each caller, however many services its policy is for.
    """
    proxied = np.array([one.has_proxy for one in callers], bool)
    known = _Known(callers)
    members = {group.name: np.array([group.has(one.labels) for one in callers], bool) for group in admission.groups}
    result = np.ones((len(callers), len(services)), bool)
    for column, service in enumerate(services):
        asked, policies = _asked(admission, service, request)
        mode = tls_mode(admission, service, port)
        named = proxied & (mode is not TlsMode.DISABLE)
        may = proxied | (mode is not TlsMode.STRICT)
        if groups := admission.groups_of(service):
            let_in = np.zeros(len(callers), bool)
            for entry in (entry for group in groups for entry in group.ingress if entry.takes(port)):
                of_group = members[entry.from_group] if entry.from_group else True
                let_in |= of_group & (known.within(entry.from_network) if entry.from_network else True)
            may &= let_in
        allowing = [policy for policy in policies if policy.action is Action.ALLOW]
        meets = np.full(len(callers), not allowing)
        for policy in allowing:
            for rule in policy.rules:
                meets |= known.meets(rule, named, port, asked)
        may &= meets
        for policy in policies:
            if policy.action is Action.DENY:
                for rule in policy.rules:
                    may &= ~known.meets(rule, named, port, asked)
        result[:, column] = may
    return result


class _Known:
    """Which callers a source or a condition means, worked out once with their names and once without."""

    def __init__(self, callers: Sequence[Identity]) -> None:
        self._peers = {named: [one.peer(named=named) for one in callers] for named in (True, False)}
        self._kept: dict[object, Flags] = {}

    def meets(self, rule: Rule, named: Flags, port: int, request: HttpRequest) -> Flags:
        met = np.ones(len(named), bool)
        if rule.operations and not any(operation.holds(request, port) for operation in rule.operations):
            return ~met
        if rule.sources:
            met = np.logical_or.reduce([self._flags(source, named, port, request) for source in rule.sources])
        for condition in rule.conditions:
            if condition.about in OF_CALLER:
                met = met & self._flags(condition, named, port, request)
            elif not condition.holds(request, Peer(), port):
                return np.zeros(len(named), bool)
        return met

    def within(self, network: str) -> Flags:
        if network not in self._kept:
            self._kept[network] = np.array([within(network, peer.address) for peer in self._peers[True]], bool)
        return self._kept[network]

    def _flags(self, what: Source | Condition, named: Flags, port: int, request: HttpRequest) -> Flags:
        if what not in self._kept:
            both = [
                [what.holds(peer) if isinstance(what, Source) else what.holds(request, peer, port) for peer in peers]
                for peers in (self._peers[False], self._peers[True])
            ]
            self._kept[what] = np.array(both, bool)
        without, with_name = self._kept[what]
        return np.asarray(np.where(named, with_name, without))


def _lets_in(admission: Admission, rule: Ingress, caller: Identity, port: int) -> bool:
    if not rule.takes(port):
        return False
    if rule.from_group and not next(one for one in admission.groups if one.name == rule.from_group).has(caller.labels):
        return False
    return not rule.from_network or within(rule.from_network, caller.address)


def _asked(admission: Admission, service: Service, request: HttpRequest | None) -> tuple[HttpRequest, Sequence[Policy]]:
    """A request to the service, and the policies that it is judged by."""
    policies = admission.policies_of(service)
    if request is None:
        return HttpRequest(service.host), [_of_plain_connections(policy) for policy in policies]
    return (request if request.host else replace(request, host=service.host)), policies


def _of_plain_connections(policy: Policy) -> Policy:
    """What is left of a policy without HTTP: of ALLOW the rules that do not speak of it, of DENY the rest of each rule."""
    plain = [_without_http(rule) for rule in policy.rules]
    if policy.action is Action.DENY:
        return replace(policy, rules=tuple(plain))
    return replace(policy, rules=tuple(rule for rule, left in zip(policy.rules, plain, strict=True) if rule == left))


def _without_http(rule: Rule) -> Rule:
    operations = tuple(Operation(ports=operation.ports) for operation in rule.operations)
    return Rule(rule.sources, operations, tuple(one for one in rule.conditions if one.about is not About.HEADER))
