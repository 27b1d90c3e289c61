"""What somebody has defined goes where policies send it, like anything without replicas."""

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import FEDERATION, parse_manifests
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.placing import place
from skyedge.layers.federation.reading import read_federation
from skyedge.layers.federation.works import works_of

BOOK = {"apiVersion": "webapp.my.domain/v1", "kind": "Guestbook", "metadata": {"name": "g"}, "spec": {"size": 2}}


def definition(scope):
    names = {"kind": "Guestbook", "plural": "guestbooks"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "guestbooks.webapp.my.domain"},
        "spec": {"group": "webapp.my.domain", "names": names, "scope": scope},
    }


def cluster(name, *kinds):
    return {
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "status": {
            "apiEnablements": [{"groupVersion": "webapp.my.domain/v1", "resources": [{"kind": kind} for kind in kinds]}],
            "resourceSummary": {"allocatable": {"pods": "9"}},
        },
    }


POLICY = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "ClusterPropagationPolicy",
    "metadata": {"name": "p"},
    "spec": {"resourceSelectors": [{"apiVersion": "webapp.my.domain/v1", "kind": "Guestbook"}]},
}
OVERRIDE = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "ClusterOverridePolicy",
    "metadata": {"name": "o"},
    "spec": {"overrideRules": [{"overriders": {"plaintext": [{"path": "/spec/size", "operator": "replace", "value": 4}]}}]},
}


def read(*given):
    return read_federation(parse_manifests(yaml.safe_dump_all(given), kinds=FEDERATION))


def test_it_goes_to_every_cluster_that_knows_its_kind_and_is_overridden_there():
    reading = read(BOOK, POLICY, OVERRIDE, cluster("a", "Guestbook"), cluster("b"))
    placements = place(Federation.of(reading.clusters), reading.workloads)
    (work,) = works_of(reading, [placements.of(0)])
    assert (work.cluster, work.manifest["spec"]) == ("a", {"size": 4})
    assert reading.warnings == ()


def test_rules_of_a_mesh_are_for_the_clusters_and_handed_on():
    rule = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "g"},
        "spec": {"http": []},
    }
    policy = {**POLICY, "spec": {"resourceSelectors": [{"apiVersion": rule["apiVersion"], "kind": rule["kind"]}]}}
    enabled = cluster("a")
    enabled["status"]["apiEnablements"] = [{"groupVersion": rule["apiVersion"], "resources": [{"kind": rule["kind"]}]}]
    reading = read(rule, policy, enabled, cluster("b"))
    placements = place(Federation.of(reading.clusters), reading.workloads)
    (work,) = works_of(reading, [placements.of(0)])
    assert (work.cluster, work.manifest["spec"]) == ("a", {"http": []})
    assert reading.warnings == ()


@pytest.mark.parametrize(("scope", "namespace"), [("Cluster", ""), ("Namespaced", "default")])
def test_whether_it_has_a_namespace_says_its_definition(scope, namespace):
    (one,) = read(BOOK, definition(scope), POLICY, cluster("a", "Guestbook")).selected
    assert one.workload.resource.namespace == namespace


def test_an_autoscaler_of_what_somebody_has_defined_scales_nothing_and_it_is_said():
    scaler = {
        "apiVersion": "autoscaling.karmada.io/v1alpha1",
        "kind": "FederatedHPA",
        "metadata": {"name": "s"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "webapp.my.domain/v1", "kind": "Guestbook", "name": "g"},
            "maxReplicas": 3,
        },
    }
    reading = read(BOOK, POLICY, cluster("a", "Guestbook"), scaler)
    assert reading.governance.scalers == ()
    assert "a Guestbook is not scaled by what is measured" in " ".join(reading.warnings)
    scaler["spec"]["scaleTargetRef"]["kind"] = "DaemonSet"
    with pytest.raises(InputError, match="a DaemonSet is not scaled by what is measured"):
        read(BOOK, POLICY, cluster("a", "Guestbook"), scaler)
