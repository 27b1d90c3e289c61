"""Whole manifests are changed for a cluster as their policies say, and what was given stays as it was."""

import base64
import copy
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.dependencies import Reference, dependencies_of
from skyedge.layers.federation.handing_on import divided_completions, stripped, with_replicas
from skyedge.layers.federation.manifest_overrides import (
    POD_SPECS,
    ImageChange,
    ListChange,
    MapChange,
    PatchChange,
    TextChange,
    changed,
    overridden,
    pod_spec,
)
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.federation.overrides import ImageComponent, ImageOverride, JsonPatch, Operator
from skyedge.layers.federation.policy import OverridePolicy, OverrideRule, Resource, ResourceSelector


def workload(kind="Deployment", **spec):
    """A manifest with two containers, and one before them."""
    manifest = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w", "namespace": "n"}}
    pods = {
        "initContainers": [{"name": "first", "image": "docker.io/lib/init:1"}],
        "containers": [{"name": "main", "image": "lib/main:2", "args": ["-a", "-b"]}, {"name": "side", "image": "side"}],
    }
    part = manifest
    for step in POD_SPECS[kind]:
        part = part.setdefault(step, {})
    part.update(pods)
    manifest["spec"] |= spec
    return manifest


REGISTRY = ImageOverride(ImageComponent.REGISTRY, Operator.REPLACE, "asia.example")


@pytest.mark.parametrize("kind", sorted(POD_SPECS))
def test_every_image_of_the_pods_is_changed_wherever_the_kind_has_them(kind):
    given = workload(kind)
    before = copy.deepcopy(given)
    result = pod_spec(changed(given, ImageChange(REGISTRY)))
    images = [container["image"] for field in ("initContainers", "containers") for container in result[field]]
    assert images == ["asia.example/lib/init:1", "asia.example/lib/main:2", "asia.example/side"]
    assert given == before


def test_a_path_means_one_image_of_any_kind():
    path = "/spec/template/spec/containers/1/image"
    result = pod_spec(changed(workload(), ImageChange(REGISTRY, path)))
    assert [container["image"] for container in result["containers"]] == ["lib/main:2", "asia.example/side"]
    other = {"kind": "Renderer", "metadata": {"name": "r"}, "spec": {"image": "x:1"}}
    assert changed(other, ImageChange(REGISTRY, "/spec/image"))["spec"]["image"] == "asia.example/x:1"
    assert changed(other, ImageChange(REGISTRY)) == other, "without a path there is nothing that is known to be an image"


def test_lists_are_those_of_one_container():
    added = changed(workload(), ListChange("args", "main", Operator.ADD, ("-c",)))
    assert pod_spec(added)["containers"][0]["args"] == ["-a", "-b", "-c"]
    removed = changed(added, ListChange("args", "main", Operator.REMOVE, ("-b",)))
    assert pod_spec(removed)["containers"][0]["args"] == ["-a", "-c"]
    assert pod_spec(changed(workload(), ListChange("command", "side", Operator.ADD, ("run",))))["containers"][1][
        "command"
    ] == ["run"]
    assert changed(workload(), ListChange("command", "main", Operator.REMOVE, ("x",))) == workload()
    assert changed(workload(), ListChange("args", "nobody", Operator.ADD, ("x",))) == workload()


def test_labels_are_those_of_the_resource_and_not_of_its_pods():
    result = changed(workload(), MapChange("labels", Operator.ADD, {"a": "b"}))
    assert result["metadata"]["labels"] == {"a": "b"}
    assert changed(workload(), MapChange("annotations", Operator.REPLACE, {"a": "b"})) == workload()


def texts(kind="ConfigMap", **data):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "t"}, "data": data}


