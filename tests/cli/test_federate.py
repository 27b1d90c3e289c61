"""`skyedge federate`: a decision in three forms, manifests for each cluster, and one sentence for every mistake."""

import json
from functools import partial

import pytest
import yaml

from tests.cli.three_clusters import CLUSTERS, EVERYTHING, WEB

EXAMPLES = [f"manifests/federation/{name}.yaml" for name in ("clusters", "workloads", "policies")]
HUGE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: huge, namespace: n}
spec:
  replicas: 2
  template: {spec: {containers: [{name: huge, image: huge:1, resources: {requests: {cpu: "9"}}}]}}
---
"""
HERE = """---
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: here}
spec:
  overrideRules:
  - targetCluster: {labelSelector: {matchLabels: {gpu: "yes"}}}
    overriders: {imageOverrider: [{component: Tag, operator: add, value: -gpu}]}
"""
SMALL = CLUSTERS + WEB + HUGE + EVERYTHING + HERE


@pytest.fixture
def federate(skyedge, tmp_path):
    """Run the command in a folder with the file small.yaml; its output, errors and exit code."""
    (tmp_path / "small.yaml").write_text(SMALL)
    return partial(skyedge, "federate")


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
        "how": "divided by room (dynamicWeight)",
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
    assert "Deployment n/web  a 4, c 2  divided by room (dynamicWeight)  PropagationPolicy n/everything" in " ".join(
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


def test_what_has_no_replicas_has_no_room_either(federate, tmp_path):
    (tmp_path / "asleep.yaml").write_text(SMALL.replace("replicas: 6", "replicas: 0"))
    out, _, _ = federate("asleep.yaml", "--explain", "-o", "json")
    why = {row["cluster"]: row for row in json.loads(out)["why"]["Deployment n/web"]}
    assert why["a"] == {"cluster": "a", "holds_it": "yes", "score": 0}
    assert why["b"]["turned_away_by"] == "taints"


def test_one_is_counted_as_one(federate, tmp_path):
    a, _, _, web, _, policy, _ = SMALL.replace("replicas: 6", "replicas: 1").split("---\n")
    (tmp_path / "one.yaml").write_text("---\n".join((a, web, policy)))
    out, _, _ = federate("one.yaml", "--explain")
    assert "1 cluster: 1 placed with 1 replica, 0 not; 1 manifest\n" in out
    assert "1 cluster for Deployment n/web" in out


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


def test_a_cluster_that_is_told_nothing_any_more_does_not_keep_what_it_was_told(federate, tmp_path):
    federate("small.yaml", "--manifests", "out")
    (tmp_path / "out" / "notes.yaml").write_text("mine")
    (tmp_path / "away.yaml").write_text(
        SMALL.replace("spec: {region: south}\n", "spec: {taints: [{key: x, effect: NoExecute}]}\n")
    )
    assert federate("away.yaml", "--manifests", "out")[2] == 0
    texts = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert texts.keys() == {"a.yaml", "c.yaml", "notes.yaml"}
    assert (texts["c.yaml"], texts["notes.yaml"]) == ("", "mine")


def test_standard_input_is_read(federate):
    assert federate("-", stdin=SMALL)[0] == federate("small.yaml")[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smal.yaml"], "there is no file 'smal.yaml'"),
        (["-", "-"], "standard input can be read only once"),
        (["small.yaml", "--manifests", "small.yaml"], "--manifests: small.yaml is no folder\n"),
        (
            ["small.yaml", "--manifests", "small.yaml/out"],
            "small.yaml is no folder, so nothing can be written into small.yaml/out",
        ),
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


def test_what_runs_nowhere_is_an_answer_and_with_strict_a_failure_after_all_is_printed(federate):
    usual, strict = federate("small.yaml"), federate("small.yaml", "--strict")
    assert usual[:2] == strict[:2]
    assert "Deployment n/huge runs nowhere" in strict[0]
    assert (usual[2], strict[2]) == (0, 1)


def test_a_cluster_that_is_full_is_not_asked_for_so_many_times_nothing(federate, tmp_path):
    weights = "staticWeightList: [{targetCluster: {clusterNames: [a, c]}, weight: 1}]"
    full = SMALL.replace("dynamicWeight: AvailableReplicas", weights).replace('{cpu: "8"', '{cpu: "0"')
    (tmp_path / "full.yaml").write_text(full)
    assert "ask of a cpu, of which none is free: each" in federate("full.yaml")[0]
    decision = json.loads(federate("full.yaml", "-o", "json")[0])
    assert decision["overcommitted"]["a"] == {"cpu": None}
    assert yaml.safe_load(federate("full.yaml", "-o", "yaml")[0]) == decision


BINDING = """---
apiVersion: work.karmada.io/v1alpha2
kind: ResourceBinding
metadata: {name: web-deployment, namespace: n}
spec:
  resource: {apiVersion: apps/v1, kind: Deployment, name: web, namespace: n}
  clusters: [{name: b, replicas: 6}]
"""


def test_who_is_driven_out_by_a_taint_is_told_and_when(federate, tmp_path):
    taint = '{key: far, effect: NoExecute, timeAdded: "2026-01-01T00:00:00Z"}'
    given = SMALL.replace("{key: far, effect: NoSchedule}", taint) + BINDING
    toleration = "clusterTolerations: [{key: far, operator: Exists, tolerationSeconds: 300}], replicaScheduling"
    (tmp_path / "now.yaml").write_text(given)
    (tmp_path / "later.yaml").write_text(given.replace("replicaScheduling", toleration))
    for file, at, after_s in (("now", "2026-01-01T00:01:00Z", 0), ("later", "2026-01-01T00:01:00Z", 240)):
        leaving = json.loads(federate(f"{file}.yaml", "--at", at, "-o", "json")[0])["leaving"]
        assert leaving == [{"resource": "Deployment n/web", "cluster": "b", "after_s": after_s}]


def test_what_no_policy_selects_is_not_placed(federate, tmp_path):
    (tmp_path / "alone.yaml").write_text(
        SMALL.replace("namespace: n}\nspec:\n  replicas: 6", "namespace: m}\nspec:\n  replicas: 6")
    )
    out, _, _ = federate("alone.yaml")
    assert "Deployment m/web runs nowhere: no policy selects it" in out
    assert "3 clusters: 0 placed with 0 replicas, 2 not; 0 manifests" in out


def test_a_heading_is_not_broken_where_its_table_is_narrow(federate, tmp_path):
    long = "n" * 60
    (tmp_path / "long.yaml").write_text(SMALL.replace("name: web", f"name: {long}"))
    out, _, _ = federate("long.yaml", "--explain")
    assert f"3 clusters for Deployment n/{long}\n" in out


def test_a_pattern_that_the_shell_left_is_one_of_the_examples(federate):
    assert federate("manifests/federation/[cpw]*.yaml")[0] == federate(EXAMPLES[0], EXAMPLES[2], EXAMPLES[1])[0]
