"""`skyedge federate` with rules, quotas, autoscalers, and clusters that are moved as planned."""

import json

import pytest

EXAMPLES = [f"manifests/federation/{name}.yaml" for name in ("clusters", "workloads", "policies", "rules", "governance")]


@pytest.fixture
def federate(skyedge):
    """Run the command over some files; its output, errors and exit code."""

    def run(*arguments, files=EXAMPLES):
        return skyedge("federate", *files, *arguments)

    return run


def decided(federate, *arguments, files=EXAMPLES):
    out, err, code = federate("-o", "json", *arguments, files=files)
    assert code == 0, err
    return json.loads(out)


def running(result):
    return {row["resource"]: row["clusters"] for row in result["placed"]}


def test_an_autoscaler_scales_what_the_policy_then_divides(federate):
    shares = running(decided(federate))["Deployment ground/big-model"]
    assert sum(shares.values()) == 17  # 12 x (3 x 55 + 4 x 93 + 5 x 88) / 12 / 60, rounded up
    assert all(shares[cluster] >= before for cluster, before in {"dalian": 3, "manila": 4, "singapore": 5}.items())


def test_an_enforced_rule_keeps_manifests_away_and_an_audited_one_only_lists_them(federate, tmp_path):
    rule = """apiVersion: skyedge/v1
kind: ClusterRule
metadata: {name: not-in-manila}
spec:
  enforcement: ENFORCEMENT
  clusterAffinity: {clusterNames: [manila]}
  require: [{path: "metadata.labels.blessed", operator: Exists}]
"""
    files = EXAMPLES[:3]
    shares = {}
    for enforcement in ("Audit", "Enforce"):
        (tmp_path / "rule.yaml").write_text(rule.replace("ENFORCEMENT", enforcement))
        result = decided(federate, files=[*files, "rule.yaml"])
        shares[enforcement] = running(result)["Deployment ground/big-model"]
    assert shares["Audit"] == running(decided(federate, files=files))["Deployment ground/big-model"]
    assert "manila" in shares["Audit"]
    assert "manila" not in shares["Enforce"]
    assert sum(shares["Enforce"].values()) == sum(shares["Audit"].values())
    out, _, _ = federate(files=[*files, "rule.yaml"])
    assert "not-in-manila" in out
    assert "metadata.labels.blessed is missing" in out


def test_a_quota_refuses_a_workload_as_a_whole_and_says_what_is_left(federate, tmp_path):
    (tmp_path / "quota.yaml").write_text(
        "apiVersion: policy.karmada.io/v1alpha1\nkind: FederatedResourceQuota\n"
        'metadata: {name: tight, namespace: ground}\nspec: {overall: {cpu: "1"}}\n'
    )
    result = decided(federate, files=[*EXAMPLES[:3], "quota.yaml"])
    assert "Deployment ground/big-model" not in running(result)
    out, _, _ = federate(files=[*EXAMPLES[:3], "quota.yaml"])
    assert "tight" in out


def events(result):
    return [(row["event"], row["cluster"]) for row in result["timeline"]]


def test_a_drained_cluster_keeps_each_copy_until_others_serve(federate):
    result = decided(federate, "--drain", "manila")
    rows = result["timeline"]
    served = max(row["at_s"] for row in rows if row["event"] == "healthy")
    gone = [row["at_s"] for row in rows if row["event"] == "deleted"]
    assert gone
    assert min(gone) >= served
    assert events(result)[0] == ("draining", "manila")
    assert events(result)[-1] == ("emptied", "manila")


def test_who_is_upgraded_comes_back_and_who_leaves_does_not(federate):
    assert events(decided(federate, "--upgrade", "manila"))[-1] == ("upgraded", "manila")
    assert events(decided(federate, "--leave", "kiruna"))[-1] == ("left", "kiruna")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--upgrade", "kiruna"), "kiruna is a third-party cluster, which its owner upgrades"),
        (("--drain", "manilla"), "there is no cluster 'manilla' (did you mean 'manila'?)"),
        (("--drain", "manila", "--leave", "manila"), "'manila' is moved once"),
        (("--drain", "manila", "--fail", "dalian"), "both at once are not modelled"),
        (("--drain", "manila@soon"), "--drain"),
    ],
)
def test_moves_that_cannot_be_are_said_in_one_sentence(federate, arguments, says):
    out, err, code = federate(*arguments)
    assert code != 0
    assert not out
    assert says in " ".join(err.split())


def test_a_copy_that_every_cluster_has_is_not_given_a_second_home(federate):
    rows = decided(federate, "--fail", "manila", files=EXAMPLES[:3])["timeline"]
    assert not [row for row in rows if "steer-antenna" in row["workload"]]
    assert "manila is gone, and its own copies of ground/steer-antenna with it" in [row["words"] for row in rows]


THREE = "---\n".join(
    f"""apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {{name: {name}}}
status: {{resourceSummary: {{allocatable: {{cpu: "{cores}", memory: 32Gi, pods: "100"}}}}}}
"""
    for name, cores in (("a", 9), ("b", 8), ("c", 7))
)
WEB = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: n}
spec:
  replicas: 4
  template: {spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: "1"}}}]}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: few, namespace: n}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]
  placement: {replicaScheduling: {replicaDivisionPreference: Aggregated}}
"""
RULE = """---
apiVersion: skyedge/v1
kind: ClusterRule
metadata: {name: blessed-on-b}
spec:
  enforcement: Enforce
  clusterAffinity: {clusterNames: [b]}
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]
  require: [{path: metadata.labels.blessed, operator: Exists}]
"""
QUOTA = """---
apiVersion: policy.karmada.io/v1alpha1
kind: FederatedResourceQuota
metadata: {name: q, namespace: n}
spec: {overall: {cpu: "100"}, staticAssignments: [{clusterName: b, hard: {cpu: "1"}}]}
"""


@pytest.mark.parametrize("how", ["--drain", "--leave", "--fail"])
@pytest.mark.parametrize(("also", "homes"), [("", {"b": 4}), (RULE, {"c": 4}), (QUOTA, {"c": 4})])
def test_rules_and_quotas_hold_when_what_was_placed_moves(federate, tmp_path, how, also, homes):
    (tmp_path / "moves.yaml").write_text(THREE + WEB + also)
    result = decided(federate, how, "a", files=["moves.yaml"])
    assert running(result) == {"Deployment n/web": {"a": 4}}
    moved = {row["cluster"]: row["replicas"] for row in result["timeline"] if row["event"] == "replaced"}
    assert moved == homes
