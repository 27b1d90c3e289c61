"""Who may call whom: ``AuthorizationPolicy``, ``PeerAuthentication``, and skyedge's own ``SecurityGroup``."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from skyedge.errors import nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube import istio_access as kube
from skyedge.kube.cluster import Namespace
from skyedge.kube.problem import Path
from skyedge.layers.mesh.access import (
    About,
    Action,
    Addresses,
    Condition,
    Operation,
    Policy,
    Rule,
    Source,
    Texts,
    fits,
)
from skyedge.layers.mesh.admission import Admission, PeerAuthentication, TlsMode
from skyedge.layers.mesh.reading.names import ROOT_NAMESPACE, age, namespace_of
from skyedge.layers.mesh.reading.security_groups import read_security_groups
from skyedge.layers.mesh.reading.workloads import TRUST_DOMAIN, Workload

WITHOUT_VALUE = (
    *("remote.ip", "destination.ip", "connection.sni"),
    *("request.auth.principal", "request.auth.audiences", "request.auth.presenter"),
)
"""Attributes that Istio knows and no request here has, beside claims of tokens."""

OF_ADDRESSES = ("source.ip", "remote.ip", "destination.ip")

_ABOUT = {one.value: one for one in About if one is not About.NOTHING}


def read_admission(manifests: Manifests, workloads: Sequence[Workload], warnings: list[str]) -> Admission:
    """All policies, by name, the modes of mutual TLS, and security groups.

    Raises:
        InputError: for a policy or a group that selects nothing, an address that is none, an attribute that there is not.
    """
    written = sorted(manifests.of(kube.AuthorizationPolicy), key=lambda one: _name(one))
    spaces = {one.namespace for one in workloads} | {one.object.metadata.name for one in manifests.of(Namespace)}
    policies = []
    for manifest in written:
        policy = _policy(manifest)
        spec = manifest.object.spec
        if spec.target_ref is not None or spec.target_refs:
            field_name = "targetRef" if spec.target_ref is not None else "targetRefs"
            warnings.append(f"{manifest.place('spec', field_name)}: waypoints are not modelled: the policy holds for nobody")
            continue
        if manifest.object.is_dry_run:
            path = ("metadata", "annotations", kube.DRY_RUN)
            warnings.append(f"{manifest.place(*path)}: this policy only tells what it would do, and holds for nobody")
            continue
        if policy.action is Action.CUSTOM:
            warnings.append(f"{manifest.place('spec', 'action')}: nobody outside is asked here, so that all may pass")
        if not any(policy.is_for(one.namespace, one.labels) for one in workloads):
            raise _nobody(manifest, policy, workloads)
        if not any(policy.is_for(one.namespace, one.labels) and one.has_proxy for one in workloads):
            warnings.append(f"{manifest.place()}: nobody whom this policy is for has a proxy, so it holds for nobody")
        policies.append(policy)
        warnings += _namespaces_of_nobody(manifest, spaces)
    authentications = tuple(_authentication(one) for one in manifests.of(kube.PeerAuthentication))
    return Admission(tuple(policies), authentications, read_security_groups(manifests, workloads, warnings))


def _namespaces_of_nobody(manifest: Manifest[kube.AuthorizationPolicy], spaces: Collection[str]) -> Iterator[str]:
    """Namespaces from which a policy lets in or keeps out, and that are none."""
    for number, rule in enumerate(manifest.object.spec.rules):
        for at, one in enumerate(rule.from_ or ()):
            for field_name, said in (("namespaces", one.source.namespaces), ("notNamespaces", one.source.not_namespaces)):
                for which, wanted in enumerate(said):
                    if not any(fits(wanted, space) for space in spaces):
                        place = manifest.place("spec", "rules", number, "from", at, "source", field_name, which)
                        close = nearest(wanted, spaces)
                        hint = f" (did you mean '{close}'?)" if close else ""
                        yield f"{place}: there is no namespace '{wanted}', and nothing runs in one{hint}"


def _authentication(manifest: Manifest[kube.PeerAuthentication]) -> PeerAuthentication:
    spec, namespace = manifest.object.spec, namespace_of(manifest.object.metadata)
    labels = {} if spec.selector is None else spec.selector.wanted
    by_port = spec.port_level_mtls or {}
    if by_port and not labels:
        raise manifest.error(("spec", "portLevelMtls"), "modes of ports need a selector")
    wide = namespace == ROOT_NAMESPACE and not labels
    ports = {int(port): mode for port, said in by_port.items() if (mode := _mode(said)) is not None}
    created, mode = age(manifest.object.metadata)[0], _mode(spec.mtls)
    return PeerAuthentication(_name(manifest), None if wide else namespace, mode, labels, ports, created)


def _mode(said: kube.MutualTls | None) -> TlsMode | None:
    return None if said is None or said.mode == "UNSET" else TlsMode(said.mode)


def _name(manifest: Manifest[Any]) -> str:
    return f"{namespace_of(manifest.object.metadata)}/{manifest.object.metadata.name}"


def _nobody(manifest: Manifest[Any], policy: Policy, workloads: Sequence[Workload]) -> Exception:
    here = [one for one in workloads if policy.namespace in (None, one.namespace)]
    if not policy.labels or not here:
        space = policy.namespace
        close = nearest(space or "", {one.namespace for one in workloads})
        return manifest.error(("metadata", "namespace"), f"nothing runs in '{space}', so the policy selects nothing", close)
    words = {f"{label}={value}" for one in here for label, value in one.labels.items()}
    path: Path = ("spec", "selector")
    for label, value in sorted(policy.labels.items()):
        if f"{label}={value}" not in words:
            message = f"nothing that runs in '{policy.namespace}' has {label}={value}, so the policy selects nothing"
            return manifest.error(path, message, nearest(f"{label}={value}", words))
    return manifest.error(path, f"nothing that runs in '{policy.namespace}' has all of these, so the policy selects nothing")


def _policy(manifest: Manifest[kube.AuthorizationPolicy]) -> Policy:
    spec, namespace = manifest.object.spec, namespace_of(manifest.object.metadata)
    return Policy(
        _name(manifest),
        Action(spec.action),
        tuple(_rule(manifest, rule, ("spec", "rules", number), namespace) for number, rule in enumerate(spec.rules)),
        None if namespace == ROOT_NAMESPACE else namespace,
        {} if spec.selector is None else spec.selector.wanted,
    )


def _rule(manifest: Manifest[Any], rule: kube.Rule, path: Path, namespace: str) -> Rule:
    sources = tuple(
        _source(manifest, one.source, (*path, "from", number, "source"), namespace)
        for number, one in enumerate(rule.from_ or ())
    )
    conditions = tuple(_condition(manifest, one, (*path, "when", number)) for number, one in enumerate(rule.when))
    return Rule(sources, tuple(_operation(one.operation) for one in rule.to or ()), conditions)


def _source(manifest: Manifest[Any], said: kube.Source, path: Path, namespace: str) -> Source:
    for name, addresses in (
        ("ipBlocks", said.ip_blocks),
        ("notIpBlocks", said.not_ip_blocks),
        ("remoteIpBlocks", said.remote_ip_blocks),
        ("notRemoteIpBlocks", said.not_remote_ip_blocks),
    ):
        for number, address in enumerate(addresses):
            _check_network(manifest, address, (*path, name, number))
    accounts, not_accounts = (
        tuple(_principal(one, namespace) for one in named) for named in (said.service_accounts, said.not_service_accounts)
    )
    return Source(
        Texts((*said.principals, *accounts), (*said.not_principals, *not_accounts)),
        Texts(said.namespaces, said.not_namespaces),
        Addresses(said.ip_blocks, said.not_ip_blocks),
        needs_token=bool(said.request_principals or said.remote_ip_blocks),
    )


def _principal(account: str, namespace: str) -> str:
    """The principal of a service account, ``NAMESPACE/NAME`` or a name in the policy's own namespace."""
    space, slash, name = account.rpartition("/")
    return f"{TRUST_DOMAIN}/ns/{space if slash else namespace}/sa/{name}"


