"""From manifests of FederatedHPAs to what they scale, by what rules, and what the clusters measure.

A file cannot measure, so what is measured is said beside the autoscaler, in percent of what the replicas on each cluster ask
for: ``skyedge.io/measured-cpu: "manila=87, dalian=40"``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from skyedge.kube import FEDERATION, Manifest, Manifests
from skyedge.kube.karmada_autoscalers import FederatedHPA, Metric, ScalingRules
from skyedge.kube.problem import Path, Problem
from skyedge.kube.quantity import amount_of
from skyedge.layers.federation.autoscaling import DOWN, UP, UP_UNSAID, AutoscalerRules, MetricTarget, Pace, PacePolicy
from skyedge.layers.federation.objects import Workload
from skyedge.layers.federation.reading.clocks import AUTOSCALER, Clock, Target
from skyedge.layers.federation.reading.figures import figures
from skyedge.layers.federation.reading.notices import Notices
from skyedge.layers.federation.reading.resources import ResourceKey
from skyedge.layers.federation.reading.rules import DEFAULT_NAMESPACE

MEASURED = "skyedge.io/measured-"
"""Of a FederatedHPA, with the name of a resource: its use in percent of what is requested, by cluster."""

SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet")

KNOWN = frozenset(kind.name for kind in FEDERATION)
"""All other kinds are somebody's own."""

USUAL_TARGET = MetricTarget("cpu", 80.0, "Utilization")
"""Of an autoscaler that names no metric, as in Kubernetes."""


@dataclass(frozen=True, eq=False)
class Scaler:
    """An autoscaler.

    Attributes:
        name: as NAMESPACE/NAME.
        target: what it scales.
        resources: the resource of each target of the rules.
        measured_percent: of each target, by cluster: use in percent of what is requested there.
    """

    name: str
    target: ResourceKey
    rules: AutoscalerRules
    resources: tuple[str, ...]
    measured_percent: tuple[Mapping[str, float], ...]


def read_scalers(
    manifests: Manifests,
    clusters: Collection[str],
    workloads: Mapping[ResourceKey, Workload],
    clocks: Mapping[Target, Clock],
    notices: Notices,
) -> tuple[Scaler, ...]:
    """The autoscalers of workloads that a policy sends to clusters, in the order of what they scale.

    Args:
        clusters: their names.
        workloads: that a policy sends to clusters.
        clocks: those that set the bounds of an autoscaler have their say.

    Raises:
        InputError: with the place, for a second autoscaler of a workload, a kind that is not scaled, a figure that is none.
    """
    found: dict[ResourceKey, tuple[Scaler, Manifest[FederatedHPA]]] = {}
    by_name = {(key.kind, key.namespace, key.name): key for key in workloads}
    for manifest in manifests.of(FederatedHPA):
        metadata, spec = manifest.object.metadata, manifest.object.spec
        namespace, ref = metadata.namespace or DEFAULT_NAMESPACE, spec.scale_target_ref
        if ref.kind not in SCALABLE:
            what = f"a {ref.kind} is not scaled by what is measured; {', '.join(SCALABLE)} are"
            if ref.kind in KNOWN:
                raise manifest.error(("spec", "scaleTargetRef", "kind"), what)
            notices.say(manifest, ("spec", "scaleTargetRef", "kind"), what)  # somebody's own, of which no replicas are known
            continue
        key = by_name.get((ref.kind, namespace, ref.name))
        if key is None:
            continue  # that it points to nothing is said elsewhere
        if key in found:
            what = f"the {ref.kind} '{ref.name}' is scaled already, by '{found[key][0].name}' in {found[key][1].place()}"
            raise manifest.error(("spec", "scaleTargetRef"), what)
        scaler = _scaler(manifest, f"{namespace}/{metadata.name}", key, notices)
        clock = clocks.get(Target(AUTOSCALER, namespace, metadata.name))
        if clock is not None:
            scaler = _bounded(manifest, scaler, clock, notices)
        _check(manifest, scaler, clusters, workloads[key], notices)
        found[key] = scaler, manifest
    return tuple(found[key][0] for key in sorted(found))


