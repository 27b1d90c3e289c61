"""The rules that deciders follow are what a policy says: affinities, tolerations, spread, division, scores."""

import pytest

from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.objects import Toleration
from tests.layers.federation.written_federations import WELL, cluster, deployment, mistake, policy, read


def test_the_rules_of_a_policy_are_what_it_says():
    placement = {
        "clusterAffinities": [
            {
                "affinityName": "near",
                "clusterNames": ["a"],
                "overflowAffinities": [{"affinityName": "far", "clusterNames": ["b"]}],
            }
        ],
        "clusterTolerations": [{"key": "t", "operator": "Exists", "tolerationSeconds": -3}],
        "spreadConstraints": [{"maxGroups": 2}],
        "replicaScheduling": {"weightPreference": {"dynamicWeight": "AvailableReplicas"}},
    }
    annotations = {"skyedge.io/scores": "carbon=2,locality=1", "skyedge.io/weigh-by-score": "true"}
    (one,) = read(
        cluster("a"), cluster("b"), deployment("d"), policy("p", placement=placement, annotations=annotations)
    ).selected
    rules = one.workload.rules
    assert [group.name for group in rules.groups] == ["near"]
    assert rules.groups[0].overflow[0].cluster_names == ("b",)
    assert rules.tolerations == (Toleration("t", "Exists", toleration_s=0),)
    assert (rules.strategy, rules.weigh_by_score) == (Strategy.DYNAMIC_WEIGHT, True)
    assert rules.scores == {"carbon": 2, "locality": 1}
    assert (rules.spread[0].field, rules.spread[0].min_groups, rules.spread[0].max_groups) == ("cluster", 1, 2)


@pytest.mark.parametrize(
    ("scheduling", "strategy"),
    [
        (None, Strategy.DUPLICATED),
        ({"replicaSchedulingType": "Duplicated"}, Strategy.DUPLICATED),
        ({}, Strategy.STATIC_WEIGHT),
        ({"weightPreference": {"staticWeightList": [{"targetCluster": {}, "weight": 1}]}}, Strategy.STATIC_WEIGHT),
        ({"replicaDivisionPreference": "Aggregated"}, Strategy.AGGREGATED),
    ],
)
def test_how_replicas_are_divided(scheduling, strategy):
    placement = {} if scheduling is None else {"replicaScheduling": scheduling}
    (one,) = read(*WELL[:3], policy("p", placement=placement)).selected
    assert one.workload.rules.strategy is strategy


def test_a_misspelt_score_and_one_that_divides_nothing_are_errors():
    assert "(did you mean 'carbon'?)" in mistake(*WELL[:3], policy("p", annotations={"skyedge.io/scores": "carbn=1"}))
    assert "all zero" in mistake(*WELL[:3], policy("p", annotations={"skyedge.io/scores": "carbon=0"}))
    assert "dynamicWeight" in mistake(*WELL[:3], policy("p", annotations={"skyedge.io/weigh-by-score": "true"}))