def _operation(said: kube.Operation) -> Operation:
    def lower(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(text.lower() for text in texts)

    return Operation(
        Texts(lower(said.hosts), lower(said.not_hosts)),
        Texts(said.ports, said.not_ports),
        Texts(said.methods, said.not_methods),
        Texts(said.paths, said.not_paths),
    )


def _condition(manifest: Manifest[Any], said: kube.Condition, path: Path) -> Condition:
    values = Texts(said.values, said.not_values)
    key, bracket, rest = said.key.partition("[")
    about = _ABOUT.get(key)
    for of, words in (("values", said.values), ("notValues", said.not_values)):
        for number, word in enumerate(words):
            if key in OF_ADDRESSES:
                _check_network(manifest, word, (*path, of, number))
            elif about is About.PORT and not kube.is_port(word):
                raise manifest.error((*path, of, number), f"'{word}' is no port")
    name = rest.removesuffix("]")
    if about is not None and (about is About.HEADER) == bool(name) == bool(bracket):
        return Condition(about, values, name)
    known = [*_ABOUT, *WITHOUT_VALUE, "request.auth.claims[NAME]", "request.headers[NAME]"]
    named = name and (key == "request.auth.claims" or key.startswith("experimental.envoy.filters."))
    if not named and (key not in WITHOUT_VALUE or bracket):
        raise manifest.error((*path, "key"), f"there is no attribute '{said.key}'", nearest(said.key, known))
    return Condition(About.NOTHING, values)


def _check_network(manifest: Manifest[Any], text: str, path: Path) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise manifest.error(path, f"'{text}' is neither an address nor a network such as 10.0.0.0/8") from None
