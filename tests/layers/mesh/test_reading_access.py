"""Who may call whom is decided by the called one's policies, and by whether certificates say who calls."""

import pytest

from skyedge.errors import InputError
from skyedge.layers.mesh.admission import TlsMode, tls_mode
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Service
from skyedge.layers.mesh.reading import Gatekeeper
from tests.layers.mesh.written_meshes import A, pod, read, service


def test_who_may_call_is_decided_by_the_called_ones_policies():
    policies = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow}
spec:
  selector: {matchLabels: {app: a}}
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/b]}}], to: [{operation: {paths: ["/x*"]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny}
spec: {action: DENY, rules: [{when: [{key: "request.headers[x-bad]", values: ["*"]}]}]}
"""
    reading = read(*A, service("b"), pod("b1", "b"), policies)
    keeper = Gatekeeper(reading)
    (to,) = [one for one in reading.endpoints if one.address == "a1"]
    a, b = reading.caller("a2"), reading.caller("b1")
    assert keeper.allows(b, to, HttpRequest("a", "/x/1"))
    assert not keeper.allows(b, to, HttpRequest("a", "/y"))
    assert not keeper.allows(a, to, HttpRequest("a", "/x/1"))
    assert keeper.verdict(b, to, HttpRequest("a", "/x/1", headers={"x-bad": "1"})).why == "policy default/deny keeps it out"
    (other,) = [one for one in reading.endpoints if one.address == "b1"]
    assert keeper.allows(a, other, HttpRequest("b"))


def test_a_port_is_that_which_the_called_one_listens_at_for_the_port_that_was_called():
    policy = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny}
spec: {selector: {matchLabels: {app: a}}, action: DENY, rules: [{to: [{operation: {ports: ["9000"]}}]}]}
"""
    two = service("a").replace("}]}", "}, {name: http-admin, port: 81, targetPort: 9000}]}")
    reading = read(A[0], two, *A[2:], policy)
    keeper, caller = Gatekeeper(reading), reading.caller("a1")
    assert keeper.allows(caller, reading.endpoints[0], HttpRequest("a", port=80))
    assert not keeper.allows(caller, reading.endpoints[0], HttpRequest("a", port=81))


def test_without_certificates_nobody_is_known():
    policies = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow}
spec: {rules: [{from: [{source: {namespaces: [default]}}]}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: %s}}
"""
    for mode, expected in (("STRICT", True), ("DISABLE", False)):
        reading = read(*A, policies % mode)
        assert Gatekeeper(reading).allows(reading.caller("a1"), reading.endpoints[0], HttpRequest("a")) is expected


def test_a_service_that_insists_on_certificates_refuses_whoever_has_no_proxy():
    strict = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""
    bare = pod("b1", "b").replace("version: v1", 'version: v1, sidecar.istio.io/inject: "false"')
    reading = read(*A, service("b"), bare, strict)
    keeper = Gatekeeper(reading)
    assert keeper.allows(reading.caller("a2"), reading.endpoints[0], HttpRequest("a"))
    verdict = keeper.verdict(reading.caller("b1"), reading.endpoints[0], HttpRequest("a"))
    assert verdict.why == "a.default.svc.cluster.local insists on mutual TLS and default/b1 has no proxy"


NOBODY_MAY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody-may}
spec: {}
"""
ALL_INSIST = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
"""


def without_proxy(name, app):
    return pod(name, app).replace("version: v1", 'version: v1, sidecar.istio.io/inject: "false"')


def entry(spec):
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: e}}
spec: {{hosts: [e.example.com], ports: [{{number: 80, name: http}}], {spec}}}
"""


@pytest.mark.parametrize(
    ("called", "has_proxy"),
    [
        (pod("b1", "b"), True),
        (without_proxy("b1", "b"), False),
        (entry("resolution: DNS"), False),
        (entry("location: MESH_EXTERNAL, resolution: STATIC, endpoints: [{address: 9.9.9.9}]"), False),
        (entry("location: MESH_INTERNAL, resolution: STATIC, endpoints: [{address: 9.9.9.9}]"), True),
        (entry("resolution: STATIC, workloadSelector: {labels: {app: a}}"), True),
    ],
)
def test_the_proxy_of_whoever_is_called_asks_and_without_one_nobody_does(called, has_proxy):
    for asks, caller in ((NOBODY_MAY, "a1"), (ALL_INSIST, "c1")):
        reading = read(*A, service("b"), called, without_proxy("c1", "c"), asks)
        endpoints = [one for one in reading.endpoints if not one.service.startswith("a.")]
        may = {Gatekeeper(reading).allows(reading.caller(caller), one, HttpRequest("b")) for one in endpoints}
        assert may == {not has_proxy}


def test_a_security_group_needs_no_proxy():
    closed = """
apiVersion: skyedge/v1
kind: SecurityGroup
metadata: {name: closed}
spec: {selector: {labels: {app: b}}, ingress: []}
"""
    reading = read(*A, service("b"), without_proxy("b1", "b"), closed)
    (to,) = [one for one in reading.endpoints if one.address == "b1"]
    assert not Gatekeeper(reading).allows(reading.caller("a1"), to, HttpRequest("b"))


def test_a_policy_for_those_without_a_proxy_is_named():
    policy = NOBODY_MAY.replace("spec: {}", "spec: {selector: {matchLabels: {app: b}}}")
    said = "nobody whom this policy is for has a proxy, so it holds for nobody"
    assert any(said in warning for warning in read(*A, service("b"), without_proxy("b1", "b"), policy).warnings)
    assert not any(said in warning for warning in read(*A, service("b"), without_proxy("b1", "b"), NOBODY_MAY).warnings)


def test_of_several_modes_of_mutual_tls_the_oldest_counts():
    mode = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: %s, creationTimestamp: "2026-01-0%dT00:00:00Z"}
