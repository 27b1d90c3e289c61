"""`skyedge federate`: a decision in three forms, manifests for each cluster, and one sentence for every mistake."""

import io
import json
import sys

import pytest
import yaml

from skyedge.cli.app import main

EXAMPLES = [f"manifests/federation/{name}.yaml" for name in ("clusters", "workloads", "policies")]
SMALL = """apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: a, labels: {gpu: "yes"}}
spec: {region: north}
status: {resourceSummary: {allocatable: {cpu: "8", memory: 32Gi, pods: "100"}}}
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: b}
spec: {region: south, taints: [{key: far, effect: NoSchedule}]}
status: {resourceSummary: {allocatable: {cpu: "4", memory: 32Gi, pods: "100"}}}
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: c}
spec: {region: south}
status: {resourceSummary: {allocatable: {cpu: "4", memory: 32Gi, pods: "100"}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: n}
spec:
  replicas: 6
  template: {spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: "1"}}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: huge, namespace: n}
spec:
  replicas: 2
  template: {spec: {containers: [{name: huge, image: huge:1, resources: {requests: {cpu: "9"}}}]}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: everything, namespace: n}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]
  placement: {replicaScheduling: {weightPreference: {dynamicWeight: AvailableReplicas}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: here}
spec:
  overrideRules:
  - targetCluster: {labelSelector: {matchLabels: {gpu: "yes"}}}
    overriders: {imageOverrider: [{component: Tag, operator: add, value: -gpu}]}
"""


@pytest.fixture
def federate(monkeypatch, capsys, tmp_path):
    """Run the command in a folder with the file small.yaml; its output, errors and exit code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        monkeypatch.setattr(sys, "argv", ["skyedge", "federate", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return printed.out, printed.err, stop.value.code

    return run


def test_json_and_yaml_say_the_same(federate):
    out, _, code = federate("small.yaml", "-o", "json")
    decision = json.loads(out)
    assert not code
    assert decision == yaml.safe_load(federate("small.yaml", "-o", "yaml")[0])
    (placed,) = decision["placed"]
    assert placed == {
        "resource": "Deployment n/web",
        "policy": "PropagationPolicy n/everything",
        "replicas": 6,
        "how": "divided by room",
        "clusters": {"a": 4, "c": 2},
    }
    (not_placed,) = decision["not_placed"]
    assert not_placed["resource"] == "Deployment n/huge"
    assert not_placed["reason"] == "2 of 2 replicas find no room"
    images = {
        name: works[0]["spec"]["template"]["spec"]["containers"][0]["image"] for name, works in decision["manifests"].items()
    }
    assert images == {"a": "web:1-gpu", "c": "web:1"}
    assert {name: works[0]["spec"]["replicas"] for name, works in decision["manifests"].items()} == placed["clusters"]


def test_the_table_says_who_runs_what_why_and_what_runs_nowhere(federate):
    out, err, code = federate("small.yaml")
    assert not code
    assert not err
    assert "Deployment n/web  a 4, c 2  divided by room  PropagationPolicy n/everything" in " ".join(
        out.split("\n")
    ).replace("   ", "  ")
    assert "Deployment n/huge runs nowhere (PropagationPolicy n/everything): 2 of 2 replicas find no room" in out
    assert "3 clusters: 1 placed with 6 replicas, 1 not; 2 manifests" in out


def test_explain_says_of_each_cluster_which_rule_turned_it_away_or_its_figures(federate):
    why = json.loads(federate("small.yaml", "--explain", "-o", "json")[0])["why"]["Deployment n/web"]
    assert why[0] == {"cluster": "a", "replicas": 4, "score": 0, "room": 8}
    assert why[1]["turned_away_by"] == "taints"
    assert "far:NoSchedule" in why[1]["because"]
    assert "why" not in json.loads(federate("small.yaml", "-o", "json")[0])


def test_the_examples_are_placed_without_a_word_of_warning(federate):
    out, err, code = federate(*EXAMPLES, "--strict")
    assert not code
    assert not err
    assert "3 placed" in out


def test_manifests_are_written_a_file_each_cluster(federate, tmp_path):
    _, _, code = federate("small.yaml", "--manifests", "out/here")
    assert not code
    files = {path.name: list(yaml.safe_load_all(path.read_text())) for path in (tmp_path / "out/here").iterdir()}
    assert sorted(files) == ["a.yaml", "c.yaml"]
    assert files["a.yaml"][0]["spec"]["replicas"] == 4


def test_nothing_is_written_when_one_manifest_cannot_be(federate, tmp_path):
    broken = SMALL + "    - {overriders: {plaintext: [{path: /spec/nothing, operator: remove}]}}\n".replace("    - ", "  - ")
    (tmp_path / "broken.yaml").write_text(broken)
    out, err, code = federate("broken.yaml", "--manifests", "out")
    assert code == 2
    assert not out
    assert "spec.overrideRules[1].overriders.plaintext[0]: this cannot be done to Deployment 'web' on a" in err
    assert not (tmp_path / "out").exists()


def test_what_is_written_twice_is_the_same(federate, tmp_path):
    federate("small.yaml", "--manifests", "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    federate("small.yaml", "--manifests", "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_standard_input_is_read(federate):
    assert federate("-", stdin=SMALL)[0] == federate("small.yaml")[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smal.yaml"], "there is no file 'smal.yaml'"),
        (["-", "-"], "standard input can be read only once"),
        (["small.yaml", "--manifests", "small.yaml"], "small.yaml is no folder"),
        (["manifests/scheduler.yaml"], "no Cluster in this"),
    ],
)
def test_a_mistake_is_one_sentence(federate, arguments, words):
    out, err, code = federate(*arguments)
    assert code == 2
    assert not out
    assert len(err.strip().splitlines()) == 1
    assert words in err


def test_what_is_worth_a_word_is_said_once_and_with_strict_is_an_error(federate, tmp_path):
    (tmp_path / "more.yaml").write_text(SMALL.replace("namespace: n}", "namespace: m}", 1))
    _, err, code = federate("more.yaml")
    assert not code
    assert err.count("warning:") == 1
    assert "no policy selects Deployment 'm/web', so it runs nowhere" in err
    out, err, code = federate("more.yaml", "--strict")
    assert code == 2
    assert not out
    assert "(strict)" in err
