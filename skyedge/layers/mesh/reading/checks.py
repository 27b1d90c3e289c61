"""What is wrong between manifests that are each in order: said when they are read, with the place.

What can never work is an error: a route to a service, a port or a subset that is not there, or to a subset where nobody
answers.  What is legal and useless is a warning: a rule that an earlier one hides, a second virtual service for a host, a
rule for a service that nobody knows, failover without the outlier detection that it needs, a fault that strikes nobody,
a path that no request can have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from skyedge.errors import nearest
from skyedge.kube.istio_routes import L4Route
from skyedge.kube.istio_traffic import TrafficPolicy
from skyedge.kube.problem import Path
from skyedge.layers.mesh.http_match import How
from skyedge.layers.mesh.http_route import Destination
from skyedge.layers.mesh.objects import CLUSTER_DOMAIN, MESH_GATEWAY, MeshEndpoint, Service, VirtualService, effective_policy
from skyedge.layers.mesh.reading.names import Shown, fits, right_host, whole_name
from skyedge.layers.mesh.reading.policies import Rules
from skyedge.layers.mesh.reading.routes import Origin, Routes
from skyedge.layers.mesh.shadowing import Hidden, hidden

WHO_ANSWERS = "a Deployment has no address; give Pods, EndpointSlices or WorkloadEntries"
"""What is said to whom all endpoints are missing, which is most who come with the manifests of an application."""


@dataclass(frozen=True)
class Known:
    """What routes may lead to."""

    services: Mapping[str, Shown[Service]]
    endpoints: Mapping[str, Sequence[MeshEndpoint]]
    rules: Sequence[Rules]

    @cached_property
    def _named(self) -> tuple[dict[str, list[Rules]], list[Rules]]:
        """Rules by a host that is written out, and those of wildcards."""
        exact: dict[str, list[Rules]] = {}
        for one in self.rules:
            exact.setdefault(one.shown.thing.host, []).append(one)
        return exact, [one for one in self.rules if one.shown.thing.host.startswith("*")]

    def of(self, host: str) -> list[Rules]:
        """The rules that speak of a host."""
        exact, wild = self._named
        return exact.get(host, []) + [
            one for one in wild if one.shown.thing.host != host and fits(one.shown.thing.host, host)
        ]

    def hosts_of(self, rule: Rules) -> list[str]:
        """The services that a rule speaks of."""
        host = rule.shown.thing.host
        return (
            [one for one in self.services if fits(host, one)] if host.startswith("*") else [host] * (host in self.services)
        )

    def service(self, host: str) -> Shown[Service] | None:
        """The service of that name, or the one with a wildcard that stands for it."""
        if host in self.services:
            return self.services[host]
        return next((shown for name, shown in self.services.items() if name.startswith("*") and fits(name, host)), None)


def check_routes(routes: Sequence[Routes], known: Known, warnings: list[str]) -> set[tuple[str, str]]:
    """Check where all routes lead; the (host, subset) pairs to which any leads.

    Raises:
        InputError: for the first that leads nowhere.
    """
    led_to: set[tuple[str, str]] = set()
    for one in routes:
        for rule, origin in zip(one.shown.thing.http, one.origins, strict=True):
            for number, to in enumerate(rule.destinations):
                sends = to.weight > 0 or len(rule.destinations) == 1
                _destination(to, origin, ("route", number, "destination"), one.shown.namespace, known, sends)
                led_to.add((to.host, to.subset))
                warnings += _not_seen(to, origin, ("route", number, "destination", "host"), one.shown, known)
            written = one.manifest.object.spec if origin.manifest is one.manifest else origin.manifest.object.spec
            single = written.http[int(origin.path[-1])].mirror is not None
            for number, mirror in enumerate(rule.mirrors):
                path: Path = ("mirror",) if single else ("mirrors", number, "destination")
                _destination(mirror.destination, origin, path, one.shown.namespace, known, True)
                led_to.add((mirror.destination.host, mirror.destination.subset))
            for name, fault in (("abort", rule.abort), ("delay", rule.delay)):
                if fault is not None and fault.percent == 0:
                    warnings.append(f"{origin.place('fault', name)}: without a percentage above 0 this strikes no request")
        for kind, rules in (("tcp", one.manifest.object.spec.tcp), ("tls", one.manifest.object.spec.tls)):
            _l4(one, kind, rules, known)
        warnings += [_sentence(one, finding) for finding in hidden(one.shown.thing.http)]
        warnings += _never_met(one)
    _hosts(routes, known, warnings)
    return led_to


def check_rules(known: Known, led_to: set[tuple[str, str]], warnings: list[str]) -> None:
    """Check what destination rules speak of."""
    for one in known.rules:
        rule, manifest = one.shown.thing, one.manifests[0]
        hosts = known.hosts_of(one)
        if not hosts:
            close = right_host(rule.host, one.shown.namespace, list(known.services))
            hint = f" (did you mean '{close}'?)" if close else ""
            warnings.append(f"{manifest.place('spec', 'host')}: there is no service '{rule.host}': not used{hint}")
            continue
        for subset in rule.subsets:
            found = any(
                subset.labels.items() <= endpoint.labels.items() for host in hosts for endpoint in known.endpoints[host]
            )
            if not found and not any((host, subset.name) in led_to for host in hosts):
                warnings.append(f"{_subset_place(one, subset.name)}: nobody who answers for '{rule.host}' has these labels")
        warnings += _ports_of_nobody(one, [known.services[host].thing for host in hosts])
        for name in ("", *(subset.name for subset in rule.subsets)):
            policy = effective_policy(rule, name)
            wish = None if policy.load_balancing is None else policy.load_balancing.locality
            said = rule.policy if not name else next(s.policy for s in rule.subsets if s.name == name)
            if wish is None or said.load_balancing is None or wish.distribute or policy.outlier is not None:
                continue
            if wish.enabled is not False:
                where = manifest.place("spec", "trafficPolicy") if not name else _subset_place(one, name)
                warnings.append(f"{where}: priorities by locality need outlierDetection, and there is none: not used")


def _ports_of_nobody(one: Rules, services: Sequence[Service]) -> Iterator[str]:
    """Policies for ports that no service of the rule has."""
    numbers = {port.number for service in services for port in service.ports}
    for manifest in one.manifests:
        spec = manifest.object.spec
        said: list[tuple[Path, TrafficPolicy | None]] = [(("spec", "trafficPolicy"), spec.traffic_policy)]
        said += [(("spec", "subsets", at, "trafficPolicy"), part.traffic_policy) for at, part in enumerate(spec.subsets)]
        for path, policy in said:
            for at, setting in enumerate(() if policy is None else policy.port_level_settings):
                if numbers and setting.port.number not in numbers:
                    place = manifest.place(*path, "portLevelSettings", at, "port", "number")
                    there = ", ".join(map(str, sorted(numbers)))
                    yield f"{place}: '{one.shown.thing.host}' has no port {setting.port.number}, only {there}: not used"


def _destination(to: Destination, origin: Origin, path: Path, namespace: str, known: Known, sends: bool) -> None:
    shown = known.service(to.host)
    if shown is None:
        close = right_host(to.host, namespace, list(known.services))
        short = to.host.removesuffix(f".{namespace}.{CLUSTER_DOMAIN}")
        raise origin.error((*path, "host"), f"there is no service '{short}'", close)
    if not shown.seen_from(namespace):
        raise origin.error((*path, "host"), f"'{namespace}' may not see the service '{to.host}' (exportTo)")
    service = shown.thing
    numbers = [port.number for port in service.ports]
    if to.port is not None and to.port not in numbers:
        there = ", ".join(map(str, numbers)) or "none"
        raise origin.error((*path, "port", "number"), f"'{service.host}' has no port {to.port}; it has {there}")
    endpoints = known.endpoints.get(service.host, ())
    if not to.subset:
        if sends and not endpoints:
            some_do = any(there for host, there in known.endpoints.items() if host.endswith(CLUSTER_DOMAIN))
            why = "" if some_do else f", nor for any other: {WHO_ANSWERS}"
            raise origin.error((*path, "host"), f"nobody answers for '{service.host}'{why}")
        return
    named = {subset.name: subset for one in known.of(service.host) for subset in one.shown.thing.subsets}
    if to.subset not in named:
        message = f"no DestinationRule for '{service.host}' has a subset '{to.subset}'"
        raise origin.error((*path, "subset"), message, nearest(to.subset, named))
    subsets = [subset for one in known.of(service.host) for subset in one.shown.thing.subsets if subset.name == to.subset]
    labelled = any(one.labels.items() <= endpoint.labels.items() for one in subsets for endpoint in endpoints)
    if sends and not labelled:
        labels = ", ".join(f"{label}={value}" for label, value in sorted(subsets[0].labels.items()))
        message = f"nobody answers for the subset '{to.subset}' of '{service.host}': no endpoint has {labels}"
        raise origin.error((*path, "subset"), message)


def _not_seen(to: Destination, origin: Origin, path: Path, virtual: Shown[VirtualService], known: Known) -> Iterator[str]:
    """Namespaces that follow a route and may not see where it leads."""
    shown = known.service(to.host)
    for namespace in sorted(virtual.to - {"*", ".", virtual.namespace}):
        if shown is not None and not shown.seen_from(namespace):
            place = origin.place(*path)
            yield f"{place}: '{namespace}' may not see the service '{to.host}', and a call from there fails (exportTo)"


def _l4(one: Routes, kind: str, rules: Iterable[L4Route], known: Known) -> None:
    for number, rule in enumerate(rules):
        for at, to in enumerate(rule.route):
            port = None if to.destination.port is None else to.destination.port.number
            destination = Destination(
                whole_name(to.destination.host, one.shown.namespace), to.destination.subset, port, to.weight
            )
            path = ("route", at, "destination")
            sends = to.weight > 0 or len(rule.route) == 1
            _destination(destination, Origin(one.manifest, ("spec", kind, number)), path, one.shown.namespace, known, sends)


def _sentence(one: Routes, finding: Hidden) -> str:
    origin = one.origins[finding.route]
    path: Path = () if finding.match is None else ("match", finding.match)
    taker = one.origins[finding.by_route]
    by = taker.place() if finding.by_match is None else taker.place("match", finding.by_match)
    whole = "this rule" if finding.match is None else "this condition of the rule"
    return f"{origin.place(*path)}: no request ever reaches {whole}: {by} takes them all"


def _never_met(one: Routes) -> Iterator[str]:
    """Conditions on a path that no path meets: it begins with a slash, and what follows a question mark is not looked at."""
    for rule, origin in zip(one.shown.thing.http, one.origins, strict=True):
        written = origin.manifest.object.spec.http[int(origin.path[-1])].match
        for number, match in enumerate(rule.matches if len(written) == len(rule.matches) else ()):
            uri = match.uri
            if uri is None or uri.how not in (How.EXACT, How.PREFIX) or uri.value == "*":
                continue
            place = origin.place("match", number, "uri", uri.how.value)
            if not uri.value.startswith("/"):
                yield f"{place}: no path meets this, as each begins with a slash (did you mean '/{uri.value}'?)"
            elif "?" in uri.value:
                yield f"{place}: no path meets this, as a path ends before its '?'; queryParams looks behind it"


def _subset_place(one: Rules, name: str) -> str:
    for manifest in one.manifests:
        for number, subset in enumerate(manifest.object.spec.subsets):
            if subset.name == name:
                return manifest.place("spec", "subsets", number)
    return one.manifests[0].place("spec", "subsets")


def _hosts(routes: Sequence[Routes], known: Known, warnings: list[str]) -> None:
    taken: dict[str, list[Routes]] = {}
    for one in routes:
        virtual = one.shown.thing
        if MESH_GATEWAY not in virtual.gateways:
            continue
        for number, host in enumerate(virtual.hosts):
            said: list[str] = []
            rival = next((other for other in taken.get(host, ()) if _both_seen(one.shown, other.shown)), None)
            if rival is not None:
                older = f"the older VirtualService '{rival.shown.thing.name}' ({rival.manifest.place()})"
                said.append(f"inside the mesh this is not used: {older} has the host '{host}' already")
            taken.setdefault(host, []).append(one)
            inside = host.endswith(f".{CLUSTER_DOMAIN}") and "*" not in host
            if inside and host not in known.services:
                close = right_host(host, one.shown.namespace, list(known.services))
                hint = f" (did you mean '{close}'?)" if close else ""
                said.append(f"there is no service '{host}', so nobody inside calls it by this name{hint}")
            warnings += [f"{one.manifest.place('spec', 'hosts', number)}: {sentence}" for sentence in said]


def _both_seen(first: Shown[VirtualService], second: Shown[VirtualService]) -> bool:
    """Whether anybody sees both, as far as names of namespaces tell."""
    return first.seen_from(second.namespace) or second.seen_from(first.namespace) or bool(first.to & second.to - {"."})
