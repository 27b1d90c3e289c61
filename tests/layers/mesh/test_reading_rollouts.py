"""A Canary becomes a service with the old, the new and the promoted version as subsets, whatever else is in the files."""

import pytest

from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.objects import Caller
from skyedge.layers.mesh.reading import read_behaviours, read_mesh
from skyedge.layers.mesh.reading.rollouts import read_rollout
from skyedge.layers.mesh.rollout import Phase, Status
from skyedge.resources import folder

GOOD = (folder("experiments") / "manifests" / "canary" / "good.yaml").read_text()
HOST = "scenes.earth.svc.cluster.local"
WEB = Caller("earth/web", namespace="earth")
OWN_ROUTES = """
---
apiVersion: v1
kind: Service
metadata: {name: scenes, namespace: earth}
spec: {selector: {app: scenes-primary}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mine, namespace: earth}
spec: {hosts: [scenes, other], http: [{route: [{destination: {host: scenes, subset: old}}]}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: scenes, namespace: earth}
spec:
  host: scenes
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}}
  subsets: [{name: old, labels: {app: scenes-primary}}]
"""


def read(text):
    manifests = parse_manifests(text, file="f.yaml", kinds=MESH)
    return manifests, read_rollout(manifests, read_mesh(manifests), "scenes")


def addresses(rollout, version):
    return [one.address for one in rollout.reading.endpoints if one.service == HOST and version in one.labels.values()]


def test_versions_are_subsets_and_the_promoted_one_behaves_as_the_new_one_where_the_old_one_is():
    manifests, rollout = read(GOOD)
    assert addresses(rollout, "primary") == ["10.2.0.11", "10.2.0.12"]
    assert addresses(rollout, "canary") == ["10.2.0.21"]
    behaviours = read_behaviours(manifests, rollout.reading)
    times = {
        version: behaviours.of(HOST, addresses(rollout, version)[0]).service_time.mean_ms
        for version in ("primary", "canary", "promoted")
    }
    assert times == {"primary": 20.0, "canary": 12.0, "promoted": 12.0}
    places = {
        version: [one.locality for one in rollout.reading.endpoints if one.address in addresses(rollout, version)]
        for version in ("primary", "promoted")
    }
    assert places["primary"] == places["promoted"]


@pytest.mark.parametrize(
    ("status", "shares"),
    [
        (Status(Phase.PROGRESSING), {"primary": 0}),
        (Status(Phase.PROGRESSING, weight=30), {"primary": 70, "canary": 30}),
        (Status(Phase.PROMOTING, weight=30), {"promoted": 70, "canary": 30}),
        (Status(Phase.SUCCEEDED), {"promoted": 0}),
        (Status(Phase.FAILED), {"primary": 0}),
    ],
)
def test_routes_go_where_the_rollout_stands(status, shares):
    mesh = read(GOOD)[1].reading_at(status).mesh_for(WEB)
    (virtual,) = (one for one in mesh.virtual_services if HOST in one.hosts)
    assert {to.subset: to.weight for to in virtual.http[0].destinations} == shares


def test_the_canary_counts_before_other_routes_and_rules_keep_their_word():
    _, rollout = read(GOOD + OWN_ROUTES)
    assert any("the routes of the canary count instead" in one for one in rollout.warnings)
    mesh = rollout.reading_at(Status(Phase.PROGRESSING)).mesh_for(WEB)
    assert [one.name for one in mesh.virtual_services if HOST in one.hosts] == ["scenes"]
    assert [one.hosts for one in mesh.virtual_services if one.name == "mine"] == [("other.earth.svc.cluster.local",)]
    (rule,) = (one for one in mesh.rules if one.host == HOST)
    assert rule.policy.outlier.consecutive_5xx_errors == 3
    assert [one.name for one in rule.subsets] == ["old", "primary", "canary", "promoted"]


def test_what_flagger_can_and_this_cannot_is_said():
    text = GOOD.replace("interval: 30s\n    threshold", "interval: 5s\n    threshold")
    text = text.replace(
        "- {name: request-duration, thresholdRange", "- {name: queue, templateRef: {name: q}, thresholdRange"
    )
    _, rollout = read(text)
    assert rollout.analysis.interval_s == 10
    assert [check.name for check in rollout.analysis.checks] == ["request-success-rate"]
    assert [words for words in ("at most", "left out") if any(words in one for one in rollout.warnings)] == [
        "at most",
        "left out",
    ]


def test_old_words_mean_the_same():
    text = GOOD.replace("  analysis:", "  canaryAnalysis:").replace("thresholdRange: {min: 99}", "threshold: 99")
    old, new = read(text.replace("thresholdRange: {max: 250}", "threshold: 250"))[1], read(GOOD)[1]
    assert old.analysis == new.analysis
