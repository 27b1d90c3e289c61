"""What in manifests can never work is an error, and what is legal and useless a warning, each with its place."""

import re

import pytest

from tests.layers.mesh.written_meshes import SUBSETS, TO_A, A, mistake, pod, read, rule, service, virtual

TO_V3 = "[{route: [{destination: {host: a, subset: v3}}]}]"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            [virtual("[{route: [{destination: {host: aa}}]}]")],
            "spec.http[0].route[0].destination.host: there is no service 'aa'",
        ),
        ([virtual("[{route: [{destination: {host: aa}}]}]")], "did you mean 'a'?"),
        ([virtual("[{route: [{destination: {host: a.default}}]}]")], "did you mean 'a.default.svc.cluster.local'?"),
        ([virtual(TO_V3)], "destination.subset: no DestinationRule for 'a.default.svc.cluster.local' has a subset 'v3'"),
        ([SUBSETS, virtual(TO_V3.replace("v3", "v1a"))], "has a subset 'v1a' (did you mean 'v1'?)"),
        (
            [rule("{host: a, subsets: [{name: v3, labels: {version: v3}}]}"), virtual(TO_V3)],
            "nobody answers for the subset 'v3' of 'a.default.svc.cluster.local': no endpoint has version=v3",
        ),
        ([virtual("[{route: [{destination: {host: a, port: {number: 81}}}]}]")], "has no port 81; it has 80"),
        ([service("b"), virtual("[{route: [{destination: {host: b}}]}]")], "nobody answers for 'b.default"),
        (
            [virtual("[{route: [{destination: {host: a}, weight: 0}, {destination: {host: a}}]}]")],
            "the weights are all zero",
        ),
        ([virtual("[{delegate: {name: d}}]")], "delegate.name: there is no VirtualService 'd' in 'default'"),
        (
            [virtual("[{delegate: {name: d}}]"), virtual("[]", "d", "[]", extra=f", tcp: {TO_A}")],
            "spec.tcp: without hosts this is for others to delegate to, and they hand on HTTP only",
        ),
        ([virtual(TO_A, extra=", gateways: [door]")], "spec.gateways[0]: there is no gateway 'default/door'"),
        ([virtual(TO_A), virtual(TO_A)], "there is a VirtualService 'r' in 'default' already: f.yaml:"),
        ([service("a")], "there is a service 'a.default.svc.cluster.local' already"),
        (
            [virtual("[{mirror: {host: z}, route: [{destination: {host: a}}]}]")],
            "spec.http[0].mirror.host: there is no service",
        ),
        ([virtual("[]", extra=", tcp: [{route: [{destination: {host: z}}]}]")], "spec.tcp[0].route[0].destination.host"),
    ],
)
def test_what_can_never_work_is_one_sentence_with_its_place(texts, sentence):
    said = mistake(*A, *texts)
    assert said.startswith("f.yaml:")
    assert sentence in said


def test_a_policy_that_selects_nothing_is_an_error():
    policy = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: %s}
