"""Karmada's autoscalers are refused where they cannot be meant, with the place."""

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import FEDERATION, parse_manifests
from skyedge.kube.karmada_autoscalers import CronFederatedHPA, FederatedHPA

GROUP = "autoscaling.karmada.io/v1alpha1"
UTILISED = {"type": "Utilization", "averageUtilization": 50}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": UTILISED}}
REQUESTS = {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "100"}}


def autoscaler(name="web", target="Deployment", **spec):
    spec = {"scaleTargetRef": {"kind": target, "name": "web"}, "maxReplicas": 9, **spec}
    return {"apiVersion": GROUP, "kind": "FederatedHPA", "metadata": {"name": name, "namespace": "n"}, "spec": spec}


def clock(*rules, kind="FederatedHPA"):
    rules = [{"name": f"r{number}", "schedule": "0 8 * * *", **rule} for number, rule in enumerate(rules)]
    spec = {"scaleTargetRef": {"kind": kind, "name": "web"}, "rules": rules}
    return {"apiVersion": GROUP, "kind": "CronFederatedHPA", "metadata": {"name": "web", "namespace": "n"}, "spec": spec}


def read(manifest):
    return parse_manifests(yaml.safe_dump(manifest), file="f.yaml", kinds=FEDERATION)


def test_every_sort_of_metric_is_read():
    described = {**REQUESTS, "describedObject": {"kind": "Service", "name": "s"}}
    container = {"name": "cpu", "container": "c", "target": UTILISED}
    metrics = [
        CPU,
        {"type": "ContainerResource", "containerResource": container},
        {"type": "Pods", "pods": REQUESTS},
        {"type": "Object", "object": described},
        {"type": "External", "external": {**REQUESTS, "target": {"type": "Value", "value": 3}}},
    ]
    (manifest,) = read(autoscaler(metrics=metrics)).of(FederatedHPA)
    assert [metric.type for metric in manifest.object.spec.metrics] == [metric["type"] for metric in metrics]


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        (autoscaler(minReplicas=0), "spec.minReplicas", "0 is less than 1"),
        (autoscaler(minReplicas=10), "spec.maxReplicas", "at most 9 is less than at least 10"),
        (autoscaler(name="a/b"), "metadata.name", "no name of an object"),
        (autoscaler(target="a/b"), "scaleTargetRef.kind", "cannot stand in a path"),
        (autoscaler(metrics=[{"type": "Pods"}]), "spec.metrics[0]", "needs 'pods'"),
        (autoscaler(metrics=[{**CPU, "pods": REQUESTS}]), "spec.metrics[0].pods", "has 'resource' and no 'pods'"),
        (
            autoscaler(metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]),
            "resource.target",
            "either its averageUtilization or its averageValue",
        ),
        (
            autoscaler(metrics=[{"type": "External", "external": {**REQUESTS, "target": {**UTILISED, "value": 1}}}]),
            "external.target",
            "no share of it",
        ),
        (
            autoscaler(metrics=[{"type": "Pods", "pods": {**REQUESTS, "target": {"type": "Value", "averageValue": "-1"}}}]),
            "target.averageValue",
            "-1 is negative",
        ),
        (autoscaler(behavior={"scaleUp": {"policies": []}}), "scaleUp.policies", "should not be empty"),
        (clock({"targetReplicas": 2}), "spec.rules[0]", "is given targetMinReplicas or targetMaxReplicas"),
        (clock({"targetMinReplicas": 3, "targetMaxReplicas": 2}), "targetMaxReplicas", "at most 2 is less than at least 3"),
        (clock({"targetMinReplicas": 0}), "targetMinReplicas", "0 is less than 1"),
        (clock(*[{"name": "a", "targetReplicas": 2}] * 2, kind="Deployment"), "spec.rules[1].name", "a rule 'a' already"),
    ],
)
def test_what_cannot_be_meant_is_told_where_it_stands(given, path, words):
    with pytest.raises(InputError) as wrong:
        read(given)
    assert path in str(wrong.value)
    assert words in str(wrong.value)


def test_a_clock_may_take_a_workload_down_to_nothing():
    (manifest,) = read(clock({"targetReplicas": 0}, kind="Deployment")).of(CronFederatedHPA)
    assert manifest.object.spec.rules[0].target_replicas == 0
