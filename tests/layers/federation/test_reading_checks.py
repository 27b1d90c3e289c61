"""What an author should know of manifests is said at once, with its place, and of those in order nothing is."""

import pytest

from skyedge.errors import InputError
from tests.layers.federation.written_federations import WELL, cluster, deployment, mistake, override, policy, read, warnings


def test_files_in_which_nothing_is_amiss_say_nothing():
    assert warnings(*WELL) == ()


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        (
            (*WELL, policy("q", selector={"name": "nobody"})),
            "spec.resourceSelectors",
            "selects nothing that is in the files",
        ),
        (
            (*WELL, policy("q")),
            "spec.priority",
            "as closely and with the same priority as PropagationPolicy 'n/p', which speaks",
        ),
        ((*WELL, policy("q", None)), "spec.resourceSelectors", "speaks for nothing"),
        ((*WELL, deployment("e", namespace="m")), "", "no policy selects Deployment 'm/e', so it runs nowhere"),
        (
            (*WELL[:3], policy("p", placement={"clusterAffinity": {"clusterNames": ["aa"]}})),
            "spec.placement.clusterAffinity.clusterNames[0]",
            "there is no cluster 'aa' (did you mean 'a'?)",
        ),
        (
            (*WELL[:3], policy("p", placement={"clusterAffinity": {"labelSelector": {"matchLabels": {"x": "y"}}}})),
            "spec.placement.clusterAffinity",
            "no cluster meets this affinity",
        ),
        (
            (*WELL[:3], policy("p", placement={"spreadConstraints": [{"minGroups": 3}]})),
            "spec.placement.spreadConstraints[0].minGroups",
            "at least 3 clusters are wanted, and the affinity meets 2",
        ),
        (
            (*WELL[:3], policy("p", placement={"spreadConstraints": [{}, {"spreadByField": "region", "minGroups": 3}]})),
            "spec.placement.spreadConstraints[1].minGroups",
            "at least 3 regions are wanted, and the affinity meets 2",
        ),
        (
            (
                *WELL[:3],
                policy(
                    "p",
                    placement={
                        "replicaScheduling": {
                            "weightPreference": {
                                "staticWeightList": [{"targetCluster": {"clusterNames": ["x"]}, "weight": 2}]
                            }
                        }
                    },
                ),
            ),
            "staticWeightList[0].targetCluster.clusterNames[0]",
            "there is no cluster 'x'",
        ),
        (
            (
                *WELL,
                override(
                    "o", overrideRules=[{"targetCluster": {"clusterNames": ["a"], "exclude": ["a"]}, "overriders": {}}]
                ),
            ),
            "spec.overrideRules[0].targetCluster",
            "no cluster is met",
        ),
        (
            (
                *WELL,
                override(
                    "o", resourceSelectors=[{"apiVersion": "v1", "kind": "Secret"}], overrideRules=[{"overriders": {}}]
                ),
            ),
            "spec.resourceSelectors",
            "selects nothing that is in the files",
        ),
        ((*WELL, override("o")), "spec", "has no rules"),
        (
            (*WELL[:3], policy("p", placement={"spreadConstraints": [{}], "replicaScheduling": {}})),
            "spec.placement.spreadConstraints",
            "static weights look at no spread constraints",
        ),
        (
            (*WELL[:3], policy("p", dependentOverrides=["o"])),
            "spec.dependentOverrides[0]",
            "there is no override policy 'o'",
        ),
        (
            (
                *WELL,
                {
                    "apiVersion": "autoscaling.karmada.io/v1alpha1",
                    "kind": "FederatedHPA",
                    "metadata": {"name": "h", "namespace": "n"},
                    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "e"}, "maxReplicas": 3},
                },
            ),
            "spec.scaleTargetRef",
            "scales the Deployment 'e', which is not in the files",
        ),
        (
            (
                *WELL,
                {
                    "apiVersion": "policy.karmada.io/v1alpha1",
                    "kind": "FederatedResourceQuota",
                    "metadata": {"name": "q", "namespace": "m"},
                    "spec": {"overall": {"cpu": 1}},
                },
            ),
            "metadata.namespace",
            "bounds nothing",
        ),
        (
            (
                *WELL[:2],
                deployment("d", nodeSelector={"disk": "ssd"}),
                policy("p", placement={"replicaScheduling": {"replicaDivisionPreference": "Aggregated"}}),
            ),
            "",
            "nothing says what nodes these have: a, b",
        ),
    ],
)
def test_it_is_said_at_once(given, path, words):
    said = warnings(*given)
    assert any(words in sentence and path in sentence for sentence in said), said
    assert all(sentence.startswith("f.yaml:") and "\n" not in sentence for sentence in said)


def test_what_cannot_be_meant_is_an_error():
    assert "there is a cluster 'a' already" in mistake(*WELL, cluster("a"))
    assert "there is a Deployment 'n/d' already" in mistake(*WELL, deployment("d"))
    assert "there is PropagationPolicy 'n/p' already" in mistake(*WELL, policy("p"))
    with pytest.raises(InputError, match="nowhere to go"):
        read(deployment("d"), policy("p"))