spec: {selector: {matchLabels: {app: %s}}}
"""
    assert "nothing that runs in 'default' has app=b, so the policy selects nothing" in mistake(
        *A, policy % ("default", "b")
    )
    assert "nothing runs in 'shop'" in mistake(*A, policy % ("shop", "a"))


DOOR = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: {selector: {app: a}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["./a.org"]}]}
"""
IN = "host: a.default.svc.cluster.local"
TOLD_ELSEWHERE = virtual("[{route: [{destination: {host: b}}]}]", hosts="[b]", extra=", exportTo: [shop]")
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p}
spec: {rules: [{from: [{source: {%s}}]}]}
"""


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            [
                virtual(
                    "[{route: [{destination: {host: a}}]}, {match: [{uri: {exact: /x}}], route: [{destination: {host: a}}]}]"
                )
            ],
            "spec.http[1]: no request ever reaches this rule: f.yaml:",
        ),
        ([virtual(TO_A), virtual(TO_A, "second")], "inside the mesh this is not used: the older VirtualService 'r'"),
        (
            [rule("{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}, {port: {number: 81}}]}}")],
            "portLevelSettings[1].port.number: 'a.default.svc.cluster.local' has no port 81, only 80: not used",
        ),
        ([rule("{host: b}")], "there is no service 'b.default.svc.cluster.local': not used"),
        ([rule("{host: a, subsets: [{name: v3, labels: {version: v3}}]}")], "nobody who answers for 'a.default"),
        (
            [rule("{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: x, to: y}]}}}}")],
            "priorities by locality need outlierDetection",
        ),
        ([virtual("[{fault: {abort: {httpStatus: 500}}, route: [{destination: {host: a}}]}]")], "this strikes no request"),
        ([virtual(TO_A, hosts="[b]")], "there is no service 'b.default.svc.cluster.local', so nobody inside calls it"),
        ([virtual(TO_A, "d", hosts="[]")], "without hosts this is for others to delegate to, and nobody does"),
        ([service("b")], "nobody answers for 'b.default.svc.cluster.local'"),
        (
            [virtual("[{match: [{uri: {prefix: /a}}, {uri: {prefix: /ab}}], route: [{destination: {host: a}}]}]")],
            "spec.http[0].match[1]: no request ever reaches this condition of the rule: f.yaml:",
        ),
        (
            [
                DOOR,
                virtual(TO_A, hosts="[a.org]", namespace="shop", extra=", gateways: [default/door]").replace("host: a", IN),
            ],
            "spec.gateways[0]: the gateway 'default/door' lets in none of these hosts, only ./a.org",
        ),
        (
            [service("b", extra=', annotations: {networking.istio.io/exportTo: "."}'), pod("b1", "b"), TOLD_ELSEWHERE],
            "host: 'shop' may not see the service 'b.default.svc.cluster.local', and a call from there fails (exportTo)",
        ),
        (
            [POLICY % "namespaces: [defalt]"],
            "from[0].source.namespaces[0]: there is no namespace 'defalt', and nothing runs in one (did you mean 'default'",
        ),
        ([POLICY % "notNamespaces: ['x-*', def*]"], "source.notNamespaces[0]: there is no namespace 'x-*'"),
        ([pod("a3", "a").replace("nodeName: n", "nodeName: m")], "there is no node 'm'"),
    ],
)
def test_what_is_useless_is_a_warning_with_its_place(texts, sentence):
    (warning,) = read(*A, *texts).warnings
    assert warning.startswith("f.yaml:")
    assert sentence in warning


def test_nothing_is_said_of_a_mesh_that_is_in_order():
    assert read(*A, SUBSETS, virtual("[{route: [{destination: {host: a, subset: v1}}]}]")).warnings == ()


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        (
            "{prefix: api}",
            r"match\[0\].uri.prefix: no path meets this, as each begins with a slash \(did you mean '/api'\?\)",
        ),
        ("{exact: '/a?b=1'}", r"match\[0\].uri.exact: no path meets this, as a path ends before its '\?'"),
        ("{exact: '*'}", None),
        ("{regex: 'api.*'}", None),
    ],
)
def test_a_condition_that_no_path_can_meet_is_named(uri, sentence):
    reading = read(*A, virtual(f"[{{match: [{{uri: {uri}}}], route: [{{destination: {{host: a}}}}]}}]"))
    found = [warning for warning in reading.warnings if "no path meets this" in warning]
    assert len(found) == (sentence is not None)
    assert sentence is None or re.search(sentence, found[0])


def test_an_application_without_pods_is_told_what_is_missing():
    said = mistake(service("b"), virtual("[{route: [{destination: {host: b}}]}]", hosts="[b]"))
    assert "nobody answers for 'b.default.svc.cluster.local', nor for any other: a Deployment has no address" in said


def gate(*changes):
    """Another gateway, which is the one above but for its name and these changes."""
    text = DOOR.replace("name: door", "name: gate")
    for change in changes:
        text = text.replace(*change)
    return text


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [("./a.org", "a.org")],
        [("./a.org", "*/*.ORG")],
        [("app: a", "app: a, more: b")],
        [("{app: a}", "{}")],
        [("{app: a}", "{}"), ('"./a.org"', 'b.org, "*"')],
    ],
)
def test_gateways_that_are_one_in_a_cluster_are_named_each_with_the_other(changes):
    said = read(*A, DOOR, gate(*changes)).warnings
    assert len(said) == 2
    assert "spec.servers[0]: the same pods hear 'a.org' at port 80 for the gateway 'default/gate' too" in said[0]
    assert "for the gateway 'default/door' too" in said[1]


@pytest.mark.parametrize(
    "changes",
    [
        [("80", "81")],
        [("app: a", "app: b")],
        [("app: a", "more: a")],
        [("./a.org", "b.org")],
        [("./a.org", "*.a.org")],
        [("./a.org", "shop/a.org")],
        [("name: gate", "name: gate, namespace: shop")],
    ],
)
def test_gateways_with_other_pods_ports_hosts_or_namespaces_are_two(changes):
    assert read(*A, DOOR, gate(*changes)).warnings == ()
