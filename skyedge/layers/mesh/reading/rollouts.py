"""Flagger's ``Canary`` to a rollout: which pods are the old version and which the new, and how the new one is tried.

Flagger keeps the old version as ``NAME-primary`` beside the new one, ``NAME``, told apart by a label.  It makes the service,
its routes and its subsets itself, and so does this: endpoints of the service are here those of both versions, in subsets
``primary`` and ``canary``.  On promotion the old version's pods start again with the new version; they are the subset
``promoted``: where the old ones are, and behaving as the new ones do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube import flagger as kube
from skyedge.kube.istio_values import seconds, seconds_or_none
from skyedge.layers.mesh.objects import (
    CLUSTER_DOMAIN,
    MESH_GATEWAY,
    DestinationRule,
    MeshEndpoint,
    Service,
    ServicePort,
    Subset,
    VirtualService,
)
from skyedge.layers.mesh.reading.mesh import MeshReading
from skyedge.layers.mesh.reading.names import ROOT_NAMESPACE, Shown, fits, namespace_of, whole_name
from skyedge.layers.mesh.reading.policies import Rules, read_policy
from skyedge.layers.mesh.reading.routes import Origin, Routes, gateway_name, read_match, read_retries
from skyedge.layers.mesh.reading.workloads import Workload
from skyedge.layers.mesh.rollout import DURATION, SUCCESS_RATE, WHOLE, Analysis, Check, Phase, Status, Strategy
from skyedge.layers.mesh.rollout_routes import routes_of
from skyedge.layers.mesh.rollout_traffic import Trial, is_promoted

LABELS = ("app", "name", "app.kubernetes.io/name")
"""By which Flagger tells versions apart (its default)."""

VERSION = "skyedge.io/rollout"
PRIMARY, CANARY, PROMOTED = "primary", "canary", "promoted"

LEAST_INTERVAL_S = 10.0
"""Flagger's: a shorter one counts as this."""

METRIC_WINDOW_S = 60.0
"""Flagger's default."""


@dataclass(frozen=True, eq=False)
class Rollout:
    """A canary of the files.

    Attributes:
        name: ``NAMESPACE/NAME``.
        reading: the mesh with all versions as subsets, and without routes to them.
        warnings: beside those of the mesh.
    """

    name: str
    host: str
    analysis: Analysis
    windows_s: dict[str, float]
    reading: MeshReading
    manifest: Manifest[Any]
    warnings: tuple[str, ...]
    _readings: dict[tuple[float, bool, bool], MeshReading] = field(default_factory=dict, init=False, repr=False)

    @property
    def trial(self) -> Trial:
        """The same as the simulation is told it."""
        return Trial(self.analysis, self.host, CANARY, lambda status: self.reading_at(status).mesh_for, dict(self.windows_s))

    def reading_at(self, status: Status) -> MeshReading:
        """The mesh with the routes that proxies have while the rollout stands there."""
        key = (status.weight, status.mirrored, is_promoted(status))
        if key not in self._readings:
            self._readings[key] = replace(self.reading, routes=(*self.reading.routes, self._routes(status)))
        return self._readings[key]

    @property
    def reading_to_ask(self) -> MeshReading:
        """For whoever makes up requests: this service alone, with everybody whom its routes mean."""
        tried = Status(Phase.PROGRESSING, weight=float(WHOLE) if self.analysis.strategy is Strategy.AB else 0.0)
        services = tuple(one for one in self.reading.services if one.thing.host == self.host)
        return replace(self.reading, services=services, routes=(self._routes(tried),))

    def _routes(self, status: Status) -> Routes:
        namespace, _, name = self.name.partition("/")
        service = self.manifest.object.spec.service
        retries = None if service.retries is None else read_retries(service.retries)
        stable = PROMOTED if is_promoted(status) else PRIMARY
        rules = tuple(
            replace(rule, timeout_s=seconds_or_none(service.timeout), retries=retries)
            for rule in routes_of(self.analysis, status, self.host, stable=stable, canary=CANARY)
        )
        doors = tuple(gateway_name(one, namespace) for one in service.gateways)
        hosts = (self.host, *(whole_name(one, namespace) for one in service.hosts))
        virtual = VirtualService(
            tuple(dict.fromkeys(hosts)), rules, tuple(dict.fromkeys((*doors, MESH_GATEWAY))), namespace, name
        )
        origin = Origin(self.manifest, ("spec", "analysis"))
        return Routes(Shown(virtual, namespace), self.manifest, (origin,) * len(rules))


