"""A small federation written as manifests, for tests of how they are read: two clusters, a deployment and its policy."""

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import FEDERATION, parse_manifests
from skyedge.layers.federation.reading import read_federation


def cluster(name, region="r", **spec):
    status = spec.pop("status", {"resourceSummary": {"allocatable": {"cpu": "8", "memory": "32Gi", "pods": "100"}}})
    annotations, labels = spec.pop("annotations", {}), spec.pop("labels", {})
    return {
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name, "annotations": annotations, "labels": labels},
        "spec": {"region": region, **spec},
        "status": status,
    }


def deployment(name, replicas=2, namespace="n", **pods):
    metadata = {"name": name, "namespace": namespace, "labels": pods.pop("labels", {})}
    pods.setdefault("containers", [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}])
    spec = {"replicas": replicas, "template": {"spec": pods}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def policy(name, namespace="n", selector=None, **spec):
    annotations = spec.pop("annotations", {})
    wide = namespace is None
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "ClusterPropagationPolicy" if wide else "PropagationPolicy",
        "metadata": {"name": name, "annotations": annotations} | ({} if wide else {"namespace": namespace}),
        "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", **(selector or {})}], **spec},
    }


def override(name, **spec):
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": name, "namespace": "n"},
        "spec": spec,
    }


def read(*given):
    return read_federation(parse_manifests(yaml.safe_dump_all(given), file="f.yaml", kinds=FEDERATION))


def warnings(*given):
    return read(*given).warnings


def mistake(*given):
    with pytest.raises(InputError) as error:
        read(*given)
    assert str(error.value).startswith("f.yaml:")
    return str(error.value)


WELL = (cluster("a"), cluster("b", "s"), deployment("d"), policy("p"))
