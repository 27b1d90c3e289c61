"""Flagger's Canary is read as strictly as all other kinds: what it can say, and what cannot be meant."""

import copy

import pytest
import yaml

from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.kube.flagger import Canary

CANARY = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"name": "shop", "namespace": "n"},
    "spec": {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "service": {"port": 80, "targetPort": "http"},
        "analysis": {
            "interval": "1m",
            "threshold": 5,
            "maxWeight": 50,
            "stepWeight": 10,
            "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}],
        },
    },
}


def read(given, **options):
    return parse_manifests(yaml.safe_dump(given), file="f.yaml", kinds=MESH, **options)


def changed(path, value):
    """The canary with one thing otherwise; None leaves it out."""
    given = copy.deepcopy(CANARY)
    place = given
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return given


def test_what_is_modelled_is_there_and_nothing_is_said_of_it():
    manifests = read(CANARY, strict=True)
    (canary,) = manifests.of(Canary)
    spec = canary.object.spec
    assert (spec.target_ref.name, spec.service.port, spec.service.target_port) == ("shop", 80, "http")
    assert (spec.analysis.step_weight, spec.analysis.metrics[0].threshold_range.min) == (10, 99)
    assert not manifests.warnings()


def test_hooks_and_alerts_are_named_once_as_not_modelled():
    analysis = CANARY["spec"]["analysis"] | {"webhooks": [{"name": "load", "url": "http://x"}], "alerts": [{"name": "a"}]}
    (warning,) = read(changed(("spec", "analysis"), analysis)).warnings()
    assert "spec.analysis.alerts, spec.analysis.webhooks" in warning


@pytest.mark.parametrize(
    ("path", "value", "where", "words"),
    [
        (("spec", "analysis", "stepWeigth"), 5, "spec.analysis.stepWeigth", "did you mean 'stepWeight'"),
        (("spec", "analysis", "stepWeight"), 0, "spec.analysis", "is needed, and above zero"),
        (("spec", "analysis", "stepWeight"), 101, "spec.analysis.stepWeight", "101 is more than 100"),
        (("spec", "analysis", "stepWeights"), [20, 10], "spec.analysis.stepWeights[1]", "must rise"),
        (("spec", "analysis", "interval"), "1", "spec.analysis.interval", "no duration"),
        (("spec", "analysis", "interval"), 30, "spec.analysis.interval", "no duration"),
        (("spec", "analysis", "match"), [{"uri": {"prefix": "/a"}}], "spec.analysis.match", "needs iterations"),
        (("spec", "analysis", "metrics", 0, "thresholdRange"), None, "spec.analysis.metrics[0]", "is missing"),
        (
            ("spec", "analysis", "metrics", 0, "thresholdRange"),
            {"min": 9, "max": 3},
            "spec.analysis.metrics[0].thresholdRange.max",
            "below the least",
        ),
        (("spec", "targetRef", "kind"), "Deploymnt", "spec.targetRef.kind", "did you mean 'Deployment'"),
        (("spec", "service", "port"), 0, "spec.service.port", "less than 1"),
        (("spec", "analysis"), None, "spec", "'analysis' is missing"),
        (("apiVersion",), "flagger.app/v1", "apiVersion", "did you mean 'flagger.app/v1beta1'"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(path, value, where, words):
    with pytest.raises(InputError) as error:
        read(changed(path, value))
    assert words in str(error.value)
    assert error.value.where.endswith(where)
    assert "\n" not in str(error.value)
