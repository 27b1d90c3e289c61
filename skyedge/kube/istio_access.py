"""Who may call whom, as security.istio.io writes it: ``AuthorizationPolicy``, ``PeerAuthentication``."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from skyedge.kube.istio_values import WorkloadSelector
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape


class Source(Shape, frozen=True, kw_only=True):
    """Callers; all that is given must hold."""

    unmodelled = "requestPrincipals notRequestPrincipals remoteIpBlocks notRemoteIpBlocks"

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    not_service_accounts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    not_namespaces: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()


class From(Shape, frozen=True, kw_only=True):
    """An entry of ``from``."""

    source: Source


class Operation(Shape, frozen=True, kw_only=True):
    """What is asked for; all that is given must hold."""

    hosts: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    not_ports: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    not_methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()


class To(Shape, frozen=True, kw_only=True):
    """An entry of ``to``."""

    operation: Operation


class Condition(Shape, frozen=True, kw_only=True):
    """An entry of ``when``."""

    key: str
    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()

    def check(self) -> None:
        if not self.values and not self.not_values:
            raise Problem((), "one of values, notValues is needed")


class Rule(Shape, frozen=True, kw_only=True):
    """Who, what and when; what is not given holds for every request."""

    from_: tuple[From, ...] = field(default=(), name="from")
    to: tuple[To, ...] = ()
    when: tuple[Condition, ...] = ()


class Provider(Shape, frozen=True, kw_only=True):
    """Who decides for a policy of action CUSTOM."""

    name: str = ""


class TargetReference(Shape, frozen=True, kw_only=True):
    """An object to which a policy is attached."""

    group: str = ""
    kind: str
    name: str
    namespace: str = ""


class AuthorizationPolicySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of an authorization policy."""

    selector: WorkloadSelector | None = None
    target_ref: TargetReference | None = None
    target_refs: tuple[TargetReference, ...] = ()
    rules: tuple[Rule, ...] = ()
    action: Literal["ALLOW", "DENY", "AUDIT", "CUSTOM"] = "ALLOW"
    provider: Provider | None = None


class AuthorizationPolicy(Shape, frozen=True, kw_only=True):
    """Who may ask what of whom."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: AuthorizationPolicySpec = AuthorizationPolicySpec()


class MutualTls(Shape, frozen=True, kw_only=True):
    """Whether callers must show who they are."""

    mode: Literal["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] = "UNSET"


class PeerAuthenticationSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a peer authentication."""

    selector: WorkloadSelector | None = None
    mtls: MutualTls | None = None
    port_level_mtls: dict[str, MutualTls] = field(default_factory=dict)

    def check(self) -> None:
        for port in self.port_level_mtls:
            if not port.isdecimal() or not 1 <= int(port) <= 65535:
                raise Problem(("portLevelMtls", port), f"'{port}' is no port")


class PeerAuthentication(Shape, frozen=True, kw_only=True):
    """How callers and called recognise each other."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: PeerAuthenticationSpec = PeerAuthenticationSpec()
