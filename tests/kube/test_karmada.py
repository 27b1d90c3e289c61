"""Karmada's kinds are read as strictly as all others, and what is handed on is kept whole."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.kube import FEDERATION, SCHEDULING, parse_manifests
from skyedge.kube import karmada as kinds
from skyedge.kube import karmada_autoscalers as autoscalers
from skyedge.kube import karmada_clusters as clusters
from skyedge.kube import karmada_overrides as overrides
from skyedge.kube import karmada_workloads as bindings
from skyedge.kube.workloads import CronJob, Custom, Job, Replicated, Secret

POLICY = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "PropagationPolicy",
    "metadata": {"name": "p", "namespace": "n"},
    "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "n"},
    "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
}


def read(*given, **options):
    return parse_manifests(yaml.safe_dump_all(given), file="f.yaml", kinds=FEDERATION, **options)


def mistake(*given):
    with pytest.raises(InputError) as error:
        read(*given)
    assert "\n" not in str(error.value)
    return str(error.value)


def policy(**placement):
    return {**POLICY, "spec": {**POLICY["spec"], "placement": placement}}


def test_what_a_policy_leaves_out_is_as_karmada_fills_it_in():
    (manifest,) = read(policy(spreadConstraints=[{"maxGroups": 2}], replicaScheduling={})).of(kinds.PropagationPolicy)
    placement = manifest.object.spec.placement
    assert (placement.spread_constraints[0].by, placement.spread_constraints[0].min_groups) == ("cluster", 1)
    scheduling = placement.replica_scheduling
    assert (scheduling.replica_scheduling_type, scheduling.replica_division_preference) == ("Divided", "Weighted")


@pytest.mark.parametrize(
    ("placement", "path", "words"),
    [
        (
            {"clusterAffinity": {}, "clusterAffinities": [{"affinityName": "a"}]},
            "spec.placement.clusterAffinities",
            "not both",
        ),
        ({"clusterAffinity": {"clusterName": ["a"]}}, "clusterAffinity.clusterName", "(did you mean 'clusterNames'?)"),
        (
            {
                "clusterAffinity": {
                    "fieldSelector": {"matchExpressions": [{"key": "regoin", "operator": "In", "values": ["x"]}]}
                }
            },
            "fieldSelector.matchExpressions[0].key",
            "(did you mean 'region'?)",
        ),
        ({"spreadConstraints": [{"spreadByField": "zone"}]}, "spreadConstraints[0].spreadByField", "cluster or region"),
        ({"spreadConstraints": [{"spreadByLabel": "x"}]}, "spreadByLabel", "not by a label"),
        ({"spreadConstraints": [{"minGroups": 3, "maxGroups": 2}]}, "maxGroups", "at most 2 is less than at least 3"),
        ({"spreadConstraints": [{}, {}]}, "spreadConstraints[1]", "already"),
        ({"spreadConstraints": [{"spreadByField": "region"}]}, "spreadConstraints", "a constraint by cluster is missing"),
        ({"replicaScheduling": {"replicaSchedulingType": "Devided"}}, "replicaSchedulingType", "(did you mean 'Divided'?)"),
        (
            {"replicaScheduling": {"weightPreference": {"staticWeightList": [{"targetCluster": {}, "weight": 0}]}}},
            "staticWeightList[0].weight",
            "0 is less than 1",
        ),
        (
            {"clusterAffinities": [{"affinityName": "a", "overflowAffinities": [{"affinityName": "b"}]}]},
            "overflowAffinities",
            "dynamicWeight or Aggregated",
        ),
        (
            {"clusterAffinities": [{"affinityName": "a"}, {"affinityName": "a"}]},
            "clusterAffinities[1].affinityName",
            "already",
        ),
    ],
)
def test_a_placement_that_cannot_be_meant_is_told_where_it_stands(placement, path, words):
    sentence = mistake(policy(**placement))
    assert sentence.startswith("f.yaml:")
    assert path in sentence
    assert words in sentence


def test_what_the_api_knows_is_named_and_what_it_does_not_know_is_an_error():
    suspended = {**POLICY, "spec": {**POLICY["spec"], "suspension": {"dispatching": True}}}
    assert "spec.suspension" in read(suspended).warnings()[0]
    assert "did you mean 'propagateDeps'?" in mistake({**POLICY, "spec": {**POLICY["spec"], "propagateDep": True}})
    assert "did you mean 'ClusterPropagationPolicy'?" in mistake({**POLICY, "kind": "ClusterPropagationPolciy"})
    assert "there is no Deployment in 'apps/v1beta2'" in mistake({**DEPLOYMENT, "apiVersion": "apps/v1beta2"})


def test_overriders_keep_any_value():
    patch = {"path": "/spec/x", "operator": "add", "value": {"a": [1, None, "b"]}}
    rule = {
        "overriders": {
            "plaintext": [patch],
            "fieldOverrider": [{"fieldPath": "/data/a", "yaml": [{**patch, "subPath": "/a"}]}],
        }
    }
    del rule["overriders"]["fieldOverrider"][0]["yaml"][0]["path"]
    given = {**POLICY, "kind": "OverridePolicy", "spec": {"overrideRules": [rule]}}
    (manifest,) = read(given).of(overrides.OverridePolicy)
    overriders = manifest.object.spec.override_rules[0].overriders
    assert overriders.plaintext[0].value == overriders.field_overrider[0].yaml[0].value == patch["value"]
    both = {**given, "spec": {"overrideRules": [rule], "overriders": {"plaintext": [patch]}}}
    assert "not both" in mistake(both)
    rule["overriders"]["imageOverrider"] = [{"component": "Registry", "operator": "add"}]
    assert "imageOverrider[0].value: 'add' needs a value" in mistake(given)


def test_taints_and_quotas_that_cannot_be_meant_are_refused():
    taint = {"key": "a", "effect": "NoSchedule"}
    cluster = {"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "c"}}
    assert "taints[1]: there is a taint 'a'" in mistake({**cluster, "spec": {"taints": [taint, {**taint, "value": "b"}]}})
    assert "taints[0].key: 'a b' is no name" in mistake({**cluster, "spec": {"taints": [{**taint, "key": "a b"}]}})
    assert read({**cluster, "spec": {"taints": [taint, {**taint, "effect": "NoExecute"}]}})
    add = [{"conditionType": "Ready", "operator": "In", "statusValues": ["False"]}]
    policy_spec = {"addOnConditions": add, "taints": [taint, taint]}
    assert "taints[1]" in mistake({**POLICY, "kind": "ClusterTaintPolicy", "spec": policy_spec})

    def quota(*hard, **overall):
        assigned = [{"clusterName": f"c{number}", "hard": one} for number, one in enumerate(hard)]
        return {**POLICY, "kind": "FederatedResourceQuota", "spec": {"overall": overall, "staticAssignments": assigned}}

    assert read(quota({"cpu": "1.5"}, {"cpu": "500m"}, cpu=2))
    assert "overall.cpu: this is less than" in mistake(quota({"cpu": "1.5"}, {"cpu": "501m"}, cpu=2))
    assert "(did you mean 'cpu'?)" in mistake(quota({"cpux": 1}, cpu=2))


def test_there_is_a_grace_only_where_what_is_old_goes_gracefully():
    def failing(**application):
        return {**POLICY, "spec": {**POLICY["spec"], "failover": {"application": application}}}

    assert read(failing(purgeMode="Graciously", gracePeriodSeconds=9))
    assert "gracePeriodSeconds: there is no grace" in mistake(failing(purgeMode="Directly", gracePeriodSeconds=9))


def test_a_state_is_kept_in_a_label_that_there_can_be():
    def keeping(label):
        kept = {"rules": [{"aliasLabelName": label, "jsonPath": "{.updatedReplicas}"}]}
        return {**POLICY, "spec": {**POLICY["spec"], "failover": {"cluster": {"statePreservation": kept}}}}

    (warning,) = read(keeping("example.com/updated")).warnings()
    assert "jsonPath" in warning
    assert "statePreservation.rules[0].aliasLabelName" in mistake(keeping("-updated"))


def test_grades_follow_on_each_other_and_hold_more_than_nothing():
    cluster = {"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "c"}}

    def graded(*models):
        return {**cluster, "spec": {"resourceModels": list(models)}}

    def grade(number, least, most, name="cpu"):
        return {"grade": number, "ranges": [{"name": name, "min": least, "max": most}]}

    span = {"name": "cpu", "min": "0", "max": "1"}
    assert read(graded({"grade": 0, "ranges": [span]})).of(clusters.Cluster)
    assert read(graded({"grade": 0, "ranges": [span, {"name": "memory", "min": "1Ti", "max": "9223372036854775807"}]}))
    assert "larger than anything" in mistake(graded(grade(0, 0, "9223372036854775808")))
    assert "(did you mean '1Gi'?)" in mistake(graded(grade(0, 0, "1Gb", "memory")))
    # In any order, and counted from anything; Karmada itself lets the lowest begin at nothing, and the highest never end.
    (one,) = read(graded(grade(7, "1", 3), grade(4, "1", "1000m"))).of(clusters.Cluster)
    assert one.object.spec.least_by_grade() == {4: {"cpu": 0}, 7: {"cpu": 1000}}
    assert "resourceModels[1].grade: there is a grade 0 already" in mistake(graded(grade(0, 0, 1), grade(0, 1, 2)))
    assert "resourceModels[0].ranges[0].min: grades follow on" in mistake(graded(grade(1, 2, 3), grade(0, 0, 1)))
    above = (grade(1, 2, 2), grade(2, 2, 3))
    assert "resourceModels[1].ranges[0].max: this is no more than 'min'" in mistake(graded(grade(0, 0, 2), *above))
    assert "the same resources" in mistake(graded(grade(0, 0, 1), grade(1, 1, 2, "memory")))


def test_what_is_handed_on_is_kept_whole_and_nothing_of_it_is_passed_over():
    manifests = read(
        {"apiVersion": "v1", "kind": "List", "items": [DEPLOYMENT, {**DEPLOYMENT, "metadata": {"name": "e"}}]}, strict=True
    )
    assert [manifest.plain() for manifest in manifests.of(Replicated)] == [
        DEPLOYMENT,
        {**DEPLOYMENT, "metadata": {"name": "e"}},
    ]
    assert not manifests.warnings()
    first, again = (manifests.of(Replicated)[0].plain() for _ in range(2))
    first["spec"]["replicas"] = 9
    assert again["spec"]["replicas"] == 3, "plain data is the caller's own"
    spec = {**DEPLOYMENT["spec"], "replica": 2}
    assert "(did you mean 'replicas'?)" in mistake({**DEPLOYMENT, "spec": spec})


def test_a_list_of_deployments_says_what_its_items_are():
    bare = {key: value for key, value in DEPLOYMENT.items() if key not in ("apiVersion", "kind")}
    text = json.dumps({"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [bare]})
    assert parse_manifests(text, kinds=FEDERATION).of(Replicated)[0].plain() == DEPLOYMENT


@given(parallelism=st.integers(0, 50), completions=st.none() | st.integers(0, 50))
@settings(max_examples=30)
def test_a_job_never_has_more_replicas_than_are_to_succeed(parallelism, completions):
    spec = {"parallelism": parallelism, "completions": completions, "template": DEPLOYMENT["spec"]["template"]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec}
    replicas = read(job).of(Job)[0].object.replicas
    assert replicas <= parallelism
    assert completions is None or replicas <= completions
    assert replicas in (parallelism, completions)


def test_jobs_by_the_clock_have_pods_and_no_replicas():
    job = {"spec": {"template": DEPLOYMENT["spec"]["template"]}}
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "c"},
        "spec": {"schedule": "* * * * *", "jobTemplate": job},
    }
    manifest = read(cron).of(CronJob)[0].object
    assert (manifest.replicas, manifest.template.spec.containers[0].name) == (0, "c")


def test_bindings_quotas_taint_policies_and_autoscalers_are_read():
    group = "policy.karmada.io/v1alpha1"
    given = [
        {
            "apiVersion": "work.karmada.io/v1alpha2",
            "kind": "ResourceBinding",
            "metadata": {"name": "d-deployment", "namespace": "n"},
            "spec": {
                "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "namespace": "n"},
                "clusters": [{"name": "a", "replicas": 2}],
                "gracefulEvictionTasks": [{"fromCluster": "b", "reason": "TaintUntolerated", "producer": "TaintManager"}],
            },
            "status": {"aggregatedStatus": [{"clusterName": "a"}]},
        },
        {
            "apiVersion": group,
            "kind": "FederatedResourceQuota",
            "metadata": {"name": "q"},
            "spec": {"overall": {"cpu": "10"}, "staticAssignments": [{"clusterName": "a", "hard": {"cpu": "4"}}]},
        },
        {
            "apiVersion": group,
            "kind": "ClusterTaintPolicy",
            "metadata": {"name": "t"},
            "spec": {
                "addOnConditions": [{"conditionType": "Ready", "operator": "NotIn", "statusValues": ["True"]}],
                "taints": [{"key": "down", "effect": "NoExecute"}],
            },
        },
        {
            "apiVersion": "autoscaling.karmada.io/v1alpha1",
            "kind": "FederatedHPA",
            "metadata": {"name": "h"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                "maxReplicas": 9,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
                    }
                ],
            },
        },
        {
            "apiVersion": "autoscaling.karmada.io/v1alpha1",
            "kind": "CronFederatedHPA",
            "metadata": {"name": "s"},
            "spec": {
                "scaleTargetRef": {"kind": "FederatedHPA", "name": "h"},
                "rules": [{"name": "pass", "schedule": "0 9 * * *", "targetMinReplicas": 4}],
            },
        },
    ]
    manifests = read(*given)
    assert manifests.of(bindings.ResourceBinding)[0].object.spec.graceful_eviction_tasks[0].from_cluster == "b"
    assert dict(manifests.of(bindings.FederatedResourceQuota)[0].object.spec.overall) == {"cpu": 10_000}
    assert manifests.of(bindings.ClusterTaintPolicy)[0].object.spec.taints[0].effect == "NoExecute"
    assert manifests.of(autoscalers.FederatedHPA)[0].object.spec.min_replicas == 1
    assert manifests.of(autoscalers.CronFederatedHPA)[0].object.spec.rules[0].target_min_replicas == 4
    given[3]["spec"]["minReplicas"] = 10
    assert "at most 9 is less than at least 10" in mistake(given[3])
    given[4]["spec"]["rules"][0]["schedule"] = "hourly"
    assert "not five fields" in mistake(given[4])


def test_a_dump_of_a_control_plane_is_read_as_kubectl_prints_it():
    printed = {
        **DEPLOYMENT,
        "metadata": {
            **DEPLOYMENT["metadata"],
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
            "uid": "u",
            "generation": 2,
        },
        "status": {"observedGeneration": 2, "replicas": 3},
    }
    cluster = {
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "c", "finalizers": ["karmada.io/cluster-controller"], "managedFields": [{}]},
        "spec": {
            "apiEndpoint": "https://c:6443",
            "id": "8c",
            "syncMode": "Push",
            "secretRef": {"name": "c", "namespace": "karmada-cluster"},
            "zone": "z",
        },
        "status": {
            "kubernetesVersion": "v1.31.0",
            "apiEnablements": [{"groupVersion": "apps/v1", "resources": [{"kind": "Deployment", "name": "deployments"}]}],
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "ClusterReady", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            ],
            "nodeSummary": {"totalNum": 1, "readyNum": 1},
            "resourceSummary": {"allocatable": {"cpu": "4", "pods": "110"}, "allocated": {"cpu": "950m"}},
        },
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": {"a": "Yg=="}}
    manifests = read({"apiVersion": "v1", "kind": "List", "items": [printed, cluster, secret]})
    assert manifests.of(Replicated)[0].plain() == printed
    assert manifests.of(Secret)[0].plain()["data"] == {"a": "Yg=="}
    assert manifests.of(clusters.Cluster)[0].object.status.api_enablements[0].resources[0].kind == "Deployment"
    assert manifests.of(clusters.Cluster)[0].object.spec.sync_mode == "Push"
    assert manifests.warnings() == []


def test_what_the_api_fills_in_by_itself_is_read_over_and_what_somebody_chose_is_named():
    filled_in = {"schedulerName": "default-scheduler", "preemption": "Never", "conflictResolution": "Abort"}
    usual = {**POLICY, "spec": {**POLICY["spec"], **filled_in}}
    assert read(usual).warnings() == []
    for field, value in (("schedulerName", "mine"), ("preemption", "Always"), ("conflictResolution", "Overwrite")):
        (warning,) = read({**usual, "spec": {**usual["spec"], field: value}}).warnings()
        assert warning.endswith(f"skyedge does not model them: spec.{field}")
    with pytest.raises(InputError, match="did you mean 'schedulerName'"):
        read({**usual, "spec": {**usual["spec"], "schedularName": "mine"}})


def test_what_somebody_has_defined_is_handed_on_whole_whatever_its_fields_are():
    book = {"apiVersion": "webapp.my.domain/v1", "kind": "Guestbook", "metadata": {"name": "g"}, "size": [2], "x": {"y": 1}}
    manifests = read(book, {**book, "metadata": {"name": "h"}}, strict=True)
    assert [one.plain() for one in manifests.of(Custom)] == [book, {**book, "metadata": {"name": "h"}}]
    assert read({**book, "apiVersion": "serving.knative.dev/v1", "kind": "Service"}).of(Custom)
    assert "'name' is missing" in mistake({**book, "metadata": {}})


@pytest.mark.parametrize(
    ("api_version", "kind", "words"),
    [
        ("polcy.karmada.io/v1alpha1", "PropagationPolicy", "did you mean 'policy.karmada.io/v1alpha1'?"),
        ("apps/v1", "Deploymnt", "did you mean 'Deployment'?"),
        ("policy.karmada.io/v1alpha1", "Guestbook", "there is no kind 'Guestbook'"),
        ("networking.k8s.io/v1", "Guestbook", "there is no kind 'Guestbook'"),
        ("my.domain", "Guestbook", "there is no kind 'Guestbook'"),
        ("my/v1", "Guestbook", "there is no kind 'Guestbook'"),
    ],
)
def test_a_misspelt_group_or_kind_is_not_taken_for_somebodys_own(api_version, kind, words):
    assert words in mistake({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}})


@pytest.mark.parametrize("name", ["../../etc/x", ".", "a/b", "a@b", "A", "-a", "a-", "a.b", "a" * 49])
def test_a_cluster_is_called_as_a_file_may_be_called(name):
    cluster = {"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": {"name": name}}
    assert "metadata.name: a cluster is called by at most 48 of a-z, 0-9 and '-', not" in mistake(cluster)
    assert read({**cluster, "metadata": {"name": "a" * 48}}).of(clusters.Cluster)


def test_a_cluster_pushes_or_pulls():
    cluster = {"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "c"}}
    assert "did you mean 'Pull'?" in mistake({**cluster, "spec": {"syncMode": "Pul"}})


def test_what_one_part_of_the_control_plane_reads_another_passes_over():
    manifests = parse_manifests(yaml.safe_dump(POLICY), kinds=SCHEDULING)
    assert manifests.passed_over == {"PropagationPolicy": "manifest"}