def read_rollout(manifests: Manifests, reading: MeshReading, name: str) -> Rollout:
    """The canary of a name, ``NAMESPACE/NAME`` or ``NAME``.

    Raises:
        InputError: if there is none or there are several, an old or a new version is missing, a metric or a gateway is
            none, or the analysis cannot be.
    """
    named = {f"{namespace_of(one.object.metadata)}/{one.object.metadata.name}": one for one in manifests.of(kube.Canary)}
    found = sorted(whole for whole in named if name in (whole, whole.partition("/")[2]))
    if not named:
        raise InputError("there is no Canary (flagger.app/v1beta1) in the files, and so nothing to roll out")
    if not found:
        known = [*named, *(whole.partition("/")[2] for whole in named)]
        raise InputError(f"there is no Canary '{name}'", nearest=nearest(name, known))
    if len(found) > 1:
        raise InputError(f"there are several canaries of the name '{name}': {', '.join(found)}")
    return _rollout(named[found[0]], reading, found[0])


def _rollout(manifest: Manifest[kube.Canary], reading: MeshReading, name: str) -> Rollout:
    spec, namespace = manifest.object.spec, namespace_of(manifest.object.metadata)
    host = f"{spec.service.name or spec.target_ref.name}.{namespace}.{CLUSTER_DOMAIN}"
    warnings: list[str] = []
    for number, door in enumerate(spec.service.gateways):
        if door != MESH_GATEWAY and gateway_name(door, namespace) not in reading.doors:
            close = nearest(door, [MESH_GATEWAY, *reading.doors])
            raise manifest.error(("spec", "service", "gateways", number), f"there is no gateway '{door}'", close)
    analysis, windows_s = _analysis(manifest, namespace, warnings)
    old, new = _versions(manifest, reading, namespace)
    tried = _with_versions(manifest, reading, host, old, new)
    tried = replace(tried, routes=_without(host, name, reading.routes, warnings))
    return Rollout(name, host, analysis, windows_s, tried, manifest, tuple(warnings))


def _analysis(manifest: Manifest[kube.Canary], namespace: str, warnings: list[str]) -> tuple[Analysis, dict[str, float]]:
    spec = manifest.object.spec
    said, path = (spec.analysis, "analysis") if spec.analysis is not None else (spec.canary_analysis, "canaryAnalysis")
    assert said is not None
    interval_s = seconds(said.interval) if said.interval is not None else Analysis.interval_s
    if interval_s < LEAST_INTERVAL_S:
        warnings.append(f"{manifest.place('spec', path, 'interval')}: Flagger looks every {LEAST_INTERVAL_S:g} s at most")
    checks, windows_s = [], {}
    for number, metric in enumerate(said.metrics):
        place = ("spec", path, "metrics", number)
        if metric.name not in (SUCCESS_RATE, DURATION):
            if metric.template_ref is None and not metric.query:
                close = nearest(metric.name, (SUCCESS_RATE, DURATION))
                raise manifest.error((*place, "name"), f"there is no metric '{metric.name}', and no templateRef", close)
            warnings.append(f"{manifest.place(*place)}: '{metric.name}' is not measured here, so it is left out")
            continue
        least, most = metric.threshold, metric.threshold
        if metric.threshold_range is not None:
            least, most = metric.threshold_range.min, metric.threshold_range.max
        elif metric.name == SUCCESS_RATE:
            most = None
        else:
            least = None
        checks.append(Check(metric.name, least, most))
        windows_s[metric.name] = METRIC_WINDOW_S if metric.interval is None else seconds(metric.interval)
    if not checks:
        warnings.append(
            f"{manifest.place('spec', path)}: nothing is measured: whatever it does, the new version is promoted"
        )
    if said.session_affinity is not None:
        place_of = manifest.place("spec", path, "sessionAffinity")
        warnings.append(f"{place_of}: callers here keep no cookies: only requests that bring one stay with the new version")
    try:
        analysis = Analysis(
            checks=tuple(checks),
            threshold=said.threshold or 1,
            interval_s=max(interval_s, LEAST_INTERVAL_S),
            step_weight=said.step_weight or float(WHOLE),
            max_weight=said.max_weight or float(WHOLE),
            step_weights=tuple(float(weight) for weight in said.step_weights),
            step_weight_promotion=said.step_weight_promotion,
            iterations=said.iterations,
            match=tuple(read_match(match, namespace) for match in said.match),
            mirror=said.mirror,
            mirror_percent=said.mirror_weight or float(WHOLE),
            session_cookie="" if said.session_affinity is None else said.session_affinity.cookie_name,
        )
    except InputError as error:
        raise manifest.error(("spec", path), error.message, error.nearest) from None
    return analysis, windows_s


