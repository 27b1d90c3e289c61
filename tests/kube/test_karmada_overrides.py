"""Overrides that can never be made are refused when they are read, with the place."""

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import FEDERATION, parse_manifests

POLICY = {
    "apiVersion": "policy.karmada.io/v1alpha1",
    "kind": "PropagationPolicy",
    "metadata": {"name": "p", "namespace": "n"},
}


def read(manifest):
    return parse_manifests(yaml.safe_dump(manifest), file="f.yaml", kinds=FEDERATION)


def mistake(manifest):
    with pytest.raises(InputError) as error:
        read(manifest)
    return str(error.value)


def override(*, name="OverridePolicy", namespace="n", selectors=(), **overriders):
    spec = {"resourceSelectors": list(selectors), "overrideRules": [{"overriders": overriders}]}
    return {**POLICY, "kind": name, "metadata": {"name": "o", "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize(
    ("overriders", "words"),
    [
        (
            {"labelsOverrider": [{"operator": "add", "value": {"a~b": "c"}}]},
            "labelsOverrider[0].value.a~b: 'a~b' is no name",
        ),
        ({"labelsOverrider": [{"operator": "add", "value": {"a": "c d"}}]}, "'c d' is no value of a label"),
        ({"annotationsOverrider": [{"operator": "add", "value": {"a b": "c"}}]}, "'a b' is no name of a label"),
        ({"fieldOverrider": [{"fieldPath": "data/x"}]}, "fieldPath: 'data/x' should start with '/'"),
        (
            {"fieldOverrider": [{"fieldPath": "/data/x", "json": [{"subPath": "a", "operator": "remove"}]}]},
            "json[0].subPath: 'a' should start with '/'",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/data/x", "yaml": [{"subPath": "/a", "operator": "add"}]}]},
            "yaml[0].value: 'add' needs a value",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/data/x", "yaml": [{"subPath": "/a", "operator": "remove", "value": 1}]}]},
            "yaml[0].value: 'remove' takes no value",
        ),
    ],
)
def test_an_override_that_can_never_be_made_is_refused(overriders, words):
    assert words in mistake(override(**overriders))
    assert read(override(annotationsOverrider=[{"operator": "add", "value": {"Example.com/a": "any text"}}]))


def test_a_policy_of_a_namespace_selects_nothing_of_another():
    elsewhere = [{"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "m"}]
    words = "spec.resourceSelectors[0].namespace: a policy of the namespace 'n' selects nothing of 'm'"
    assert words in mistake(override(selectors=elsewhere))
    assert words in mistake({**POLICY, "spec": {"resourceSelectors": elsewhere}})
    assert read(override(selectors=elsewhere, namespace="m"))
    assert read(override(selectors=elsewhere, name="ClusterOverridePolicy"))
    assert read({**POLICY, "kind": "ClusterPropagationPolicy", "spec": {"resourceSelectors": elsewhere}})