def _scaler(manifest: Manifest[FederatedHPA], name: str, key: ResourceKey, notices: Notices) -> Scaler:
    spec = manifest.object.spec
    targets = [
        target
        for place, metric in enumerate(spec.metrics)
        if (target := _target(manifest, ("spec", "metrics", place), metric, notices)) is not None
    ]
    if not spec.metrics:
        targets.append(USUAL_TARGET)
    resources = tuple(target.name for target in targets)
    behavior = spec.behavior
    rules = AutoscalerRules(
        tuple(targets),
        spec.min_replicas,
        spec.max_replicas,
        UP_UNSAID if behavior is None else _pace(behavior.scale_up, UP),
        DOWN if behavior is None else _pace(behavior.scale_down, DOWN),
    )
    measured = tuple(figures(manifest, f"{MEASURED}{resource}") for resource in resources)
    return Scaler(name, key, rules, resources, measured)


def _bounded(manifest: Manifest[FederatedHPA], scaler: Scaler, clock: Clock, notices: Notices) -> Scaler:
    """The autoscaler with the bounds that clocks have set; bounds that no replicas meet are refused, as by the API."""
    least = scaler.rules.min_replicas if clock.least is None else clock.least.value
    most = scaler.rules.max_replicas if clock.most is None else clock.most.value
    if max(least, 1) > most:
        names = sorted({said.by for said in (clock.least, clock.most) if said is not None})
        wants = f"'{names[0]}' wants" if len(names) == 1 else f"'{names[0]}' and '{names[1]}' want"
        notices.say(manifest, ("spec",), f"{wants} at least {least} and at most {most}, which cannot be")
        return scaler
    return replace(scaler, rules=replace(scaler.rules, min_replicas=least, max_replicas=most))


def _target(manifest: Manifest[FederatedHPA], path: Path, metric: Metric, notices: Notices) -> MetricTarget | None:
    if metric.type != "Resource" or metric.resource is None:
        notices.say(
            manifest, path, f"metrics of the type {metric.type} are not measured here, so this one counts for nothing"
        )
        return None
    name, target = metric.resource.name, metric.resource.target
    if target.average_utilization is not None:  # what is said counts, as in Kubernetes, not what its type is called
        return MetricTarget(name, float(target.average_utilization), "Utilization")
    try:
        return MetricTarget(name, float(amount_of(name, target.average_value)), "AverageValue")
    except Problem as problem:
        raise manifest.error((*path, "resource", "target", "averageValue"), problem.message, problem.nearest) from None


def _pace(given: ScalingRules | None, usual: Pace) -> Pace:
    if given is None:
        return usual
    policies = tuple(PacePolicy(one.type, one.value, float(one.period_seconds)) for one in given.policies)
    window_s = given.stabilization_window_seconds
    pace = replace(usual, window_s=usual.window_s if window_s is None else float(window_s), select=given.select_policy)
    return replace(pace, policies=policies) if policies else pace


def _check(manifest: Manifest[Any], scaler: Scaler, clusters: Collection[str], workload: Workload, notices: Notices) -> None:
    """Say what in measurements has no weight; a negative one is a mistake."""
    for resource, measured in zip(scaler.resources, scaler.measured_percent, strict=True):
        path: Path = ("metadata", "annotations", f"{MEASURED}{resource}")
        if not measured:
            what = f"nothing is measured of {resource}: say it in the annotation {MEASURED}{resource}"
            notices.say(manifest, (), f"the autoscaler '{scaler.name}': {what}")
        for name, percent in measured.items():
            if percent < 0:
                raise manifest.error(path, f"{percent:g} is negative")
            if name not in clusters:
                notices.unknown(manifest, path, "cluster", name, clusters)
            elif not workload.scheduled.get(name):
                what = f"no binding says that {workload.name} runs on {name} now, so what is measured there has no weight"
                notices.say(manifest, path, what)
        if measured and not dict(workload.shape.request).get(resource):
            what = f"{workload.name} asks for no {resource}, so a percentage of it says nothing"
            notices.say(manifest, path, what)
    for key in manifest.object.metadata.annotations:
        if key.startswith(MEASURED) and key.removeprefix(MEASURED) not in scaler.resources:
            notices.unknown(
                manifest, ("metadata", "annotations", key), "metric", key.removeprefix(MEASURED), scaler.resources
            )
