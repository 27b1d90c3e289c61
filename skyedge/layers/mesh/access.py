"""Who may call whom: security groups of a mesh, by Istio's rules for authorization policies.

The proxy of whoever is called decides, after the route is chosen.  A policy that denies counts before those that allow; as
soon as there is one that allows, what none of them allows is denied; without any, everything is allowed.  A rule holds if
one of its sources, one of its operations and all of its conditions hold, and what it leaves out holds for everybody; a
policy without rules holds for nobody, so that one that allows nothing denies all.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from skyedge.layers.mesh.http_match import HttpRequest

FORBIDDEN = 403


class Action(Enum):
    """What a policy does to requests that it holds for."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    AUDIT = "AUDIT"
    """Writes it down, and lets it pass."""
    CUSTOM = "CUSTOM"
    """Asks somebody outside, who is not here and so lets it pass."""


@dataclass(frozen=True)
class Peer:
    """Who calls, as the called one's proxy knows it.

    Attributes:
        principal: from its certificate; empty if it showed none.
        namespace: from the certificate too.
    """

    principal: str = ""
    namespace: str = ""
    address: str = ""


@dataclass(frozen=True)
class Texts:
    """Texts of which one must hold, and others of which none may.

    A text may begin or end with ``*``; alone it is any text that is not empty.
    """

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def hold(self, text: str) -> bool:
        """Whether ``text`` is wanted, which all are if none is named, and not unwanted."""
        return (not self.wanted or any(fits(one, text) for one in self.wanted)) and not any(
            fits(one, text) for one in self.unwanted
        )


@dataclass(frozen=True)
class Addresses:
    """As :class:`Texts`, of networks such as ``10.0.0.0/8``."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def hold(self, address: str) -> bool:
        """Whether an address lies in them; one that is none lies in no network."""
        return (not self.wanted or any(within(one, address) for one in self.wanted)) and not any(
            within(one, address) for one in self.unwanted
        )


ANY = Texts()
ANY_ADDRESS = Addresses()


@dataclass(frozen=True)
class Source:
    """Callers; all of it must hold.

    Attributes:
        needs_token: that a token or somebody in front says who calls; nobody here has such.
    """

    principals: Texts = ANY
    namespaces: Texts = ANY
    addresses: Addresses = ANY_ADDRESS
    needs_token: bool = False

    def holds(self, peer: Peer) -> bool:
        """Whether it is that caller."""
        return (
            not self.needs_token
            and self.principals.hold(peer.principal)
            and self.namespaces.hold(peer.namespace)
            and self.addresses.hold(peer.address)
        )


@dataclass(frozen=True)
class Operation:
    """What is asked for; all of it must hold."""

    hosts: Texts = ANY
    ports: Texts = ANY
    methods: Texts = ANY
    paths: Texts = ANY

    def holds(self, request: HttpRequest, port: int) -> bool:
        """Whether it is that request, at that port of the called one."""
        return (
            self.hosts.hold(request.host.lower())
            and self.ports.hold(str(port))
            and self.methods.hold(request.method)
            and self.paths.hold(request.path.partition("?")[0])
        )


class About(Enum):
    """What a condition looks at."""

    HEADER = "request.headers"
    NAMESPACE = "source.namespace"
    PRINCIPAL = "source.principal"
    ADDRESS = "source.ip"
    PORT = "destination.port"
    NOTHING = ""
    """Something that no request here has, such as a token: there is no value, so none is ever the wanted one."""


@dataclass(frozen=True)
class Condition:
    """A condition on one attribute.

    Attributes:
        name: of the header.
    """

    about: About
    values: Texts
    name: str = ""

    def holds(self, request: HttpRequest, peer: Peer, port: int) -> bool:
        """Whether the attribute has a value that is wanted."""
        if self.about is About.ADDRESS:
            return Addresses(self.values.wanted, self.values.unwanted).hold(peer.address)
        values = {About.NAMESPACE: peer.namespace, About.PRINCIPAL: peer.principal, About.PORT: str(port)}
        text = request.header(self.name) if self.about is About.HEADER else values.get(self.about)
        return not self.values.wanted if text is None else self.values.hold(text)


@dataclass(frozen=True)
class Rule:
    """From whom, to do what, when; what is empty holds always."""

    sources: tuple[Source, ...] = ()
    operations: tuple[Operation, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def holds(self, request: HttpRequest, peer: Peer, port: int) -> bool:
        """Whether all three hold."""
        return (
            (not self.sources or any(source.holds(peer) for source in self.sources))
            and (not self.operations or any(operation.holds(request, port) for operation in self.operations))
            and all(condition.holds(request, peer, port) for condition in self.conditions)
        )


@dataclass(frozen=True)
class Policy:
    """An authorization policy.

    Attributes:
        name: ``NAMESPACE/NAME``.
        namespace: whose workloads it is for; None: everybody's.
        labels: that they must have.
    """

    name: str
    action: Action = Action.ALLOW
    rules: tuple[Rule, ...] = ()
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def is_for(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether it is for a workload."""
        return self.namespace in (None, namespace) and self.labels.items() <= labels.items()


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, and by whose word; no policy's if there is none to say it."""

    allowed: bool
    policy: str = ""


def decide(policies: Iterable[Policy], request: HttpRequest, peer: Peer, port: int) -> Verdict:
    """Whether a request may pass.

    Args:
        policies: those for the workload that is called, by name.
        port: of that workload.
    """
    mine = list(policies)
    for policy in mine:
        if policy.action is Action.DENY and _holds(policy.rules, request, peer, port):
            return Verdict(False, policy.name)
    allowing = [policy for policy in mine if policy.action is Action.ALLOW]
    for policy in allowing:
        if _holds(policy.rules, request, peer, port):
            return Verdict(True, policy.name)
    return Verdict(not allowing, ", ".join(policy.name for policy in allowing))


def fits(pattern: str, text: str) -> bool:
    """Whether a text is the pattern, or begins or ends as it says; ``{*}`` and ``{**}`` are parts of a path (Istio)."""
    if pattern == "*":
        return bool(text)
    if "{*}" in pattern or "{**}" in pattern:
        return _template(pattern).fullmatch(text) is not None
    if pattern.startswith("*"):
        return text.endswith(pattern[1:])
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def within(network: str, address: str) -> bool:
    """Whether an address lies in a network, or is the address that is written in its place."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


@lru_cache(maxsize=1024)
def _template(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\*\*?\})", pattern)
    kinds = {"{*}": "[^/]+", "{**}": ".*"}
    return re.compile("".join(kinds.get(part, re.escape(part)) for part in parts))


def _holds(rules: Sequence[Rule], request: HttpRequest, peer: Peer, port: int) -> bool:
    return any(rule.holds(request, peer, port) for rule in rules)
