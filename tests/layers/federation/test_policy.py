"""Which policy speaks, and in which order overrides apply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.federation.policy import (
    Closeness,
    OverridePolicy,
    OverrideRule,
    PropagationPolicy,
    Resource,
    ResourceSelector,
    choose_policy,
    closeness,
    overrides_in_order,
)

NGINX = Resource("Deployment", "nginx", "web", "apps/v1", {"app": "nginx"})
ALL = ResourceSelector("Deployment", "apps/v1")
LABELLED = ResourceSelector("Deployment", "apps/v1", match_labels={"app": "nginx"})
NAMED = ResourceSelector("Deployment", "apps/v1", "nginx")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (ALL, Closeness.KIND),
        (LABELLED, Closeness.LABELS),
        (NAMED, Closeness.NAME),
        (ResourceSelector("Deployment", "apps/v1", "nginx", match_labels={"app": "other"}), Closeness.NAME),
        (ResourceSelector("Deployment", "apps/v1", "other"), Closeness.NONE),
        (ResourceSelector("Deployment", "apps/v1", match_labels={"app": "other"}), Closeness.NONE),
        (ResourceSelector("Job", "batch/v1"), Closeness.NONE),
        (ResourceSelector("Deployment", "apps/v1", namespace="other"), Closeness.NONE),
    ],
)
def test_a_selector_comes_as_close_as_what_it_names(selector, expected):
    assert closeness(selector, NGINX) is expected


POLICIES = st.lists(
    st.builds(
        PropagationPolicy,
        st.sampled_from("abcde"),
        st.sampled_from([(ALL,), (LABELLED,), (NAMED,), (ALL, NAMED)]),
        st.sampled_from(["", "web", "other"]),
        st.integers(-1, 1),
    ),
    max_size=5,
)


@given(POLICIES)
def test_the_policy_that_speaks_is_beaten_by_no_other(policies):
    chosen = choose_policy(NGINX, policies)
    may_speak = [policy for policy in policies if policy.namespace != "other"]
    assert (chosen is None) == (not may_speak)
    for other in may_speak:

        def standing(policy):
            return (policy.namespace == "web", policy.priority, max(closeness(one, NGINX) for one in policy.selectors))

        assert standing(other) <= standing(chosen)
        assert standing(other) < standing(chosen) or chosen.name <= other.name


def test_the_closest_override_of_the_namespace_comes_last():
    def policy(name, selectors, namespace=""):
        return OverridePolicy(name, (OverrideRule(name),), selectors, namespace)

    policies = [
        policy("d", (NAMED,)),
        policy("c", (ALL,), "web"),
        policy("b", ()),
        policy("a", (LABELLED,)),
        policy("e", (ALL,), "other"),
    ]
    got = [change for _, change in overrides_in_order(NGINX, Cluster("earth"), policies)]
    assert got == ["b", "a", "d", "c"]
    assert [change for _, change in overrides_in_order(NGINX, Cluster("earth"), policies[::-1])] == got


def test_rules_for_other_clusters_are_passed_over():
    rules = (OverrideRule(1, ClusterAffinity(("moon",))), OverrideRule(2), OverrideRule(3, ClusterAffinity(("earth",))))
    got = overrides_in_order(NGINX, Cluster("earth"), [OverridePolicy("p", rules)])
    assert got == [("p", 2), ("p", 3)]
