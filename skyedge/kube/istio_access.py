"""Who may call whom, as security.istio.io writes it: ``AuthorizationPolicy``, ``PeerAuthentication``."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from skyedge.kube.istio_values import WorkloadSelector, check_one_of
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape

DRY_RUN = "istio.io/dry-run"


def check_words(part: Shape) -> None:
    """Raise a :class:`Problem` if no list of a part says anything, or one holds an empty word."""
    names = dict(zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True))
    lists = {name: said for attribute, name in names.items() if isinstance(said := getattr(part, attribute), tuple)}
    for name, words in lists.items():
        if "" in words:
            raise Problem((name, words.index("")), "this should not be empty")
    if not any(lists.values()):
        raise Problem((), f"this says nothing; one of {', '.join(lists)} is needed")


def is_port(text: str) -> bool:
    """Whether a text is the number of a port."""
    return text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535


def check_path(path: str) -> None:
    """Raise a :class:`Problem` for braces that are no part of a path, or for a ``*`` beside such parts."""
    parts = path.strip("/").split("/")
    of_any_length = parts.index("{**}") if "{**}" in parts else len(parts)
    for at, part in enumerate(parts):
        if part in ("{*}", "{**}"):
            if at > of_any_length:
                raise Problem((), f"'{path}': nothing else stands for a part of the path behind '{{**}}'")
        elif "{" in part or "}" in part:
            raise Problem(
                (), f"'{path}': braces mean nothing but '{{*}}', a part of a path, and '{{**}}', any number of them"
            )
        elif {"{*}", "{**}"} & set(parts) and "*" in part:
            raise Problem((), f"'{path}': beside '{{*}}' and '{{**}}' there is no '*'")


class Source(Shape, frozen=True, kw_only=True):
    """Callers; all that is given must hold."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    not_service_accounts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    not_namespaces: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()
    request_principals: tuple[str, ...] = ()
    not_request_principals: tuple[str, ...] = ()
    remote_ip_blocks: tuple[str, ...] = ()
    not_remote_ip_blocks: tuple[str, ...] = ()

    @property
    def by_identity(self) -> str:
        """The first field that asks who calls by more than an address, as it is written; nothing if none does."""
        names = dict(zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True))
        return next((names[name] for name in OF_IDENTITY if getattr(self, name)), "")

    def check(self) -> None:
        check_words(self)
        if self.service_accounts or self.not_service_accounts:
            for name, words in (("principals", self.principals), ("namespaces", self.namespaces)):
                if words:
                    raise Problem((name,), f"only one of serviceAccounts and {name} can be given")


OF_IDENTITY = (
    *("principals", "not_principals", "namespaces", "not_namespaces", "service_accounts", "not_service_accounts"),
    *("request_principals", "not_request_principals"),
)
"""Fields of a source about who somebody is."""


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

    def check(self) -> None:
        check_words(self)
        for name, ports in (("ports", self.ports), ("notPorts", self.not_ports)):
            for number, port in enumerate(ports):
                if not is_port(port):
                    raise Problem((name, number), f"'{port}' is no port")
        for name, paths in (("paths", self.paths), ("notPaths", self.not_paths)):
            for number, path in enumerate(paths):
                try:
                    check_path(path)
                except Problem as problem:
                    raise problem.below(name, number) from None


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
        check_words(self)


class Rule(Shape, frozen=True, kw_only=True):
    """Who, what and when; what is not given holds for every request."""

    from_: tuple[From, ...] | None = field(default=None, name="from")
    to: tuple[To, ...] | None = None
    when: tuple[Condition, ...] = ()

    def check(self) -> None:
        for name, entries in (("from", self.from_), ("to", self.to)):
            if entries is not None and not entries:
                raise Problem((name,), "this should not be empty; left out it holds for every request")


class Provider(Shape, frozen=True, kw_only=True):
    """Who decides for a policy of action CUSTOM."""

    name: str = ""


class TargetReference(Shape, frozen=True, kw_only=True):
    """An object to which a policy is attached."""

    group: str = ""
    kind: str
    name: str
    namespace: str = ""

    def check(self) -> None:
        if not self.name:
            raise Problem(("name",), "this should not be empty")
        if self.namespace:
            raise Problem(("namespace",), "a policy is attached to what is in its own namespace")
        if (self.group, self.kind) not in TARGETS:
            known = ", ".join(f"{group}/{kind}" if group else kind for group, kind in TARGETS if group != "core")
            raise Problem(("kind",), f"a policy cannot be attached to this kind; there are {known}")


TARGETS = (
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("networking.istio.io", "ServiceEntry"),
    ("", "Service"),
    ("core", "Service"),
)


class AuthorizationPolicySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of an authorization policy."""

    selector: WorkloadSelector | None = None
    target_ref: TargetReference | None = None
    target_refs: tuple[TargetReference, ...] = ()
    rules: tuple[Rule, ...] = ()
    action: Literal["ALLOW", "DENY", "AUDIT", "CUSTOM"] = "ALLOW"
    provider: Provider | None = None

    def check(self) -> None:
        check_one_of(self, ("selector", "target_ref", "target_refs"))
        if self.action == "CUSTOM":
            if self.provider is None or not self.provider.name:
                raise Problem((), "the action CUSTOM needs somebody who decides, and 'provider' names nobody")
            self._check_custom()
        elif self.provider is not None:
            raise Problem(("provider",), f"with the action {self.action} nobody else is asked")
        if self.action in ("DENY", "CUSTOM") and not self.rules:
            raise Problem((), f"the action {self.action} without rules says nothing; an empty rule holds for all")

    def _check_custom(self) -> None:
        """Who decides is asked before anybody knows who calls."""
        for number, rule in enumerate(self.rules):
            for at, one in enumerate(rule.from_ or ()):
                if one.source.by_identity:
                    asked = ("rules", number, "from", at, "source", one.source.by_identity)
                    raise Problem(asked, "with the action CUSTOM this is not known yet")
            for at, condition in enumerate(rule.when):
                if condition.key.startswith(("source.namespace", "source.principal", "request.auth.")):
                    raise Problem(("rules", number, "when", at, "key"), "with the action CUSTOM this is not known yet")


class AuthorizationPolicy(Shape, frozen=True, kw_only=True):
    """Who may ask what of whom."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: AuthorizationPolicySpec = AuthorizationPolicySpec()

    @property
    def is_dry_run(self) -> bool:
        """Whether it only tells what it would do."""
        return self.metadata.annotations.get(DRY_RUN, "").lower() in ("true", "t", "1")

    def check(self) -> None:
        said = self.metadata.annotations.get(DRY_RUN)
        path = ("metadata", "annotations", DRY_RUN)
        if said is not None and said.lower() not in ("true", "t", "1", "false", "f", "0"):
            raise Problem(path, f"'{said}' is neither true nor false")
        if self.is_dry_run and self.spec.action not in ("ALLOW", "DENY"):
            raise Problem(path, f"with the action {self.spec.action} there is no dry run")


class MutualTls(Shape, frozen=True, kw_only=True):
    """Whether callers must show who they are."""

    mode: Literal["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] = "UNSET"


class PeerAuthenticationSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a peer authentication."""

    selector: WorkloadSelector | None = None
    mtls: MutualTls | None = None
    port_level_mtls: dict[str, MutualTls] | None = None

    def check(self) -> None:
        if self.port_level_mtls is None:
            return
        if not self.port_level_mtls:
            raise Problem(("portLevelMtls",), "this should not be empty")
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
