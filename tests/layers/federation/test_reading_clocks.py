"""Replicas by the clock: which rule holds at a moment, over workloads and over the bounds of autoscalers."""

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import FEDERATION, parse_manifests
from skyedge.layers.federation.governing import govern
from skyedge.layers.federation.reading import read_federation
from skyedge.time import SECOND, parse_utc

CLUSTER = {
    "apiVersion": "cluster.karmada.io/v1alpha1",
    "kind": "Cluster",
    "metadata": {"name": "a"},
    "status": {"resourceSummary": {"allocatable": {"cpu": "99", "pods": "99"}}},
}
CONTAINER = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {"replicas": 3, "template": {"spec": {"containers": [CONTAINER]}}},
}
POLICY = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "ClusterPropagationPolicy",
    "metadata": {"name": "p"},
    "spec": {
        "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "placement": {"replicaScheduling": {"weightPreference": {"dynamicWeight": "AvailableReplicas"}}},
    },
}
AUTOSCALER = {
    "apiVersion": "autoscaling.karmada.io/v1alpha1",
    "kind": "FederatedHPA",
    "metadata": {"name": "web-hpa", "annotations": {"skyedge.io/measured-cpu": "a=80"}},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 9},
}
BINDING = {
    "apiVersion": "work.karmada.io/v1alpha2",
    "kind": "ResourceBinding",
    "metadata": {"name": "web-deployment", "namespace": "default"},
    "spec": {
        "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "default"},
        "clusters": [{"name": "a", "replicas": 3}],
    },
}


def clock(*rules, kind="Deployment", target="web", name="cron"):
    named = [{"name": f"rule-{number}", **rule} for number, rule in enumerate(rules)]
    return {
        "apiVersion": "autoscaling.karmada.io/v1alpha1",
        "kind": "CronFederatedHPA",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"kind": kind, "name": target}, "rules": named},
    }


def read(*given, at="2026-01-07T12:00:00Z"):
    manifests = parse_manifests(yaml.safe_dump_all([CLUSTER, WEB, POLICY, *given]), kinds=FEDERATION)
    return read_federation(manifests, None if at is None else parse_utc(at) / SECOND)


def replicas(*given, at="2026-01-07T12:00:00Z"):
    return govern(read(*given, at=at)).placements.of(0)["a"]


DAY_AND_NIGHT = clock({"schedule": "0 8 * * *", "targetReplicas": 9}, {"schedule": "0 20 * * *", "targetReplicas": 2})


@pytest.mark.parametrize(
    ("time", "expected"),
    [("07:59:59", 2), ("08:00:00", 9), ("19:59:00", 9), ("20:00:00", 2), ("23:00:00", 2)],
)
def test_the_rule_that_fired_last_says_how_many(time, expected):
    at = f"2026-01-07T{time}Z"
    assert replicas(DAY_AND_NIGHT, at=at) == expected
    (said,) = govern(read(DAY_AND_NIGHT, at=at)).scaled
    assert (said.scaler, said.before, said.after) == ("default/cron", 3, expected)
    assert "its rule 'rule-" in said.why


def test_a_rule_that_is_suspended_or_never_fires_says_nothing():
    suspended = clock({"schedule": "0 8 * * *", "targetReplicas": 9, "suspend": True})
    never = clock({"schedule": "0 0 31 2 *", "targetReplicas": 9})
    assert replicas(suspended) == replicas(never) == 3


def test_a_rule_has_its_own_time_zone():
    there = clock({"schedule": "0 19 * * *", "targetReplicas": 9, "timeZone": "Asia/Manila"})
    before = clock({"schedule": "0 19 * * *", "targetReplicas": 9}, {"schedule": "30 11 * * *", "targetReplicas": 5})
    assert replicas(there) == 9
    assert replicas(before) == 5


def test_of_two_clocks_the_one_that_fired_last_is_obeyed():
    early = clock({"schedule": "0 9 * * *", "targetReplicas": 9}, name="z-early")
    late = clock({"schedule": "0 10 * * *", "targetReplicas": 5}, name="a-late")
    assert replicas(early, late) == replicas(late, early) == 5


def test_bounds_of_an_autoscaler_are_set_one_by_one_and_hold_what_is_measured_between_them():
    assert replicas(AUTOSCALER, BINDING) == 3
    rules = [{"schedule": "0 8 * * *", "targetMinReplicas": 6}, {"schedule": "0 9 * * *", "targetMaxReplicas": 7}]
    assert replicas(AUTOSCALER, BINDING, clock(*rules, kind="FederatedHPA", target="web-hpa")) == 6
    lower = {"schedule": "0 10 * * *", "targetMinReplicas": 1, "targetMaxReplicas": 2}
    assert replicas(AUTOSCALER, BINDING, clock(*rules, lower, kind="FederatedHPA", target="web-hpa")) == 2


def test_of_two_clocks_of_an_autoscaler_the_one_that_fired_last_sets_a_bound():
    of_it = {"kind": "FederatedHPA", "target": "web-hpa"}
    early = clock({"schedule": "0 9 * * *", "targetMinReplicas": 8, "targetMaxReplicas": 8}, name="z-early", **of_it)
    late = clock({"schedule": "0 10 * * *", "targetMinReplicas": 6}, name="a-late", **of_it)
    assert replicas(AUTOSCALER, BINDING, early, late) == replicas(AUTOSCALER, BINDING, late, early) == 6


def test_bounds_of_two_clocks_that_cannot_be_together_are_refused_and_both_are_named():
    of_it = {"kind": "FederatedHPA", "target": "web-hpa"}
    least = clock({"schedule": "0 9 * * *", "targetMinReplicas": 8}, name="least", **of_it)
    most = clock({"schedule": "0 10 * * *", "targetMaxReplicas": 7}, name="most", **of_it)
    said = "'default/least' and 'default/most' want at least 8 and at most 7, which cannot be"
    assert said in " ".join(read(AUTOSCALER, BINDING, least, most).warnings)
    assert replicas(AUTOSCALER, BINDING, least, most) == 3


def test_bounds_that_cannot_be_are_refused_and_it_is_said():
    cannot = clock({"schedule": "0 8 * * *", "targetMinReplicas": 10}, kind="FederatedHPA", target="web-hpa")
    assert replicas(AUTOSCALER, BINDING, cannot) == 3
    assert "at least 10 and at most 9, which cannot be" in " ".join(read(AUTOSCALER, BINDING, cannot).warnings)


def test_without_a_now_nothing_is_scaled_and_it_is_said():
    assert replicas(DAY_AND_NIGHT, at=None) == 3
    assert "nothing says when now is (--at), so 'cron' scales nothing" in " ".join(read(DAY_AND_NIGHT, at=None).warnings)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"schedule": "0 25 * * *", "targetReplicas": 1}, "spec.rules[0].schedule: the hour is from 0 to 23, not 25"),
        ({"schedule": "@dialy", "targetReplicas": 1}, "spec.rules[0].schedule: there is no schedule '@dialy' (did you"),
        ({"schedule": "0 8 * * *", "targetReplicas": 1, "timeZone": "Asia/Manilla"}, "did you mean 'Asia/Manila'?"),
        ({"schedule": "0 8 * * *", "targetMinReplicas": 1}, "'targetReplicas' is missing, as a Deployment is scaled"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_told_with_its_place(rule, words):
    with pytest.raises(InputError) as caught:
        read(clock(rule))
    assert words in str(caught.value)