def _versions(
    manifest: Manifest[kube.Canary], reading: MeshReading, namespace: str
) -> tuple[Sequence[Workload], Sequence[Workload]]:
    """What runs of the old version, and of the new."""
    target = manifest.object.spec.target_ref
    names = (f"{target.name}-{PRIMARY}", target.name)
    if target.kind == "Service":
        names = (names[0], f"{target.name}-{CANARY}")
        hosts = [f"{name}.{namespace}.{CLUSTER_DOMAIN}" for name in names]
        found = [[reading.behind[key] for key in sorted(reading.behind) if key[0] == host] for host in hosts]
        words = "nobody answers for a service"
        known = [one.thing.host.partition(".")[0] for one in reading.services if one.namespace == namespace]
    else:
        here = [one for one in reading.workloads if one.namespace == namespace]
        found = [[one for one in here if name in {one.labels.get(label) for label in LABELS}] for name in names]
        words = f"nothing that runs in '{namespace}' has a label {', '.join(LABELS)} of"
        known = sorted({one.labels[label] for one in here for label in LABELS if label in one.labels})
    for which, name, workloads in zip(("old", "new"), names, found, strict=True):
        if not workloads:
            message = f"{words} '{name}', so there is no {which} version"
            raise manifest.error(("spec", "targetRef", "name"), message, nearest(name, known))
    return found[0], found[1]


def _with_versions(
    manifest: Manifest[kube.Canary], reading: MeshReading, host: str, old: Sequence[Workload], new: Sequence[Workload]
) -> MeshReading:
    """A reading in which the service has both versions, and the promoted one, as subsets."""
    said, namespace = manifest.object.spec.service, namespace_of(manifest.object.metadata)
    target = said.target_port if isinstance(said.target_port, int) else 0
    promoted = [
        replace(
            one,
            name=f"{one.name}-{PROMOTED}",
            address=f"{one.address}-{PROMOTED}",
            annotations=new[number % len(new)].annotations,
            manifest=new[number % len(new)].manifest,
        )
        for number, one in enumerate(old)
    ]
    endpoints, behind = {}, {key: one for key, one in reading.behind.items() if key[0] != host}
    for version, workloads in ((PRIMARY, old), (CANARY, new), (PROMOTED, promoted)):
        for one in workloads:
            endpoints[one.address] = MeshEndpoint(
                one.address,
                host,
                one.locality,
                {**one.labels, VERSION: version},
                one.weight,
                target,
                one.network,
                one.runs_in,
                one.node,
                one.healthy,
            )
            behind[host, one.address] = one
    services = reading.services
    if all(one.thing.host != host for one in services):
        port = ServicePort(said.port, said.port_name, "HTTP", target)
        made = Shown(Service(host, (port,), namespace), namespace)
        services = tuple(sorted((*services, made), key=lambda one: one.thing.host))
    others = [one for one in reading.endpoints if one.service != host]
    return replace(
        reading,
        services=services,
        endpoints=tuple(sorted((*others, *endpoints.values()), key=lambda one: (one.service, one.address))),
        behind=behind,
        rules=_rules(manifest, reading.rules, host, namespace),
    )


def _rules(manifest: Manifest[kube.Canary], rules: Sequence[Rules], host: str, namespace: str) -> tuple[Rules, ...]:
    """Destination rules, those for the service with the versions as further subsets; one is made if there is none."""
    subsets = tuple(Subset(version, {VERSION: version}) for version in (PRIMARY, CANARY, PROMOTED))
    policy = manifest.object.spec.service.traffic_policy
    found, spoken_for = [], False
    for one in rules:
        rule = one.shown.thing
        if fits(rule.host, host):
            kept = tuple(subset for subset in rule.subsets if subset.name not in (PRIMARY, CANARY, PROMOTED))
            one = replace(one, shown=replace(one.shown, thing=replace(rule, subsets=(*kept, *subsets))))
            spoken_for |= one.shown.namespace in (namespace, ROOT_NAMESPACE)
        found.append(one)
    if policy is not None or not spoken_for:
        # The canary's own word counts before what is there: Flagger writes the rule itself.
        made = DestinationRule(host, read_policy(policy), subsets, namespace=namespace, name=manifest.object.metadata.name)
        found = [one for one in found if (one.shown.namespace, one.shown.thing.host) != (namespace, host)]
        found.append(Rules(Shown(made, namespace), ()))
    return tuple(found)


def _without(host: str, name: str, routes: Sequence[Routes], warnings: list[str]) -> tuple[Routes, ...]:
    """Routes of others: Flagger writes those of its service itself."""
    kept = []
    for one in routes:
        virtual = one.shown.thing
        if host not in virtual.hosts:
            kept.append(one)
            continue
        if f"{virtual.namespace}/{virtual.name}" != name:
            warnings.append(f"{one.manifest.place('spec', 'hosts')}: for '{host}' the routes of the canary count instead")
        hosts = tuple(other for other in virtual.hosts if other != host)
        if hosts:
            kept.append(replace(one, shown=replace(one.shown, thing=replace(virtual, hosts=hosts))))
    return tuple(kept)