spec: {mtls: {mode: %s}}
"""
    written = (mode % ("a", 2, "STRICT"), mode % ("b", 1, "DISABLE"))
    for texts in (written, written[::-1]):
        assert tls_mode(read(*A, *texts).admission, Service("a", namespace="default"), 80) is TlsMode.DISABLE


def test_a_policy_that_is_tried_out_only_keeps_nobody_out():
    policy = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody, annotations: {istio.io/dry-run: "%s"}}
spec: {}
"""
    for word, expected in (("true", True), ("false", False)):
        reading = read(*A, policy % word)
        assert Gatekeeper(reading).allows(reading.caller("a1"), reading.endpoints[0], HttpRequest("a")) is expected
        assert any("only tells what it would do" in warning for warning in reading.warnings) is expected


def test_who_is_wanted_by_a_token_or_by_an_address_behind_a_proxy_is_nobody_here():
    policy = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: some}
spec: {rules: [{from: [{source: {%s}}]}]}
"""
    for said, expected in (
        ('requestPrincipals: ["*"]', False),
        ("remoteIpBlocks: [10.0.0.0/8]", False),
        ('notRequestPrincipals: ["*"]', True),
        ("notRemoteIpBlocks: [10.0.0.0/8]", True),
    ):
        reading = read(*A, policy % said)
        assert Gatekeeper(reading).allows(reading.caller("a1"), reading.endpoints[0], HttpRequest("a")) is expected


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("request.headers[]", "x", "when[0].key: there is no attribute 'request.headers[]'"),
        (
            "request.auth.claims",
            "x",
            "there is no attribute 'request.auth.claims' (did you mean 'request.auth.claims[NAME]'?)",
        ),
        ("destination.port", "http", "when[0].values[0]: 'http' is no port"),
        ("remote.ip", "a.b", "when[0].values[0]: 'a.b' is neither an address nor a network"),
        ("source.ip[x]", "10.0.0.1", "there is no attribute 'source.ip[x]'"),
    ],
)
def test_a_condition_on_nothing_is_told_so(key, value, sentence):
    policy = f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: some}}
spec: {{rules: [{{when: [{{key: "{key}", values: ["{value}"]}}]}}]}}
"""
    with pytest.raises(InputError) as error:
        read(*A, policy)
    assert sentence in str(error.value)


@pytest.mark.parametrize("key", ["request.auth.claims[id]", "experimental.envoy.filters.a.b[c]", "connection.sni"])
def test_a_condition_on_what_no_request_here_has_lets_nobody_in(key):
    policy = f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: some}}
spec: {{rules: [{{when: [{{key: "{key}", values: ["*"]}}]}}]}}
"""
    reading = read(*A, policy)
    assert not Gatekeeper(reading).allows(reading.caller("a1"), reading.endpoints[0], HttpRequest("a"))
