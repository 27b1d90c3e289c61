"""What `kubectl get … -o json` prints of a Karmada control plane runs through `skyedge federate` without a word."""

import json

import pytest

MADE, PLACED, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"
ENDLESS = "9223372036854775807"


def kept_by_the_api(name, namespace="", **more):
    """Metadata with all that an API server writes there."""
    metadata = {"name": name, "creationTimestamp": MADE, "generation": 2, "resourceVersion": "77", "uid": f"uid-{name}"}
    metadata |= {"managedFields": [{"manager": "kubectl"}], "finalizers": ["karmada.io/controller"], **more}
    return metadata | ({"namespace": namespace} if namespace else {})


def condition(kind, status="True"):
    words = {"reason": "Because", "message": "so it is", "lastTransitionTime": MADE, "observedGeneration": 2}
    return {"type": kind, "status": status, **words}


def cluster(name, mode):
    grades = [("0", "1", "0", "4Gi"), ("1", "2", "4Gi", "16Gi"), ("2", ENDLESS, "16Gi", ENDLESS)]
    return {
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster",
        "metadata": kept_by_the_api(name),
        "spec": {
            "apiEndpoint": "https://172.18.0.3:6443",
            "id": "3a2c",
            "impersonatorSecretRef": {"name": f"{name}-impersonator", "namespace": "karmada-cluster"},
            "insecureSkipTLSVerification": True,
            "proxyURL": "http://proxy:3128",
            "secretRef": {"name": name, "namespace": "karmada-cluster"},
            "syncMode": mode,
            "resourceModels": [
                {
                    "grade": grade,
                    "ranges": [
                        {"name": "cpu", "min": least, "max": most},
                        {"name": "memory", "min": least_bytes, "max": most_bytes},
                    ],
                }
                for grade, (least, most, least_bytes, most_bytes) in enumerate(grades)
            ],
        },
        "status": {
            "apiEnablements": [{"groupVersion": "apps/v1", "resources": [{"kind": "Deployment", "name": "deployments"}]}],
            "conditions": [condition("Ready"), condition("CompleteAPIEnablements")],
            "kubernetesVersion": "v1.31.2",
            "nodeSummary": {"readyNum": 2, "totalNum": 2},
            "resourceSummary": {
                "allocatable": {"cpu": "8", "ephemeral-storage": "203056560Ki", "memory": "32Gi", "pods": "220"},
                "allocatableModelings": [{"grade": 0, "count": 0}, {"grade": 1, "count": 0}, {"grade": 2, "count": 2}],
                "allocated": {"cpu": "950m", "memory": "290Mi", "pods": "9"},
            },
        },
    }


REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nginx", "namespace": "default"}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": kept_by_the_api("nginx", "default", labels={"propagationpolicy.karmada.io/permanent-id": "1"}),
    "spec": {
        "progressDeadlineSeconds": 600,
        "replicas": 2,
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": {"app": "nginx"}},
        "strategy": {"type": "RollingUpdate"},
        "template": {
            "metadata": {"creationTimestamp": None, "labels": {"app": "nginx"}},
            "spec": {
                "containers": [{"image": "nginx", "name": "nginx", "resources": {"requests": {"cpu": "100m"}}}],
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
            },
        },
    },
    "status": {"observedGeneration": 2, "replicas": 2},
}
TOLERATIONS = [
    {"key": f"cluster.karmada.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]
PLACEMENT = {
    "clusterAffinity": {"clusterNames": ["member1", "member2"]},
    "clusterTolerations": TOLERATIONS,
    "replicaScheduling": {
        "replicaDivisionPreference": "Weighted",
        "replicaSchedulingType": "Divided",
        "weightPreference": {"dynamicWeight": "AvailableReplicas"},
    },
}
FILLED_IN = {"conflictResolution": "Abort", "schedulerName": "default-scheduler", "propagateDeps": True}
POLICY = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "PropagationPolicy",
    "metadata": kept_by_the_api("nginx", "default"),
    "spec": {"placement": PLACEMENT, "preemption": "Never", "priority": 0, "resourceSelectors": [REFERENCE], **FILLED_IN},
}
BINDING = {
    "apiVersion": "work.karmada.io/v1alpha2",
    "kind": "ResourceBinding",
    "metadata": kept_by_the_api("nginx-deployment", "default", ownerReferences=[{**REFERENCE, "controller": True}]),
    "spec": {
        "clusters": [{"name": "member1", "replicas": 1}, {"name": "member2", "replicas": 1}],
        "gracefulEvictionTasks": [
            {
                "fromCluster": "member3",
                "reason": "TaintUntolerated",
                "message": "it had to",
                "producer": "TaintManager",
                "replicas": 1,
                "purgeMode": "Gracefully",
                "clustersBeforeFailover": ["member3"],
                "gracePeriodSeconds": 600,
                "creationTimestamp": MADE,
            }
        ],
        "placement": PLACEMENT,
        "replicaRequirements": {"namespace": "default", "resourceRequest": {"cpu": "100m"}},
        "replicas": 2,
        "requiredBy": [{"namespace": "default", "name": "other"}],
        "rescheduleTriggeredAt": MADE,
        "resource": {**REFERENCE, "resourceVersion": "77", "uid": "uid-nginx"},
        **FILLED_IN,
    },
    "status": {
        "aggregatedStatus": [{"applied": True, "clusterName": "member1", "health": "Healthy", "status": {"replicas": 1}}],
        "conditions": [condition("Scheduled"), condition("FullyApplied")],
        "lastScheduledTime": PLACED,
        "schedulerObservedGeneration": 2,
    },
}
REBALANCER = {
    "apiVersion": "apps.karmada.io/v1alpha1",
    "kind": "WorkloadRebalancer",
    "metadata": kept_by_the_api("again"),
    "spec": {"workloads": [REFERENCE], "ttlSecondsAfterFinished": 60},
    "status": {"finishTime": MADE, "observedWorkloads": [{"result": "Successful", "workload": REFERENCE}]},
}
QUOTA = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "FederatedResourceQuota",
    "metadata": kept_by_the_api("quota", "default"),
    "spec": {"overall": {"cpu": "100"}},
    "status": {
        "overall": {"cpu": "100"},
        "overallUsed": {"cpu": "200m"},
        "aggregatedStatus": [{"clusterName": "member1", "hard": {"cpu": "5"}, "used": {"cpu": "100m"}}],
    },
}
CLOCK = {
    "apiVersion": "autoscaling.karmada.io/v1alpha1",
    "kind": "CronFederatedHPA",
    "metadata": kept_by_the_api("morning", "default"),
    "spec": {
        "rules": [
            {
                "name": "up",
                "schedule": "30 08 * * *",
                "targetReplicas": 3,
                "suspend": False,
                "successfulHistoryLimit": 3,
                "failedHistoryLimit": 3,
            }
        ],
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nginx"},
    },
    "status": {"executionHistories": [{"ruleName": "up", "nextExecutionTime": NOW}]},
}
TAINTER = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "ClusterTaintPolicy",
    "metadata": kept_by_the_api("down"),
    "spec": {
        "addOnConditions": [{"conditionType": "Ready", "operator": "NotIn", "statusValues": ["True"]}],
        "removeOnConditions": [{"conditionType": "Ready", "operator": "In", "statusValues": ["True"]}],
        "taints": [{"key": "down", "effect": "NoExecute"}],
    },
}
ITEMS = [
    *(cluster(name, mode) for name, mode in (("member1", "Push"), ("member2", "Push"), ("member3", "Pull"))),
    *(DEPLOYMENT, POLICY, BINDING, REBALANCER, QUOTA, CLOCK, TAINTER),
]


@pytest.mark.parametrize("more", [(), ("--fail", "member2"), ("--drain", "member1"), ("--explain",)])
def test_a_dump_is_decided_without_a_warning(skyedge, tmp_path, more):
    dump = {"apiVersion": "v1", "kind": "List", "items": ITEMS, "metadata": {"resourceVersion": ""}}
    (tmp_path / "dump.json").write_text(json.dumps(dump, indent=4))
    out, err, code = skyedge("federate", "dump.json", "--at", NOW, "--strict", "-o", "json", *more)
    assert (code, err) == (0, "")
    decision = json.loads(out)
    assert decision["warnings"] == []
    (placed,) = decision["placed"]
    assert placed["resource"] == "Deployment default/nginx"
    # It grows from two to three, and what runs stays: the rebalancer was answered before.
    assert placed["clusters"] == {"member1": 2, "member2": 1}
