"""Autoscalers read from manifests: what is wanted of each resource, whatever its type is called."""

import pytest

from skyedge.layers.federation.autoscaling import MetricTarget

from .written_federations import cluster, deployment, mistake, policy, read


def autoscaler(*metrics):
    return {
        "apiVersion": "autoscaling.karmada.io/v1alpha1",
        "kind": "FederatedHPA",
        "metadata": {"name": "it", "namespace": "n"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 9, "metrics": list(metrics)},
    }


def resource(name, **target):
    return {"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", **target}}}


FEDERATION = (cluster("a"), deployment("d"), policy("p"))


@pytest.mark.parametrize(
    ("metrics", "wanted"),
    [
        ((), [MetricTarget("cpu", 80.0, "Utilization")]),
        ((resource("cpu", averageUtilization=60),), [MetricTarget("cpu", 60.0, "Utilization")]),
        ((resource("cpu", type="AverageValue", averageValue="250m"),), [MetricTarget("cpu", 250.0, "AverageValue")]),
        # The figure that is there counts, as in Kubernetes, and not the type.
        ((resource("memory", averageValue="1Ki"),), [MetricTarget("memory", 1024.0, "AverageValue")]),
        ((resource("cpu", type="Value", averageUtilization=7),), [MetricTarget("cpu", 7.0, "Utilization")]),
    ],
)
def test_the_target_of_a_resource_is_the_figure_that_is_there(metrics, wanted):
    (scaler,) = read(*FEDERATION, autoscaler(*metrics)).governance.scalers
    assert list(scaler.rules.targets) == wanted


def test_what_needs_a_monitoring_system_counts_for_nothing_and_is_said():
    pods = {"type": "Pods", "pods": {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": 5}}}
    reading = read(*FEDERATION, autoscaler(pods, resource("cpu", averageUtilization=60)))
    (scaler,) = reading.governance.scalers
    assert scaler.resources == ("cpu",)
    assert any("type Pods are not measured here" in warning for warning in reading.warnings)


def test_a_figure_that_cannot_be_is_an_error_where_it_stands():
    words = mistake(*FEDERATION, autoscaler(resource("cpu", averageValue="9223372036854775807")))
    assert "spec.metrics[0].resource.target.averageValue" in words
    assert "larger than anything" in words
