"""The policy centre: what every cluster and every manifest must satisfy, and who does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.federation.policy import Resource, ResourceSelector
from skyedge.layers.federation.policy_centre import (
    Condition,
    Rule,
    cluster_violations,
    follow,
    resource_violations,
    steps,
)

POD = {
    "metadata": {"labels": {"app.kubernetes.io/name": "big", "tier": "1"}},
    "spec": {
        "replicas": 3,
        "paused": False,
        "containers": [{"image": "eo.io/a:1"}, {"image": "docker.io/b:2", "tty": True}],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("metadata.labels[app.kubernetes.io/name]", ["big"]),
        ("spec.containers[*].image", ["eo.io/a:1", "docker.io/b:2"]),
        ("spec.containers[1].image", ["docker.io/b:2"]),
        ("spec.containers[*].tty", [None, True]),
        ("spec.containers[7].image", [None]),
        ("spec.nothing.at.all", [None]),
        ("metadata.labels.*", ["big", "1"]),
        ("spec.replicas", [3]),
    ],
)
def test_a_path_leads_to_values_and_to_nothing_where_there_is_none(path, found):
    assert list(follow(POD, steps(path))) == found


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a]b", "a[b]c"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InputError, match="no path"):
        steps(path)


@pytest.mark.parametrize(
    ("condition", "broken"),
    [
        (Condition("metadata.labels.tier", "Exists"), None),
        (Condition("metadata.labels.owner", "Exists"), "metadata.labels.owner is missing"),
        (Condition("metadata.labels.owner", "DoesNotExist"), None),
        (Condition("metadata.labels.tier", "DoesNotExist"), "metadata.labels.tier is there: '1'"),
        (Condition("metadata.labels.tier", "In", ("1", "2")), None),
        (Condition("metadata.labels.tier", "In", ("2", "3")), "metadata.labels.tier is '1', not 2 or 3"),
        (Condition("metadata.labels.owner", "NotIn", ("x",)), None),
        (Condition("spec.containers[*].image", "Matches", (r"eo\.io/.*",)), "'docker.io/b:2', which does not match"),
        (Condition("spec.containers[*].tty", "NotIn", ("true",)), "spec.containers[*].tty is 'true'"),
        (Condition("spec.containers[*].tty", "In", ("true",)), "is missing"),
        (Condition("spec.replicas", "AtLeast", ("2",)), None),
        (Condition("spec.replicas", "AtMost", ("2",)), "spec.replicas is '3', more than 2"),
        (Condition("spec.paused", "In", ("false",)), None),
        (Condition("metadata.labels", "In", ("x",)), "is a mapping"),
    ],
)
def test_a_condition_holds_or_says_what_is_wrong(condition, broken):
    said = condition.broken_by(POD)
    assert (said is None) == (broken is None)
    assert broken is None or broken in said


@pytest.mark.parametrize(
    ("operator", "values", "says"),
    [
        ("Exits", (), "no operator 'Exits'"),
        ("Exists", ("x",), "no values"),
        ("In", (), "at least one value"),
        ("AtMost", ("many",), "a number"),
        ("Matches", ("(",), "not a regular expression"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(operator, values, says):
    with pytest.raises(InputError, match=says):
        Condition("a", operator, values)


NORTH, SOUTH = Cluster("north", region="eu-north"), Cluster("south", region="eu-south")
DEPLOYMENT = Resource("Deployment", "big", "eo", "apps/v1")


def test_rules_of_clusters_look_at_those_that_they_are_for():
    owned = Rule("owned", (Condition("metadata.labels.owner", "Exists"),), message="whose is it?", enforced=True)
    only_north = Rule("n", owned.conditions, ClusterAffinity(cluster_names=("north",)))
    data = [(NORTH, {"metadata": {}}), (SOUTH, {"metadata": {"labels": {"owner": "me"}}})]
    found = cluster_violations([owned, only_north], data)
    assert [(one.rule, one.cluster, one.enforced) for one in found] == [("owned", "north", True), ("n", "north", False)]
    assert found[0].what == "whose is it?: metadata.labels.owner is missing"
    assert resource_violations([owned], [(NORTH, DEPLOYMENT, {})]) == []


def test_rules_of_resources_look_at_what_goes_to_the_cluster():
    mirror = Rule(
        "mirror",
        (Condition("spec.image", "Matches", (r"eo\.io/.*",)),),
        ClusterAffinity(cluster_names=("south",)),
        (ResourceSelector("Deployment", "apps/v1"),),
    )
    placed = [(cluster, DEPLOYMENT, {"spec": {"image": "docker.io/x"}}) for cluster in (NORTH, SOUTH)]
    found = resource_violations([mirror], [*placed, (SOUTH, Resource("Job", "j", "eo", "batch/v1"), {})])
    assert [(one.cluster, one.resource) for one in found] == [("south", "Deployment eo/big")]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab"), inner),
    )
)
def test_in_and_not_in_are_opposites_wherever_there_is_one_value(data):
    value = list(follow(data, steps("a.b")))
    inside, outside = (Condition("a.b", operator, ("1",)).broken_by(data) for operator in ("In", "NotIn"))
    if value != [None]:
        assert (inside is None) != (outside is None)
    else:
        assert (inside, outside) == ("a.b is missing", None)