def test_texts_within_a_manifest_are_changed_in_their_own_form():
    patches = (JsonPatch(Operator.REPLACE, "/a/0", 9), JsonPatch(Operator.ADD, "/c", {"d": None}))
    document = {"b": "é", "a": [1, 2]}
    expected = {"b": "é", "a": [9, 2], "c": {"d": None}}
    result = changed(texts(x=json.dumps(document)), TextChange("/data/x", "JSON", patches))
    assert json.loads(result["data"]["x"]) == expected
    assert list(json.loads(result["data"]["x"])) == ["b", "a", "c"], "in the order that the author gave"
    result = changed(texts(**{"x.yaml": yaml.safe_dump(document)}), TextChange("/data/x.yaml", "YAML", patches))
    assert yaml.safe_load(result["data"]["x.yaml"]) == expected
    secret = texts("Secret", x=base64.b64encode(json.dumps(document).encode()).decode())
    result = changed(secret, TextChange("/data/x", "JSON", patches))
    assert json.loads(base64.b64decode(result["data"]["x"])) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            PatchChange(JsonPatch(Operator.REMOVE, "/spec/nothing"), "p.yaml:3"),
            "there is no 'nothing' here (at /spec/nothing)",
        ),
        (TextChange("/data/y", "JSON", (), "p.yaml:3"), "there is no 'y' here"),
        (TextChange("/data/x", "JSON", (), "p.yaml:3"), "the text is not JSON"),
        (TextChange("/data", "JSON", (), "p.yaml:3"), "there is no text at this path"),
        (TextChange("/data/z", "YAML", (), "p.yaml:3"), "the text is not YAML"),
        (ImageChange(REGISTRY, "/data/x", "p.yaml:3"), "no name of an image"),
        (PatchChange(JsonPatch(Operator.REPLACE, "", 3), "p.yaml:3"), "nothing would be left"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_place_of_the_policy_and_the_resource(change, words):
    with pytest.raises(InputError) as error:
        changed({**texts(x="{a b", z="[1"), "spec": {}}, change, "manila")
    sentence = str(error.value)
    assert sentence.startswith("p.yaml:3: this cannot be done to ConfigMap 't' on manila")
    assert words in sentence


def test_policies_of_the_whole_federation_come_first_and_those_of_the_namespace_have_the_last_word():
    def policy(name, namespace, value, **options):
        rule = OverrideRule(
            (MapChange("labels", Operator.ADD, {"who": value, value: "was here"}),), options.pop("affinity", None)
        )
        return OverridePolicy(name, (rule,), namespace=namespace, **options)

    policies = [
        policy("mine", "n", "mine"),
        policy("everyone", "", "everyone"),
        policy("elsewhere", "", "elsewhere", affinity=ClusterAffinity(cluster_names=("b",))),
        policy("another", "n", "another", selectors=(ResourceSelector("Job", "batch/v1"),)),
    ]
    resource = Resource("Deployment", "w", "n", "apps/v1")
    result, names = overridden(workload(), resource, Cluster("a"), policies)
    assert names == ["everyone", "mine"]
    assert result["metadata"]["labels"] == {"who": "mine", "everyone": "was here", "mine": "was here"}


def test_a_manifest_is_handed_on_without_what_its_server_has_put_there():
    given = workload("Job")
    given["metadata"] |= {
        "uid": "u",
        "managedFields": [],
        "resourceVersion": "1",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    given["spec"]["selector"] = {"matchLabels": {"controller-uid": "u"}}
    given["spec"]["template"]["metadata"] = {"creationTimestamp": None, "labels": {"job-name": "w", "mine": "x"}}
    before = copy.deepcopy(given)
    result = stripped({**given, "status": {"active": 1}})
    assert result["metadata"] == {"name": "w", "namespace": "n"}
    assert "status" not in result
    assert result["spec"]["selector"] == {"matchLabels": {}}
    assert result["spec"]["template"]["metadata"] == {"labels": {"mine": "x"}}
    assert given == before
    service = {"kind": "Service", "metadata": {"name": "s"}, "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}}
    assert stripped(service)["spec"] == {}
    service["spec"] = {"clusterIP": "None"}
    assert stripped(service)["spec"] == {"clusterIP": "None"}


def test_tokens_and_rollouts_are_a_clusters_own():
    account = {"kind": "ServiceAccount", "metadata": {"name": "a"}, "secrets": [{"name": "a-token-x"}, {"name": "mine"}]}
    assert stripped(account)["secrets"] == [{"name": "mine"}]
    assert "secrets" not in stripped({**account, "secrets": [{"name": "a-token-x"}]})
    marks = {"kubernetes.io/service-account.uid": "1", "note": "kept"}
    token = {"kind": "Secret", "metadata": {"annotations": marks}, "data": {"token": "abc"}}
    assert stripped(token)["data"] == {"token": "abc"}
    made = stripped({**token, "type": "kubernetes.io/service-account-token"})
    assert made["metadata"]["annotations"] == {"note": "kept"}
    assert "data" not in made
    rolled = {"kind": "Deployment", "metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}}
    assert stripped(rolled)["metadata"] == {}
    assert stripped({**rolled, "kind": "Pod"})["metadata"] == rolled["metadata"]


@given(
    replicas=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 40), min_size=1),
    completions=st.integers(0, 200),
    uid=st.sampled_from(["", "u", "v"]),
)
@settings(max_examples=60)
def test_completions_are_divided_as_replicas_are_and_none_is_lost(replicas, completions, uid):
    job = workload("Job", completions=completions)
    shares = divided_completions(job, replicas, uid)
    if not any(replicas.values()):
        assert shares is None
        return
    assert sum(shares.values()) == completions
    total = sum(replicas.values())
    for cluster, share in shares.items():
        assert abs(share - completions * replicas[cluster] / total) <= len(replicas)
        assert replicas[cluster] or not share


def test_replicas_are_written_where_the_kind_has_them():
    assert with_replicas(workload(), 4)["spec"]["replicas"] == 4
    job = with_replicas(workload("Job", completions=9), 2, 5)
    assert (job["spec"]["parallelism"], job["spec"]["completions"]) == (2, 5)
    assert with_replicas(texts(x="y"), 4) == texts(x="y")
    assert divided_completions(workload(), {"a": 1}) is None


def test_what_pods_refer_to_is_found_wherever_they_do():
    pods = pod_spec(deployment := workload())
    pods |= {
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [
            {"name": "a", "configMap": {"name": "files"}},
            {"name": "b", "secret": {"secretName": "hidden"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "disk"}},
            {"name": "d", "projected": {"sources": [{"secret": {"name": "shown"}}, {"configMap": {"name": "files"}}]}},
            {"name": "e", "csi": {"nodePublishSecretRef": {"name": "mount"}}},
            {"name": "f", "emptyDir": {}},
        ],
    }
    pods["containers"][0]["env"] = [
        {"name": "A", "value": "x"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    pods["initContainers"][0]["envFrom"] = [{"configMapRef": {"name": "env"}}]
    assert dependencies_of(deployment) == [
        Reference("ConfigMap", "env"),
        Reference("ConfigMap", "files"),
        Reference("PersistentVolumeClaim", "disk"),
        Reference("Secret", "hidden"),
        Reference("Secret", "key"),
        Reference("Secret", "mount"),
        Reference("Secret", "pull"),
        Reference("Secret", "shown"),
        Reference("ServiceAccount", "robot"),
    ]
    pods["serviceAccountName"] = "default"
    assert Reference("ServiceAccount", "default") not in dependencies_of(deployment)
    made = workload("StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "disk"}}])
    pod_spec(made)["volumes"] = [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}]
    assert dependencies_of(made) == []
    ingress = {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"tls": [{"secretName": "cert"}]}}
    assert dependencies_of(ingress) == [Reference("Secret", "cert")]
