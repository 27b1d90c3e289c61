"""Nodes, pods, queues, groups and jobs as manifests have them, for tests of how the scheduler reads them."""

import json

import pytest

from skyedge.errors import InputError
from skyedge.kube import parse_manifests
from skyedge.layers.scheduler.reading import read_cluster

VOLCANO = "scheduling.volcano.sh/v1beta1"


def thing(api_version, kind, name, spec=None, namespace="", **more):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | more.pop("metadata", {})
    return (
        {"apiVersion": api_version, "kind": kind, "metadata": metadata} | ({"spec": spec} if spec is not None else {}) | more
    )


def node(name, cpu=8, memory="32Gi", labels=None, **resources):
    allocatable = {"cpu": cpu, "memory": memory, "pods": 110, **resources}
    return thing("v1", "Node", name, status={"allocatable": allocatable}, metadata={"labels": labels or {}})


def pod(name, cpu=1, group=None, metadata=None, status=None, namespace="", **spec):
    annotations = {"scheduling.k8s.io/group-name": group} if group else {}
    metadata = {"annotations": annotations, **(metadata or {})}
    containers = spec.pop("containers", [{"name": "c", "resources": {"requests": {"cpu": cpu}}}])
    whole = {"containers": containers, **spec}
    return thing("v1", "Pod", name, whole, namespace, metadata=metadata, status=status or {})


def queue(name, **spec):
    return thing(VOLCANO, "Queue", name, spec)


def group(name, namespace="", status=None, **spec):
    return thing(VOLCANO, "PodGroup", name, spec, namespace, status=status or {})


def job(name, tasks, metadata=None, **spec):
    listed = [
        {"name": task, "replicas": replicas, "template": {"spec": pod("x", cpu)["spec"] | more.pop("pod", {})}, **more}
        for task, replicas, cpu, more in tasks
    ]
    return thing("batch.volcano.sh/v1alpha1", "Job", name, {"tasks": listed, **spec}, metadata=metadata or {})


def priority(name, value, **more):
    return thing("scheduling.k8s.io/v1", "PriorityClass", name, value=value, **more)


def read(*items, **options):
    return read_cluster(parse_manifests(json.dumps(list(items))), **options).snapshot


def mistake(*items):
    with pytest.raises(InputError) as error:
        read(*items)
    return str(error.value)


def shape_of(snapshot, row=0):
    return snapshot.shapes[snapshot.pods.shape[row]]


def domain(name, tier, *members):
    listed = [{"type": kind, "selector": selector} for kind, selector in members]
    return thing("topology.volcano.sh/v1alpha1", "HyperNode", name, {"tier": tier, "members": listed})
