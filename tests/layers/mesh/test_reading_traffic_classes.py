"""Classes of service of a manifest decide who is served first, and what makes no sense is said with its place."""

import pytest

from skyedge.errors import InputError
from skyedge.kube import MESH, parse_manifests
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Mesh
from skyedge.layers.mesh.reading import read_behaviours, read_controls, read_mesh
from skyedge.layers.mesh.telemetry import by_class
from skyedge.layers.mesh.traffic import Discipline, TimedRequest, simulate

SERVICE = """
---
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: scenes}}
spec: {containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: archive, labels: {app: archive}}
spec: {containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.2}
---
apiVersion: v1
kind: Service
metadata: {name: scenes, annotations: {skyedge.io/service-time: 10ms, skyedge.io/concurrency: "1"}}
spec: {selector: {app: scenes}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: scenes}
spec:
  hosts: [scenes]
  http:
  - {name: nightly, match: [{uri: {prefix: /night}}], route: [{destination: {host: scenes}}]}
  - {name: day, route: [{destination: {host: scenes}}]}
"""
CLASSES = """
---
apiVersion: skyedge/v1
kind: TrafficClasses
metadata: {name: classes}
spec:
  starvationLimit: 5s
  default: normal
  classes: [{name: urgent}, {name: normal}, {name: bulk}]
  rules:
  - {class: urgent, headers: {x-scene: hard}}
  - {class: bulk, callerLabels: {app: archive}}
  - {class: bulk, routes: [nightly]}
"""


def controls(text=CLASSES):
    manifests = parse_manifests(SERVICE + text, file="f.yaml", kinds=MESH)
    reading = read_mesh(manifests)
    return manifests, reading, read_controls(manifests, reading)


@pytest.mark.parametrize(
    ("headers", "labels", "route", "name"),
    [
        ({"X-Scene": "hard"}, {"app": "archive"}, "nightly", "urgent"),
        ({}, {"app": "archive"}, "day", "bulk"),
        ({}, {}, "nightly", "bulk"),
        ({"X-Scene": "easy"}, {}, "day", "normal"),
    ],
)
def test_the_first_rule_that_holds_says_the_class(headers, labels, route, name):
    classes = controls()[2].classes
    assert classes.names[classes.number(HttpRequest("scenes", headers=headers), labels, route)] == name
    assert classes.starvation_limit_us == 5_000_000


def test_weights_are_those_that_are_written():
    text = CLASSES.replace("starvationLimit: 5s", "discipline: Weighted").replace(
        "{name: urgent}", "{name: urgent, weight: 4}"
    )
    classes = controls(text)[2].classes
    assert classes.discipline is Discipline.WEIGHTED
    assert classes.weights == {"urgent": 4}


def test_urgent_requests_wait_less_than_they_would_without_classes_and_the_others_more():
    found = {}
    for text in (CLASSES, ""):
        manifests, reading, rules = controls(text)
        caller, host = reading.caller("default/archive"), "scenes.default.svc.cluster.local"
        hard, plain = HttpRequest(host, headers={"x-scene": "hard"}), HttpRequest(host)
        # Forty at once, an urgent one every fourth, at an endpoint that works on one at a time.
        asked = [TimedRequest(0, caller, plain if number % 4 else hard) for number in range(40)]
        mesh = Mesh(tuple(one.thing for one in reading.services), reading.endpoints)
        traffic = simulate(mesh, asked, read_behaviours(manifests, reading), 1, controls=rules)
        rows, urgent = traffic.calls.requests, [number for number, one in enumerate(asked) if one.http is hard]
        found[text] = float((rows.end_us - rows.start_us)[urgent].mean())
        names = [one.name[0] for one in by_class(traffic.calls)]
        assert names == (["urgent", "bulk"] if text else ["normal"])
    assert found[CLASSES] < found[""] / 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{class: urgent, headers", "{class: Urgent, headers", "there is no class 'Urgent' (did you mean 'urgent'?)"),
        ("default: normal", "default: nomal", "there is no class 'nomal' (did you mean 'normal'?)"),
        ("routes: [nightly]", "routes: [nightli]", "no route is called 'nightli' (did you mean 'nightly'?)"),
        ("{name: bulk}", "{name: urgent}", "there is a class 'urgent' already"),
        (", headers: {x-scene: hard}", "", "takes all, so those after it are never met"),
        ("{name: bulk}", "{name: bulk, weight: 2}", "weights mean something only to the discipline Weighted"),
        ("starvationLimit: 5s", "starvationLimit: '5'", "did you mean '5s'"),
        ("  classes: [", "  discipline: Weighted\n  classes: [", "this is for the discipline Strict"),
    ],
)
def test_a_mistake_is_said_with_its_place(old, new, words):
    assert old in CLASSES
    with pytest.raises(InputError) as error:
        controls(CLASSES.replace(old, new, 1))
    assert words in str(error.value)
    assert "f.yaml:" in error.value.where


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("app: archive}}", "app: archve}}", "rules[1].callerLabels: nobody carries app: archve (did you mean 'archive'?)"),
        ("app: archive}}", "ap: archive}}", "rules[1].callerLabels: nobody carries ap: archive (did you mean 'app'?)"),
        ("app: archive}}", "app: x, y: z}}", "rules[1].callerLabels: nobody carries app: x"),
        ("{name: classes}", "{name: classes, namespace: x}", "namespace: not used, as classes of service are of the whole"),
        (
            "{class: urgent, h",
            "{class: bulk, h",
            "spec.classes[0]: no request is of the class 'urgent', as no rule gives it",
        ),
        (
            "{class: bulk, callerLabels: {app: archive}}",
            "{class: bulk, headers: {X-Scene: hard}, routes: [day]}",
            "spec.rules[1]: never met, as rules[0] takes every request that it would",
        ),
        ("routes: [nightly]", "callerLabels: {app: archive}, routes: [nightly]", "spec.rules[2]: never met, as rules[1]"),
    ],
)
def test_what_is_in_vain_is_a_warning(old, new, words):
    assert old in CLASSES
    (said,) = controls(CLASSES.replace(old, new, 1))[1].warnings
    assert words in said
    assert not controls()[1].warnings


@pytest.mark.parametrize("rule", ["headers: {x-scene: soft}", "callerLabels: {app: archive}, headers: {x: y}"])
def test_a_rule_that_some_request_meets_is_no_mistake(rule):
    assert not controls(CLASSES.replace("callerLabels: {app: archive}", rule))[1].warnings


def test_two_manifests_of_classes_are_one_too_many():
    with pytest.raises(InputError, match=r"a mesh has its classes once.*f\.yaml:"):
        controls(CLASSES + CLASSES.replace("name: classes", "name: more"))
